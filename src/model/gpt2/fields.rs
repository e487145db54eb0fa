//! What each field of a `config.json` means for a GPT-2: the one table of what is honoured, what has no effect, what is refused.
//!
//! The fields are those of transformers' GPT2Config (5.24) and its base class, of older versions of both, and those by which families
//! that borrow `model_type: gpt2` say that they compute something else.

use serde_json::{Map, Value};

type Config = Map<String, Value>;

/// What a field does to the numbers.
pub(in crate::model) enum Meaning {
    /// It changes them, and is honoured.
    Honoured,
    /// It changes nothing of what is computed here.
    WithoutEffect,
    /// It would change them, unless its value is one that means plain GPT-2.
    Refused(fn(&Value, &Config) -> bool),
}

use Meaning::{Honoured, Refused, WithoutEffect};

/// Groups of fields of one meaning.
const TABLE: &[(Meaning, &[&str])] = &[
    (Honoured, &["model_type", "architectures", "vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "n_inner"]),
    // GPT2Config's attribute_map.
    (Honoured, &["max_position_embeddings", "hidden_size", "num_hidden_layers", "num_attention_heads"]),
    (Honoured, &["activation_function", "layer_norm_epsilon", "scale_attn_weights", "scale_attn_by_inverse_layer_idx"]),
    (Honoured, &["tie_word_embeddings", "bos_token_id"]),
    // Of a sequence classifier; nothing of theirs matters elsewhere.
    (Honoured, &["id2label", "num_labels", "problem_type", "pad_token_id"]),
    // Training, and what is computed beside the blocks.
    (WithoutEffect, &["resid_pdrop", "embd_pdrop", "attn_pdrop", "classifier_dropout", "hidden_dropout", "dropout"]),
    (WithoutEffect, &["summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels"]),
    (WithoutEffect, &["summary_first_dropout", "summary_last_dropout", "initializer_range", "gradient_checkpointing"]),
    (WithoutEffect, &["label2id", "finetuning_task", "task_specific_params"]),
    // Order and precision of the same products: everything is f32 here.
    (WithoutEffect, &["reorder_and_upcast_attn", "attention_softmax_in_fp32", "scale_attention_softmax_in_fp32"]),
    (WithoutEffect, &["chunk_size_feed_forward", "dtype", "torch_dtype", "use_bfloat16", "attn_implementation"]),
    (WithoutEffect, &["torchscript", "tf_legacy_loss", "fused_mlp", "fused_bias_fc", "use_flash_attn"]),
    // The weights say themselves whether there are biases.
    (WithoutEffect, &["bias", "use_cache", "past", "output_past", "is_decoder", "n_ctx", "block_size", "vocab_file"]),
    (WithoutEffect, &["output_attentions", "output_hidden_states", "return_dict", "use_return_dict"]),
    (WithoutEffect, &["eos_token_id", "sep_token_id", "unk_token_id", "decoder_start_token_id"]),
    (
        WithoutEffect,
        &["tokenizer_class", "prefix", "transformers_version", "transformers.js_config", "language", "license"],
    ),
    // How transformers before 5 said how to write on.
    (
        WithoutEffect,
        &["do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty", "temperature"],
    ),
    (WithoutEffect, &["top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size"]),
    (
        WithoutEffect,
        &["encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "max_length", "min_length"],
    ),
    (WithoutEffect, &["output_scores", "return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id"]),
    (
        WithoutEffect,
        &["remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens"],
    ),
    (
        Refused(nothing),
        &["add_cross_attention", "is_encoder_decoder", "cross_attention_hidden_size", "encoder", "decoder"],
    ),
    (Refused(nothing), &["quantization_config", "compression_config", "pruned_heads", "peft_config", "adapter_config"]),
    (Refused(own_code), &["auto_map"]),
    // gpt_bigcode and santacoder share keys and values among heads.
    (Refused(multi_head), &["attention_head_type"]),
    (Refused(nothing), &["multi_query", "multi_query_attention", "new_decoder_architecture"]),
    (
        Refused(all_heads),
        &["num_key_value_heads", "num_kv_heads", "n_kv_heads", "n_head_kv", "n_kv_head", "multi_query_group_num"],
    ),
    (Refused(head_width), &["head_dim", "d_head", "attention_head_size", "kv_channels", "d_kv"]),
    // Who sees whom.
    (Refused(unless_false), &["is_causal", "causal"]),
    (
        Refused(nothing),
        &["bidirectional", "use_bidirectional_attention", "sliding_window", "window_size", "attention_window"],
    ),
    (Refused(full_attention), &["attention_types", "attention_layers", "layer_types"]),
    // Positions.
    (Refused(learned), &["position_embedding_type", "position_encoding", "pos_emb", "pos_embedding_type"]),
    (
        Refused(nothing),
        &["alibi", "use_alibi", "rotary", "use_rotary", "use_rotary_embeddings", "rotary_dim", "rotary_pct"],
    ),
    (
        Refused(nothing),
        &["rope_theta", "rope_scaling", "rope_parameters", "rotary_emb_base", "rotary_emb_fraction", "use_rope"],
    ),
    // The block.
    (
        Refused(nothing),
        &["use_rms_norm", "rms_norm", "rms_norm_eps", "rmsnorm", "use_rmsnorm", "qk_norm", "use_qk_norm"],
    ),
    (
        Refused(nothing),
        &["qk_layernorm", "parallel_residual", "use_parallel_residual", "parallel_attn", "parallel_block"],
    ),
    (Refused(nothing), &["post_norm", "use_post_norm", "sandwich_norm", "embedding_layernorm", "word_embed_layernorm"]),
    (Refused(unless_false), &["normalize_before", "pre_norm", "do_layer_norm_before", "prenorm"]),
    (
        Refused(nothing),
        &["use_swiglu", "swiglu", "glu", "use_glu", "gated_mlp", "num_experts", "num_local_experts", "n_experts"],
    ),
    // Factors that muP and its kin put on embeddings, scores and logits.
    (Refused(one), &["embeddings_scale", "embedding_multiplier", "mup_embeddings_scale", "residual_multiplier"]),
    (
        Refused(one),
        &["width_scale", "mup_width_scale", "mup_output_alpha", "logit_scale", "logits_scaling", "output_multiplier"],
    ),
    (
        Refused(nothing),
        &["mup_scale_qk_dot_by_d", "scale_qk_dot_by_d", "scale_embedding", "scale_emb", "attention_multiplier"],
    ),
    (Refused(nothing), &["attn_logit_softcapping", "final_logit_softcapping", "attn_soft_cap", "logit_softcap"]),
];

/// What a field means; none for one that nobody here knows.
pub(in crate::model) fn meaning(field: &str) -> Option<&'static Meaning> {
    TABLE.iter().find(|(_, fields)| fields.contains(&field)).map(|(meaning, _)| meaning)
}

/// The fields that ask for something else than a GPT-2, with their values.
pub(super) fn refused(config: &Config) -> Vec<String> {
    let refuses = |field: &str, value: &Value| matches!(meaning(field), Some(Refused(means_nothing)) if !value.is_null() && !means_nothing(value, config));
    config
        .iter()
        .filter(|(field, value)| refuses(field, value))
        .map(|(field, value)| format!("{field} is {value}"))
        .collect()
}

/// The fields that nobody here knows. A leading underscore is how transformers writes what is its own business.
pub(super) fn unknown(config: &Config) -> Vec<&str> {
    config.keys().map(String::as_str).filter(|field| !field.starts_with('_') && meaning(field).is_none()).collect()
}

/// Off, zero or empty.
fn nothing(value: &Value, _: &Config) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
    }
}

