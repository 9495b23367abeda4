//! Levenberg–Marquardt: damped Gauss–Newton steps for a sum of squares F(θ) = |r(θ)|².
//!
//! With J = ∂r/∂θ and g = Jᵀr (half the gradient), a trial step solves
//!
//! (JᵀJ + μD)·δ = −g
//!
//! and is predicted to lower F by −2gᵀδ − δᵀJᵀJδ; the gain ratio ϱ is the actual decrease over the predicted one.
//! A trial that lowers F is taken.
//! The damping follows Nielsen (1999, as in Madsen, Nielsen and Tingleff 2004, algorithm 3.16): μ ← μ·max(1/3, 1 − (2ϱ−1)³)
//! after a success, and μ ← μν, ν ← 2ν after a failure.
//!
//! The normal equations cost many times what a trial does, so a step makes the most of them: it raises μ until one
//! succeeds, and while the linear model predicts well (ϱ above [`TRUSTED`]) it lowers μ as long as that lowers F further.
//!
//! D is the identity, or the greatest diagonal of JᵀJ seen so far (Moré 1978).
//! Up to [`MOST_DENSE`] parameters the system is solved by Cholesky factors; above, JᵀJ is not formed, and truncated
//! conjugate gradients use its products (the truncated Newton method of Nocedal and Wright 2006, section 7.1), stopped
//! at a residual of min(½, √|g|)·|g|, relative to the start.
//! Near a solution with small residuals the convergence is quadratic as μ vanishes.

use std::sync::Arc;

use faer::dyn_stack::{MemBuffer, MemStack};

use super::{
    LeastSquares, Objective, Optimizer, Progress, State, Step, StopReason, add, cholesky, dot, norm,
};
use crate::settings::{self, LinearSolver, Scaling};
use crate::team::Team;

/// Parameters up to which JᵀJ is formed and factorized, if the method may choose.
const MOST_DENSE: usize = 4000;
/// Trials of one step.
const TRIALS: usize = 20;
/// Gain ratio above which a step looks further.
const TRUSTED: f64 = 0.9;
/// By what the damping is divided when a step looks further after a success.
const BOLDER: f64 = 10.0;
/// Damping is kept from vanishing, relative to the greatest diagonal element: beyond, rounding damps anyway.
const LEAST_DAMPING: f64 = 1e-16;

/// Do the settings suit this many parameters? `dense` refuses a matrix that is too large.
pub(super) fn check(
    settings: &settings::Lm,
    parameters: usize,
    dense: impl Fn(&str) -> Result<(), String>,
) -> Result<(), String> {
    if is_dense(settings, parameters) {
        return dense("use solver = \"cg\", or a smaller network");
    }
    if settings.scaling == Scaling::Diagonal {
        return Err(format!(
            "scaling = \"diagonal\" needs the matrix, which conjugate gradients ({parameters} parameters) do without; \
             use scaling = \"identity\" or solver = \"cholesky\""
        ));
    }
    Ok(())
}

/// Is JᵀJ formed?
fn is_dense(settings: &settings::Lm, parameters: usize) -> bool {
    match settings.solver {
        LinearSolver::Auto => parameters <= MOST_DENSE,
        LinearSolver::Cholesky => true,
        LinearSolver::Cg => false,
    }
}

/// The method and its memory.
pub struct Lm {
    settings: settings::Lm,
    team: Arc<Team>,
    dense: bool,
    /// μ, absolute; not known before the first step.
    damping: Option<f64>,
    /// What is left of the first step after starting over: the first damping is divided by it.
    step_scale: f64,
    /// ν, by what the damping grows at the next failure.
    growth: f64,
    /// D, if it is not the identity.
    scales: Vec<f64>,
    /// JᵀJ and its damped factor, n × n; empty where they are not formed.
    matrix: Vec<f64>,
    factor: Vec<f64>,
    memory: MemBuffer,
    /// g = Jᵀr.
    vector: Vec<f64>,
    step: Vec<f64>,
    trial: Vec<f64>,
    best: Vec<f64>,
    /// Residual, search direction and its image under JᵀJ of conjugate gradients.
    conjugate: [Vec<f64>; 3],
}

/// A solution of the damped system.
struct Solution {
    /// The decrease of F that the linear model predicts; NaN where JᵀJ is not finite.
    predicted: f64,
    products: usize,
}

impl Lm {
    /// For `n` parameters; `team` will compute.
    pub fn new(settings: &settings::Lm, n: usize, team: &Arc<Team>) -> Self {
        let dense = is_dense(settings, n);
        let squares = if dense { n * n } else { 0 };
        let vectors = if dense { 0 } else { n };
        Self {
            settings: settings.clone(),
            team: Arc::clone(team),
            dense,
            damping: None,
            step_scale: 1.0,
            growth: 2.0,
            scales: if settings.scaling == Scaling::Diagonal { vec![0.0; n] } else { vec![] },
            matrix: vec![0.0; squares],
            factor: vec![0.0; squares],
            memory: cholesky::memory(n),
            vector: vec![0.0; n],
            step: vec![0.0; n],
            trial: vec![0.0; n],
            best: vec![0.0; n],
            conjugate: std::array::from_fn(|_| vec![0.0; vectors]),
        }
    }

