//! A model that is no GPT-2 runs through every analysis, and its numbers are those of other implementations.
//!
//! The weights and the golden file are written by `tests/make_llama_model.py`; the model is `tests/support/llama.rs`.

use crate::support::llama;
use crate::support::{Zero, apart, central_differences, distance, fixtures, golden, gradient, ids, numbers, size};
use attnviz::Named;
use attnviz::Result;
use attnviz::analysis::attribution::{Baseline, Evaluator, Method, Request as Asked, Steps, attribute};
use attnviz::analysis::generate::{Choice, generate};
use attnviz::analysis::zeroing::value_zeroing;
use attnviz::analysis::{
    Objective, Of, Request, Sink, attention, direct, heads, lens, mixing, next_tokens, norms::norms, probability,
};
use attnviz::findings::{self, Output, Ready, Subject, Words, find};
use attnviz::format::{Format, Holds};
use attnviz::model::{Activation, Backend, Model, NoTap, Odds, Segments, Site, Tap};
use attnviz::prompt::Prompt;
use attnviz::render::Fonts;
use attnviz::session::Session;
use attnviz::trace::{Recorder, Trace, forward};
use candle_core::{DType, Device, Tensor};
use candle_transformers::models::mistral;
use serde_json::{Value, json};
use std::collections::HashMap;

const QUIET: &dyn Fn(usize, usize) = &|_, _| ();
const EVERY_SITE: [Activation; 11] = {
    use Activation::*;
    [ResidPre, Q, K, V, Scores, Pattern, Z, AttnOut, ResidMid, MlpOut, ResidPost]
};

fn fused() -> llama::Llama {
    llama::load(&Backend::Fused)
}

fn transformers() -> HashMap<String, Tensor> {
    golden(&fixtures().join("llama/golden.safetensors"))
}

fn logits(model: &dyn Model, prompts: &[&[u32]]) -> Tensor {
    let resid = forward(model, prompts, &mut NoTap).unwrap();
    model.unembed(&model.final_norm(&resid).unwrap(), None).unwrap()
}

/// Every site of one prompt.
fn recorded(model: &dyn Model, ids: &[u32]) -> Trace {
    let mut recorder = EVERY_SITE.into_iter().fold(Recorder::new(), |recorder, at| recorder.keep(at));
    forward(model, &[ids], &mut recorder).unwrap();
    recorder.trace()
}

/// The golden prompt and the question about its end that its golden gradient answers.
fn question(model: &dyn Model) -> (Vec<u32>, Objective) {
    let ids = ids(&transformers());
    let resid = forward(model, &[&ids], &mut NoTap).unwrap();
    let last = model.final_norm(&resid.narrow(0, ids.len() - 1, 1).unwrap()).unwrap();
    let target = next_tokens(&model.unembed(&last, None).unwrap(), 1).unwrap()[0].id;
    let objective = Objective { position: ids.len() - 1, target, foil: None, of: Of::LogProb };
    (ids, objective)
}

fn single(values: &[f32]) -> Vec<f64> {
    values.iter().map(|x| f64::from(*x)).collect()
}

#[test]
fn its_attention_and_logits_are_those_of_transformers() {
    let golden = transformers();
    let ids = ids(&golden);
    for backend in [Backend::Fused, Backend::Composite(DType::F32, Device::Cpu)] {
        let model = llama::load(&backend);
        let trace = recorded(&model, &ids);
        let of_layer = |layer| trace.get(Activation::Pattern, layer, 0).unwrap();
        let patterns = Tensor::stack(&(0..3).map(of_layer).collect::<Vec<_>>(), 0).unwrap();
        assert!(distance(&patterns, &golden["attention"]) < 1e-5, "{backend:?}");
        let logits = logits(&model, &[&ids]);
        assert!(distance(&logits, &golden["logits"]) < 1e-5 * size(&golden["logits"]), "{backend:?}");
    }
}

