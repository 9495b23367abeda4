//! Functions known by tables: numbers at the nodes of a grid, and what lies between them.
//!
//! Along one coordinate a cubic is the spline whose third derivative does not jump at the second and the last but one node
//! ("not a knot"; de Boor 1978, chapter IV), which is of fourth order up to the ends; two nodes give a line, three a parabola.
//! Along several it is their tensor product, kept as the value and its second derivatives ("moments") at every node.
//! This file knows numbers; it does not know files, formulas or problems.

/// The most arguments of such a function.
pub(crate) const MAX_ARGUMENTS: usize = 3;

/// What lies between the nodes of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Between {
    /// A cubic spline, twice continuously differentiable.
    Cubic,
    /// Straight lines.
    Linear,
    /// The value at the nearest node, half way the upper one.
    Nearest,
}

impl Between {
    /// Every kind with its name.
    pub const ALL: [(&'static str, Self); 3] =
        [("cubic", Self::Cubic), ("linear", Self::Linear), ("nearest", Self::Nearest)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// The degree of its pieces, up to which there are derivatives along a coordinate.
    pub fn degree(self) -> usize {
        match self {
            Self::Cubic => 3,
            Self::Linear => 1,
            Self::Nearest => 0,
        }
    }
}

/// What lies beyond the first and the last node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outside {
    /// Nothing: there the function is not a number, and a problem that asks for it is refused.
    Refused,
    /// The value at the end.
    Held,
}

impl Outside {
    /// Every kind with its name.
    pub const ALL: [(&'static str, Self); 2] = [("error", Self::Refused), ("hold", Self::Held)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

/// A function that is known by a table.
#[derive(Clone, PartialEq, Debug)]
pub struct Tabulated {
    /// What formulas call it.
    pub name: String,
    /// The names of its arguments.
    pub arguments: Vec<String>,
    /// The nodes along each argument, strictly rising, two at least.
    pub axes: Vec<Vec<f64>>,
    /// What lies between them.
    pub between: Between,
    /// What lies beyond them.
    pub outside: Outside,
    /// For every node, the last argument fastest, [`Tabulated::parts`] numbers.
    pub numbers: Vec<f64>,
}

/// How far beyond its ends an argument may be for rounding's sake, relative to the whole range.
const SLACK: f64 = 1e-9;

impl Tabulated {
    /// The function that takes `values` at the nodes, whose last argument runs fastest.
    ///
    /// # Panics
    ///
    /// If there are not as many values as nodes, or an argument has fewer than two.
    pub fn new(
        name: &str,
        arguments: Vec<String>,
        axes: Vec<Vec<f64>>,
        values: &[f64],
        between: Between,
        outside: Outside,
    ) -> Self {
        assert_eq!(values.len(), axes.iter().map(Vec::len).product::<usize>(), "a value for every node");
        assert!(axes.iter().all(|axis| axis.len() >= 2), "two nodes at least");
        // The arrays of parts: bit a of an array's number says that it is of moments along argument a.
        let mut parts = vec![values.to_vec()];
        if between == Between::Cubic {
            for a in 0..axes.len() {
                parts.extend(parts.iter().map(|part| moments_along(&axes, a, part)).collect::<Vec<_>>());
            }
        }
        let numbers = (0..values.len()).flat_map(|node| parts.iter().map(move |part| part[node])).collect();
        Self { name: name.to_owned(), arguments, axes, between, outside, numbers }
    }

    /// Numbers a node: the value and, of a cubic, its moments. Bit a of a number's place says that it is a second
    /// derivative along argument a.
    pub fn parts(&self) -> usize {
        if self.between == Between::Cubic { 1 << self.axes.len() } else { 1 }
    }

    /// How formulas call its derivative of these orders: `q`, `q_x`, `q_xt`, or `q_x1_x2` where names are longer.
    pub fn written(&self, orders: &[u8]) -> String {
        let along = self
            .arguments
            .iter()
            .zip(orders)
            .flat_map(|(name, &order)| std::iter::repeat_n(name.as_str(), usize::from(order)));
        let along: Vec<&str> = along.collect();
        let separator = if self.arguments.iter().all(|name| name.chars().count() == 1) { "" } else { "_" };
        if along.is_empty() { self.name.clone() } else { format!("{}_{}", self.name, along.join(separator)) }
    }

    /// The ends of its range along argument `a`.
    pub fn range(&self, a: usize) -> (f64, f64) {
        let axis = &self.axes[a];
        (axis[0], axis[axis.len() - 1])
    }

    /// Does `x` lie in its range along argument `a`, up to rounding?
    pub fn reaches(&self, a: usize, x: f64) -> bool {
        let (first, last) = self.range(a);
        let slack = SLACK * (last - first);
        x >= first - slack && x <= last + slack
    }

    /// The derivative of these `orders` along the arguments, at a point; NaN where there is none.
    pub fn evaluate(&self, at: &[f64], orders: &[u8]) -> f64 {
        let mut cells = [Cell::default(); MAX_ARGUMENTS];
        for (a, cell) in cells.iter_mut().enumerate().take(self.axes.len()) {
            match self.cell(a, at[a], usize::from(orders[a])) {
                Some(found) => *cell = found,
                None => return f64::NAN,
            }
        }
        self.sum(&cells[..self.axes.len()], 0, 0)
    }

    /// The sum over the corners of a cell, argument by argument: `node` and `part` are those chosen so far.
    fn sum(&self, cells: &[Cell], node: usize, part: usize) -> f64 {
        let a = self.axes.len() - cells.len();
        let Some((cell, rest)) = cells.split_first() else {
            return self.numbers[node * self.parts() + part];
        };
        let node = node * self.axes[a].len() + cell.low;
        let mut sum = 0.0;
        for (corner, weights) in cell.weights.iter().enumerate() {
            for (moment, &weight) in weights.iter().enumerate() {
                if weight != 0.0 {
                    sum += weight * self.sum(rest, node + corner, part | moment << a);
                }
            }
        }
        sum
    }

    /// Where `x` lies along argument `a`, and what the derivative of this order is made of there.
    fn cell(&self, a: usize, x: f64, order: usize) -> Option<Cell> {
        let axis = &self.axes[a];
        let (first, last) = self.range(a);
        if x.is_nan() || order > self.between.degree() {
            return None;
        }
        if !self.reaches(a, x) {
            if self.outside == Outside::Refused {
                return None;
            }
            if order > 0 {
                return Some(Cell::default());
            }
        }
        let x = x.clamp(first, last);
        let low = axis.partition_point(|&node| node <= x).clamp(1, axis.len() - 1) - 1;
        let (x0, x1) = (axis[low], axis[low + 1]);
        let h = x1 - x0;
        let (p, q) = ((x1 - x) / h, (x - x0) / h);
        let weights = match (self.between, order) {
            (Between::Nearest, _) => [[f64::from(p > q), 0.0], [f64::from(p <= q), 0.0]],
            (Between::Linear, 0) => [[p, 0.0], [q, 0.0]],
            (Between::Linear, _) => [[-1.0 / h, 0.0], [1.0 / h, 0.0]],
            (Between::Cubic, 0) => {
                let bend = h * h / 6.0;
                [[p, bend * (p * p * p - p)], [q, bend * (q * q * q - q)]]
            }
            (Between::Cubic, 1) => {
                let bend = h / 6.0;
                [[-1.0 / h, -bend * (3.0 * p * p - 1.0)], [1.0 / h, bend * (3.0 * q * q - 1.0)]]
            }
            (Between::Cubic, 2) => [[0.0, p], [0.0, q]],
            (Between::Cubic, _) => [[0.0, -1.0 / h], [0.0, 1.0 / h]],
        };
        Some(Cell { low, weights })
    }
}

/// A cell along one argument: its lower node, and for both ends the weights of what is there and of its moment.
#[derive(Clone, Copy, Default)]
struct Cell {
    low: usize,
    weights: [[f64; 2]; 2],
}

/// The moments of `part` along argument `a`, line by line.
fn moments_along(axes: &[Vec<f64>], a: usize, part: &[f64]) -> Vec<f64> {
    let stride: usize = axes[a + 1..].iter().map(Vec::len).product();
    let count = axes[a].len();
    let mut all = vec![0.0; part.len()];
    for block in 0..part.len() / (stride * count) {
        for offset in 0..stride {
            let place = |i: usize| (block * count + i) * stride + offset;
            let line: Vec<f64> = (0..count).map(|i| part[place(i)]).collect();
            for (i, moment) in moments(&axes[a], &line).into_iter().enumerate() {
                all[place(i)] = moment;
            }
        }
    }
    all
}

/// The second derivatives at its nodes of the cubic spline through `y` at `x`.
fn moments(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    let h: Vec<f64> = x.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let slope: Vec<f64> = y.windows(2).zip(&h).map(|(pair, h)| (pair[1] - pair[0]) / h).collect();
    match n {
        2 => return vec![0.0; 2],
        3 => return vec![2.0 * (slope[1] - slope[0]) / (h[0] + h[1]); 3],
        _ => {}
    }
    // h₋·M₋ + 2(h₋ + h₊)·M + h₊·M₊ = 6·(slope₊ − slope₋) at the inner nodes; M₀ and the last are put in by
    // (M₁ − M₀)/h₀ = (M₂ − M₁)/h₁, and so at the other end.
    let inner = n - 2;
    let (mut below, mut diagonal, mut above, mut right) =
        (vec![0.0; inner], vec![0.0; inner], vec![0.0; inner], vec![0.0; inner]);
    for k in 0..inner {
        let (left, next) = (h[k], h[k + 1]);
        (below[k], diagonal[k], above[k]) = (left, 2.0 * (left + next), next);
        right[k] = 6.0 * (slope[k + 1] - slope[k]);
    }
    let (first, second) = (h[0], h[1]);
    diagonal[0] += first + first * first / second;
    above[0] -= first * first / second;
    let (last, before) = (h[n - 2], h[n - 3]);
    diagonal[inner - 1] += last + last * last / before;
    below[inner - 1] -= last * last / before;
    // Elimination without pivots: every diagonal outweighs its row.
    for k in 1..inner {
        let factor = below[k] / diagonal[k - 1];
        diagonal[k] -= factor * above[k - 1];
        right[k] -= factor * right[k - 1];
    }
    let mut moments = vec![0.0; n];
    for k in (0..inner).rev() {
        let known = if k + 1 < inner { above[k] * moments[k + 2] } else { 0.0 };
        moments[k + 1] = (right[k] - known) / diagonal[k];
    }
    moments[0] = moments[1] + (moments[1] - moments[2]) * first / second;
    moments[n - 1] = moments[n - 2] + (moments[n - 2] - moments[n - 3]) * last / before;
    moments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(
        axes: Vec<Vec<f64>>,
        between: Between,
        outside: Outside,
        f: &dyn Fn(&[f64]) -> f64,
    ) -> Tabulated {
        let mut points: Vec<Vec<f64>> = vec![vec![]];
        for axis in &axes {
            let longer =
                |point: &Vec<f64>| axis.iter().map(|x| [&point[..], &[*x]].concat()).collect::<Vec<_>>();
            points = points.iter().flat_map(longer).collect();
        }
        let values: Vec<f64> = points.iter().map(|point| f(point)).collect();
        let arguments = (0..axes.len()).map(|a| format!("x{a}")).collect();
        Tabulated::new("q", arguments, axes, &values, between, outside)
    }

    /// Nodes from 0 to `end` that are not evenly spaced, the more the closer.
    fn nodes(count: usize, end: f64) -> Vec<f64> {
        let at = |i: usize| i as f64 / (count - 1) as f64;
        (0..count).map(|i| end * (at(i) + 0.1 * (2.0 * std::f64::consts::PI * at(i)).sin())).collect()
    }

    fn sine(order: u8, x: f64) -> f64 {
        (3.0 * x + f64::from(order) * std::f64::consts::FRAC_PI_2).sin() * 3.0_f64.powi(order.into())
    }

    /// The greatest error of a derivative on the way from 0 to 2.
    fn greatest(table: &Tabulated, order: u8) -> f64 {
        let points = (0..=997).map(|i| 2.0 * f64::from(i) / 997.0);
        points.map(|x| (table.evaluate(&[x], &[order]) - sine(order, x)).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn every_kind_converges_as_fast_as_it_should() {
        for (between, order, expected) in [
            (Between::Cubic, 0, 4.0),
            (Between::Cubic, 1, 3.0),
            (Between::Cubic, 2, 2.0),
            (Between::Cubic, 3, 1.0),
            (Between::Linear, 0, 2.0),
            (Between::Linear, 1, 1.0),
            (Between::Nearest, 0, 1.0),
        ] {
            let errors = [65, 129].map(|count| {
                let table = table(vec![nodes(count, 2.0)], between, Outside::Refused, &|x| sine(0, x[0]));
                greatest(&table, order)
            });
            let measured = (errors[0] / errors[1]).log2();
            assert!(measured > expected - 0.12, "{between:?}, derivative {order}: {measured}, {errors:?}");
        }
    }

    #[test]
    fn in_the_plane_a_cubic_converges_by_the_fourth_power_and_so_do_mixed_derivatives_by_the_second() {
        let f = |x: f64, y: f64| (2.0 * x - y).sin() + x * y * y;
        let mixed = |x: f64, y: f64| 2.0 * (2.0 * x - y).sin() + 2.0 * y;
        let errors = [17, 33].map(|count| {
            let axes = vec![nodes(count, 1.0), nodes(count + 2, 2.0)];
            let table = table(axes, Between::Cubic, Outside::Refused, &|p| f(p[0], p[1]));
            let mut most = [0.0_f64; 2];
            for i in 0..40 {
                for j in 0..40 {
                    let (x, y) = (f64::from(i) / 39.0, f64::from(j) / 19.5);
                    most[0] = most[0].max((table.evaluate(&[x, y], &[0, 0]) - f(x, y)).abs());
                    most[1] = most[1].max((table.evaluate(&[x, y], &[1, 1]) - mixed(x, y)).abs());
                }
            }
            most
        });
        let measured = [0, 1].map(|k| (errors[0][k] / errors[1][k]).log2());
        assert!(measured[0] > 3.7 && measured[1] > 2.7, "{measured:?}, {errors:?}");
    }

    #[test]
    fn a_cubic_is_exact_for_cubics_and_a_line_for_lines() {
        let cubic = |x: f64| 1.0 - 2.0 * x + 0.5 * x.powi(2) + x.powi(3);
        let one = table(vec![nodes(4, 3.0)], Between::Cubic, Outside::Refused, &|p| cubic(p[0]));
        for i in 0..=30 {
            let x = f64::from(i) / 10.0;
            let expected = [cubic(x), -2.0 + x + 3.0 * x * x, 1.0 + 6.0 * x, 6.0];
            for (order, expected) in expected.into_iter().enumerate() {
                let found = one.evaluate(&[x], &[order as u8]);
                assert!((found - expected).abs() < 1e-11, "derivative {order} at {x}: {found} {expected}");
            }
        }
        let product = |p: &[f64]| cubic(p[0]) * (p[1] - 2.0) * (1.0 + p[2] * p[2]);
        let axes = vec![nodes(5, 1.0), vec![0.0, 1.0], vec![-1.0, 0.5, 2.0]];
        let three = table(axes.clone(), Between::Cubic, Outside::Refused, &product);
        let at = [0.37, 0.81, 1.3];
        assert!((three.evaluate(&at, &[0, 0, 0]) - product(&at)).abs() < 1e-13);
        let slope = (-2.0 + at[0] + 3.0 * at[0] * at[0]) * 2.0 * at[2];
        assert!((three.evaluate(&at, &[1, 1, 1]) - slope).abs() < 1e-12);
        let plane = |p: &[f64]| (1.0 + p[0]) * (2.0 - p[1]) * p[2];
        let linear = table(axes, Between::Linear, Outside::Refused, &plane);
        assert!((linear.evaluate(&at, &[0, 0, 0]) - plane(&at)).abs() < 1e-14);
        assert!((linear.evaluate(&at, &[0, 1, 0]) + (1.0 + at[0]) * at[2]).abs() < 1e-14);
        assert!(linear.evaluate(&at, &[0, 2, 0]).is_nan());
    }

    #[test]
    fn nodes_keep_their_values_and_derivatives_are_slopes() {
        let f = |x: f64| (2.0 * x).exp();
        for (between, _) in Between::ALL.map(|(_, between)| (between, ())) {
            for count in [2, 3, 4, 9] {
                let axis = nodes(count, 1.0);
                let table = table(vec![axis.clone()], between, Outside::Refused, &|p| f(p[0]));
                for &x in &axis {
                    let found = table.evaluate(&[x], &[0]);
                    assert!((found - f(x)).abs() < 1e-14 * f(x), "{between:?} of {count} at {x}");
                }
                for order in 0..between.degree() as u8 {
                    let x = 0.4321;
                    let [low, high] = [x - 1e-5, x + 1e-5].map(|x| table.evaluate(&[x], &[order]));
                    let slope = table.evaluate(&[x], &[order + 1]);
                    let off = (slope - (high - low) / 2e-5).abs();
                    assert!(off < 1e-4 * slope.abs().max(1.0), "{between:?} of {count}, derivative {order}");
                }
                assert!(table.evaluate(&[0.5], &[between.degree() as u8 + 1]).is_nan());
            }
        }
    }

    #[test]
    fn beyond_the_ends_there_is_nothing_or_the_end() {
        let axis = vec![0.0, 1.0, 2.0, 3.0];
        let of = |outside| table(vec![axis.clone()], Between::Cubic, outside, &|p| p[0] * p[0]);
        let refused = of(Outside::Refused);
        assert!(refused.evaluate(&[3.1], &[0]).is_nan() && refused.evaluate(&[-0.1], &[0]).is_nan());
        assert!(!refused.reaches(0, 3.1) && refused.reaches(0, 3.0 + 1e-10));
        assert!((refused.evaluate(&[3.0 + 1e-10], &[0]) - 9.0).abs() < 1e-12);
        let held = of(Outside::Held);
        assert_eq!([held.evaluate(&[3.1], &[0]), held.evaluate(&[3.1], &[1])], [9.0, 0.0]);
        assert_eq!(held.evaluate(&[-5.0], &[0]), 0.0);
        assert!((held.evaluate(&[2.5], &[1]) - 5.0).abs() < 1e-13);
        assert!(held.evaluate(&[f64::NAN], &[0]).is_nan());
        // Half way it is the upper one.
        let nearest = table(vec![axis], Between::Nearest, Outside::Refused, &|p| p[0]);
        let found = [0.49, 0.5, 1.2, 3.0].map(|x| nearest.evaluate(&[x], &[0]));
        assert_eq!(found, [0.0, 1.0, 1.0, 3.0]);
    }
}
