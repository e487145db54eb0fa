//! What reads a computation gives the numbers of `tests/make_reading_golden.py`, which knows only the definitions.

use crate::support::{fixtures, golden, ids, load, noise, numbers};
use attnviz::analysis::attribution::{Baseline, Evaluator};
use attnviz::analysis::flow::flow;
use attnviz::analysis::heads::{self, Score};
use attnviz::analysis::mixing::{Method, agreement, mixing};
use attnviz::analysis::norms::norms;
use attnviz::analysis::rollout::{mean_patterns, rollout, with_residual};
use attnviz::analysis::zeroing::value_zeroing;
use attnviz::analysis::{Objective, Of, Parts, Request, Sink, attention, direct, lens};
use attnviz::model::{Backend, Gpt2};
use attnviz::named::Named;
use candle_core::{DType, Tensor};
use std::collections::HashMap;

const FIXTURES: [&str; 3] = ["base", "untied", "inverse-layer"];

struct Case {
    model: Gpt2,
    ids: Vec<u32>,
    golden: HashMap<String, Tensor>,
}

impl Case {
    fn of(name: &str) -> Self {
        let folder = fixtures().join(name);
        let golden = golden(&folder.join("reading.safetensors"));
        Self { model: load(&folder, &Backend::Fused), ids: ids(&golden), golden }
    }

