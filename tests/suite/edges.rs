//! `attnviz patch --edges`: scores and circuits against a model in plain PyTorch whose every reader has an input of its own.
use crate::patching::copying;
use crate::support::results::{json, table};
use crate::support::shell::Shell;
use crate::support::{fixtures, llama, load};
use attnviz::analysis::patching::edges::{Edge, Edges, Node, Reader, ranked};
use attnviz::analysis::patching::{Metric, Question};
use attnviz::model::{Backend, End, Gpt2, Model};
use attnviz::named::Named;
use candle_core::{DType, Device};
use serde_json::Value;
use std::collections::BTreeMap;

fn read(name: &str) -> BTreeMap<String, Value> {
    serde_json::from_slice(&std::fs::read(fixtures().join(name)).unwrap()).unwrap()
}

/// What `tests/make_edges_golden.py` found of each checkpoint, with the prompts of `patching.json`.
fn golden() -> Vec<(String, Value, Value)> {
    let mut prompts = read("patching.json");
    read("edges.json").into_iter().map(|(name, found)| (name.clone(), found, prompts.remove(&name).unwrap())).collect()
}

fn edges<'a>(model: &'a Gpt2, case: &Value, metric: Metric) -> Edges<'a> {
    let ids = |name: &str| -> Vec<u32> { serde_json::from_value(case[name].clone()).unwrap() };
    let id = |name: &str| case[name].as_u64().unwrap() as u32;
    let (clean, corrupt) = (ids("clean"), ids("corrupt"));
    let foil = (metric == Metric::LogitDifference).then(|| id("foil"));
    let question = Question { position: clean.len() - 1, answer: id("answer"), foil, metric };
    Edges::new(model, [&clean, &corrupt], question).unwrap()
}

fn backends() -> [(Backend, f64); 2] {
    [(Backend::Fused, 1e-4), (Backend::Composite(DType::F64, Device::Cpu), 1e-6)]
}

#[test]
fn scores_are_those_of_autograd_on_a_residual_stream_in_parts() {
    for (name, found, case) in golden() {
        for (backend, most) in backends() {
            let model = load(&fixtures().join(&name), &backend);
            for (metric, wanted) in found["scores"].as_object().unwrap() {
                let edges = edges(&model, &case, Metric::named(metric).unwrap());
                let wanted: Vec<Vec<f64>> = serde_json::from_value(wanted.clone()).unwrap();
                let scores = edges.scores(found["steps"].as_u64().unwrap() as usize, &|_, _| ()).unwrap();
                assert_eq!(scores.len(), wanted.iter().map(Vec::len).sum::<usize>());
                for Edge { writer, reader, score } in scores {
                    let apart = (score - wanted[reader][writer]).abs();
                    assert!(apart < most, "{name} {metric} {writer} → {reader}: {score}, apart {apart}");
                }
            }
        }
    }
}

#[test]
fn a_circuit_runs_as_in_plain_pytorch() {
    for (name, found, case) in golden() {
        for (backend, most) in backends() {
            let model = load(&fixtures().join(&name), &backend);
            for circuit in found["circuits"].as_array().unwrap() {
                let kept: Vec<[usize; 2]> = serde_json::from_value(circuit["edges"].clone()).unwrap();
                let kept: Vec<Edge> =
                    kept.into_iter().map(|[writer, reader]| Edge { writer, reader, score: 0.0 }).collect();
                for (metric, wanted) in circuit["values"].as_object().unwrap() {
                    let edges = edges(&model, &case, Metric::named(metric).unwrap());
                    let value = edges.run(&kept).unwrap();
                    let apart = (value - wanted.as_f64().unwrap()).abs();
                    assert!(apart < most, "{name} {metric} {}: {value}, apart {apart}", kept.len());
                }
            }
        }
    }
}

