//! Which parts make the difference between two prompts, as figures, data and tables: activation patching.

mod options;
pub mod pairs;
mod prompts;
mod site;

pub use options::{Options, Sites};
pub(super) use prompts::{as_long, corrupt};
use site::{OfSite, exact, exactly};

use super::subject::{About, Subject};
use super::{Analysis, Cost, Findings, Output, Reading, Style, refuse_parts};
use crate::analysis::patching::{By, Direction, Metric, Pair, Question, Rule, Where, estimate};
use crate::error::{Error, Result};
use crate::export::table::{Cell as Field, number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::patching::{Confirmed, Labels, confirmed, map};
use crate::figure::{Figure, Panel, Scale};
use crate::model::Spec;
use crate::named::Named;
use serde_json::{Map, Value, json};

impl Analysis for Options {
    fn reading(&self) -> Reading {
        self.reading
    }

    fn style(&self) -> Style {
        self.style.clone()
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("patch", outputs)?;
        let refused = |what: &str, hint: &str, option| Err(Error::usage(what).hint(hint).option(option));
        if self.corrupt.is_empty() {
            return Err(Error::usage("there is no corrupt prompt")
                .hint("give two: the clean one, and one of as many tokens with another answer"));
        }
        self.check_sites()?;
        if self.metric != Metric::LogitDifference && self.foil.is_some() {
            return refused("a foil is for the logit difference", "leave it out, or leave the metric out", "foil");
        }
        if self.metric == Metric::Kl && self.answer.is_some() {
            return refused("kl compares all next tokens, not one answer", "leave the answer out", "answer");
        }
        options::can_be_estimated(self.attribution, self.rule, self.metric, self.direction)?;
        self.style.check()
    }

    /// The activations of both runs, and those of the runs that go together.
    fn cost(&self, spec: &Spec, tokens: usize, _: &[Output]) -> Cost {
        let (n, d, layers) = (tokens as u64, spec.d_model as u64, spec.layers as u64);
        let has_patterns = matches!(self.site, Sites::One(Where::Pattern) | Sites::All);
        let patterns = if has_patterns { spec.heads as u64 * n * n } else { 0 };
        let kept = 4 * layers * (8 * n * d + 4 * patterns);
        let working = 4 * n.max(512) * (12 * d + 2 * spec.d_mlp as u64);
        Cost { memory: kept + working + 4 * 64 * spec.vocab as u64, ..Cost::default() }
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        Ok(Box::new(Patched::find(self, subject)?))
    }
}

/// What was found of one pair of prompts.
struct Patched<'a> {
    options: &'a Options,
    subject: Subject<'a>,
    question: Question,
    /// What each token of the corrupt prompt is called.
    corrupt: Vec<String>,
    /// The first position at which the prompts differ.
    first: usize,
    /// Both prompts, the clean one first, by what differs.
    headlines: [String; 2],
    /// What is measured of the clean run and of the corrupt one.
    values: [f64; 2],
    /// What was found at each site.
    sites: Vec<OfSite>,
}

impl<'a> Patched<'a> {
    fn find(options: &'a Options, subject: Subject<'a>) -> Result<Self> {
        let session = subject.session;
        session.has_next_tokens()?;
        let corrupt = prompts::corrupt(options, &subject)?;
        let question = options.question(&subject, &corrupt)?;
        let both = [&subject.prompt.ids[..], &corrupt.ids[..]];
        let first = prompts::first_difference(both[0], both[1]);
        let sites = options.site.of(session.model());
        let pair = Pair::new(session.model(), both, question, &sites, options.direction)?;
        pair.differs()?;
        let (layers, sites) = (session.spec().layers, sites.into_iter().map(|site| (site, options.by(site))));
        let sites: Vec<(Where, By)> = sites.collect();
        let sites: Vec<OfSite> = if options.attribution {
            let count = sites.len();
            (subject.watch)(0, count);
            let grids = estimate(&pair, &sites, options.rule)?;
            let confirmed = |((site, by), grid): ((Where, By), Vec<Vec<f64>>)| {
                let order = options::largest(&grid, count);
                let shares = exactly(&pair, (site, by), &order)?;
                let confirmed =
                    order.into_iter().zip(shares).map(|((layer, cell), share)| (layer, cell, share)).collect();
                (subject.watch)(1, 0);
                Ok(OfSite { site, by, grid, confirmed })
            };
            sites.into_iter().zip(grids).map(confirmed).collect::<Result<_>>()?
        } else {
            (subject.watch)(0, layers * sites.len());
            let known = |(site, by)| {
                let grid = exact(&pair, (site, by), layers, first, &|| (subject.watch)(1, 0))?;
                Ok(OfSite { site, by, grid, confirmed: Vec::new() })
            };
            sites.into_iter().map(known).collect::<Result<_>>()?
        };
        let [base, source] = pair.values();
        let values = if options.direction == Direction::Denoising { [source, base] } else { [base, source] };
        let headlines = prompts::headlines([subject.prompt.written(), corrupt.written()]);
        let corrupt = corrupt.tokens.into_iter().map(|token| token.label).collect();
        Ok(Self { options, subject, question, corrupt, first, headlines, values, sites })
    }

