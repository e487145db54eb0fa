//! Many prompts: a stream of them from files, a folder that survives any interruption, and shares of the work for many machines.
//!
//! Prompts are numbered from 0 over all inputs. They are worked on in blocks of [`BLOCK`]; a block is what a shard owns whole, what is
//! packed and rendered together, and what an interrupted run starts again with, so that the folder does not depend on any of these.
//!
//! ```no_run
//! use attnviz::checkpoint::{Checkpoint, Source};
//! use attnviz::findings::{Asked, mix};
//! use attnviz::{batch, session::Session};
//!
//! let asked = Asked::Mix(mix::Options::default());
//! let options = batch::Options { inputs: vec!["prompts.txt".into()], out: "results".into(), ..Default::default() };
//! batch::check(&options, &asked)?; // before the model is loaded
//! let session = Session::new(Checkpoint::open(&Source::Builtin)?)?;
//! let summary = batch::run(&options, &asked, "", &session, &|| (), &|_| ())?;
//! assert!(summary.failed <= summary.prompts);
//! # Ok::<(), attnviz::Error>(())
//! ```

mod block;
mod blocks;
mod folder;
mod index;
mod input;
mod interrupt;
mod job;
mod joined;
mod line;
mod list;
mod manifest;
mod merge;
mod options;
mod results;
mod resume;
mod run;
mod shard;
mod table;
mod tally;

pub use input::{Inputs, Item, Kind};
pub use interrupt::watch_for_interrupts;
pub use job::{Summary, check, run};
pub use manifest::{Entry, Origin, Outcome, ResultFile};
pub use merge::merge;
pub use options::Options;
pub use run::Run;
pub use shard::Shard;
pub use tally::End;

/// Prompts in a block.
pub const BLOCK: usize = 64;
/// The name of the list of what was done, in the order of the prompts.
pub const MANIFEST: &str = "manifest.jsonl";
