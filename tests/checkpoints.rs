//! A checkpoint is somebody else's file: whatever is wrong with it ends in one clear error, soon, in little memory.
mod support {
    pub mod shell;
}

use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::shell::{Ran, Shell};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
/// More than any run here needs, in KiB of address space: threads and mapped fonts count as well.
const MEMORY: usize = 1 << 20;
/// A run that takes this long hangs.
const HANGS: Duration = Duration::from_secs(60);

/// A copy of a good checkpoint, to be broken.
struct Copy {
    shell: Shell,
}

impl Copy {
    fn of(fixture: &str) -> Self {
        let shell = Shell::new();
        fs::create_dir(shell.path("m")).unwrap();
        for file in fs::read_dir(PathBuf::from(FIXTURES).join(fixture)).unwrap().map(|e| e.unwrap()) {
            let name = file.file_name().into_string().unwrap();
            if !name.starts_with("expected") {
                fs::copy(file.path(), shell.path("m").join(name)).unwrap();
            }
        }
        Self { shell }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.shell.path("m").join(name)
    }

    fn with(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(name), bytes).unwrap();
        self
    }

    fn without(self, name: &str) -> Self {
        fs::remove_file(self.path(name)).unwrap();
        self
    }

    fn json(self, name: &str, change: impl FnOnce(&mut Value)) -> Self {
        let mut value = serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap();
        change(&mut value);
        self.with(name, value.to_string())
    }

    /// Changes the weights' header and data.
    fn weights(self, change: impl FnOnce(&mut Value, &mut Vec<u8>)) -> Self {
        let file = fs::read(self.path(WEIGHTS)).unwrap();
        let (length, rest) = file.split_at(8);
        let (header, data) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
        let (mut header, mut data) = (serde_json::from_slice(header).unwrap(), data.to_vec());
        change(&mut header, &mut data);
        self.with(WEIGHTS, safetensors(&header.to_string(), &data))
    }

    /// Runs a prompt through it with little memory; a run that hangs is a failure.
    fn run(&self) -> Ran {
        let mut command = if cfg!(target_os = "linux") {
            let mut limited = self.shell.program("sh");
            limited.args(["-c", &format!("ulimit -v {MEMORY} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_attnviz")]);
            limited
        } else {
            self.shell.program(env!("CARGO_BIN_EXE_attnviz"))
        };
        command.args(["-m", "m", "The café is", "--threads", "2", "-o", "-", "--format", "json"]);
        let pipes = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        let started = Instant::now();
        // The error fits into the pipe, so that the child ends without being read.
        while child.try_wait().unwrap().is_none() {
            if started.elapsed() > HANGS {
                child.kill().unwrap();
                panic!("it hangs");
            }
            sleep(Duration::from_millis(2));
        }
        child.wait_with_output().unwrap().into()
    }

    /// Fails in two lines that name these things.
    #[track_caller]
    fn refused(&self, says: &[&str]) {
        let (message, hint) = self.run().fails(1);
        for what in says {
            assert!(message.contains(what) || hint.contains(what), "{what:?} is not in {message:?} {hint:?}");
        }
    }
}

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const TOKENIZER: &str = "tokenizer.json";

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn base() -> Copy {
    Copy::of("base")
}

#[test]
fn an_unbroken_copy_works_in_little_memory() {
    for fixture in ["base", "sharded", "f16", "vocab-merges"] {
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
    set("n_layer", json!(3)).refused(&["h.2."]);
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
    set("model_type", json!("gpt_neo")).refused(&["model_type", "gpt_neo"]);
    set("model_type", json!("\u{1b}[31m\n\u{202e}")).refused(&["model_type"]);
    set("activation_function", json!("mish")).refused(&["mish", "gelu_new"]);
    set("activation_function", json!("x".repeat(100_000))).refused(&["activation_function"]);
    set("add_cross_attention", json!(true)).refused(&["add_cross_attention"]);
    set("add_cross_attention", json!("yes")).refused(&["config.json"]);
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
    base().without("config.json").refused(&["no config.json"]);
    let huge = base();
    fs::File::create(huge.path("config.json")).unwrap().set_len(300 << 20).unwrap();
    huge.refused(&["config.json", "size"]);
    let folder = base().without("config.json");
    fs::create_dir(folder.path("config.json")).unwrap();
    folder.refused(&["config.json"]);
}

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
    index(json!({ "a": "model-00001-of-00003.safetensors" })).refused(&["no tensor"]);
    Copy::of("sharded").with(INDEX, "{").refused(&[INDEX]);
    Copy::of("sharded").without("model-00002-of-00003.safetensors").refused(&["model-00002-of-00003.safetensors"]);
    let twice = Copy::of("sharded");
    fs::copy(twice.path("model-00001-of-00003.safetensors"), twice.path("model-00002-of-00003.safetensors")).unwrap();
    twice.refused(&["another shard"]);
}

#[test]
fn a_tokenizer_that_cannot_be_used_is_refused() {
    let with = |bytes: &str| base().with(TOKENIZER, bytes);
    let nested = "[".repeat(200_000);
    let deep = format!("{{\"model\": {nested}");
    for bytes in ["", "{", "[]", "null", "{}", &nested, &deep, "{\"model\": {\"type\": \"BPE\"}}"] {
        with(bytes).refused(&[TOKENIZER]);
    }
    base().without(TOKENIZER).refused(&["no tokenizer", "vocab.json"]);
    let set = |change: fn(&mut Value)| base().json(TOKENIZER, change);
    set(|t| t["model"]["type"] = json!("Other")).refused(&[TOKENIZER]);
    set(|t| t["model"]["vocab"] = json!({"a": -1})).refused(&[TOKENIZER]);
    set(|t| t["model"]["merges"] = json!(["no such"])).refused(&[TOKENIZER]);
    set(|t| t["pre_tokenizer"] = json!({"type": "Nothing"})).refused(&[TOKENIZER]);
    set(|t| t["model"] = json!({"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "[UNK]"})).refused(&[TOKENIZER]);
    Copy::of("vocab-merges").with("merges.txt", "#version: 0.2\na\n").refused(&["merges"]);
    Copy::of("vocab-merges").with("vocab.json", "{").refused(&["vocab"]);
    Copy::of("vocab-merges").without("merges.txt").refused(&["no tokenizer"]);
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
