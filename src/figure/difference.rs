//! The figures of `diff`: maps of what one run attends to more than another, the heads that changed most, and a table of other numbers.

use super::number::number;
use super::{Bars, Colormap, Column, Panel, Scale, ScaleKind, Table};
use crate::analysis::alignment::{Alignment, Slot};
use crate::analysis::difference::{Apart, Difference};

/// Heads that are named beside the maps.
const MOST_HEADS: usize = 10;

/// A label for each slot: what both have as it is, what was replaced as `cat→dog`, what only the first has as `−cat`, what only
/// the second has as `+dog`.
pub fn labels(alignment: &Alignment, a: &[String], b: &[String]) -> Vec<String> {
    let label = |slot: &Slot| match (slot.a, slot.b) {
        (Some(at), Some(_)) if slot.same => a[at].clone(),
        (Some(at), Some(to)) => format!("{}→{}", a[at], b[to]),
        (Some(at), None) => format!("−{}", a[at]),
        (None, Some(at)) => format!("+{}", b[at]),
        (None, None) => String::new(),
    };
    alignment.slots.iter().map(label).collect()
}

/// Of the differences of several heads one in so many may be beyond the scale.
const BEYOND: usize = 100;

/// A scale around 0 over the differences of all heads, whichever of them are drawn.
pub fn scale(kind: ScaleKind, colormap: Option<Colormap>, found: &Difference) -> Scale {
    let most = found.most();
    let usual = if found.heads.len() > 1 { found.below(BEYOND) } else { most };
    let scale = Scale::signed("attention, B − A", [most]).but_for(BEYOND, [most, usual]);
    Scale { kind, colormap: colormap.unwrap_or(scale.colormap), ..scale }
}

/// The heads that changed most, by their names.
pub fn bars(found: &Difference, name: &dyn Fn(usize) -> String) -> Panel {
    let mut order = found.ranking();
    order.retain(|head| found.heads[*head].changed > 0.0);
    let (changed, all) = (order.len(), found.heads.len());
    order.truncate(MOST_HEADS);
    Panel::Bars(Bars {
        title: "Heads that changed most".into(),
        labels: order.iter().map(|head| name(*head)).collect(),
        values: order.iter().map(|head| found.heads[*head].changed).collect(),
        unit: "mean share of attention that moved".into(),
        more: changed - order.len(),
        note: match changed {
            0 => format!("none of {all} changed"),
            _ if changed == all => String::new(),
            _ => format!("the other {} did not change", all - changed),
        },
    })
}

/// Arrays by name, with how far they are apart.
pub fn table(title: &str, names: &[String], shapes: &[Vec<usize>], apart: &[Apart]) -> Panel {
    let numbers = |of: &dyn Fn(usize) -> String| (0..names.len()).map(of).collect();
    let size = |at: usize| shapes[at].iter().product::<usize>();
    let right = |head: &str, cells| Column { right: true, ..Column::texts(head, cells) };
    Panel::Table(Table {
        title: title.into(),
        columns: vec![
            Column::texts("array", names.to_vec()),
            right("numbers", numbers(&|at| size(at).to_string())),
            right("differ", numbers(&|at| apart[at].count.to_string())),
            right("largest difference", numbers(&|at| number(apart[at].max_abs))),
        ],
        note: String::new(),
    })
}
