//! Every method on functions whose minima are known.

use super::*;
use crate::settings;

/// A method that computes alone.
fn new(stage: &Stage, parameters: usize, omega: f64) -> Box<dyn Optimizer> {
    super::new(stage, &Layout::plain(parameters, omega), &Arc::new(Team::alone()))
}

/// A function of the parameters that counts its evaluations.
struct Function<F> {
    f: F,
    evaluations: usize,
}

impl<F: FnMut(&[f64], &mut [f64]) -> f64> Objective for Function<F> {
    fn value(&mut self, theta: &[f64]) -> f64 {
        self.value_and_gradient(theta, &mut vec![0.0; theta.len()])
    }

    fn value_and_gradient(&mut self, theta: &[f64], gradient: &mut [f64]) -> f64 {
        self.evaluations += 1;
        (self.f)(theta, gradient)
    }
}

/// |r|² for residuals that are given with their Jacobian, `residuals × parameters`, row by row.
struct Squares<F> {
    /// Residuals and Jacobian at a point.
    f: F,
    evaluations: usize,
}

impl<F: FnMut(&[f64]) -> (Vec<f64>, Vec<f64>)> Objective for Squares<F> {
    fn value(&mut self, theta: &[f64]) -> f64 {
        self.evaluations += 1;
        let (r, _) = (self.f)(theta);
        dot(&r, &r)
    }

    fn value_and_gradient(&mut self, theta: &[f64], gradient: &mut [f64]) -> f64 {
        self.evaluations += 1;
        let (r, jacobian) = (self.f)(theta);
        gradient.fill(0.0);
        for (r, row) in r.iter().zip(jacobian.chunks_exact(theta.len())) {
            add(gradient, 2.0 * r, row);
        }
        dot(&r, &r)
    }

    fn least_squares(&mut self) -> Option<&mut dyn LeastSquares> {
        Some(self)
    }
}

impl<F: FnMut(&[f64]) -> (Vec<f64>, Vec<f64>)> LeastSquares for Squares<F> {
    fn residual_rows(&mut self, theta: &[f64], take: &mut dyn FnMut(&[f64])) -> f64 {
        self.evaluations += 1;
        let (r, jacobian) = (self.f)(theta);
        for (r, row) in r.iter().zip(jacobian.chunks_exact(theta.len())) {
            take(&[row, &[*r]].concat());
        }
        dot(&r, &r)
    }

    fn normal_equations(&mut self, theta: &[f64], matrix: &mut [f64], vector: &mut [f64]) -> f64 {
        self.evaluations += 1;
        let (r, jacobian) = (self.f)(theta);
        matrix.fill(0.0);
        vector.fill(0.0);
        for (r, row) in r.iter().zip(jacobian.chunks_exact(theta.len())) {
            add(vector, *r, row);
            for (x, to) in row.iter().zip(matrix.chunks_exact_mut(theta.len())) {
                add(to, *x, row);
            }
        }
        dot(&r, &r)
    }

    fn gauss_newton_product(&mut self, theta: &[f64], direction: &[f64], product: &mut [f64]) {
        product.fill(0.0);
        for row in (self.f)(theta).1.chunks_exact(theta.len()) {
            add(product, dot(row, direction), row);
        }
    }
}

/// Rosenbrock's valley in any even number of dimensions; the minimum is 0 at (1, …, 1).
fn rosenbrock(x: &[f64], gradient: &mut [f64]) -> f64 {
    let mut value = 0.0;
    for (x, g) in x.chunks_exact(2).zip(gradient.chunks_exact_mut(2)) {
        let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
        value += a * a + 100.0 * b * b;
        g[0] = -2.0 * a - 400.0 * x[0] * b;
        g[1] = 200.0 * b;
    }
    value
}

/// A quadratic whose curvatures range from 1 to 10⁶; the minimum is 0 at 0.
fn quadratic(x: &[f64], gradient: &mut [f64]) -> f64 {
    let last = (x.len() - 1) as f64;
    let mut value = 0.0;
    for (i, (x, g)) in x.iter().zip(gradient).enumerate() {
        let curvature = 10f64.powf(6.0 * i as f64 / last);
        value += 0.5 * curvature * x * x;
        *g = curvature * x;
    }
    value
}

/// −ln x + x, infinite where x is not positive; the minimum is 1 at 1.
fn barrier(x: &[f64], gradient: &mut [f64]) -> f64 {
    gradient[0] = 1.0 - 1.0 / x[0];
    x[0] - x[0].ln()
}

/// Where a method ends, after how much work, and why.
#[derive(Default)]
struct Ended {
    theta: Vec<f64>,
    loss: f64,
    lowest: f64,
    steps: usize,
    evaluations: usize,
    factorizations: usize,
    products: usize,
    rejected: usize,
    stopped: Option<StopReason>,
}

fn minimize(stage: &Stage, start: &[f64], f: impl FnMut(&[f64], &mut [f64]) -> f64, enough: f64) -> Ended {
    let mut objective = Function { f, evaluations: 0 };
    let mut ended = run(stage, start, &mut objective, enough);
    ended.evaluations = objective.evaluations;
    ended
}

