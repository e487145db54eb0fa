//! `attnviz patch`: exact patching against hooks on transformers, estimates against autograd, and the runs that must not change a bit.
use crate::support::results::{json, table};
use crate::support::shell::Shell;
use crate::support::{fixtures, llama, load, numbers};
use attnviz::analysis::patching::{By, Cell, Direction, Metric, Pair, Question, Rule, Where, estimate};
use attnviz::model::{Backend, Gpt2, Model, NoTap};
use attnviz::named::Named;
use attnviz::trace::forward;
use candle_core::{DType, Device, Tensor};
use serde_json::Value;
use std::collections::BTreeMap;

/// The clean and the corrupt prompt.
const TEXTS: [&str; 2] = ["The old king and his", "The young king and her"];
const INDUCTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/induction");

/// What `tests/make_patching_golden.py` found, by checkpoint.
fn golden() -> BTreeMap<String, Value> {
    serde_json::from_slice(&std::fs::read(fixtures().join("patching.json")).unwrap()).unwrap()
}

fn ids(case: &Value, name: &str) -> Vec<u32> {
    serde_json::from_value(case[name].clone()).unwrap()
}

fn question(case: &Value, metric: Metric) -> Question {
    let id = |name: &str| case[name].as_u64().unwrap() as u32;
    let foil = (metric == Metric::LogitDifference).then(|| id("foil"));
    Question { position: ids(case, "clean").len() - 1, answer: id("answer"), foil, metric }
}

fn pair<'a>(model: &'a Gpt2, case: &Value, metric: Metric, at: Where, direction: Direction) -> Pair<'a> {
    let [clean, corrupt] = ["clean", "corrupt"].map(|name| ids(case, name));
    Pair::new(model, [&clean, &corrupt], question(case, metric), at, direction).unwrap()
}

/// A grid by its key, `what.site.by`: what is wanted, and where.
fn grids(case: &Value) -> Vec<(String, Where, By, Vec<Vec<f64>>)> {
    let all = case["grids"].as_object().unwrap();
    all.iter()
        .map(|(key, grid)| {
            let mut parts = key.split('.');
            let mut next = || parts.next().unwrap();
            let (what, site, by) = (next().to_owned(), Where::named(next()).unwrap(), By::named(next()).unwrap());
            (what, site, by, serde_json::from_value(grid.clone()).unwrap())
        })
        .collect()
}

fn farthest(found: &[Vec<f64>], wanted: &[Vec<f64>]) -> f64 {
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), wanted.iter().map(Vec::len).collect::<Vec<_>>());
    let apart = found.iter().flatten().zip(wanted.iter().flatten()).map(|(a, b)| (a - b).abs());
    apart.fold(0.0, |most, x| if x > most || x.is_nan() { x } else { most })
}

#[test]
fn every_site_is_patched_as_by_hooks_on_transformers() {
    for (name, case) in golden() {
        let model = load(&fixtures().join(&name), &Backend::Fused);
        for (what, site, by, wanted) in grids(&case) {
            let (metric, direction) = match &*what {
                "noising" => (Metric::LogitDifference, Direction::Noising),
                "denoising" => (Metric::LogitDifference, Direction::Denoising),
                "gradient" | "relp" => continue,
                metric => (Metric::named(metric).unwrap(), Direction::Denoising),
            };
            let pair = pair(&model, &case, metric, site, direction);
            let of_layer =
                |layer| pair.patched(layer, &pair.cells(by)).unwrap().into_iter().map(|x| pair.share(x)).collect();
            let found: Vec<Vec<f64>> = (0..model.spec().layers).map(of_layer).collect();
            let apart = farthest(&found, &wanted);
            assert!(apart < 1e-4, "{name} {what} {site:?} {by:?}: {apart}");
        }
    }
}

#[test]
fn estimates_are_those_of_autograd_by_either_rule() {
    let exact = Backend::Composite(DType::F64, Device::Cpu);
    for (name, case) in golden() {
        for (backend, most) in [(&Backend::Fused, 1e-4), (&exact, 1e-6)] {
            let model = load(&fixtures().join(&name), backend);
            for (what, site, by, wanted) in grids(&case) {
                let Some(rule) = Rule::named(&what) else { continue };
                let pair = pair(&model, &case, Metric::LogitDifference, site, Direction::Denoising);
                let apart = farthest(&estimate(&pair, by, rule).unwrap(), &wanted);
                assert!(apart < most, "{name} {what} {site:?} {by:?}: {apart}");
            }
        }
    }
}

