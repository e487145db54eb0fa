//! What was measured of a circuit, as a table.

use super::{Checked, Known};
use crate::error::{Error, Result};
use crate::export::table::{number, text};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::{self, Column, Figure, Panel};
use crate::findings::Findings;
use crate::findings::subject::About;
use crate::named::Named;
use serde_json::{Map, Value, json};

impl Checked<'_> {
    fn lines(&self) -> Vec<String> {
        let (options, name) = (self.options, self.options.circuit.name());
        let (count, seed) = (options.count(), options.seed.unwrap_or_default());
        let what = match options.circuit {
            Known::Induction => "sequences of random tokens, each repeated once",
            Known::Ioi | Known::GreaterThan => "prompts",
        };
        vec![
            self.subject.line(&format!("the circuit {name}, on {count} {what} (seed {seed})")),
            format!("{} of {} quantities are as known", self.holding(), self.quantities.len()),
        ]
    }

    fn holding(&self) -> usize {
        self.quantities.iter().filter(|quantity| quantity.holds()).count()
    }
}

fn verdict(holds: bool) -> &'static str {
    if holds { "holds" } else { "fails" }
}

impl Findings for Checked<'_> {
    fn about(&self) -> &About {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let all = &self.quantities;
        let texts = |head: &str, of: &dyn Fn(usize) -> String| Column::texts(head, (0..all.len()).map(of).collect());
        let measured = |at: usize| format!("{:.3}", all[at].value).replace('-', "−");
        let columns = vec![
            texts("quantity", &|at| all[at].name.clone()),
            Column { right: true, ..texts("measured", &measured) },
            Column { right: true, ..texts("known", &|at| all[at].expected()) },
            texts("", &|at| verdict(all[at].holds()).into()),
        ];
        let table = Panel::Table(figure::Table { title: String::new(), columns, note: String::new() });
        self.options.style.figure(&self.subject, self.lines(), vec![table])
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let settings = Map::from_iter([
            ("circuit".into(), self.options.circuit.name().into()),
            ("seed".into(), self.options.seed.unwrap_or_default().into()),
            ("count".into(), self.options.count().into()),
        ]);
        let quantities: Value = self
            .quantities
            .iter()
            .map(|one| {
                json!({ "name": one.name, "value": one.value, "least": one.least, "most": one.most, "holds": one.holds() })
            })
            .collect();
        let fields = Map::from_iter([
            ("holds".into(), (self.holding() == self.quantities.len()).into()),
            ("quantities".into(), quantities),
            ("prompts".into(), json!(self.prompts)),
        ]);
        let values: Vec<f32> = self.quantities.iter().map(|one| one.value as f32).collect();
        let arrays = vec![Array { name: "quantities.value".into(), shape: vec![values.len()], values }];
        Ok(self.subject.data(vec![Entry { method: "circuit-check".into(), settings, fields, arrays }]))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let columns = vec![text("quantity"), number("value"), number("least"), number("most"), text("verdict")];
        let row = |one: &super::Quantity| {
            let bound = |x: Option<f64>| x.map(|x| x as f32);
            vec![
                one.name.clone().into(),
                (one.value as f32).into(),
                bound(one.least).into(),
                bound(one.most).into(),
                verdict(one.holds()).into(),
            ]
        };
        Ok(Table { columns, rows: self.quantities.iter().map(row).collect() })
    }

    fn verdict(&self) -> Result<()> {
        let (all, name) = (self.quantities.len(), self.options.circuit.name());
        let Some(first) = self.quantities.iter().find(|one| !one.holds()) else { return Ok(()) };
        let (failed, value) = (all - self.holding(), format!("{:.3}", first.value).replace('-', "−"));
        let first = format!("the first: {}, {value} and not {}", first.name, first.expected());
        Err(Error::different(format!("{failed} of {all} quantities are not what is known of {name}; {first}"))
            .hint("this checkpoint lost the circuit or never had it; the table has every quantity"))
    }
}