fn least_squares(
    stage: &Stage,
    start: &[f64],
    f: impl FnMut(&[f64]) -> (Vec<f64>, Vec<f64>),
    enough: f64,
) -> Ended {
    let mut objective = Squares { f, evaluations: 0 };
    let mut ended = run(stage, start, &mut objective, enough);
    ended.evaluations = objective.evaluations;
    ended
}

fn run(stage: &Stage, start: &[f64], objective: &mut dyn Objective, enough: f64) -> Ended {
    go(&mut *new(stage, start.len(), 1.0), stage.steps(), start, objective, enough)
}

fn go(
    optimizer: &mut dyn Optimizer,
    steps: usize,
    start: &[f64],
    objective: &mut dyn Objective,
    enough: f64,
) -> Ended {
    let theta = start.to_vec();
    let mut ended = Ended { theta, loss: f64::INFINITY, lowest: f64::INFINITY, ..Ended::default() };
    while ended.steps < steps && ended.loss > enough {
        match optimizer.step(&mut ended.theta, objective) {
            Step::Moved(progress) => {
                ended.loss = progress.loss;
                ended.lowest = ended.lowest.min(progress.loss);
                ended.factorizations += progress.factorizations;
                ended.products += progress.products;
                ended.rejected += progress.rejected;
            }
            Step::Stopped(reason) => {
                ended.stopped = Some(reason);
                break;
            }
        }
        ended.steps += 1;
    }
    ended
}

fn lbfgs(steps: usize, history: usize) -> Stage {
    Stage::Lbfgs(settings::Lbfgs { steps, history })
}

#[test]
fn lbfgs_walks_down_the_valley_in_few_evaluations() {
    let start: Vec<f64> = (0..100).map(|i| if i % 2 == 0 { -1.2 } else { 1.0 }).collect();
    for length in [2, 100] {
        let ended = minimize(&lbfgs(200, 10), &start[..length], rosenbrock, 1e-20);
        assert!(ended.loss <= 1e-20, "{length}: {}", ended.loss);
        assert!(ended.theta.iter().all(|x| (x - 1.0).abs() < 1e-9));
        assert!(ended.steps <= 50 && ended.evaluations <= 65, "{} {}", ended.steps, ended.evaluations);
    }
}

#[test]
fn lbfgs_solves_a_quadratic_of_condition_a_million() {
    // SciPy's L-BFGS-B takes 840 evaluations here.
    let ended = minimize(&lbfgs(2000, 100), &[1.0; 60], quadratic, 1e-20);
    assert!(ended.loss <= 1e-20, "{} {:?}", ended.loss, ended.stopped);
    assert!(ended.evaluations <= 850, "{} {}", ended.steps, ended.evaluations);
}

#[test]
fn lbfgs_backs_out_of_regions_where_nothing_is_finite() {
    let ended = minimize(&lbfgs(50, 5), &[1e-3], barrier, 1.0);
    assert!((ended.theta[0] - 1.0).abs() < 1e-6, "{:?}", ended.theta);
}

#[test]
fn lbfgs_goes_on_until_rounding_stops_it_and_says_why() {
    let ended = minimize(&lbfgs(500, 10), &[-1.2, 1.0], |x, g| rosenbrock(x, g) + 1.0, f64::NEG_INFINITY);
    assert!(ended.stopped.is_some(), "it cannot go on for ever");
    assert!(ended.theta.iter().all(|x| (x - 1.0).abs() < 1e-6), "{:?}", ended.theta);
    let start = minimize(&lbfgs(5, 5), &[-1.0], barrier, 0.0);
    assert_eq!(start.stopped, Some(StopReason::NonFinite));
    let vanished = minimize(&lbfgs(5, 5), &[0.0; 4], quadratic, -1.0);
    assert_eq!(vanished.stopped, Some(StopReason::GradientVanished));
}

/// Mean squared error of a small network, sin(6 s) fitted by Σ aᵢ tanh(bᵢ s + cᵢ), in single precision.
fn fit_in_single_precision(x: &[f64], gradient: &mut [f64]) -> f64 {
    let x: Vec<f32> = x.iter().map(|&x| x as f32).collect();
    let mut sums = vec![0.0_f32; x.len()];
    let mut value = 0.0_f32;
    for k in 0..100 {
        let s = k as f32 / 100.0;
        let neuron = |x: &[f32]| (x[1] * s + x[2]).tanh();
        let residual = x.chunks_exact(3).map(|x| x[0] * neuron(x)).sum::<f32>() - (6.0 * s).sin();
        value += residual * residual / 100.0;
        for (x, sum) in x.chunks_exact(3).zip(sums.chunks_exact_mut(3)) {
            let factor = residual / 50.0;
            let inner = factor * x[0] * (1.0 - neuron(x) * neuron(x));
            sum[0] += factor * neuron(x);
            sum[1] += inner * s;
            sum[2] += inner;
        }
    }
    for (g, sum) in gradient.iter_mut().zip(sums) {
        *g = f64::from(sum);
    }
    f64::from(value)
}

#[test]
fn lbfgs_sees_through_the_rounding_of_single_precision() {
    // With the strong Wolfe conditions alone the line search fails at a loss twenty times higher.
    let start: Vec<f64> = (0..90).map(|i| f64::from((i * 37) % 41 - 20) / 12.0).collect();
    let ended = minimize(&lbfgs(3000, 20), &start, fit_in_single_precision, 0.0);
    assert!(ended.lowest <= 1e-7, "{} after {} steps", ended.lowest, ended.steps);
    assert_eq!(ended.stopped, Some(StopReason::LossStalled));
    assert!(ended.evaluations < 2 * ended.steps, "{} {}", ended.steps, ended.evaluations);
}

