//! `attnviz patch --ablate`: runs without parts against hooks on transformers, and the runs that must not change a bit.
use crate::patching::copying;
use crate::support::results::{json, table};
use crate::support::shell::Shell;
use crate::support::{fixtures, load};
use attnviz::analysis::ablation::{Ablation, Cut, Part, Said, Totals, Values, kl};
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::findings::ablation::Options;
use attnviz::findings::{Asked, Output, Reading, Ready, Subject, Words, find};
use attnviz::format::Format;
use attnviz::model::{Backend, Gpt2, Model, NoTap};
use attnviz::render::Fonts;
use attnviz::session::Session;
use attnviz::trace::forward;
use candle_core::{DType, Device};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

const TEXT: &str = "The old king and his";
const OTHER: &str = "The young king and her";

/// What `tests/make_ablation_golden.py` found, by checkpoint.
fn golden() -> BTreeMap<String, Value> {
    serde_json::from_slice(&std::fs::read(fixtures().join("ablation.json")).unwrap()).unwrap()
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// The cuts of a list whose positions are counted from the start or the end of ten tokens.
fn cuts(list: &str) -> Vec<Cut> {
    let one = |item: &str| {
        let (part, at) =
            item.split_once('@').map_or((item, None), |(part, at)| (part, Some(at.parse::<i64>().unwrap())));
        let part = match (part.strip_prefix("mlp"), part.split_once('.')) {
            (Some(layer), _) => Part::Mlp(layer.parse().unwrap()),
            (None, Some((layer, head))) => Part::Head(layer.parse().unwrap(), head.parse().unwrap()),
            (None, None) => Part::All,
        };
        Cut { part, position: at.map(|at| at.rem_euclid(10) as usize) }
    };
    list.split(',').map(one).collect()
}

fn run<'a>(model: &'a Gpt2, case: &Value, way: &str) -> Ablation<'a> {
    let values = match way {
        "zero" => Values::Zero,
        "mean" => Values::OwnMean,
        "other" => Values::Other(read(&case["other"])),
        _ => {
            let texts: Vec<Vec<u32>> = read(&case["reference"]);
            let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
            let totals = Totals::of(model, &texts, &|_, _| ()).unwrap();
            assert_eq!(totals.positions(), 12);
            Values::Mean(Arc::new(totals.means(model).unwrap()))
        }
    };
    Ablation::new(model, &read::<Vec<u32>>(&case["ids"]), values).unwrap()
}

/// The numbers that the golden file has of a run.
fn said(case: &Value, before: &[f64], logits: &[f64]) -> Vec<f64> {
    let said = Said::of(logits, read(&case["answer"]), Some(read(&case["foil"]))).unwrap();
    vec![said.logit, said.foil.unwrap(), said.log_p, kl(before, logits).unwrap()]
}

fn apart(found: &[f64], wanted: &[f64]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    found
        .iter()
        .zip(wanted)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, |most, x| if x > most || x.is_nan() { x } else { most })
}

#[test]
fn parts_are_taken_out_as_by_hooks_on_transformers() {
    let exact = Backend::Composite(DType::F64, Device::Cpu);
    for (name, case) in golden() {
        for (backend, most) in [(&Backend::Fused, 1e-4), (&exact, 1e-6)] {
            let model = load(&fixtures().join(&name), backend);
            let lists: BTreeMap<String, Vec<f64>> = read(&case["lists"]);
            assert!(lists.len() >= if model.spec().layers > 1 { 28 } else { 12 });
            for (key, wanted) in lists {
                let (way, list) = key.split_once(' ').unwrap();
                let run = run(&model, &case, way);
                let before = run.logits(run.plain(), 9).unwrap();
                let resid = run.without(&cuts(list)).unwrap();
                let mut found = said(&case, &before, &run.logits(&resid, 9).unwrap());
                found.extend(&run.surprisal(&resid).unwrap()[1..]);
                let apart = apart(&found, &wanted);
                assert!(apart < most, "{name} {key}: {apart}");
            }
        }
    }
}

