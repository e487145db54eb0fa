//! What transformers' tokenizer classes make of a vocabulary. Most build the tokenizer anew around it, whatever else a `tokenizer.json`
//! says: facts from transformers 5's `tokenization_*.py`, one row of a table or one arm of a `match` each.
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokenizers::models::unigram::Unigram;
use tokenizers::{AddedToken, ModelWrapper, PostProcessorWrapper};

use super::parts::{Parts, check_ids};
use super::pieces::extra_tokens;
use super::settings::Settings;
use super::vocabulary::{Engine, Vocabulary};

/// How a class builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// As the file says.
    AsWritten,
    Gpt2,
    NeoX,
    Roberta,
    Bert,
    T5,
    Llama,
    Qwen2,
    Gemma,
}

/// How Qwen's class splits a text before it is encoded.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The names of classes, without the `Fast` that some had before version 5.
const NAMES: [(&str, Class); 20] = [
    ("PreTrainedTokenizer", Class::AsWritten),
    ("TokenizersBackend", Class::AsWritten),
    ("BloomTokenizer", Class::AsWritten),
    ("GPT2Tokenizer", Class::Gpt2),
    ("CodeGenTokenizer", Class::Gpt2),
    ("GPTNeoXTokenizer", Class::NeoX),
    ("RobertaTokenizer", Class::Roberta),
    ("BartTokenizer", Class::Roberta),
    ("LEDTokenizer", Class::Roberta),
    ("LongformerTokenizer", Class::Roberta),
    ("MvpTokenizer", Class::Roberta),
    ("BertTokenizer", Class::Bert),
    ("ElectraTokenizer", Class::Bert),
    ("LxmertTokenizer", Class::Bert),
    ("MobileBertTokenizer", Class::Bert),
    ("SqueezeBertTokenizer", Class::Bert),
    ("T5Tokenizer", Class::T5),
    ("LlamaTokenizer", Class::Llama),
    ("Qwen2Tokenizer", Class::Qwen2),
    ("GemmaTokenizer", Class::Gemma),
];

/// A tokenizer, and which of its tokens have a role.
pub(super) struct Made {
    pub(super) tokenizer: Engine,
    /// Roles, such as `bos_token`, and the texts of their tokens.
    pub(super) roles: Vec<(String, String)>,
}