#[test]
fn lbfgs_steps_satisfy_the_wolfe_conditions() {
    let mut objective = Function { f: rosenbrock, evaluations: 0 };
    let mut optimizer = new(&lbfgs(40, 8), 6, 1.0);
    let mut theta = vec![-1.2, 1.0, 0.5, 2.0, -0.3, 0.1];
    let mut gradient = vec![0.0; 6];
    for step in 0..25 {
        let before = theta.clone();
        let value = rosenbrock(&before, &mut gradient);
        let Step::Moved(progress) = optimizer.step(&mut theta, &mut objective) else { break };
        let slope = |g: &[f64]| g.iter().zip(&theta).zip(&before).map(|((g, x), y)| g * (x - y)).sum::<f64>();
        let old = slope(&gradient);
        rosenbrock(&theta, &mut gradient);
        let new = slope(&gradient);
        assert!(progress.loss <= value + 1e-4 * old + 1e-15, "step {step} does not decrease enough");
        assert!(new.abs() <= 0.9 * old.abs() + 1e-15, "step {step} leaves the slope too steep");
    }
}

#[test]
fn adam_follows_its_formula_and_its_schedule() {
    let schedule = settings::Schedule::Exponential { rate: 0.5, every: 10 };
    let adam = settings::Adam { steps: 3, lr: 0.1, schedule, warmup: 2, ..settings::Adam::default() };
    let mut optimizer = new(&Stage::Adam(adam), 1, 2.0);
    let mut objective = Function {
        f: |x: &[f64], g: &mut [f64]| {
            g[0] = 2.0 * x[0];
            x[0] * x[0]
        },
        evaluations: 0,
    };
    let mut theta = vec![1.0];
    let (mut x, mut m, mut v) = (1.0_f64, 0.0, 0.0);
    for step in 1..=3 {
        optimizer.step(&mut theta, &mut objective);
        let g = 2.0 * x;
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        let rate = 0.2 * (f64::from(step) / 2.0).min(1.0) * 0.5_f64.powf(f64::from(step - 1) / 10.0);
        x -= rate * (m / (1.0 - 0.9_f64.powi(step))) / ((v / (1.0 - 0.999_f64.powi(step))).sqrt() + 1e-8);
        assert!((theta[0] - x).abs() < 1e-14, "step {step}: {} against {x}", theta[0]);
    }
    assert_eq!(objective.evaluations, 3);
}

#[test]
fn adam_finds_the_minimum_of_a_quadratic() {
    let schedule = settings::Schedule::Cosine { end: 1e-3 };
    let adam = settings::Adam { steps: 2000, lr: 0.05, schedule, ..settings::Adam::default() };
    let ended = minimize(&Stage::Adam(adam), &[1.0; 5], quadratic, 1e-12);
    assert!(ended.loss <= 1e-6, "{}", ended.loss);
}

fn lm(settings: settings::Lm) -> Stage {
    Stage::Lm(settings)
}

/// Every least-squares method that does not ask for precision in its settings.
fn least_squares_methods() -> [Stage; 5] {
    use settings::{LinearSolver, Lm, Scaling};
    [
        lm(Lm { steps: 400, ..Lm::default() }),
        lm(Lm { steps: 400, scaling: Scaling::Diagonal, ..Lm::default() }),
        lm(Lm { steps: 400, sketch: 2, ..Lm::default() }),
        lm(Lm { steps: 400, solver: LinearSolver::Cholesky, ..Lm::default() }),
        lm(Lm { steps: 400, solver: LinearSolver::Cg, ..Lm::default() }),
    ]
}

/// A fit that leaves most of the residuals: what a sketch makes of them is more than what is left to gain.
#[test]
fn a_sketch_goes_to_the_bottom_where_residuals_stay() {
    let (rows, n) = (600, 6);
    let fit = |x: &[f64]| {
        let column = |i: usize, j: usize| (0.01 * (i * (j + 1)) as f64).cos();
        let jacobian: Vec<f64> = (0..rows).flat_map(|i| (0..n).map(move |j| column(i, j))).collect();
        let of = |(i, row): (usize, &[f64])| dot(row, x) - (1.7 * (i * i) as f64).sin();
        (jacobian.chunks_exact(n).enumerate().map(of).collect::<Vec<f64>>(), jacobian)
    };
    let bottom = |settings| {
        let mut optimizer = new(&lm(settings), n, 1.0);
        let mut theta = vec![1.0; n];
        for _ in 0..60 {
            optimizer.step(&mut theta, &mut Squares { f: fit, evaluations: 0 });
        }
        Squares { f: fit, evaluations: 0 }.value(&theta)
    };
    let least = bottom(settings::Lm::default());
    assert!(least > 100.0);
    let sketched = bottom(settings::Lm { sketch: 4, ..settings::Lm::default() });
    assert!(sketched < (1.0 + 1e-9) * least, "{sketched} {least}");
}

