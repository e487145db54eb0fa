//! A checkpoint is somebody else's file: whatever is wrong with it ends in one clear error, soon, in little memory.
use crate::support::checkpoint::{Copy, TOKENIZER, WEIGHTS, base};
use serde_json::{Value, json};
use std::fs;

#[test]
fn an_unbroken_copy_works_in_little_memory() {
    for fixture in ["base", "sharded", "f16", "vocab-merges", "torch-zip", "torch-old", "torch-shards", "nanogpt"] {
        let ran = Copy::of(fixture).run();
        assert!(ran.ok().starts_with(b"{"), "{fixture}");
    }
}

#[test]
fn every_wrong_size_in_a_config_is_refused_by_name() {
    let set = |field: &str, value: Value| base().json("config.json", |config| config[field] = value);
    let sizes = ["n_layer", "n_head", "n_embd", "n_positions", "vocab_size", "n_inner"];
    for field in sizes {
        for value in [
            json!(0),
            json!(-1),
            json!(1_000_000_000),
            json!(1_000_000_000_000u64),
            json!(u64::MAX),
            json!("2"),
            json!(2.5),
        ] {
            set(field, value).refused(&["config.json", field]);
        }
    }
    for field in ["n_layer", "n_head", "n_embd", "n_positions", "vocab_size", "n_inner"] {
        set(field, json!(60_000_000)).refused(&["m/"]); // a size that might be meant, and is not in the weights
    }
    set("n_head", json!(3)).refused(&["n_embd 16", "n_head 3"]);
    set("n_embd", json!(18)).refused(&["shape", "wte.weight"]);
    set("n_layer", json!(3)).refused(&["has 2 layers", "n_layer 3"]);
    set("n_layer", json!(1)).refused(&["n_layer"]);
    set("n_positions", json!(33)).refused(&["wpe.weight"]);
    set("vocab_size", json!(299)).refused(&["wte.weight"]);
    set("n_inner", json!(63)).refused(&["c_fc"]);
    for epsilon in [json!(-1e-5), json!("small"), json!(null)] {
        set("layer_norm_epsilon", epsilon).refused(&["config.json", "layer_norm_epsilon"]);
    }
}

#[test]
fn what_another_architecture_needs_is_refused_by_name() {
    let set = |field: &str, value: Value| base().json("config.json", |config| config[field] = value);
    set("model_type", json!("gptj")).refused(&["model_type", "gptj", "gpt_neox"]);
    set("model_type", json!("\u{1b}[31m\n\u{202e}")).refused(&["model_type"]);
    set("activation_function", json!("mish")).refused(&["mish", "gelu_new"]);
    set("activation_function", json!("x".repeat(100_000))).refused(&["activation_function"]);
    set("add_cross_attention", json!(true)).refused(&["add_cross_attention"]);
    set("add_cross_attention", json!("yes")).refused(&["config.json"]);
}

#[test]
fn sizes_under_their_other_names_are_read_and_two_that_differ_are_refused() {
    let names = [
        ("n_embd", "hidden_size", 16),
        ("n_head", "num_attention_heads", 2),
        ("n_layer", "num_hidden_layers", 2),
        ("n_positions", "max_position_embeddings", 32),
    ];
    let (expected, _) = base().finds();
    let other = |both: bool| {
        base().json("config.json", |config| {
            for (name, other, value) in names {
                config[other] = json!(value);
                if !both {
                    config.as_object_mut().unwrap().remove(name);
                }
            }
        })
    };
    assert_eq!(other(false).finds().0, expected);
    assert_eq!(other(true).finds().0, expected);
    for (name, other, value) in names {
        let two = base().json("config.json", |config| config[other] = json!(value + 2));
        two.refused(&[name, other, &(value + 2).to_string()]);
        base().json("config.json", |config| config[other] = json!("x")).refused(&["config.json", other]);
    }
}

#[test]
fn fields_that_change_the_numbers_are_refused_by_name() {
    for (field, value) in [
        ("attention_head_type", json!("multiquery")),
        ("multi_query", json!(true)),
        ("num_key_value_heads", json!(1)),
        ("auto_map", json!({"AutoModelForCausalLM": "modeling_x.X"})),
        ("quantization_config", json!({"quant_method": "bitsandbytes", "load_in_8bit": true})),
        ("pruned_heads", json!({"1": [0]})),
        ("is_encoder_decoder", json!(true)),
        ("position_embedding_type", json!("alibi")),
        ("is_causal", json!(false)),
        ("parallel_residual", json!(true)),
        ("mup_embeddings_scale", json!(10.0)),
    ] {
        base().json("config.json", |config| config[field] = value).refused(&["config.json", field]);
    }
    let plain = json!({"pruned_heads": {}, "quantization_config": null, "num_key_value_heads": 2, "is_causal": true});
    let harmless =
        base().json("config.json", |config| config.as_object_mut().unwrap().extend(plain.as_object().unwrap().clone()));
    assert_eq!(harmless.finds(), base().finds());
}

