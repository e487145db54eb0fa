//! Every family's numbers are those of Hugging Face transformers, with every switch of its config on and off.
//!
//! The checkpoints and golden files in `tests/fixtures/families` are written by `tests/make_families.py`.

use crate::support::{apart, central_differences, distance, fixtures, golden, gradient, ids, numbers, size};
use attnviz::analysis::attribution::{Baseline, Evaluator};
use attnviz::analysis::{Objective, Of, direct, next_tokens, qk};
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::model::{Activation, Backend, Model, NoTap, Segments};
use attnviz::session::family;
use attnviz::trace::{Recorder, Trace, forward};
use candle_core::{DType, Device, Tensor};
use std::path::PathBuf;

const QUIET: &dyn Fn(usize, usize) = &|_, _| ();
const EXACT: Backend = Backend::Composite(DType::F64, Device::Cpu);

fn folders() -> Vec<PathBuf> {
    let all = std::fs::read_dir(fixtures().join("families")).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = all.collect();
    all.sort();
    all
}

fn load(name: &str, backend: &Backend) -> Box<dyn Model> {
    let checkpoint = Checkpoint::open(&Source::Directory(fixtures().join("families").join(name))).unwrap();
    family(&checkpoint).unwrap().load(&checkpoint.weights().unwrap(), backend).unwrap()
}

/// Each name, what transformers computes, and its ids.
fn each() -> impl Iterator<Item = (String, std::collections::HashMap<String, Tensor>, Vec<u32>)> {
    folders().into_iter().map(|folder| {
        let golden = golden(&folder.join("golden.safetensors"));
        let ids = ids(&golden);
        (folder.file_name().unwrap().to_str().unwrap().to_owned(), golden, ids)
    })
}

fn recorded(model: &dyn Model, ids: &[u32], sites: &[Activation]) -> (Trace, Tensor) {
    let mut recorder = sites.iter().fold(Recorder::new(), |recorder, at| recorder.keep(*at));
    let resid = forward(model, &[ids], &mut recorder).unwrap();
    (recorder.trace(), resid)
}

fn logits(model: &dyn Model, prompts: &[&[u32]]) -> Tensor {
    let resid = forward(model, prompts, &mut NoTap).unwrap();
    model.unembed(&model.final_norm(&resid).unwrap(), None).unwrap()
}

/// About the largest log-probability at the end, as the golden gradients are.
fn objective(model: &dyn Model, ids: &[u32]) -> Objective {
    let last = logits(model, &[ids]).narrow(0, ids.len() - 1, 1).unwrap().to_dtype(DType::F32).unwrap();
    Objective { position: ids.len() - 1, target: next_tokens(&last, 1).unwrap()[0].id, foil: None, of: Of::LogProb }
}

#[test]
fn attention_hidden_states_and_logits_are_those_of_transformers() {
    let mut count = 0;
    for (name, golden, ids) in each() {
        for backend in [Backend::Fused, Backend::Composite(DType::F32, Device::Cpu), EXACT] {
            let model = load(&name, &backend);
            for sites in [
                &[Activation::Pattern, Activation::ResidPre][..],
                &[Activation::Scores, Activation::Pattern, Activation::ResidPre],
            ] {
                let (trace, resid) = recorded(&*model, &ids, sites);
                let layers = 0..model.spec().layers;
                let all = |at| layers.clone().map(|l| trace.get(at, l, 0).unwrap().clone()).collect::<Vec<_>>();
                let normed = model.final_norm(&resid).unwrap();
                let hidden = [all(Activation::ResidPre), vec![normed.clone()]].concat();
                let found = [
                    ("attention", Tensor::stack(&all(Activation::Pattern), 0).unwrap()),
                    ("hidden", Tensor::stack(&hidden, 0).unwrap()),
                    ("logits", model.unembed(&normed, None).unwrap()),
                ];
                for (what, found) in found {
                    let off = distance(&found, &golden[what]) / size(&golden[what]);
                    assert!(off <= 1e-5, "{name}, {backend:?}: {what} is off by {off:.1e}");
                }
            }
        }
        count += 1;
    }
    assert!(count >= 18, "only {count} fixtures");
}

#[test]
fn gradients_of_the_embeddings_are_those_of_pytorch_and_of_central_differences() {
    for (name, golden, ids) in each() {
        let expected = numbers(&golden["gradient"]);
        for (backend, tolerance) in [(Backend::Fused, 1e-4), (EXACT, 1e-5)] {
            let model = load(&name, &backend);
            let objective = objective(&*model, &ids);
            let evaluator = Evaluator::new(&*model, &ids, objective, Baseline::Zero, QUIET).unwrap();
            let found = gradient(&evaluator);
            let off = apart(&found, &expected);
            assert!(off < tolerance, "{name}, {backend:?}: {off:.1e} from PyTorch");
            if matches!(backend, Backend::Composite(..)) {
                let off = apart(&found, &central_differences(&evaluator));
                assert!(off < 1e-6, "{name}: {off:.1e} from central differences");
            }
        }
    }
}

#[test]
fn a_prompt_is_the_same_alone_in_a_batch_and_continued_from_its_past() {
    for (name, _, ids) in each() {
        let model = load(&name, &Backend::Fused);
        let alone = logits(&*model, &[&ids]);
        let batch = logits(&*model, &[&ids[..5], &ids, &ids[3..]]).narrow(0, 5, ids.len()).unwrap();
        assert_eq!(numbers(&alone), numbers(&batch), "{name}: the neighbours are seen");
        let (trace, _) = recorded(&*model, &ids[..7], &[Activation::K, Activation::V]);
        let segments = Segments::continued(trace.past(model.spec().layers, 0).unwrap(), ids.len() - 7);
        let resid = model.start(&model.embed(&ids[7..]).unwrap(), &segments).unwrap();
        let resid = model.blocks(resid, &segments, &mut NoTap).unwrap();
        let rest = model.unembed(&model.final_norm(&resid).unwrap(), None).unwrap();
        let whole = alone.narrow(0, 7, ids.len() - 7).unwrap();
        assert!(distance(&rest, &whole) < 1e-5 * size(&whole), "{name}: continued it is another");
    }
}

#[test]
fn a_logit_is_the_sum_of_its_parts() {
    for (name, _, ids) in each() {
        let model = load(&name, &Backend::Fused);
        let position = ids.len() - 2;
        let found = match direct(&*model, &ids, None, Some(3), position) {
            Ok(found) => found,
            // A bias that is normed together with what heads add is no part.
            Err(error) => {
                assert!(name == "olmo2-shared" && error.message.contains("before it is normed"), "{name}: {error}");
                continue;
            }
        };
        let logits = logits(&*model, &[&ids]).get(position).unwrap().to_vec1::<f32>().unwrap();
        let expected = f64::from(logits[found.target as usize]) - f64::from(logits[3]);
        assert!((found.parts.total - expected).abs() < 1e-5, "{name}: {} for {expected}", found.parts.total);
    }
}

#[test]
fn a_score_is_the_sum_of_its_pairs_of_writers() {
    for (name, _, ids) in each() {
        let model = load(&name, &Backend::Fused);
        let query = ids.len() - 1;
        for head in 0..model.spec().heads {
            let found = match qk::qk(&*model, &ids, qk::Look { layer: 1, head, query }) {
                Ok(found) => found,
                Err(error) => {
                    assert!(name == "olmo2-shared" && error.message.contains("before it is normed"), "{name}: {error}");
                    continue;
                }
            };
            assert!(found.apart < 1e-4, "{name}: off by {:.1e}", found.apart);
        }
    }
}