/// The dense quasi-Newton methods, each on the value and on its logarithm.
fn quasi_newton_methods(steps: usize) -> [Stage; 4] {
    let settings = |logarithm| settings::QuasiNewton { steps, logarithm };
    [
        Stage::Ssbfgs(settings(false)),
        Stage::Ssbfgs(settings(true)),
        Stage::Ssbroyden(settings(false)),
        Stage::Ssbroyden(settings(true)),
    ]
}

/// Rosenbrock's valley as a sum of squares.
fn rosenbrock_residuals(x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let n = x.len();
    let mut jacobian = vec![0.0; n * n];
    let mut residuals = vec![0.0; n];
    for (i, x) in x.chunks_exact(2).enumerate() {
        let (first, second) = (2 * i, 2 * i + 1);
        residuals[first] = 1.0 - x[0];
        residuals[second] = 10.0 * (x[1] - x[0] * x[0]);
        jacobian[first * n + first] = -1.0;
        jacobian[second * n + first] = -20.0 * x[0];
        jacobian[second * n + second] = 10.0;
    }
    (residuals, jacobian)
}

/// Fifty samples of e⁻ᵗ + 2·e⁻³ᵗ fitted by x₀·e^(x₁t) + x₂·e^(x₃t), `above` added to every residual.
fn exponentials(x: &[f64], above: f64) -> (Vec<f64>, Vec<f64>) {
    (0..50)
        .map(|i| {
            let t = f64::from(i) / 25.0;
            let (first, second) = ((x[1] * t).exp(), (x[3] * t).exp());
            let data = (-t).exp() + 2.0 * (-3.0 * t).exp();
            let row = [first, x[0] * t * first, second, x[2] * t * second];
            (x[0] * first + x[2] * second - data + above, row)
        })
        .fold((vec![], vec![]), |(mut residuals, mut jacobian), (residual, row)| {
            residuals.push(residual);
            jacobian.extend(row);
            (residuals, jacobian)
        })
}

#[test]
fn least_squares_methods_walk_down_the_valley() {
    let start: Vec<f64> = (0..20).map(|i| if i % 2 == 0 { -1.2 } else { 1.0 }).collect();
    for stage in least_squares_methods() {
        for length in [2, 20] {
            let ended = least_squares(&stage, &start[..length], rosenbrock_residuals, 1e-20);
            assert!(ended.loss <= 1e-20, "{stage:?}: {} {:?}", ended.loss, ended.stopped);
            assert!(ended.theta.iter().all(|x| (x - 1.0).abs() < 1e-9));
        }
    }
}

#[test]
fn least_squares_methods_fit_exponentials() {
    for stage in least_squares_methods() {
        let ended = least_squares(&stage, &[0.5, -0.5, 1.0, -2.0], |x| exponentials(x, 0.0), 1e-22);
        assert!(ended.loss <= 1e-22, "{stage:?}: {} {:?}", ended.loss, ended.stopped);
        for (x, exact) in ended.theta.iter().zip([1.0, -1.0, 2.0, -3.0]) {
            assert!((x - exact).abs() < 1e-7, "{stage:?}: {:?}", ended.theta);
        }
    }
}

#[test]
fn least_squares_methods_stop_where_residuals_remain_and_say_why() {
    for stage in least_squares_methods() {
        let ended = least_squares(&stage, &[0.5, -0.5, 1.0, -2.0], |x| exponentials(x, 0.1), 0.0);
        let wanted = [StopReason::LossStalled, StopReason::NoDescent, StopReason::GradientVanished];
        assert!(
            ended.stopped.is_some_and(|reason| wanted.contains(&reason)),
            "{stage:?} after {}",
            ended.steps
        );
        // At a minimum of the sum of squares its gradient vanishes to rounding; by steps that are not Newton's, to where the loss
        // no longer tells.
        let least = if matches!(&stage, Stage::Lm(settings) if settings.sketch > 0) { 1e-5 } else { 1e-6 };
        let mut gradient = [0.0; 4];
        let f = |x: &[f64]| exponentials(x, 0.1);
        let value = Squares { f, evaluations: 0 }.value_and_gradient(&ended.theta, &mut gradient);
        assert!(norm(&gradient) < least * value, "{stage:?}: {gradient:?}");
    }
}

#[test]
fn gauss_newton_converges_quadratically() {
    // All but undamped, from near the solution of a problem whose residuals vanish there.
    let settings = settings::Lm { steps: 20, damping: 1e-15, ..settings::Lm::default() };
    let exact = [1.0_f64, -1.0, 2.0, -3.0];
    let mut objective = Squares { f: |x: &[f64]| exponentials(x, 0.0), evaluations: 0 };
    let mut optimizer = new(&lm(settings), 4, 1.0);
    let mut theta = vec![1.2, -1.1, 1.8, -3.4];
    let mut errors = vec![];
    loop {
        let error: f64 = theta.iter().zip(exact).map(|(x, exact)| (x - exact).powi(2)).sum();
        // Below, rounding through the condition of JᵀJ sets in.
        if error.sqrt() < 1e-9 {
            break;
        }
        errors.push(error.sqrt().ln());
        assert!(matches!(optimizer.step(&mut theta, &mut objective), Step::Moved(_)), "{errors:?}");
    }
    assert!(errors.len() >= 4, "{errors:?}");
    // The slope of ln eₖ₊₁ over ln eₖ, by least squares.
    let pairs: Vec<_> = errors.windows(2).map(|pair| (pair[0], pair[1])).collect();
    let count = pairs.len() as f64;
    let (x, y) = pairs.iter().fold((0.0, 0.0), |(x, y), pair| (x + pair.0 / count, y + pair.1 / count));
    let over: f64 = pairs.iter().map(|pair| (pair.0 - x) * (pair.1 - y)).sum();
    let under: f64 = pairs.iter().map(|pair| (pair.0 - x).powi(2)).sum();
    let order = over / under;
    assert!((1.8..2.3).contains(&order), "order {order}, errors {errors:?}");
}

