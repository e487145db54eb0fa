//! attnviz: what does each attention head of GPT-2 look at?
pub mod checkpoint;
pub mod error;
pub use error::{Error, Kind, Result};