    fn all() -> impl Iterator<Item = Self> {
        FIXTURES.into_iter().map(Self::of)
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

fn flattened(maps: &[Vec<f32>]) -> Vec<f64> {
    maps.iter().flatten().map(|x| f64::from(*x)).collect()
}

#[test]
fn rollout_multiplies_the_layers_with_and_without_the_sink() {
    for case in Case::all() {
        let n = case.ids.len();
        for (sink, name) in [(Sink::Keep, "rollout"), (Sink::Renorm, "rollout_sink_free")] {
            let means = mean_patterns(&case.model, &case.ids, sink).unwrap();
            let layers: Vec<Vec<f64>> = means.layers.iter().map(|mean| with_residual(mean, n)).collect();
            let rolled = rollout(&layers, n);
            rows_sum_to_one(&rolled, n);
            case.check(name, rolled, 1e-5);
        }
    }
}

#[test]
fn rows_of_which_rounding_is_left_without_the_sink_are_empty_in_every_method() {
    let case = Case::of("sink");
    let (n, share, empty) = (case.ids.len(), numbers(&case.golden["sink_share"])[0], case.whole("empty_rows") as usize);
    let request = Request { layers: vec![0, 1], heads: vec![0, 1], sink: Sink::Renorm, ..Request::default() };
    let (found, _) = attention(&case.model, &case.ids, &request).unwrap();
    let maps: Vec<Vec<f32>> = found.maps.into_iter().map(|map| map.values).collect();
    case.check("patterns_sink_free", flattened(&maps), 1e-4);
    assert!((f64::from(found.sink_share) - share).abs() < 1e-6 && found.empty_rows == empty, "{share}, {empty}");
    let all: f64 = found.received.iter().map(|one| one.share).sum();
    assert!((all - 1.0).abs() < 1e-6, "{all}");

    let means = mean_patterns(&case.model, &case.ids, Sink::Renorm).unwrap();
    assert!((means.sink_share - share).abs() < 1e-6 && means.empty_rows == empty, "{means:?}");
    let through: Vec<Vec<f64>> = means.layers.iter().map(|mean| with_residual(mean, n)).collect();
    case.check("rollout_sink_free", rollout(&through, n), 1e-4);
    flow_is_the_textbooks(&through, n, n - 1);

    let objective = Objective { position: n - 1, target: 5, foil: None, of: Of::LogProb };
    let evaluator = Evaluator::new(&case.model, &case.ids, objective, Baseline::Zero, &|_, _| ()).unwrap();
    let methods = [Method::Raw, Method::Rollout];
    let found = mixing(&evaluator, &methods, Sink::Renorm, false, &|_, _| ()).unwrap();
    case.check("raw_sink_free", flattened(&found[0].maps), 1e-4);
    case.check("rollout_sink_free", flattened(&found[1].maps), 1e-4);
    assert!(found.iter().all(|mixing| mixing.sink.unwrap().empty_rows == empty && mixing.shares == mixing.maps[0]));

    // Hidden without rescaling, the row is that of the map, and both are what is left.
    let masked = mixing(&evaluator, &[Method::Raw], Sink::Mask, false, &|_, _| ()).unwrap().remove(0);
    let raw = numbers(&case.golden["raw"]);
    for (at, value) in masked.maps[0].iter().enumerate() {
        let wanted = if at % n == 0 { 0.0 } else { raw[at] };
        assert!((f64::from(*value) - wanted).abs() < 1e-5, "{at}");
    }
    assert_eq!(masked.row(n - 1), &masked.maps[0][n * (n - 1)..]);
}

#[track_caller]
fn rows_sum_to_one(map: &[f64], n: usize) {
    assert!(map.chunks(n).all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-5));
}

#[test]
fn norms_are_those_of_the_vectors_that_attention_moves() {
    for case in Case::all() {
        let norms = norms(&case.model, &case.ids).unwrap();
        case.check("norm", flattened(&norms.plain), 1e-5);
        case.check("norm_residual", flattened(&norms.residual), 1e-5);
    }
}

#[test]
fn value_zeroing_is_the_turn_of_the_layers_output() {
    for case in Case::all() {
        let n = case.ids.len();
        let maps = value_zeroing(&case.model, &case.ids, 0..=n - 1, &|_, _| ()).unwrap();
        case.check("value_zeroing", flattened(&maps), 1e-5);
        maps.iter().for_each(|map| rows_sum_to_one(&flattened(std::slice::from_ref(map)), n));
        // One row alone is the same row.
        let one = value_zeroing(&case.model, &case.ids, 7..=7, &|_, _| ()).unwrap();
        for (all, one) in maps.iter().zip(&one) {
            let apart = all[7 * n..8 * n].iter().zip(&one[7 * n..8 * n]).map(|(a, b)| (a - b).abs());
            assert!(apart.fold(0.0, f32::max) < 1e-6 && one[6 * n].is_nan());
        }
    }
}

#[test]
fn attention_times_gradient_follows_the_prediction_or_the_contrast() {
    for case in Case::all() {
        let (n, position) = (case.ids.len(), case.whole("position") as usize);
        for (foil, name) in [(None, "chefer"), (Some(case.whole("foil")), "chefer_contrast")] {
            let objective = Objective { position, target: case.whole("target"), foil, of: Of::LogProb };
            let evaluator = Evaluator::new(&case.model, &case.ids, objective, Baseline::Zero, &|_, _| ()).unwrap();
            let found = mixing(&evaluator, &[Method::AttentionXGradient], Sink::Keep, false, &|_, _| ()).unwrap();
            let theirs = &numbers(&case.golden[name])[position * n..(position + 1) * n];
            let ours = &found[0].maps[0][position * n..(position + 1) * n];
            let apart = ours.iter().zip(theirs).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
            assert!(apart < 1e-5, "{name} is {apart} apart");
        }
    }
}

#[test]
fn every_method_gives_shares_of_one_at_the_position_and_agrees_with_itself() {
    let case = Case::all().next().unwrap();
    let (n, position) = (case.ids.len(), 8);
    let objective = Objective { position, target: case.whole("target"), foil: None, of: Of::LogProb };
    let evaluator = Evaluator::new(&case.model, &case.ids, objective, Baseline::Zero, &|_, _| ()).unwrap();
    let found = mixing(&evaluator, &Method::all().collect::<Vec<_>>(), Sink::Keep, false, &|_, _| ()).unwrap();
    case.check("raw", flattened(&found[0].maps), 1e-5);
    for mixing in &found {
        let row = mixing.row(position);
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{:?}", mixing.method);
        assert!(row[position + 1..].iter().all(|x| *x == 0.0), "{:?}", mixing.method);
        let computed = if mixing.method.is_by_row() || mixing.method == Method::AttentionXGradient { 1 } else { n };
        assert_eq!(mixing.shares.chunks(n).filter(|row| row[0].is_finite()).count(), computed, "{:?}", mixing.method);
    }
    let rho = agreement(&found, position);
    for (a, b) in (0..7).flat_map(|a| (0..7).map(move |b| (a, b))) {
        assert!((rho[a * 7 + b] - rho[b * 7 + a]).abs() < 1e-6 && (a != b || (rho[a * 7 + b] - 1.0).abs() < 1e-6));
    }
}

/// Edmonds and Karp 1972, on a matrix of capacities: one shortest path at a time.
fn textbook_flow(mut capacity: Vec<Vec<u64>>, source: usize, sink: usize) -> u64 {
    let n = capacity.len();
    let mut total = 0;
    loop {
        let mut before = vec![usize::MAX; n];
        let mut queue = std::collections::VecDeque::from([source]);
        before[source] = source;
        while let Some(u) = queue.pop_front() {
            for v in 0..n {
                if capacity[u][v] > 0 && before[v] == usize::MAX {
                    before[v] = u;
                    queue.push_back(v);
                }
            }
        }
        if before[sink] == usize::MAX {
            return total;
        }
        let (mut least, mut v) = (u64::MAX, sink);
        while v != source {
            least = least.min(capacity[before[v]][v]);
            v = before[v];
        }
        v = sink;
        while v != source {
            let u = before[v];
            capacity[u][v] -= least;
            capacity[v][u] += least;
            v = u;
        }
        total += least;
    }
}

/// Compares the flow to `row` with the textbook's in the same graph of lower triangles.
fn flow_is_the_textbooks(layers: &[Vec<f64>], n: usize, row: usize) {
    let nodes = (layers.len() + 1) * n;
    let mut capacity = vec![vec![0u64; nodes]; nodes];
    for (depth, layer) in layers.iter().enumerate() {
        for (at, weight) in layer.iter().enumerate().filter(|(at, _)| at % n <= at / n) {
            let whole = (weight * 2f64.powi(40)).round() as u64;
            capacity[(depth + 1) * n + at / n][depth * n + at % n] = whole;
        }
    }
    let raw: Vec<f64> = (0..=row).map(|j| textbook_flow(capacity.clone(), layers.len() * n + row, j) as f64).collect();
    let total = raw.iter().sum::<f64>().max(1.0);
    let ours = flow(layers, n, row);
    assert!(ours[..=row].iter().zip(&raw).all(|(a, b)| (a - b / total).abs() < 1e-12), "{ours:?} {raw:?}");
    assert!(ours[row + 1..].iter().all(|x| *x == 0.0));
}

#[test]
fn the_largest_flow_is_that_of_the_textbook_on_random_layers() {
    for seed in 0..200 {
        let (n, depth) = (2 + seed as usize % 7, 1 + seed as usize % 4);
        let random = noise(2 * depth * n * n, 1000 + seed);
        // Where an edge is missing, the flow must find its way around.
        let weight = |pair: &[f64]| if pair[0] > -0.3 { (pair[1] + 1.0) / 2.0 } else { 0.0 };
        let layers: Vec<Vec<f64>> =
            random.chunks(2 * n * n).map(|layer| layer.chunks(2).map(weight).collect()).collect();
        flow_is_the_textbooks(&layers, n, n - 1);
    }
}

#[test]
fn attention_flow_is_the_largest_flow_from_each_token() {
    for case in Case::all() {
        let n = case.ids.len();
        let means = mean_patterns(&case.model, &case.ids, Sink::Keep).unwrap();
        let layers: Vec<Vec<f64>> = means.layers.iter().map(|mean| with_residual(mean, n)).collect();
        flow_is_the_textbooks(&layers, n, 8);
    }
}

#[test]
fn the_heads_of_a_hand_built_induction_model_are_found_by_name() {
    let folder = fixtures().join("induction");
    let model = load(&folder, &Backend::Fused);
    let (sequences, period) = heads::repeats(&(0..40).collect::<Vec<u32>>(), 24, 0).unwrap();
    let found = heads::of_repeats(&model, &sequences, period).unwrap();
    let labels: Vec<&str> = found.iter().map(|head| head.label().0.name()).collect();
    assert_eq!(labels, ["previous", "sink", "induction", "broad"], "{found:?}");
    assert!(found[0].score(Score::Previous) > 0.99 && found[1].score(Score::Sink) > 0.99, "{found:?}");
    assert!(found[2].score(Score::Induction) > 0.6, "{found:?}");
    // On a prompt too, as long as something repeats there.
    let (found, _) = heads::of_prompts(&model, &[&[3, 8, 5, 9, 3, 8, 5, 9, 3, 8]]).unwrap().remove(0);
    assert_eq!(found[2].label().0.name(), "induction", "{found:?}");
}

#[test]
fn recorded_traces_of_gpt2_show_its_previous_token_head() {
    let Some(folder) = crate::support::skip::shared("data/gpt2-traces") else { return };
    for name in ["ex0", "ex1", "ex2"] {
        let trace = attnviz::export::read(&folder.join(format!("{name}.safetensors"))).unwrap();
        let ids = trace.token_ids.clone().unwrap_or_default();
        let found = heads::of_patterns(&trace.attention, trace.shape, &ids).unwrap();
        let head = found[4 * 12 + 11];
        assert_eq!(head.label().0.name(), "previous");
        assert!((0.9997..=0.99995).contains(&head.score(Score::Previous)), "{head:?}");
    }
}