#[test]
fn a_run_patched_with_its_own_activations_does_not_change_by_a_bit() {
    let case = &golden()["base"];
    let model = load(&fixtures().join("base"), &Backend::Fused);
    let own = ids(case, "clean");
    let resid = forward(&model, &[&own], &mut NoTap).unwrap();
    let last = resid.narrow(0, own.len() - 1, 1).unwrap();
    let plain = numbers(&model.unembed(&model.final_norm(&last).unwrap(), None).unwrap());
    for site in Where::all() {
        let question = question(case, Metric::LogitDifference);
        let pair = Pair::new(&model, [&own, &own], question, site, Direction::Denoising).unwrap();
        assert!(pair.differs().is_err());
        let bys = if site.has_heads() { vec![By::Position, By::Head] } else { vec![By::Position] };
        for by in bys {
            for layer in 0..model.spec().layers {
                let cells = pair.cells(by);
                let found = numbers(&pair.logits(layer, &cells, None).unwrap());
                for (cell, logits) in cells.iter().zip(found.chunks(plain.len())) {
                    assert_eq!(logits, plain, "{site:?} {layer} {cell:?}");
                }
            }
        }
    }
}

#[test]
fn the_whole_residual_of_the_first_layer_is_the_whole_clean_run() {
    for (name, case) in golden() {
        let model = load(&fixtures().join(&name), &Backend::Fused);
        let clean = ids(&case, "clean");
        let resid = forward(&model, &[&clean], &mut NoTap).unwrap().narrow(0, clean.len() - 1, 1).unwrap();
        let wanted = numbers(&model.unembed(&model.final_norm(&resid).unwrap(), None).unwrap());
        let pair = pair(&model, &case, Metric::LogitDifference, Where::ResidPre, Direction::Denoising);
        assert_eq!(numbers(&pair.logits(0, &[Cell::All], None).unwrap()), wanted, "{name}");
    }
}

/// The induction fixture, whose induction head also copies the token that it finds: logits then rest on what was built.
pub fn copying() -> Gpt2 {
    let folder = tempfile::TempDir::new().unwrap();
    let mut weights = candle_core::safetensors::load(format!("{INDUCTION}/model.safetensors"), &Device::Cpu).unwrap();
    let (tokens, width) = (40, 104);
    for (name, place, height) in [
        ("h.1.attn.c_attn.weight", &(|v: usize| v * 3 * width + 2 * width + v) as &dyn Fn(usize) -> usize, 1.0),
        ("h.1.attn.c_proj.weight", &|v| v * width + v, 4.0),
    ] {
        let mut values = numbers(&weights[name]);
        (0..tokens).for_each(|v| values[place(v)] = height);
        let changed = Tensor::new(values, &Device::Cpu).unwrap().to_dtype(DType::F32).unwrap();
        let changed = changed.reshape(weights[name].shape()).unwrap();
        weights.insert(name.into(), changed);
    }
    candle_core::safetensors::save(&weights, folder.path().join("model.safetensors")).unwrap();
    std::fs::copy(format!("{INDUCTION}/config.json"), folder.path().join("config.json")).unwrap();
    load(folder.path(), &Backend::Fused)
}

#[test]
fn the_heads_that_were_built_for_induction_stand_out_and_no_others() {
    let model = copying();
    // a b u v a → b, against f b u v a, where no b follows an a.
    let (clean, corrupt) = ([0, 1, 20, 21, 0], [5, 1, 20, 21, 0]);
    let question = Question { position: 4, answer: 1, foil: Some(20), metric: Metric::LogitDifference };
    for direction in Direction::all() {
        let pair = Pair::new(&model, [&clean, &corrupt], question, Where::Z, direction).unwrap();
        pair.differs().unwrap();
        let effects: Vec<f64> = (0..2)
            .flat_map(|layer| pair.patched(layer, &pair.cells(By::Head)).unwrap())
            .map(|value| pair.share(value))
            .collect();
        let [previous, sink, induction, nothing] = effects[..] else { panic!("{effects:?}") };
        assert!(previous > 0.9 && induction > 0.9, "{direction:?}: {effects:?}");
        assert!(sink.abs() < 1e-3 && nothing.abs() < 1e-3, "{direction:?}: {effects:?}");
    }
}

