//! Gradients are right: every fused operation against its composite twin, every composite against central differences in
//! double precision, and a whole model, so that an operation without a backward cannot cut the graph unseen.

use crate::support::{checkpoint, distance, fixtures, load, noise, numbers, size};
use attnviz::checkpoint::Source;
use attnviz::model::ops::{LayerNorm, Linear, Weight};
use attnviz::model::{Activation, Backend, Model, NoTap, Nonlinearity, Segments, Tap, attend};
use attnviz::trace::Recorder;
use candle_core::{DType, Device, Tensor, Var};

type Op = Box<dyn Fn(&[Tensor]) -> Tensor>;

/// `Σ output · weights`, so that every output element has its own gradient.
fn objective(y: &Tensor) -> Tensor {
    let weights = Tensor::new(noise(y.elem_count(), 99), y.device()).unwrap();
    let weights = weights.reshape(y.dims()).unwrap().to_dtype(y.dtype()).unwrap();
    (y * weights).unwrap().sum_all().unwrap()
}

fn gradients(op: &Op, inputs: &[Tensor]) -> Vec<Tensor> {
    let vars: Vec<Var> = inputs.iter().map(|x| Var::from_tensor(x).unwrap()).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let grads = objective(&op(&tensors)).backward().unwrap();
    vars.iter().map(|v| grads.get(v).expect("the graph was cut").clone()).collect()
}

fn central_differences(op: &Op, inputs: &[Tensor]) -> Vec<Tensor> {
    let h = 1e-5;
    let value = |inputs: &[Tensor]| objective(&op(inputs)).to_scalar::<f64>().unwrap();
    let of_input = |which: usize| {
        let x = numbers(&inputs[which]);
        let slope = |at: usize| {
            let moved = |by: f64| {
                let mut x = x.clone();
                x[at] += by;
                let mut inputs = inputs.to_vec();
                inputs[which] = Tensor::new(x, &Device::Cpu).unwrap().reshape(inputs[which].dims()).unwrap();
                value(&inputs)
            };
            (moved(h) - moved(-h)) / (2.0 * h)
        };
        let slopes: Vec<f64> = (0..x.len()).map(slope).collect();
        Tensor::new(slopes, &Device::Cpu).unwrap().reshape(inputs[which].dims()).unwrap()
    };
    (0..inputs.len()).map(of_input).collect()
}

fn input(shape: &[usize], seed: u64) -> Tensor {
    let values: Vec<f64> = noise(shape.iter().product(), seed).into_iter().map(|x| 2.0 * x).collect();
    Tensor::new(values, &Device::Cpu).unwrap().reshape(shape).unwrap()
}

/// Composite in f64 against central differences, fused in f32 against composite in f64; both within 1e-4 relative.
fn check(name: &str, composite: Op, fused: Op, inputs: &[Tensor]) {
    let exact = gradients(&composite, inputs);
    for (exact, measured) in exact.iter().zip(central_differences(&composite, inputs)) {
        assert!(distance(exact, &measured) <= 1e-4 * size(&measured), "{name}: composite against central differences");
    }
    let single: Vec<Tensor> = inputs.iter().map(|x| x.to_dtype(DType::F32).unwrap()).collect();
    let (ours, theirs) = (fused(&single), composite(inputs));
    let forward = distance(&ours, &theirs);
    assert!(forward <= 2e-6 * size(&theirs), "{name}: fused forward is off by {forward}");
    for (ours, exact) in gradients(&fused, &single).iter().zip(&exact) {
        let apart = distance(ours, exact);
        assert!(apart <= 1e-5 * size(exact), "{name}: fused gradient is off by {apart}");
    }
}

fn parameters(name: &str) -> (Weight, Weight) {
    let (config, weights) = checkpoint(&Source::Directory(fixtures().join("base")));
    let d = config.spec.d_model;
    let shape = if name.contains("c_attn") { vec![d, 3 * d] } else { vec![d] };
    let weight = weights.get(&format!("{name}.weight"), &shape).unwrap();
    let bias = weights.get(&format!("{name}.bias"), &shape[shape.len() - 1..]).unwrap();
    (Weight::Mapped(weight), Weight::Mapped(bias))
}

fn double(weight: &Weight) -> Weight {
    Weight::Dense(weight.tensor().unwrap().to_dtype(DType::F64).unwrap())
}

