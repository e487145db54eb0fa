//! Shares of what was counted, with their intervals.

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// A 95 % interval.
pub type Interval = [f64; 2];

/// Wilson's interval of `hits` among `count`; all of 0 to 1 where nothing was counted.
pub fn wilson(hits: usize, count: usize) -> Interval {
    if count == 0 {
        return [0.0, 1.0];
    }
    let (n, p) = (count as f64, hits as f64 / count as f64);
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
}
