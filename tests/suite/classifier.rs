//! A sequence classifier's saliency explains a class: with captum's numbers, right gradients, and the class by its name everywhere.
//!
//! The fixture is written by `tests/make_classifier_golden.py`, those of other families by `tests/make_families.py`.

use crate::support::checkpoint::Copy;
use crate::support::shell::{Ran, Shell};
use crate::support::{apart, central_differences, distance, fixtures, golden, gradient, ids, numbers, size};
use attnviz::Named;
use attnviz::analysis::attribution::{Baseline, Evaluator, Method, Request, attribute};
use attnviz::analysis::{Objective, Of};
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::model::{Backend, Gpt2, Model, NoTap, Odds};
use attnviz::session::family;
use attnviz::trace::forward;
use candle_core::{DType, Device, Tensor};
use serde_json::{Value, json};
use std::collections::HashMap;

const QUIET: &dyn Fn(usize, usize) = &|_, _| ();
const TEXT: &str = "The café is in Zoë.";

struct Case {
    model: Gpt2,
    golden: HashMap<String, Tensor>,
    ids: Vec<u32>,
}

impl Case {
    fn of(odds: Odds, backend: &Backend) -> Self {
        let folder = fixtures().join("classifier");
        let golden = golden(&folder.join("attribution.safetensors"));
        let (mut config, weights) = crate::support::checkpoint(&Source::Directory(folder));
        config.classes.as_mut().unwrap().odds = odds;
        Self { model: Gpt2::load(&weights, config, backend).unwrap(), ids: ids(&golden), golden }
    }

    fn evaluator(&self, of: Of, foil: bool) -> Evaluator<'_> {
        let id = |name: &str| self.golden[name].to_vec1::<i64>().unwrap()[0] as u32;
        let position = self.model.classes().unwrap().position(&self.ids);
        let objective = Objective { position, target: id("target"), foil: foil.then(|| id("foil")), of };
        Evaluator::new(&self.model, &self.ids, objective, Baseline::Zero, QUIET).unwrap()
    }

    fn compare(&self, name: &str, of: Of, foil: bool, method: Method) {
        let found = attribute(&self.evaluator(of, foil), method, &Request::default()).unwrap();
        let scores: Vec<f64> = found.scores.iter().map(|score| f64::from(*score)).collect();
        let name = format!("{name}.{}", method.name());
        let apart = apart(&scores, &numbers(&self.golden[&name]));
        assert!(apart <= 1e-3, "{name} is off by {apart:.1e}");
    }
}

#[test]
fn every_method_gives_the_numbers_of_captum_and_pytorch() {
    let (one_of, each) = (Case::of(Odds::OneOf, &Backend::Fused), Case::of(Odds::Each, &Backend::Fused));
    let table = [
        (&one_of, "logit", Of::Logit, false),
        (&one_of, "logprob", Of::LogProb, false),
        (&one_of, "prob", Of::Probability, false),
        (&one_of, "foil", Of::LogProb, true),
        (&one_of, "foil-prob", Of::Probability, true),
        (&each, "logit", Of::Logit, false),
        (&each, "each-logprob", Of::LogProb, false),
        (&each, "each-prob", Of::Probability, false),
        (&each, "each-foil", Of::LogProb, true),
    ];
    for (case, name, of, foil) in table {
        for method in [Method::Gradient, Method::InputXGradient, Method::IntegratedGradients, Method::Occlusion] {
            case.compare(name, of, foil, method);
        }
    }
    one_of.compare("logprob", Of::LogProb, false, Method::AttentionXGradient);
}

#[test]
fn gradients_are_what_central_differences_measure() {
    for odds in [Odds::OneOf, Odds::Each, Odds::Score] {
        let case = Case::of(odds, &Backend::Composite(DType::F64, Device::Cpu));
        for (of, foil) in [(Of::Logit, true), (Of::LogProb, false), (Of::Probability, false), (Of::Probability, true)] {
            let evaluator = case.evaluator(of, foil);
            let off = apart(&gradient(&evaluator), &central_differences(&evaluator));
            assert!(off <= 1e-4, "{odds:?}, {of:?}, foil {foil}: {off:.1e}");
        }
    }
}

