//! Sums over the queries of patterns, from which a head's scores are made.

use super::{Head, Score};
use crate::named::Named;

/// Sums over queries, and how many there were, for each score.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally([(f64, u64); Score::ALL.len()]);

impl Tally {
    /// Whether nothing that was summed is NaN or infinite.
    pub fn is_finite(&self) -> bool {
        self.0.iter().all(|(sum, _)| sum.is_finite())
    }

    fn add(&mut self, score: Score, value: f64) {
        let (sum, count) = &mut self.0[score as usize];
        *sum += value;
        *count += 1;
    }

    /// The means.
    pub fn head(&self) -> Head {
        let mean = |(sum, count): (f64, u64)| if count == 0 { f64::NAN } else { sum / count as f64 };
        let mut means = self.0.map(mean);
        // What was summed are the squares.
        let [square, distance] = [Score::Spread, Score::Distance].map(|score| means[score as usize]);
        means[Score::Spread as usize] = (square - distance * distance).clamp(0.0, f64::INFINITY).sqrt();
        Head(means.map(|x| x as f32))
    }

    /// One pattern `[query, key]` whose last query sees all keys, in which tokens repeat at these places.
    pub fn look(&mut self, pattern: &[f32], keys: usize, repeated: &[Repeated]) {
        let past = keys - pattern.len() / keys.max(1);
        for (i, row) in (past..).zip(pattern.chunks_exact(keys.max(1))) {
            let Repeated { duplicate, induction } = &repeated[i];
            for (score, keys) in [(Score::Duplicate, duplicate), (Score::Induction, induction)] {
                if !keys.is_empty() {
                    self.add(score, keys.iter().map(|j| f64::from(row[*j])).sum());
                }
            }
            if i >= 1 {
                self.add(Score::Previous, f64::from(row[i - 1]));
                self.add(Score::Sink, f64::from(row[0]));
                self.add(Score::Own, f64::from(row[i]));
                let (mut entropy, mut distance, mut square) = (0.0, 0.0, 0.0);
                for (j, a) in row[..=i].iter().map(|a| f64::from(*a)).enumerate() {
                    let back = (i - j) as f64;
                    entropy -= if a > 0.0 { a * a.ln() } else { 0.0 };
                    distance += a * back;
                    square += a * back * back;
                }
                self.add(Score::Entropy, entropy / ((i + 1) as f64).ln());
                self.add(Score::Bits, entropy / std::f64::consts::LN_2);
                self.add(Score::Distance, distance);
                self.add(Score::Spread, square);
            }
        }
    }
}

/// Where a token stood before, and what followed it there.
pub(super) struct Repeated {
    duplicate: Vec<usize>,
    induction: Vec<usize>,
}

impl Repeated {
    /// Of each of so many tokens. `ids` name them; where they are not known, no token has an earlier occurrence. With a `period` the text
    /// repeats after so many tokens, and only that counts as a repetition.
    pub fn of<T: PartialEq>(ids: &[T], keys: usize, period: Option<usize>) -> Vec<Self> {
        let one = |i: usize| {
            let (duplicate, mut induction): (Vec<usize>, Vec<usize>) = match period {
                Some(s) => {
                    ((i >= s).then(|| i - s).into_iter().collect(), (i >= s).then(|| i + 1 - s).into_iter().collect())
                }
                None => {
                    let earlier: Vec<usize> = (0..i).filter(|j| i < ids.len() && ids[*j] == ids[i]).collect();
                    (earlier.clone(), earlier.iter().map(|j| j + 1).collect())
                }
            };
            // Where the token just before is the same, what followed it is the query itself: no earlier token.
            induction.retain(|j| *j < i);
            Self { duplicate, induction }
        };
        (0..keys).map(one).collect()
    }
}
