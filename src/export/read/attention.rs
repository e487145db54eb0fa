//! The attention of a file: found, bounded, read, and compared with what is said of it.
use super::archive::Archive;
use super::json::{self, Document, Field, Fields};
use super::labels::{Item, Labels, Said};
use super::names::{Found, find};
use super::padding::{Kept, fit};
use super::picked::picked;
use super::raw::WHAT_FITS;
use super::{AttentionKind, Patterns, Wanted};
use crate::axes::size;
use crate::error::{Error, Result};
use crate::named::Named;
use crate::record::{NAME, Record};
use serde_json::Value;

/// More layers or heads, more heads of all layers, more queries or keys no figure shows: the largest models have 128 heads in 126 layers.
pub(super) const MOST_LAYERS: usize = 1 << 10;
const MOST_MAPS: usize = 1 << 14;
const MOST_TOKENS: usize = 1 << 17;

/// The attention that is meant.
pub(super) fn load(archive: &mut dyn Archive, wanted: Wanted) -> Result<Patterns> {
    let Found { names, layers, kind } = match find(&archive.names(), wanted.kind) {
        Ok(found) => found,
        Err(error) => return picked(archive, wanted)?.ok_or(error),
    };
    let (mut attention, mut first, mut by_layer) = (Vec::new(), None, !layers.is_empty());
    for name in &names {
        archive.array(name, &mut |array, input| {
            let append = array.floats()?;
            let shape = &first.get_or_insert(array.shape.to_vec())[..];
            if shape != array.shape {
                let what = format!("{name} has shape {:?}, {} has {shape:?}", array.shape, names[0]);
                return Err(Error::failed(what).hint("save the layers of one text: they have one shape"));
            }
            by_layer &= names != ["arr_0"] || shape.len() == 3;
            let [_, items, heads, queries, keys] = axes(&names[0], shape, by_layer.then_some(names.len()))?;
            let (at, per_item) = (wanted.item(items, shape)?, heads * queries * keys);
            let numbers = array.numbers(append, input)?;
            if items == 1 && names.len() == 1 {
                attention = numbers;
            } else {
                let layers = numbers.chunks_exact(items * per_item).map(|layer| &layer[at * per_item..][..per_item]);
                layers.for_each(|layer| attention.extend_from_slice(layer));
            }
            Ok(())
        })?;
    }
    let shape = first.unwrap_or_default();
    let [count, items, heads, queries, keys] = axes(&names[0], &shape, by_layer.then_some(names.len()))?;
    let mut found = Patterns { attention, shape: [count, heads, queries, keys], ..Patterns::default() };
    if by_layer {
        found.layers = layers;
    } else if names == ["arr_0"] && shape.len() == 4 && count > 1 {
        found.assumed.push(format!("arr_0 {shape:?} is read as [layer, head, query, key]"));
    }
    let labels = Labels::read(archive, Item { at: wanted.item(items, &shape)?, of: items })?;
    let mut said = archive.text(NAME)?.and_then(|header| json::load(header.as_bytes()).ok());
    let own = said.as_mut().map(|Document { record, tokens, results }| {
        let fields = results.iter_mut().find(|fields| fields.method() == Some("attention"));
        Own { record: record.clone(), tokens: Some(std::mem::take(tokens)), fields }
    });
    found.complete(labels, own, wanted.kind, kind)
}

/// `[layer, item, head, query, key]`, of an array that holds all layers or of each of so many.
pub(super) fn axes(name: &str, shape: &[usize], layers: Option<usize>) -> Result<[usize; 5]> {
    let all = match (layers, shape) {
        (None, &[layers, heads, queries, keys]) => [layers, 1, heads, queries, keys],
        (None, &[layers, items, heads, queries, keys]) => [layers, items, heads, queries, keys],
        (Some(layers), &[heads, queries, keys]) => [layers, 1, heads, queries, keys],
        (Some(layers), &[items, heads, queries, keys]) => [layers, items, heads, queries, keys],
        (None, &[_, _]) => {
            return Err(unfit(name, shape).hint("of one head of one layer: save it as attention[None, None]"));
        }
        (None, &[_, _, _]) => {
            return Err(unfit(name, shape).hint(
                "of one layer: save it as attention[None]; the mean of each layer's heads: as attention[:, None]",
            ));
        }
        (Some(_), &[_, _]) => return Err(unfit(name, shape).hint("of one head: save each layer as attention[None]")),
        _ => return Err(unfit(name, shape).hint(WHAT_FITS)),
    };
    let [layers, items, heads, queries, keys] = all;
    if all.contains(&0) {
        return Err(Error::failed(format!("{name} has shape {shape:?}: it is empty")).hint(WHAT_FITS));
    }
    let many = layers.max(heads) > MOST_LAYERS || layers * heads > MOST_MAPS || items > MOST_TOKENS;
    if many || queries.max(keys) > MOST_TOKENS || size(&all).is_none() {
        return Err(Error::failed(format!("{name} has shape {shape:?}: that is too large")).hint(format!(
            "at most {MOST_LAYERS} layers and heads, {MOST_MAPS} of both, and {MOST_TOKENS} tokens are drawn: save some of them"
        )));
    }
    Ok(all)
}

fn unfit(name: &str, shape: &[usize]) -> Error {
    Error::failed(format!("{name} has shape {shape:?}"))
}

