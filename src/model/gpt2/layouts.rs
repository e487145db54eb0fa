//! What weights are that are no GPT-2's: an adapter, or another program's, by the names that give each away.

use super::config::CLASSIFIER;
use crate::error::{Error, Result};
use crate::weights::Weights;

/// Whose names contain what, the tell-tale first.
const LAYOUTS: [(&str, &str); 13] = [
    (".W_Q", "TransformerLens"),
    ("embed.W_E", "TransformerLens"),
    ("gpt_neox.layers.", "GPT-NeoX"),
    ("self_attn.q_proj", "Llama or OPT"),
    ("attn.q_proj", "GPT-J or GPT-Neo"),
    ("language_model.transformer.layers.", "Megatron-LM"),
    ("decoder.layers.", "fairseq, Megatron or PyTorch's own Transformer"),
    ("encoder.layer.", "BERT"),
    ("tokens_embed.weight", "the first GPT"),
    ("model/h0/", "OpenAI's TensorFlow files"),
    ("norm_1.weight", "LitGPT"),
    (".qweight", "GPTQ, which is quantised"),
    ("blocks.", "minGPT or a program of one's own"),
];

/// The error for weights in which no block of a GPT-2 can be read.
pub(super) fn not_gpt2(weights: &Weights) -> Error {
    let mut names: Vec<&str> = weights.names().collect();
    names.sort_unstable();
    let with = |part: &str| names.iter().copied().find(|name| name.contains(part));
    let origin = weights.origin();
    if let Some(name) = with("lora_").or_else(|| with(".base_layer.")) {
        let base = with(".base_layer.").map_or("its base model is not in this file".to_owned(), |base| {
            format!("its base model stands beside it, as {base} and the like")
        });
        return Error::failed(format!("{origin} holds a LoRA adapter that is not merged: tensor {name}; {base}")).hint(
            "merge it in Python: PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained(dir)",
        );
    }
    let missing = format!("{origin} has no tensor h.0.ln_1.weight, under whatever prefix");
    let found = LAYOUTS.iter().find_map(|(part, layout)| Some((with(part)?, layout)));
    let convert = "attnviz reads the names of transformers' GPT2LMHeadModel and of nanoGPT: rename the tensors, or load the model in \
                   its own library and copy them into a GPT2LMHeadModel, then save_pretrained(dir)";
    match (found, names.first()) {
        (Some((name, layout)), _) => Error::failed(format!("{missing}; {name} looks like {layout}")).hint(convert),
        (None, Some(name)) => Error::failed(format!("{missing}; it begins with {name}")).hint(convert),
        (None, None) => Error::failed(format!("{origin} has no tensors")).hint("download or save the checkpoint again"),
    }
}

/// Whether a checkpoint has a language-model head, by the class that it was saved as and by what its files hold.
///
/// A classifier's embedding was not trained to name next tokens, whatever its config ties. A bare `GPT2Model` is what older files
/// of language models are, too: where the config ties them, its embedding is their head, as in transformers.
pub(super) fn has_language_head(architecture: Option<&str>, tied: bool, in_file: bool) -> bool {
    match architecture {
        None | Some("GPT2LMHeadModel" | "GPT2DoubleHeadsModel") => true,
        Some("GPT2Model") => tied || in_file,
        Some(CLASSIFIER | "GPT2ForTokenClassification" | "GPT2ForQuestionAnswering") => false,
        Some(other) => in_file || tied && ["LMHead", "CausalLM", "DoubleHeads"].iter().any(|part| other.contains(part)),
    }
}

/// The error of what asks a model without such a head for logits.
pub(super) fn no_head<T>(architecture: &str) -> Result<T> {
    Err(Error::usage(format!("{architecture} has no language-model head, and so no next tokens"))
        .hint(
            "its attention, heads and mix can be looked at, and with a score.weight a sequence classifier's saliency; what explains \
             a next token needs a GPT2LMHeadModel",
        ))
}
