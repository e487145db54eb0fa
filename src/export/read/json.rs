//! A JSON file of attnviz, as numbers, texts and settings. Memory grows with the file and no faster: lists go straight into rows
//! of numbers, whose shapes must be the same throughout.
use super::super::MOST_TEXT_NUMBERS;
use crate::axes::size;
use crate::error::{Error, Result};
use crate::record::Record;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// The deepest list: `[layer, head, query, key]` and some.
const MOST_AXES: usize = 8;
/// The most texts in one list: tokens, words, labels.
const MOST_TEXTS: usize = 1 << 20;
/// The most results in a file, and names of settings and arrays in each.
const MOST_RESULTS: usize = 1 << 10;
const MOST_NAMES: usize = 1 << 12;

/// What a JSON file says, or the object beside arrays.
#[derive(Deserialize)]
pub(super) struct Document {
    #[serde(flatten)]
    pub(super) record: Record,
    #[serde(deserialize_with = "few::<_, _, MOST_TEXTS>")]
    pub(super) tokens: Vec<String>,
    #[serde(deserialize_with = "few::<_, _, MOST_RESULTS>")]
    pub(super) results: Vec<Fields>,
}

/// What one method found, by name; a field within a field has both names, with a dot.
#[derive(Default)]
pub(super) struct Fields(pub(super) BTreeMap<String, Field>);

impl Fields {
    /// The method whose result it is.
    pub(super) fn method(&self) -> Option<&str> {
        self.text("method")
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Field::Other(Value::String(text))) => Some(text),
            _ => None,
        }
    }
}

/// A value of a result.
pub(super) enum Field {
    /// Numbers in axes; `null` is NaN.
    Numbers { shape: Vec<usize>, values: Vec<f32> },
    /// Anything that is not: a setting, a text, a list of texts.
    Other(Value),
}

/// Reads the object.
pub(super) fn load(bytes: &[u8]) -> Result<Document> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::failed(format!("the JSON is not what attnviz writes: {error}"))
            .hint("give a .json file as attnviz wrote it, whole and unchanged")
    })
}

/// A list of at most so many.
fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MOST: usize>(input: D) -> Result<Vec<T>, D::Error> {
    struct Few<T, const MOST: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Few<T, MOST> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            write!(f, "a list of at most {MOST}")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = seq.next_element()? {
                if all.len() == MOST {
                    return Err(A::Error::custom(format!("a list has more than {MOST} entries")));
                }
                all.push(one);
            }
            Ok(all)
        }
    }
    input.deserialize_seq(Few::<T, MOST>(PhantomData))
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let mut fields = Self::default();
        Tree { name: "", fields: &mut fields }.deserialize(input)?;
        Ok(fields)
    }
}

/// An object, whose fields go under its name.
struct Tree<'a> {
    name: &'a str,
    fields: &'a mut Fields,
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object of results")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let name = if self.name.is_empty() { key } else { format!("{}.{key}", self.name) };
            if self.fields.0.len() >= MOST_NAMES {
                return Err(A::Error::custom(format!("there are more than {MOST_NAMES} names")));
            }
            map.next_value_seed(Named { name: &name, fields: self.fields })?;
        }
        Ok(())
    }
}

/// What stands under a name.
struct Named<'a> {
    name: &'a str,
    fields: &'a mut Fields,
}

impl Named<'_> {
    fn put<E>(self, field: Field) -> Result<(), E> {
        self.fields.0.insert(self.name.to_owned(), field);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Named<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Named<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a setting, numbers or texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        Tree { name: self.name, fields: self.fields }.visit_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        let mut list = List::default();
        Axis { list: &mut list, depth: 0 }
            .visit_seq(seq)
            .map_err(|error| A::Error::custom(format!("{}: {error}", self.name)))?;
        let List { shape, values, texts, objects, .. } = list;
        match size(&shape) {
            _ if objects => Ok(()), // nothing to compare number by number
            _ if !texts.is_empty() => self.put(Field::Other(texts.into())),
            Some(count) if count == values.len() => self.put(Field::Numbers { shape, values }),
            _ => Err(A::Error::custom(format!("{}: the list is ragged", self.name))),
        }
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.put(Field::Numbers { shape: Vec::new(), values: vec![number as f32] })
    }
    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.put(Field::Other(number.into()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.put(Field::Other(number.into()))
    }
    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.put(Field::Other(truth.into()))
    }
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.put(Field::Other(text.into()))
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.put(Field::Other(Value::Null))
    }
}

