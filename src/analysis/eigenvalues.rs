//! Eigenvalues of small square matrices that are not symmetric. (The crates that have them are whole libraries of linear algebra; this is
//! one textbook algorithm on matrices as wide as a head.)

use crate::error::{Error, Result};

/// Steps for each eigenvalue, of which three are usual.
const STEPS: usize = 60;

/// A complex number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Complex {
    /// The real part.
    pub re: f64,
    /// The imaginary part.
    pub im: f64,
}

impl Complex {
    fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }

    /// Its modulus.
    pub fn size(self) -> f64 {
        self.re.hypot(self.im)
    }

    fn plus(self, other: Self) -> Self {
        Self::new(self.re + other.re, self.im + other.im)
    }

    fn minus(self, other: Self) -> Self {
        Self::new(self.re - other.re, self.im - other.im)
    }

    fn times(self, other: Self) -> Self {
        Self::new(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)
    }

    fn conjugate(self) -> Self {
        Self::new(self.re, -self.im)
    }

    fn scaled(self, by: f64) -> Self {
        Self::new(self.re * by, self.im * by)
    }

    fn root(self) -> Self {
        let size = self.size();
        let (re, im) = (((size + self.re) / 2.0).max(0.0).sqrt(), ((size - self.re) / 2.0).max(0.0).sqrt());
        Self::new(re, im.copysign(self.im))
    }
}

/// The eigenvalues of a matrix `[n, n]`, in no order: Householder's reflections to Hessenberg form, then QR steps with Wilkinson's shift
/// (Golub and Van Loan, chapter 7), in complex numbers, so that a pair of conjugates needs no case of its own.
///
/// # Errors
/// A number that is not finite; a matrix whose steps do not come to an end, which is not known to happen.
pub fn eigenvalues(matrix: &[f64], n: usize) -> Result<Vec<Complex>> {
    if matrix.len() != n * n || matrix.iter().any(|x| !x.is_finite()) {
        return Err(Error::failed("a matrix is not square or holds what is not finite"));
    }
    let mut h: Vec<Complex> = hessenberg(matrix.to_vec(), n).into_iter().map(|x| Complex::new(x, 0.0)).collect();
    let norm = h.iter().map(|x| x.size()).fold(0.0, f64::max);
    let (mut found, mut end, mut steps) = (vec![Complex::new(0.0, 0.0); n], n, 0);
    while end > 0 {
        let last = end - 1;
        // What is left under the diagonal is rounding. (Of a matrix of low rank, nearly all is.)
        let small = |i: usize, h: &[Complex]| h[i * n + i - 1].size() <= f64::EPSILON * norm;
        let first = (1..end).rev().find(|i| small(*i, &h)).unwrap_or(0);
        if first == last {
            found[last] = h[last * n + last];
            (end, steps) = (last, 0);
            continue;
        }
        steps += 1;
        if steps > STEPS {
            return Err(Error::failed("the eigenvalues of a head's matrix were not found"));
        }
        // A shift of another kind now and then, should the usual one go in circles.
        let shift = match steps % 20 {
            0 => Complex::new(h[last * n + last - 1].size() + h[last * n + last].size(), 0.0),
            _ => wilkinson(&h, n, last),
        };
        step(&mut h, n, first..end, shift);
    }
    Ok(found)
}

/// The eigenvalue of the last two rows and columns that is nearer to the last number.
fn wilkinson(h: &[Complex], n: usize, last: usize) -> Complex {
    let at = |i: usize, j: usize| h[i * n + j];
    let (a, d) = (at(last - 1, last - 1), at(last, last));
    let half = a.minus(d).scaled(0.5);
    let root = half.times(half).plus(at(last - 1, last).times(at(last, last - 1))).root();
    let (one, other) = (half.plus(root), half.minus(root));
    d.plus(if one.size() < other.size() { one } else { other })
}

/// One QR step on the rows and columns of a range: `H − s = QR`, `H ← RQ + s`, by rotations.
fn step(h: &mut [Complex], n: usize, range: std::ops::Range<usize>, shift: Complex) {
    let (first, end) = (range.start, range.end);
    range.clone().for_each(|i| h[i * n + i] = h[i * n + i].minus(shift));
    let mut rotations = Vec::with_capacity(end - first);
    for i in first..end - 1 {
        let (a, b) = (h[i * n + i], h[(i + 1) * n + i]);
        let size = a.size().hypot(b.size());
        let (c, s) = match size > 0.0 {
            true => (a.scaled(1.0 / size), b.scaled(1.0 / size)),
            false => (Complex::new(1.0, 0.0), Complex::new(0.0, 0.0)),
        };
        for j in i..end {
            let (x, y) = (h[i * n + j], h[(i + 1) * n + j]);
            h[i * n + j] = c.conjugate().times(x).plus(s.conjugate().times(y));
            h[(i + 1) * n + j] = c.times(y).minus(s.times(x));
        }
        rotations.push((c, s));
    }
    for (i, (c, s)) in (first..).zip(rotations) {
        for row in first..(i + 2).min(end) {
            let (x, y) = (h[row * n + i], h[row * n + i + 1]);
            h[row * n + i] = x.times(c).plus(y.times(s));
            h[row * n + i + 1] = y.times(c.conjugate()).minus(x.times(s.conjugate()));
        }
    }
    range.for_each(|i| h[i * n + i] = h[i * n + i].plus(shift));
}

