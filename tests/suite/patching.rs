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
    Pair::new(model, [&clean, &corrupt], question(case, metric), &[at], direction).unwrap()
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
            let of_layer = |layer| {
                pair.patched(site, layer, &pair.cells(site, by)).unwrap().into_iter().map(|x| pair.share(x)).collect()
            };
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
            for (rule, by) in Rule::all().flat_map(|rule| By::all().map(move |by| (rule, by))) {
                let is_asked = |grid: &(String, Where, By, Vec<Vec<f64>>)| grid.0 == rule.name() && grid.2 == by;
                let wanted: Vec<_> = grids(&case).into_iter().filter(is_asked).collect();
                let sites: Vec<Where> = wanted.iter().map(|(_, site, ..)| *site).collect();
                assert!(sites.len() >= 5, "{name} {rule:?} {by:?}");
                let both = ["clean", "corrupt"].map(|name| ids(&case, name));
                let question = question(&case, Metric::LogitDifference);
                // All sites at once, and each by itself.
                let [clean, corrupt] = &both;
                let pair = Pair::new(&model, [clean, corrupt], question, &sites, Direction::Denoising).unwrap();
                let asked: Vec<(Where, By)> = sites.iter().map(|site| (*site, by)).collect();
                let together = estimate(&pair, &asked, rule).unwrap();
                for ((_, site, _, wanted), found) in wanted.iter().zip(&together) {
                    let alone = estimate(&pair, &[(*site, by)], rule).unwrap().remove(0);
                    for found in [found, &alone] {
                        let apart = farthest(found, wanted);
                        assert!(apart < most, "{name} {rule:?} {site:?} {by:?}: {apart}");
                    }
                }
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
        let pair = Pair::new(&model, [&own, &own], question, &[site], Direction::Denoising).unwrap();
        assert!(pair.differs().is_err());
        let bys = if site.has_heads() { vec![By::Position, By::Head] } else { vec![By::Position] };
        for by in bys {
            for layer in 0..model.spec().layers {
                let cells = pair.cells(site, by);
                let found = numbers(&pair.logits(site, layer, &cells, None).unwrap());
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
        assert_eq!(numbers(&pair.logits(Where::ResidPre, 0, &[Cell::All], None).unwrap()), wanted, "{name}");
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
        let pair = Pair::new(&model, [&clean, &corrupt], question, &[Where::Z], direction).unwrap();
        pair.differs().unwrap();
        let effects: Vec<f64> = (0..2)
            .flat_map(|layer| pair.patched(Where::Z, layer, &pair.cells(Where::Z, By::Head)).unwrap())
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
    let pair = Pair::new(&model, [&[5, 6, 7, 8], &[5, 9, 7, 8]], question, &[Where::K], Direction::Denoising).unwrap();
    let keys = [(Where::K, By::Head)];
    assert_eq!(estimate(&pair, &keys, Rule::Relp).unwrap_err().option, Some("rule"));
    assert_eq!(estimate(&pair, &keys, Rule::Gradient).unwrap()[0][0].len(), model.spec().kv_heads);
    assert_eq!(pair.patched(Where::K, 0, &pair.cells(Where::K, By::Head)).unwrap().len(), model.spec().kv_heads);
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

/// Pairs of prompts, of which some cannot be used.
const PAIRS: &str = r#"{"clean": "The old king and his", "corrupt": "The young king and her", "answer": " wife", "foil": " daughter"}
{"clean": "The old king and his", "corrupt": "The old king and his", "answer": " wife", "foil": " daughter"}
{"clean": "The old fox and his", "corrupt": "The old hen and her", "answer": " wife", "foil": " daughter"}
{"clean": "The very old fox and his", "corrupt": "The very old hen and her", "answer": " wife", "foil": " daughter"}
{"clean": "The old king and his", "corrupt": "The young king and her and", "answer": " wife", "foil": " daughter"}
{"clean": "The old king and his", "corrupt": "The young king and her", "answer": " wife"}
{"clean": "A young man and his", "corrupt": "A young woman and her", "answer": "son", "foil": " daughter"}
"#;

#[test]
fn many_pairs_have_the_mean_of_their_grids_and_students_interval() {
    let shell = Shell::new();
    shell.write("pairs.jsonl", PAIRS);
    for (site, used) in [("resid_pre", [0, 2, 6].as_slice()), ("z", &[0, 2, 3, 6])] {
        let out = format!("{site}.json");
        let ran = shell.run(&["patch", "--pairs", "pairs.jsonl", "-m", "builtin", "--site", site, "-o", &out]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let mut grids = Vec::new();
        for line in used {
            let row: Value = serde_json::from_str(PAIRS.lines().nth(*line).unwrap()).unwrap();
            let of = |name: &str| row[name].as_str().unwrap();
            let one =
                ["patch", of("clean"), of("corrupt"), "--answer", of("answer"), "--foil", of("foil"), "--site", site];
            shell.ok(&[&one[..], &["-m", "builtin", "-q", "-o", "one.json"]].concat());
            let grid: Vec<Vec<f64>> =
                serde_json::from_value(json(&shell.read("one.json"))["results"][0]["grid"].clone()).unwrap();
            grids.push(grid.concat());
        }
        let found = &json(&shell.read(&out))["results"][0];
        let lines: Vec<u64> =
            found["pairs"].as_array().unwrap().iter().map(|pair| pair["line"].as_u64().unwrap() - 1).collect();
        assert_eq!(lines, used.iter().map(|line| *line as u64).collect::<Vec<_>>());
        let of = |name: &str| serde_json::from_value::<Vec<Vec<f64>>>(found[name].clone()).unwrap().concat();
        let (mean, low, high) = (of("grid"), of("low"), of("high"));
        let count = grids.len() as f64;
        // scipy.stats.t.ppf(0.975, n - 1)
        let quantile = if grids.len() == 3 { 4.302_652_7 } else { 3.182_446_3 };
        for at in 0..mean.len() {
            let own = grids.iter().map(|grid| grid[at]).sum::<f64>() / count;
            let variance = grids.iter().map(|grid| (grid[at] - own).powi(2)).sum::<f64>() / (count - 1.0);
            let half = quantile * (variance / count).sqrt();
            let apart = [mean[at] - own, low[at] - (own - half), high[at] - (own + half)];
            assert!(apart.iter().all(|x| x.abs() < 1e-5), "{site} {at}: {apart:?}");
        }
        for named in
            ["pairs.jsonl:2: the clean", "pairs.jsonl:5: the clean prompt is 5", "pairs.jsonl:6: it has no foil"]
        {
            assert!(ran.err.contains(named), "{}", ran.err);
        }
        assert_eq!(ran.err.contains("pairs.jsonl:4: it has 6 tokens"), site == "resid_pre", "{}", ran.err);
        assert!(ran.err.contains("pairs.jsonl:7: answer: \" son\", with a space"), "{}", ran.err);
    }
}

#[test]
fn pairs_are_drawn_made_again_and_cut_short_or_refused() {
    let shell = Shell::new();
    shell.write("pairs.jsonl", PAIRS);
    let all = ["patch", "--pairs", "pairs.jsonl", "-m", "builtin", "-q"];
    shell.ok(&[&all[..], &["-o", "a.svg", "-o", "a.json", "-o", "a.csv", "-o", "a.parquet"]].concat());
    let svg = shell.text("a.svg");
    assert!(svg.contains("in brackets: the 95 % interval holds 0 (") && svg.contains(">(0)<"), "no cell in brackets");
    assert!(svg.contains("position 0 is the same in both prompts of every pair") && svg.contains("4 rows could not"));
    for file in ["a.svg", "a.json"] {
        let (said, way) = shell.fails(1, &["rerun", file]);
        assert!(said.contains("pairs.jsonl") && way.contains("--input"), "{said} / {way}");
        assert!(shell.says(&["rerun", file, "--input", "pairs.jsonl"]).contains("the same bytes"));
    }
    let rows = table(&shell.text("a.csv"));
    assert!(rows.len() == 1 + 25 && rows[1][..3] == ["0", "0", "#0"] && rows[1][7] == "3", "{rows:?}");
    let (said, _) = shell.fails(1, &[&all[..], &["--strict", "-o", "a.svg"]].concat());
    assert!(said.contains("pairs.jsonl:6"), "{said}");
    let sampled = |seed: &str| {
        shell.ok(&[&all[..], &["--limit", "5", "--seed", seed, "--site", "z", "-o", "s.json"]].concat());
        json(&shell.read("s.json"))["results"][0]["pairs"].clone()
    };
    assert_eq!(sampled("3"), sampled("3"));
    assert!((0..8).any(|seed| sampled(&seed.to_string()) != sampled("3")));
    // A table without a header, of a metric that needs no foil; one pair has no interval.
    shell.write("pairs.tsv", "The old king and his\tThe young king and her\t wife\n");
    shell.ok(&["patch", "--pairs", "pairs.tsv", "-m", "builtin", "-q", "--metric", "logprob", "-o", "one.svg"]);
    assert!(shell.text("one.svg").contains("one pair has no interval"));
    for (code, args, message) in [
        (2, &["--pairs", "pairs.jsonl", "The king"][..], "cannot be used with"),
        (2, &["--pairs", "pairs.jsonl", "--answer", "5"], "cannot be used with"),
        (2, &["--pairs", "pairs.jsonl", "--by", "head"], "no heads"),
        (2, &["--pairs", "pairs.jsonl", "--limit", "0"], "limit of 0"),
        (2, &["The king", "The queen", "--limit", "3"], "limit is not for"),
        (1, &["--pairs", "none.jsonl"], "cannot read none.jsonl"),
        (1, &["--pairs", "pairs.tsv"], "has no pair"),
    ] {
        let (said, _) = shell.fails(code, &[&["patch", "-m", "builtin", "-o", "x.png"], args].concat());
        assert!(said.contains(message), "{args:?}: {said}");
    }
}

#[test]
fn a_long_common_beginning_is_not_drawn_and_a_space_that_lacks_is_doubted() {
    let shell = Shell::new();
    let same = "Once upon a time there was a king who lived by the sea. ".repeat(2);
    let [clean, corrupt] = TEXTS.map(|text| format!("{same}{text}"));
    let args = ["patch", &clean, &corrupt, "-m", "builtin", "--answer", "son", "--foil", " daughter"];
    let ran = shell.run(&[&args[..], &["-o", "a.svg", "-o", "a.json"]].concat());
    assert!(ran.err.contains("--answer \" son\", with a space in front, is likelier"), "{}", ran.err);
    let svg = shell.text("a.svg");
    assert!(svg.contains("are the same in both prompts") && svg.contains("corrupt: … "), "{svg}");
    assert!(svg.contains("old king and his") && !svg.contains(">·Once<"));
    // Files hold all of it, and what was left out is what a run through the model gives.
    let grid: Vec<Vec<f64>> =
        serde_json::from_value(json(&shell.read("a.json"))["results"][0]["grid"].clone()).unwrap();
    assert!(grid[0].len() > 28 && grid.iter().all(|row| row[..28].iter().all(|x| *x == 0.0)), "{grid:?}");
    let quiet = shell.run(&[&args[..6], &[" son", "--foil", " daughter", "-o", "b.svg"]].concat());
    assert!(!quiet.err.contains("likelier"), "{}", quiet.err);
}

#[test]
fn estimates_over_many_pairs_are_the_mean_of_theirs_and_the_largest_are_patched_in_every_pair() {
    let shell = Shell::new();
    shell.write("pairs.jsonl", PAIRS);
    let all = ["patch", "--pairs", "pairs.jsonl", "-m", "builtin", "--site", "z", "-q"];
    shell.ok(&[&all[..], &["--attribution", "-o", "e.json", "-o", "e.csv", "-o", "e.svg"]].concat());
    shell.ok(&[&all[..], &["-o", "x.json"]].concat());
    let (estimated, exact) = (json(&shell.read("e.json")), json(&shell.read("x.json")));
    let (estimated, exact) = (&estimated["results"][0], &exact["results"][0]);
    assert_eq!((&estimated["method"], &estimated["rule"]), (&"attribution-patching-pairs".into(), &"gradient".into()));
    let of = |found: &Value, name: &str| serde_json::from_value::<Vec<Vec<f64>>>(found[name].clone()).unwrap();
    let mut sum = vec![0.0; of(estimated, "grid").concat().len()];
    for line in [0, 2, 3, 6] {
        let row: Value = serde_json::from_str(PAIRS.lines().nth(line).unwrap()).unwrap();
        let of_row = |name: &str| row[name].as_str().unwrap();
        let one = ["patch", of_row("clean"), of_row("corrupt"), "--answer", of_row("answer"), "--foil", of_row("foil")];
        shell.ok(&[&one[..], &["--site", "z", "--attribution", "-m", "builtin", "-q", "-o", "one.json"]].concat());
        let grid = of(&json(&shell.read("one.json"))["results"][0], "grid").concat();
        sum.iter_mut().zip(grid).for_each(|(sum, x)| *sum += x / 4.0);
    }
    assert!(of(estimated, "grid").concat().iter().zip(&sum).all(|(a, b)| (a - b).abs() < 1e-5), "{sum:?}");
    let confirmed = estimated["confirmed"].as_array().unwrap();
    assert_eq!(confirmed.len(), 10);
    let place = |cell: &Value, name: &str| cell[name].as_u64().unwrap() as usize;
    for cell in confirmed {
        let (layer, head) = (place(cell, "layer"), place(cell, "cell"));
        for (ours, theirs) in [("exact", "grid"), ("low", "low"), ("high", "high")] {
            let apart = cell[ours].as_f64().unwrap() - of(exact, theirs)[layer][head];
            assert!(apart.abs() < 1e-5, "{layer}.{head} {ours}: {apart}");
        }
    }
    let least = confirmed.iter().map(|cell| cell["estimate"].as_f64().unwrap().abs()).fold(f64::INFINITY, f64::min);
    assert_eq!(sum.iter().filter(|x| x.abs() > least + 1e-5).count(), 9, "the ten largest: {sum:?}");
    let rows = shell.text("e.csv");
    assert_eq!(rows.lines().filter(|row| row.contains(",,")).count(), sum.len() - 10, "{rows}");
    let figure = shell.text("e.svg");
    assert!(figure.contains("the 10 largest estimates are off by") && figure.contains("Estimated, and patched"));
    assert!(shell.says(&["rerun", "e.json", "--input", "pairs.jsonl"]).contains("the same bytes"));
    let (_, way) = shell.fails(2, &[&all[..], &["--rule", "relp", "-o", "a.png"]].concat());
    assert!(way.contains("--rule"), "{way}");
}

#[test]
fn all_sites_are_estimated_in_one_run_as_each_is_alone() {
    let shell = Shell::new();
    let two = ["patch", TEXTS[0], TEXTS[1], "-m", "builtin", "-q", "--attribution"];
    shell
        .ok(&[&two[..], &["--site", "all", "-o", "all.json", "-o", "all.csv", "-o", "all.npz", "-o", "all.svg"]]
            .concat());
    let all: Value = serde_json::from_slice(&shell.read("all.json")).unwrap();
    let results = all["results"].as_array().unwrap();
    assert_eq!(results.len(), Where::all().count());
    for (result, site) in results.iter().zip(Where::all()) {
        assert_eq!(result["method"], format!("attribution-patching-{}", site.name()));
        shell.ok(&[&two[..], &["--site", site.name(), "-o", "one.json"]].concat());
        let one: Value = serde_json::from_slice(&shell.read("one.json")).unwrap();
        let grid = |of: &Value| crate::support::results::flat(&of["grid"]);
        let (many, alone) = (grid(result), grid(&one["results"][0]));
        assert_eq!(many.len(), alone.len(), "{site:?}");
        let apart = many.iter().zip(&alone).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-4, "{site:?}: {apart}");
        assert_eq!(result["confirmed"].as_array().unwrap().len(), 3);
        for (few, ten) in
            result["confirmed"].as_array().unwrap().iter().zip(one["results"][0]["confirmed"].as_array().unwrap())
        {
            let exact = |of: &Value| of["exact"].as_f64().unwrap();
            assert!((exact(few) - exact(ten)).abs() < 1e-4, "{site:?}: {few} {ten}");
        }
    }
    assert!(
        shell.text("all.csv").starts_with("index,prompt,site,layer,cell,label,effect,exact")
            || shell.text("all.csv").starts_with("site,layer,cell,label,effect,exact"),
        "{:.80}",
        shell.text("all.csv")
    );
    shell.ok(&["rerun", "all.json"]);
    let (message, hint) = shell.fails(2, &[&two[..6], &["--site", "all"]].concat());
    assert!(message.contains("estimated") && hint.contains("--attribution"), "{message} {hint}");
}
