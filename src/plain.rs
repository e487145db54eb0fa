//! Plain files: what is read and written in folders that strangers can write to is a file, not a pipe, a device or a way elsewhere.
//!
//! A named pipe would be waited for, a device read for ever, a link followed to what is nobody's business here. All three are told by
//! what was opened, not by its name a moment before.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Opens a plain file to be read; a link is followed, as a name that a user gives may be one.
///
/// # Errors
/// What cannot be opened, or is no plain file.
pub fn open(path: &Path) -> io::Result<File> {
    checked(options(false).read(true).open(path)?)
}

/// Opens a plain file to be read in a folder that this program writes: a link there is none of ours.
///
/// # Errors
/// As [`open`], and a link.
pub fn open_own(path: &Path) -> io::Result<File> {
    unlinked(path)?;
    checked(options(true).read(true).open(path).map_err(of_link)?)
}

/// Opens or makes a plain file to be added to, with this name and no other.
///
/// # Errors
/// As [`open_own`], and a file that has a second name, where it would be changed as well.
pub fn append_own(path: &Path) -> io::Result<File> {
    unlinked(path)?;
    let file = checked(options(true).create(true).read(true).append(true).open(path).map_err(of_link)?)?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) > 1 {
        return Err(io::Error::other("it is a hard link, and another file would change with it"));
    }
    Ok(file)
}

/// As [`append_own`]; or a device that takes characters, by whatever name, where it does no harm: one that is always full stands for a disk
/// that is.
///
/// # Errors
/// As [`append_own`].
pub fn append_own_or_device(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        let is_device = |about: Metadata| std::os::unix::fs::FileTypeExt::is_char_device(&about.file_type());
        if fs::metadata(path).is_ok_and(is_device) {
            let file = options(false).append(true).open(path)?;
            return if file.metadata().is_ok_and(is_device) { Ok(file) } else { Err(io::Error::other(LINK)) };
        }
    }
    append_own(path)
}

/// All of a plain file; more than so many bytes are [`ErrorKind::FileTooLarge`], and not held.
///
/// # Errors
/// What cannot be opened or is no plain file, that, or a failed read.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_at_most(open(path)?, most)
}

/// Reads to the end; more than so many bytes are [`ErrorKind::FileTooLarge`], and not held.
///
/// # Errors
/// That, or a failed read.
pub fn read_at_most(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Which file has a name, how long it is and when it was last written: what tells that it is no longer what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    #[cfg(unix)]
    file: (u64, u64),
    length: u64,
    written: Option<SystemTime>,
}

impl Stamp {
    /// Of a file that is open.
    pub fn of(about: &Metadata) -> Self {
        Self {
            #[cfg(unix)]
            file: (std::os::unix::fs::MetadataExt::dev(about), std::os::unix::fs::MetadataExt::ino(about)),
            length: about.len(),
            written: about.modified().ok(),
        }
    }

    /// Of what has this name; none where there is nothing.
    pub fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|about| Self::of(&about))
    }
}

/// What tells a file from any other, and from itself before anything about it was changed, in bytes: where it lies, how long it is, when it
/// was written, and when the system last changed what it knows of it, which no program can set back. None of a file that was touched within
/// `rest` of `now`, nor where the system does not say so much.
pub fn lasting(about: &Metadata, now: SystemTime, rest: Duration) -> Option<Vec<u8>> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(about.ctime().max(about.mtime()).try_into().ok()?);
        let of = [about.dev(), about.ino(), about.len()].map(u64::to_le_bytes);
        let times = [about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()].map(i64::to_le_bytes);
        let at_rest = now.duration_since(changed).is_ok_and(|since| since > rest);
        at_rest.then(|| [of.as_flattened(), times.as_flattened()].concat())
    }
    #[cfg(not(unix))]
    {
        let _ = (about, now, rest);
        None
    }
}

/// Opening waits for nobody; where asked for, it follows no link.
fn options(own: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        let own = if own { libc::O_NOFOLLOW } else { 0 };
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY | own);
    }
    #[cfg(not(unix))]
    let _ = own; // `unlinked` has looked
    options
}

fn checked(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

/// Refuses a link by its name, where the system cannot while it opens, and before a pipe is opened to be written to.
fn unlinked(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_symlink() => Err(io::Error::other(LINK)),
        Ok(about) if !about.is_file() => Err(io::Error::other("it is not a regular file")),
        _ => Ok(()),
    }
}

const LINK: &str = "it is a link, which is not followed";

/// What the system says where a link has come in between.
fn of_link(error: io::Error) -> io::Error {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::ELOOP) {
        return io::Error::other(LINK);
    }
    error
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn pipes_devices_and_links_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        fs::write(path("file"), "precious").unwrap();
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        fs::hard_link(path("file"), path("twin")).unwrap();
        assert_eq!(read(&path("link"), 8).unwrap(), b"precious");
        assert_eq!(read(&path("file"), 7).unwrap_err().kind(), ErrorKind::FileTooLarge);
        for name in ["pipe", "link", "."] {
            assert!(open_own(&path(name)).is_err() && append_own(&path(name)).is_err(), "{name}");
        }
        assert!(open(&path("pipe")).is_err() && open("/dev/zero".as_ref()).is_err());
        assert!(append_own(&path("twin")).unwrap_err().to_string().contains("hard link"));
        assert!(append_own(&path("new")).is_ok() && open_own(&path("new")).is_ok());
        assert_eq!(fs::read(path("file")).unwrap(), b"precious");
    }

    #[test]
    fn a_stamp_tells_that_a_file_was_written_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert_eq!(Stamp::at(&path), None);
        fs::write(&path, "one").unwrap();
        let first = Stamp::at(&path);
        assert_eq!(Stamp::of(&File::open(&path).unwrap().metadata().unwrap()), first.clone().unwrap());
        fs::write(&path, "three").unwrap();
        let second = Stamp::at(&path);
        assert_ne!(first, second);
        fs::write(folder.path().join("b"), "three").unwrap();
        fs::rename(folder.path().join("b"), &path).unwrap();
        assert_ne!(Stamp::at(&path), second);
    }
}
