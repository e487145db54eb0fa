//! What the model promises whatever is asked of it: rows that sum to 1, prompts that do not touch each other, a hook that is obeyed.

use crate::support::{Zero, checkpoint, distance, fixtures, load, numbers, size};
use attnviz::checkpoint::Source;
use attnviz::model::{Activation, Backend, Gpt2, Model, NoTap, Segments, Site};
use attnviz::trace::{Recorder, forward};
use candle_core::Tensor;

fn base() -> Gpt2 {
    load(&fixtures().join("base"), &Backend::Fused)
}

fn builtin() -> Gpt2 {
    let (config, weights) = checkpoint(&Source::Builtin);
    Gpt2::load(&weights, config, &Backend::Fused).unwrap()
}

fn some_ids(count: usize, seed: u32) -> Vec<u32> {
    (0..count as u32).map(|i| (i * 7919 + seed * 31 + 5) % 280).collect()
}

fn logits(model: &dyn Model, prompts: &[&[u32]]) -> Tensor {
    let resid = forward(model, prompts, &mut NoTap).unwrap();
    model.unembed(&model.final_norm(&resid).unwrap(), None).unwrap()
}

fn bits(x: &Tensor) -> Vec<u32> {
    x.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

#[test]
fn a_forward_that_nobody_watches_gives_the_same_bits() {
    for (model, lengths) in [(base(), [5, 1, 32]), (builtin(), [130, 1, 64])] {
        let prompts: Vec<Vec<u32>> = (0u32..).zip(lengths).map(|(seed, n)| some_ids(n, seed)).collect();
        let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let mut recorder = Recorder::new().keep(Activation::Pattern);
        let watched = forward(&model, &prompts, &mut recorder).unwrap();
        assert_eq!(bits(&watched), bits(&forward(&model, &prompts, &mut NoTap).unwrap()));
    }
}

#[test]
fn rows_of_every_pattern_sum_to_one_and_see_no_future() {
    for (model, n) in [(base(), 32), (builtin(), 300)] {
        let mut recorder = Recorder::new().keep(Activation::Pattern);
        forward(&model, &[&some_ids(n, 1)], &mut recorder).unwrap();
        let trace = recorder.trace();
        for layer in 0..model.spec().layers {
            let pattern = trace.get(Activation::Pattern, layer, 0).unwrap();
            for (row, values) in numbers(pattern).chunks(n).enumerate() {
                assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-5);
                assert!(values[row % n + 1..].iter().all(|a| *a == 0.0));
            }
        }
    }
}

#[test]
fn a_prompt_in_a_batch_has_the_same_bits_as_alone() {
    for (model, lengths) in [(base(), vec![1, 2, 7, 32, 1, 13]), (builtin(), vec![1, 60, 2, 11, 130, 5, 1])] {
        let prompts: Vec<Vec<u32>> = lengths.iter().enumerate().map(|(i, n)| some_ids(*n, i as u32)).collect();
        let all: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let together = logits(&model, &all);
        let mut row = 0;
        for prompt in all {
            let alone = logits(&model, &[prompt]);
            let there = together.narrow(0, row, prompt.len()).unwrap();
            assert_eq!(bits(&alone), bits(&there), "a prompt of {} tokens", prompt.len());
            row += prompt.len();
        }
    }
}

#[test]
fn one_thread_and_several_give_the_same_bits() {
    let model = builtin();
    let ids = some_ids(200, 3);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bits(&logits(&model, &[&ids])))
    };
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(5));
}

#[test]
fn a_prompt_continued_from_its_past_is_the_whole_prompt() {
    for name in ["base", "inverse-layer"] {
        let model = load(&fixtures().join(name), &Backend::Fused);
        let ids = some_ids(20, 4);
        let whole = logits(&model, &[&ids]);
        let mut recorder = Recorder::new().keep(Activation::K).keep(Activation::V);
        forward(&model, &[&ids[..12]], &mut recorder).unwrap();
        let past = recorder.trace().past(model.spec().layers, 0).unwrap();
        let segments = Segments::continued(past, 8);
        let resid = model.start(&model.embed(&ids[12..]).unwrap(), &segments).unwrap();
        let resid = model.blocks(resid, &segments, &mut NoTap).unwrap();
        let rest = model.unembed(&model.final_norm(&resid).unwrap(), None).unwrap();
        let expected = whole.narrow(0, 12, 8).unwrap();
        assert!(distance(&rest, &expected) <= 1e-6 * size(&expected));
    }
}

#[test]
fn logits_of_chosen_ids_are_those_of_all_ids() {
    let model = base();
    let resid = forward(&model, &[&some_ids(5, 6)], &mut NoTap).unwrap();
    let normed = model.final_norm(&resid).unwrap();
    let (all, some) = (model.unembed(&normed, None).unwrap(), model.unembed(&normed, Some(&[7, 0, 200])).unwrap());
    for (column, id) in [7, 0, 200].into_iter().enumerate() {
        // Not bit for bit: without AVX-512, gemm takes another path for a few columns.
        assert!(distance(&all.narrow(1, id, 1).unwrap(), &some.narrow(1, column, 1).unwrap()) <= 1e-6 * size(&all));
    }
}

#[test]
fn what_a_tap_returns_is_what_the_model_goes_on_with() {
    let model = base();
    let (a, b) = (some_ids(6, 7), some_ids(9, 8));
    let clean = logits(&model, &[&a, &b]);
    use Activation::*;
    for at in [ResidPre, Q, K, V, Scores, Pattern, Z, AttnOut, ResidMid, MlpOut, ResidPost] {
        let mut tap = Zero(Site { at, layer: 1, segment: 1 });
        let resid = forward(&model, &[&a, &b], &mut tap).unwrap();
        let patched = model.unembed(&model.final_norm(&resid).unwrap(), None).unwrap();
        let rows = |x: &Tensor, from, len| x.narrow(0, from, len).unwrap();
        assert_eq!(bits(&rows(&clean, 0, 6)), bits(&rows(&patched, 0, 6)), "{at:?} of one prompt changed the other");
        assert!(distance(&rows(&clean, 6, 9), &rows(&patched, 6, 9)) > 1e-3, "{at:?} was not replaced");
    }
}

#[test]
fn the_heads_and_the_bias_add_up_to_what_attention_adds() {
    let model = base();
    let mut recorder = Recorder::new().keep(Activation::Z).keep(Activation::AttnOut);
    forward(&model, &[&some_ids(9, 9)], &mut recorder).unwrap();
    let trace = recorder.trace();
    for layer in 0..model.spec().layers {
        let heads = model.head_out(layer, trace.get(Activation::Z, layer, 0).unwrap()).unwrap();
        let bias = model.attn_constant(layer).unwrap().unwrap();
        let sum = heads.sum(0).unwrap().broadcast_add(&bias).unwrap();
        assert!(distance(&sum, trace.get(Activation::AttnOut, layer, 0).unwrap()) < 1e-5);
    }
}