    /// F at `theta`; g and, where it is formed, JᵀJ are left in `self`.
    fn linearize(&mut self, theta: &[f64], objective: &mut dyn LeastSquares) -> f64 {
        if self.dense {
            return objective.normal_equations(theta, &mut self.matrix, &mut self.vector);
        }
        let value = objective.value_and_gradient(theta, &mut self.vector);
        self.vector.iter_mut().for_each(|g| *g *= 0.5);
        value
    }

    /// The greatest element of the diagonal, scaled; the scales grow with it first.
    fn note_diagonal(&mut self) -> f64 {
        let n = self.vector.len();
        let diagonal = self.matrix.iter().step_by(n + 1);
        if self.scales.is_empty() {
            return diagonal.copied().fold(0.0, f64::max);
        }
        for (scale, x) in self.scales.iter_mut().zip(diagonal) {
            *scale = scale.max(*x);
        }
        // A parameter that nothing depends on is still to be kept in place.
        let greatest = self.scales.iter().copied().fold(0.0, f64::max);
        self.scales.iter_mut().for_each(|scale| *scale = scale.max(f64::EPSILON * greatest));
        1.0
    }

    /// Solves the damped system for `step`; `None` where the matrix is not positive definite to rounding.
    fn solve(&mut self, theta: &[f64], damping: f64, objective: &mut dyn LeastSquares) -> Option<Solution> {
        if self.dense { self.solve_by_cholesky(damping) } else { self.solve_by_cg(theta, damping, objective) }
    }

    fn solve_by_cholesky(&mut self, damping: f64) -> Option<Solution> {
        let n = self.vector.len();
        let Self { team, matrix, factor, memory, vector, step, scales, .. } = self;
        factor.copy_from_slice(matrix);
        for i in 0..n {
            factor[i * (n + 1)] += damping * scales.get(i).copied().unwrap_or(1.0);
        }
        let stack = MemStack::new(memory);
        cholesky::factorize(factor, n, team, stack)?;
        for (step, g) in step.iter_mut().zip(&*vector) {
            *step = -g;
        }
        cholesky::solve(factor, step, stack);
        // δᵀJᵀJδ = −gᵀδ − μ·δᵀDδ, so the prediction needs no product with JᵀJ.
        let slope = dot(vector, step);
        let predicted = -slope + damping * self.squared_length();
        Some(Solution { predicted, products: 0 })
    }

    /// δᵀDδ
    fn squared_length(&self) -> f64 {
        if self.scales.is_empty() {
            return dot(&self.step, &self.step);
        }
        self.step.iter().zip(&self.scales).map(|(d, scale)| d * d * scale).sum()
    }

    fn solve_by_cg(
        &mut self,
        theta: &[f64],
        damping: f64,
        objective: &mut dyn LeastSquares,
    ) -> Option<Solution> {
        let Self { vector, step, conjugate: [residual, direction, image], .. } = self;
        let start = norm(vector);
        let enough = start * start.sqrt().min(0.5);
        step.fill(0.0);
        for ((r, d), g) in residual.iter_mut().zip(&mut *direction).zip(&*vector) {
            (*r, *d) = (-g, -g);
        }
        let mut square = dot(residual, residual);
        let mut products = 0;
        while products < self.settings.products && square.sqrt() > enough {
            objective.gauss_newton_product(theta, direction, image);
            products += 1;
            add(image, damping, direction);
            let curvature = dot(direction, image);
            if products == 1 && !curvature.is_finite() {
                return Some(Solution { predicted: f64::NAN, products });
            }
            if !(curvature > 0.0 && curvature.is_finite()) {
                break;
            }
            let length = square / curvature;
            add(step, length, direction);
            add(residual, -length, image);
            let next = dot(residual, residual);
            for (d, r) in direction.iter_mut().zip(&*residual) {
                *d = r + next / square * *d;
            }
            square = next;
        }
        // With the residual e = −g − (JᵀJ + μ)δ: −2gᵀδ − δᵀJᵀJδ = −gᵀδ + eᵀδ + μ|δ|².
        let predicted = dot(residual, step) - dot(vector, step) + damping * dot(step, step);
        (products > 0).then_some(Solution { predicted, products })
    }
}

