//! attnviz: what does each attention head of GPT-2 look at?
pub mod analysis;
pub mod checkpoint;
pub mod error;
pub mod model;
pub mod trace;
pub use error::{Error, Kind, Result};
pub mod figure;
pub mod render;