impl Class {
    /// The class of a name, which is refused where it is none of these.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        let plain = name.strip_suffix("Fast").unwrap_or(name);
        let found = NAMES.iter().find(|(known, _)| *known == plain);
        found.map(|(_, class)| *class).ok_or_else(|| format!("tokenizer_class {name:?} is not supported"))
    }

    /// The class that a kind of model has where nothing is said. `has_file` tells that there is a `tokenizer.json`.
    pub(super) fn of_model(model_type: &str, has_file: bool) -> Option<Self> {
        Some(match model_type {
            "gpt2" | "gpt_neo" | "codegen" => Self::Gpt2,
            "gpt_neox" => Self::NeoX,
            "roberta" | "bart" => Self::Roberta,
            "bert" => Self::Bert,
            "t5" => Self::T5,
            "llama" if has_file => Self::AsWritten,
            "llama" => Self::Llama,
            "qwen3" => Self::Qwen2,
            "gemma" | "gemma2" | "gemma3_text" => Self::Gemma,
            "bloom" => Self::AsWritten,
            _ => return None,
        })
    }

    /// The class that models of this kind with a `tokenizer.json` have, whatever class their files name: hubs name wrong ones.
    pub(super) fn of_any(model_type: &str) -> Option<Self> {
        match model_type {
            "mistral" | "olmo2" | "phi3" => Some(Self::AsWritten),
            "qwen2" => Some(Self::Qwen2),
            _ => None,
        }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, class)| *class == self).map_or("", |(name, _)| name)
    }

    /// Whether it builds on the same file as another.
    pub(super) fn reads_as(self, other: Self) -> bool {
        self == other || (other == Self::Gpt2 && matches!(self, Self::NeoX | Self::Roberta | Self::Qwen2))
    }

    /// Whether it can build on a vocabulary of this kind.
    pub(super) fn suits(self, parts: &Parts) -> bool {
        let is_pairs = parts.model.pairs().is_some();
        match self {
            Self::AsWritten => true,
            Self::Bert => matches!(parts.model, Vocabulary::Whole(ModelWrapper::WordPiece(_))),
            Self::T5 => matches!(parts.model, Vocabulary::Whole(ModelWrapper::Unigram(_))),
            Self::Gpt2 | Self::NeoX | Self::Roberta | Self::Qwen2 => is_pairs && parts.is_byte_level(),
            Self::Llama | Self::Gemma => is_pairs && !parts.is_byte_level(),
        }
    }

    /// Puts the tokenizer together. `has_file` tells that the parts are those of a `tokenizer.json`.
    pub(super) fn make(self, mut parts: Parts, settings: &Settings, has_file: bool) -> Result<Made, String> {
        let named = settings.named(self.roles())?;
        let role = |name: &str| named.iter().find(|(role, _)| role == name).map(|(_, token)| token.content.as_str());
        if self != Self::AsWritten {
            self.rebuild(&mut parts, settings, role("unk_token"))?;
            parts.added_tokens.clear();
        }
        let extra = self.extra(settings)?;
        let added = added(&parts, settings, &named, &extra);
        let has_processor = parts.post_processor.is_some();
        let mut tokenizer = parts.assemble(&added)?;
        check_ids(&tokenizer, settings.added.iter().map(|(id, token)| (*id, token)))?;
        tokenizer.set_encode_special_tokens(settings.flag("split_special_tokens", false)?);
        let (add_bos, add_eos) = (settings.get("add_bos_token")?, settings.get("add_eos_token")?);
        let ends = match self {
            Self::Roberta | Self::Bert => Some((role("cls_token"), role("sep_token"))),
            Self::T5 => Some((None, role("eos_token"))),
            // Without a file's own, it is the beginning and the end that are asked for; NeoX never asks the file.
            _ if self == Self::NeoX || !has_processor || (!has_file && add_bos.or(add_eos).is_some()) => Some((
                role("bos_token").filter(|_| add_bos == Some(true)),
                role("eos_token").filter(|_| add_eos == Some(true)),
            )),
            _ => None,
        };
        if let Some((front, behind)) = ends {
            let template = template(&tokenizer, front, behind)?;
            tokenizer.with_post_processor(Some(template));
        }
        let roles = named.into_iter().map(|(role, token)| (role, token.content)).collect();
        Ok(Made { tokenizer, roles })
    }

    /// Special tokens without a role: T5 has a hundred of its own.
    fn extra(self, settings: &Settings) -> Result<Vec<AddedToken>, String> {
        if self == Self::T5 && settings.extra.is_none() {
            let count: u32 = settings.get("extra_ids")?.unwrap_or(100);
            return Ok(extra_tokens(count).map(|token| AddedToken::from(token, true)).collect());
        }
        Ok(settings.extra.clone().unwrap_or_default())
    }

    /// Replaces what the class replaces.
    fn rebuild(self, parts: &mut Parts, settings: &Settings, unknown: Option<&str>) -> Result<(), String> {
        let prefix = |otherwise| settings.flag("add_prefix_space", otherwise);
        let level = |space: bool| json!({"type": "ByteLevel", "add_prefix_space": space, "trim_offsets": true, "use_regex": true});
        let (normalizer, before, decoder) = match self {
            Self::AsWritten => return Ok(()),
            Self::Gpt2 | Self::Roberta => (Value::Null, level(prefix(false)?), level(true)),
            Self::NeoX => (json!({"type": "NFC"}), level(prefix(false)?), level(true)),
            Self::Qwen2 => {
                let split =
                    json!({"type": "Split", "pattern": {"Regex": QWEN2}, "behavior": "Isolated", "invert": false});
                let mut bytes = level(prefix(false)?);
                bytes["use_regex"] = false.into();
                let before = json!({"type": "Sequence", "pretokenizers": [split, bytes]});
                (json!({"type": "NFC"}), before, level(true))
            }
            Self::Gemma => {
                let replaced =
                    |from: &str, to: &str| json!({"type": "Replace", "pattern": {"String": from}, "content": to});
                let before = json!({
                    "type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false
                });
                let decoders = json!([replaced("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"}]);
                (replaced(" ", "▁"), before, json!({"type": "Sequence", "decoders": decoders}))
            }
            Self::Bert => (
                json!({
                    "type": "BertNormalizer", "clean_text": true, "lowercase": settings.flag("do_lower_case", true)?,
                    "handle_chinese_chars": settings.flag("tokenize_chinese_chars", true)?,
                    "strip_accents": settings.get::<bool>("strip_accents")?,
                }),
                json!({"type": "BertPreTokenizer"}),
                json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
            ),
            Self::T5 => {
                let space = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
                let before = json!({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, space]});
                (charsmap(parts)?, before, space)
            }
            Self::Llama => {
                let (prefix, legacy) = (prefix(true)?, settings.flag("legacy", false)?);
                let scheme = match (prefix, legacy) {
                    (true, true) => "always",
                    (true, false) => "first",
                    (false, _) => "never",
                };
                let mut decoders = vec![
                    json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
                    json!({"type": "ByteFallback"}),
                    json!({"type": "Fuse"}),
                ];
                decoders.extend(prefix.then(|| json!({"type": "Strip", "content": " ", "start": 1, "stop": 0})));
                let before = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false});
                (Value::Null, before, json!({"type": "Sequence", "decoders": decoders}))
            }
        };
        parts.normalizer = of(normalizer)?;
        parts.pre_tokenizer = of(before)?;
        parts.decoder = of(decoder)?;
        self.rebuild_model(&mut parts.model, unknown)
    }

    /// A class knows its own settings of the vocabulary's model.
    fn rebuild_model(self, model: &mut Vocabulary, unknown: Option<&str>) -> Result<(), String> {
        if let Some(pairs) = model.pairs_mut() {
            let falls_back = matches!(self, Self::Llama | Self::Gemma);
            (pairs.fuse_unk, pairs.byte_fallback, pairs.ignore_merges) = (falls_back, falls_back, false);
            let unknown = unknown.filter(|_| self == Self::Gemma).map(str::to_owned);
            (pairs.dropout, pairs.unk_token) = (None, unknown);
            (pairs.continuing_subword_prefix, pairs.end_of_word_suffix) = (None, None);
        }
        match model {
            Vocabulary::Whole(ModelWrapper::WordPiece(pieces)) => {
                pieces.unk_token = unknown.unwrap_or("None").to_owned();
                (pieces.continuing_subword_prefix, pieces.max_input_chars_per_word) = ("##".into(), 100);
            }
            Vocabulary::Whole(ModelWrapper::Unigram(pieces)) => {
                let pieces = pieces.iter().cloned().collect();
                *model = Unigram::from(pieces, Some(2), false).map_err(|error| error.to_string())?.into();
            }
            _ => (),
        }
        Ok(())
    }
}