#[test]
fn each_part_by_itself_is_taken_out_as_by_hooks_on_transformers() {
    for (name, case) in golden() {
        let model = load(&fixtures().join(&name), &Backend::Fused);
        let each: BTreeMap<String, Vec<Vec<f64>>> = read(&case["each"]);
        for (way, wanted) in each {
            let run = run(&model, &case, &way);
            let before = run.logits(run.plain(), 9).unwrap();
            let mut found = Vec::new();
            for layer in 0..model.spec().layers {
                let parts = Part::of_layer(layer, model.spec());
                run.each(&parts, 9, &mut |logits| {
                    found.push(said(&case, &before, logits));
                    Ok(())
                })
                .unwrap();
            }
            let apart = apart(&found.concat(), &wanted.concat());
            assert!(apart < 1e-4, "{name} {way}: {apart}");
        }
    }
}

#[test]
fn parts_set_to_what_they_are_change_no_bit() {
    let case = &golden()["base"];
    let model = load(&fixtures().join("base"), &Backend::Fused);
    let ids: Vec<u32> = read(&case["ids"]);
    let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let run = Ablation::new(&model, &ids, Values::Other(ids.clone())).unwrap();
    let plain = crate::support::numbers(&forward(&model, &[&ids], &mut NoTap).unwrap());
    assert_eq!(crate::support::numbers(run.plain()), plain);
    for list in ["1.0", "mlp1", "0.1,mlp0,1.1@3", "@4", "mlp0@9"] {
        assert_eq!(crate::support::numbers(&run.without(&cuts(list)).unwrap()), plain, "{list}");
    }
    let before = bits(&run.logits(run.plain(), 9).unwrap());
    for layer in 0..model.spec().layers {
        let mut runs = 0;
        run.each(&Part::of_layer(layer, model.spec()), 9, &mut |logits| {
            runs += 1;
            assert_eq!(bits(logits), before, "layer {layer}");
            Ok(())
        })
        .unwrap();
        assert_eq!(runs, model.spec().heads + 1);
    }
}

#[test]
fn the_heads_that_were_built_for_induction_come_first_and_all_others_change_nothing() {
    let model = copying();
    let ids = [0, 1, 20, 21, 0]; // a b u v a → b
    let run = Ablation::new(&model, &ids, Values::Zero).unwrap();
    let before = Said::of(&run.logits(run.plain(), 4).unwrap(), 1, Some(20)).unwrap().difference().unwrap();
    let mut moved = Vec::new();
    for layer in 0..2 {
        let parts = Part::of_layer(layer, model.spec());
        let mut of_layer = Vec::new();
        run.each(&parts, 4, &mut |logits| {
            of_layer.push(Said::of(logits, 1, Some(20)).unwrap().difference().unwrap() - before);
            Ok(())
        })
        .unwrap();
        moved.extend(parts.into_iter().zip(of_layer));
    }
    moved.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (built, others) = moved.split_at(2);
    assert!(before > 1.0 && built.iter().all(|(_, change)| *change < -0.9 * before), "{before}: {moved:?}");
    let mut names: Vec<Part> = built.iter().map(|(part, _)| *part).collect();
    names.sort_by_key(|part| part.layer());
    assert_eq!(names, [Part::Head(0, 0), Part::Head(1, 0)]);
    assert!(others.len() == 4 && others.iter().all(|(_, change)| change.abs() < 1e-3 * before), "{moved:?}");
}