/// Each family's classifier: its name, what transformers computes, and its ids.
fn each() -> impl Iterator<Item = (String, HashMap<String, Tensor>, Vec<u32>)> {
    let all = std::fs::read_dir(fixtures().join("classifiers")).unwrap().map(|entry| entry.unwrap().path());
    all.map(|folder| {
        let golden = golden(&folder.join("golden.safetensors"));
        let ids = ids(&golden);
        (folder.file_name().unwrap().to_str().unwrap().to_owned(), golden, ids)
    })
}

#[test]
fn every_familys_classifier_gives_the_logits_and_gradients_of_transformers() {
    let exact = Backend::Composite(DType::F64, Device::Cpu);
    let mut count = 0;
    for (name, golden, ids) in each() {
        let checkpoint = Checkpoint::open(&Source::Directory(fixtures().join("classifiers").join(&name))).unwrap();
        let (logits, largest) = (&golden["logits"], numbers(&golden["logits"]));
        let class = (0..3).max_by(|a, b| largest[*a].total_cmp(&largest[*b])).unwrap() as u32;
        for (backend, tolerance) in [(Backend::Fused, 1e-4), (exact.clone(), 1e-5)] {
            let model = family(&checkpoint).unwrap().load(&checkpoint.weights().unwrap(), &backend).unwrap();
            let classes = model.classes().unwrap();
            assert_eq!(
                (&classes.labels[1][..], classes.odds, classes.padding),
                ("so <b>so</b>", Odds::OneOf, Some(299))
            );
            let padded = [&ids[..], &[299, 299]].concat();
            let position = classes.position(&padded);
            assert_eq!(position, ids.len() - 1);
            let resid = forward(&*model, &[&padded], &mut NoTap).unwrap().narrow(0, position, 1).unwrap();
            let found = model.answer(&model.final_norm(&resid).unwrap(), None).unwrap().squeeze(0).unwrap();
            for what in ["logits", "padded"] {
                let off = distance(&found, &golden[what]) / size(logits);
                assert!(off <= 1e-5, "{name}, {backend:?}: {what} are off by {off:.1e}");
            }
            assert!(!model.has_logits() && model.unembed(&resid, None).is_err(), "{name}");
            let objective = Objective { position, target: class, foil: None, of: Of::LogProb };
            let evaluator = Evaluator::new(&*model, &ids, objective, Baseline::Zero, QUIET).unwrap();
            let off = apart(&gradient(&evaluator), &numbers(&golden["gradient"]));
            assert!(off < tolerance, "{name}, {backend:?}: the gradient is {off:.1e} from PyTorch");
        }
        count += 1;
    }
    assert_eq!(count, 11);
}

#[test]
fn every_familys_classifier_is_asked_by_name_from_the_command_line() {
    for (name, golden, ids) in each() {
        let copy = Copy::of(&format!("classifiers/{name}"));
        let ids = ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let own = found(&copy, &["--ids", &ids]);
        let logits = numbers(&golden["logits"]);
        let softmax = |class: usize| logits[class].exp() / logits.iter().map(|x| x.exp()).sum::<f64>();
        assert!((own["p_target"].as_f64().unwrap() - softmax(own["target"].as_u64().unwrap() as usize)).abs() < 1e-5);
        let asked = found(&copy, &["--ids", &ids, "--target", "good", "--foil", "bad", "--method", "gradient"]);
        assert_eq!([&asked["target_label"], &asked["foil_label"]], [&json!("good"), &json!("bad")], "{name}");
        copy.asks(&["attention", TEXT, "-o", "a.png", "-q"]).ok();
        let (message, _) = copy.asks(&["lens", TEXT, "-o", "a.png", "-q"]).fails(2);
        assert!(message.contains("ForSequenceClassification has no language-model head"), "{name}: {message}");
    }
}

