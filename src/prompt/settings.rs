//! What the files beside a vocabulary say of it, read as the newest transformers does: `tokenizer_config.json`, and where that lists no
//! added tokens, `special_tokens_map.json`, `added_tokens.json` and those of `tokenizer.json`.
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use tokenizers::AddedToken;

use super::class::Class;
use super::parts::{Added, Parts};
use super::pieces;
use crate::json;

/// The roles that a token may have in any class, in the order in which tokens are added.
pub(super) const ROLES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// What would hand a class something else than the vocabulary of its own file.
const FOREIGN: [&str; 9] = [
    "vocab",
    "merges",
    "post_processor",
    "tokenizer_object",
    "tokenizer_truncation",
    "tokenizer_padding",
    "unk_id",
    "gguf_file",
    "model_specific_special_tokens",
];

/// What is said of a tokenizer.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// The name of its class.
    pub(super) class: Option<String>,
    /// The tokens that have a role, by the role; none where the file says that there is none.
    named: Map<String, Value>,
    /// Special tokens without a role; none where nothing is said of them.
    pub(super) extra: Option<Vec<AddedToken>>,
    /// Added tokens, by the id that they are listed with.
    pub(super) added: BTreeMap<u32, AddedToken>,
    fields: Map<String, Value>,
}

/// A token as Python writes it: a text, or an object some of whose fields may be left out.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Full(Full),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Full {
    #[serde(rename = "__type")]
    _type: Option<String>,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    normalized: Option<bool>,
    #[serde(default)]
    special: bool,
    #[serde(rename = "id")]
    _id: Option<u32>,
}

impl From<Written> for AddedToken {
    fn from(written: Written) -> Self {
        match written {
            Written::Text(text) => Self::from(text, true),
            Written::Full(Full { content, single_word, lstrip, rstrip, normalized, special, .. }) => {
                Self { content, single_word, lstrip, rstrip, normalized: normalized.unwrap_or(!special), special }
            }
        }
    }
}

/// A value of a field, or which field of which file it cannot be.
fn value<T: for<'a> Deserialize<'a>>(name: &str, value: &Value) -> Result<T, String> {
    T::deserialize(value).map_err(|error| format!("{name} is not what it should be: {error}"))
}

fn token(name: &str, written: &Value) -> Result<AddedToken, String> {
    value::<Written>(name, written).map(Into::into)
}

impl Settings {
    /// What the files say, given as texts; `listed` are the added tokens of a `tokenizer.json`, where there is one.
    pub(super) fn read(
        config: Option<&[u8]>,
        special_tokens_map: Option<&[u8]>,
        added_tokens: Option<&[u8]>,
        listed: Option<&[Added]>,
    ) -> Result<Self, String> {
        let object = |name: &str, bytes: Option<&[u8]>| -> Result<Map<String, Value>, String> {
            bytes.map_or(Ok(Map::new()), |bytes| {
                json::parse(bytes).map_err(|error| format!("{name} is no JSON object: {error}"))
            })
        };
        let mut fields = object("tokenizer_config.json", config)?;
        check(&fields)?;
        if listed.is_some() {
            // A tokenizer.json has its own post-processor.
            fields.retain(|name, _| name != "add_bos_token" && name != "add_eos_token");
        }
        let class = fields.remove("tokenizer_class").map(|class| value("tokenizer_class", &class)).transpose()?;
        let mut settings = Self { class: class.flatten(), ..Self::default() };
        rename(&mut fields, |extra| !is_list(extra));
        if let Some(decoder) = fields.remove("added_tokens_decoder") {
            for (id, written) in value::<Map<String, Value>>("added_tokens_decoder", &decoder)? {
                let number = id.parse().map_err(|_| format!("added_tokens_decoder: {id:?} is no id"))?;
                settings.added.insert(number, token(&format!("added_tokens_decoder {id}"), &written)?);
            }
        } else {
            for (name, mut written) in object("special_tokens_map.json", special_tokens_map)? {
                if let Some(object) = written.as_object_mut().filter(|_| name != "extra_special_tokens") {
                    object.insert("special".into(), true.into());
                }
                fields.insert(name, written);
            }
            settings.add_listed(object("added_tokens.json", added_tokens)?, listed, &fields)?;
            rename(&mut fields, |_| false);
        }
        for (name, written) in fields {
            let is_token = written.is_string() || written.is_object() || written.is_null();
            if ROLES.contains(&&name[..]) && !is_token {
                return Err(format!("{name} is no token"));
            }
            if name.ends_with("_token") && is_token {
                settings.named.insert(name, written);
            } else if name == "extra_special_tokens" {
                settings.take_extra(&written)?;
            } else {
                settings.fields.insert(name, written);
            }
        }
        Ok(settings)
    }

