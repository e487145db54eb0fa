//! How many numbers of one quantity differ, and which differs most.

use super::Closeness;

/// Numbers of one quantity, counted.
pub(super) struct Tally {
    pub name: String,
    closeness: Closeness,
    count: usize,
    apart: usize,
    worst: Option<Worst>,
}

struct Worst {
    /// How far beyond what is allowed.
    beyond: f64,
    place: String,
    old: f64,
    new: f64,
}

impl Tally {
    pub fn new(name: &str, closeness: Closeness) -> Self {
        Self { name: name.to_owned(), closeness, count: 0, apart: 0, worst: None }
    }

    /// Counts a pair of numbers. Whole numbers that name or count something are `exact`.
    pub fn add(&mut self, old: f64, new: f64, exact: bool, place: impl FnOnce() -> String) {
        self.count += 1;
        let allowed = if exact { Closeness::EXACT } else { self.closeness };
        if allowed.allows(old, new) {
            return;
        }
        self.apart += 1;
        let beyond = (old - new).abs() / (allowed.absolute + allowed.relative * old.abs()).max(f64::MIN_POSITIVE);
        let beyond = if beyond.is_nan() { f64::INFINITY } else { beyond };
        if self.worst.as_ref().is_none_or(|worst| beyond > worst.beyond) {
            self.worst = Some(Worst { beyond, place: place(), old, new });
        }
    }

    /// The sentence on this quantity; `None` where nothing differs.
    pub fn sentence(&self) -> Option<String> {
        let Worst { place, old, new, .. } = self.worst.as_ref()?;
        let at = if place.is_empty() { String::new() } else { format!(" at {place}") };
        let (old, new) = (shown(*old), shown(*new));
        Some(match (self.count, self.apart) {
            (1, _) => format!("{}{at} is {new}, was {old}", self.name),
            (count, 1) => format!("{}: 1 of {count} numbers differs,{at} it is {new}, was {old}", self.name),
            (count, apart) => {
                format!("{}: {apart} of {count} numbers differ, most{at}: it is {new}, was {old}", self.name)
            }
        })
    }
}

/// A number in six digits, enough to tell apart what any tolerance does.
fn shown(number: f64) -> String {
    match number {
        n if n.is_nan() => "nothing".into(),
        n if n == 0.0 || n.is_infinite() || n.fract() == 0.0 && n.abs() < 1e15 => format!("{n}"),
        n if (1e-4..1e6).contains(&n.abs()) => {
            let digits = (5 - n.abs().log10().floor() as i32).max(0) as usize;
            format!("{n:.digits$}")
        }
        n => format!("{n:.5e}"),
    }
}