/// A similar matrix that is zero below its first subdiagonal.
fn hessenberg(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    for k in 0..n.saturating_sub(2) {
        let column: Vec<f64> = (k + 1..n).map(|i| a[i * n + k]).collect();
        let norm = column.iter().map(|x| x * x).sum::<f64>().sqrt();
        let mut v = column;
        v[0] += norm.copysign(v[0]);
        let size: f64 = v.iter().map(|x| x * x).sum();
        if norm == 0.0 || size == 0.0 {
            continue;
        }
        for j in 0..n {
            let along: f64 = v.iter().enumerate().map(|(i, v)| v * a[(k + 1 + i) * n + j]).sum();
            v.iter().enumerate().for_each(|(i, v)| a[(k + 1 + i) * n + j] -= 2.0 * along / size * v);
        }
        for row in a.chunks_mut(n) {
            let along: f64 = v.iter().zip(&row[k + 1..]).map(|(v, x)| v * x).sum();
            row[k + 1..].iter_mut().zip(&v).for_each(|(x, v)| *x -= 2.0 * along / size * v);
        }
        (k + 2..n).for_each(|i| a[i * n + k] = 0.0);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::attribution::Dice;

    fn sorted(matrix: &[f64], n: usize) -> Vec<(f64, f64)> {
        let mut found: Vec<(f64, f64)> = eigenvalues(matrix, n).unwrap().iter().map(|x| (x.re, x.im)).collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        found
    }

    #[track_caller]
    fn near(matrix: &[f64], n: usize, wanted: &[(f64, f64)], most: f64) {
        let found = sorted(matrix, n);
        let apart = |(a, b): (&(f64, f64), &(f64, f64))| (a.0 - b.0).abs().max((a.1 - b.1).abs());
        assert!(found.iter().zip(wanted).map(apart).all(|x| x < most) && found.len() == wanted.len(), "{found:?}");
    }

    #[test]
    fn eigenvalues_are_those_of_numpy() {
        near(&[2.0], 1, &[(2.0, 0.0)], 1e-15);
        near(&[0.0, -1.0, 1.0, 0.0], 2, &[(0.0, -1.0), (0.0, 1.0)], 1e-14);
        // A permutation in a circle: the roots of one, where a shift of 0 would not move.
        let half = 3f64.sqrt() / 2.0;
        near(&[0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0], 3, &[(-0.5, -half), (-0.5, half), (1.0, 0.0)], 1e-13);
        // One eigenvalue three times, with one eigenvector: known to a third of the digits only.
        near(&[3.0, 1.0, 0.0, 0.0, 3.0, 1.0, 0.0, 0.0, 3.0], 3, &[(3.0, 0.0); 3], 1e-4);
        // Of rank one, with rounding in all other directions.
        let low: Vec<f64> = (0..400).map(|at| (1 + at / 20) as f64 * 0.1 / (1 + at % 20) as f64).collect();
        near(&low, 20, &[[(0.0, 0.0); 19].as_slice(), &[(2.0, 0.0)]].concat(), 1e-14);
        near(&[0.0; 16], 4, &[(0.0, 0.0); 4], 1e-15);
        // numpy.linalg.eigvals of 4 × 4.
        let matrix = [1.0, 2.0, -3.0, 4.0, 0.5, -1.0, 2.0, 7.0, -2.0, 0.0, 3.0, 1.0, 5.0, -4.0, 2.0, 0.0];
        let wanted = [
            (-2.0153592438076515, -3.660765067351907),
            (-2.0153592438076515, 3.660765067351907),
            (1.6494071051612325, 0.0),
            (5.381311382454075, 0.0),
        ];
        near(&matrix, 4, &wanted, 1e-12);
        assert!(eigenvalues(&[f64::NAN], 1).is_err());
    }

    #[test]
    fn sums_of_powers_of_eigenvalues_are_traces_of_powers() {
        for (n, seed) in [(5, 1), (16, 2), (64, 3), (64, 4), (128, 5)] {
            let mut dice = Dice::new(seed, 0);
            let matrix: Vec<f64> = (0..n * n).map(|_| dice.normal() / (n as f64).sqrt()).collect();
            let found = eigenvalues(&matrix, n).unwrap();
            let product = |a: &[f64]| -> Vec<f64> {
                (0..n * n).map(|at| (0..n).map(|k| a[at / n * n + k] * matrix[k * n + at % n]).sum()).collect()
            };
            let (mut power, mut powers) = (matrix.clone(), found.clone());
            for exponent in 1..4 {
                let trace: f64 = (0..n).map(|i| power[i * n + i]).sum();
                let sum = powers.iter().fold(Complex::new(0.0, 0.0), |sum, x| sum.plus(*x));
                assert!((sum.re - trace).abs() < 1e-10 && sum.im.abs() < 1e-10, "{n} {exponent}: {sum:?} {trace}");
                power = product(&power);
                powers.iter_mut().zip(&found).for_each(|(power, x)| *power = power.times(*x));
            }
        }
    }
}
