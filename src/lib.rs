//! attnviz: what does each attention head of GPT-2 look at?
//!
//! ```text
//! argv ─► cli ─► checkpoint ─► Session{model, tokenizer} ─► Prompt{ids, labels, words}
//!                                   │ forward(prompts, tap)
//!                                   ▼
//!                  Trace ─► analysis (numbers) ─► export (json, npz, safetensors, csv)
//!                                   ▼ figure
//!                         Figure (plain data) ─► render ─► svg │ png │ terminal
//! ```
//!
//! Three walls: the model never knows about analyses, analyses never format, renderers never compute.
//!
//! ```
//! use attnviz::analysis::{Request, attention};
//! use attnviz::checkpoint::{Checkpoint, Source};
//! use attnviz::model::Model;
//! use attnviz::prompt::Prompt;
//! use attnviz::session::Session;
//!
//! let session = Session::new(Checkpoint::open(&Source::parse("builtin")?)?)?;
//! let prompt = Prompt::from_text(&session.tokenizer, "Once upon a time", None)?;
//! let spec = session.model.spec();
//! let request = Request { layers: (0..spec.layers).collect(), heads: (0..spec.heads).collect(), ..Default::default() };
//! let (attention, _) = attention(&session.model, &prompt.ids, &request)?;
//! assert_eq!(attention.maps.len(), spec.layers * spec.heads);
//! # Ok::<(), attnviz::Error>(())
//! ```
#![deny(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod analysis;
pub mod checkpoint;
pub mod error;
pub mod export;
pub mod figure;
pub mod model;
pub mod prompt;
pub mod render;
pub mod session;
pub mod trace;

pub use error::{Error, Kind, Result};
