//! What the model knows, and what it is biased about: crafted inputs out of files, answers counted.

pub mod bias;
pub mod cloze;
pub mod linear;
pub mod pairs;
pub(in crate::findings) mod rows;
pub(in crate::findings) mod said;
mod scores;

pub use rows::{Bad, Sample, input};
pub use scores::Convention;
