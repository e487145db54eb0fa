//! Which attention of a file is meant, and what it is.
use super::Patterns;
use crate::axes::place;
use crate::error::{Error, Result};
use crate::named::Named;
use crate::text;
use serde::{Deserialize, Serialize};

/// What attends to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttentionKind {
    /// No query looks past its own position; queries are the last of the keys.
    #[default]
    Causal,
    /// The queries are the keys, and each may look at all of them.
    Encoder,
    /// The queries are of one text and the keys of another.
    Cross,
}

impl Named for AttentionKind {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            Self::Causal,
            "causal",
            "No query looks past its own position; fewer queries than keys are the last of a cached text",
        ),
        (Self::Encoder, "encoder", "Each query may look at the whole text"),
        (Self::Cross, "cross", "The queries are of one text, the keys of another"),
    ];
}

/// Which attention of a file is meant, where it does not say or holds several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    /// What it is; none goes by the names and the weights.
    pub kind: Option<AttentionKind>,
    /// Which item of a batch, counted from 0, from the end where negative; none is for a file of one.
    pub item: Option<i64>,
}

impl Wanted {
    /// The place of the item among so many.
    pub(super) fn item(&self, count: usize, shape: &[usize]) -> Result<usize> {
        let error = |what: String, hint: String| Err(Error::usage(what).hint(hint).option("item"));
        let last = count.saturating_sub(1);
        match self.item {
            None if count == 1 => Ok(0),
            None => error(
                format!("attention has shape {shape:?}: it is a batch of {count} items"),
                format!("say which item, 0 to {last}"),
            ),
            Some(item) => {
                let from_start = if item < 0 { item.saturating_add(count as i64) } else { item };
                match usize::try_from(from_start) {
                    Ok(place) if place < count => Ok(place),
                    _ => error(
                        format!("item {item}: the file has {}", text::count(count, "item")),
                        format!("items are numbered 0 to {last}; -1 is the last"),
                    ),
                }
            }
        }
    }
}

impl Patterns {
    /// Says what the patterns are: what is wanted, else what names and labels say, else what the weights allow.
    pub(super) fn decide(&mut self, wanted: Option<AttentionKind>, named: Option<AttentionKind>) -> Result<()> {
        let [.., queries, keys] = self.shape;
        let ahead = if queries <= keys { self.looks_ahead() } else { None };
        let own = self.query_tokens.as_ref().zip(self.tokens.as_ref());
        let is_tail = own.is_none_or(|(queries, keys)| keys.ends_with(queries));
        self.kind = match wanted.or(named.filter(|kind| *kind == AttentionKind::Cross)) {
            Some(AttentionKind::Cross) => AttentionKind::Cross,
            Some(AttentionKind::Causal) if queries <= keys => match ahead {
                None => AttentionKind::Causal,
                Some(at) => {
                    return Err(Error::failed(format!("it is not causal: {}", self.ahead(at)))
                        .hint("encoder attention looks both ways; cross-attention looks at another text")
                        .option("kind"));
                }
            },
            Some(AttentionKind::Encoder) if queries == keys => AttentionKind::Encoder,
            Some(kind) => {
                return Err(Error::failed(format!(
                    "attention has {} and {}: that is not {}",
                    text::count(queries, "query"),
                    text::count(keys, "key"),
                    kind.name()
                ))
                .hint("cross-attention may have any number of either")
                .option("kind"));
            }
            None if !is_tail => AttentionKind::Cross,
            None if queries > keys => {
                return Err(Error::failed(format!("attention has {} but only {}", text::count(queries, "query"), text::count(keys, "key")))
                    .hint("the last axis should be the keys; where queries and keys are of different texts, it is cross-attention").option("kind"));
            }
            None => match ahead {
                None => AttentionKind::Causal,
                Some(_) if queries == keys => AttentionKind::Encoder,
                Some(at) => {
                    self.assumed.push(format!(
                        "read as cross-attention, for the {queries} queries are not the last of the {keys} keys: {}",
                        self.ahead(at)
                    ));
                    AttentionKind::Cross
                }
            },
        };
        Ok(())
    }

    /// The first weight after a query's own position that is not 0; rows that are absent have none.
    fn looks_ahead(&self) -> Option<usize> {
        let [.., queries, keys] = self.shape;
        self.attention.chunks_exact(keys).enumerate().find_map(|(row, weights)| {
            let own = keys - queries + row % queries;
            let ahead = weights[own + 1..].iter().position(|weight| *weight != 0.0 && !weight.is_nan())?;
            Some(row * keys + own + 1 + ahead)
        })
    }

    /// Where a weight is that a causal query would not have.
    fn ahead(&self, at: usize) -> String {
        let place = place(at, &self.shape);
        let dense = || (*self.layers.get(place[0]).unwrap_or(&place[0]), place[1]);
        let (layer, head) = self.picked.get(place[1]).copied().unwrap_or_else(dense);
        format!("query {} of layer {layer}, head {head} looks at key {}", place[2], place[3])
    }
}
