//! What the benchmarks share: built-in problems at chosen sizes, an engine with its points, Adam steps, and the peak.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use pinn::internals::engine::cpu::{CpuEngine, Isa};
use pinn::internals::engine::{Differentiable, Engine};
use pinn::internals::optim::{self, Layout, LeastSquares, Objective, Optimizer};
use pinn::internals::simd::Real;
use pinn::internals::team::Team;
use pinn::internals::{init, sample};
use pinn::problem::{Document, Problem, embedded};
use pinn::settings::{Adam, LearningRateUnit, Stage};
use pulp::{Arch, Simd, WithSimd};

/// How many cores there are.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A built-in problem with a network of this size and this many points in condition `condition`.
pub(crate) fn problem(name: &str, depth: usize, width: usize, condition: &str, points: usize) -> Problem {
    let numbers = [depth, width, points].map(|number| number.to_string());
    let points = format!("conditions.{condition}.points");
    let keys = ["network.depth", "network.width", &points];
    changed(name, keys.into_iter().zip(numbers.iter().map(String::as_str)))
}

/// A built-in problem with these values of these keys.
pub(crate) fn changed<'a>(name: &str, changes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Problem {
    let (name, text) = embedded().iter().find(|(known, _)| *known == name).expect("a built-in problem");
    let mut document = Document::parse(name, text).expect("TOML");
    for (key, value) in changes {
        document.set(key, value).expect("a key");
    }
    document.build(Path::new("")).expect("a problem").0
}

/// An engine that holds the problem's points, and initial parameters.
pub(crate) fn engine<R: Real>(problem: &Problem, threads: usize) -> (CpuEngine<R>, Vec<f64>) {
    let mut engine = CpuEngine::<R>::new(problem, threads, Isa::best()).expect("an engine");
    set_points(problem, &mut engine);
    (engine, parameters(problem))
}

/// Gives an engine the problem's points.
pub(crate) fn set_points(problem: &Problem, engine: &mut dyn Engine) {
    for (i, condition) in problem.conditions.iter().enumerate() {
        let sample::Points { rows: points, data } = sample::points(problem, condition, 0, 0);
        engine.set_points(i, &points, &data);
    }
}

/// Initial parameters.
pub(crate) fn parameters(problem: &Problem) -> Vec<f64> {
    init::parameters(problem).expect("initial parameters")
}

/// A run of Adam (η = 10⁻³) that goes on step by step.
pub(crate) struct Training {
    loss: Loss,
    theta: Vec<f64>,
    optimizer: Box<dyn Optimizer>,
}

struct Loss {
    engine: Box<dyn Differentiable>,
    weights: Vec<f64>,
    terms: Vec<f64>,
    value: f64,
}

impl Objective for Loss {
    fn value(&mut self, theta: &[f64]) -> f64 {
        self.engine.loss(theta, &self.weights, &mut self.terms)
    }

    fn value_and_gradient(&mut self, theta: &[f64], gradient: &mut [f64]) -> f64 {
        self.value = self.engine.loss_and_gradient(theta, &self.weights, &mut self.terms, gradient);
        self.value
    }

    fn least_squares(&mut self) -> Option<&mut dyn LeastSquares> {
        if self.engine.jacobian().is_some() { Some(self) } else { None }
    }
}

const HAS_JACOBIAN: &str = "the engine has a Jacobian, as it had before";

impl LeastSquares for Loss {
    fn residual_rows(&mut self, theta: &[f64], take: &mut dyn FnMut(&[f64])) -> f64 {
        let jacobian = self.engine.jacobian().expect(HAS_JACOBIAN);
        jacobian.residual_rows(theta, &self.weights, &mut self.terms, take)
    }

    fn normal_equations(&mut self, theta: &[f64], matrix: &mut [f64], vector: &mut [f64]) -> f64 {
        let jacobian = self.engine.jacobian().expect(HAS_JACOBIAN);
        jacobian.normal_equations(theta, &self.weights, &mut self.terms, matrix, vector)
    }

    fn gauss_newton_product(&mut self, theta: &[f64], direction: &[f64], product: &mut [f64]) {
        let jacobian = self.engine.jacobian().expect(HAS_JACOBIAN);
        jacobian.gauss_newton_product(theta, &self.weights, direction, product);
    }
}

impl Training {
    /// At the first step.
    pub(crate) fn new<R: Real>(problem: &Problem, (engine, theta): (CpuEngine<R>, Vec<f64>)) -> Self {
        Self::on(problem, Box::new(engine), theta)
    }

    /// The same on any engine.
    pub(crate) fn on(problem: &Problem, engine: Box<dyn Differentiable>, theta: Vec<f64>) -> Self {
        let settings = Adam { lr: 1e-3, lr_unit: LearningRateUnit::One, ..Adam::default() };
        Self::with(&Stage::Adam(settings), problem, engine, theta)
    }

    /// The same by any method.
    pub(crate) fn with(
        stage: &Stage,
        problem: &Problem,
        engine: Box<dyn Differentiable>,
        theta: Vec<f64>,
    ) -> Self {
        Self {
            optimizer: optim::new(stage, &Layout::plain(theta.len(), 1.0), &engine.team()),
            loss: Loss {
                engine,
                weights: problem.weights(),
                terms: vec![0.0; problem.conditions.len()],
                value: 0.0,
            },
            theta,
        }
    }

    /// The threads at work.
    pub(crate) fn team(&self) -> Arc<Team> {
        self.loss.engine.team()
    }

    /// Milliseconds of a step, and the loss before it.
    pub(crate) fn step(&mut self) -> (f64, f64) {
        let start = Instant::now();
        self.optimizer.step(&mut self.theta, &mut self.loss);
        (1e3 * start.elapsed().as_secs_f64(), self.loss.value)
    }
}

/// GFLOP/s of independent multiply–adds that never leave their registers, on `threads` threads.
pub(crate) fn multiply_add_rate<R: Real>(threads: usize) -> f64 {
    const TURNS: usize = 2_000_000;
    /// As many chains as hide the latency of an instruction, few enough for 16 registers.
    const CHAINS: usize = 12;
    struct Spin<R>(usize, std::marker::PhantomData<R>);
    impl<R: Real> WithSimd for Spin<R> {
        /// The sum of all chains, and the lanes of one.
        type Output = (f64, usize);
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> (f64, usize) {
            let splat = |x: f64| R::splat(simd, R::from_f64(std::hint::black_box(x)));
            let mut sums: [R::Vector<S>; CHAINS] = std::array::from_fn(|i| splat(i as f64));
            let (factor, offset) = (splat(0.999), splat(0.001));
            for _ in 0..self.0 {
                for sum in &mut sums {
                    *sum = R::mul_add(simd, *sum, factor, offset);
                }
            }
            (sums.into_iter().map(|sum| R::sum(simd, sum).to_f64()).sum(), R::lanes::<S>())
        }
    }
    let spin = |turns| Arch::new().dispatch(Spin::<R>(std::hint::black_box(turns), std::marker::PhantomData));
    let (_, lanes) = spin(1);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| std::hint::black_box(spin(TURNS)));
        }
    });
    (threads * TURNS * CHAINS * lanes * 2) as f64 / start.elapsed().as_secs_f64() / 1e9
}