#[test]
fn damping_recovers_after_a_bad_start() {
    // Damped a billion times too much, and not at all: the way is not much longer.
    let work = |damping| {
        let stage = lm(settings::Lm { steps: 400, damping, ..settings::Lm::default() });
        let ended = least_squares(&stage, &[-1.2, 1.0], rosenbrock_residuals, 1e-20);
        assert!(ended.loss <= 1e-20, "{damping}: {} {:?}", ended.loss, ended.stopped);
        ended.evaluations
    };
    let best = work(1e-3);
    assert!(work(1e9) <= best + 40 && work(1e-16) <= best + 40);
}

#[test]
fn least_squares_methods_refuse_what_is_no_sum_of_squares() {
    for stage in least_squares_methods() {
        let ended = minimize(&stage, &[-1.2, 1.0], rosenbrock, 0.0);
        assert_eq!((ended.stopped, ended.evaluations), (Some(StopReason::NoResiduals), 0));
        let nothing = |_: &[f64]| (vec![f64::NAN], vec![1.0, 1.0]);
        let ended = least_squares(&stage, &[0.0, 0.0], nothing, 0.0);
        assert_eq!(ended.stopped, Some(StopReason::NonFinite), "{stage:?}");
        let flat = |_: &[f64]| (vec![1.0], vec![0.0, 0.0]);
        let ended = least_squares(&stage, &[0.0, 0.0], flat, 0.0);
        assert_eq!(ended.stopped, Some(StopReason::GradientVanished), "{stage:?}");
    }
}

#[test]
fn quasi_newton_methods_walk_down_the_valley() {
    let start: Vec<f64> = (0..20).map(|i| if i % 2 == 0 { -1.2 } else { 1.0 }).collect();
    for stage in quasi_newton_methods(400) {
        for length in [2, 20] {
            let ended = minimize(&stage, &start[..length], rosenbrock, 1e-16);
            assert!(ended.loss <= 1e-16, "{stage:?} {length}: {} {:?}", ended.loss, ended.stopped);
            assert!(ended.theta.iter().all(|x| (x - 1.0).abs() < 1e-7));
        }
    }
}

#[test]
fn quasi_newton_methods_solve_a_quadratic_of_condition_a_million() {
    for stage in quasi_newton_methods(2000) {
        let ended = minimize(&stage, &[1.0; 60], quadratic, 1e-20);
        assert!(ended.loss <= 1e-20, "{stage:?}: {} {:?}", ended.loss, ended.stopped);
    }
}

#[test]
fn quasi_newton_methods_know_when_to_stop() {
    for stage in quasi_newton_methods(1000) {
        let lifted = |x: &[f64], g: &mut [f64]| rosenbrock(x, g) + 1.0;
        let ended = minimize(&stage, &[-1.2, 1.0], lifted, f64::NEG_INFINITY);
        assert!(ended.stopped.is_some(), "{stage:?} cannot go on for ever");
        assert!(ended.theta.iter().all(|x| (x - 1.0).abs() < 1e-5), "{stage:?}: {:?}", ended.theta);
        let outside = minimize(&stage, &[-1.0], barrier, 0.0);
        assert_eq!(outside.stopped, Some(StopReason::NonFinite), "{stage:?}");
        let back = minimize(&stage, &[1e-3], barrier, 1.0);
        assert!((back.theta[0] - 1.0).abs() < 1e-6, "{stage:?}: {:?}", back.theta);
        let vanished = minimize(&stage, &[0.0; 4], quadratic, -1.0);
        assert_eq!(vanished.stopped, Some(StopReason::GradientVanished), "{stage:?}");
    }
}

#[test]
fn a_search_that_meets_nothing_finite_says_so() {
    let island = |x: &[f64], g: &mut [f64]| {
        g.copy_from_slice(x);
        if x == [3.0, 4.0] { 12.5 } else { f64::NAN }
    };
    for stage in quasi_newton_methods(9).into_iter().chain([lbfgs(9, 5)]) {
        let ended = minimize(&stage, &[3.0, 4.0], island, 0.0);
        assert_eq!((ended.stopped, ended.steps), (Some(StopReason::NonFinite), 0), "{stage:?}");
    }
    for stage in least_squares_methods() {
        let island = |x: &[f64]| (vec![if x == [3.0, 4.0] { 5.0 } else { f64::NAN }], vec![1.0, 2.0]);
        let ended = least_squares(&stage, &[3.0, 4.0], island, 0.0);
        assert_eq!((ended.stopped, ended.steps), (Some(StopReason::NonFinite), 0), "{stage:?}");
    }
}