#[test]
fn a_model_that_does_not_know_relps_rules_refuses_them() {
    let model = llama::load(&Backend::Fused);
    let question = Question { position: 3, answer: 1, foil: Some(2), metric: Metric::LogitDifference };
    let pair = Pair::new(&model, [&[5, 6, 7, 8], &[5, 9, 7, 8]], question, Where::K, Direction::Denoising).unwrap();
    assert_eq!(estimate(&pair, By::Head, Rule::Relp).unwrap_err().option, Some("rule"));
    assert_eq!(estimate(&pair, By::Head, Rule::Gradient).unwrap()[0].len(), model.spec().kv_heads);
    assert_eq!(pair.patched(0, &pair.cells(By::Head)).unwrap().len(), model.spec().kv_heads);
}

#[test]
fn files_hold_the_grid_and_are_made_again() {
    let shell = Shell::new();
    let two = ["patch", TEXTS[0], TEXTS[1], "-m", "builtin", "-q"];
    shell.ok(&[&two[..], &["-o", "a.json", "-o", "a.csv", "-o", "a.svg", "-o", "a.parquet", "-o", "a.npz"]].concat());
    let found = &json(&shell.read("a.json"))["results"][0];
    let grid: Vec<Vec<f64>> = serde_json::from_value(found["grid"].clone()).unwrap();
    assert_eq!((found["site"].as_str(), found["metric"].as_str()), (Some("resid_pre"), Some("logit-difference")));
    assert_eq!(table(&String::from_utf8(shell.read("a.csv")).unwrap()).len(), 1 + grid.len() * grid[0].len());
    // The last position of the last layer holds nearly all of the answer; the first token is the same in both.
    assert!(grid[0][0].abs() < 1e-5 && grid[grid.len() - 1][grid[0].len() - 1] > 0.5, "{grid:?}");
    for file in ["a.json", "a.svg", "a.npz"] {
        assert!(shell.says(&["rerun", file]).contains("the same bytes"));
    }
    let ran = shell.run(&[&two[..5], &["--attribution", "--site", "z", "--rule", "relp", "-o", "b.json"]].concat());
    assert!(ran.err.contains("largest estimates are off by"), "{}", ran.err);
    let found = &json(&shell.read("b.json"))["results"][0];
    assert_eq!((found["method"].as_str(), found["rule"].as_str()), (Some("attribution-patching"), Some("relp")));
    assert_eq!(found["confirmed"].as_array().unwrap().len(), 10);
    assert!(shell.says(&["rerun", "b.json"]).contains("the same bytes"));
}

#[test]
fn prompts_and_answers_that_cannot_be_patched_are_refused() {
    let shell = Shell::new();
    let [clean, corrupt] = TEXTS;
    for (args, message, hint) in [
        (&[clean, clean][..], "the same tokens", "change a word"),
        (&[clean, "The young king and her and"], "5 tokens, the corrupt one 6", "as many tokens"),
        (&[clean], "no corrupt prompt", "give two"),
        (&[clean, corrupt, "--answer", " son", "--foil", " son"], "the same token", "--foil"),
        (&[clean, corrupt, "--answer", " sonsonson"], "tokens", "--answer"),
        (&[clean, corrupt, "--by", "head"], "no heads", "--by"),
        (&[clean, corrupt, "--site", "nothing"], "nothing", ""),
        (&[clean, corrupt, "--position", "0", "--answer", "5", "--foil", "6"], "differ by", "--answer"),
    ] {
        let (said, way) = shell.fails(2, &[&["patch"], args, &["-m", "builtin", "-o", "a.png"]].concat());
        assert!(said.contains(message) && way.contains(hint), "{args:?}: {said} / {way}");
    }
    let (said, _) = shell.fails(2, &["patch", clean, "The young king and her and", "-m", "builtin", "-o", "a.png"]);
    assert!(said.contains("[·old/·young]") && said.contains("[–/"), "{said}");
}
