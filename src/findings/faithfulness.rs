//! What removing tokens said of the methods that scored them: which one can be trusted on this prompt.

use crate::analysis::attribution::Method;
use crate::analysis::faithfulness::{Faithfulness, Measured, SEEDS, SHARES};
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Entry, Table};
use crate::figure::Panel;
use crate::figure::saliency::evaluation;
use crate::findings::saliency::Options;
use crate::named::Named;
use serde_json::{Map, json};

/// What was measured, with what a reader needs to know of it.
pub(super) struct Evaluation {
    found: Faithfulness,
    /// The names of the methods, in the order of what was measured.
    names: Vec<&'static str>,
    /// Their indices, the best first.
    ranking: Vec<usize>,
    /// What replaced removed tokens.
    baseline: &'static str,
    /// Whether the random orders are more arrays.
    draws: bool,
    /// Which method is to be trusted here.
    sentence: String,
}

impl Evaluation {
    /// What was measured of these methods, about a target of this name, as the options asked for it.
    pub fn new(found: Faithfulness, methods: &[Method], target: &str, options: &Options) -> Self {
        let names: Vec<&str> = methods.iter().map(|method| method.name()).collect();
        let ranking = found.ranking();
        let sentence = sentence(&found, ranking[0], names[ranking[0]], target);
        Self { found, names, ranking, baseline: options.baseline.name(), draws: options.draws, sentence }
    }

    /// Curves, the ranking, and who agrees with whom.
    pub fn panels(&self) -> Vec<Panel> {
        evaluation(&self.found, &self.names, &self.sentence)
    }

    /// As data.
    pub fn entry(&self) -> Entry {
        let found = &self.found;
        let all = || found.methods.iter().chain(&found.random);
        let (methods, orders, points) = (self.names.len(), all().count(), found.counts.len());
        let array = |name: &str, shape: Vec<usize>, values: Vec<f64>| Array {
            name: name.into(),
            shape,
            values: values.into_iter().map(|v| v as f32).collect(),
        };
        let of = |pick: fn(&Measured) -> &Vec<f64>| -> Vec<f64> { all().flat_map(|m| pick(m).clone()).collect() };
        let mut arrays = vec![
            array("deletion", vec![orders, points], of(|m| &m.deletion)),
            array("insertion", vec![orders, points], of(|m| &m.insertion)),
            array("deletion_aopc", vec![orders], all().map(|m| m.deletion_aopc).collect()),
            array("insertion_mean", vec![orders], all().map(|m| m.insertion_mean).collect()),
        ];
        if !found.spearman.is_empty() {
            arrays.push(array("comprehensiveness", vec![orders, SHARES.len()], of(|m| &m.comprehensiveness)));
            arrays.push(array("sufficiency", vec![orders, SHARES.len()], of(|m| &m.sufficiency)));
            arrays.push(array("spearman", vec![methods, methods], found.spearman.clone()));
            arrays.push(array("kendall", vec![methods, methods], found.kendall.clone()));
        }
        if self.draws {
            let tokens = found.random_orders.iter().flatten().map(|token| *token as f64).collect();
            arrays.push(array("orders", vec![found.random_orders.len(), found.tokens()], tokens));
        }
        let settings = Map::from_iter([
            ("baseline".into(), self.baseline.into()),
            ("shares".into(), json!(SHARES)),
            ("random_orders".into(), json!(SEEDS)),
            ("interpolated".into(), found.is_interpolated().into()),
        ]);
        let ranking: Vec<&str> = self.ranking.iter().map(|i| self.names[*i]).collect();
        let fields = Map::from_iter([
            ("methods".into(), json!(self.names)),
            ("rows_after_the_methods".into(), "random orders".into()),
            ("tokens_removed".into(), json!(found.counts)),
            ("ranking".into(), json!(ranking)),
            ("conclusion".into(), self.sentence.clone().into()),
        ]);
        Entry { method: "faithfulness".into(), settings, fields, arrays }
    }

    /// What was not measured.
    pub fn remark(&self) -> Option<String> {
        let (points, tokens) = (self.found.counts.len(), self.found.tokens());
        self.found.is_interpolated().then(|| {
            format!(
                "means of the curves are over 0 to {tokens} tokens: {points} are measured, those between interpolated"
            )
        })
    }

    /// The methods ranked, and chance.
    pub fn table(&self) -> Table {
        const MEASURES: [&str; 8] = [
            "deletion_aopc",
            "insertion_mean",
            "comprehensiveness_10",
            "comprehensiveness_20",
            "comprehensiveness_50",
            "sufficiency_10",
            "sufficiency_20",
            "sufficiency_50",
        ];
        let columns = [whole("rank"), text("method")].into_iter().chain(MEASURES.map(number)).collect();
        let row = |rank: Cell, name: &str, numbers: Vec<f64>| -> Vec<Cell> {
            [rank, name.into()].into_iter().chain(numbers.into_iter().map(|v| (v as f32).into())).collect()
        };
        let methods = (1usize..)
            .zip(&self.ranking)
            .map(|(rank, i)| row(rank.into(), self.names[*i], numbers(&self.found.methods[*i])));
        let chance = (0..MEASURES.len()).map(|i| self.found.random(|m| numbers(m)[i]).0).collect();
        let rows = methods.chain([row(Cell::Empty, "random order", chance)]);
        Table { columns, rows: rows.collect() }
    }
}

/// Which method is to be trusted here, in one sentence.
fn sentence(found: &Faithfulness, best: usize, name: &str, target: &str) -> String {
    let points = |p: f64| format!("{:.1}", 100.0 * p);
    let aopc = found.methods[best].deletion_aopc;
    let (chance, spread) = found.random(|m| m.deletion_aopc);
    let cost = format!(
        "removing tokens in its order costs {target} {} points of probability on average, a random order {} ± {}",
        points(aopc),
        points(chance),
        points(spread)
    );
    if aopc <= chance + 2.0 * spread {
        let none = if found.methods.len() > 1 { "no method does clearly" } else { "it does not do clearly" };
        return format!("On this prompt {none} better than chance. The best is {name}: {cost}.");
    }
    match found.methods.len() {
        1 => format!("On this prompt {name} does better than chance: {cost}."),
        _ => format!("On this prompt {name} finds best what the prediction rests on: {cost}."),
    }
}

/// The columns of a ranking, NaN where the prompt is too short.
fn numbers(m: &Measured) -> Vec<f64> {
    let shares = |values: &[f64]| (0..SHARES.len()).map(|i| values.get(i).copied().unwrap_or(f64::NAN)).collect();
    let (comprehensiveness, sufficiency): (Vec<f64>, Vec<f64>) = (shares(&m.comprehensiveness), shares(&m.sufficiency));
    [vec![m.deletion_aopc, m.insertion_mean], comprehensiveness, sufficiency].concat()
}
