//! attnviz: what does each attention head of GPT-2 look at?
pub mod error;
pub use error::{Error, Kind, Result};
pub mod figure;
pub mod render;