/// Lists within lists, as far as they are read.
#[derive(Default)]
struct List {
    /// The length of each axis that has ended once.
    shape: Vec<usize>,
    /// How deep the first number or text was.
    rank: Option<usize>,
    values: Vec<f32>,
    texts: Vec<String>,
    /// Whether there are objects in it.
    objects: bool,
}

/// One axis of a list, or what is in it.
struct Axis<'a> {
    list: &'a mut List,
    depth: usize,
}

impl Axis<'_> {
    /// Numbers and texts are all equally deep.
    fn leaf<E: serde::de::Error>(&mut self) -> Result<(), E> {
        let rank = *self.list.rank.get_or_insert(self.depth);
        if rank != self.depth || self.list.shape.len() > rank {
            return Err(E::custom("the list is ragged: some of it is deeper than the rest"));
        }
        Ok(())
    }

    fn number<E: serde::de::Error>(mut self, number: f32) -> Result<(), E> {
        self.leaf()?;
        if self.list.values.len() >= MOST_TEXT_NUMBERS {
            return Err(E::custom("it holds more numbers than attnviz writes as JSON"));
        }
        self.list.values.push(number);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Axis<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Axis<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("numbers or texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { list, depth } = self;
        if depth >= MOST_AXES || list.rank.is_some_and(|rank| depth >= rank) {
            return Err(A::Error::custom("the list is ragged: some of it is deeper than the rest"));
        }
        let mut count = 0;
        while seq.next_element_seed(Axis { list, depth: depth + 1 })?.is_some() {
            count += 1;
        }
        if list.shape.len() <= depth {
            list.shape.resize(depth + 1, usize::MAX);
        }
        let length = &mut list.shape[depth];
        if *length != usize::MAX && *length != count {
            return Err(A::Error::custom(format!("the list is ragged: {count} entries where there were {length}")));
        }
        *length = count;
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        self.number(number as f32)
    }
    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        self.number(number as f32)
    }
    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        self.number(number as f32)
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.number(f32::NAN)
    }
    fn visit_bool<E: serde::de::Error>(self, truth: bool) -> Result<(), E> {
        self.number(truth.into())
    }
    fn visit_str<E: serde::de::Error>(mut self, text: &str) -> Result<(), E> {
        self.leaf()?;
        if self.list.texts.len() >= MOST_TEXTS {
            return Err(E::custom(format!("there are more than {MOST_TEXTS} texts")));
        }
        self.list.texts.push(text.to_owned());
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.list.objects = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(json: &str) -> Result<Field> {
        let file = format!(
            r#"{{"version": "0", "command": "c", "options": {{}}, "model": {{"name": "m", "revision": null, "hash": ""}}, "prompt": "a", "tokens": [], "token_ids": [], "results": [{{"x": {json}}}]}}"#
        );
        let mut said = load(file.as_bytes())?;
        said.results[0].0.remove("x").ok_or_else(|| Error::failed("no field"))
    }

    #[test]
    fn lists_become_numbers_with_a_shape() {
        for (json, wanted, count) in [
            ("[1, null, -2.5]", &[3][..], 3),
            ("[[1], [2]]", &[2, 1], 2),
            ("[[[]], [[]]]", &[2, 1, 0], 0),
            ("[]", &[0], 0),
            ("0.5", &[], 1),
        ] {
            let Field::Numbers { shape, values } = field(json).unwrap() else { panic!("{json} is numbers") };
            assert_eq!((&shape[..], values.len()), (wanted, count), "{json}");
        }
        assert!(matches!(field("[\"a\", \"b\"]").unwrap(), Field::Other(Value::Array(_))));
        assert!(matches!(field("7").unwrap(), Field::Other(Value::Number(_))));
    }

    #[test]
    fn ragged_deep_and_broken_lists_are_refused() {
        for json in [
            "[[1, 2], [3]]",
            "[1, [2]]",
            "[[1], 2]",
            "[[], [1]]",
            "[[[1]], [2]]",
            "[[], 1]",
            "[1",
            "[1,]",
            "[\"a\", [1]]",
        ] {
            assert!(field(json).is_err(), "{json}");
        }
        for depth in [9, 100, 100_000] {
            assert!(field(&("[".repeat(depth) + &"]".repeat(depth))).is_err(), "{depth}");
        }
        assert!(field(&format!("[{}\"a\"]", "\"a\",".repeat(MOST_TEXTS))).is_err());
    }
}
