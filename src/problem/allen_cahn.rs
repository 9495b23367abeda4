//! The Allen–Cahn equation u_t = d·u_xx + r·(u − u³), u(x, 0) = x² cos πx, period 2, by a spectral method.
//!
//! Fourier modes in space; in time the exponential Runge–Kutta method of fourth order of Cox and Matthews (2002),
//! with its coefficients by contour integrals (Kassam and Trefethen 2005).
//! The solution stays even, so real cosine coefficients hold all of it.

use core::f64::consts::PI;
use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

/// Greatest time step; with it the solution is right to about 2e-10 at d = 1e-4 and r = 5.
const STEP: f64 = 1.0 / 2000.0;
/// Fewest and most points along x.
const FEWEST: usize = 512;
const MOST: usize = 1 << 14;
/// Points of the contours, on a circle of radius 1 around each exponent.
const CONTOUR: usize = 64;

/// How many points along x resolve the interfaces; `None` if that is more than can be afforded.
///
/// An interface is tanh(x/w), w = √(2d/r); its nearest pole is πw/2 off the real axis, so that mode n is of size
/// exp(−π²nw/2), which is to be 1e-13 at the last one; and twice as many, because the kink of x² cos πx at the ends
/// takes until t = 0.005 to be smoothed out as far as that.
pub(crate) fn resolution(d: f64, r: f64) -> Option<usize> {
    let width = (2.0 * d / r).sqrt();
    let last = 29.9 / (0.5 * PI * PI * width);
    let points = (4.0 * last).max(FEWEST as f64);
    (points <= MOST as f64).then(|| (points as usize).next_power_of_two())
}

/// The solution at `rows` of (x, t), whose places in a row are `x` and `t`.
pub(crate) fn solve<'a>(
    rows: impl Iterator<Item = &'a [f64]> + Clone,
    x: usize,
    t: usize,
    d: f64,
    r: f64,
) -> Vec<f64> {
    let points = resolution(d, r).unwrap_or(MOST);
    solve_with(rows, x, t, d, r, points, STEP)
}

fn solve_with<'a>(
    rows: impl Iterator<Item = &'a [f64]> + Clone,
    x: usize,
    t: usize,
    d: f64,
    r: f64,
    points: usize,
    step: f64,
) -> Vec<f64> {
    let mut order: Vec<_> = rows.clone().map(|row| row[t]).enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let xs: Vec<f64> = rows.map(|row| row[x]).collect();
    let mut values = vec![0.0; xs.len()];
    let mut solver = Solver::new(d, r, points);
    for (i, time) in order {
        solver.go_to(time, step);
        values[i] = if time == 0.0 { xs[i] * xs[i] * (PI * xs[i]).cos() } else { solver.value(xs[i]) };
    }
    values
}

/// Half of the Fourier coefficients of an even function, and how to move them on in time.
struct Solver {
    d: f64,
    r: f64,
    time: f64,
    /// u = c₀ + 2 Σ cₙ cos nπx.
    modes: Vec<f64>,
    forward: Arc<dyn Fft<f64>>,
    grid: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
    /// Coefficients of the method for one step length.
    step: f64,
    weights: Vec<Weights>,
}

/// The method's coefficients for one mode.
#[derive(Clone, Copy)]
struct Weights {
    whole: f64,
    half: f64,
    q: f64,
    f1: f64,
    f2: f64,
    f3: f64,
}

impl Solver {
    fn new(d: f64, r: f64, points: usize) -> Self {
        let forward = FftPlanner::new().plan_fft_forward(points);
        // x² = 1/3 + Σ 4(−1)ⁿ/(πn)² cos nπx, times cos πx.
        let square = |n: isize| match n {
            0 => 1.0 / 3.0,
            n => 2.0 * if n % 2 == 0 { 1.0 } else { -1.0 } / (PI * n as f64).powi(2),
        };
        let modes = (0..points as isize / 2).map(|n| 0.5 * (square(n - 1) + square(n + 1))).collect();
        Self {
            d,
            r,
            time: 0.0,
            modes,
            scratch: vec![Complex::default(); forward.get_inplace_scratch_len()],
            forward,
            grid: vec![Complex::default(); points],
            step: 0.0,
            weights: vec![],
        }
    }

    /// Moves on to `time`, in equal steps no longer than `longest`.
    fn go_to(&mut self, time: f64, longest: f64) {
        let span = time - self.time;
        let steps = (span / longest - 1e-9).ceil().max(0.0);
        if steps > 0.0 {
            self.set_step(span / steps);
            (0..steps as usize).for_each(|_| self.advance());
            self.time = time;
        }
    }

    fn set_step(&mut self, h: f64) {
        // Spans of one grid differ in their last digits, which is no other step.
        if (h - self.step).abs() <= 1e-12 * h {
            return;
        }
        self.step = h;
        let circle: Vec<Complex<f64>> = (0..CONTOUR)
            .map(|j| Complex::from_polar(1.0, 2.0 * PI * (j as f64 + 0.5) / CONTOUR as f64))
            .collect();
        let mean = |f: &dyn Fn(Complex<f64>) -> Complex<f64>, centre: f64| {
            h * circle.iter().map(|z| f(z + centre).re).sum::<f64>() / CONTOUR as f64
        };
        let (d, r) = (self.d, self.r);
        let weights = (0..self.modes.len()).map(|n| {
            let l = h * (r - d * (PI * n as f64).powi(2));
            Weights {
                whole: l.exp(),
                half: (0.5 * l).exp(),
                q: mean(&|z| ((z * 0.5).exp() - 1.0) / z, l),
                f1: mean(&|z| (-z - 4.0 + z.exp() * (-z * 3.0 + 4.0 + z * z)) / (z * z * z), l),
                f2: mean(&|z| (z + 2.0 + z.exp() * (z - 2.0)) / (z * z * z), l),
                f3: mean(&|z| (-z * 3.0 - 4.0 - z * z + z.exp() * (-z + 4.0)) / (z * z * z), l),
            }
        });
        self.weights = weights.collect();
    }

