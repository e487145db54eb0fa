//! Greater-than: "The war lasted from the year 1732 to the year 17" is followed by a later year (Hanna et al. 2023).

use super::Quantity;
use super::looks::{Look, attention, token};
use crate::analysis::attribution::Dice;
use crate::analysis::direct::direct;
use crate::analysis::logits::Softmax;
use crate::error::{Error, Result};
use crate::findings::Subject;
use crate::model::NoTap;
use crate::session::Session;
use crate::trace::forward;
use candle_core::DType;

const NOUNS: [&str; 12] = [
    "war",
    "campaign",
    "contract",
    "marriage",
    "project",
    "trial",
    "conflict",
    "program",
    "expedition",
    "dispute",
    "reign",
    "siege",
];
const CENTURIES: std::ops::RangeInclusive<u32> = 11..=17;
/// Years with some before them and some after.
const YEARS: std::ops::RangeInclusive<usize> = 2..=97;
/// A model that writes fewer years as century and year does not have GPT-2's tokenizer.
const LEAST: usize = 50;
/// Heads of GPT-2 small that bring the year to the end, and are induction heads as well (Hanna et al. 2023, figure 5).
const HEADS: [(usize, usize); 3] = [(5, 5), (6, 9), (7, 10)];
const ATTENDED: f64 = 0.1;
/// MLPs that decide which years are greater (there, sections 3.2 and 4).
const MLPS: [usize; 2] = [9, 10];
/// The probability of later years minus that of others: 0.817 there.
const DIFFERENCE: f64 = 0.6;
const RIGHT: f64 = 0.9;

/// A prompt, its year, and where that stands.
struct Case {
    text: String,
    ids: Vec<u32>,
    year: usize,
    at: usize,
    /// A later year and one that is not, to tell what writes the difference.
    pair: [u32; 2],
}

/// Its quantities, and the prompts.
pub(super) fn measure(subject: &Subject, seed: u64, count: usize) -> Result<(Vec<Quantity>, Vec<String>)> {
    let session = subject.session;
    let years = (0..100).map(|year| token(session, &format!("{year:02}"))).collect::<Result<Vec<u32>>>()?;
    let spans = spans(session, &years)?;
    let cases = (0..count).map(|index| case(session, &years, &spans, seed, index)).collect::<Result<Vec<_>>>()?;
    let (mut difference, mut right, mut written) = (0.0, 0usize, [0.0; MLPS.len()]);
    (subject.watch)(0, count);
    for case in &cases {
        let later = more_later(session, case, &years)?;
        difference += later / count as f64;
        right += usize::from(later > 0.0);
        let parts =
            direct(session.model(), &case.ids, Some(case.pair[0]), Some(case.pair[1]), case.ids.len() - 1)?.parts;
        written.iter_mut().zip(MLPS).for_each(|(sum, layer)| *sum += parts.mlp[layer] / count as f64);
        (subject.watch)(1, 0);
    }
    let mut all = vec![
        Quantity::at_least("p(later years) minus p(others)", difference, DIFFERENCE),
        Quantity::at_least("share of prompts right", right as f64 / count as f64, RIGHT),
    ];
    let to_year = |case: usize| (cases[case].ids.len() - 1, cases[case].at);
    let looks: Vec<Look> =
        HEADS.iter().map(|(layer, head)| (*layer, *head, &to_year as &dyn Fn(usize) -> (usize, usize))).collect();
    let ids: Vec<Vec<u32>> = cases.iter().map(|case| case.ids.clone()).collect();
    for ((layer, head), value) in HEADS.iter().zip(attention(session, &ids, &looks)?) {
        all.push(Quantity::at_least(format!("{layer}.{head}: attention on the year"), value, ATTENDED));
    }
    for (layer, value) in MLPS.iter().zip(written) {
        all.push(Quantity::at_least(format!("MLP {layer}: writes for later years"), value, 0.0));
    }
    Ok((all, cases.into_iter().map(|case| case.text).collect()))
}

/// Centuries and years that the tokenizer writes as two tokens.
fn spans(session: &Session, years: &[u32]) -> Result<Vec<(u32, usize)>> {
    let mut spans = Vec::new();
    for century in CENTURIES {
        let first = token(session, &format!(" {century}"))?;
        for year in YEARS {
            if session.tokenizer.encode(&format!(" {century}{year:02}"))? == [first, years[year]] {
                spans.push((century, year));
            }
        }
    }
    if spans.len() < LEAST {
        return Err(Error::usage("this tokenizer does not write years as GPT-2's does, a century and two digits")
            .hint("check induction, which needs no text, or give GPT-2's tokenizer")
            .option("tokenizer"));
    }
    Ok(spans)
}

fn case(session: &Session, years: &[u32], spans: &[(u32, usize)], seed: u64, index: usize) -> Result<Case> {
    let mut dice = Dice::new(seed, index as u64);
    let ((century, year), noun) = (spans[dice.below(spans.len())], NOUNS[dice.below(NOUNS.len())]);
    let text = format!("The {noun} lasted from the year {century}{year:02} to the year {century}");
    let ids = session.tokenizer.encode(&text)?;
    let at = ids.iter().position(|id| *id == years[year]);
    let at = at.ok_or_else(|| Error::failed(format!("the year of {text:?} is no token of its own")))?;
    let pair = [years[year + 1 + dice.below(99 - year)], years[dice.below(year)]];
    Ok(Case { text, ids, year, at, pair })
}

/// The probability of later years minus that of the same and earlier ones.
fn more_later(session: &Session, case: &Case, years: &[u32]) -> Result<f64> {
    let resid = forward(session.model(), &[&case.ids], &mut NoTap)?;
    let logits = session.next_logits(&[&resid])?.get(0)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let softmax = Softmax::new(&logits)?;
    let signed = |(year, id): (usize, &u32)| {
        let probability = softmax.probability(logits[*id as usize]);
        if year > case.year { probability } else { -probability }
    };
    Ok(years.iter().enumerate().map(signed).sum())
}
