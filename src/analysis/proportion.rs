//! Shares of what was counted, with their intervals.

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// A 95 % interval.
pub type Interval = [f64; 2];

/// Wilson's interval of `hits` among `count`; all of 0 to 1 where nothing was counted.
pub fn wilson(hits: usize, count: usize) -> Interval {
    wilson_of(hits as f64, count)
}

/// The same where some count as parts of a hit, such as ties as halves.
pub fn wilson_of(hits: f64, count: usize) -> Interval {
    if count == 0 {
        return [0.0, 1.0];
    }
    let (n, p) = (count as f64, hits / count as f64);
    let (middle, scale) = (p + Z * Z / (2.0 * n), 1.0 + Z * Z / n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    [((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0)]
}

/// A mean with its interval by the normal distribution; NaN where there are fewer than two numbers.
pub fn mean(values: impl Iterator<Item = f64> + Clone) -> (f64, Interval) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let half = Z * (variance / count).sqrt();
    (mean, [mean - half, mean + half])
}

/// The 97.5 % quantiles of Student's distribution with 1, 2, … degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706_205, 4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004, 2.262_157, 2.228_139,
    2.200_985, 2.178_813, 2.160_369, 2.144_787, 2.131_450, 2.119_905, 2.109_816, 2.100_922, 2.093_024, 2.085_963,
    2.079_614, 2.073_873, 2.068_658, 2.063_899, 2.059_539, 2.055_529, 2.051_831, 2.048_407, 2.045_230, 2.042_272,
];

/// A mean of a few numbers with its interval by Student's distribution; an interval of NaN where there are fewer than two.
pub fn mean_of_few(values: &[f64]) -> (f64, Interval) {
    let (mean, [low, high]) = mean(values.iter().copied());
    // Beyond 30 degrees, two terms of its expansion around the normal distribution are exact to four digits.
    let degrees = values.len().saturating_sub(1);
    let wider = match STUDENT.get(degrees.wrapping_sub(1)) {
        Some(quantile) => quantile / Z,
        None => {
            let (n, z) = (degrees as f64, Z * Z);
            1.0 + (z + 1.0) / (4.0 * n) + ((5.0 * z + 16.0) * z + 3.0) / (96.0 * n * n)
        }
    };
    (mean, [mean - (mean - low) * wider, mean + (high - mean) * wider])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_statsmodels() {
        // proportion_confint(hits, count, method="wilson")
        for (hits, count, low, high) in [
            (8, 10, 0.490_162_471_536_644_2, 0.943_317_848_545_624_1),
            (0, 5, 0.0, 0.434_482_464_783_174_76),
            (843, 1000, 0.819_144_170_659_794_4, 0.864_230_673_019_114_7),
        ] {
            let found = wilson(hits, count);
            assert!((found[0] - low).abs() < 1e-6 && (found[1] - high).abs() < 1e-6, "{found:?}");
        }
        let (mean, [low, high]) = mean([1.0, 2.0, 3.0, 4.0].into_iter());
        assert!((mean - 2.5).abs() < 1e-12 && (high - low - 2.0 * Z * 0.645_497_224).abs() < 1e-6);
    }

    #[test]
    fn means_of_few_have_the_intervals_of_students_distribution() {
        // scipy.stats.t.interval(0.95, n - 1, mean, sem)
        for (values, low, high) in
            [(vec![1.0, 2.0, 4.0], -1.461_250, 6.127_917), ((0..40).map(f64::from).collect(), 15.761_3, 23.238_7)]
        {
            let (_, found) = mean_of_few(&values);
            assert!((found[0] - low).abs() < 1e-3 && (found[1] - high).abs() < 1e-3, "{found:?}");
        }
        assert!(mean_of_few(&[0.5]).1[0].is_nan() && mean_of_few(&[0.5]).0 == 0.5);
    }
}