    /// One step; N(u) = −r·u³ is what is not linear.
    fn advance(&mut self) {
        let start = self.modes.clone();
        let n_start = self.nonlinear(&start);
        let w = std::mem::take(&mut self.weights);
        let combine = |f: &dyn Fn(usize) -> f64| (0..start.len()).map(f).collect::<Vec<f64>>();
        let a = combine(&|i| w[i].half * start[i] + w[i].q * n_start[i]);
        let n_a = self.nonlinear(&a);
        let b = combine(&|i| w[i].half * start[i] + w[i].q * n_a[i]);
        let n_b = self.nonlinear(&b);
        let c = combine(&|i| w[i].half * a[i] + w[i].q * (2.0 * n_b[i] - n_start[i]));
        let n_c = self.nonlinear(&c);
        self.modes = combine(&|i| {
            w[i].whole * start[i]
                + w[i].f1 * n_start[i]
                + 2.0 * w[i].f2 * (n_a[i] + n_b[i])
                + w[i].f3 * n_c[i]
        });
        self.weights = w;
    }

    /// The coefficients of −r·u³, where those of u are `modes`.
    fn nonlinear(&mut self, modes: &[f64]) -> Vec<f64> {
        let points = self.grid.len();
        self.grid.fill(Complex::default());
        for (n, &mode) in modes.iter().enumerate() {
            self.grid[n].re = mode;
            self.grid[(points - n) % points].re = mode;
        }
        // Real and even, so that either direction of the transform is the same.
        self.forward.process_with_scratch(&mut self.grid, &mut self.scratch);
        for value in &mut self.grid {
            *value = Complex::from(-self.r * value.re.powi(3));
        }
        self.forward.process_with_scratch(&mut self.grid, &mut self.scratch);
        self.grid[..modes.len()].iter().map(|value| value.re / points as f64).collect()
    }

    /// u at x (Clenshaw's sum).
    fn value(&self, x: f64) -> f64 {
        let twice = 2.0 * (PI * x).cos();
        let (mut b1, mut b2) = (0.0, 0.0);
        for &mode in self.modes[1..].iter().rev() {
            (b1, b2) = (2.0 * mode + twice * b1 - b2, b1);
        }
        self.modes[0] + 0.5 * twice * b1 - b2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Vec<[f64; 2]> {
        let times = [0.005, 0.01, 0.02, 0.1, 0.25, 0.5, 1.0];
        times.iter().flat_map(|&t| (0..=200).map(move |i| [-1.0 + f64::from(i) / 100.0, t])).collect()
    }

    fn values(d: f64, points: usize, step: f64) -> Vec<f64> {
        let rows = grid();
        solve_with(rows.iter().map(|row| &row[..]), 0, 1, d, 5.0, points, step)
    }

    fn difference(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn twice_the_resolution_certifies_the_reference() {
        let points = resolution(1e-4, 5.0).unwrap();
        assert_eq!(points, 4096);
        let reference = values(1e-4, points, STEP);
        let in_time = difference(&reference, &values(1e-4, points, 0.5 * STEP));
        let in_space = difference(&reference, &values(1e-4, 2 * points, STEP));
        // The problem files state 1e-9.
        assert!(in_time < 5e-10 && in_space < 5e-11, "time {in_time:e}, space {in_space:e}");
    }

    #[test]
    fn the_method_is_of_fourth_order() {
        let rows: Vec<_> = (0..=50).map(|i| [f64::from(i) / 50.0, 1.0]).collect();
        let at_the_end =
            |steps: f64| solve_with(rows.iter().map(|row| &row[..]), 0, 1, 1e-3, 5.0, 512, 1.0 / steps);
        let exact = at_the_end(1600.0);
        let errors = [50.0, 100.0].map(|steps| difference(&exact, &at_the_end(steps)));
        let order = (errors[0] / errors[1]).log2();
        assert!((3.5..4.6).contains(&order), "{errors:?}");
    }

    #[test]
    fn the_solution_solves_the_equation() {
        // By central differences, away from the kink of the initial values.
        let (d, r, h) = (1e-3, 5.0, 1e-3);
        let near = [[0.0, 0.0], [h, 0.0], [-h, 0.0], [0.0, h], [0.0, -h]];
        for (x, t) in [(0.1, 0.3), (0.45, 0.5), (-0.5, 0.2), (0.0, 0.9)] {
            let rows: Vec<_> = near.iter().map(|[dx, dt]| [x + dx, t + dt]).collect();
            let u = solve_with(rows.iter().map(|row| &row[..]), 0, 1, d, r, 512, 1e-3);
            let residual = (u[3] - u[4]) / (2.0 * h)
                - d * (u[1] - 2.0 * u[0] + u[2]) / (h * h)
                - r * (u[0] - u[0].powi(3));
            assert!(residual.abs() < 1e-3, "at {x}, {t}: {residual}");
        }
    }

    #[test]
    fn interfaces_that_are_too_thin_are_refused() {
        assert_eq!(resolution(1e-7, 5.0), None);
        assert_eq!(resolution(1.0, 1.0), Some(FEWEST));
    }
}
