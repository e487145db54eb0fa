//! The bytes of a file of weights, mapped.
#![allow(unsafe_code)] // mapping a file

use crate::error::{Error, Result};
use crate::plain;
use crate::system;
#[cfg(target_os = "linux")]
use rayon::prelude::*;
use std::path::Path;

/// The bytes of one file.
pub(super) enum Bytes {
    Mapped(memmap2::Mmap),
    Embedded(&'static [u8]),
    /// What could not be read in place, as numbers: so that it lies as they must.
    Copied(Vec<f32>),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Embedded(bytes) => bytes,
            Bytes::Copied(words) => bytemuck::cast_slice(words),
        }
    }
}

impl Bytes {
    /// A file's name and its bytes, mapped.
    pub fn map(path: &Path) -> Result<(String, Self)> {
        let name = path.display().to_string();
        let broken = |e: std::io::Error| {
            Error::failed(format!("cannot read {name}: {e}")).hint("check that the file exists and can be read")
        };
        let file = plain::open(path).map_err(broken)?;
        // SAFETY: the map is read-only and private; a file that another process shortens while it is mapped ends this
        // process (SIGBUS, of which `system::tell_of_cut_files` tells) as it would any program that maps weights, and can write to nothing.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(broken)?;
        system::mapped(&map, path);
        Ok((name, Bytes::Mapped(map)))
    }

    /// Maps all pages at once rather than one fault at a time. Not when the file is opened: what its header promises is checked
    /// first, and a mistyped flag is noticed sooner than half a gigabyte is read. In pieces, for whichever thread is free.
    pub fn populate(&self) {
        #[cfg(target_os = "linux")]
        if let Bytes::Mapped(map) = self {
            const PIECE: usize = 32 << 20;
            (0..map.len().div_ceil(PIECE)).into_par_iter().for_each(|piece| {
                let start = piece * PIECE;
                let len = PIECE.min(map.len() - start);
                // Linux before 5.14 cannot, and goes fault by fault.
                let _ = map.advise_range(memmap2::Advice::PopulateRead, start, len);
            });
        }
    }

    /// Takes all pages out of this process; what is read again comes again from the file.
    pub fn rest(&self) {
        #[cfg(target_os = "linux")]
        if let Bytes::Mapped(map) = self {
            // SAFETY: the map is of a file and nobody writes to it, so that its pages hold the same when they come back.
            let _ = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        }
    }
}