#[test]
fn quasi_newton_updates_satisfy_the_secant_equation() {
    // H·y = s for every method of the class, whatever φ and τ.
    let settings = settings::QuasiNewton { logarithm: true, ..settings::QuasiNewton::default() };
    for stage in [Stage::Ssbfgs(settings.clone()), Stage::Ssbroyden(settings)] {
        let mut objective = Function { f: rosenbrock, evaluations: 0 };
        let mut optimizer = new(&stage, 4, 1.0);
        let mut theta = vec![-1.2, 1.0, 0.3, 0.7];
        let logarithm = |x: &[f64]| {
            let mut gradient = vec![0.0; 4];
            let value = rosenbrock(x, &mut gradient);
            gradient.iter_mut().for_each(|g| *g /= value);
            gradient
        };
        for _ in 0..12 {
            let before = theta.clone();
            optimizer.step(&mut theta, &mut objective);
            let change: Vec<f64> =
                logarithm(&theta).iter().zip(logarithm(&before)).map(|(a, b)| a - b).collect();
            let step: Vec<f64> = theta.iter().zip(&before).map(|(a, b)| a - b).collect();
            let lower = &optimizer.state().vectors["inverse"];
            let h = |i: usize, j: usize| lower[i.max(j) * (i.max(j) + 1) / 2 + i.min(j)];
            for i in 0..4 {
                let image: f64 = (0..4).map(|j| h(i, j) * change[j]).sum();
                assert!(
                    (image - step[i]).abs() < 1e-9 * norm(&step),
                    "{stage:?}: {image} against {}",
                    step[i]
                );
            }
        }
    }
}

/// A method of the class as its formulas are written, H whole and every product taken by itself: steps from `theta` with
/// fixed lengths.
fn formulas(rule: quasi_newton::Rule, theta: &mut [f64], lengths: &[f64]) {
    let n = theta.len();
    let mut h = vec![0.0; n * n];
    h.iter_mut().step_by(n + 1).for_each(|x| *x = 1.0);
    let product = |h: &[f64], x: &[f64]| h.chunks(n).map(|row| dot(row, x)).collect::<Vec<_>>();
    let mut gradient = vec![0.0; n];
    rosenbrock(theta, &mut gradient);
    for (number, length) in lengths.iter().enumerate() {
        let step: Vec<f64> = product(&h, &gradient).iter().map(|d| -length * d).collect();
        add(theta, 1.0, &step);
        let before = gradient.clone();
        rosenbrock(theta, &mut gradient);
        let change: Vec<f64> = gradient.iter().zip(&before).map(|(a, b)| a - b).collect();
        let curvature = dot(&step, &change);
        let mut believed = -length * dot(&step, &before);
        if number == 0 {
            let factor = curvature / dot(&change, &change);
            h.iter_mut().step_by(n + 1).for_each(|x| *x = factor);
            believed = dot(&step, &step) / factor;
        }
        let image = product(&h, &change);
        let spread = dot(&change, &image);
        let quasi_newton::Choice { phi, tau } = rule(believed / curvature, spread / curvature, n);
        let v: Vec<f64> = step.iter().zip(&image).map(|(s, u)| s / curvature - u / spread).collect();
        for i in 0..n {
            for j in 0..n {
                let kept = h[i * n + j] - image[i] * image[j] / spread + phi * spread * v[i] * v[j];
                h[i * n + j] = kept / tau + step[i] * step[j] / curvature;
            }
        }
    }
}

#[test]
fn quasi_newton_steps_are_those_of_the_formulas() {
    for (stage, rule) in [(0, ssbfgs::rule as quasi_newton::Rule), (2, ssbroyden::rule)] {
        let stage = &quasi_newton_methods(12)[stage];
        let start: Vec<f64> = (0..40).map(|i| 0.8 + 0.01 * f64::from((i * 7) % 11)).collect();
        let mut optimizer = new(stage, start.len(), 1.0);
        let (mut theta, mut lengths) = (start.clone(), vec![]);
        let mut gradient = vec![0.0; start.len()];
        rosenbrock(&start, &mut gradient);
        let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
        for _ in 0..12 {
            let before = theta.clone();
            optimizer.step(&mut theta, &mut Function { f: rosenbrock, evaluations: 0 });
            let along = (0..start.len()).max_by(|&i, &j| direction[i].abs().total_cmp(&direction[j].abs()));
            let along = along.expect("parameters");
            lengths.push((theta[along] - before[along]) / direction[along]);
            direction.clone_from(&optimizer.state().vectors["direction"]);
        }
        let mut expected = start;
        formulas(rule, &mut expected, &lengths);
        for (x, exact) in theta.iter().zip(expected) {
            assert!((x - exact).abs() < 1e-9, "{}: {x} against {exact}", stage.name());
        }
    }
}

#[test]
fn steps_are_the_same_on_any_number_of_threads() {
    let start: Vec<f64> = (0..400).map(|i| 0.5 + 0.1 * f64::from((i * 7) % 11)).collect();
    for stage in every_method() {
        let end = |threads| {
            let team = Arc::new(Team::new(threads).expect("threads"));
            let mut optimizer = super::new(&stage, &Layout::plain(start.len(), 1.0), &team);
            let mut theta = start.clone();
            for _ in 0..6 {
                optimizer.step(&mut theta, &mut Squares { f: rosenbrock_residuals, evaluations: 0 });
            }
            (theta, optimizer.state())
        };
        let alone = end(1);
        assert_ne!(alone.0, start);
        assert!(end(2) == alone && end(3) == alone, "{}", stage.name());
    }
}