#[test]
fn files_hold_what_was_found_and_are_made_again() {
    let shell = Shell::new();
    let list = ["patch", TEXT, "-m", "builtin", "-q", "--ablate", "4.3,mlp2,@1", "--foil", " son"];
    shell.ok(&[&list[..], &["-o", "a.json", "-o", "a.csv", "-o", "a.svg", "-o", "a.png", "-o", "a.parquet"]].concat());
    let found = &json(&shell.read("a.json"))["results"][0];
    assert_eq!((&found["method"], &found["with"]), (&"ablation".into(), &"zero".into()));
    assert_eq!(found["ablated"], serde_json::json!(["4.3", "mlp2", "@1"]));
    let bits: Vec<Option<f64>> = read(&found["surprisal_after"]);
    assert!(bits[0].is_none() && bits[1..].iter().all(Option::is_some) && bits.len() == 5);
    let rows = table(&String::from_utf8(shell.read("a.csv")).unwrap());
    assert_eq!(rows.iter().filter(|row| row[0] == "surprisal").count(), 5);
    let of = |what: &str| rows.iter().find(|row| row[0] == what).unwrap()[6].parse::<f64>().unwrap();
    let number = |when: &str| found[when]["logit_difference"].as_f64().unwrap();
    assert!((of("logit_difference") - (number("after") - number("before"))).abs() < 1e-5);

    // One token has no surprisal, and an answer after it.
    shell.ok(&["patch", "The", "-m", "builtin", "-q", "--ablate", "0.0,mlp0", "-o", "one.svg", "-o", "one.csv"]);
    assert_eq!(table(&shell.text("one.csv")).iter().filter(|row| row[0] == "logprob").count(), 1);

    let each = ["patch", TEXT, "-m", "builtin", "-q", "--ablate", "each", "--other", OTHER];
    shell.ok(&[&each[..], &["-o", "e.json", "-o", "e.csv", "-o", "e.svg", "-o", "e.pdf", "-o", "e.txt"]].concat());
    let found = &json(&shell.read("e.json"))["results"][0];
    let change: Vec<Vec<f64>> = read(&found["change"]);
    assert_eq!((change.len(), change[0].len()), (5, 5));
    let most = change.iter().flatten().map(|x| x.abs()).fold(0.0, f64::max);
    assert!((found["ranking"][0]["change"].as_f64().unwrap().abs() - most).abs() < 1e-6);
    assert_eq!(table(&String::from_utf8(shell.read("e.csv")).unwrap()).len(), 1 + 25);
    for file in ["a.json", "a.svg", "a.png", "e.json", "e.svg", "e.pdf"] {
        assert!(shell.says(&["rerun", file]).contains("the same bytes"), "{file}");
    }
}

#[test]
fn a_reference_is_known_by_its_name_and_hash_and_asked_for() {
    let shell = Shell::new();
    std::fs::write(shell.path("texts.txt"), "The fox met the crow.\n\nThe old king and his\n").unwrap();
    let args = ["patch", TEXT, "-m", "builtin", "-q", "--ablate", "each", "--reference", "texts.txt", "-o", "r.json"];
    shell.ok(&args);
    let found = &json(&shell.read("r.json"))["results"][0];
    assert_eq!((&found["with"], &found["reference"]["name"]), (&"mean".into(), &"texts.txt".into()));
    assert!(found["mean_positions"].as_u64().unwrap() > 10);
    let (said, way) = shell.fails(1, &["rerun", "r.json"]);
    assert!(said.contains("texts.txt") && way.contains("--input texts.txt"), "{said} / {way}");
    assert!(shell.says(&["rerun", "r.json", "--input", "texts.txt"]).contains("the same bytes"));
    std::fs::write(shell.path("texts.txt"), "Another text.\n").unwrap();
    assert!(shell.fails(3, &["rerun", "r.json", "--input", "texts.txt"]).0.contains("the file texts.txt had the hash"));
    // One text that is the prompt has the prompt's own means.
    std::fs::write(shell.path("own.txt"), TEXT).unwrap();
    shell.ok(&[&args[..7], &["--reference", "own.txt", "-o", "own.csv"]].concat());
    shell.ok(&[&args[..7], &["--with", "mean", "-o", "mean.csv"]].concat());
    assert_eq!(shell.read("own.csv"), shell.read("mean.csv"));
}