#[test]
fn its_logits_are_those_of_candle_transformers() {
    // Mistral without its window is Llama, and candle's takes a head size of its own.
    let checkpoint = llama::checkpoint();
    let config: mistral::Config = serde_json::from_slice(&checkpoint.config).unwrap();
    let weights = candle_core::safetensors::load(fixtures().join("llama/model.safetensors"), &Device::Cpu).unwrap();
    let weights = candle_nn::VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
    let mut theirs = mistral::Model::new(&config, weights).unwrap();
    let (model, ids) = (fused(), ids(&transformers()));
    let ours = logits(&model, &[&ids]);
    for len in 1..=ids.len() {
        theirs.clear_kv_cache();
        let input = Tensor::new(&ids[..len], &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let expected = theirs.forward(&input, 0).unwrap().flatten(0, 1).unwrap(); // of the last token
        let found = ours.narrow(0, len - 1, 1).unwrap();
        assert!(distance(&found, &expected) < 1e-5 * size(&expected), "{len} tokens");
    }
}

#[test]
fn the_gradient_of_its_embeddings_is_that_of_pytorch_and_of_central_differences() {
    let expected = numbers(&transformers()["gradient"]);
    let exact = llama::exact();
    for model in [&fused(), &exact] {
        let (ids, objective) = question(model);
        let evaluator = Evaluator::new(model, &ids, objective, Baseline::Zero, QUIET).unwrap();
        let off = apart(&gradient(&evaluator), &expected);
        assert!(off < 1e-4, "{off:.1e} from PyTorch");
    }
    let (ids, objective) = question(&exact);
    let evaluator = Evaluator::new(&exact, &ids, objective, Baseline::Zero, QUIET).unwrap();
    let off = apart(&gradient(&evaluator), &central_differences(&evaluator));
    assert!(off < 1e-6, "{off:.1e} from central differences");
}

#[test]
fn every_site_has_the_shape_that_is_documented_and_is_obeyed() {
    let (model, ids) = (fused(), ids(&transformers()));
    let trace = recorded(&model, &ids);
    let (n, heads, kv_heads, d_head, d) = (12, 4, 2, 10, 24);
    let clean = logits(&model, &[&ids[..5], &ids]);
    for at in EVERY_SITE {
        use Activation::*;
        let shape = match at {
            ResidPre | AttnOut | ResidMid | MlpOut | ResidPost => vec![n, d],
            Q | Z => vec![n, heads, d_head],
            K | V => vec![n, kv_heads, d_head],
            Scores | Pattern => vec![heads, n, n],
        };
        assert_eq!(trace.get(at, 1, 0).unwrap().dims(), shape, "{at:?}");
        let mut tap = Zero(Site { at, layer: 1, segment: 1 });
        let resid = forward(&model, &[&ids[..5], &ids], &mut tap).unwrap();
        let patched = model.unembed(&model.final_norm(&resid).unwrap(), None).unwrap();
        let rows = |x: &Tensor, from, len| x.narrow(0, from, len).unwrap();
        assert_eq!(
            numbers(&rows(&clean, 0, 5)),
            numbers(&rows(&patched, 0, 5)),
            "{at:?} of one prompt changed the other"
        );
        assert!(distance(&rows(&clean, 5, n), &rows(&patched, 5, n)) > 1e-3, "{at:?} was not replaced");
    }
}

#[test]
fn a_prompt_continued_from_its_past_is_the_whole_prompt() {
    let (model, ids) = (fused(), ids(&transformers()));
    let past = recorded(&model, &ids[..7]).past(3, 0).unwrap();
    assert_eq!(past.keys[0].dims(), [7, 2, 10]);
    let segments = Segments::continued(past, 5);
    let resid = model.start(&model.embed(&ids[7..]).unwrap(), &segments).unwrap();
    let resid = model.blocks(resid, &segments, &mut NoTap).unwrap();
    let rest = model.unembed(&model.final_norm(&resid).unwrap(), None).unwrap();
    let whole = logits(&model, &[&ids]).narrow(0, 7, 5).unwrap();
    assert!(distance(&rest, &whole) < 1e-5 * size(&whole));
    // Which is how a continuation is written.
    let written = generate(&model, &ids, 6, Choice::Greedy, None).unwrap();
    let mut all = ids;
    for id in written {
        let next = logits(&model, &[&all]).narrow(0, all.len() - 1, 1).unwrap();
        assert_eq!(next_tokens(&next, 1).unwrap()[0].id, id);
        all.push(id);
    }
}

#[test]
fn heads_that_share_values_add_up_to_what_attention_adds() {
    let (model, ids) = (fused(), ids(&transformers()));
    let trace = recorded(&model, &ids);
    for layer in 0..3 {
        let of = |at| trace.get(at, layer, 0).unwrap();
        let heads = model.head_out(layer, of(Activation::Z)).unwrap(); // [heads, n, d]
        assert!(distance(&heads.sum(0).unwrap(), of(Activation::AttnOut)) < 1e-5);
        assert!(model.attn_constant(layer).unwrap().is_none());
        // What every head moves of every token, weighted by its pattern, is the same.
        let moved = of(Activation::Pattern).matmul(&model.value_out(layer, of(Activation::V)).unwrap()).unwrap();
        assert!(distance(&moved, &heads) < 1e-5);
    }
}

#[test]
fn its_patterns_are_gathered_and_its_rows_sum_to_one() {
    let (model, ids) = (fused(), ids(&transformers()));
    let request = Request { layers: vec![2, 0], heads: vec![3, 1], ..Request::default() };
    let (found, pass) = attention(&model, &ids, &request).unwrap();
    assert!((found.row_sums.0 - 1.0).abs() < 1e-5 && (found.row_sums.1 - 1.0).abs() < 1e-5, "{:?}", found.row_sums);
    let expected = &transformers()["attention"];
    for (map, (layer, head)) in found.maps.iter().zip([(2, 3), (2, 1), (0, 3), (0, 1)]) {
        let expected = numbers(&expected.get(layer).unwrap().get(head).unwrap());
        assert!(apart(&single(&map.values), &expected) < 1e-5, "layer {layer}, head {head}");
        for (query, row) in map.values.chunks(ids.len()).enumerate() {
            assert!(row[query + 1..].iter().all(|weight| *weight == 0.0));
        }
    }
    assert_eq!(pass.resid.dims(), [12, 24]);
}

#[test]
fn every_attribution_method_explains_it() {
    let model = fused();
    let (ids, objective) = question(&model);
    // Not from zero, where RMSNorm has no direction.
    let evaluator = Evaluator::new(&model, &ids, objective, Baseline::Mean, QUIET).unwrap();
    let asked = Asked { steps: Steps::Auto, ..Asked::default() };
    for method in Method::all() {
        let found = attribute(&evaluator, method, &asked).unwrap();
        assert_eq!(found.scores.len(), ids.len(), "{method:?}");
        assert!(found.scores.iter().all(|score| score.is_finite() && *score != 0.0), "{found:?}");
        match method {
            Method::IntegratedGradients => assert!(!found.gap.unwrap().is_large(), "{:?}", found.gap),
            Method::GradientShap => assert!(found.gap.unwrap().change.is_finite()),
            _ => assert!(found.gap.is_none()),
        }
    }
    // With keys and values of the past, as without.
    let occluded = attribute(&evaluator, Method::Occlusion, &asked).unwrap();
    let value = |embeddings: &Tensor| evaluator.values(1, &|_| Ok(embeddings.clone())).unwrap()[0];
    for (i, score) in occluded.scores.iter().enumerate() {
        let (e, n) = (evaluator.embeddings(), ids.len());
        let parts = [e.narrow(0, 0, i), evaluator.baseline().narrow(0, i, 1), e.narrow(0, i + 1, n - i - 1)];
        let without = Tensor::cat(&parts.map(|part| part.unwrap()), 0).unwrap();
        assert!((value(e) - value(&without) - f64::from(*score)).abs() < 1e-5, "token {i}");
    }
}

#[test]
fn its_logit_is_the_sum_of_its_parts_and_no_part_is_a_bias() {
    let model = fused();
    let (ids, objective) = question(&model);
    for foil in [None, Some(objective.target / 2)] {
        let found = direct(&model, &ids, Some(objective.target), foil, objective.position).unwrap();
        let logits = logits(&model, &[&ids]).get(objective.position).unwrap().to_vec1::<f32>().unwrap();
        let logit = |id: u32| f64::from(logits[id as usize]);
        let expected = logit(objective.target) - foil.map_or(0.0, logit);
        for parts in [&found.parts, &found.centred] {
            let nothing = [parts.position, parts.bias].into_iter().chain(parts.attn_bias.iter().copied());
            assert!(nothing.clone().all(|part| part == 0.0 && part.is_sign_positive()), "{parts:?}");
            assert_eq!((parts.heads.len(), parts.attn_bias.len(), parts.mlp.len()), (12, 3, 3));
            let sum: f64 = [parts.embedding].iter().chain(&parts.heads).chain(&parts.mlp).sum();
            assert!((sum - parts.total).abs() < 1e-9);
        }
        assert!((found.parts.total - expected).abs() < 1e-5, "{} {expected}", found.parts.total);
        let mean = logits.iter().map(|x| f64::from(*x)).sum::<f64>() / 300.0;
        let above = if foil.is_some() { expected } else { expected - mean };
        assert!((found.centred.total - above).abs() < 1e-5);
    }
}

#[test]
fn the_lens_ends_at_its_own_answer() {
    let model = fused();
    let (ids, objective) = question(&model);
    let found = lens(&model, &ids, None, None, 3).unwrap();
    let (last, n) = (&found.answers[3 * ids.len()..], ids.len());
    assert_eq!(found.answers.len(), 4 * n);
    assert_eq!(last[n - 1].top[0].0, objective.target);
    assert!(last.iter().all(|answer| answer.kl_bits < 1e-6 && answer.rank == 1));
    let logits = logits(&model, &[&ids]).narrow(0, n - 1, 1).unwrap();
    let p = probability(&logits, Odds::OneOf, objective.target).unwrap();
    assert!((f64::from(last[n - 1].probability) - p).abs() < 1e-6);
}

#[test]
fn its_heads_are_scored_by_their_patterns() {
    let model = fused();
    let ids = ids(&transformers());
    let (found, _) = heads::of_prompts(&model, &[&ids]).unwrap().remove(0);
    let patterns: Vec<f32> = transformers()["attention"].flatten_all().unwrap().to_vec1().unwrap();
    let expected = heads::of_patterns(&patterns, [3, 4, 12, 12], &ids).unwrap();
    for (found, expected) in found.iter().zip(&expected) {
        let near = |score| {
            let (a, b): (f32, f32) = (found.score(score), expected.score(score));
            (a - b).abs() < 1e-5 || (a.is_nan() && b.is_nan())
        };
        assert!(heads::Score::all().all(near), "{found:?} {expected:?}");
    }
    let (sequences, period) = heads::repeats(&(0..299).collect::<Vec<_>>(), model.spec().context, 0).unwrap();
    assert_eq!(heads::of_repeats(&model, &sequences, period).unwrap().len(), 12);
}

#[test]
fn every_mixing_method_gives_rows_that_are_shares() {
    let model = fused();
    let (ids, objective) = question(&model);
    let evaluator = Evaluator::new(&model, &ids, objective, Baseline::Zero, QUIET).unwrap();
    let found =
        mixing::mixing(&evaluator, &mixing::Method::all().collect::<Vec<_>>(), Sink::Keep, true, QUIET).unwrap();
    assert_eq!(found.len(), 7);
    for mixing in &found {
        let row = single(mixing.row(objective.position));
        assert!(row.iter().all(|share| *share >= 0.0), "{:?}: {row:?}", mixing.method);
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{:?}: {row:?}", mixing.method);
    }
    assert!(mixing::agreement(&found, objective.position).iter().all(|rho| rho.abs() <= 1.0 + 1e-6));
}

#[test]
fn the_lengths_of_what_it_moves_are_those_of_the_vectors() {
    let (model, ids) = (fused(), ids(&transformers()));
    let (trace, n, found) = (recorded(&model, &ids), 12, norms(&model, &ids).unwrap());
    for layer in 0..3 {
        let of = |at| numbers(trace.get(at, layer, 0).unwrap());
        let (pattern, v) = (of(Activation::Pattern), of(Activation::V)); // [4, n, n], [n, 2, 10]
        let name = format!("model.layers.{layer}.self_attn.o_proj.weight");
        let o = numbers(&golden(&fixtures().join("llama/model.safetensors"))[&name]); // [24, 40]
        for (i, j) in (0..n).flat_map(|i| (0..=i).map(move |j| (i, j))) {
            // Query heads 0 and 1 share the first values, 2 and 3 the second.
            let coordinate = |c: usize| -> f64 {
                let of_head = |h: usize| -> f64 {
                    let dot: f64 = (0..10).map(|k| v[(j * 2 + h / 2) * 10 + k] * o[c * 40 + h * 10 + k]).sum();
                    pattern[(h * n + i) * n + j] * dot
                };
                (0..4).map(of_head).sum()
            };
            let length = (0..24).map(|c| coordinate(c).powi(2)).sum::<f64>().sqrt();
            let ours = f64::from(found.plain[layer][i * n + j]);
            assert!((ours - length).abs() < 1e-5 * length.max(1.0), "layer {layer}, {i} from {j}: {ours} {length}");
        }
    }
}

#[test]
fn value_zeroing_is_what_zeroed_values_do() {
    /// Zeroes the values of one token in one layer, and keeps what leaves it.
    struct Without {
        layer: usize,
        token: usize,
        after: Vec<f64>,
    }
    impl Tap for Without {
        fn wants(&self, site: Site) -> bool {
            site.layer == self.layer && matches!(site.at, Activation::V | Activation::ResidPost)
        }
        fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor> {
            if site.at == Activation::ResidPost {
                self.after = numbers(&x);
                return Ok(x);
            }
            let keep: Vec<f32> = (0..x.dims()[0]).map(|row| f32::from(row != self.token)).collect();
            Ok(x.broadcast_mul(&Tensor::new(keep, x.device())?.reshape(((), 1, 1))?)?)
        }
    }
    let (model, ids) = (fused(), ids(&transformers()));
    let n = ids.len();
    let after = |layer, token| {
        let mut tap = Without { layer, token, after: Vec::new() };
        forward(&model, &[&ids], &mut tap).unwrap();
        tap.after
    };
    let cosine = |a: &[f64], b: &[f64]| {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    for (layer, map) in value_zeroing(&model, &ids, 0..=n - 1, QUIET).unwrap().iter().enumerate() {
        let whole = after(layer, n); // a token that is not there
        let without: Vec<Vec<f64>> = (0..n).map(|token| after(layer, token)).collect();
        for i in 0..n {
            let row = |x: &Vec<f64>| x[i * 24..][..24].to_vec();
            let turns: Vec<f64> = without.iter().map(|x| 1.0 - cosine(&row(&whole), &row(x))).collect();
            let total: f64 = turns.iter().sum();
            let expected: Vec<f64> = turns.iter().map(|turn| turn / total).collect();
            let found = single(&map[i * n..][..n]);
            assert!(apart(&found, &expected) < 1e-3, "layer {layer}, query {i}: {found:?} {expected:?}");
        }
    }
}

#[test]
fn a_session_of_ones_own_model_answers_like_any_other() {
    let session = llama::session();
    assert!(session.weights().is_none() && session.revision.is_none());
    let prompt = Prompt::from_text(&session.tokenizer, "The café is", session.spec().bos).unwrap();
    let resid = forward(session.model(), &[&prompt.ids], &mut NoTap).unwrap();
    let next = next_tokens(&session.next_logits(&[&resid]).unwrap(), 3).unwrap();
    assert!(next[0].probability >= next[2].probability && next[2].probability > 0.0);
    let error = session.explain(attnviz::Error::failed("what went wrong"));
    assert_eq!((error.message.as_str(), error.hint), ("what went wrong", None));
}

#[test]
fn the_family_that_reads_its_config_computes_the_same() {
    let theirs = Session::new(llama::checkpoint()).unwrap();
    let (model, ids) = (fused(), ids(&transformers()));
    let [ours, theirs] = [logits(&model, &[&ids]), logits(theirs.model(), &[&ids])];
    assert!(distance(&ours, &theirs) < 1e-5 * size(&ours));
}

#[test]
fn every_command_finds_figure_table_and_data_on_it() {
    let (session, golden) = (llama::session(), transformers());
    let ids = ids(&golden);
    let direct = findings::lens::Options { direct: true, ..Default::default() };
    let every = [
        findings::Asked::Attention(Default::default()),
        findings::Asked::Saliency(findings::saliency::Options {
            method: Method::all().collect(),
            ..Default::default()
        }),
        findings::Asked::Lens(Default::default()),
        findings::Asked::Lens(direct),
        findings::Asked::Heads(Default::default()),
        findings::Asked::Mix(Default::default()),
    ];
    let fonts = Fonts::bundled();
    for asked in &every {
        let analysis = asked.analysis();
        let words = Words::Ids(ids.clone());
        let prompt = analysis.reading().read(words, &session.tokenizer, session.spec()).unwrap();
        let found =
            find(analysis, Subject::new(&session, prompt, asked).unwrap(), &[Output::whole(Format::Json)]).unwrap();
        let ready = Ready::new(&*found);
        for format in Format::all().filter(|format| format.holds() != Holds::Graph) {
            assert!(!ready.bytes(format, None, &fonts).unwrap().is_empty(), "{asked:?} {format:?}");
        }
        let json: Value = serde_json::from_slice(&ready.bytes(Format::Json, None, &fonts).unwrap()).unwrap();
        assert_eq!(json["model"], json!({"name": "tiny-llama", "revision": null, "hash": session.hash, "kv_heads": 2}));
        assert_eq!(json["token_ids"], json!(ids));
        if matches!(asked, findings::Asked::Attention(_)) {
            let values: Vec<Vec<Vec<Vec<f32>>>> =
                serde_json::from_value(json["results"][0]["attention"].clone()).unwrap();
            let expected = &golden["attention"];
            let found = Tensor::from_vec(values.concat().concat().concat(), expected.shape(), &Device::Cpu).unwrap();
            assert!(distance(&found, expected) < 1e-5);
        }
    }
}
