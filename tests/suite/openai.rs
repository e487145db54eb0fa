//! What is known of OpenAI's GPT-2 small, for whoever has its weights:
//!
//! ```sh
//! ATTNVIZ_GPT2=path/to/gpt2 cargo test --release openai:: -- --ignored
//! ```
//!
//! The folder holds config.json, model.safetensors and tokenizer.json of `openai-community/gpt2`. The numbers of three prompts were
//! recorded from that model by transformers; the loss is TransformerLens' acceptance test.

use attnviz::analysis::{Request, attention};
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::findings::circuit::{Known, Options};
use attnviz::findings::{Asked, Subject, find};
use attnviz::model::NoTap;
use attnviz::named::Named;
use attnviz::prompt::Prompt;
use attnviz::session::Session;
use attnviz::trace::forward;

fn gpt2() -> Session {
    let folder = std::env::var("ATTNVIZ_GPT2").expect("ATTNVIZ_GPT2 names the folder of OpenAI's GPT-2 small");
    Session::new(Checkpoint::open(&Source::parse(&folder).unwrap()).unwrap()).unwrap()
}

/// A prompt, its ids, its mean `A[i, i-1]` in head 4.11, weights at `[layer, head, query, key]`, and logits at the last position.
type Recorded = (&'static str, [u32; 6], f32, [([usize; 4], f32); 6], [(usize, f32); 5]);

const RECORDED: [Recorded; 3] = [
    (
        "Data visualization empowers users to",
        [6601, 32704, 795, 30132, 2985, 284],
        0.999_857_3,
        [
            ([0, 0, 3, 1], 0.217_164),
            ([0, 4, 5, 2], 0.079_366_855),
            ([5, 5, 5, 0], 0.967_377_9),
            ([9, 6, 4, 2], 0.001_548_919_7),
            ([11, 8, 5, 3], 0.140_969_3),
            ([3, 2, 4, 3], 0.257_473_4),
        ],
        [(38350, -135.9132), (2251, -136.6836), (766, -137.1203), (0, -146.7778), (50256, -147.9069)],
    ),
    (
        "Artificial Intelligence is transforming the",
        [8001, 9542, 9345, 318, 25449, 262],
        0.999_945_3,
        [
            ([0, 0, 3, 1], 0.157_274_34),
            ([0, 4, 5, 2], 0.090_163_66),
            ([5, 5, 5, 0], 0.960_837_5),
            ([9, 6, 4, 2], 0.022_776_24),
            ([11, 8, 5, 3], 0.320_495_43),
            ([3, 2, 4, 3], 0.430_584_22),
        ],
        [(835, -100.8785), (995, -101.0488), (3160, -103.3489), (0, -116.3506), (50256, -114.2278)],
    ),
    (
        "As the spaceship was approaching the",
        [1722, 262, 40663, 373, 13885, 262],
        0.999_853_6,
        [
            ([0, 0, 3, 1], 0.056_707_74),
            ([0, 4, 5, 2], 0.099_599_41),
            ([5, 5, 5, 0], 0.871_503_95),
            ([9, 6, 4, 2], 0.009_171_321),
            ([11, 8, 5, 3], 0.198_178_1),
            ([3, 2, 4, 3], 0.411_642_5),
        ],
        [(5440, -92.8636), (4417, -94.1827), (4429, -94.4171), (0, -105.4254), (50256, -105.3649)],
    ),
];

#[test]
#[ignore = "needs OpenAI's weights: ATTNVIZ_GPT2=DIR"]
fn attention_and_logits_are_those_that_transformers_recorded() {
    let session = gpt2();
    let all = Request { layers: (0..12).collect(), heads: (0..12).collect(), ..Request::default() };
    for (text, ids, previous, weights, logits) in RECORDED {
        let prompt = Prompt::from_text(&session.tokenizer, text, None).unwrap();
        assert_eq!(prompt.ids, ids, "{text}");
        let (attention, pass) = attention(session.model(), &prompt.ids, &all).unwrap();
        let at = |layer: usize, head: usize, query: usize, key: usize| {
            attention.maps[12 * layer + head].values[6 * query + key]
        };
        for ([layer, head, query, key], theirs) in weights {
            let ours = at(layer, head, query, key);
            assert!((ours - theirs).abs() < 2e-5, "{text}: {layer}.{head} [{query}, {key}] is {ours}, not {theirs}");
        }
        let mean = (1..6).map(|query| at(4, 11, query, query - 1)).sum::<f32>() / 5.0;
        assert!((mean - previous).abs() < 1e-5, "{text}: head 4.11 {mean}, not {previous}");
        let ours: Vec<f32> = session.next_logits(&[&pass.resid]).unwrap().get(0).unwrap().to_vec1().unwrap();
        for (id, theirs) in logits {
            assert!((ours[id] - theirs).abs() < 2e-3, "{text}: logit of {id} is {}, not {theirs}", ours[id]);
        }
        let best = ours.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        assert_eq!(best, logits[0].0, "{text}");
    }
}

#[test]
#[ignore = "needs OpenAI's weights: ATTNVIZ_GPT2=DIR"]
fn the_loss_on_hello_world_is_that_of_transformer_lens() {
    let session = gpt2();
    let prompt = Prompt::from_text(&session.tokenizer, "Hello world!", session.spec().bos).unwrap();
    assert_eq!(prompt.ids[0], 50256);
    let resid = forward(session.model(), &[&prompt.ids], &mut NoTap).unwrap();
    let logits = session.model().unembed(&session.model().final_norm(&resid).unwrap(), None).unwrap();
    let rows: Vec<Vec<f32>> = logits.to_vec2().unwrap();
    let surprise = |row: &[f32], id: u32| {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total: f64 = row.iter().map(|x| f64::from(x - max).exp()).sum();
        total.ln() - f64::from(row[id as usize] - max)
    };
    let losses: Vec<f64> = rows.iter().zip(&prompt.ids[1..]).map(|(row, id)| surprise(row, *id)).collect();
    let loss = losses.iter().sum::<f64>() / losses.len() as f64;
    assert!((loss - 5.3319).abs() < 1e-3, "{loss}");
}

#[test]
#[ignore = "needs OpenAI's weights: ATTNVIZ_GPT2=DIR"]
fn every_circuit_that_is_known_of_it_is_there() {
    let session = gpt2();
    for circuit in Known::all() {
        let asked = Asked::Circuit(Options { circuit, ..Options::default() });
        let subject = Subject::new(&session, Prompt::default(), &asked).unwrap();
        let found = find(asked.analysis(), subject, &[]).unwrap();
        found.verdict().unwrap_or_else(|error| panic!("{}", error.message));
    }
}