/// The tokens to add to what is there, in transformers' order: those listed with an id, those with a role, the others.
fn added(parts: &Parts, settings: &Settings, named: &[(String, AddedToken)], extra: &[AddedToken]) -> Vec<AddedToken> {
    let there = |token: &AddedToken| parts.added_tokens.iter().any(|added| added.token == *token);
    let mut tokens: Vec<AddedToken> = settings.added.values().filter(|token| !there(token)).cloned().collect();
    for token in named.iter().map(|(_, token)| token).chain(extra) {
        let is_known = parts.added_tokens.iter().map(|added| &added.token).chain(&tokens);
        if !is_known.map(|known| &known.content).any(|content| *content == token.content) {
            tokens.push(token.clone());
        }
    }
    for token in &mut tokens {
        token.special |= named.iter().any(|(_, with_role)| with_role.content == token.content);
    }
    tokens
}

/// What puts a token before and one behind each text.
fn template(tokenizer: &Engine, front: Option<&str>, behind: Option<&str>) -> Result<PostProcessorWrapper, String> {
    let special = |token: Option<&str>| token.map(|token| json!({"SpecialToken": {"id": token, "type_id": 0}}));
    let sequence = |name: &str| Some(json!({"Sequence": {"id": name, "type_id": 0}}));
    let row = |names: &[&str]| -> Vec<Value> {
        let all = names.iter().flat_map(|name| [special(front), sequence(name), special(behind)]);
        all.flatten().collect()
    };
    let mut tokens = serde_json::Map::new();
    for token in front.iter().chain(&behind) {
        let id = tokenizer.token_to_id(token).ok_or_else(|| format!("{token:?} is not in the vocabulary"))?;
        tokens.insert((*token).to_owned(), json!({"id": token, "ids": [id], "tokens": [token]}));
    }
    let (single, pair) = (row(&["A"]), row(&["A", "B"]));
    of(json!({"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens}))
}

/// SentencePiece's own table of characters, if the file has it.
fn charsmap(parts: &Parts) -> Result<Value, String> {
    let value = serde_json::to_value(&parts.normalizer).map_err(|error| error.to_string())?;
    let all = match value.get("normalizers") {
        Some(Value::Array(all)) => all.clone(),
        _ => vec![value],
    };
    Ok(all.into_iter().find(|one| one["type"] == "Precompiled").unwrap_or_default())
}

/// A part from how `tokenizer.json` writes it.
pub(super) fn of<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}
