//! Large buffers: what the allocator and the kernel of the operating system are asked for.
#![allow(unsafe_code)] // two calls into libc

/// A zeroed buffer whose large pages are asked for: a pattern of 1024 tokens is 50 MB, and touching it 4 KiB at a time
/// takes as long as computing it.
pub fn zeroed(len: usize) -> Vec<f32> {
    let out = vec![0.0f32; len];
    #[cfg(target_os = "linux")]
    if len >= 4 << 20 {
        const HUGE: usize = 2 << 20;
        let (start, end) = (out.as_ptr() as usize, out.as_ptr() as usize + 4 * len);
        let (start, end) = (start.next_multiple_of(HUGE), end / HUGE * HUGE);
        // SAFETY: the range lies inside the vector; the call is advice and changes no contents. Its failure is harmless.
        unsafe { libc::madvise(start as *mut _, end - start, libc::MADV_HUGEPAGE) };
    }
    out
}

/// Lets glibc keep freed memory for the next layer instead of returning and faulting it in again, for a whole program.
///
/// Elsewhere it does nothing.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: both calls set a number inside the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 30);
    }
}
