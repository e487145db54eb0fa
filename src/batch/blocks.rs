//! The inputs in blocks: those of one share, each known to be the last or not before it is worked on.

use super::BLOCK;
use super::input::{Inputs, Item};
use super::shard::Shard;
use super::tally::Prompts;
use crate::error::Result;

/// The blocks of a share.
pub(super) struct Blocks<'a> {
    inputs: Inputs,
    shard: Shard,
    tick: &'a (dyn Fn() + Sync),
    prompts: Prompts,
    /// The first prompt of the block that follows.
    ahead: Option<Item>,
}

/// Prompts that are worked on and remembered together.
pub(super) struct Work {
    pub items: Vec<Item>,
    /// All prompts of the inputs, where this share has no more.
    pub all: Option<Prompts>,
}

impl<'a> Blocks<'a> {
    /// Nothing is read yet. `tick` is called for every prompt that is read.
    pub fn new(inputs: Inputs, shard: Shard, tick: &'a (dyn Fn() + Sync)) -> Self {
        Self { inputs, shard, tick, prompts: Prompts::default(), ahead: None }
    }

    /// The next block; none after the last one.
    ///
    /// # Errors
    /// As [`Inputs::read`].
    pub fn next(&mut self) -> Result<Option<Work>> {
        let Some(first) = self.ahead.take().map_or_else(|| self.read(), |item| Ok(Some(item)))? else {
            return Ok(None);
        };
        let block = |item: &Item| item.index / BLOCK as u64;
        let mut items = vec![first];
        loop {
            match self.read()? {
                Some(item) if block(&item) == block(&items[0]) => items.push(item),
                ahead => {
                    let all = ahead.is_none().then(|| self.prompts.clone());
                    self.ahead = ahead;
                    return Ok(Some(Work { items, all }));
                }
            }
        }
    }

    /// All prompts that were read.
    pub fn prompts(&self) -> &Prompts {
        &self.prompts
    }

    /// The next prompt of this share.
    fn read(&mut self) -> Result<Option<Item>> {
        while let Some(item) = self.inputs.read()? {
            (self.tick)();
            self.prompts.add(&item.origin, item.text.as_deref().map_err(String::as_str));
            if self.shard.owns(item.index) {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }
}
