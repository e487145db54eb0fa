//! What nanoGPT's training program saves beside the weights: its model's sizes, which stand for a `config.json`.

use super::bytes::Bytes;
use super::torch;
use crate::error::Result;
use candle_core::pickle::Object;
use serde_json::{Map, Value, json};
use std::path::Path;

/// How the names of files that training programs save end.
pub const NAMES: [&str; 2] = [".pt", ".pth"];
/// What was assumed of such a model, for people.
pub const ASSUMED: &str = "there is no config.json: the sizes are those of its model_args; GELU without approximation, tied embeddings \
                           and a norm's epsilon of 1e-5 are assumed, as in nanoGPT";

/// The `config.json` that the `model_args` of a file of `torch.save` stand for; none where it has none. What forks of nanoGPT add is
/// passed on under its own name, so that it is judged as in any other config.
///
/// # Errors
/// A file that cannot be read. What is no file of `torch.save` has no `model_args`: [`super::Weights::open`] says what it is.
pub fn config(path: &Path) -> Result<Option<Vec<u8>>> {
    let (_, bytes) = Bytes::map(path)?;
    Ok(torch::whole(&bytes)
        .ok()
        .and_then(|(root, _)| Some(of(torch::get(&root, "model_args")?)?.to_string().into_bytes())))
}

fn of(args: &Object) -> Option<Value> {
    let Object::Dict(pairs) = args else { return None };
    let mut config = Map::from_iter([
        ("model_type".into(), json!("gpt2")),
        ("architectures".into(), json!(["GPT2LMHeadModel"])),
        ("activation_function".into(), json!("gelu")),
        ("bos_token_id".into(), Value::Null),
    ]);
    for (name, value) in pairs {
        let Object::Unicode(name) = name else { continue };
        let name = if name == "block_size" { "n_positions" } else { name };
        config.insert(name.to_owned(), plain(value));
    }
    // A size that is not there is refused by its name: GPT-2's own would be a guess.
    for size in ["n_layer", "n_head", "n_embd", "n_positions", "vocab_size"] {
        config.entry(size).or_insert(Value::Null);
    }
    Some(config.into())
}

/// A value of Python's as JSON; what is more than a number or a text only by what it is.
fn plain(value: &Object) -> Value {
    match value {
        Object::Int(number) => json!(number),
        Object::Long(number) => json!(number),
        Object::Float(number) => json!(number),
        Object::Bool(on) => json!(on),
        Object::Unicode(text) => json!(text),
        Object::None => Value::Null,
        _ => json!("a Python object"),
    }
}
