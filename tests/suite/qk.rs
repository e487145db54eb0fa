//! `attnviz qk`: the parts of a score add up to it, for every head, query and key, and say what was built into a head.
use crate::support::results::{json, npz, table};
use crate::support::shell::Shell;
use crate::support::{fixtures, golden, ids, llama, load};
use attnviz::analysis::qk::{Look, Writer, qk};
use attnviz::model::{Activation, Backend, Model};
use attnviz::trace::{Recorder, forward};

const INDUCTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/induction");
const TEXT: &str = "The fox met the crow by the well. The fox met the";

/// How far the parts are from the model's own scores, over every head, query and key.
fn farthest(model: &dyn Model, ids: &[u32]) -> f64 {
    let mut recorder = Recorder::new().keep(Activation::Scores);
    forward(model, &[ids], &mut recorder).unwrap();
    let (trace, mut most) = (recorder.trace(), 0f64);
    for layer in 0..model.spec().layers {
        let scores = trace.get(Activation::Scores, layer, 0).unwrap().to_vec3::<f32>().unwrap();
        for (head, of_head) in scores.iter().enumerate() {
            for (query, wanted) in of_head.iter().enumerate() {
                let found = qk(model, ids, Look { layer, head, query }).unwrap();
                for (key, wanted) in wanted.iter().enumerate().take(query + 1) {
                    let total: f64 = found.parts(key).iter().sum();
                    let apart = (total - f64::from(*wanted)).abs();
                    most = if apart.is_nan() { apart } else { most.max(apart) };
                }
                let centred: f64 = found.centred(0).iter().sum();
                let mean = found.scores.iter().sum::<f64>() / found.scores.len() as f64;
                assert!((centred - (found.scores[0] - mean)).abs() < 1e-3);
                let by_writer = found.by_key_writer();
                let first: f64 = by_writer[..found.writers.len()].iter().sum();
                assert!((first - found.scores[0]).abs() < 1e-3);
            }
        }
    }
    most
}

#[test]
fn parts_of_every_score_of_every_fixture_add_up_to_it() {
    let mut checked = 0;
    for folder in std::fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path()) {
        let file = folder.join("expected.safetensors");
        if !file.exists() || !folder.join("config.json").exists() || !folder.join("model.safetensors").exists() {
            continue;
        }
        let expected = golden(&file);
        if !expected.contains_key("ids") {
            continue;
        }
        let model = load(&folder, &Backend::Fused);
        let ids = ids(&expected);
        let apart = farthest(&model, &ids[..ids.len().min(9)]);
        assert!(apart < 1e-3, "{}: {apart}", folder.display());
        checked += 1;
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn a_model_that_turns_its_queries_and_shares_its_keys_adds_up_too() {
    let apart = farthest(&llama::load(&Backend::Fused), &[1, 7, 3, 9, 7, 3]);
    assert!(apart < 1e-3, "{apart}");
}

#[test]
fn the_head_that_was_built_for_induction_matches_the_token_with_what_the_head_before_it_copied() {
    let model = load(INDUCTION.as_ref(), &Backend::Fused);
    let ids: Vec<u32> = [0, 1, 2, 3, 0, 1].into();
    let found = qk(&model, &ids, Look { layer: 1, head: 0, query: 5 }).unwrap();
    assert_eq!(found.favourite(), 2);
    let (n, parts) = (found.writers.len(), found.centred(2));
    let largest = (0..n * n).max_by(|a, b| parts[*a].total_cmp(&parts[*b])).unwrap();
    assert_eq!([found.writers[largest / n], found.writers[largest % n]], [Writer::Embedding, Writer::Head(0, 0)]);
    let rest = parts.iter().enumerate().filter(|(at, _)| *at != largest).map(|(_, x)| x.abs());
    assert!(rest.fold(0.0, f64::max) < 0.05 * parts[largest], "{parts:?}");
}

#[test]
fn files_hold_the_same_parts_and_their_sum() {
    let shell = Shell::new();
    let args = ["qk", TEXT, "-m", "builtin", "--head", "4.3", "--key", "4", "-q"];
    shell.ok(&[&args[..], &["-o", "a.json", "-o", "a.npz", "-o", "a.csv", "-o", "a.txt", "-o", "a.parquet"]].concat());
    let found = &json(&shell.read("a.json"))["results"][0];
    assert_eq!(
        (&found["layer"], &found["head"], &found["query"], &found["key"]),
        (&4.into(), &3.into(), &12.into(), &4.into())
    );
    let parts: Vec<f64> = found["parts"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|x| x.as_f64().unwrap())
        .collect();
    let n = found["writers"].as_array().unwrap().len();
    assert_eq!(parts.len(), n * n);
    let score = found["score"].as_f64().unwrap();
    assert!((parts.iter().sum::<f64>() - score).abs() < 1e-3);
    let arrays = npz(&shell.path("a.npz"));
    assert_eq!((arrays["parts"].dims(), arrays["by_key_writer"].dims()), (&[n, n][..], &[13, n][..]));
    let rows = table(&String::from_utf8(shell.read("a.csv")).unwrap());
    assert_eq!(rows.len(), 1 + 13 + n * n);
    let column: f64 = rows[14..].iter().map(|row| row[4].parse::<f64>().unwrap()).sum();
    assert!((column - score).abs() < 1e-3);
    let text = String::from_utf8(shell.read("a.txt")).unwrap();
    assert!(text.contains("add up to it within") && text.contains("against the mean of the 13 keys"), "{text}");
}

#[test]
fn a_head_position_or_key_that_is_not_there_is_named() {
    let shell = Shell::new();
    let fails =
        |flags: &[&str]| shell.fails(2, &[&["qk", "The fox met", "-m", "builtin", "-o", "a.png"], flags].concat());
    for (flags, what) in [
        (&["--head", "9.0"][..], "layer 9"),
        (&["--head", "0.9"], "head 9"),
        (&["--head", "4"], "is not a head"),
        (&["--head", "1.1,1.2"], "several heads"),
        (&["--query", "3"], "query 3"),
        (&["--key", "-4"], "key -4"),
        (&["--query", "1", "--key", "2"], "cannot see"),
    ] {
        let (message, hint) = fails(flags);
        assert!(message.contains(what), "{flags:?}: {message} {hint}");
        let flag = if what == "cannot see" { "--key" } else { flags[0] };
        assert!(hint.contains(flag), "{flags:?}: {hint}");
    }
    // Nothing else is seen from the first token.
    let found =
        json(&shell.ok(&["qk", "The fox met", "-m", "builtin", "--query", "0", "-q", "-o", "-", "--format", "json"]));
    assert_eq!(found["results"][0]["key_attention"], serde_json::json!([1.0]));
}