#[test]
fn what_a_config_leaves_out_of_a_classifier_is_what_transformers_takes() {
    let of = |name: &str, set: &dyn Fn(&mut Value)| {
        let copy = Copy::of(&format!("classifiers/{name}")).json("config.json", |config| set(config));
        let checkpoint = Checkpoint::open(&Source::Directory(copy.path(""))).unwrap();
        let family = family(&checkpoint).unwrap();
        family.load(&checkpoint.weights().unwrap(), &Backend::Fused).unwrap().classes().unwrap().padding
    };
    let left_out = |config: &mut Value| drop(config.as_object_mut().unwrap().remove("pad_token_id"));
    let defaults = [
        ("llama", None),
        ("qwen2", None),
        ("neox", None),
        ("gemma", Some(0)),
        ("olmo2", Some(1)),
        ("phi3", Some(32000)),
    ];
    for (name, padding) in defaults {
        assert_eq!(of(name, &left_out), padding, "{name}");
        assert_eq!(of(name, &|config| config["pad_token_id"] = Value::Null), None, "{name}");
    }
    Copy::of("classifiers/llama")
        .json("config.json", |config| config["id2label"] = json!({"1": "a"}))
        .refused(&["id2label"]);
    let score = Copy::of("classifiers/neox").json("config.json", |config| config["problem_type"] = json!("regression"));
    let (message, _) = saliency(&score, &[TEXT, "--of", "prob", "-q"]).fails(2);
    assert!(message.contains("scores"), "{message}");
}

fn classifier() -> Copy {
    Copy::of("classifier")
}

fn saliency(copy: &Copy, words: &[&str]) -> Ran {
    copy.asks(&[&["saliency"], words, &["-o", "-", "--format", "json"]].concat())
}

fn found(copy: &Copy, words: &[&str]) -> Value {
    serde_json::from_slice::<Value>(&saliency(copy, words).ok()).unwrap()["results"][0].clone()
}

#[test]
fn logits_are_those_of_transformers_with_and_without_padding_behind_the_text() {
    let golden = golden(&fixtures().join("classifier/attribution.safetensors"));
    let logits = numbers(&golden["logits"]);
    let softmax = |class: usize| logits[class].exp() / logits.iter().map(|x| x.exp()).sum::<f64>();
    let padded = ids(&golden).into_iter().chain([299, 299]).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(numbers(&golden["padded"]), logits, "transformers reads padding");
    for (class, name) in ["bad", "so <b>so</b>", "good"].into_iter().enumerate() {
        let plain = found(&classifier(), &[TEXT, "--target", name]);
        assert!((plain["p_target"].as_f64().unwrap() - softmax(class)).abs() < 1e-5, "{plain}");
        assert_eq!([&plain["target"], &plain["target_label"]], [&json!(class), &json!(name)]);
        assert_eq!(plain["position"], 11);
        let padded = found(&classifier(), &["--ids", &padded, "--target", &class.to_string()]);
        assert_eq!([&padded["p_target"], &padded["position"]], [&plain["p_target"], &json!(11)]);
        let scores = padded["scores"].as_array().unwrap();
        assert_eq!((scores.len(), &scores[11..]), (14, &[plain["scores"][11].clone(), json!(0.0), json!(0.0)][..]));
    }
}

