//! Weights that lie, lack or are something else end in one clear error, soon, in little memory.
use crate::support::checkpoint::{Copy, INDEX, WEIGHTS, base, safetensors};
use attnviz::weights::Weights;
use serde_json::{Value, json};
use std::fs;

#[test]
fn weights_that_are_cut_short_or_are_no_weights_are_refused() {
    let whole = fs::read(base().path(WEIGHTS)).unwrap();
    for length in [0, 1, 7, 8, 9, 1000, 2559, 2560, 10_000, whole.len() - 1] {
        base().with(WEIGHTS, &whole[..length]).refused(&[WEIGHTS]);
    }
    base().with(WEIGHTS, [&whole[..], b"x"].concat()).refused(&[WEIGHTS]);
    for length in [0, 1, whole.len() as u64, 100_000_001, 1 << 60, u64::MAX] {
        base().with(WEIGHTS, [&length.to_le_bytes()[..], &whole[8..]].concat()).refused(&[WEIGHTS]);
    }
    let mut garbled = whole.clone();
    garbled[8..300].reverse();
    base().with(WEIGHTS, garbled).refused(&[WEIGHTS]);
    for header in
        ["", "{", "[]", "null", "{}", &"[".repeat(100_000), &format!("{{\"a\":{}", "[".repeat(100_000)), "{\"a\": 1}"]
    {
        base().with(WEIGHTS, safetensors(header, &[])).refused(&[]);
    }
    base().with(WEIGHTS, "version https://git-lfs.github.com/spec/v1\n").refused(&["git lfs pull"]);
    base().with(WEIGHTS, b"PK\x03\x04rest").refused(&["save_pretrained"]);
    let sparse = base();
    fs::File::create(sparse.path(WEIGHTS)).unwrap().set_len(300 << 20).unwrap();
    sparse.refused(&[WEIGHTS]);
}

#[test]
fn tensors_that_lie_about_themselves_are_refused() {
    let name = "transformer.h.0.ln_1.bias"; // [16]
    let set = |field: &'static str, value: Value| base().weights(|header, _| header[name][field] = value);
    for shape in [
        json!([15]),
        json!([17]),
        json!([16, 1]),
        json!([]),
        json!([u64::MAX]),
        json!([1u64 << 62, 4]),
        json!([-16]),
        json!("16"),
    ] {
        set("shape", shape).refused(&[WEIGHTS]);
    }
    for offsets in [
        json!([0, 64]),
        json!([64, 0]),
        json!([0, 1u64 << 60]),
        json!([-64, 0]),
        json!([u64::MAX, u64::MAX]),
        json!([0]),
        json!([]),
    ] {
        set("data_offsets", offsets).refused(&[WEIGHTS]);
    }
    for dtype in ["F16", "F64", "Q4", "", "f32"] {
        set("dtype", json!(dtype)).refused(&[WEIGHTS]);
    }
    for dtype in ["I32", "U32"] {
        set("dtype", json!(dtype)).refused(&[name, "type", "f32"]);
    }
    let bytes = |dtype: &str, width: u64| {
        base().weights(|header, _| {
            header[name]["dtype"] = json!(dtype);
            header[name]["shape"] = json!([64 / width]);
        })
    };
    bytes("F16", 2).refused(&[name, "[16]"]);
    bytes("F64", 8).refused(&[name, "[16]"]);
    let transposed = base().weights(|header, _| header["transformer.h.1.mlp.c_fc.weight"]["shape"] = json!([64, 16]));
    transposed.refused(&["transformer.h.1.mlp.c_fc.weight", "[64, 16]", "[16, 64]"]);
}

#[test]
fn missing_and_surplus_tensors_are_named() {
    let renamed = |from: &'static str, to: &'static str| {
        base().weights(|header, _| {
            let tensor = header.as_object_mut().unwrap().remove(from).unwrap();
            header[to] = tensor;
        })
    };
    for name in [
        "transformer.wpe.weight",
        "transformer.h.1.attn.c_attn.bias",
        "transformer.ln_f.bias",
        "transformer.wte.weight",
    ] {
        let short = name.trim_start_matches("transformer.");
        renamed(name, "other").refused(&[WEIGHTS, short]);
    }
    base().json("config.json", |config| config["tie_word_embeddings"] = json!(false)).refused(&["lm_head.weight"]);
}

