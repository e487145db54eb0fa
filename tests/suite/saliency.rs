//! Attribution gives the numbers of captum and PyTorch, its gradients are right through the whole model, and the command says
//! what it did.
//!
//! The golden files are written by `tests/make_attribution_golden.py`.

use crate::support::{apart, central_differences, fixtures, golden, gradient, ids, load, numbers};
use attnviz::Named;
use attnviz::analysis::attribution::{Attribution, Baseline, Evaluator, Method, Request, Score, Steps, attribute};
use attnviz::analysis::faithfulness::faithfulness;
use attnviz::analysis::generate::{Choice, generate};
use attnviz::analysis::{Objective, Of, next_tokens};
use attnviz::model::{Backend, Gpt2, Model, NoTap};
use attnviz::trace::forward;
use candle_core::{DType, Device, Tensor};
use serde_json::Value;
use std::collections::HashMap;
use std::process::{Command, Output};

const QUIET: &dyn Fn(usize, usize) = &|_, _| ();
/// The special token of the fixtures' tokenizer is its last.
const ORDINARY: std::ops::Range<u32> = 0..299;

struct Case {
    model: Gpt2,
    golden: HashMap<String, Tensor>,
    ids: Vec<u32>,
}

impl Case {
    fn of(name: &str) -> Self {
        let folder = fixtures().join(name);
        let golden = golden(&folder.join("attribution.safetensors"));
        Self { model: load(&folder, &Backend::Fused), ids: ids(&golden), golden }
    }

    fn objective(&self, of: Of, foil: bool) -> Objective {
        let id = |name: &str| self.golden[name].to_vec1::<i64>().unwrap()[0] as u32;
        Objective { position: self.ids.len() - 1, target: id("target"), foil: foil.then(|| id("foil")), of }
    }

    fn run(&self, objective: Objective, baseline: Baseline, method: Method, request: &Request) -> Attribution {
        let evaluator = Evaluator::new(&self.model, &self.ids, objective, baseline, QUIET).unwrap();
        attribute(&evaluator, method, request).unwrap()
    }

    fn compare(&self, name: &str, found: &Attribution, tolerance: f64) {
        let expected = numbers(&self.golden[&format!("{name}.{}", found.method.name())]);
        let scores: Vec<f64> = found.scores.iter().map(|score| f64::from(*score)).collect();
        let apart = apart(&scores, &expected);
        println!("{name}.{}: {apart:.1e}", found.method.name());
        assert!(apart <= tolerance, "{name}.{} is off by {apart:.1e}: {scores:?} {expected:?}", found.method.name());
    }
}

#[test]
fn every_method_gives_the_numbers_of_captum_and_pytorch() {
    for name in ["base", "inverse-layer"] {
        let case = Case::of(name);
        let request = Request { seed: 3, keep_draws: true, draw_from: ORDINARY.collect(), ..Request::default() };
        let ways = [("logit", Of::Logit, false), ("logprob", Of::LogProb, false), ("prob", Of::Probability, false)];
        for (way, of, foil) in ways.into_iter().chain([("foil", Of::LogProb, true)]) {
            for method in [Method::Gradient, Method::InputXGradient, Method::IntegratedGradients, Method::Occlusion] {
                let found = case.run(case.objective(of, foil), Baseline::Zero, method, &request);
                case.compare(way, &found, if method == Method::Occlusion { 1e-4 } else { 1e-3 });
            }
        }
        let logprob = case.objective(Of::LogProb, false);
        let end = Baseline::Token(case.model.spec().bos.unwrap());
        for method in [Method::IntegratedGradients, Method::Occlusion] {
            case.compare("endoftext", &case.run(logprob, end, method, &request), 1e-3);
        }
        case.compare("mean", &case.run(logprob, Baseline::Mean, Method::IntegratedGradients, &request), 1e-3);
        let gaps = numbers(&case.golden["gap"]);
        for (method, gap) in [(Method::IntegratedGradients, gaps[0]), (Method::GradientShap, gaps[1])] {
            let found = case.run(logprob, Baseline::Zero, method, &request).gap.unwrap();
            assert!((found.gap - gap).abs() < 1e-3 * found.change.abs().max(1.0), "{method:?}: {found:?}, not {gap}");
        }
        case.compare("logprob", &case.run(logprob, Baseline::Zero, Method::AttentionXGradient, &request), 1e-3);
        for method in [Method::Smoothgrad, Method::GradientShap] {
            let found = case.run(logprob, Baseline::Zero, method, &request);
            for draws in &found.draws {
                let recorded = numbers(&case.golden[draws.name]);
                let drawn: Vec<f64> = draws.values.iter().map(|x| f64::from(*x)).collect();
                assert!(apart(&drawn, &recorded) < 1e-6, "{} is not what was drawn once", draws.name);
                assert_eq!(draws.shape, case.golden[draws.name].dims(), "{}", draws.name);
            }
            case.compare("logprob", &found, 1e-3);
        }
        let share = Request { score: Score::Share, ..request };
        let prob = case.objective(Of::Probability, false);
        for method in [Method::IntegratedGradients, Method::Occlusion] {
            case.compare("inseq", &case.run(prob, end, method, &share), 1e-3);
        }
        case.compare("ecco", &case.run(prob, Baseline::Zero, Method::InputXGradient, &share), 1e-3);
    }
}

