//! A fair sample of each fifth of a range that is known only in the end: one pass, and little more than what is kept.

/// Fifths of a range.
pub const FIFTHS: usize = 5;
/// How many are kept of each.
pub const EACH: usize = 3;

/// What is sampled: a value, and a random rank that is its own.
pub trait Ranked {
    /// Which fifth it is in depends on it.
    fn value(&self) -> f32;
    /// Of each fifth those of the lowest ranks are kept.
    fn rank(&self) -> u64;
}

/// Keeps what may still be among the [`EACH`] of lowest rank of a fifth, whatever the range comes to: three of lower rank within half a
/// fifth below and three within half a fifth above beat it, since one of the two halves is in its fifth, and fifths only grow.
pub struct Reservoir<T> {
    range: Option<(f32, f32)>,
    /// The lowest rank first.
    kept: Vec<T>,
    /// With so many it is time to look which of them are beaten by now.
    room: usize,
}

impl<T> Default for Reservoir<T> {
    fn default() -> Self {
        Self { range: None, kept: Vec::new(), room: 64 }
    }
}

impl<T: Ranked> Reservoir<T> {
    /// Takes what `make` makes, unless it is beaten. A value that is no number is left out.
    pub fn offer(&mut self, value: f32, rank: u64, make: impl FnOnce() -> T) {
        if !value.is_finite() {
            return;
        }
        let (low, high) = self.range.unwrap_or((value, value));
        self.range = Some((low.min(value), high.max(value)));
        if self.beaten(value, rank) {
            return;
        }
        let place = self.kept.partition_point(|other| other.rank() < rank);
        self.kept.insert(place, make());
        if self.kept.len() >= self.room {
            let beaten: Vec<bool> = self.kept.iter().map(|one| self.beaten(one.value(), one.rank())).collect();
            let mut beaten = beaten.into_iter();
            self.kept.retain(|_| !beaten.next().unwrap_or_default());
            self.room = 64.max(2 * self.kept.len());
        }
    }

    fn beaten(&self, value: f32, rank: u64) -> bool {
        let Some((low, high)) = self.range else { return false };
        // A little less than half, so that rounding moves nothing into another fifth.
        let (value, half) = (f64::from(value), 0.49 * (f64::from(high) - f64::from(low)) / FIFTHS as f64);
        let (mut below, mut above) = (0, 0);
        for other in self.kept.iter().take_while(|other| other.rank() < rank) {
            let apart = f64::from(other.value()) - value;
            below += usize::from((-half..=0.0).contains(&apart));
            above += usize::from((0.0..=half).contains(&apart));
            if below >= EACH && above >= EACH {
                return true;
            }
        }
        false
    }

    /// Of each fifth, the lowest first, those of the lowest ranks, the largest value first; and the range.
    pub fn fifths(self) -> ([Vec<T>; FIFTHS], (f32, f32)) {
        let range = self.range.unwrap_or_default();
        let mut fifths: [Vec<T>; FIFTHS] = Default::default();
        for one in self.kept {
            let fifth = &mut fifths[fifth(one.value(), range)];
            if fifth.len() < EACH {
                fifth.push(one);
            }
        }
        fifths.iter_mut().for_each(|fifth| fifth.sort_by(|a, b| b.value().total_cmp(&a.value())));
        (fifths, range)
    }
}

/// Which fifth of a range a value is in; all are in the last where the range is one number.
fn fifth(value: f32, (low, high): (f32, f32)) -> usize {
    let (value, low, high) = (f64::from(value), f64::from(low), f64::from(high));
    let share = if high > low { (value - low) / (high - low) } else { 1.0 };
    ((share * FIFTHS as f64) as usize).min(FIFTHS - 1)
}

/// A random number of a seed and a place (SplitMix64): no other place of the seed has it.
pub fn mix(seed: u64, place: u64) -> u64 {
    let x = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct One(f32, u64);

    impl Ranked for One {
        fn value(&self) -> f32 {
            self.0
        }
        fn rank(&self) -> u64 {
            self.1
        }
    }

    /// What a search through all finds.
    fn exhaustive(all: &[One]) -> [Vec<One>; FIFTHS] {
        let range = all.iter().fold((f32::MAX, f32::MIN), |(low, high), one| (low.min(one.0), high.max(one.0)));
        std::array::from_fn(|which| {
            let mut own: Vec<One> = all.iter().copied().filter(|one| fifth(one.0, range) == which).collect();
            own.sort_by_key(|one| one.1);
            own.truncate(EACH);
            own.sort_by(|a, b| b.0.total_cmp(&a.0));
            own
        })
    }

    #[test]
    fn one_pass_keeps_what_an_exhaustive_search_finds_and_little_else() {
        // Spread evenly; near 1; near 0; growing, so that every value widens the range; few values; one value.
        let shapes: [fn(f64, usize) -> f64; 6] = [
            |u, _| u,
            |u, _| 1.0 - u.powi(12),
            |u, _| u.powi(9),
            |u, i| 1e-4 * i as f64 * (0.5 + 0.5 * u),
            |u, _| (u * 4.0).floor() / 4.0,
            |_, _| 0.25,
        ];
        for (which, shape) in shapes.iter().enumerate() {
            for seed in 0..20 {
                let count = [1, 2, 14, 300, 4000][seed as usize % 5];
                let all: Vec<One> = (0..count)
                    .map(|i| {
                        let unit = mix(seed + 1000, i as u64) as f64 / 2f64.powi(64);
                        One(shape(unit, i) as f32, mix(seed, i as u64))
                    })
                    .collect();
                let mut reservoir = Reservoir::default();
                all.iter().for_each(|one| reservoir.offer(one.0, one.1, || *one));
                assert!(reservoir.kept.len() < 256, "{which} {seed}: {}", reservoir.kept.len());
                assert_eq!(reservoir.fifths().0, exhaustive(&all), "{which} {seed}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let mut reservoir = Reservoir::default();
        reservoir.offer(f32::NAN, 0, || One(f32::NAN, 0));
        assert!(reservoir.fifths().0.iter().all(Vec::is_empty));
    }

    #[test]
    fn random_numbers_are_those_of_splitmix64() {
        // Of Vigna's splitmix64.c with the state 1234567.
        assert_eq!([mix(1_234_567, 0), mix(1_234_567, 1)], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }
}