    /// What the cells of a layer are called.
    fn cells(&self, of: &OfSite) -> Vec<String> {
        match of.by {
            By::Head => (0..of.grid[0].len()).map(|head| head.to_string()).collect(),
            By::Position => {
                let both = self.subject.prompt.tokens.iter().map(|token| &token.label).zip(&self.corrupt);
                let name = |(clean, corrupt): (&String, &String)| {
                    if clean == corrupt { clean.clone() } else { format!("{clean}/{corrupt}") }
                };
                both.take(self.question.position + 1).map(name).collect()
            }
        }
    }

    fn lines(&self) -> Vec<String> {
        let number = |x: f64| format!("{x:+.3}").replace('-', "−");
        let options = self.options;
        let what = match &self.sites[..] {
            [one] => format!("{} by {}", one.site.name(), one.by.name()),
            several => format!("{} sites", several.len()),
        };
        let (base, source) = match options.direction {
            Direction::Denoising => ("corrupt", "clean"),
            Direction::Noising => ("clean", "corrupt"),
        };
        let how = how(options.attribution, options.rule);
        let place = self.subject.after(self.question.position);
        let mut lines = vec![
            self.subject.line(&format!("{how} of {what}: the {base} run with the {source} one's")),
            format!("corrupt: {}", self.headlines[1]),
            format!(
                "{}{place}: clean {}, corrupt {}; 0 is the {base} run, 1 the {source} one",
                measure(&self.subject, &self.question),
                number(self.values[0]),
                number(self.values[1])
            ),
        ];
        lines.extend(same(self.sites.iter().map(|of| self.hidden(of)).max().unwrap_or_default()));
        lines.extend(self.off());
        lines
    }

    /// How many cells of each layer are not drawn: before the first difference nothing can change.
    fn hidden(&self, of: &OfSite) -> usize {
        if of.by == By::Position { self.first } else { 0 }
    }

    /// How far estimates are off where they were confirmed, by site.
    fn off(&self) -> Option<String> {
        let [one] = &self.sites[..] else {
            let mean = |of: &OfSite| of.off().iter().sum::<f64>() / of.confirmed.len().max(1) as f64;
            let each: Vec<String> = self.sites.iter().map(|of| format!("{} {:.3}", of.site.name(), mean(of))).collect();
            let said = format!("the largest estimates of each site are off on average by: {}", each.join(", "));
            return self.options.attribution.then_some(said);
        };
        said_off(&one.off())
    }

    /// The map of a site, with its name where there are several.
    fn map(&self, of: &OfSite) -> Panel {
        let (style, hidden) = (&self.options.style, self.hidden(of));
        let values: Vec<f32> = of.grid.iter().flat_map(|row| &row[hidden..]).map(|x| *x as f32).collect();
        let unit = if self.options.attribution { "estimated effect" } else { "effect" };
        let signed = Scale::signed(unit, values.iter().copied());
        let scale = Scale { kind: style.scale, colormap: style.colormap.unwrap_or(signed.colormap), ..signed };
        let labels = Labels { cells: self.cells(of)[hidden..].to_vec(), axis: of.by.name().to_owned() };
        let title = if self.sites.len() > 1 { of.site.name() } else { "" };
        map(title, values, labels, &[], scale)
    }

    /// What was estimated and then patched at a site.
    fn confirmed(&self, of: &OfSite) -> Vec<Confirmed> {
        let cells = self.cells(of);
        let at = if self.sites.len() > 1 { format!("{} ", of.site.name()) } else { String::new() };
        let row = |(layer, cell, exact): &(usize, usize, f64)| Confirmed {
            place: match of.by {
                By::Head => format!("{at}head {layer}.{cell}"),
                By::Position => format!("{at}layer {layer}, {} ({cell})", cells[*cell]),
            },
            estimate: of.grid[*layer][*cell] as f32,
            exact: *exact as f32,
        };
        of.confirmed.iter().map(row).collect()
    }

