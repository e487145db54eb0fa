//! The figures of `bias`: how often sentences that fit a stereotype are preferred, by how much, and the words that follow a template.

use super::pairs::Level;
use super::{Bars, Column, IntervalRow, Intervals, Panel, Table};

/// Shares of pairs, with the line where neither sentence is preferred.
pub fn preferences(sides: [&str; 2], levels: Vec<Level>, models: Vec<String>, note: &str) -> Panel {
    let [more, less] = sides;
    Panel::Intervals(Intervals {
        title: format!("Share of pairs whose “{more}” sentence is more probable than the “{less}” one"),
        rows: rows(levels),
        series: models,
        reference: Some(0.5),
        bounds: [0.0, 1.0],
        unit: "share, 95 % interval (Wilson), ties counted half; dashed: no preference".into(),
        note: note.into(),
    })
}

/// Mean gaps in log p, with the line where there is none.
pub fn gaps(sides: [&str; 2], levels: Vec<Level>, models: Vec<String>, note: &str) -> Panel {
    let [more, less] = sides;
    let ends = levels.iter().flat_map(|level| level.shares.iter().flatten()).filter(|x| x.is_finite());
    let most = round(ends.fold(0.0, |most: f32, x| most.max(x.abs())));
    Panel::Intervals(Intervals {
        title: format!("How much more probable the “{more}” sentence is than the “{less}” one"),
        rows: rows(levels),
        series: models,
        reference: Some(0.0),
        bounds: [-most, most],
        unit: format!("mean of log p({more}) − log p({less}) in nats, 95 % interval; dashed: no preference"),
        note: note.into(),
    })
}

fn rows(levels: Vec<Level>) -> Vec<IntervalRow> {
    let row = |Level { name, strong, shares, remark }| IntervalRow { label: name, strong, estimates: shares, remark };
    levels.into_iter().map(row).collect()
}

/// The next of 1, 2, 4, 10, 20, 40 …, whose halves are short numbers too.
pub(super) fn round(x: f32) -> f32 {
    if x <= 0.0 {
        return 1.0;
    }
    let ten = 10f32.powf(x.log10().floor());
    [1.0, 2.0, 4.0, 10.0].into_iter().map(|step| step * ten).find(|end| *end >= x).unwrap_or(10.0 * ten)
}

/// A row of a suite's own scores: names, and numbers with a decimal each.
pub struct Scored {
    /// The model, and what is counted.
    pub names: [String; 2],
    /// How many terms there are.
    pub terms: usize,
    /// The language model score, the stereotype score, and both in one.
    pub scores: [f64; 3],
}

/// StereoSet's own scores.
pub fn stereoset(all: &[Scored]) -> Panel {
    let texts = |head: &str, of: &dyn Fn(&Scored) -> String| Column::texts(head, all.iter().map(of).collect());
    let number =
        |head: &str, at: usize| Column { right: true, ..texts(head, &|one: &Scored| format!("{:.2}", one.scores[at])) };
    let mut columns = vec![
        texts("", &|one| one.names[1].clone()),
        Column { right: true, ..texts("terms", &|one| one.terms.to_string()) },
        number("lms", 0),
        number("ss", 1),
        number("icat", 2),
    ];
    if all.iter().any(|one| one.names[0] != all[0].names[0]) {
        columns.insert(0, texts("model", &|one| one.names[0].clone()));
    }
    Panel::Table(Table {
        title: "StereoSet's own scores".into(),
        columns,
        note: "0 to 100, each the mean over target terms, ties counted half. lms: a meaningful sentence is preferred to the unrelated one (ideal 100). \
            ss: the stereotype is preferred (ideal 50). icat = lms · min(ss, 100 − ss) / 50."
            .into(),
    })
}

/// Next tokens that one of two groups has more often, those of the second first; of a model, where there are several.
pub fn shifts(model: Option<&str>, groups: [&str; 2], labels: Vec<String>, values: Vec<f32>) -> Panel {
    let [a, b] = groups;
    Panel::Bars(Bars {
        title: format!("Next tokens that shift most{}", model.map_or_else(String::new, |model| format!(": {model}"))),
        labels,
        values,
        unit: format!("p after “{b}” − p after “{a}”"),
        ..Bars::default()
    })
}

#[cfg(test)]
mod tests {
    use super::round;

    #[test]
    fn an_axis_ends_at_a_short_number_beyond_all() {
        for (x, end) in [(0.0, 1.0), (0.7, 1.0), (1.0, 1.0), (3.1, 4.0), (4.5, 10.0), (0.021, 0.04), (170.0, 200.0)] {
            assert!((round(x) - end).abs() < 1e-6 * end, "{x} {}", round(x));
        }
    }
}