#[test]
fn weights_with_a_nan_or_an_infinity_are_named() {
    for name in [
        "transformer.wte.weight",
        "transformer.h.0.attn.c_attn.weight",
        "transformer.ln_f.bias",
        "transformer.h.1.mlp.c_proj.bias",
    ] {
        for bad in [f32::NAN, f32::INFINITY] {
            let broken = base().weights(|header, data| {
                let from = header[name]["data_offsets"][0].as_u64().unwrap() as usize;
                let to = header[name]["data_offsets"][1].as_u64().unwrap() as usize;
                data[from..to].as_chunks_mut::<4>().0.fill(bad.to_le_bytes());
            });
            broken.refused(&[name, "NaN"]);
        }
    }
    let large = base().weights(|_, data| data.as_chunks_mut::<4>().0.fill(1e30f32.to_le_bytes()));
    large.refused(&["m"]); // finite weights whose products are not
}

#[test]
fn names_in_any_wrapping_are_read_and_it_is_said() {
    let (expected, said) = base().finds();
    assert_eq!(said.lines().filter(|line| line.contains("named")).count(), 0, "{said}");
    let wrappings =
        ["_orig_mod.", "module.", "model.", "transformer.", "module._orig_mod.", "_orig_mod.module.model.", "net.gpt."];
    for wrapping in wrappings {
        let (found, said) = base().renamed(|name| format!("{wrapping}{name}")).finds();
        assert!(found == expected && said.contains(&format!("{wrapping}transformer.h.0.")), "{wrapping}: {said}");
        let bare = base().renamed(|name| format!("{wrapping}{}", name.trim_start_matches("transformer.")));
        assert_eq!(bare.finds().0, expected, "{wrapping}");
    }
    let compiled = base().renamed(|name| name.replace(".attn.", "._orig_mod.attn.").replace(".mlp", ".module.mlp"));
    assert_eq!(compiled.finds().0, expected);
}

#[test]
fn a_header_whose_length_looks_like_another_format_is_read() {
    let (expected, _) = base().finds();
    for start in [b"\x80\x0b", b"PK", b"\x80\x42"] {
        let padded = base();
        let file = fs::read(padded.path(WEIGHTS)).unwrap();
        let (length, rest) = file.split_at(8);
        let (header, data) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
        let wanted = usize::from(u16::from_le_bytes(*start));
        assert!(wanted >= header.len(), "{} of {wanted}", header.len());
        let header = format!("{}{}", String::from_utf8(header.to_vec()).unwrap(), " ".repeat(wanted - header.len()));
        assert_eq!(padded.with(WEIGHTS, safetensors(&header, data)).finds().0, expected, "{start:?}");
    }
}

#[test]
fn two_models_in_one_file_and_two_tensors_of_one_name_are_refused() {
    let in_layer = |layer: &str, name: &str| name.contains(&format!(".h.{layer}."));
    base()
        .renamed(|name| if in_layer("1", name) { format!("ema.{name}") } else { name.into() })
        .refused(&["more than one model", "ema."]);
    let twice = base().renamed(|name| match name {
        "transformer.ln_f.bias" => "transformer.module.ln_f.weight".into(),
        other => other.into(),
    });
    twice.refused(&["transformer.ln_f.weight", "transformer.module.ln_f.weight", "one and the same"]);
}

/// Exchanges rows and columns of the matrices in the blocks whose names end so.
fn turned(copy: Copy, ends: &'static [&str]) -> Copy {
    copy.weights(|header, data| {
        for (name, tensor) in header.as_object_mut().unwrap() {
            if !ends.iter().any(|end| name.ends_with(end)) {
                continue;
            }
            let [rows, cols] = [0, 1].map(|axis| tensor["shape"][axis].as_u64().unwrap() as usize);
            let start = tensor["data_offsets"][0].as_u64().unwrap() as usize;
            let old = data[start..][..4 * rows * cols].to_vec();
            for (at, number) in old.chunks(4).enumerate() {
                data[start + 4 * (at % cols * rows + at / cols)..][..4].copy_from_slice(number);
            }
            tensor["shape"] = json!([cols, rows]);
        }
    })
}

