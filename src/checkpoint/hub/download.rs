//! One blob: its bytes gathered in `<hash>.incomplete`, over as many connections as it takes, checked, then renamed.
use crate::text;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Instant;

use ureq::http::{HeaderMap, StatusCode};

use super::http::{Client, Failure, Meta};
use super::layout::{Folder, disk_error};
use super::name::Name;
use super::progress::Event;
use crate::checkpoint::contents::LARGEST_SMALL_FILE;
use crate::{Error, Result, plain};

const BUFFER: usize = 256 << 10;
/// A download that gives fewer bytes a second for [`PATIENCE`] times the limit of one without any is not waited for.
const LOWEST_RATE: u64 = 1 << 10;
const PATIENCE: u32 = 3;
/// After this much progress, earlier failures of a connection are forgiven.
const PROGRESS: u64 = 8 << 20;

/// A file that the hub has and the cache may not.
#[derive(Debug)]
pub(super) struct Download<'a> {
    pub client: &'a Client,
    pub folder: &'a Folder,
    pub name: &'a Name,
    pub file: &'a str,
    pub meta: &'a Meta,
    /// Whether a blob of the right size that is already there is trusted without hashing it.
    pub trust: bool,
}

/// What a download reports: how many bytes of the file are here, or an event.
pub(super) enum Report<'a> {
    Here(u64),
    Event(Event<'a>),
}