#[test]
fn a_gradient_through_the_whole_model_is_what_central_differences_measure() {
    let double = Backend::Composite(DType::F64, Device::Cpu);
    let case = Case { model: load(&fixtures().join("inverse-layer"), &double), ..Case::of("inverse-layer") };
    for (of, foil) in [(Of::Logit, true), (Of::LogProb, false), (Of::Probability, false), (Of::Probability, true)] {
        let evaluator =
            Evaluator::new(&case.model, &case.ids, case.objective(of, foil), Baseline::Zero, QUIET).unwrap();
        let off = apart(&gradient(&evaluator), &central_differences(&evaluator));
        assert!(off <= 1e-4, "{of:?}, foil {foil}: {off:.1e}");
    }
}

#[test]
fn no_fused_operation_cuts_the_gradient_in_any_kind_of_checkpoint() {
    let double = Backend::Composite(DType::F64, Device::Cpu);
    let mut checked = 0;
    for folder in std::fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path()) {
        if !folder.join("expected.safetensors").exists() {
            continue;
        }
        let ids = ids(&golden(&folder.join("expected.safetensors")));
        let objective = Objective { position: ids.len() - 1, target: 17, foil: None, of: Of::LogProb };
        let of = |backend: &Backend| {
            let model = load(&folder, backend);
            gradient(&Evaluator::new(&model, &ids, objective, Baseline::Zero, QUIET).unwrap())
        };
        let (fused, exact) = (of(&Backend::Fused), of(&double));
        let off = apart(&fused, &exact);
        assert!(off < 1e-4, "{}: {off:.1e}", folder.display());
        assert!(fused.iter().all(|g| *g != 0.0), "{}: a gradient is zero", folder.display());
        checked += 1;
    }
    assert!(checked >= 25, "only {checked} fixtures found");
}

