//! What a function is that is known at points: a constant, a line, a sum of two exponentials or waves, if it is one.
//!
//! It knows numbers and the names of coordinates; it does not know where the function comes from.

use faer::Mat;
use faer::linalg::solvers::SolveLstsq;

use crate::expr::Digits;
use crate::problem::place::Coordinate;

/// What a function may be off what it is taken for, relative to its greatest value.
const OFF: f64 = 1e-6;
/// Parts of a sum that are there by rounding.
const ROUNDING: f64 = 1e-6;

/// Formulas of functions that have values at the same points, up to one common factor; `None` where a formula is not
/// found for one of them. A function that is zero has no formula, which is an empty one.
///
/// `points` are rows of coordinates; in one coordinate they are Gauss's nodes.
pub(super) fn formulas(
    coordinates: &[Coordinate],
    points: &[f64],
    functions: &[Vec<f64>],
) -> Option<Vec<String>> {
    let mut families = vec![polynomials(coordinates, points, 0), polynomials(coordinates, points, 1)];
    if let [coordinate] = coordinates {
        families.extend(functions.iter().find_map(|values| waves(coordinate, points, values)));
    }
    families.into_iter().find_map(|family| in_family(&family, functions))
}

/// Functions by name, with their values at the points.
type Family = Vec<(String, Vec<f64>)>;

fn in_family(family: &Family, functions: &[Vec<f64>]) -> Option<Vec<String>> {
    let count = functions.first()?.len();
    let matrix = Mat::from_fn(count, family.len(), |i, k| family[k].1[i]);
    let qr = matrix.col_piv_qr();
    let greatest = functions.iter().flatten().fold(0.0_f64, |a, x| a.max(x.abs()));
    let mut all = vec![];
    for values in functions {
        let right = Mat::from_fn(count, 1, |i, _| values[i]);
        let solution = qr.solve_lstsq(&right);
        let factors: Vec<f64> = (0..family.len()).map(|k| solution[(k, 0)]).collect();
        let sum = |i: usize| factors.iter().zip(family).map(|(f, (_, values))| f * values[i]).sum::<f64>();
        if (0..count).any(|i| (sum(i) - values[i]).abs() > OFF * greatest) {
            return None;
        }
        all.push(factors);
    }
    // The first part that is there has the factor 1.
    let most = all.iter().flatten().fold(0.0_f64, |a, x| a.max(x.abs()));
    let first = all.iter().flatten().copied().find(|x| x.abs() > ROUNDING * most)?;
    let write = |factors: &Vec<f64>| {
        let mut formula = String::new();
        for (factor, (name, _)) in factors.iter().zip(family).filter(|(x, _)| x.abs() > ROUNDING * most) {
            let factor = factor / first;
            let digits = short(factor.abs());
            formula += match (factor < 0.0, formula.is_empty()) {
                (true, true) => "-",
                (true, false) => " - ",
                (false, true) => "",
                (false, false) => " + ",
            };
            formula += &match (digits.as_str(), name.as_str()) {
                (_, "") => digits,
                ("1", name) => name.to_owned(),
                (digits, name) => format!("{digits}*{name}"),
            };
        }
        formula
    };
    Some(all.iter().map(write).collect())
}

/// A number with four digits.
pub(super) fn short(x: f64) -> String {
    Digits(Digits::four(x)).to_string()
}

fn polynomials(coordinates: &[Coordinate], points: &[f64], degree: usize) -> Family {
    let d = coordinates.len();
    let mut family = vec![(String::new(), vec![1.0; points.len() / d])];
    if degree > 0 {
        for (c, coordinate) in coordinates.iter().enumerate() {
            family.push((coordinate.name.clone(), points.iter().skip(c).step_by(d).copied().collect()));
        }
    }
    family
}