#[test]
fn many_prompts_and_suites_are_ablated_as_one_prompt_is() {
    let shell = Shell::new();
    std::fs::write(shell.path("p.txt"), format!("{TEXT}\n{OTHER}\n")).unwrap();
    std::fs::write(shell.path("texts.txt"), "The fox met the crow.\n").unwrap();
    let flags = ["--ablate", "1.2,mlp0", "--reference", "texts.txt"];
    let batch = [
        "batch", "p.txt", "--run", "patch", "--out", "b", "-m", "builtin", "-q", "--format", "csv", "--name", "{index}",
    ];
    shell.ok(&[&batch[..], &flags].concat());
    shell.ok(&[&["patch", TEXT, "-m", "builtin", "-q", "-o", "one.csv"][..], &flags].concat());
    assert_eq!(shell.text("b/000000.csv"), shell.text("one.csv"));
    std::fs::write(
        shell.path("s.toml"),
        "[[case]]\nprompt = \"The old king and his\"\ncommand = \"patch\"\nargs = [\"--ablate\", \"each\"]\n\
         [[case]]\nprompt = \"The old king and his\"\ncommand = \"patch\"\nargs = [\"--other\", \"The young king and her\"]\n",
    )
    .unwrap();
    shell.ok(&["snapshot", "record", "s.toml", "--out", "snap", "-q"]);
    assert!(shell.says(&["snapshot", "check", "s.toml", "--out", "snap"]).contains("ok"));
}

#[test]
fn what_cannot_be_ablated_is_refused() {
    let shell = Shell::new();
    std::fs::write(shell.path("empty.txt"), "\n \n").unwrap();
    for (code, args, message, hint) in [
        (2, &["--ablate", "5.0"][..], "layer 5 is not there", "--ablate"),
        (2, &["--ablate", "0.4"], "head 4 is not there", "--ablate"),
        (2, &["--ablate", "mlp-6"], "layer -6 is not there", "--ablate"),
        (2, &["--ablate", "1.1@5"], "position 5: the prompt has 5 tokens", "--ablate"),
        (2, &["--ablate", "1.1,L1H1"], "1.1 is named twice", "once"),
        (2, &["--ablate", "@1,mlp0@1"], "within the other", "once"),
        (2, &["--ablate", "4"], "no head, MLP or position", "4.3"),
        (2, &["--ablate", "each", "--answer", " sonsonson"], "tokens", "--answer"),
        (2, &["--ablate", "each", "--answer", "5", "--foil", "5"], "the same token", "--foil"),
        (2, &["--ablate", "each", "--metric", "logit-difference"], "needs a foil", "--foil"),
        (2, &["--ablate", "1.1", "--metric", "kl"], "a metric ranks parts", "--metric"),
        (2, &["--ablate", "each", "--other", "The young king and her and"], "5 tokens, the other one 6", "as many"),
        (2, &["--ablate", "each", "--with", "other"], "no other prompt", "--other"),
        (2, &["--ablate", "each", "--with", "zero", "--other", OTHER], "for its values", "--other"),
        (1, &["--ablate", "each", "--reference", "empty.txt"], "empty.txt has no text", "--reference"),
        (1, &["--ablate", "each", "--reference", "none.txt"], "cannot read none.txt", "--reference"),
        (2, &["--ablate", "each", "--site", "z"], "--site", ""),
        (2, &["--with", "mean"], "--ablate", ""),
    ] {
        let (said, way) = shell.fails(code, &[&["patch", TEXT, "-m", "builtin", "-o", "a.png"], args].concat());
        assert!(said.contains(message) && way.contains(hint), "{args:?}: {said} / {way}");
    }
}

#[test]
fn a_program_ablates_without_the_command_line() {
    let session = Session::new(Checkpoint::open(&Source::Builtin).unwrap()).unwrap();
    let asked = Asked::Ablate(Options { parts: "1.2,mlp0".parse().unwrap(), ..Options::default() });
    let outputs = [Output::whole(Format::Json)];
    let prompt = Reading::default().read(Words::Text(TEXT.into()), &session.tokenizer, session.spec()).unwrap();
    let found = find(asked.analysis(), Subject::new(&session, prompt, &asked).unwrap(), &outputs).unwrap();
    let bytes = Ready::new(&*found).bytes(Format::Json, None, &Fonts::bundled()).unwrap();
    assert_eq!(json(&bytes)["results"][0]["ablated"], serde_json::json!(["1.2", "mlp0"]));
}
