//! Long prompts: their numbers are written a layer at a time, and are those of a pass that holds them all.
use crate::support::checkpoint::safetensors;
use crate::support::shell::{Shell, ran};
use attnviz::Named;
use attnviz::analysis::attention::{Extra, attention};
use attnviz::analysis::attribution::{Baseline, Evaluator, Method, attribute};
use attnviz::analysis::{Objective, Of, Request, attribution};
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::export::Data;
use attnviz::findings::{Asked, Output, Reading, Ready, Subject, Words, attention as options, find, saliency};
use attnviz::format::Format;
use attnviz::model::Activation;
use attnviz::render::Fonts;
use attnviz::session::Session;
use serde_json::{Map, Value, json};
use std::fs;
use std::process::Stdio;

const VOCAB: usize = 17;
const WIDTH: usize = 64;
const HEADS: usize = 32;
/// More patterns than a pass holds.
const TOKENS: usize = 520;

/// A checkpoint of two layers, as many heads, and room for a long prompt.
fn shell() -> Shell {
    let shell = Shell::new();
    let (mut header, mut data, mut state) = (Map::new(), Vec::new(), 1u32);
    let mut add = |name: &str, shape: &[usize]| {
        let start = data.len();
        for _ in 0..shape.iter().product::<usize>() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
            data.extend((if name.contains("ln") { 1.0 + number } else { number }).to_le_bytes());
        }
        let tensor = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] });
        header.insert(name.into(), tensor);
    };
    add("wte.weight", &[VOCAB, WIDTH]);
    add("wpe.weight", &[TOKENS, WIDTH]);
    for layer in 0..2 {
        for (name, inputs, outputs) in [
            ("attn.c_attn", WIDTH, 3 * WIDTH),
            ("attn.c_proj", WIDTH, WIDTH),
            ("mlp.c_fc", WIDTH, 4 * WIDTH),
            ("mlp.c_proj", 4 * WIDTH, WIDTH),
        ] {
            add(&format!("h.{layer}.{name}.weight"), &[inputs, outputs]);
            add(&format!("h.{layer}.{name}.bias"), &[outputs]);
        }
        for norm in ["ln_1", "ln_2"] {
            add(&format!("h.{layer}.{norm}.weight"), &[WIDTH]);
            add(&format!("h.{layer}.{norm}.bias"), &[WIDTH]);
        }
    }
    add("ln_f.weight", &[WIDTH]);
    add("ln_f.bias", &[WIDTH]);
    fs::create_dir(shell.path("m")).unwrap();
    let config = json!({
        "model_type": "gpt2", "n_layer": 2, "n_head": HEADS, "n_embd": WIDTH, "vocab_size": VOCAB, "n_positions": TOKENS,
    });
    shell.write("m/config.json", config.to_string());
    shell.write("m/model.safetensors", safetensors(&Value::Object(header).to_string(), &data));
    shell
}

fn ids(count: usize) -> Vec<u32> {
    (0..count as u32).map(|place| place * place % VOCAB as u32).collect()
}

fn typed(count: usize) -> String {
    ids(count).iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

fn values<'a>(data: &'a Data, name: &str) -> &'a [f32] {
    &data.results[0].arrays.iter().find(|array| array.name == name).unwrap().values
}

#[test]
fn numbers_that_are_made_again_are_those_of_a_pass_that_holds_them_all() {
    let shell = shell();
    let session = Session::new(Checkpoint::open(&Source::Directory(shell.path("m"))).unwrap()).unwrap();
    let with = vec![Extra::Logits, Extra::Hidden, Extra::Scores];
    let asked = Asked::Attention(options::Options { with, ..Default::default() });
    let prompt = Reading::default().read(Words::Ids(ids(TOKENS)), &session.tokenizer, session.spec()).unwrap();
    let subject = Subject::new(&session, prompt, &asked).unwrap();
    let found = find(asked.analysis(), subject, &[Output::whole(Format::Npz)]).unwrap();
    let data = found.data(None).unwrap();

    let request = Request {
        layers: vec![0, 1],
        heads: (0..HEADS).collect(),
        keep: vec![Activation::Scores, Activation::ResidPre],
        ..Request::default()
    };
    let (whole, pass) = attention(session.model(), &ids(TOKENS), &request).unwrap();
    let maps: Vec<f32> = whole.maps.iter().flat_map(|map| map.values.clone()).collect();
    assert!(values(&data, "attention") == maps);
    let flat =
        |at, layer| -> Vec<f32> { pass.trace.get(at, layer, 0).unwrap().flatten_all().unwrap().to_vec1().unwrap() };
    let normed = session.model().final_norm(&pass.resid).unwrap();
    let last: Vec<f32> = normed.flatten_all().unwrap().to_vec1().unwrap();
    let hidden = [flat(Activation::ResidPre, 0), flat(Activation::ResidPre, 1), last].concat();
    assert!(values(&data, "hidden") == hidden);
    let logits: Vec<f32> = session.model().unembed(&normed, None).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    assert!(values(&data, "logits") == logits);
    let scores = [flat(Activation::Scores, 0), flat(Activation::Scores, 1)].concat();
    let hidden_by_mask = |place: usize| place % TOKENS > place / TOKENS % TOKENS;
    let same = |(place, (ours, theirs)): (usize, (&f32, &f32))| {
        if hidden_by_mask(place) { *ours == f32::NEG_INFINITY } else { ours == theirs }
    };
    assert!(values(&data, "scores").iter().zip(&scores).enumerate().all(same));

    // A part is its piece of the whole, and its picture shows each number.
    let (ready, part) = (Ready::new(&*found), HEADS + 3);
    found.prepare(part).unwrap();
    let map = &maps[part * TOKENS * TOKENS..][..TOKENS * TOKENS];
    assert!(values(&found.data(Some(part)).unwrap(), "attention") == map);
    let drawn = ready.bytes(Format::Png, Some(part), &Fonts::bundled()).unwrap();
    assert!(drawn.starts_with(b"\x89PNG"));
    let error = ready.bytes(Format::Json, None, &Fonts::bundled()).unwrap_err();
    assert!(error.hint.unwrap().contains(".npz"));
}

