//! What the system takes from a running program: memory that it refuses, or that a stranger's work may not have, and the end of a file that
//! is mapped. None can be handled where it happens, so that the process says in two lines why it ends, and ends. A program asks for each by a
//! line of its own. And what of it is to be arranged before there are threads.
#![allow(unsafe_code)] // an allocator around the system's, and the handler of a signal

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The system's allocator, for `#[global_allocator]`: where there is no more memory, the process says so and ends with code 1.
pub struct Allocator;

// SAFETY: every request is the system's own, with the same arguments.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Budget::take(layout.size());
        // SAFETY: the caller's promise.
        granted(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Budget::take(layout.size());
        // SAFETY: the caller's promise.
        granted(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Budget::give(layout.size());
        Budget::take(size);
        // SAFETY: the caller's promise.
        granted(unsafe { System.realloc(old, layout, size) }, size)
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        Budget::give(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(old, layout) }
    }
}

/// What a thread may still have of the memory that it may have for some work, and who is to blame where that is too little.
#[derive(Clone, Copy)]
struct Budget {
    left: usize,
    all: usize,
    said: &'static str,
}

thread_local! {
    static BUDGET: Cell<Option<Budget>> = const { Cell::new(None) };
}

impl Budget {
    fn take(bytes: usize) {
        let Ok(Some(budget)) = BUDGET.try_with(Cell::get) else { return };
        match budget.left.checked_sub(bytes) {
            Some(left) => BUDGET.set(Some(Self { left, ..budget })),
            None => end(budget.said.as_bytes()),
        }
    }

    fn give(bytes: usize) {
        if let Ok(Some(budget)) = BUDGET.try_with(Cell::get) {
            BUDGET.set(Some(Self { left: budget.left.saturating_add(bytes).min(budget.all), ..budget }));
        }
    }
}

/// Does work of a stranger on this thread with so many bytes of memory; where it asks for more, the process says this and ends with code 1,
/// in a program that has the [`Allocator`].
pub(crate) fn within<T>(bytes: usize, said: &'static str, work: impl FnOnce() -> T) -> T {
    struct Over;
    impl Drop for Over {
        fn drop(&mut self) {
            BUDGET.set(None);
        }
    }
    let _over = Over;
    BUDGET.set(Some(Budget { left: bytes, all: bytes, said }));
    work()
}

fn granted(memory: *mut u8, bytes: usize) -> *mut u8 {
    if memory.is_null() {
        refused(bytes);
    }
    memory
}

#[cold]
fn refused(bytes: usize) {
    let mut said = Said { bytes: [0; 256], length: 0 };
    let mib = bytes.div_ceil(1 << 20);
    let _ = writeln!(said, "error: the system refuses {mib} MiB more of memory"); // what is too long is cut
    let _ = writeln!(said, "hint: select fewer layers, heads or tokens, or allow the process more");
    end(said.text());
}

/// A text without an allocation.
struct Said {
    bytes: [u8; 256],
    length: usize,
}