#[test]
fn matrices_as_linear_has_them_are_turned_all_together_and_it_is_said() {
    let (expected, _) = base().finds();
    let (found, said) = turned(base(), &["c_attn.weight", "c_proj.weight", "c_fc.weight"]).finds();
    assert!(found == expected && said.contains("[outputs, inputs]"), "{said}");
    turned(base(), &["c_attn.weight"]).refused(&["mlp.c_fc.weight", "[16, 64]", "[64, 16]"]);
    turned(base(), &["h.1.attn.c_attn.weight"]).refused(&["h.1.attn.c_attn.weight", "[48, 16]"]);
    turned(base(), &["mlp.c_proj.weight"]).refused(&["mlp.c_proj.weight"]);
}

#[test]
fn what_was_assumed_of_weights_is_said_unless_nobody_wants_to_know() {
    for (fixture, word) in
        [("no-biases", "zero"), ("f64", "narrowed"), ("nanogpt", "turned"), ("nanogpt", "_orig_mod.")]
    {
        let copy = Copy::of(fixture);
        assert!(copy.finds().1.contains(word), "{fixture} {word}");
        assert_eq!(copy.asks(&["attention", "The", "-q", "-o", "-", "--format", "json"]).err, "", "{fixture}");
    }
}

#[test]
fn nanogpts_own_file_needs_no_config() {
    let bare = || Copy::of("nanogpt").without("config.json");
    let (found, said) = bare().finds();
    assert_eq!(found, Copy::of("nanogpt").finds().0);
    assert!(said.contains("ckpt.pt: there is no config.json") && said.contains("model_args"), "{said}");
    // A name of the same length: the pickle stays whole.
    let renamed = |name: &[u8], other: &[u8]| {
        let mut bytes = fs::read(bare().path("ckpt.pt")).unwrap();
        let at = bytes.windows(name.len()).position(|part| part == name).unwrap();
        bytes[at..at + name.len()].copy_from_slice(other);
        bare().with("ckpt.pt", bytes)
    };
    renamed(b"block_size", b"block_sizX").refused(&["model_args", "ckpt.pt", "n_positions is null"]);
    renamed(b"vocab_size", b"vocab_sizX").refused(&["model_args", "vocab_size is null"]);
    renamed(b"n_embd", b"n_layX").refused(&["n_embd is null"]);
    renamed(b"model_args", b"model_argX").refused(&["config.json is missing"]);
    assert!(renamed(b"dropout", b"dropouX").finds().1.contains("no effect: dropouX"));
    bare().with("ckpt.pt", "x").refused(&["config.json is missing"]);
    bare().with("second.pt", "x").refused(&["config.json is missing"]);
    let bin = Copy::of("torch-zip").without("config.json");
    bin.refused(&["config.json is missing"]);
}

#[test]
fn weights_of_another_kind_are_named_as_what_they_are() {
    let lora = base().renamed(|name| {
        let name = format!("base_model.model.{name}");
        match name.strip_suffix("h.0.attn.c_attn.bias") {
            Some(front) => format!("{front}h.0.attn.c_attn.lora_A.default.weight"),
            None => name.replace("c_attn.weight", "c_attn.base_layer.weight"),
        }
    });
    lora.refused(&["adapter", "lora_A", "base_layer", "merge_and_unload"]);
    let named = |from: &'static str, to: &'static str| base().renamed(move |name| name.replace(from, to));
    named("transformer.h.", "gpt_neox.layers.").refused(&["GPT-NeoX", "h.0.ln_1.weight"]);
    named("ln_1", "norm_1").refused(&["LitGPT"]);
    named("transformer.h.", "blocks.").refused(&["minGPT", "save_pretrained"]);
    named("transformer.h.", "things.").refused(&["h.0.ln_1.weight", "begins with"]);
    named("mlp.c_proj", "mlp.gate").refused(&["mlp.gate"]);
    named("attn.c_attn", "attn.q_proj").refused(&["attn.q_proj"]);
}