/// What attnviz says of a file of its own.
pub(super) struct Own<'a> {
    pub(super) record: Record,
    pub(super) tokens: Option<Vec<String>>,
    /// The result that the attention is of.
    pub(super) fields: Option<&'a mut Fields>,
}

impl Patterns {
    /// What a file holds, completed by its labels and by what attnviz says in it.
    pub(super) fn complete(
        mut self,
        labels: Labels,
        said: Option<Own>,
        wanted: Option<AttentionKind>,
        named: Option<AttentionKind>,
    ) -> Result<Self> {
        let Labels { mut tokens, key_tokens, mut query_tokens, ids, mask, query_mask, prompt } = labels;
        let (mut kind, mut words) = (named, None);
        self.prompt = prompt;
        if let Some(Own { record, fields, tokens: own }) = said {
            tokens = tokens.or(own.map(|own| ("tokens", own)));
            self.prompt = self.prompt.or_else(|| Some(record.prompt.clone()));
            self.record = Some(record);
            if let Some(fields) = fields {
                kind = kind.or(fields.text("kind").and_then(Named::named));
                words = self.note(fields);
                query_tokens = query_tokens.or(texts(fields, "query_tokens").map(|texts| ("query_tokens", texts)));
            }
        }
        let [.., queries, keys] = self.shape;
        let is_cross = wanted.or(kind) == Some(AttentionKind::Cross);
        // Of a decoder's own attention, both axes are what cross-attention calls the queries.
        let is_decoder = !is_cross && kind == Some(AttentionKind::Causal);
        let is_alone = !is_cross && key_tokens.is_none() && tokens.is_none() && queries == keys;
        if is_decoder || is_alone {
            (tokens, query_tokens) = (tokens.or(query_tokens), None);
        } else if kind == Some(AttentionKind::Encoder) {
            query_tokens = None;
        }
        let (mask, query_mask) = if is_decoder { (query_mask.or(mask), None) } else { (mask, query_mask) };
        let kept = Kept::of(mask, keys, "keys")?;
        // Where the queries are keys, they are the last of them.
        let own = !is_cross && query_tokens.is_none() && query_mask.is_none() && queries <= keys;
        let tail = kept.as_ref().filter(|_| own).map(|kept| (kept.0, kept.1[keys - queries..].to_vec()));
        let kept_queries = Kept::of(query_mask.or(tail), queries, "queries")?;
        let key_tokens = if is_decoder { tokens } else { key_tokens.or(tokens) };
        let ids = ids.filter(|_| words.is_none());
        self.tokens = fit(words.or(key_tokens), keys, kept.as_ref(), "keys")?;
        self.token_ids = fit(ids, keys, kept.as_ref(), "keys")?;
        self.query_tokens = fit(query_tokens, queries, kept_queries.as_ref(), "queries")?;
        self.check_numbers(kept.as_ref(), kept_queries.as_ref())?;
        self.cut(kept.as_ref(), kept_queries.as_ref());
        self.decide(wanted.or(self.record.as_ref().and(kind)), kind)?;
        if self.kind == AttentionKind::Cross && !is_cross && self.query_tokens.is_none() && kept.is_some() {
            return Err(Error::failed(
                "attention looks like cross-attention, and attention_mask does not say whose it is",
            )
            .hint("say what it is")
            .option("kind"));
        }
        if self.kind != AttentionKind::Cross {
            self.query_tokens = None;
        }
        Ok(self)
    }

    /// Takes what a result says of its axes; gives the words, where tokens were gathered to words.
    fn note(&mut self, fields: &mut Fields) -> Said<String> {
        let mut numbers = |name: &str| match fields.0.remove(name) {
            Some(Field::Numbers { values, .. }) => values.into_iter().map(|number| number as usize).collect(),
            _ => Vec::new(),
        };
        (self.layers, self.heads) = (numbers("layers"), numbers("heads"));
        let reduction = |name: &str| fields.text(name).map(str::to_owned);
        (self.reduce_layers, self.reduce_heads) = (reduction("reduce_layers"), reduction("reduce_heads"));
        let words = texts(fields, "words")?;
        self.by_word = true;
        Some(("words", words))
    }
}

/// A list of texts that a result says.
fn texts(fields: &mut Fields, name: &str) -> Option<Vec<String>> {
    match fields.0.remove(name) {
        Some(Field::Other(Value::Array(all))) => {
            Some(all.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect())
        }
        _ => None,
    }
}

/// The patterns of a JSON file of attnviz, of these numbers.
pub(super) fn of_document(
    attention: Vec<f32>,
    shape: &[usize],
    record: &Record,
    tokens: &[String],
    fields: &mut Fields,
) -> Result<Patterns> {
    let [layers, _, heads, queries, keys] = axes("attention", shape, None)?;
    let ids = record.token_ids.iter().map(|id| i64::from(*id)).collect::<Vec<_>>();
    let labels = Labels {
        tokens: (!tokens.is_empty()).then(|| ("tokens", tokens.to_vec())),
        ids: (!ids.is_empty()).then_some(("token_ids", ids)),
        prompt: Some(record.prompt.clone()),
        ..Labels::default()
    };
    let found = Patterns { attention, shape: [layers, heads, queries, keys], ..Patterns::default() };
    found.complete(labels, Some(Own { record: record.clone(), tokens: None, fields: Some(fields) }), None, None)
}