impl Said {
    fn text(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Write for Said {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.length..self.length + text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

/// Says it, and ends the process with code 1 and without running anything else.
fn end(text: &[u8]) {
    #[cfg(unix)]
    // SAFETY: both calls may be made in a handler of a signal; the text lives as long as they.
    unsafe {
        libc::write(2, text.as_ptr().cast(), text.len());
        libc::_exit(1);
    }
    #[cfg(not(unix))]
    let _ = text; // the standard library says it in its own words
}

/// A file that is mapped, with what is said where it is cut. It is never freed: a handler may read it at any time.
struct Mapped {
    start: usize,
    end: usize,
    said: String,
    next: *mut Mapped,
}

/// All files that are or were mapped, the newest first.
static MAPPED: AtomicPtr<Mapped> = AtomicPtr::new(std::ptr::null_mut());

/// Remembers where a file is mapped, for whoever asks for [`tell_of_cut_files`].
pub(crate) fn mapped(bytes: &[u8], path: &Path) {
    let said = format!(
        "error: {} was cut short while it was read\nhint: let the file come to rest, or download it again, and run it again\n",
        crate::text::printable(&path.display().to_string())
    );
    let start = bytes.as_ptr() as usize;
    let (end, next) = (start + bytes.len(), MAPPED.load(Ordering::Acquire));
    let new = Box::into_raw(Box::new(Mapped { start, end, said, next }));
    let mut expected = next;
    while let Err(other) = MAPPED.compare_exchange(expected, new, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: nobody else knows of the new one yet.
        unsafe { (*new).next = other };
        expected = other;
    }
}

/// From now on, a read of a mapped file behind its new end ends the process with an error and code 1, instead of a bus error. For a whole
/// program; elsewhere than on Unix it does nothing.
pub fn tell_of_cut_files() {
    #[cfg(unix)]
    // SAFETY: the handler makes only calls that a handler may make, and reads what is never freed.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_bus_error as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESETHAND | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
    }
}

/// Any other bus error comes again when the handler has returned, and does what it always did.
#[cfg(unix)]
extern "C" fn on_bus_error(_: libc::c_int, about: *const libc::siginfo_t, _: *const libc::c_void) {
    // SAFETY: the system gives what belongs to the signal; entries of the list are never freed.
    unsafe {
        let at = (*about).si_addr() as usize;
        let mut mapped: *const Mapped = MAPPED.load(Ordering::Acquire);
        while let Some(one) = mapped.as_ref() {
            if (one.start..one.end).contains(&at) {
                end(one.said.as_bytes());
            }
            mapped = one.next;
        }
    }
}

/// Lets candle compute each of its own operations with one thread: those that it starts wait by spinning and are bound to processors, beside
/// ours. For a whole program, before it has other threads; elsewhere than on Linux, and where somebody chose, it does nothing.
pub fn keep_candle_quiet() {
    #[cfg(target_os = "linux")]
    {
        const CHOSEN: &str = "CANDLE_NUM_THREADS";
        let alone = std::fs::read_dir("/proc/self/task").is_ok_and(|all| all.count() == 1);
        if alone && std::env::var_os(CHOSEN).is_none() {
            // SAFETY: nobody else reads the environment, as this is the only thread.
            unsafe { std::env::set_var(CHOSEN, "1") };
        }
    }
}

/// How much memory this process may have, in bytes, where the system says so: by `ulimit -v`, or by its control group.
pub fn memory_limit() -> Option<u64> {
    let own = std::fs::read_to_string("/proc/self/limits").ok();
    let own = own.and_then(|limits| {
        let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
        line.split_whitespace().next()?.parse().ok()
    });
    let group = std::fs::read_to_string("/proc/self/cgroup").ok().and_then(|groups| {
        let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?.trim_start_matches('/').to_owned();
        let most = |path: &Path| std::fs::read_to_string(path.join("memory.max")).ok()?.trim().parse::<u64>().ok();
        Path::new("/sys/fs/cgroup")
            .join(path)
            .ancestors()
            .take_while(|path| path.starts_with("/sys"))
            .filter_map(most)
            .min()
    });
    own.into_iter().chain(group).min()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::Command;

    /// Names the file that the same test, started once more, cuts and reads.
    const CUT: &str = "ATTNVIZ_TEST_CUT_FILE";

    #[test]
    fn a_file_that_is_cut_while_it_is_read_is_an_error_in_two_lines() {
        if let Some(path) = std::env::var_os(CUT) {
            let file = std::fs::File::options().write(true).read(true).open(&path).unwrap();
            // SAFETY: what happens when it is cut is what is tested.
            let map = unsafe { memmap2::Mmap::map(&file) }.unwrap();
            mapped(&map, path.as_ref());
            tell_of_cut_files();
            file.set_len(0).unwrap();
            let sum: u64 = map.iter().map(|byte| u64::from(*byte)).sum();
            unreachable!("it read {sum}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 16).unwrap();
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "system::tests::a_file_that_is_cut_while_it_is_read_is_an_error_in_two_lines"]);
        let ended = again.arg("--nocapture").env(CUT, file.path()).output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        let name = file.path().display();
        assert!(said.contains(&format!("error: {name} was cut short while it was read\nhint: ")), "{said}");
    }

    #[test]
    fn what_is_said_without_memory_is_cut_where_it_is_too_long() {
        let mut said = Said { bytes: [0; 256], length: 0 };
        assert!(write!(said, "{} MiB", 12).is_ok() && said.text() == b"12 MiB");
        assert!(said.write_str(&"x".repeat(256)).is_err() && said.text() == b"12 MiB");
    }
}