#[test]
fn the_gradient_of_a_linear_map_is_right() {
    let (weight, bias) = parameters("transformer.h.0.attn.c_attn");
    let exact = Linear { weight: double(&weight), bias: Some(double(&bias)), transposed: false };
    let fused = Linear { weight, bias: Some(bias), transposed: false };
    let d = exact.weight.tensor().unwrap().dims()[0];
    let run = |linear: Linear| -> Op { Box::new(move |x| linear.forward(&x[0]).unwrap()) };
    check("linear", run(exact.clone()), run(fused.clone()), &[input(&[5, d], 1)]);
    let back = |linear: Linear| Linear { bias: None, transposed: true, ..linear };
    check("transposed linear", run(back(exact)), run(back(fused)), &[input(&[5, 3 * d], 2)]);
}

#[test]
fn the_gradient_of_layer_norm_is_right() {
    let (weight, bias) = parameters("transformer.h.0.ln_1");
    let exact = LayerNorm { weight: double(&weight), bias: double(&bias), eps: 1e-5 };
    let fused = LayerNorm { weight, bias, eps: 1e-5 };
    let d = exact.weight.tensor().unwrap().dims()[0];
    let run = |norm: LayerNorm| -> Op { Box::new(move |x| norm.forward(&x[0]).unwrap()) };
    check("layer_norm", run(exact), run(fused), &[input(&[5, d], 3)]);
}

#[test]
fn the_gradient_of_every_activation_is_right() {
    for act in ["relu", "gelu", "gelu_new", "quick_gelu", "silu", "tanh"] {
        let act = Nonlinearity::named(act).unwrap();
        let run = |fused: bool| -> Op { Box::new(move |x| act.forward(&x[0], fused).unwrap()) };
        check(&format!("{act:?}"), run(false), run(true), &[input(&[7, 9], 4)]);
    }
}

#[test]
fn the_gradients_of_attention_are_right_with_and_without_a_past() {
    // Each head with keys and values of its own, two that share, and all four.
    for (past, heads, kv_heads) in [(0, 2, 2), (3, 2, 2), (0, 4, 2), (3, 4, 1)] {
        let (queries, d) = (6, 4);
        let keys = queries + past;
        let pattern = |fused: bool| -> Op { Box::new(move |x| attend::pattern(&x[0], &x[1], 0.5, fused).unwrap()) };
        let inputs = [input(&[queries, heads, d], 5), input(&[keys, kv_heads, d], 6)];
        check("pattern", pattern(false), pattern(true), &inputs);
        let softmax = |fused: bool| -> Op { Box::new(move |x| attend::causal_softmax(&x[0], fused).unwrap()) };
        check("softmax", softmax(false), softmax(true), &[input(&[heads, queries, keys], 7)]);
        let whole = |fused: bool| -> Op {
            Box::new(move |x| {
                let pattern = attend::pattern(&x[0], &x[1], 0.5, fused).unwrap();
                attend::mix(&pattern, &x[2], fused).unwrap()
            })
        };
        let inputs = [inputs[0].clone(), inputs[1].clone(), input(&[keys, kv_heads, d], 8)];
        check("attention", whole(false), whole(true), &inputs);
    }
}

#[test]
fn the_gradient_of_a_whole_model_reaches_the_embeddings() {
    // An unwatched forward computes attention in one operation, a watched one in several.
    let watched = [false, true];
    for (name, watched) in ["base", "inverse-layer", "act-gelu", "untied"].iter().flat_map(|n| watched.map(|w| (n, w)))
    {
        let folder = fixtures().join(name);
        let run = |model: attnviz::model::Gpt2| -> Op {
            Box::new(move |x| {
                let segments = Segments::packed(&[4, 3]);
                let resid = model.start(&x[0], &segments).unwrap();
                let mut recorder = Recorder::new().keep(Activation::Pattern);
                let tap: &mut dyn Tap = if watched { &mut recorder } else { &mut NoTap };
                let resid = model.blocks(resid, &segments, tap).unwrap();
                model.unembed(&model.final_norm(&resid).unwrap(), Some(&[3, 17])).unwrap()
            })
        };
        let (exact, fused) =
            (load(&folder, &Backend::Composite(DType::F64, Device::Cpu)), load(&folder, &Backend::Fused));
        let d = exact.spec().d_model;
        check(name, run(exact), run(fused), &[input(&[7, d], 9)]);
    }
}