    /// What data files say of a site.
    fn entry(&self, of: &OfSite) -> Entry {
        let grid = Array {
            name: "grid".into(),
            shape: vec![of.grid.len(), of.grid[0].len()],
            values: of.grid.iter().flatten().map(|x| *x as f32).collect(),
        };
        let Options { metric, direction, attribution, rule, reading, .. } = self.options;
        let Question { position, answer, foil, .. } = self.question;
        let of_answer = |id: u32| if *metric == Metric::Kl { Value::Null } else { id.into() };
        let settings = Map::from_iter([
            ("site".into(), of.site.name().into()),
            ("by".into(), of.by.name().into()),
            ("metric".into(), metric.name().into()),
            ("direction".into(), direction.name().into()),
            ("answer".into(), of_answer(answer)),
            ("foil".into(), json!(foil)),
            ("position".into(), position.into()),
            ("rule".into(), json!(attribution.then(|| rule.name()))),
            ("bos".into(), reading.bos.into()),
        ]);
        let mut fields = Map::from_iter([
            ("clean".into(), json!(self.values[0])),
            ("corrupt".into(), json!(self.values[1])),
            ("corrupt_tokens".into(), json!(self.corrupt)),
        ]);
        if *attribution {
            let confirmed = of.confirmed.iter().map(|(layer, cell, exact)| {
                json!({ "layer": layer, "cell": cell, "estimate": of.grid[*layer][*cell], "exact": exact })
            });
            fields.insert("confirmed".into(), confirmed.collect());
        }
        let method = if *attribution { "attribution-patching" } else { "patching" };
        // Arrays of one name would not be told apart.
        let method = if self.sites.len() > 1 { format!("{method}-{}", of.site.name()) } else { method.into() };
        Entry { method, settings, fields, arrays: vec![grid] }
    }
}

/// How far estimates are off.
fn said_off(all: &[f64]) -> Option<String> {
    let (count, most) = (all.len(), all.iter().copied().fold(0.0, f64::max));
    let mean = all.iter().sum::<f64>() / count.max(1) as f64;
    (count > 0).then(|| format!("the {count} largest estimates are off by {mean:.3} on average, {most:.3} at most"))
}

/// What was done, in words.
fn how(is_estimate: bool, rule: Rule) -> &'static str {
    match (is_estimate, rule) {
        (false, _) => "activation patching",
        (true, Rule::Gradient) => "attribution patching, an estimate by the gradient,",
        (true, Rule::Relp) => "attribution patching, an estimate by RelP,",
    }
}

/// That so many positions are not drawn, from the first on.
fn same(hidden: usize) -> Option<String> {
    match hidden {
        0 => None,
        1 => Some("position 0 is the same in both prompts: nothing can change there".into()),
        _ => Some(format!("positions 0–{} are the same in both prompts: nothing can change there", hidden - 1)),
    }
}

/// What is measured, in words.
pub(super) fn measure(subject: &Subject, question: &Question) -> String {
    let answer = subject.name(question.answer);
    match (question.metric, question.foil) {
        (Metric::LogitDifference, Some(foil)) => format!("logit of {answer} minus that of {}", subject.name(foil)),
        (Metric::Kl, _) => "KL(clean ‖ run) in nats".into(),
        _ => format!("log-probability of {answer}"),
    }
}

impl Findings for Patched<'_> {
    fn about(&self) -> &About {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let style = &self.options.style;
        let table = confirmed(&self.sites.iter().flat_map(|of| self.confirmed(of)).collect::<Vec<_>>());
        let panels = self.sites.iter().map(|of| self.map(of)).chain(table).collect();
        let mut figure = style.figure(&self.subject, self.lines(), panels);
        if style.title.is_none() {
            figure.title.clone_from(&self.headlines[0]);
        }
        figure
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        Ok(self.subject.data(self.sites.iter().map(|of| self.entry(of)).collect()))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let several = self.sites.len() > 1;
        let cell = match self.sites[0].by {
            _ if several => "cell",
            By::Head => "head",
            By::Position => "position",
        };
        let columns = [whole("layer"), whole(cell), text("label"), number("effect"), number("exact")];
        let columns = several.then(|| text("site")).into_iter().chain(columns).collect();
        let mut rows = Vec::new();
        for of in &self.sites {
            let labels = self.cells(of);
            for (layer, cell) in (0..of.grid.len()).flat_map(|layer| (0..labels.len()).map(move |cell| (layer, cell))) {
                let share = of.grid[layer][cell] as f32;
                let known = of.confirmed.iter().find(|known| (known.0, known.1) == (layer, cell));
                let exact = if self.options.attribution { known.map(|known| known.2 as f32) } else { Some(share) };
                let site: Option<Field> = several.then(|| of.site.name().into());
                let row = [layer.into(), cell.into(), labels[cell].clone().into(), share.into(), exact.into()];
                rows.push(site.into_iter().chain(row).collect());
            }
        }
        Ok(Table { columns, rows })
    }

    fn remarks(&self) -> Vec<String> {
        self.off().into_iter().collect()
    }
}