#[test]
fn all_edges_are_the_clean_run_none_the_corrupt_one_and_pruning_changes_nothing() {
    for (name, _, case) in golden() {
        let model = load(&fixtures().join(&name), &Backend::Fused);
        let edges = edges(&model, &case, Metric::LogitDifference);
        let ranked = ranked(edges.scores(2, &|_, _| ()).unwrap());
        let [clean, corrupt] = edges.values();
        assert_eq!((edges.faithfulness(&ranked).unwrap(), edges.faithfulness(&[]).unwrap()), (1.0, 0.0), "{name}");
        // The same by running: every input is then what the clean run reads.
        let run = (edges.run(&ranked).unwrap() - corrupt) / (clean - corrupt);
        assert!((run - 1.0).abs() < 1e-5, "{name}: {run}");
        assert_eq!(edges.run(&[]).unwrap(), corrupt, "{name}");
        for count in [ranked.len() / 8, ranked.len() / 4, ranked.len() / 2] {
            let pruned = edges.wiring.pruned(&ranked[..count]);
            let [whole, part] = [&ranked[..count], &pruned].map(|kept| edges.run(kept).unwrap());
            assert!((whole - part).abs() < 1e-6, "{name} {count}: {whole} {part}");
        }
    }
}

#[test]
fn the_edges_that_were_built_for_induction_stand_out_and_no_others() {
    let model = copying();
    // a b u v a → b, against f b u v a, where no b follows an a.
    let (clean, corrupt) = ([0, 1, 20, 21, 0], [5, 1, 20, 21, 0]);
    let question = Question { position: 4, answer: 1, foil: Some(20), metric: Metric::LogitDifference };
    let edges = Edges::new(&model, [&clean, &corrupt], question).unwrap();
    let ranked = ranked(edges.scores(5, &|_, _| ()).unwrap());
    let built = [
        (Node::Embedding, Reader::Head(0, 0, End::Value)), // the previous token's code …
        (Node::Head(0, 0), Reader::Head(1, 0, End::Key)),  // … is the induction head's key …
        (Node::Head(1, 0), Reader::Logits),                // … and that head copies what follows
    ];
    let ends = |edge: &Edge| (edges.wiring.node(edge.writer), edges.wiring.reader(edge.reader));
    let first: Vec<_> = ranked[..3].iter().map(ends).collect();
    let shown: Vec<_> = ranked.iter().take(8).map(|edge| (ends(edge), edge.score)).collect();
    assert!(built.iter().all(|edge| first.contains(edge)), "{shown:?}");
    assert!(ranked[3].score.abs() < 0.05 * ranked[2].score.abs(), "{shown:?}");
    let faithful = edges.faithfulness(&ranked[..3]).unwrap();
    assert!((faithful - 1.0).abs() < 0.05, "{faithful}");
    assert!(edges.faithfulness(&ranked[..2]).unwrap().abs() < 0.01 && edges.wiring.pruned(&ranked[..2]).is_empty());
}

#[test]
fn a_model_whose_heads_share_keys_is_refused() {
    let model = llama::load(&Backend::Fused);
    let question = Question { position: 3, answer: 1, foil: Some(2), metric: Metric::LogitDifference };
    let refused = Edges::new(&model, [&[5, 6, 7, 8], &[5, 9, 7, 8]], question).err().unwrap();
    assert!(model.spec().kv_heads < model.spec().heads && refused.message.contains("share keys"), "{refused:?}");
}

const TWO: [&str; 5] = ["patch", "The old king and his", "The young king and her", "-m", "builtin"];