#[test]
fn figures_tables_and_files_name_the_class() {
    let text = |format: &str, words: &[&str]| {
        let words =
            [&["saliency", TEXT, "--target", "good", "--foil", "0", "-o", "-", "--format", format], words].concat();
        String::from_utf8(classifier().asks(&words).ok()).unwrap()
    };
    let said = "log-probability of class “good” (26 %) rather than class “bad”";
    let picture = text("svg", &[]);
    assert!(
        picture.contains(said) && picture.contains("classes: “so &lt;b&gt;so&lt;/b&gt;” 62 %, “good” 26 %"),
        "{picture}"
    );
    let all: Value = serde_json::from_str(&text("json", &["--method", "all", "--evaluate"])).unwrap();
    let conclusion = all["results"][7]["conclusion"].as_str().unwrap();
    assert!(conclusion.contains("costs class “good” "), "{conclusion}");
    let table = text("csv", &[]);
    assert!(table.lines().skip(1).all(|row| row.starts_with("input-x-gradient,good,bad,logprob,")), "{table}");
    let own = found(&classifier(), &[TEXT]);
    assert_eq!([&own["target_label"], &own["foil_label"]], [&json!("so <b>so</b>"), &Value::Null]);
    assert_eq!(own.get("target_token"), None);
}

#[test]
fn a_batch_and_a_rerun_explain_the_same_class() {
    let shell = Shell::new();
    let model = fixtures().join("classifier").into_os_string().into_string().unwrap();
    shell.write("texts.txt", format!("{TEXT}\nThe café\n"));
    let asked = ["--target", "good", "-m", &model];
    shell.run(&[&["saliency", TEXT, "-o", "one.json"][..], &asked].concat()).ok();
    let again = String::from_utf8(shell.run(&["rerun", "one.json", "-m", &model]).ok()).unwrap();
    assert!(again.contains("the same bytes"), "{again}");
    let batch =
        ["batch", "texts.txt", "--run", "saliency", "--out", "all", "--format", "json,parquet", "--name", "{index}"];
    shell.run(&[&batch[..], &asked].concat()).ok();
    let read = |name: &str| serde_json::from_slice::<Value>(&shell.read(name)).unwrap()["results"].clone();
    assert_eq!(read("all/000000.json"), read("one.json"));
    assert_eq!(read("all/000001.json")[0]["target_label"], "good");
}

#[test]
fn a_score_is_explained_itself_and_has_no_probability() {
    let score = || classifier().json("config.json", |config| config["problem_type"] = json!("regression"));
    let plain = found(&score(), &[TEXT, "--target", "2"]);
    let logit = numbers(&golden(&fixtures().join("classifier/attribution.safetensors"))["logits"])[2];
    assert!((plain["score_target"].as_f64().unwrap() - logit).abs() < 1e-5, "{plain}");
    assert_eq!((plain.get("p_target"), &plain["of"]), (None, &json!("logit")));
    assert_eq!(plain["scores"], found(&classifier(), &[TEXT, "--target", "2", "--of", "logit"])["scores"]);
    for words in [["--of", "prob"], ["--method=gradient", "--evaluate"]] {
        let (message, _) = saliency(&score(), &[&[TEXT][..], &words].concat()).fails(2);
        assert!(message.contains("scores"), "{message}");
    }
}

#[test]
fn what_a_classifier_cannot_be_asked_is_refused_by_name() {
    for (words, says) in [
        (&["--target", "Good"][..], "no class"),
        (&["--target", "3"], "classes 0 to 2"),
        (&["--target", "good", "--foil", "2"], "the same class"),
        (&["--foil", "1"], "foil"),
        (&["--position", "2"], "position"),
        (&["--generate", "2"], "GPT2ForSequenceClassification"),
    ] {
        let (message, _) = saliency(&classifier(), &[&[TEXT], words].concat()).fails(2);
        assert!(message.contains(says), "{words:?}: {message}");
    }
    let two = classifier().json("config.json", |config| config["id2label"] = json!({"0": "no", "1": "yes"}));
    two.refused(&["score.weight", "[3, 8]"]);
    for (field, value) in [("problem_type", json!("ranking")), ("id2label", json!({"1": "a"}))] {
        classifier().json("config.json", |config| config[field] = value).refused(&[field]);
    }
}