#[test]
fn a_folder_without_weights_names_what_else_it_has() {
    base().without(WEIGHTS).refused(&["no model.safetensors", "pytorch_model.bin"]);
    base().without(WEIGHTS).with("tf_model.h5", "x").refused(&["no model.safetensors", "from_tf"]);
    let adapter = base()
        .without(WEIGHTS)
        .with("adapter_config.json", r#"{"base_model_name_or_path": "a/b", "peft_type": "LORA"}"#);
    adapter.refused(&["LORA adapter", "a/b", "merge_and_unload"]);
    Copy::of("nanogpt").with("second.pt", "x").refused(&["ckpt.pt and second.pt"]);
    Copy::of("nanogpt").with("optimizer.pt", "x").finds();
}

#[test]
fn what_torch_saved_is_refused_where_it_is_not_whole_or_not_weights() {
    const BIN: &str = "pytorch_model.bin";
    for fixture in ["torch-zip", "torch-old"] {
        let whole = fs::read(Copy::of(fixture).path(BIN)).unwrap();
        for length in [0, 1, 3, 4, 15, 100, whole.len() / 2, whole.len() - 1] {
            Copy::of(fixture).with(BIN, &whole[..length]).refused(&[BIN]);
        }
        Copy::of(fixture).without(BIN).with(WEIGHTS, &whole).refused(&[WEIGHTS, "torch.save", BIN]);
        let endian = whole.windows(6).rposition(|window| window == b"little");
        let mut other = whole.clone();
        if let Some(at) = endian.filter(|_| fixture == "torch-zip") {
            other[at..at + 6].copy_from_slice(b"bigger");
            Copy::of(fixture).with(BIN, other).refused(&[BIN, "big-endian"]);
        }
    }
    for bytes in [&b"\x80\x04\x95"[..], b"GGUF\x03", b"\x89HDF\r\n", b"{}", b"version https://git-lfs"] {
        Copy::of("torch-zip").with(BIN, bytes).refused(&[BIN]);
    }
}

/// Whatever a file of torch.save says of sizes and places, it is read within its bounds or refused.
#[test]
fn no_byte_of_a_file_of_torch_leads_outside_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pytorch_model.bin");
    for fixture in ["torch-zip", "torch-old"] {
        let whole = fs::read(Copy::of(fixture).path("pytorch_model.bin")).unwrap();
        let mut opened = 0;
        for at in 0..whole.len().min(6000) {
            let mut bytes = whole.clone();
            bytes[at] ^= [0x01, 0x80, 0xff, 0x08][at % 4];
            fs::write(&path, bytes).unwrap();
            let Ok(weights) = Weights::open(&[&path]) else { continue };
            opened += 1;
            weights.fingerprints();
        }
        assert!(opened > 0 && opened < whole.len().min(6000), "{fixture}: {opened}");
    }
}

#[test]
fn an_index_names_files_of_its_folder_only() {
    let index = |map: Value| Copy::of("sharded").with(INDEX, json!({ "weight_map": map }).to_string());
    for name in [
        "../x.safetensors",
        "/etc/x.safetensors",
        "a/../b.safetensors",
        "..\\x.safetensors",
        "C:x.safetensors",
        "..",
        "",
        "x",
        "x\0.safetensors",
        "\u{1b}[31m.bin",
    ] {
        index(json!({ "a": name })).refused(&[INDEX]);
    }
    index(json!({})).refused(&[INDEX]);
    index(json!({ "a": 1 })).refused(&[INDEX]);
    index(json!({ "a": "model-00009-of-00003.safetensors" })).refused(&["model-00009-of-00003.safetensors"]);
    index(json!({ "a": "model-00001-of-00003.safetensors" }))
        .refused(&["model-00001-of-00003.safetensors", "1 layers"]);
    Copy::of("sharded").with(INDEX, "{").refused(&[INDEX]);
    Copy::of("sharded").without("model-00002-of-00003.safetensors").refused(&["model-00002-of-00003.safetensors"]);
    let twice = Copy::of("sharded");
    fs::copy(twice.path("model-00001-of-00003.safetensors"), twice.path("model-00002-of-00003.safetensors")).unwrap();
    twice.refused(&["another shard"]);
}