#[test]
fn files_hold_every_edge_and_the_curve_and_are_made_again() {
    let shell = Shell::new();
    let files = ["-o", "a.json", "-o", "a.csv", "-o", "a.svg", "-o", "a.parquet", "-o", "a.npz", "-o", "a.txt"];
    let ran = shell.run(&[&TWO[..], &["--edges", "--circuit", "10", "-o", "a.dot"], &files].concat());
    assert!(ran.err.contains("these 10 make 0.79"), "{}", ran.err);
    let found = &json(&shell.read("a.json"))["results"][0];
    let edges = found["edges"].as_array().unwrap();
    let wiring = attnviz::analysis::patching::edges::Wiring { layers: 5, heads: 4 };
    assert_eq!((edges.len(), table(&shell.text("a.csv")).len()), (761, 762));
    assert_eq!((wiring.edges(), found["steps"].as_u64(), found["circuit"].as_u64()), (761, Some(5), Some(10)));
    let size = |edge: &Value| edge["score"].as_f64().unwrap().abs();
    assert!(edges.windows(2).all(|two| size(&two[0]) >= size(&two[1])));
    let count = |what: &str| edges.iter().filter(|edge| edge["circuit"] == what).count();
    assert_eq!(
        (count("in") as u64 + count("pruned") as u64, count("in") as u64),
        (10, found["kept"].as_u64().unwrap())
    );
    let curve: Vec<(u64, f64)> = found["curve"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| (point["edges"].as_u64().unwrap(), point["faithfulness"].as_f64().unwrap()))
        .collect();
    assert_eq!((curve[0], curve[curve.len() - 1]), ((0, 0.0), (761, 1.0)));
    let ten = curve.iter().find(|point| point.0 == 10).unwrap();
    assert_eq!(found["faithfulness"].as_f64(), Some(ten.1));
    let dot = shell.text("a.dot");
    assert_eq!(dot.matches(" -> ").count() as u64, found["kept"].as_u64().unwrap());
    assert!(dot.contains("\"embedding\" -> \"MLP 0\"") && dot.ends_with("}\n"), "{dot}");
    let text = shell.text("a.txt");
    assert!(text.contains("MLP 0 ← into MLPs and logits: embedding"), "{text}");
    for file in ["a.json", "a.svg", "a.npz"] {
        assert!(shell.says(&["rerun", file]).contains("the same bytes"));
    }
}

#[test]
fn a_title_cannot_leave_its_string_in_a_graph() {
    let shell = Shell::new();
    let (clean, corrupt) = ("The \"old\\ king\" and his", "The \"red\\ king\" and his");
    let question = ["--answer", " wife", "--foil", " son"];
    shell.ok(&[&["patch", clean, corrupt, "-m", "builtin", "--edges", "-o", "a.dot"], &question[..]].concat());
    let dot = shell.text("a.dot");
    let label = dot.lines().find(|line| line.contains("label=")).unwrap();
    let title =
        r#"label="The \"old\\ king\" and his · corrupt: The \"red\\ king\" and his\nrun by themselves, these 50 make "#;
    assert!(label.trim().starts_with(title) && label.ends_with("\";"), "{label}");
}

#[test]
fn circuits_and_options_that_cannot_be_meant_are_refused() {
    let shell = Shell::new();
    for (args, message, hint) in [
        (&["--circuit", "0"][..], "0 edges", "--circuit"),
        (&["--circuit", "762"], "761 edges, not 762", "--circuit"),
        (&["--steps", "0"], "steps 0", "--steps"),
        (&["--site", "z"], "--site", ""),
        (&["--by", "head"], "--by", ""),
        (&["--direction", "noising"], "--direction", ""),
        (&["--attribution"], "--attribution", ""),
        (&["--rule", "relp"], "--rule", ""),
        (&["--answer", " son", "--foil", " son"], "the same token", "--foil"),
        (&["--position", "0", "--answer", "5", "--foil", "6"], "differ by", "--answer"),
        (&["-o", "{head}.dot"], "no file for each layer or head", ""),
    ] {
        let (said, way) = shell.fails(2, &[&TWO[..], &["--edges", "-o", "a.png"], args].concat());
        assert!(said.contains(message) && way.contains(hint), "{args:?}: {said} / {way}");
    }
    for args in [&["--circuit", "5"][..], &["--steps", "3"]] {
        assert!(shell.fails(2, &[&TWO[..], args].concat()).0.contains("--edges"));
    }
    let same = ["patch", TWO[1], TWO[1], "-m", "builtin", "--edges"];
    assert!(shell.fails(2, &same).0.contains("the same tokens"));
}

#[test]
fn a_graph_is_refused_where_there_is_none_before_anything_is_loaded() {
    let shell = Shell::new();
    for args in
        [&["attention", "a"][..], &["heads"], &["lens", "a"], &["qk", "a"], &["patch", "a", "b"], &["diff", "a", "b"]]
    {
        let (said, way) = shell.fails(2, &[args, &["-m", "nowhere", "-o", "a.dot"]].concat());
        assert!(said.contains("finds no graph") && way.contains("patch --edges"), "{args:?}: {said} / {way}");
    }
}
