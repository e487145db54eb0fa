//! Numbers of a long prompt as they are written: a layer at a time, made again by the model where the maps are not held.

use super::Patterns;
use crate::analysis::Request;
use crate::analysis::attention::{Extra, Layers, Map};
use crate::error::{Error, Result};
use crate::export::{Array, Source, Take};
use crate::named::Named;
use std::sync::{Arc, Mutex};

/// What the model can be asked again once its pass is over.
pub struct Again<'a> {
    layers: Layers<'a>,
    /// More arrays that were asked for, without their numbers.
    extras: Vec<Array>,
    /// What the maps are, where they are not held whole.
    whole: Option<Request>,
    /// The maps of the layer that is being written, by its place: [`Patterns::prepare_layer`].
    last: Mutex<Option<(usize, Arc<Vec<Map>>)>>,
}

impl<'a> Again<'a> {
    /// Of a pass, with more arrays; `whole` is what the maps are where they were pooled to be held.
    pub fn new(layers: Layers<'a>, extras: Vec<Array>, whole: Option<Request>) -> Self {
        Self { layers, extras, whole, last: Mutex::new(None) }
    }
}

impl Patterns<'_> {
    /// More arrays that were asked for, without their numbers.
    pub(super) fn extras(&self) -> &[Array] {
        self.again.as_ref().map_or(&[], |again| &again.extras)
    }

    /// Rows and columns of a whole map.
    pub(super) fn sides(&self) -> [usize; 2] {
        match self.again.as_ref().and_then(|again| again.whole.as_ref()) {
            Some(whole) => [whole.words.as_ref().map_or(self.attention.extent.keys, Vec::len); 2],
            None => self.attention.maps.first().map_or([0, 0], |map| [map.rows, map.cols]),
        }
    }

    /// Maps of one layer.
    fn columns(&self) -> usize {
        self.attention.head_names().len().max(1)
    }

    /// Holds the maps of the layer of this map until those of another are wanted.
    pub(super) fn prepare_layer(&self, map: usize) -> Result<()> {
        let Some(Again { whole: Some(_), last, .. }) = &self.again else { return Ok(()) };
        let row = map / self.columns();
        let mut last = last.lock().map_err(|_| Error::failed("a thread was lost"))?;
        if last.as_ref().is_none_or(|(held, _)| *held != row) {
            *last = None; // one layer at a time
            *last = Some((row, Arc::new(self.made(row)?)));
        }
        Ok(())
    }

    /// Shows one whole map, or all of them in order.
    pub(super) fn each_map(&self, map: Option<usize>, take: &mut dyn FnMut(&Map) -> Result<()>) -> Result<()> {
        let Some(Again { whole: Some(_), last, .. }) = &self.again else {
            let maps = map.map_or(&self.attention.maps[..], |map| &self.attention.maps[map..=map]);
            return maps.iter().try_for_each(take);
        };
        let cols = self.columns();
        let Some(map) = map else {
            let mut rows = 0..self.attention.maps.len() / cols;
            return rows.try_for_each(|row| self.made(row)?.iter().try_for_each(&mut *take));
        };
        let held = last.lock().ok().and_then(|last| last.clone()).filter(|(row, _)| *row == map / cols);
        match held {
            Some((_, maps)) => take(&maps[map % cols]),
            None => take(&self.made(map / cols)?[map % cols]),
        }
    }

    /// The maps of one layer, by its place, made again.
    fn made(&self, row: usize) -> Result<Vec<Map>> {
        match &self.again {
            Some(Again { whole: Some(whole), layers, .. }) => layers.maps(self.attention.layers[row], whole),
            _ => Err(Error::failed("there is no model to be asked again")),
        }
    }
}

/// The numbers of all maps or of one, and of what else was asked for.
pub(super) struct Numbers<'a> {
    pub(super) patterns: &'a Patterns<'a>,
    pub(super) map: Option<usize>,
}

impl Source for Numbers<'_> {
    fn numbers(&self, array: &str, take: Take) -> Result<()> {
        match (Extra::named(array), &self.patterns.again) {
            (Some(extra), Some(again)) => again.layers.extra(extra, &self.patterns.attention, take),
            _ => self.patterns.each_map(self.map, &mut |map| take(&map.values)),
        }
    }
}
