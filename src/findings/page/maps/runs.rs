//! Deflated bytes, looking for runs only: weights of attention have few other repeats, and looking for them is most of the time.

use crate::error::{Error, Result};
use crate::export::unwritten;
use miniz_oxide::deflate::CompressionLevel;
use miniz_oxide::deflate::core::{
    CompressionStrategy, CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output,
    create_comp_flags_from_zip_params,
};
use std::io::Write;

/// A zlib stream on its way to a writer.
pub(super) struct Runs<W> {
    state: Box<CompressorOxide>,
    out: W,
}

impl<W: Write> Runs<W> {
    pub fn new(out: W) -> Self {
        let level = CompressionLevel::DefaultLevel as i32;
        let flags = create_comp_flags_from_zip_params(level, 1, CompressionStrategy::RLE as i32);
        Self { state: Box::new(CompressorOxide::new(flags)), out }
    }

    /// More bytes.
    ///
    /// # Errors
    /// A failed write.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.compress(bytes, TDEFLFlush::None)
    }

    /// The end of the stream; its writer.
    ///
    /// # Errors
    /// A failed write.
    pub fn finish(mut self) -> Result<W> {
        self.compress(&[], TDEFLFlush::Finish)?;
        Ok(self.out)
    }

    fn compress(&mut self, bytes: &[u8], flush: TDEFLFlush) -> Result<()> {
        let mut written = Ok(());
        let (status, _) = compress_to_output(&mut self.state, bytes, flush, |piece| {
            written = self.out.write_all(piece);
            written.is_ok()
        });
        written.map_err(unwritten)?;
        match status {
            TDEFLStatus::Okay | TDEFLStatus::Done => Ok(()),
            _ => Err(Error::failed("numbers could not be deflated, this should not happen")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::ZlibDecoder;
    use std::io::Read;

    #[test]
    fn what_is_packed_in_pieces_is_read_back_and_runs_are_short() {
        let noise: Vec<u8> = (0..70_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 27) as u8).collect();
        let all = [vec![0; 100_000], noise].concat();
        let mut packed = Runs::new(Vec::new());
        all.chunks(997).for_each(|piece| packed.add(piece).unwrap());
        let packed = packed.finish().unwrap();
        let mut back = Vec::new();
        ZlibDecoder::new(&packed[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, all);
        assert!(packed.len() < 50_000, "{} bytes of 5 bits of noise", packed.len());
    }
}