#[test]
fn methods_are_refused_where_their_matrix_would_not_fit() {
    let quasi_newton = Stage::Ssbroyden(settings::QuasiNewton::default());
    let cholesky =
        || lm(settings::Lm { solver: settings::LinearSolver::Cholesky, ..settings::Lm::default() });
    for (stage, fits) in [(&lbfgs(1, 1), true), (&lm(settings::Lm::default()), true), (&quasi_newton, false)]
    {
        assert!(check(stage, 900, 1).is_ok());
        assert_eq!(check(stage, 1_000_000, 1).is_ok(), fits, "{stage:?}");
    }
    // Ranks share the one, and have the other each.
    assert!(check(&quasi_newton, 50_000, 1).is_err() && check(&quasi_newton, 50_000, 8).is_ok());
    assert!(check(&cholesky(), 50_000, 8).is_err());
    let [_, diagonal, ..] = least_squares_methods();
    assert!(
        check(&diagonal, 4000, 1).is_ok()
            && check(&diagonal, 4001, 1).is_err_and(|why| why.contains("identity"))
    );
    let sketch = |sketch| lm(settings::Lm { sketch, ..settings::Lm::default() });
    assert!(check(&sketch(10), 3000, 1).is_ok());
    let message = check(&sketch(usize::MAX), 30, 1).expect_err("sums of so many rows");
    assert!(message.contains("a smaller sketch"), "{message}");
    let qr = lm(settings::Lm { solver: settings::LinearSolver::Qr, ..settings::Lm::default() });
    assert!(check(&qr, 8000, 1).is_ok() && check(&qr, 8001, 1).is_err_and(|why| why.contains("cholesky")));
    assert!(
        check(&cholesky(), 4001, 1).is_ok()
            && check(&cholesky(), 1_000_000, 1).is_err_and(|why| why.contains("cg"))
    );
}

/// Steps, evaluations, factorizations, products and refused trials.
fn work(ended: &Ended) -> [usize; 5] {
    [ended.steps, ended.evaluations, ended.factorizations, ended.products, ended.rejected]
}

#[test]
fn work_counts_stay_what_they_are() {
    let fit = |x: &[f64]| exponentials(x, 0.0);
    let valley: Vec<_> = least_squares_methods()
        .iter()
        .map(|stage| work(&least_squares(stage, &[-1.2, 1.0], rosenbrock_residuals, 1e-20)))
        .collect();
    let fitted: Vec<_> = least_squares_methods()
        .iter()
        .map(|stage| work(&least_squares(stage, &[0.5, -0.5, 1.0, -2.0], fit, 1e-22)))
        .collect();
    let quadratics: Vec<_> = quasi_newton_methods(2000)
        .iter()
        .map(|stage| {
            let rule = if matches!(stage, Stage::Ssbfgs(_)) { ssbfgs::rule } else { ssbroyden::rule };
            let (Stage::Ssbfgs(settings) | Stage::Ssbroyden(settings)) = stage else { unreachable!() };
            let mut method = QuasiNewton::new(settings, rule, 60, &Arc::new(Team::alone()));
            method.inverse.make_portable();
            let mut objective = Function { f: quadratic, evaluations: 0 };
            let ended = go(&mut method, 2000, &[1.0; 60], &mut objective, 1e-20);
            // Once a step, and once for the first direction.
            assert_eq!(method.inverse.passes, ended.steps + 1, "{stage:?}");
            (ended.steps, objective.evaluations)
        })
        .collect();
    assert_eq!(
        valley,
        [[9, 50, 9, 0, 16], [9, 49, 9, 0, 20], [9, 59, 9, 0, 16], [9, 49, 40, 0, 16], [33, 82, 0, 84, 16]]
    );
    assert_eq!(
        fitted,
        [[7, 34, 7, 0, 7], [7, 34, 7, 0, 6], [7, 40, 7, 0, 7], [7, 33, 26, 0, 7], [14, 31, 0, 48, 3]]
    );
    assert_eq!(quadratics, [(285, 333), (662, 1458), (235, 274), (953, 1841)]);
}

pub(super) fn every_method() -> Vec<Stage> {
    let adam = settings::Adam { steps: 40, lr: 0.01, ..settings::Adam::default() };
    let first_order = vec![Stage::Adam(adam), lbfgs(40, 3)];
    [first_order, least_squares_methods().to_vec(), quasi_newton_methods(40).to_vec()].concat()
}

