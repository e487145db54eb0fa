//! Weights that lie, lack or are something else end in one clear error, soon, in little memory.
mod support {
    pub mod checkpoint;
    pub mod shell;
}

use serde_json::{Value, json};
use std::fs;
use support::checkpoint::{Copy, INDEX, WEIGHTS, base, safetensors};

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
fn pickles_are_refused_with_the_way_to_convert_them() {
    let pickle = base().without(WEIGHTS).with("pytorch_model.bin", b"PK\x03\x04");
    pickle.refused(&["no model.safetensors", "pytorch_model.bin", "save_pretrained"]);
    base().without(WEIGHTS).refused(&["no model.safetensors"]);
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
