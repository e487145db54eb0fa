//! `attnviz heads` over a corpus and by weights alone: against transformers and NumPy, examples against an exhaustive search.
use crate::support::base::BASE;
use crate::support::results::{flat, json, npz, shape, table};
use crate::support::shell::Shell;
use crate::support::{fixtures, llama, load, numbers};
use attnviz::analysis::composition::{Composition, composition};
use attnviz::model::{Backend, End, Model};
use candle_core::{Device, Tensor};
use serde_json::{Value, json};

/// What `tests/make_heads_golden.py` found.
fn golden() -> Value {
    serde_json::from_slice(&std::fs::read(fixtures().join("heads.json")).unwrap()).unwrap()
}

/// The beginning of a text in many languages, of which the golden file is.
fn corpus(shell: &Shell) {
    let text = std::fs::read_to_string(fixtures().join("multilingual.txt")).unwrap();
    shell.write("corpus.txt", text.chars().take(3000).collect::<String>());
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

#[track_caller]
fn near(ours: f64, theirs: f64, most: f64, what: &str) {
    assert!((ours - theirs).abs() <= most, "{what}: {ours}, wanted {theirs}");
}

#[test]
fn scores_over_a_corpus_are_those_of_transformers_and_examples_those_of_an_exhaustive_search() {
    let shell = Shell::new();
    corpus(&shell);
    for case in golden()["corpus"].as_array().unwrap() {
        let mut flags: Vec<String> =
            vec!["heads".into(), "--corpus".into(), "corpus.txt".into(), "-m".into(), BASE.into()];
        for (name, value) in case["case"].as_object().unwrap() {
            flags.push(format!("--{name}"));
            flags.extend((name != "bos").then(|| value.to_string()));
        }
        flags.extend(["-o", "-", "--format", "json", "-q"].map(String::from));
        let found = json(&shell.ok(&flags));
        let found = &found["results"][0];
        assert_eq!((&found["sequences"], &found["tokens"]), (&case["sequences"], &case["tokens"]), "{flags:?}");
        for (at, wanted) in case["heads"].as_array().unwrap().iter().enumerate() {
            let (layer, head) = (at / 2, at % 2);
            for (name, score) in wanted["scores"].as_object().unwrap() {
                near(number(&found[name][layer][head]), number(score), 2e-5 * number(score).max(1.0), name);
            }
            let own = &found["examples"][at];
            assert_eq!((&own["layer"], &own["head"]), (&json!(layer), &json!(head)));
            near(number(&own["lowest"]), number(&wanted["range"][0]), 1e-5, "lowest");
            near(number(&own["highest"]), number(&wanted["range"][1]), 1e-5, "highest");
            for (ours, theirs) in own["fifths"].as_array().unwrap().iter().zip(wanted["fifths"].as_array().unwrap()) {
                let (ours, theirs) = (ours.as_array().unwrap(), theirs.as_array().unwrap());
                assert_eq!(ours.len(), theirs.len(), "{flags:?} {at}");
                for (ours, theirs) in ours.iter().zip(theirs) {
                    assert_eq!((&ours["sequence"], &ours["query"]), (&theirs[0], &theirs[1]), "{flags:?} {at}");
                    near(number(&ours["weight"]), number(&theirs[2]), 1e-5, "weight");
                    for (ours, theirs) in ours["keys"].as_array().unwrap().iter().zip(theirs[3].as_array().unwrap()) {
                        near(number(&ours["weight"]), number(&theirs[1]), 1e-5, "key's weight");
                        assert_eq!(ours["position"], theirs[0]);
                    }
                }
            }
        }
    }
}

#[test]
fn one_sequence_of_a_corpus_has_the_scores_of_a_prompt() {
    let shell = Shell::new();
    shell.write("text.txt", "The fox met the crow by the well. The fox\n");
    let args = ["heads", "-m", "builtin", "-q", "-o", "-", "--format", "json"];
    let of_corpus = json(&shell.ok(&[&args[..], &["--corpus", "text.txt"]].concat()));
    let of_prompt = json(&shell.ok(&[&args[..], &["--file", "text.txt"]].concat()));
    for score in
        ["previous", "duplicate", "induction", "sink", "self", "distance", "spread", "entropy", "entropy_bits", "label"]
    {
        assert_eq!(of_corpus["results"][0][score], of_prompt["results"][0][score], "{score}");
    }
}

#[test]
fn the_table_and_the_picture_of_a_corpus_are_of_all_heads_or_of_one_head_s_examples() {
    let shell = Shell::new();
    corpus(&shell);
    let args = ["heads", "--corpus", "corpus.txt", "-m", BASE, "--length", "24", "-q"];
    shell
        .ok(&[&args[..], &["-o", "a.csv", "-o", "a.txt", "-o", "a.parquet", "--sort", "spread", "-o", "a.png"]]
            .concat());
    let rows = table(&shell.text("a.csv"));
    let at = |name: &str| rows[0].iter().position(|column| column == name).unwrap();
    let spread: Vec<f32> = rows[1..].iter().map(|row| row[at("spread")].parse().unwrap()).collect();
    assert!(spread.len() == 4 && spread.is_sorted_by(|a, b| a >= b), "{spread:?}");
    let text = shell.text("a.txt");
    assert!(text.contains("base · corpus.txt") && text.contains("sequences of 24 tokens at most"), "{text}");
    shell.ok(&[&args[..], &["--head", "L1H0", "-o", "b.csv", "-o", "b.txt", "-o", "b.json"]].concat());
    let rows = table(&shell.text("b.csv"));
    assert!(rows[1..].iter().all(|row| row[..2] == ["1", "0"]) && rows.len() > 15, "{rows:?}");
    let examples = json(&shell.read("b.json"))["results"][0]["examples"].clone();
    assert!(examples.as_array().unwrap().len() == 1 && examples[0]["layer"] == 1, "{examples}");
    let text = shell.text("b.txt");
    assert!(text.contains("what head 1.0 does") && text.contains("looks at"), "{text}");
}

#[test]
fn a_result_over_a_corpus_is_made_again_from_the_same_file_only() {
    let shell = Shell::new();
    corpus(&shell);
    shell.ok(&[
        "heads",
        "--corpus",
        "corpus.txt",
        "-m",
        "builtin",
        "--length",
        "16",
        "--limit",
        "5",
        "-o",
        "a.json",
        "-q",
    ]);
    shell.ok(&["rerun", "a.json", "--input", "corpus.txt"]);
    assert!(shell.fails(1, &["rerun", "a.json"]).1.contains("--input corpus.txt"));
    shell.write("other.txt", "Another text, which is long enough to be one.");
    assert!(shell.fails(3, &["rerun", "a.json", "--input", "other.txt"]).0.contains("a.json"));
}

#[test]
fn what_cannot_be_asked_of_a_corpus_is_said() {
    let shell = Shell::new();
    shell.write("text.txt", "The fox met the crow by the well.").write("empty.txt", "").write("one.txt", "a");
    shell.write("prompts.txt", "One\nTwo\n");
    let fails = |code: i32, flags: &[&str]| {
        let (message, hint) = shell.fails(code, &[&["heads", "-m", BASE, "-q", "-o", "a.png"], flags].concat());
        format!("{message} {hint}")
    };
    for (code, flags, said) in [
        (1, &["--corpus", "empty.txt"][..], "empty.txt has fewer than two tokens"),
        (1, &["--corpus", "one.txt"], "one.txt has fewer than two tokens"),
        (1, &["--corpus", "none.txt"], "none.txt"),
        (2, &["--corpus", "text.txt", "--length", "33"], "--length"),
        (2, &["--corpus", "text.txt", "--length", "1"], "--length"),
        (2, &["--corpus", "text.txt", "--head", "2.0"], "--head"),
        (2, &["--corpus", "text.txt", "--head", "1"], "--head"),
        (2, &["--corpus", "text.txt", "--head", "0.1,1.1"], "--head"),
        (2, &["--corpus", "text.txt", "--limit", "0"], "--limit"),
        (2, &["--length", "8"], "--corpus"),
        (2, &["--corpus", "text.txt", "a prompt"], "--corpus"),
        (2, &["--weights", "a prompt"], "--weights"),
        (2, &["--weights", "--sort", "sink"], "--sort"),
        (2, &["--weights", "--corpus", "text.txt"], "--weights"),
    ] {
        let message = fails(code, flags);
        assert!(message.contains(said), "{flags:?}: {message}");
    }
    let batch = ["batch", "prompts.txt", "--out", "d", "--run", "heads", "-m", BASE, "--corpus", "text.txt"];
    assert!(shell.fails(2, &batch).0.contains("--corpus"));
    let batch = ["batch", "prompts.txt", "--out", "d", "--run", "heads", "-m", BASE, "--weights"];
    assert!(shell.fails(2, &batch).1.contains("--weights"));
}

#[test]
fn weights_alone_say_what_numpy_reads_from_them() {
    for (name, wanted) in golden()["weights"].as_object().unwrap() {
        let model = load(&fixtures().join(name), &Backend::Fused);
        let Composition { copying, position, read, chance, spread } = composition(&model, 0, &|_, _| ()).unwrap();
        let (copying, position) = (copying.unwrap(), position.unwrap());
        let all = position.len();
        let numbers = |key: &str| wanted[key].as_array().unwrap().iter().map(number).collect::<Vec<_>>();
        for (key, ours) in [("copying", &copying), ("position_share", &position)] {
            for (ours, theirs) in ours.iter().zip(numbers(key)) {
                near(*ours, theirs, 1e-4, &format!("{name} {key}"));
            }
        }
        let mut pairs = wanted["pairs"].as_array().unwrap().iter();
        let earlier = |at: &usize| at % all / model.spec().heads < at / all / model.spec().heads;
        for at in (0..all * all).filter(earlier) {
            let theirs = pairs.next().unwrap();
            for (input, ours) in read.iter().enumerate() {
                near(ours[at] + chance, number(&theirs[input]), 1e-5, &format!("{name} {input} {at}"));
            }
        }
        let none = |ours: &Vec<f64>| (0..all * all).filter(|at| !earlier(at)).all(|at| ours[at].is_nan());
        assert!(read.iter().all(none), "{name}");
        assert!(pairs.next().is_none(), "{name}");
        let [theirs, deviation] = [0, 1].map(|which| number(&wanted["chance"][which]));
        // Five standard errors of the mean of 32 draws.
        near(chance, theirs, 5.0 * deviation / 32f64.sqrt(), name);
        assert!((0.5..2.0).contains(&(spread / deviation)), "{name}: {spread} {deviation}");
    }
}

#[test]
fn a_model_that_shares_its_keys_and_values_is_read_as_it_is_run() {
    let model = llama::load(&Backend::Fused);
    let found = composition(&model, 0, &|_, _| ()).unwrap();
    let (spec, all) = (model.spec(), model.spec().layers * model.spec().heads);
    assert!(found.position.is_none(), "it has no embeddings of positions: {:?}", found.position);
    assert!(found.copying.unwrap().iter().all(|score| (-1.0..=1.0).contains(score)));
    let known = found.read[2].iter().filter(|share| share.is_finite()).count();
    assert_eq!(known, spec.heads * spec.heads * spec.layers * (spec.layers - 1) / 2);
    // Heads of a group have one value matrix.
    let d = spec.d_model;
    let units = Tensor::eye(d, candle_core::DType::F32, &Device::Cpu).unwrap().reshape((d, 1, d)).unwrap();
    let resid = Tensor::ones((1, d), candle_core::DType::F32, &Device::Cpu).unwrap();
    let value = |head| numbers(&model.head_in((0, head, End::Value), 0, &resid, &units).unwrap().0);
    assert_eq!(value(0), value(spec.heads / spec.kv_heads - 1));
    assert!(all > 0);
}

#[test]
fn the_pair_that_was_built_for_induction_stands_out_of_the_weights() {
    let model = load(&fixtures().join("induction"), &Backend::Fused);
    let (found, heads) = (composition(&model, 0, &|_, _| ()).unwrap(), model.spec().heads);
    let all = 2 * heads;
    // The head of layer 1 matches by what the head of layer 0 wrote at the key.
    let keys = &found.read[1];
    let largest =
        (0..all * all).filter(|at| keys[*at].is_finite()).max_by(|a, b| keys[*a].total_cmp(&keys[*b])).unwrap();
    assert_eq!((largest / all, largest % all), (heads, 0));
    assert!(keys[largest] > 10.0 * found.spread && found.read[0][largest] < 0.0, "{found:?}");
}

#[test]
fn files_of_weights_hold_the_same_numbers_and_are_made_again() {
    let shell = Shell::new();
    let args = ["heads", "--weights", "-m", BASE, "-q", "--seed", "2"];
    shell.ok(&[
        &args[..],
        &["-o", "w.json", "-o", "w.npz", "-o", "w.csv", "-o", "w.png", "-o", "w.txt", "-o", "w.parquet"],
    ]
    .concat());
    let found = &json(&shell.read("w.json"))["results"][0];
    assert_eq!(shape(&found["key_composition"]), [2, 2, 2, 2]);
    let keys = flat(&found["key_composition"]);
    assert_eq!(npz(&shell.path("w.npz"))["key_composition"].dims(), [2, 2, 2, 2]);
    let rows = table(&shell.text("w.csv"));
    assert_eq!(rows.len(), 1 + 4 + 4 + 3 * 4);
    let row = rows.iter().find(|row| row[..5] == ["key_composition", "1", "1", "0", "0"]).unwrap();
    assert_eq!(row[5].parse::<f32>().unwrap(), keys[12]);
    assert!(keys.iter().filter(|x| x.is_finite()).count() == 4, "{keys:?}");
    assert!(shell.text("w.txt").contains("over 32 draws (seed 2)"));
    let induction = fixtures().join("induction");
    let text =
        shell.says(&["heads", "--weights", "-m", induction.to_str().unwrap(), "-q", "-o", "-", "--format", "txt"]);
    assert!(text.contains("have no number: a matrix of theirs is 0"), "{text}");
    shell.ok(&["rerun", "w.png", "--model", BASE]);
}
