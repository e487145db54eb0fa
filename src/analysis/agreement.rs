//! How far two rankings of the same things agree.

/// Spearman's ρ: Pearson's correlation of the ranks, ties sharing their mean rank. NaN where one list is constant.
pub fn spearman(a: &[f32], b: &[f32]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (mean_a, mean_b) = (mean(&a), mean(&b));
    let product =
        |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum() };
    product(&a, mean_a, &b, mean_b) / (product(&a, mean_a, &a, mean_a) * product(&b, mean_b, &b, mean_b)).sqrt()
}

/// Kendall's τ-b: pairs in the same order less pairs in opposite order, ties allowed for. NaN where one list is constant.
pub fn kendall(a: &[f32], b: &[f32]) -> f64 {
    let (mut together, mut untied_a, mut untied_b) = (0i64, 0i64, 0i64);
    for i in 0..a.len().min(b.len()) {
        for j in 0..i {
            let (x, y) = (a[i].total_cmp(&a[j]) as i64, b[i].total_cmp(&b[j]) as i64);
            together += x * y;
            untied_a += x * x;
            untied_b += y * y;
        }
    }
    together as f64 / (untied_a as f64 * untied_b as f64).sqrt()
}

/// The rank of each number, the least first; ties share their mean rank.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    for tied in order.chunk_by(|a, b| values[*a].total_cmp(&values[*b]).is_eq()) {
        let below = order.iter().take_while(|i| values[**i].total_cmp(&values[tied[0]]).is_lt()).count();
        tied.iter().for_each(|i| ranks[*i] = below as f64 + (tied.len() - 1) as f64 / 2.0);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_with_ties_is_what_the_definitions_give() {
        let (a, b) = ([1.0, 2.0, 2.0, 4.0, 5.0, 0.5], [2.0, 1.0, 3.0, 3.0, 6.0, 0.0]);
        assert!((spearman(&a, &b) - 0.867_647_058_823_529_4).abs() < 1e-12, "{}", spearman(&a, &b));
        assert!((kendall(&a, &b) - 11.0 / 14.0).abs() < 1e-12, "{}", kendall(&a, &b));
        assert!(spearman(&a, &[1.0; 6]).is_nan() && kendall(&a, &[1.0; 6]).is_nan());
    }
}
