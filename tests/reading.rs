//! What reads a computation gives the numbers of `tests/make_reading_golden.py`, which knows only the definitions.

mod support;

use attnviz::analysis::{Parts, direct, lens};
use attnviz::model::{Backend, Gpt2};
use candle_core::{DType, Tensor};
use std::collections::HashMap;
use support::{fixtures, golden, ids, load, numbers};

const FIXTURES: [&str; 3] = ["base", "untied", "inverse-layer"];

struct Case {
    model: Gpt2,
    ids: Vec<u32>,
    golden: HashMap<String, Tensor>,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        FIXTURES.into_iter().map(|name| {
            let folder = fixtures().join(name);
            let golden = golden(&folder.join("reading.safetensors"));
            Self { model: load(&folder, &Backend::Fused), ids: ids(&golden), golden }
        })
    }

    fn whole(&self, name: &str) -> u32 {
        self.golden[name].to_dtype(DType::I64).unwrap().to_scalar::<i64>().unwrap() as u32
    }

    fn check(&self, name: &str, ours: impl IntoIterator<Item = f64>, within: f64) {
        let ours: Vec<f64> = ours.into_iter().collect();
        let theirs = numbers(&self.golden[name]);
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let size = theirs.iter().fold(1.0f64, |most, x| most.max(x.abs()));
        let apart = ours
            .iter()
            .zip(&theirs)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, |most: f64, d| if d > most || d.is_nan() { d } else { most });
        println!("{name}: {apart:.1e} apart, the largest is {size:.1e}");
        assert!(apart <= within * size, "{name} is {apart} apart");
    }
}

#[test]
fn the_logit_lens_reads_every_layer_through_the_final_norm() {
    for case in Case::all() {
        let (target, foil) = (case.whole("target"), case.whole("foil"));
        let lens = lens(&case.model, &case.ids, Some(target), Some(foil), 3).unwrap();
        let each = |of: fn(&attnviz::analysis::Answer) -> f64| lens.answers.iter().map(of).collect::<Vec<_>>();
        case.check("lens_top", each(|a| a.top[0].0.into()), 0.0);
        case.check("lens_rank", each(|a| a.rank.into()), 0.0);
        case.check("lens_p", each(|a| a.probability.into()), 1e-5);
        case.check("lens_entropy", each(|a| a.entropy_bits.into()), 1e-5);
        case.check("lens_kl", each(|a| a.kl_bits.into()), 1e-5);
        case.check("lens_difference", each(|a| a.difference.unwrap().into()), 1e-5);
        assert!(lens.answers.iter().all(|a| a.top.len() == 3 && a.top.is_sorted_by(|x, y| x.1 >= y.1)));
    }
}

#[test]
fn without_a_target_the_lens_follows_the_models_own_answers() {
    let case = Case::all().next().unwrap();
    let (n, lens) = (case.ids.len(), lens(&case.model, &case.ids, None, None, 1).unwrap());
    let last = &lens.answers[lens.answers.len() - n..];
    for (answer, followed) in last.iter().zip(&lens.followed) {
        assert_eq!((answer.top[0].0, answer.rank), (*followed, 1));
        assert!(answer.kl_bits < 1e-9);
        assert_eq!(answer.top[0].1, answer.probability);
    }
}

fn flat(parts: &Parts, heads: usize) -> Vec<f64> {
    let mut all = vec![parts.embedding, parts.position];
    for (layer, heads) in parts.heads.chunks(heads).enumerate() {
        all.extend(heads);
        all.extend([parts.attn_bias[layer], parts.mlp[layer]]);
    }
    all.extend([parts.bias, parts.total]);
    all
}

#[test]
fn a_logit_is_the_sum_of_what_every_part_wrote() {
    for case in Case::all() {
        let (target, foil, position) = (case.whole("target"), case.whole("foil"), case.whole("position") as usize);
        let heads = attnviz::model::Model::spec(&case.model).heads;
        let found = direct(&case.model, &case.ids, None, None, position).unwrap();
        assert_eq!(found.target, target);
        case.check("parts", flat(&found.parts, heads), 1e-5);
        case.check("parts_centred", flat(&found.centred, heads), 1e-5);
        assert!((found.parts.total - found.logit).abs() < 1e-4);
        let found = direct(&case.model, &case.ids, Some(target), Some(foil), position).unwrap();
        case.check("parts_contrast", flat(&found.parts, heads), 1e-5);
        assert_eq!(found.parts, found.centred);
    }
}