/// The solutions of f″ = λ·f, where `values` are one of them.
fn waves(coordinate: &Coordinate, points: &[f64], values: &[f64]) -> Option<Family> {
    let second = second_derivative(coordinate, points, values);
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let square = product(values, values);
    let lambda = product(&second, values) / square;
    let off = second.iter().zip(values).map(|(a, b)| (a - lambda * b).powi(2)).sum::<f64>();
    // A derivative has lost digits that the fit afterwards does not need.
    if off > 1e-6 * lambda * lambda * square || lambda == 0.0 || !lambda.is_finite() {
        return None;
    }
    let name = &coordinate.name;
    let rate = lambda.abs().sqrt();
    let rounded = (rate * 1e6).round() / 1e6;
    let argument = match short(rounded).as_str() {
        "1" => name.clone(),
        digits => format!("{digits}*{name}"),
    };
    let sampled = |name: &str, f: fn(f64) -> f64| {
        (format!("{name}{argument})"), points.iter().map(|x| f(rate * x)).collect())
    };
    let both = if lambda < 0.0 {
        [sampled("cos(", f64::cos), sampled("sin(", f64::sin)]
    } else {
        [sampled("exp(", f64::exp), sampled("exp(-", |x| (-x).exp())]
    };
    Some(both.into())
}

/// The second derivative at Gauss's nodes of the polynomial through values there.
fn second_derivative(coordinate: &Coordinate, points: &[f64], values: &[f64]) -> Vec<f64> {
    let half = 0.5 * (coordinate.upper - coordinate.lower);
    let z = points.iter().map(|x| (x - 0.5 * (coordinate.lower + coordinate.upper)) / half);
    let angles: Vec<f64> = z.map(|z| z.clamp(-1.0, 1.0).acos()).collect();
    let n = values.len();
    let mut coefficients: Vec<f64> = (0..n)
        .map(|k| {
            let sum: f64 = values.iter().zip(&angles).map(|(f, a)| f * (k as f64 * a).cos()).sum();
            sum * if k == 0 { 1.0 } else { 2.0 } / n as f64
        })
        .collect();
    // What is rounding would be most of a derivative.
    let greatest = coefficients.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
    coefficients.iter_mut().filter(|x| x.abs() < 1e-11 * greatest).for_each(|x| *x = 0.0);
    for _ in 0..2 {
        let mut slope = vec![0.0; n + 1];
        for k in (1..n).rev() {
            slope[k - 1] = slope.get(k + 1).copied().unwrap_or(0.0) + 2.0 * k as f64 * coefficients[k];
        }
        slope[0] *= 0.5;
        coefficients = slope[..n].iter().map(|x| x / half).collect();
    }
    let value = |a: &f64| coefficients.iter().enumerate().map(|(k, c)| c * (k as f64 * a).cos()).sum();
    angles.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::formulas;
    use crate::problem::Coordinate;

    #[test]
    fn functions_are_recognized() {
        let coordinate = Coordinate { name: "x".into(), lower: 1.0, upper: 4.0, unit: String::new() };
        let node = |k: usize| 2.5 - 1.5 * (core::f64::consts::PI * (k as f64 + 0.5) / 100.0).cos();
        let points: Vec<f64> = (0..100).map(node).collect();
        let check = |functions: &[fn(f64) -> f64], expected: Option<&[&str]>| {
            let values: Vec<Vec<f64>> =
                functions.iter().map(|f| points.iter().map(|&x| f(x)).collect()).collect();
            let found = formulas(core::slice::from_ref(&coordinate), &points, &values);
            assert_eq!(
                found.as_ref().map(|f| f.iter().map(String::as_str).collect::<Vec<_>>()).as_deref(),
                expected
            );
        };
        check(&[|_| -3.0], Some(&["1"]));
        check(&[|_| 0.0, |_| 2.0], Some(&["", "1"]));
        check(&[|x| 2.0 - 4.0 * x], Some(&["1 - 2*x"]));
        check(&[|x| 7.0 * x.cos(), |x| -7.0 * x.sin()], Some(&["cos(x)", "-sin(x)"]));
        check(&[|x| (2.5 * x).sin() + 3.0 * (2.5 * x).cos()], Some(&["cos(2.5*x) + 0.3333*sin(2.5*x)"]));
        check(&[|x| 5.0 * (-x).exp()], Some(&["exp(-x)"]));
        check(&[|x| x * x], None);
        check(&[|x| x.cos() + x], None);
    }
}
