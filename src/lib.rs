//! attnviz: what does each attention head of GPT-2 look at?
pub mod error;
pub mod prompt;
pub use error::{Error, Kind, Result};
