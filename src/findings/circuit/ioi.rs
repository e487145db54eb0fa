//! Indirect object identification: "When Mary and John went to the store, John gave a drink to" is followed by " Mary" (Wang et al. 2022).

use super::Quantity;
use super::looks::{Look, attention, token};
use crate::analysis::attribution::Dice;
use crate::analysis::direct::direct;
use crate::error::{Error, Result};
use crate::findings::Subject;

/// Names that are one token to GPT-2, with the space before them.
const NAMES: [&str; 16] = [
    "Mary", "John", "Tom", "James", "Dan", "Sarah", "Anna", "Paul", "David", "Michael", "Robert", "Alice", "Peter",
    "Laura", "Mark", "Jack",
];
const PLACES: [&str; 6] = ["store", "garden", "restaurant", "school", "hospital", "office"];
const THINGS: [&str; 6] = ["drink", "ring", "book", "basketball", "computer", "bone"];

/// Heads of GPT-2 small by what they do, layer and number (Wang et al. 2022, figure 2).
const MOVERS: [(usize, usize); 3] = [(9, 9), (9, 6), (10, 0)];
const NEGATIVE: [(usize, usize); 2] = [(10, 7), (11, 10)];
const INHIBITION: [(usize, usize); 4] = [(7, 3), (7, 9), (8, 6), (8, 10)];
const DUPLICATE: [(usize, usize); 2] = [(0, 1), (3, 0)];
const INDUCTION: [(usize, usize); 2] = [(5, 5), (6, 9)];
/// A previous-token head, and how much of its attention is on the token before.
const PREVIOUS: ((usize, usize), f64) = ((4, 11), 0.9);
/// A mean logit difference of about 3.5, and the share of prompts in which it is above 0 (0.99 there).
const DIFFERENCE: [f64; 2] = [2.0, 5.0];
const RIGHT: f64 = 0.9;
/// What a head must attend to more than chance would, in a prompt of about 15 tokens.
const ATTENDED: f64 = 0.1;

/// A prompt with the places of the names in it.
struct Case {
    text: String,
    ids: Vec<u32>,
    object: u32,
    subject: u32,
    /// Of the object, the subject, and the subject again.
    at: [usize; 3],
}

/// Its quantities, and the prompts.
pub(super) fn measure(subject: &Subject, seed: u64, count: usize) -> Result<(Vec<Quantity>, Vec<String>)> {
    let session = subject.session;
    let cases = (0..count).map(|index| case(subject, seed, index)).collect::<Result<Vec<_>>>()?;
    let heads = session.spec().heads;
    let (mut difference, mut right, mut direct_of) = (0.0, 0usize, vec![0.0; session.spec().layers * heads]);
    (subject.watch)(0, count);
    for case in &cases {
        let found = direct(session.model(), &case.ids, Some(case.object), Some(case.subject), case.ids.len() - 1)?;
        difference += found.logit / count as f64;
        right += usize::from(found.logit > 0.0);
        direct_of.iter_mut().zip(&found.parts.heads).for_each(|(sum, part)| *sum += part / count as f64);
        (subject.watch)(1, 0);
    }
    let [least, most] = DIFFERENCE;
    let mut all = vec![
        Quantity::between("logit of object minus subject", difference, least, most),
        Quantity::at_least("share of prompts right", right as f64 / count as f64, RIGHT),
    ];
    let writes = |(layer, head): (usize, usize)| direct_of[layer * heads + head];
    let name = |what: &str, (layer, head): (usize, usize)| format!("{layer}.{head}: {what}");
    all.extend(MOVERS.map(|at| Quantity::at_least(name("writes for the object", at), writes(at), 0.0)));
    all.extend(NEGATIVE.map(|at| Quantity::at_most(name("writes for the object", at), writes(at), 0.0)));

    let ids: Vec<Vec<u32>> = cases.iter().map(|case| case.ids.clone()).collect();
    let end = |case: usize| cases[case].ids.len() - 1;
    let to_object = |case: usize| (end(case), cases[case].at[0]);
    let to_subject = |case: usize| (end(case), cases[case].at[2]);
    let to_first = |case: usize| (cases[case].at[2], cases[case].at[1]);
    let after_first = |case: usize| (cases[case].at[2], cases[case].at[1] + 1);
    let before = |case: usize| (cases[case].at[1] + 1, cases[case].at[1]);
    let looks = |heads: &[(usize, usize)], at: &dyn Fn(usize) -> (usize, usize)| -> Result<Vec<f64>> {
        let looks: Vec<Look> = heads.iter().map(|(layer, head)| (*layer, *head, at)).collect();
        attention(session, &ids, &looks)
    };
    let more = |what: &str, heads: &[(usize, usize)], a: Vec<f64>, b: Vec<f64>| -> Vec<Quantity> {
        let one = |(at, (a, b)): (&(usize, usize), (f64, f64))| Quantity::at_least(name(what, *at), a - b, 0.0);
        heads.iter().zip(a.into_iter().zip(b)).map(one).collect()
    };
    let what = "attention, object less subject";
    all.extend(more(what, &MOVERS, looks(&MOVERS, &to_object)?, looks(&MOVERS, &to_subject)?));
    let what = "attention, subject less object";
    all.extend(more(what, &INHIBITION, looks(&INHIBITION, &to_subject)?, looks(&INHIBITION, &to_object)?));
    for (what, heads, at, least) in [
        ("subject again → subject", &DUPLICATE[..], &to_first as &dyn Fn(usize) -> (usize, usize), ATTENDED),
        ("subject again → what followed", &INDUCTION, &after_first, ATTENDED),
        ("what followed → subject", &[PREVIOUS.0], &before, PREVIOUS.1),
    ] {
        all.extend(
            heads
                .iter()
                .zip(looks(heads, at)?)
                .map(|(head, value)| Quantity::at_least(name(what, *head), value, least)),
        );
    }
    Ok((all, cases.into_iter().map(|case| case.text).collect()))
}

fn case(subject: &Subject, seed: u64, index: usize) -> Result<Case> {
    let session = subject.session;
    let mut dice = Dice::new(seed, index as u64);
    let order = dice.order(NAMES.len());
    let (object, again) = (NAMES[order[0]], NAMES[order[1]]);
    // The subject is named first in one half of the prompts and last in the other.
    let (a, b) = if index.is_multiple_of(2) { (object, again) } else { (again, object) };
    let (place, thing) = (PLACES[dice.below(PLACES.len())], THINGS[dice.below(THINGS.len())]);
    let text = format!("When {a} and {b} went to the {place}, {again} gave a {thing} to");
    let ids = session.tokenizer.encode(&text)?;
    let [object, again] = [object, again].map(|name| token(session, &format!(" {name}")));
    let (object, again) = (object?, again?);
    let places =
        |id: u32| ids.iter().enumerate().filter(move |(_, other)| **other == id).map(|(at, _)| at).collect::<Vec<_>>();
    match (&places(object)[..], &places(again)[..]) {
        ([object_at], [first, second]) => {
            Ok(Case { at: [*object_at, *first, *second], text, ids: ids.clone(), object, subject: again })
        }
        _ => Err(Error::usage(format!("this tokenizer does not keep the names of {text:?} apart"))
            .hint("check induction, which needs no text, or give GPT-2's tokenizer")
            .option("tokenizer")),
    }
}
