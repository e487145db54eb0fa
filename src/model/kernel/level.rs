//! Which vector instructions are used: the widest that the processor has, or fewer where a test asks for fewer.

use std::sync::LazyLock;

/// A set of instructions, fewest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Whatever the program was compiled for.
    Portable,
    /// Eight lanes, sixteen registers, fused multiply-add, half precision widened.
    Avx2,
    /// Sixteen lanes, thirty-two registers.
    Avx512,
}

/// The level of this process. `ATTNVIZ_LEVEL=portable` or `avx2` lowers it, so that each can be tested on one machine.
pub fn level() -> Level {
    static LEVEL: LazyLock<Level> = LazyLock::new(|| match std::env::var("ATTNVIZ_LEVEL").as_deref() {
        Ok("portable") => Level::Portable,
        Ok("avx2") => detected().min(Level::Avx2),
        _ => detected(),
    });
    *LEVEL
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Level {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
    let avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl");
    match avx2 {
        true if avx512 && cfg!(feature = "avx512") => Level::Avx512,
        true => Level::Avx2,
        false => Level::Portable,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detected() -> Level {
    Level::Portable
}
