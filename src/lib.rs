//! attnviz: what does each attention head of GPT-2 look at?
//!
//! ```text
//! argv │ record │ suite │ program ─► options ─► Asked
//!                                                 │
//! checkpoint ─► Session{model, tokenizer} ─► Subject{session, prompt}
//!                  │ forward(prompts, tap)        │
//!                  ▼                              ▼
//!               Trace ─► analysis (numbers) ─► findings ─► figure ─► render ─► svg │ png │ terminal
//!                                                 └──────► data, table ─► export ─► json │ npz │ safetensors │ csv │ parquet
//! ```
//!
//! The rooms, top to bottom; each uses only those below it: [`batch`] and [`snapshot`] (many prompts, suites), [`findings`] (from plain
//! options to figure, data and table), [`compare`], [`render`], [`figure`], [`analysis`] (numbers, one file per method), [`session`] and
//! [`trace`], [`model`] and [`checkpoint`], [`weights`], [`export`] and [`prompt`], and on the ground [`record`], [`mod@format`], [`error`],
//! [`text`].
//!
//! Three walls: the model never knows about analyses, analyses never format, renderers never compute.
//!
//! # From a text to a picture
//!
//! A [`Session`](session::Session) is a model with its tokenizer, a [`Prompt`](prompt::Prompt) what it reads:
//!
//! ```
//! use attnviz::checkpoint::{Checkpoint, Source};
//! use attnviz::prompt::Prompt;
//! use attnviz::session::Session;
//!
//! // A folder in Hugging Face's layout, a hub id, or the small model in this library.
//! let session = Session::new(Checkpoint::open(&Source::parse("builtin")?)?)?;
//! let prompt = Prompt::from_text(&session.tokenizer, "Once upon a time", None)?;
//! assert_eq!(prompt.tokens[1].label, "·upon");
//! # Ok::<(), attnviz::Error>(())
//! ```
//!
//! [`analysis`] holds the numbers, one file per method. This is the attention of two heads:
//!
//! ```
//! # use attnviz::{checkpoint::*, prompt::Prompt, session::Session};
//! # let session = Session::new(Checkpoint::open(&Source::Builtin)?)?;
//! # let prompt = Prompt::from_text(&session.tokenizer, "Once upon a time", None)?;
//! use attnviz::analysis::{Request, attention};
//!
//! let request = Request { layers: vec![4], heads: vec![0, 3], ..Request::default() };
//! let (attention, _) = attention(session.model(), &prompt.ids, &request)?;
//! let map = &attention.maps[1]; // layer 4, head 3: [query, key]
//! let row = &map.values[2 * map.cols..3 * map.cols]; // the third token looks back
//! assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-4 && row[3] == 0.0);
//! # Ok::<(), attnviz::Error>(())
//! ```
//!
//! A [`Figure`](figure::Figure) is plain data: what to draw, and with which scale. [`render`] makes it SVG, PNG or characters:
//!
//! ```
//! # use attnviz::{analysis::*, checkpoint::*, prompt::Prompt, session::Session};
//! # let session = Session::new(Checkpoint::open(&Source::Builtin)?)?;
//! # let prompt = Prompt::from_text(&session.tokenizer, "Once upon a time", None)?;
//! # let request = Request { layers: vec![4], heads: vec![3], ..Request::default() };
//! # let (attention, _) = attention(session.model(), &prompt.ids, &request)?;
//! use attnviz::figure::attention::{heatmap, matrix};
//! use attnviz::figure::{Figure, Scale};
//! use attnviz::render::{Fonts, svg};
//!
//! let labels: Vec<String> = prompt.tokens.iter().map(|token| token.label.clone()).collect();
//! let panel = heatmap(matrix(&attention.maps[0], true), &labels, Scale::default());
//! let figure = Figure { title: prompt.written(), panels: vec![panel], ..Figure::default() };
//! assert!(svg(&figure, &Fonts::bundled())?.contains("·upon"));
//! # Ok::<(), attnviz::Error>(())
//! ```
//!
//! # What a command finds
//!
//! [`findings`] does all that a command of the program does but reading its flags: `examples/mix.rs` makes the picture, the table and the
//! JSON of `mix` from plain options, `examples/new_analysis.rs` adds an analysis that has every format.
//!
//! # Other ways in and out
//!
//! - Any activation, and any change of one, is a [`Tap`](model::Tap) on a forward pass: `examples/tap.rs` removes heads one by one.
//! - A decoder of another family is an `impl` of [`Model`](model::Model), and a session by [`Session::of`](session::Session::of): every
//!   analysis runs on it. `tests/suite/support/llama.rs` is one, with grouped keys and values, in two hundred lines.
//! - Several prompts at once are packed, never padded: `examples/batch.rs`.
//! - [`export`] writes JSON, CSV, NPZ and safetensors, and reads attention that other programs saved:
//!
//! ```no_run
//! # use attnviz::export;
//! let trace = export::read("bert.npz".as_ref())?;
//! let [layers, heads, queries, keys] = trace.shape;
//! # Ok::<(), attnviz::Error>(())
//! ```
//!
//! - [`compare`] says what differs between two files of one format, numbers as numbers and pixels as pixels.
//! - Every failure is an [`Error`]: what went wrong, and the way out.
#![deny(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod analysis;
mod axes;
pub mod batch;
pub mod checkpoint;
pub mod compare;
pub mod encoding;
pub mod error;
pub mod export;
pub mod figure;
pub mod findings;
pub mod format;
pub mod hash;
mod json;
pub mod model;
pub mod named;
pub mod place;
mod plain;
pub mod prompt;
mod python;
pub mod record;
pub mod render;
pub mod session;
pub mod snapshot;
pub mod system;
pub mod text;
pub mod trace;
pub mod weights;

pub use error::{Error, Kind, Result};
pub use named::Named;