#[test]
fn a_norm_or_a_share_is_never_negative() {
    let case = Case::of("base");
    let of = |score, method| {
        let request = Request { score, ..Request::default() };
        case.run(case.objective(Of::LogProb, false), Baseline::Zero, method, &request).scores
    };
    for method in Method::all() {
        let (norms, shares) = (of(Score::Norm, method), of(Score::Share, method));
        let total: f32 = norms.iter().sum();
        assert!(norms.iter().all(|norm| *norm >= 0.0) && (shares.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{method:?}");
        assert!(norms.iter().zip(&shares).all(|(norm, share)| (norm / total - share).abs() < 1e-5), "{method:?}");
    }
    let signed = of(Score::Signed, Method::Occlusion);
    assert!(signed.iter().any(|score| *score < 0.0), "no sign to lose: this test proves nothing");
    assert_eq!(of(Score::Norm, Method::Occlusion), signed.iter().map(|score| score.abs()).collect::<Vec<_>>());
}

#[test]
fn nodes_are_doubled_until_scores_add_up() {
    let case = Case::of("base");
    let request = Request { steps: Steps::Auto, ..Request::default() };
    let found = case.run(case.objective(Of::LogProb, false), Baseline::Zero, Method::IntegratedGradients, &request);
    let gap = found.gap.unwrap();
    assert!(!gap.is_large() && found.steps.unwrap() >= 16, "{found:?}");
    let two = Request { steps: Steps::Fixed(2), ..Request::default() };
    let coarse = case.run(case.objective(Of::LogProb, false), Baseline::Zero, Method::IntegratedGradients, &two);
    assert!(coarse.gap.unwrap().is_large(), "two nodes are enough here: the test cannot fail");
}

#[test]
fn a_prediction_in_the_middle_is_that_of_the_prompt_cut_there() {
    let case = Case::of("base");
    let middle = Objective { position: 4, target: 7, foil: None, of: Of::LogProb };
    for method in Method::all() {
        let found = case.run(middle, Baseline::Zero, method, &Request::default()).scores;
        let evaluator = Evaluator::new(&case.model, &case.ids[..5], middle, Baseline::Zero, QUIET).unwrap();
        let cut = attribute(&evaluator, method, &Request::default()).unwrap().scores;
        assert_eq!(found[..5], cut[..], "{method:?}");
        assert!(found[5..].iter().all(|score| *score == 0.0) && found.len() == case.ids.len(), "{method:?}");
    }
    let outside = Objective { position: case.ids.len(), ..middle };
    assert!(Evaluator::new(&case.model, &case.ids, outside, Baseline::Zero, QUIET).is_err());
}

#[test]
fn curves_begin_and_end_where_they_must_and_shares_are_what_a_reader_would_compute() {
    let case = Case::of("base");
    let evaluator =
        Evaluator::new(&case.model, &case.ids, case.objective(Of::Logit, false), Baseline::Mean, QUIET).unwrap();
    let n = case.ids.len();
    // The last token first.
    let scores: Vec<f32> = (0..n).map(|i| i as f32).collect();
    let found = faithfulness(&evaluator, &[&scores, &scores]).unwrap();
    let p = evaluator.asking(evaluator.objective().target, None, Of::Probability);
    let without = |removed: &dyn Fn(usize) -> bool| {
        let row = |i: usize| (if removed(i) { p.baseline() } else { p.embeddings() }).narrow(0, i, 1).unwrap();
        let rows: Vec<Tensor> = (0..n).map(row).collect();
        p.values(1, &|_| Ok(Tensor::cat(&rows, 0)?)).unwrap()[0]
    };
    let method = &found.methods[0];
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    assert_eq!(found.counts, (0..=n).collect::<Vec<_>>());
    for k in 0..=n {
        near(method.deletion[k], without(&|i| i >= n - k));
        near(method.insertion[k], without(&|i| i < n - k));
    }
    let whole = without(&|_| false);
    near(found.probability, whole);
    near(method.deletion_aopc, method.deletion.iter().map(|p| whole - p).sum::<f64>() / (n + 1) as f64);
    for (i, share) in [0.1, 0.2, 0.5].into_iter().enumerate() {
        let k = (share * n as f64).ceil() as usize;
        near(method.comprehensiveness[i], whole - without(&|i| i >= n - k));
        near(method.sufficiency[i], whole - without(&|i| i < n - k));
    }
    assert_eq!(found.random.len(), 10);
    assert!(found.spearman.iter().chain(&found.kendall).all(|agreement| (agreement - 1.0).abs() < 1e-12));
    // Too short a prompt for shares.
    let short = Objective { position: 2, ..case.objective(Of::LogProb, false) };
    let evaluator = Evaluator::new(&case.model, &case.ids, short, Baseline::Zero, QUIET).unwrap();
    let found = faithfulness(&evaluator, &[&scores]).unwrap();
    assert!(found.methods[0].comprehensiveness.is_empty() && found.spearman.is_empty() && found.counts.len() == 4);
}

#[test]
fn kept_keys_and_values_write_what_the_whole_model_would_write() {
    let case = Case::of("base");
    let prompt = &case.ids[..4];
    let written = generate(&case.model, prompt, 6, Choice::Greedy, None).unwrap();
    let mut all = prompt.to_vec();
    for id in &written {
        let resid = forward(&case.model, &[&all], &mut NoTap).unwrap();
        let last = case.model.final_norm(&resid.narrow(0, all.len() - 1, 1).unwrap()).unwrap();
        assert_eq!(next_tokens(&case.model.unembed(&last, None).unwrap(), 1).unwrap()[0].id, *id);
        all.push(*id);
    }
    let sampled = |temperature, top_p, seed| {
        generate(&case.model, prompt, 6, Choice::Sampled { temperature, top_p, seed }, None).unwrap()
    };
    assert_eq!(sampled(1.0, 1e-9, 5), written, "the most probable token alone is the greedy choice");
    assert_eq!(sampled(3.0, 1.0, 5), sampled(3.0, 1.0, 5));
    assert_ne!(sampled(3.0, 1.0, 5), sampled(3.0, 1.0, 6));
    assert_eq!(generate(&case.model, prompt, 6, Choice::Greedy, Some(written[0])).unwrap(), written[..1]);
    let room = case.model.spec().context + 1 - prompt.len();
    assert_eq!(generate(&case.model, prompt, room, Choice::Greedy, None).unwrap().len(), room);
    assert!(generate(&case.model, prompt, room + 1, Choice::Greedy, None).is_err());
}

fn attnviz(args: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_attnviz");
    Command::new(program).arg("saliency").args(args).env_remove("ATTNVIZ_MODEL").output().unwrap()
}

fn json(args: &[&str]) -> Value {
    let output = attnviz(&[args, &["-m", "builtin", "-o", "-", "--format", "json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_file_says_what_was_explained_and_how() {
    let found = json(&[
        "Once upon a",
        "--target",
        " time",
        "--foil",
        " hill",
        "--method",
        "integrated-gradients,gradient-shap",
    ]);
    let [integrated, shap] = found["results"].as_array().unwrap().as_slice() else { panic!("two results") };
    assert_eq!(integrated["method"], "integrated-gradients");
    let says = |entry: &Value, key: &str| entry.get(key).or(entry["settings"].get(key)).cloned().unwrap_or_default();
    assert_eq!(says(integrated, "target_token"), " time");
    assert_eq!(says(integrated, "foil_token"), " hill");
    assert_eq!(says(integrated, "of"), "logprob");
    assert_eq!(says(integrated, "baseline"), "zero");
    assert_eq!(says(integrated, "steps"), 50);
    assert_eq!([says(shap, "samples"), says(shap, "seed")], [50, 0]);
    let scores: Vec<f64> =
        integrated["scores"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect();
    assert_eq!(scores.len(), found["tokens"].as_array().unwrap().len());
    let (gap, change) = (says(integrated, "gap").as_f64().unwrap(), says(integrated, "change").as_f64().unwrap());
    assert!((scores.iter().sum::<f64>() - change - gap).abs() < 1e-4);
}

#[test]
fn words_have_the_sums_of_their_tokens_and_a_preset_folds_as_its_tool_does() {
    let found =
        json(&["The cat's hat was blue.", "--words", "--like", "inseq", "--method", "occlusion,input-x-gradient"]);
    for entry in found["results"].as_array().unwrap() {
        let total = |name: &str| -> f64 {
            entry[name].as_array().unwrap().iter().map(|score| score.as_f64().unwrap().abs()).sum()
        };
        assert!((total("scores") - 1.0).abs() < 1e-5, "{entry}");
        assert_eq!(entry["words"].as_array().unwrap().len(), entry["word_scores"].as_array().unwrap().len());
    }
}

#[test]
fn an_evaluation_ranks_methods_and_a_continuation_has_a_row_for_each_token() {
    let table = attnviz(&[
        "Once upon a time there",
        "-m",
        "builtin",
        "--method",
        "gradient,occlusion",
        "--evaluate",
        "-o",
        "-",
        "--format",
        "csv",
    ]);
    let table = String::from_utf8(table.stdout).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("rank,method,deletion_aopc,insertion_mean"), "{table}");
    assert!(lines.len() == 4 && lines[1].starts_with("1,") && lines[3].starts_with(",random order,"), "{table}");
    let lost = |line: &str| line.split(',').nth(2).unwrap().parse::<f64>().unwrap();
    assert!(lines[2].starts_with("2,") && lost(lines[1]) >= lost(lines[2]), "the best comes first: {table}");
    let found = json(&["Once upon a", "--generate", "4", "--temperature", "0.8", "--top-p", "0.9", "--seed", "2"]);
    let entry = &found["results"][0];
    let len = |value: &Value| value.as_array().unwrap().len();
    let (rows, prompt) = (entry["scores"].as_array().unwrap(), entry["prompt_tokens"].as_u64().unwrap() as usize);
    // The file is about the prompt alone.
    assert_eq!([prompt, prompt], [len(&found["tokens"]), len(&found["token_ids"])]);
    assert!(rows.len() == 4 && len(&entry["written_ids"]) == 4 && len(&entry["written"]) == 4);
    for (i, row) in rows.iter().enumerate() {
        let row = row.as_array().unwrap();
        assert!(row.len() == prompt + 4 && row.iter().take(prompt + i).all(Value::is_number));
        assert!(row.iter().skip(prompt + i).all(Value::is_null));
    }
}

/// The fixture with twice the context, its positions repeated.
fn longer_base() -> tempfile::TempDir {
    let (base, folder) = (fixtures().join("base"), tempfile::tempdir().unwrap());
    let mut weights = golden(&base.join("model.safetensors"));
    let positions = weights.get_mut("transformer.wpe.weight").unwrap();
    *positions = Tensor::cat(&[&*positions, &*positions], 0).unwrap();
    candle_core::safetensors::save(&weights, folder.path().join("model.safetensors")).unwrap();
    let config = std::fs::read_to_string(base.join("config.json")).unwrap();
    std::fs::write(folder.path().join("config.json"), config.replace("\"n_positions\": 32", "\"n_positions\": 64"))
        .unwrap();
    std::fs::copy(base.join("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    folder
}

#[test]
fn beyond_32_tokens_means_are_over_every_number_of_them_with_lines_between_what_was_measured() {
    let (folder, ids) = (longer_base(), (0..45).map(|i| (i * 13 % 290).to_string()).collect::<Vec<_>>().join(","));
    let model = folder.path().to_str().unwrap();
    let output = attnviz(&["--ids", &ids, "-m", model, "--evaluate", "-o", "-", "--format", "json"]);
    let said = String::from_utf8(output.stderr).unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let n = found["tokens"].as_array().unwrap().len();
    let evaluation = &found["results"][1];
    assert_eq!(n, 45, "{said}");
    let floats = |value: &Value| value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<_>>();
    let (counts, aopc) = (floats(&evaluation["tokens_removed"]), floats(&evaluation["deletion_aopc"]));
    assert!(said.contains("0 to 45 tokens: 33 are measured"), "{said}");
    assert_eq!((counts.len(), counts[0], counts[32]), (33, 0.0, n as f64));
    assert_eq!(evaluation["interpolated"], true);
    let steps: Vec<f64> = counts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let even = n as f64 / 32.0;
    assert!(
        steps.iter().all(|step| (step - even).abs() < 1.0) && steps.iter().any(|step| *step != steps[0]),
        "{counts:?}"
    );
    let mut differ = 0;
    for (curve, aopc) in evaluation["deletion"].as_array().unwrap().iter().map(floats).zip(aopc) {
        let at = |k: f64| {
            let next = counts.iter().position(|count| *count >= k).unwrap().max(1);
            let t = (k - counts[next - 1]) / (counts[next] - counts[next - 1]);
            (1.0 - t) * curve[next - 1] + t * curve[next]
        };
        let mean = (0..=n).map(|k| curve[0] - at(k as f64)).sum::<f64>() / (n + 1) as f64;
        assert!((aopc - mean).abs() < 1e-6, "{aopc} is not {mean}");
        let of_points = curve.iter().map(|p| curve[0] - p).sum::<f64>() / 33.0;
        differ += usize::from((aopc - of_points).abs() > 1e-5);
    }
    assert!(differ > 0, "both means are one: this test proves nothing");
}

/// The arrays of a run on the built-in model, from a file.
fn arrays(args: &[&str]) -> HashMap<String, Tensor> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let output = attnviz(&[args, &["-m", "builtin", "-o", path.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

#[test]
fn draws_of_written_tokens_are_those_of_the_last_which_begin_with_those_of_each_earlier_one() {
    let prompt = "Once upon a";
    let flags = ["--method", "smoothgrad,gradient-shap", "--samples", "3", "--with", "draws"];
    let written = arrays(&[&[prompt, "--generate", "3"], &flags[..]].concat());
    let alone = arrays(&[&[prompt], &flags[..]].concat());
    for (name, axis) in
        [("smoothgrad.noise", Some(1)), ("gradient-shap.baseline_ids", Some(1)), ("gradient-shap.alpha", None)]
    {
        let (all, first) = (&written[name], &alone[name]);
        assert_eq!(all.dims()[0], 3, "{name}");
        let begun = axis.map_or_else(|| all.clone(), |axis| all.narrow(axis, 0, first.dims()[axis]).unwrap());
        assert_eq!(numbers(&begun), numbers(first), "{name}");
        assert!(axis.is_none_or(|axis| all.dims()[axis] == first.dims()[axis] + 2), "{name}: {:?}", all.dims());
    }
}

#[test]
fn random_orders_of_an_evaluation_are_exported_and_give_its_curves() {
    let found = arrays(&["Once upon a time", "--method", "occlusion", "--evaluate", "--with", "draws"]);
    let orders = &found["faithfulness.orders"];
    let (seeds, n) = orders.dims2().unwrap();
    assert_eq!((seeds, found["faithfulness.deletion"].dims()), (10, &[11, n + 1][..]));
    for order in orders.to_dtype(DType::F32).unwrap().to_vec2::<f32>().unwrap() {
        let mut sorted = order.clone();
        sorted.sort_by(f32::total_cmp);
        assert_eq!(sorted, (0..n).map(|token| token as f32).collect::<Vec<_>>(), "{order:?}");
    }
    let without = arrays(&["Once upon a time", "--method", "occlusion", "--evaluate"]);
    assert!(!without.contains_key("faithfulness.orders"));
}

#[test]
fn what_cannot_be_meant_is_named_with_the_way_out() {
    for (args, message, hint) in [
        (&["Hi", "--target", " zzyzx frobnicate"][..], "tokens: ", "token id"),
        (&["Hi", "--method", "magic"], "\"magic\" is not a method", "integrated-gradients"),
        (&["Hi", "--position", "99"], "position 99", "positions are 0 to"),
        (&["Hi", "--with", "draws"], "more arrays need a data file", ".safetensors"),
        (
            &["Hi", "--with", "draws", "-o", "never.npz"],
            "nothing that is asked for is drawn",
            "smoothgrad and gradient-shap",
        ),
        (
            &["Hi", "--with", "draws", "--generate", "2", "-o", "never.npz"],
            "nothing that is asked for is drawn",
            "--with",
        ),
        (&["Hi", "--steps", "0"], "steps 0 is not from 1 to 10000", "--steps"),
        (&["Hi", "--like", "ecco", "--of", "logit"], "cannot be used with", "--help"),
        (&["Hi", "--generate", "5000"], "longer than the model's context", "ask for at most"),
        (&["Hi", "--generate", "2", "--temperature", "0"], "temperature 0", "leave it out"),
    ] {
        let output = attnviz(&[args, &["-m", "builtin"]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("error: ") && said.contains(message) && said.contains(hint), "{said}");
        assert!(output.stdout.is_empty());
    }
}