impl Optimizer for Lm {
    fn step(&mut self, theta: &mut [f64], objective: &mut dyn Objective) -> Step {
        let Some(objective) = objective.least_squares() else {
            return Step::Stopped(StopReason::NoResiduals);
        };
        let start = self.linearize(theta, objective);
        let slope = norm(&self.vector);
        if !(start.is_finite() && slope.is_finite()) {
            return Step::Stopped(StopReason::NonFinite);
        }
        if slope == 0.0 {
            return Step::Stopped(StopReason::GradientVanished);
        }
        let mut progress =
            Progress { loss: start, gradient_norm: 2.0 * slope, evaluations: 1, ..Progress::default() };
        let greatest = match (self.dense, self.damping) {
            (true, _) => self.note_diagonal(),
            // Without the matrix, the curvature along the gradient has to do.
            (false, None) => {
                let Self { vector, conjugate: [_, _, image], .. } = self;
                objective.gauss_newton_product(theta, vector, image);
                progress.products += 1;
                dot(vector, image) / (slope * slope)
            }
            (false, Some(damping)) => damping,
        };
        // By Cauchy and Schwarz, the other elements are finite if those on the diagonal are.
        if !(greatest.is_finite() && self.matrix.iter().step_by(self.vector.len() + 1).all(|x| x.is_finite()))
        {
            return Step::Stopped(StopReason::NonFiniteCurvature);
        }
        let mut damping = self.damping.unwrap_or(self.settings.damping / self.step_scale * greatest);
        let least = LEAST_DAMPING * greatest;
        let mut stalled = false;
        // Was no trial finite, of those that rounding does not swallow?
        let mut blind = None;
        // The best trial so far, and the damping it suggests for the next step.
        let mut taken: Option<f64> = None;
        for _ in 0..TRIALS {
            damping = damping.max(least);
            let solution = self.solve(theta, damping, objective);
            if self.dense {
                progress.factorizations += 1;
            }
            let mut gain = f64::NAN;
            let mut value = f64::NAN;
            if let Some(Solution { predicted, products }) = solution {
                progress.products += products;
                if predicted.is_nan() && !self.dense {
                    return Step::Stopped(StopReason::NonFiniteCurvature);
                }
                // Rounding alone: no damping will help.
                stalled = predicted <= f64::EPSILON * start;
                self.trial.copy_from_slice(theta);
                add(&mut self.trial, 1.0, &self.step);
                value = objective.value(&self.trial);
                progress.evaluations += 1;
                if self.trial != theta {
                    blind = Some(blind.unwrap_or(true) && !value.is_finite());
                }
                gain = (start - value) / predicted;
            }
            let better = value < progress.loss && value.is_finite();
            if better {
                progress.loss = value;
                progress.evaluation = progress.evaluations - 1;
                std::mem::swap(&mut self.best, &mut self.trial);
                let follow = damping * (1.0 - (2.0 * gain - 1.0).powi(3)).max(1.0 / 3.0);
                taken = Some(follow);
                self.growth = 2.0;
                // A poor prediction will not get better farther away, and without factors a trial is not cheap.
                if gain < TRUSTED || damping <= least || !self.dense {
                    break;
                }
                damping /= BOLDER;
                continue;
            }
            progress.rejected += 1;
            if taken.is_some() || stalled {
                break;
            }
            damping *= self.growth;
            self.growth *= 2.0;
        }
        match taken {
            Some(damping) => {
                theta.copy_from_slice(&self.best);
                self.damping = Some(damping);
                Step::Moved(progress)
            }
            None if blind == Some(true) => Step::Stopped(StopReason::NonFinite),
            None if stalled => Step::Stopped(StopReason::LossStalled),
            None => Step::Stopped(StopReason::NoDescent),
        }
    }

    fn choice(&self) -> Option<&'static str> {
        Some(if self.dense { "cholesky" } else { "cg" })
    }

    fn objective_changed(&mut self) {
        // Nothing of the old objective is kept but how much damping it took, which is the best guess there is.
    }

    fn start_over(&mut self, factor: f64) {
        self.step_scale *= factor;
        self.damping = None;
        self.growth = 2.0;
        self.scales.fill(0.0);
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.scalars.insert("step_scale".into(), self.step_scale);
        state.scalars.insert("damping".into(), self.damping.unwrap_or(f64::NAN));
        state.scalars.insert("growth".into(), self.growth);
        state.scalars.insert("parameters".into(), self.vector.len() as f64);
        state.vectors.insert("scales".into(), self.scales.clone());
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), String> {
        let parameters = state.scalar("parameters")?;
        if parameters != self.vector.len() as f64 {
            return Err(format!(
                "the optimizer had {parameters} parameters instead of {}",
                self.vector.len()
            ));
        }
        self.damping = Some(state.scalar("damping")?).filter(|damping| !damping.is_nan());
        self.step_scale = state.scalar("step_scale")?;
        self.growth = state.scalar("growth")?;
        state.copy("scales", &mut self.scales)
    }
}