    /// `added_tokens.json`, and over it what `tokenizer.json` lists.
    fn add_listed(
        &mut self,
        ids: Map<String, Value>,
        listed: Option<&[Added]>,
        fields: &Map<String, Value>,
    ) -> Result<(), String> {
        let content = |written: &Value| written.get("content").unwrap_or(written).as_str().map(str::to_owned);
        let named = ROLES.iter().filter_map(|role| fields.get(*role)).filter_map(content);
        let extra = fields.get("extra_special_tokens").and_then(Value::as_array).into_iter().flatten();
        let special: Vec<String> = named.chain(extra.filter_map(content)).collect();
        for (text, id) in ids {
            let id = value(&format!("added_tokens.json {text:?}"), &id)?;
            let is_special = special.contains(&text);
            self.added.insert(id, AddedToken::from(text, is_special));
        }
        self.added.extend(listed.into_iter().flatten().map(|Added { id, token }| (*id, token.clone())));
        Ok(())
    }

    /// A list of special tokens, or an object that gives each a role of its own.
    fn take_extra(&mut self, written: &Value) -> Result<(), String> {
        match written {
            Value::Object(roles) => self.named.extend(roles.clone()),
            Value::Null => (),
            _ => {
                let all: Vec<Value> = value("extra_special_tokens", written)?;
                self.extra = Some(all.iter().map(|one| token("extra_special_tokens", one)).collect::<Result<_, _>>()?);
            }
        }
        Ok(())
    }

    /// The tokens that have a role, in the order in which they are added: what the files say, else what the class has.
    pub(super) fn named(&self, class: &[(&str, &str)]) -> Result<Vec<(String, AddedToken)>, String> {
        let mut roles: Vec<&str> = ROLES.to_vec();
        roles.extend(self.named.keys().map(String::as_str).filter(|name| !ROLES.contains(name)));
        let mut named = Vec::new();
        for role in roles {
            match (self.named.get(role), class.iter().find(|(name, _)| *name == role)) {
                (Some(Value::Null), _) | (None, None) => (),
                (Some(written), _) => named.push((role.to_owned(), token(role, written)?)),
                (None, Some((_, text))) => named.push((role.to_owned(), AddedToken::from(*text, true))),
            }
        }
        Ok(named)
    }

    /// What a SentencePiece file gives to a class, and what it says of its own tokens where nothing else is said.
    pub(super) fn take_pieces(&mut self, model: &pieces::Model, class: Class) -> Result<Parts, String> {
        let (legacy, extra_ids) = (self.flag("legacy", true)?, self.get("extra_ids")?.unwrap_or(100));
        self.extra.get_or_insert_with(|| model.added(class, extra_ids));
        if class == Class::AsWritten {
            for (role, piece) in model.roles() {
                self.named.entry(role).or_insert(piece.into());
            }
            if model.has_prefix() {
                self.added.values_mut().for_each(|token| token.normalized = false);
            }
        }
        model.parts(class, legacy, extra_ids)
    }

    /// A setting, if it is made; errors name it.
    pub(super) fn get<T: for<'a> Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, String> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(written) => value(name, written).map(Some),
        }
    }

    /// A switch, with what it is where nothing is said.
    pub(super) fn flag(&self, name: &str, otherwise: bool) -> Result<bool, String> {
        Ok(self.get(name)?.unwrap_or(otherwise))
    }
}

/// Refuses what is not understood.
fn check(fields: &Map<String, Value>) -> Result<(), String> {
    let code = fields.get("auto_map").is_some_and(|map| map.is_array() || map.get("AutoTokenizer").is_some());
    if code {
        return Err("auto_map names a tokenizer that is a program of its own".into());
    }
    if let Some(name) = FOREIGN.iter().find(|name| fields.get(**name).is_some_and(|value| !value.is_null())) {
        return Err(format!("{name} is not read from tokenizer_config.json"));
    }
    match fields.get("init_inputs") {
        Some(inputs) if inputs.as_array().is_none_or(|inputs| !inputs.is_empty()) => {
            Err("init_inputs is not understood".into())
        }
        _ => Ok(()),
    }
}

/// The older name of `extra_special_tokens`, which counts where that is not set, or may be replaced.
fn rename(fields: &mut Map<String, Value>, may_replace: impl Fn(&Value) -> bool) {
    if fields.get("extra_special_tokens").is_none_or(may_replace)
        && let Some(older) = fields.remove("additional_special_tokens")
    {
        fields.insert("extra_special_tokens".into(), older);
    }
}

/// Whether a value says anything.
fn is_list(value: &Value) -> bool {
    !(value.is_null() || value.as_array().is_some_and(Vec::is_empty))
}
