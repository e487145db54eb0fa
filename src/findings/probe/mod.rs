//! What the model knows: crafted inputs out of files, answers counted.

pub mod cloze;
pub mod linear;
pub mod pairs;
mod rows;
mod scores;

pub use rows::{Bad, Sample, input};
pub use scores::Convention;