impl Download<'_> {
    /// Sees to it that the blob is in the cache, whole and with the right hash.
    pub fn run(&self, report: &mut dyn FnMut(Report<'_>)) -> Result<()> {
        let digest = &self.meta.digest;
        let blob = self.folder.blob(digest);
        let lock = self.folder.lock(digest, &mut || report(Report::Event(Event::Waiting { file: self.file })))?;
        if self.is_there(&blob) {
            report(Report::Here(self.meta.size.unwrap_or_default()));
            return Ok(());
        }
        let part = lock.part.as_path();
        // What an interrupted download left behind may be wrong; what this one fetched from the first byte on may not.
        for _ in 0..2 {
            let resumed = self.gather(part, report)?;
            if digest.is_of(part).map_err(|error| disk_error("read", part, &error))? {
                return fs::rename(part, &blob).map_err(|error| disk_error("write", &blob, &error));
            }
            self.discard(part);
            report(Report::Here(0));
            if !resumed {
                break;
            }
        }
        Err(Error::failed(format!(
            "{} sends other bytes for '{}' than it announces: the hash differs",
            self.host(),
            self.file
        ))
        .hint("nothing was kept; try again, and check HF_ENDPOINT and any proxy in between"))
    }

    fn is_there(&self, blob: &Path) -> bool {
        let Ok(found) = fs::metadata(blob) else { return false };
        let right_size = self.meta.size.is_none_or(|size| size == found.len());
        found.is_file() && right_size && (self.trust || self.meta.digest.is_of(blob).unwrap_or(false))
    }

    /// Fills the partial file; tells whether it begins with bytes of an earlier download.
    fn gather(&self, part: &Path, report: &mut dyn FnMut(Report<'_>)) -> Result<bool> {
        let disk = |error| disk_error("write", part, &error);
        let mut sink = Sink { file: open(part)?, path: part, len: 0, inherited: false };
        sink.len = sink.file.seek(SeekFrom::End(0)).map_err(disk)?;
        // Without a size nobody knows whether the rest is missing.
        if self.meta.size.is_none_or(|size| sink.len > size) {
            sink.clear()?;
        }
        sink.inherited = sink.len > 0;
        let mut failures = 0;
        let mut forgiven_at = sink.len;
        report(Report::Here(sink.len));
        while self.meta.size != Some(sink.len) {
            let failure = match self.stream(&mut sink, report) {
                Ok(()) => break,
                Err(failure) => failure,
            };
            if sink.len >= forgiven_at.saturating_add(PROGRESS) {
                failures = 0;
                forgiven_at = sink.len;
            }
            failures += 1;
            let Some(wait) = self.client.wait_after(&failure, failures) else {
                return Err(self.client.error(failure, self.file));
            };
            let reason = failure.reason();
            report(Report::Event(Event::Retrying { file: self.file, reason: &reason, wait }));
            sleep(wait);
        }
        sink.file.sync_all().map_err(disk)?;
        Ok(sink.inherited)
    }

    /// Appends what one connection gives.
    fn stream(&self, sink: &mut Sink<'_>, report: &mut dyn FnMut(Report<'_>)) -> Result<(), Failure> {
        let answer = self.client.get(self.name, &self.meta.commit, self.file, sink.len)?;
        let continues = match answer.status() {
            StatusCode::PARTIAL_CONTENT => first_byte(answer.headers()) == Some(sink.len),
            _ => sink.len == 0,
        };
        if !continues || answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            let all = answer.status() == StatusCode::OK;
            sink.clear()?;
            report(Report::Here(0));
            if !all {
                return Err(Failure::Cut(format!("{} cannot go on where it stopped", self.host())));
            }
        }
        let offered = answer.body().content_length().map(|rest| sink.len.saturating_add(rest));
        if let (Some(offered), Some(size)) = (offered, self.meta.size)
            && offered != size
        {
            return Err(self.wrong_size(sink, offered, size));
        }
        let limit = self.meta.size.unwrap_or(LARGEST_SMALL_FILE);
        let mut body = answer.into_body().into_reader();
        let mut buffer = vec![0; BUFFER];
        let (window, mut since, mut came) = (PATIENCE * self.client.limits.stall, Instant::now(), 0);
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => return Err(self.client.body_failure(error)),
            };
            let here = sink.len.saturating_add(read as u64);
            if here > limit {
                return Err(self.wrong_size(sink, here, limit));
            }
            sink.append(&buffer[..read])?;
            report(Report::Here(here));
            came += read as u64;
            if since.elapsed() >= window {
                if came < LOWEST_RATE * window.as_secs().max(1) {
                    return Err(self.too_slow().into());
                }
                (since, came) = (Instant::now(), 0);
            }
        }
        match self.meta.size {
            Some(size) if sink.len < size => Err(Failure::Cut("the connection was closed early".into())),
            _ => Ok(()),
        }
    }

    fn too_slow(&self) -> Error {
        let rate = LOWEST_RATE >> 10;
        Error::failed(format!("{} sends '{}' at less than {rate} KiB a second", self.host(), self.file))
            .hint("run the same command again: it goes on where it stopped")
    }

    fn wrong_size(&self, sink: &Sink<'_>, found: u64, announced: u64) -> Failure {
        self.discard(sink.path);
        let found = text::count(found, "byte");
        let what = format!("{found} for '{}' where {announced} are announced", self.file);
        Error::failed(format!("{} sends {what}", self.host()))
            .hint("nothing was kept; check HF_ENDPOINT and any proxy in between")
            .into()
    }

    /// Removes wrong bytes. If that fails, they are still called incomplete and fail the next check too.
    fn discard(&self, part: &Path) {
        let _ = fs::remove_file(part);
    }

    fn host(&self) -> &str {
        self.client.host()
    }
}

/// The partial file.
struct Sink<'a> {
    file: File,
    path: &'a Path,
    len: u64,
    /// Whether it begins with bytes of an earlier download.
    inherited: bool,
}

impl Sink<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| disk_error("write", self.path, &error))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn clear(&mut self) -> Result<()> {
        if self.len > 0 {
            let clear = self.file.set_len(0).and_then(|()| self.file.rewind());
            clear.map_err(|error| disk_error("write", self.path, &error))?;
            self.len = 0;
            self.inherited = false;
        }
        Ok(())
    }
}

fn open(part: &Path) -> Result<File> {
    plain::append_own_or_device(part).map_err(|error| disk_error("write", part, &error))
}

/// Where the part of a file that an answer carries begins: `bytes 100-199/200`.
fn first_byte(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get("content-range")?.to_str().ok()?.trim().strip_prefix("bytes ")?;
    range.split_once('-')?.0.trim().parse().ok()
}