#[test]
fn a_method_that_starts_over_forgets_and_takes_shorter_steps() {
    // How far from the start the first trial is.
    let first_trial = |optimizer: &mut dyn Optimizer| {
        let start = [-1.2, 1.0, 0.3, 0.7];
        let mut trials = vec![];
        let seen = |x: &[f64]| {
            trials.push(x.to_vec());
            rosenbrock_residuals(x)
        };
        let mut theta = start.to_vec();
        optimizer.step(&mut theta, &mut Squares { f: seen, evaluations: 0 });
        let trial = trials.into_iter().find(|x| x != &start).unwrap_or(theta);
        trial.iter().zip(start).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
    };
    for stage in every_method() {
        let usual = first_trial(&mut *new(&stage, 4, 1.0));
        let mut optimizer = new(&stage, 4, 1.0);
        let mut theta = vec![0.3, 0.7, -1.2, 1.0];
        for _ in 0..4 {
            optimizer.step(&mut theta, &mut Squares { f: rosenbrock_residuals, evaluations: 0 });
        }
        let mut longest = 1.0;
        for times in 1..=2 {
            optimizer.start_over(0.1);
            let mut copy = new(&stage, 4, 1.0);
            copy.restore(&optimizer.state()).expect("its own state");
            let ratio = first_trial(&mut *copy) / usual;
            match stage {
                // Ten times the damping is not a tenth of the step where the curvature is stronger.
                Stage::Lm(_) => assert!(ratio < longest, "{stage:?}: {ratio} after {longest}"),
                _ => assert!((ratio / 0.1_f64.powi(times) - 1.0).abs() < 1e-6, "{stage:?}: {ratio}"),
            }
            longest = ratio;
        }
    }
}

#[test]
fn curvature_that_is_not_finite_is_told_from_a_gradient() {
    // JᵀJ overflows where Jᵀr does not.
    let steep = |_: &[f64]| (vec![1e-250, 0.0], vec![1e200, 1e200, 0.0, 1.0]);
    for stage in least_squares_methods() {
        let ended = least_squares(&stage, &[1.0, 2.0], steep, 0.0);
        assert_eq!(ended.stopped, Some(StopReason::NonFiniteCurvature), "{stage:?}");
    }
}

#[test]
fn every_method_continues_from_its_state_bit_for_bit() {
    for stage in every_method() {
        let mut objective = Squares { f: rosenbrock_residuals, evaluations: 0 };
        let mut whole = new(&stage, 4, 1.0);
        let mut theta = vec![-1.2, 1.0, 0.3, 0.7];
        for _ in 0..5 {
            whole.step(&mut theta, &mut objective);
        }
        whole.start_over(0.1);
        whole.step(&mut theta, &mut objective);
        let mut continued = new(&stage, 4, 1.0);
        continued.restore(&whole.state()).expect("its own state");
        let mut other = theta.clone();
        for _ in 0..8 {
            let step = whole.step(&mut theta, &mut objective);
            assert_eq!(step, continued.step(&mut other, &mut objective), "{}", stage.name());
            assert_eq!(theta, other, "{}", stage.name());
        }
        assert!(new(&stage, 5, 1.0).restore(&whole.state()).is_err(), "a foreign state is refused");
    }
}

/// An objective that remembers every evaluation of a step.
struct Remembering<'a> {
    inner: &'a mut dyn LeastSquares,
    evaluations: Vec<(Vec<f64>, f64)>,
}

impl Remembering<'_> {
    fn note(&mut self, theta: &[f64], value: f64) -> f64 {
        self.evaluations.push((theta.to_vec(), value));
        value
    }
}

impl Objective for Remembering<'_> {
    fn value(&mut self, theta: &[f64]) -> f64 {
        let value = self.inner.value(theta);
        self.note(theta, value)
    }

    fn value_and_gradient(&mut self, theta: &[f64], gradient: &mut [f64]) -> f64 {
        let value = self.inner.value_and_gradient(theta, gradient);
        self.note(theta, value)
    }

    fn least_squares(&mut self) -> Option<&mut dyn LeastSquares> {
        Some(self)
    }
}

impl LeastSquares for Remembering<'_> {
    fn residual_rows(&mut self, theta: &[f64], take: &mut dyn FnMut(&[f64])) -> f64 {
        let value = self.inner.residual_rows(theta, take);
        self.note(theta, value)
    }

    fn normal_equations(&mut self, theta: &[f64], matrix: &mut [f64], vector: &mut [f64]) -> f64 {
        let value = self.inner.normal_equations(theta, matrix, vector);
        self.note(theta, value)
    }

    fn gauss_newton_product(&mut self, theta: &[f64], direction: &[f64], product: &mut [f64]) {
        self.inner.gauss_newton_product(theta, direction, product);
    }
}

#[test]
fn progress_names_the_evaluation_that_its_loss_belongs_to() {
    let adam = Stage::Adam(settings::Adam { lr: 0.01, ..settings::Adam::default() });
    let quasi_newton = quasi_newton_methods(30);
    for stage in [adam, lbfgs(30, 10)].iter().chain(&quasi_newton).chain(&least_squares_methods()) {
        let mut theta = vec![-1.2, 1.0, -0.5, 0.8];
        let mut optimizer = new(stage, theta.len(), 1.0);
        let mut squares = Squares { f: rosenbrock_residuals, evaluations: 0 };
        let mut objective = Remembering { inner: &mut squares, evaluations: vec![] };
        let mut steps = 0;
        while steps < 30 {
            let before = theta.clone();
            objective.evaluations.clear();
            let Step::Moved(progress) = optimizer.step(&mut theta, &mut objective) else { break };
            steps += 1;
            let what = format!("{} at step {steps}: {progress:?}", stage.name());
            assert_eq!(progress.evaluations, objective.evaluations.len(), "{what}");
            let reported = if progress.before { &before } else { &theta };
            let named = &objective.evaluations[progress.evaluation];
            assert_eq!((&named.0, named.1), (reported, progress.loss), "{what}");
        }
        assert!(steps > 3, "{}", stage.name());
    }
}