#[test]
fn texts_that_would_be_too_large_are_refused_before_anything_is_computed() {
    let shell = shell();
    // Broken weights are noticed by whoever computes with them.
    let mut weights = shell.read("m/model.safetensors");
    let end = weights.len();
    weights[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    shell.write("m/model.safetensors", &weights);
    let args = ["-m", "m", "--ids", &typed(TOKENS), "--with", "scores", "-o", "a.json", "-q"];
    let (message, hint) = shell.fails(2, &args);
    assert!(message.contains("34 million numbers are too many for JSON"), "{message}");
    assert!([".npz", ".safetensors", ".parquet"].iter().all(|name| hint.contains(name)), "{hint}");
}

#[cfg_attr(not(target_os = "linux"), ignore = "needs a limit of memory")]
#[test]
fn memory_that_is_refused_is_an_error_in_two_lines() {
    let shell = shell();
    let ids = typed(TOKENS);
    // One says before it begins what it needs; the other is refused it in the middle.
    for (kib, args, says) in [
        (130_000, &["attention", "--with", "scores", "-o", "a.npz"][..], "this takes"),
        (130_000, &["mix", "--method", "raw", "-o", "a.npz"], "the system refuses"),
    ] {
        let mut limited = shell.program("sh");
        limited.args(["-c", &format!("ulimit -v {kib} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_attnviz")]);
        limited.args(args).args(["-m", "m", "--threads", "2", "--ids", &ids, "-q"]);
        let (message, _) = ran(limited.stdin(Stdio::null())).fails(1);
        assert!(message.contains(says), "{message}");
        assert!(shell.files().iter().all(|name| name != "a.npz"));
    }
}

#[test]
fn what_takes_long_is_said_before_it_begins_with_the_way_out() {
    let shell = shell();
    let args = ["mix", "--method", "flow", "--all-rows", "-m", "m", "--ids", &typed(150), "-o", "a.npz"];
    let said = shell.run(&args).err;
    assert!(said.contains("150 rows of flow take long") && said.contains("--all-rows"), "{said}");
    let said = shell.run(&[&args[..1], &args[4..]].concat()).err;
    assert!(!said.contains("take long"), "{said}");
    let session = Session::new(Checkpoint::open(&Source::Directory(shell.path("m"))).unwrap()).unwrap();
    let of = |samples, tokens| {
        let method = Method::all().collect();
        let options = saliency::Options { method, samples: Some(samples), ..Default::default() };
        let cost = Asked::Saliency(options).analysis().cost(session.spec(), tokens, &[]);
        cost.said(0).first().map(|remark| (remark.text.clone(), remark.option))
    };
    assert_eq!(of(5, 20), None);
    let (text, option) = of(150, 300).unwrap();
    assert!(
        ["smoothgrad 450", "gradient-shap 601", "occlusion 151", "300 tokens"].iter().all(|one| text.contains(one))
    );
    assert_eq!(option, Some("method"));
}

#[test]
fn occlusion_reuses_what_stands_before_a_token_and_gives_the_same_numbers() {
    let shell = shell();
    let session = Session::new(Checkpoint::open(&Source::Directory(shell.path("m"))).unwrap()).unwrap();
    let ids = ids(40);
    let objective = Objective { position: ids.len() - 1, target: 3, foil: None, of: Of::LogProb };
    let evaluator = Evaluator::new(session.model(), &ids, objective, Baseline::Zero, &|_, _| ()).unwrap();
    let found = attribute(&evaluator, Method::Occlusion, &attribution::Request::default()).unwrap();
    let (e, zero) = (evaluator.embeddings(), evaluator.baseline());
    let without = |i: usize| {
        let rows = [e.narrow(0, 0, i)?, zero.narrow(0, i, 1)?, e.narrow(0, i + 1, ids.len() - i - 1)?];
        Ok(candle_core::Tensor::cat(&rows, 0)?)
    };
    let whole = evaluator.values(1, &|_| Ok(e.clone())).unwrap()[0];
    let plain = evaluator.values(ids.len(), &without).unwrap();
    for (place, (score, without)) in found.scores.iter().zip(plain).enumerate() {
        assert!((f64::from(*score) - (whole - without)).abs() < 1e-5, "token {place}: {score} {}", whole - without);
    }
}
