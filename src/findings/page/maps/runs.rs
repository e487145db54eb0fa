//! Deflated bytes, looking for runs only: weights of attention have few other repeats, and looking for them is most of the time.

use crate::error::{Error, Result};
use miniz_oxide::deflate::CompressionLevel;
use miniz_oxide::deflate::core::{
    CompressionStrategy, CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output,
    create_comp_flags_from_zip_params,
};

/// A zlib stream of some bytes.
///
/// # Errors
/// None that is known of.
pub(super) fn deflated(bytes: &[u8]) -> Result<Vec<u8>> {
    let level = CompressionLevel::DefaultLevel as i32;
    let flags = create_comp_flags_from_zip_params(level, 1, CompressionStrategy::RLE as i32);
    let mut packed = Vec::new();
    let add = |piece: &[u8]| {
        packed.extend_from_slice(piece);
        true
    };
    match compress_to_output(&mut Box::new(CompressorOxide::new(flags)), bytes, TDEFLFlush::Finish, add).0 {
        TDEFLStatus::Done => Ok(packed),
        _ => Err(Error::failed("numbers could not be deflated, this should not happen")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::ZlibDecoder;
    use std::io::Read;

    #[test]
    fn what_is_packed_is_read_back_and_runs_are_short() {
        let noise: Vec<u8> = (0..70_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 27) as u8).collect();
        let all = [vec![0; 100_000], noise].concat();
        let packed = deflated(&all).unwrap();
        let mut back = Vec::new();
        ZlibDecoder::new(&packed[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, all);
        assert!(packed.len() < 50_000, "{} bytes of 5 bits of noise", packed.len());
    }
}