fn unless_false(value: &Value, _: &Config) -> bool {
    value == &Value::Bool(true)
}

fn one(value: &Value, _: &Config) -> bool {
    value.as_f64() == Some(1.0)
}

/// A tokenizer's code is not run: its files are read.
fn own_code(value: &Value, _: &Config) -> bool {
    let of_text = |class: &str| ["AutoTokenizer", "AutoProcessor", "AutoFeatureExtractor"].contains(&class);
    value.as_object().is_some_and(|classes| classes.keys().all(|class| of_text(class)))
}

fn multi_head(value: &Value, _: &Config) -> bool {
    matches!(value.as_str(), Some("multihead" | "multi_head" | "mha"))
}

fn learned(value: &Value, _: &Config) -> bool {
    matches!(value.as_str(), Some("absolute" | "learned" | "learnable" | "learned_absolute"))
}

/// Lists, nested as GPT-Neo nests them, in which every layer is a full one.
fn full_attention(value: &Value, _: &Config) -> bool {
    fn full(value: &Value) -> bool {
        match value {
            Value::Array(all) => all.iter().all(|one| one.is_number() || full(one)),
            _ => matches!(value.as_str(), Some("global" | "full_attention" | "full")),
        }
    }
    full(value)
}

fn all_heads(value: &Value, config: &Config) -> bool {
    ["n_head", "num_attention_heads"].iter().any(|heads| config.get(*heads) == Some(value))
}

fn head_width(value: &Value, config: &Config) -> bool {
    let size = |names: [&str; 2]| names.iter().find_map(|name| config.get(*name)?.as_u64());
    let (width, heads) = (size(["n_embd", "hidden_size"]), size(["n_head", "num_attention_heads"]));
    value.as_u64().zip(heads).is_some_and(|(one, heads)| one.checked_mul(heads) == width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_stands_in_the_table_once() {
        let mut all: Vec<&str> = TABLE.iter().flat_map(|(_, fields)| *fields).copied().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn what_means_plain_gpt2_is_no_reason_to_refuse() {
        let of = |value: Value| refused(value.as_object().unwrap());
        let plain = json!({
            "n_head": 4, "n_embd": 24, "num_key_value_heads": 4, "head_dim": 6, "pruned_heads": {}, "auto_map": {"AutoTokenizer": "x.Y"},
            "attention_head_type": "multihead", "position_embedding_type": "absolute", "is_causal": true, "quantization_config": null,
            "attention_types": [[["global"], 12]], "width_scale": 1.0, "add_cross_attention": false, "sliding_window": null,
        });
        assert_eq!(of(plain), Vec::<String>::new());
        for (field, value) in [
            ("num_key_value_heads", json!(1)),
            ("head_dim", json!(8)),
            ("pruned_heads", json!({"0": [1]})),
            ("auto_map", json!({"AutoTokenizer": "x.Y", "AutoModel": "x.Z"})),
            ("attention_types", json!([[["global", "local"], 6]])),
            ("is_causal", json!(false)),
            ("position_embedding_type", json!("alibi")),
            ("width_scale", json!(0.1)),
            ("parallel_residual", json!("NaN")),
        ] {
            assert_eq!(of(json!({"n_head": 4, "n_embd": 24, field: value})), [format!("{field} is {value}")]);
        }
    }
}
