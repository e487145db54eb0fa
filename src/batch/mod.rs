//! Many prompts: a stream of them from files, a folder that survives any interruption, and shares of the work for many machines.
//!
//! Prompts are numbered from 0 over all inputs. They are worked on in blocks of [`BLOCK`]; a block is what a shard owns whole, what is
//! packed and rendered together, and what an interrupted run starts again with, so that the folder does not depend on any of these.

mod folder;
mod input;
mod interrupt;
mod manifest;
mod merge;
mod shard;

pub use folder::Folder;
pub use input::{Inputs, Item, Kind};
pub use interrupt::{interrupted, watch_for_interrupts};
pub use manifest::{Entry, Origin, Outcome, Written};
pub use merge::merge;
pub use shard::Shard;

/// Prompts in a block.
pub const BLOCK: usize = 64;
/// The name of the list of what was done, in the order of the prompts.
pub const MANIFEST: &str = "manifest.jsonl";