#[test]
fn a_field_that_nobody_knows_is_said_to_have_no_effect() {
    let (found, said) = base().json("config.json", |config| config["gating"] = json!(true)).finds();
    assert!(found == base().finds().0 && said.contains("gating") && said.contains("no effect"), "{said}");
    assert!(!base().finds().1.contains("no effect"));
}

#[test]
fn numbers_that_python_writes_and_json_has_not_are_read() {
    let with = |text: &str| {
        let config = fs::read_to_string(base().path("config.json")).unwrap();
        base().with("config.json", config.replacen('{', &format!("{{{text},"), 1))
    };
    let (expected, _) = base().finds();
    let clip = with(r#""task_specific_params": {"clip": [NaN, Infinity, -Infinity], "NaN \" NaN": "-Infinity"}"#);
    assert_eq!(clip.finds().0, expected);
    let epsilon = base().with("config.json", r#"{"model_type": "gpt2", "layer_norm_epsilon": NaN}"#);
    epsilon.refused(&["layer_norm_epsilon", "NaN"]);
    base().with("config.json", r#"{"model_type": "bert", "x": Infinity}"#).refused(&["model_type", "bert"]);
}

#[test]
fn a_model_without_a_language_model_head_is_looked_at_and_names_what_it_lacks() {
    let of = |architecture: &'static str, tied: bool| {
        base().json("config.json", move |config| {
            config["architectures"] = json!([architecture]);
            config["tie_word_embeddings"] = json!(tied);
        })
    };
    let (expected, _) = base().finds();
    let headless = [
        ("GPT2ForSequenceClassification", true),
        ("GPT2ForTokenClassification", true),
        ("GPT2ForQuestionAnswering", true),
        ("GPT2Model", false),
    ];
    for (architecture, tied) in headless {
        let copy = of(architecture, tied);
        assert_eq!(copy.finds().0, expected, "{architecture}");
        for command in ["attention", "heads", "mix"] {
            let picture = copy.asks(&[command, "The café is", "-o", "-", "--format", "txt"]).ok();
            assert!(!String::from_utf8(picture).unwrap().contains("next:"), "{architecture} {command}");
        }
        let asking: [&[&str]; 6] = [
            &["lens"],
            &["lens", "--direct"],
            &["saliency"],
            &["attention", "--with", "logits"],
            &["mix", "--method", "attention-x-gradient"],
            &["mix", "--target", "5"],
        ];
        for words in asking {
            let (message, _) = copy.asks(&[words, &["The café is", "-o", "-", "--format", "json"]].concat()).fails(2);
            assert!(message.contains(architecture) && message.contains("head"), "{words:?}: {message}");
        }
    }
    for architecture in ["GPT2LMHeadModel", "GPT2DoubleHeadsModel", "GPT2Model"] {
        of(architecture, true).asks(&["lens", "The café is", "-o", "-", "--format", "json"]).ok();
    }
    of("GPT2LMHeadModel", false).refused(&["lm_head.weight"]);
}

#[test]
fn an_adapter_names_its_base_and_how_to_merge_it() {
    let alone = base().without("config.json").without(WEIGHTS);
    let described = |json: &str| base().without("config.json").with("adapter_config.json", json);
    alone.refused(&["config.json is missing"]);
    described(r#"{"base_model_name_or_path": "gpt2", "peft_type": "LORA", "r": NaN}"#).refused(&[
        "LORA adapter",
        "gpt2",
        "merge_and_unload",
    ]);
    described("{").refused(&["adapter"]);
}

#[test]
fn a_config_that_is_none_is_refused() {
    let with = |bytes: &[u8]| base().with("config.json", bytes);
    let nested = "[".repeat(200_000);
    let deep = format!("{{\"x\": {nested}");
    for bytes in [
        "",
        "{",
        "[]",
        "null",
        "{}}",
        "\u{feff}{}",
        &nested,
        &deep,
        "{\"n_layer\": 2, \"n_layer\": 3}",
        "{\"layer_norm_epsilon\": 1e999}",
    ] {
        with(bytes.as_bytes()).refused(&["config.json"]);
    }
    with(b"{\"model_type\": \"\xff\"}").refused(&["config.json"]);
    base().without("config.json").refused(&["config.json is missing"]);
    let huge = base();
    fs::File::create(huge.path("config.json")).unwrap().set_len(300 << 20).unwrap();
    huge.refused(&["config.json", "is no size"]);
    let folder = base().without("config.json");
    fs::create_dir(folder.path("config.json")).unwrap();
    folder.refused(&["config.json"]);
}

#[test]
fn a_tokenizer_that_cannot_be_used_is_refused() {
    let with = |bytes: &str| base().with(TOKENIZER, bytes);
    let nested = "[".repeat(200_000);
    let deep = format!("{{\"model\": {nested}");
    for bytes in ["", "{", "[]", "null", "{}", &nested, &deep, "{\"model\": {\"type\": \"BPE\"}}"] {
        with(bytes).refused(&[TOKENIZER]);
    }
    base().without(TOKENIZER).refused(&["no tokenizer", TOKENIZER]);
    let set = |change: fn(&mut Value)| base().json(TOKENIZER, change);
    set(|t| t["model"]["type"] = json!("Other")).refused(&[TOKENIZER]);
    set(|t| t["model"]["vocab"] = json!({"a": -1})).refused(&[TOKENIZER]);
    set(|t| t["model"]["merges"] = json!(["no such"])).refused(&[TOKENIZER]);
    set(|t| t["pre_tokenizer"] = json!({"type": "Nothing"})).refused(&[TOKENIZER]);
    set(|t| t["model"] = json!({"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "[UNK]"})).refused(&[TOKENIZER]);
    Copy::of("vocab-merges").with("merges.txt", "#version: 0.2\na\n").refused(&["merges"]);
    Copy::of("vocab-merges").with("vocab.json", "{").refused(&["vocab"]);
    Copy::of("vocab-merges").without("merges.txt").refused(&["merges.txt is missing"]);
    Copy::of("vocab-merges").with("merges.txt", b"\xff").refused(&["merges"]);
}

#[test]
fn a_pattern_without_end_in_a_tokenizer_does_not_hang() {
    let endless = base().json(TOKENIZER, |tokenizer| {
        tokenizer["pre_tokenizer"] = json!({
            "type": "Split", "pattern": {"Regex": "(?=(a|b|ab)*c)((.+)+)+(?!\\1)$x"}, "behavior": "Isolated", "invert": false
        });
    });
    let ran = endless.run();
    assert!(ran.code == Some(0) || ran.code == Some(1), "{}", ran.err);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

#[test]
fn a_tokenizer_with_more_tokens_than_the_model_is_refused_where_it_matters() {
    // The embedding loses its last hundred rows; `The` is token 297.
    let short = base().json("config.json", |config| config["vocab_size"] = json!(200)).weights(|header, data| {
        // wte is the last of the file.
        let wte = header["transformer.wte.weight"]["data_offsets"].clone();
        assert_eq!(wte[1].as_u64().unwrap() as usize, data.len());
        data.truncate(data.len() - 100 * 16 * 4);
        header["transformer.wte.weight"]["data_offsets"][1] = json!(data.len());
        header["transformer.wte.weight"]["shape"] = json!([200, 16]);
    });
    short.refused(&["vocabulary", "200"]);
}

#[cfg(unix)]
#[test]
fn links_in_circles_pipes_and_devices_are_no_files() {
    use std::os::unix::fs::symlink;
    for name in ["config.json", WEIGHTS, TOKENIZER] {
        let circle = base().without(name);
        symlink(name, circle.path(name)).unwrap();
        circle.refused(&[name]);
        let pipe = base().without(name);
        assert!(std::process::Command::new("mkfifo").arg(pipe.path(name)).status().unwrap().success());
        pipe.refused(&[name]);
        for device in ["/dev/zero", "/dev/null"] {
            let link = base().without(name);
            symlink(device, link.path(name)).unwrap();
            link.refused(&[name]);
        }
        let folder = base().without(name);
        fs::create_dir(folder.path(name)).unwrap();
        folder.refused(&[name]);
        let dangling = base().without(name);
        symlink("nowhere", dangling.path(name)).unwrap();
        dangling.refused(&[]);
    }
    let shard = "model-00002-of-00003.safetensors";
    let pipe = Copy::of("sharded").without(shard);
    assert!(std::process::Command::new("mkfifo").arg(pipe.path(shard)).status().unwrap().success());
    pipe.refused(&[shard]);
}
