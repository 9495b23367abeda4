//! Levenberg–Marquardt: damped Gauss–Newton steps for a sum of squares F(θ) = |r(θ)|².
//!
//! With J = ∂r/∂θ a trial step solves
//!
//! (JᵀJ + μD)·δ = −Jᵀr
//!
//! and is predicted to lower F by −2(Jᵀr)ᵀδ − δᵀJᵀJδ; the gain ratio ϱ is the actual decrease over the predicted one.
//! D is the identity, or the greatest diagonal of JᵀJ seen so far (Moré 1978).
//!
//! Up to [`MOST_DENSE`] parameters trials are cheap beside what is the same for all of them, and a step looks for the boldest
//! one: the least μ whose ϱ is no less than a target (arXiv 2607.02194 chooses it by such a ratio).
//! A step that lowers F most is timid: it has a gain of 0.9, and hundreds of them follow a curved valley that a few steps with
//! gains of a quarter leave; Poisson's equation on a square came to 1e-6 in 60 steps by the least F, to 1e-13 in 80 by the
//! target.
//! No step is longer than a part of the greatest |θ| so far: beyond, the search finds networks with steep places between the points.
//! Such steps need dampings of 1e-20 of JᵀJ's norm, which are lost in the rounding of JᵀJ, so J itself is factorized
//! (`orthogonal.rs`), unless it is asked for Cholesky factors of the normal equations.
//!
//! A random sketch SJ (`sketch.rs`) has factors that do not grow with the number of points; F is never sketched.
//! Where r is about J's image of something, the step from SJ and Sr is that from J and r.
//! Where it is not, what S makes of the rest of r is noise: then the boldest step is looked for once more, with Jᵀr in place of
//! (SJ)ᵀSr (an iterative Hessian sketch, Pilanci and Wainwright 2016), which goes down, but is not Newton's.
//!
//! Above, J is not formed, and truncated conjugate gradients use products with JᵀJ (the truncated Newton method of Nocedal and
//! Wright 2006, section 7.1), stopped at a residual of min(½, √|g|)·|g|, relative to the start, g = Jᵀr.
//! Trials are dear there: the first that lowers F is taken, and the damping follows Nielsen (1999, as in Madsen, Nielsen and
//! Tingleff 2004, algorithm 3.16): μ ← μ·max(1/3, 1 − (2ϱ−1)³) after a success, and μ ← μν, ν ← 2ν after a failure.

use std::sync::Arc;

use faer::dyn_stack::{MemBuffer, MemStack};

use super::orthogonal::Orthogonal;
use super::sketch::Sketch;
use super::{
    LeastSquares, Objective, Optimizer, Progress, State, Step, StopReason, add, cholesky, dot, norm,
};
use crate::settings::{self, LinearSolver, Scaling};
use crate::team::Team;

/// Parameters up to which J is factorized, and up to which JᵀJ is, if the method may choose.
const MOST_ORTHOGONAL: usize = 2000;
const MOST_DENSE: usize = 4000;
/// Parameters up to which J is factorized if that is asked for: 3 GiB.
const MOST_ROWS: usize = 8000;
/// Numbers of a sketch's sums, which are there twice: 3 GiB.
const MOST_SUMS: f64 = 2e8;
/// Trials of one step.
const TRIALS: usize = 24;
/// By what the damping is divided as long as trials gain more than asked for, and multiplied as long as none gains enough.
const BOLDER: f64 = 4.0;
const MORE_TIMID: f64 = 8.0;
/// The longest step, over the greatest |θ| so far, if it is looked for: Black-Scholes' equation came to 1e-2 with steps of any
/// length, to 4e-6 with these.
const LONGEST: f64 = 0.3;
/// A gain is as good as the target if it is this part of the way from there to 1, and so is a damping this close to one that is
/// too bold.
const NEAR: f64 = 0.3;
const CLOSE: f64 = 1.4;
/// A step with a sketch's own slope is good enough if it leaves no more than this of F.
const ENOUGH: f64 = 0.9;
/// Damping is kept from vanishing, relative to the greatest diagonal element of JᵀJ: beyond, rounding damps anyway.
const LEAST_DAMPING: f64 = 1e-16;
const LEAST_DAMPING_OF_ROWS: f64 = 1e-31;

/// Do the settings suit this many parameters? `fits` refuses a matrix for more than so many, with what to do instead.
pub(super) fn check(
    settings: &settings::Lm,
    parameters: usize,
    fits: impl Fn(usize, &str) -> Result<(), String>,
) -> Result<(), String> {
    match chosen(settings, parameters) {
        LinearSolver::Qr if settings.sketch as f64 * (parameters as f64).powi(2) > MOST_SUMS => Err(format!(
            "its sums for sketch = {} and {parameters} parameters would not fit; use a smaller sketch, or none",
            settings.sketch
        )),
        LinearSolver::Qr => fits(MOST_ROWS, "use solver = \"cholesky\" or \"cg\", or a smaller network"),
        LinearSolver::Cholesky => fits(super::MOST_PARAMETERS, "use solver = \"cg\", or a smaller network"),
        _ if settings.scaling == Scaling::Diagonal => Err(format!(
            "scaling = \"diagonal\" needs the matrix, which conjugate gradients ({parameters} parameters) do without; \
             use scaling = \"identity\" or solver = \"cholesky\""
        )),
        _ => Ok(()),
    }
}

/// The solver, where the choice is left to the method.
fn chosen(settings: &settings::Lm, parameters: usize) -> LinearSolver {
    match settings.solver {
        LinearSolver::Auto if settings.sketch > 0 || parameters <= MOST_ORTHOGONAL => LinearSolver::Qr,
        LinearSolver::Auto if parameters <= MOST_DENSE => LinearSolver::Cholesky,
        LinearSolver::Auto => LinearSolver::Cg,
        asked => asked,
    }
}

/// The method and its memory.
pub struct Lm {
    settings: settings::Lm,
    team: Arc<Team>,
    system: System,
    /// Where J is sketched.
    sketched: Option<Sketched>,
    /// μ, absolute; not known before the first step.
    damping: Option<f64>,
    /// What is left of the first step after starting over: the first damping is divided by it.
    step_scale: f64,
    /// ν, by what the damping grows at the next failure of conjugate gradients.
    growth: f64,
    /// The greatest |θ| so far.
    reach: f64,
    /// D, if it is not the identity.
    scales: Vec<f64>,
    /// g = Jᵀr.
    vector: Vec<f64>,
    step: Vec<f64>,
    trial: Vec<f64>,
    best: Vec<f64>,
}

/// What a sketch has beside its factors.
struct Sketched {
    rows: Sketch,
    /// How many there have been.
    count: usize,
    /// Jᵀr − (SJ)ᵀSr.
    off: Vec<f64>,
    /// μ of the last step that was found with Jᵀr.
    damping: Option<f64>,
    /// What the first search has found.
    best: Vec<f64>,
}

/// The linear system of a step.
enum System {
    /// J, or a sketch of it, factorized for all dampings.
    Rows(Box<Orthogonal>),
    /// JᵀJ and the Cholesky factor of one damping, n × n.
    Normal { matrix: Vec<f64>, factor: Vec<f64>, memory: MemBuffer },
    /// Products with JᵀJ: the residual, search direction and its image of conjugate gradients.
    Products([Vec<f64>; 3]),
}

/// A solution of the damped system.
struct Solution {
    /// The decrease of F that the linear model predicts; NaN where JᵀJ is not finite.
    predicted: f64,
    products: usize,
}

/// The trials of one step.
struct Trials<'a> {
    theta: &'a [f64],
    objective: &'a mut dyn LeastSquares,
    /// F at θ.
    start: f64,
    /// The damping of the first trial, and the least one that is told from none.
    first: f64,
    least: f64,
    progress: Progress,
    failures: Failures,
}

/// Why a step was not taken, as far as trials tell.
#[derive(Default)]
struct Failures {
    /// Is the predicted decrease rounding alone?
    stalled: bool,
    /// Was no trial finite, of those that rounding does not swallow?
    blind: Option<bool>,
    /// Is JᵀJ not finite?
    not_finite: bool,
}

/// What a trial came to; NaN where it could not be made.
struct Trial {
    value: f64,
    gain: f64,
}

impl Lm {
    /// For `n` parameters; `team` will compute, and a sketch has its random signs after `seed`.
    pub fn new(settings: &settings::Lm, n: usize, seed: u64, team: &Arc<Team>) -> Self {
        let kept = settings.sketch * n;
        let system = match chosen(settings, n) {
            LinearSolver::Qr if kept > 0 => System::Rows(Box::new(Orthogonal::holding(n, kept))),
            LinearSolver::Qr => System::Rows(Box::new(Orthogonal::new(n))),
            LinearSolver::Cholesky => System::Normal {
                matrix: vec![0.0; n * n],
                factor: vec![0.0; n * n],
                memory: cholesky::memory(n),
            },
            _ => System::Products(std::array::from_fn(|_| vec![0.0; n])),
        };
        Self {
            settings: settings.clone(),
            team: Arc::clone(team),
            system,
            sketched: (kept > 0).then(|| Sketched {
                rows: Sketch::new(kept, n + 1, seed),
                count: 0,
                off: vec![0.0; n],
                damping: None,
                best: vec![0.0; n],
            }),
            damping: None,
            step_scale: 1.0,
            growth: 2.0,
            reach: 0.0,
            scales: if settings.scaling == Scaling::Diagonal { vec![0.0; n] } else { vec![] },
            vector: vec![0.0; n],
            step: vec![0.0; n],
            trial: vec![0.0; n],
            best: vec![0.0; n],
        }
    }

    /// F at `theta`; g and the linear system, as far as it is formed, are left in `self`.
    fn linearize(&mut self, theta: &[f64], objective: &mut dyn LeastSquares, progress: &mut Progress) -> f64 {
        progress.evaluations += 1;
        match &mut self.system {
            System::Rows(system) => {
                system.clear();
                let Some(sketched) = &mut self.sketched else {
                    let value = objective.residual_rows(theta, &mut |rows| system.push(&self.team, rows));
                    system.factorize(&self.team, &mut self.vector);
                    return value;
                };
                let Sketched { rows: sketch, count, off, .. } = sketched;
                sketch.clear(*count);
                *count += 1;
                objective.residual_rows(theta, &mut |rows| sketch.add(&self.team, rows));
                system.push(&self.team, sketch.rows());
                system.factorize(&self.team, &mut self.vector);
                progress.evaluations += 1;
                let value = objective.value_and_gradient(theta, off);
                for (off, slope) in off.iter_mut().zip(&mut self.vector) {
                    let believed = std::mem::replace(slope, 0.5 * *off);
                    *off = *slope - believed;
                }
                value
            }
            System::Normal { matrix, .. } => objective.normal_equations(theta, matrix, &mut self.vector),
            System::Products(_) => {
                let value = objective.value_and_gradient(theta, &mut self.vector);
                self.vector.iter_mut().for_each(|g| *g *= 0.5);
                value
            }
        }
    }

    /// The greatest element of JᵀJ's diagonal, scaled; the scales grow with it first.
    ///
    /// NaN where one of them is not finite: by Cauchy and Schwarz, the other elements are finite if those are.
    fn note_diagonal(
        &mut self,
        theta: &[f64],
        objective: &mut dyn LeastSquares,
        progress: &mut Progress,
    ) -> f64 {
        let diagonal = &mut self.trial;
        match &mut self.system {
            System::Rows(system) => {
                diagonal.iter_mut().zip(system.column_norms()).for_each(|(to, x)| *to = x * x);
            }
            System::Normal { matrix, .. } => {
                let elements = matrix.iter().step_by(diagonal.len() + 1);
                diagonal.iter_mut().zip(elements).for_each(|(to, x)| *to = *x);
            }
            System::Products([_, _, image]) => {
                // Without the matrix, the curvature along the gradient has to do, and once.
                return self.damping.unwrap_or_else(|| {
                    objective.gauss_newton_product(theta, &self.vector, image);
                    progress.products += 1;
                    dot(&self.vector, image) / dot(&self.vector, &self.vector)
                });
            }
        }
        if diagonal.iter().any(|x| !x.is_finite()) {
            return f64::NAN;
        }
        if self.scales.is_empty() {
            return diagonal.iter().copied().fold(0.0, f64::max);
        }
        self.scales.iter_mut().zip(diagonal).for_each(|(scale, x)| *scale = scale.max(*x));
        // A parameter that nothing depends on is still to be kept in place.
        let greatest = self.scales.iter().copied().fold(0.0, f64::max);
        self.scales.iter_mut().for_each(|scale| *scale = scale.max(f64::EPSILON * greatest));
        1.0
    }

    /// Solves the damped system for `step`; `None` where the matrix is not positive definite to rounding.
    fn solve(&mut self, theta: &[f64], damping: f64, objective: &mut dyn LeastSquares) -> Option<Solution> {
        let Self { settings, team, system, scales, vector, step, .. } = self;
        match system {
            System::Rows(system) => Some(Solution { predicted: system.solve(damping, step), products: 0 }),
            System::Normal { matrix, factor, memory } => {
                let n = vector.len();
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
                let length = if scales.is_empty() {
                    dot(step, step)
                } else {
                    step.iter().zip(&*scales).map(|(d, scale)| d * d * scale).sum()
                };
                Some(Solution { predicted: damping * length - dot(vector, step), products: 0 })
            }
            System::Products(buffers) => {
                conjugate_gradients(theta, damping, settings.products, objective, vector, step, buffers)
            }
        }
    }

    /// Tries a damping; the point is left in `trial`.
    fn attempt(&mut self, damping: f64, trials: &mut Trials<'_>) -> Trial {
        let Trials { theta, start, progress, failures, .. } = trials;
        let (theta, objective, start) = (*theta, &mut *trials.objective, *start);
        let mut trial = Trial { value: f64::NAN, gain: f64::NAN };
        if matches!(self.system, System::Normal { .. }) {
            progress.factorizations += 1;
        }
        let Some(Solution { predicted, products }) = self.solve(theta, damping, objective) else {
            return trial;
        };
        progress.products += products;
        if predicted.is_nan() {
            failures.not_finite = true;
            return trial;
        }
        // Rounding alone: no damping will help.
        failures.stalled = predicted <= f64::EPSILON * start;
        self.trial.copy_from_slice(theta);
        add(&mut self.trial, 1.0, &self.step);
        trial.value = objective.value(&self.trial);
        progress.evaluations += 1;
        if self.trial != theta {
            failures.blind = Some(failures.blind.unwrap_or(true) && !trial.value.is_finite());
        }
        if trial.value.is_finite() {
            trial.gain = (start - trial.value) / predicted;
        }
        trial
    }

    /// Makes the last trial the step.
    fn take(&mut self, trial: &Trial, Trials { progress, .. }: &mut Trials<'_>) {
        progress.loss = trial.value;
        progress.evaluation = progress.evaluations - 1;
        std::mem::swap(&mut self.best, &mut self.trial);
    }

    /// The boldest step whose gain is at least the target, and its damping.
    ///
    /// The gain rises from anything to 1 as μ does: the target is bracketed, then μ halved in its logarithm.
    fn search(&mut self, trials: &mut Trials<'_>) -> Option<f64> {
        let &mut Trials { theta, start, first, least, .. } = trials;
        let target = self.settings.gain;
        self.reach = self.reach.max(norm(theta));
        let longest = LONGEST * self.reach;
        let (mut too_bold, mut taken): (Option<f64>, Option<f64>) = (None, None);
        let mut damping = first.max(least);
        // Every step of the way to the bracket is twice as far, in logarithms, as the one before.
        let (mut bolder, mut more_timid) = (BOLDER, MORE_TIMID);
        for _ in 0..TRIALS {
            let trial = self.attempt(damping, trials);
            if trials.failures.not_finite {
                return None;
            }
            // Where all parameters are zero, nothing is said about lengths.
            let short = longest == 0.0 || norm(&self.step) <= longest;
            if trial.value < start && trial.gain >= target && short {
                self.take(&trial, trials);
                taken = Some(damping);
                if trial.gain < target + NEAR * (1.0 - target) || damping <= least {
                    break;
                }
            } else {
                trials.progress.rejected += 1;
                if trials.failures.stalled && taken.is_none() {
                    // Too timid for rounding: what there is to gain lies between the trials before and here.
                    let Some(bold) = too_bold.filter(|bold| damping > MORE_TIMID * bold) else { break };
                    damping = (bold * damping).sqrt();
                    more_timid = MORE_TIMID;
                    continue;
                }
                too_bold = Some(damping);
            }
            damping = match (too_bold, taken) {
                (Some(bold), Some(taken)) if taken < CLOSE * bold => break,
                (Some(bold), Some(taken)) => (bold * taken).sqrt(),
                (None, Some(taken)) => {
                    let next = (taken / bolder).max(least);
                    bolder *= bolder;
                    next
                }
                _ => {
                    let next = damping * more_timid;
                    more_timid *= more_timid;
                    next
                }
            };
        }
        taken
    }

    /// The damping of a first step, where the greatest element of the scaled diagonal is `greatest`.
    fn first_damping(&self, greatest: f64) -> f64 {
        self.settings.damping / self.step_scale * greatest
    }

    /// With a sketch, after a search that came to `taken`: the same with the true slope Jᵀr in place of (SJ)ᵀSr, and the one of both
    /// whose loss is lower.
    fn search_again(&mut self, taken: Option<f64>, trials: &mut Trials<'_>, greatest: f64) -> Option<f64> {
        let (System::Rows(system), Some(sketched)) = (&mut self.system, &mut self.sketched) else {
            return taken;
        };
        system.tilt(&sketched.off);
        sketched.best.copy_from_slice(&self.best);
        let first = sketched.damping;
        let before = trials.progress;
        trials.first = first.unwrap_or_else(|| self.first_damping(greatest));
        // What is off has the rounding of Jᵀr, as normal equations have.
        trials.least = LEAST_DAMPING * greatest;
        trials.failures = Failures::default();
        let again = self.search(trials);
        let sketched = self.sketched.as_mut()?;
        sketched.damping = again.or(sketched.damping);
        if taken.is_none() || again.is_some() && trials.progress.loss < before.loss {
            return again;
        }
        (trials.progress.loss, trials.progress.evaluation) = (before.loss, before.evaluation);
        std::mem::swap(&mut self.best, &mut sketched.best);
        taken
    }

    /// The first step that lowers F, and the damping that it suggests for the next.
    fn adapt(&mut self, trials: &mut Trials<'_>) -> Option<f64> {
        let mut damping = trials.first.max(trials.least);
        for _ in 0..TRIALS {
            let trial = self.attempt(damping, trials);
            if trials.failures.not_finite {
                return None;
            }
            if trial.value < trials.start {
                self.take(&trial, trials);
                self.growth = 2.0;
                return Some(damping * (1.0 - (2.0 * trial.gain - 1.0).powi(3)).max(1.0 / 3.0));
            }
            trials.progress.rejected += 1;
            if trials.failures.stalled {
                return None;
            }
            damping *= self.growth;
            self.growth *= 2.0;
        }
        None
    }
}

/// Truncated conjugate gradients for (JᵀJ + μ)δ = −g, with products at `theta`.
fn conjugate_gradients(
    theta: &[f64],
    damping: f64,
    most: usize,
    objective: &mut dyn LeastSquares,
    vector: &[f64],
    step: &mut [f64],
    [residual, direction, image]: &mut [Vec<f64>; 3],
) -> Option<Solution> {
    let start = norm(vector);
    let enough = start * start.sqrt().min(0.5);
    step.fill(0.0);
    for ((r, d), g) in residual.iter_mut().zip(&mut *direction).zip(vector) {
        (*r, *d) = (-g, -g);
    }
    let mut square = dot(residual, residual);
    let mut products = 0;
    while products < most && square.sqrt() > enough {
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

impl Optimizer for Lm {
    fn step(&mut self, theta: &mut [f64], objective: &mut dyn Objective) -> Step {
        let Some(objective) = objective.least_squares() else {
            return Step::Stopped(StopReason::NoResiduals);
        };
        let mut progress = Progress::default();
        let start = self.linearize(theta, objective, &mut progress);
        let slope = norm(&self.vector);
        if !(start.is_finite() && slope.is_finite()) {
            return Step::Stopped(StopReason::NonFinite);
        }
        if slope == 0.0 {
            return Step::Stopped(StopReason::GradientVanished);
        }
        (progress.loss, progress.gradient_norm) = (start, 2.0 * slope);
        let greatest = self.note_diagonal(theta, objective, &mut progress);
        if !greatest.is_finite() {
            return Step::Stopped(StopReason::NonFiniteCurvature);
        }
        let least = match &mut self.system {
            System::Rows(system) => {
                system.reduce(&self.team, &self.scales);
                progress.factorizations += 1;
                LEAST_DAMPING_OF_ROWS
            }
            _ => LEAST_DAMPING,
        };
        let mut trials = Trials {
            theta,
            objective,
            start,
            first: self.damping.unwrap_or_else(|| self.first_damping(greatest)),
            least: least * greatest,
            progress,
            failures: Failures::default(),
        };
        let mut taken = match self.system {
            System::Products(_) => self.adapt(&mut trials),
            _ => self.search(&mut trials),
        };
        self.damping = taken.or(self.damping);
        if self.sketched.is_some() && (taken.is_none() || trials.progress.loss > ENOUGH * start) {
            taken = self.search_again(taken, &mut trials, greatest);
        }
        let Trials { progress, failures, .. } = trials;
        match taken {
            Some(_) => {
                theta.copy_from_slice(&self.best);
                Step::Moved(progress)
            }
            None if failures.not_finite => Step::Stopped(StopReason::NonFiniteCurvature),
            None if failures.blind == Some(true) => Step::Stopped(StopReason::NonFinite),
            None if failures.stalled => Step::Stopped(StopReason::LossStalled),
            None => Step::Stopped(StopReason::NoDescent),
        }
    }

    fn choice(&self) -> Option<&'static str> {
        Some(match self.system {
            System::Rows(_) => "qr",
            System::Normal { .. } => "cholesky",
            System::Products(_) => "cg",
        })
    }

    fn dear(&self) -> bool {
        true
    }

    fn objective_changed(&mut self) {
        // Nothing of the old objective is kept but how much damping it took, which is the best guess there is.
    }

    fn start_over(&mut self, factor: f64) {
        self.step_scale *= factor;
        self.damping = None;
        if let Some(sketched) = &mut self.sketched {
            sketched.damping = None;
        }
        self.growth = 2.0;
        self.scales.fill(0.0);
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.scalars.insert("step_scale".into(), self.step_scale);
        state.scalars.insert("damping".into(), self.damping.unwrap_or(f64::NAN));
        state.scalars.insert("growth".into(), self.growth);
        state.scalars.insert("reach".into(), self.reach);
        if let Some(sketched) = &self.sketched {
            state.scalars.insert("sketches".into(), sketched.count as f64);
            if let Some(damping) = sketched.damping {
                state.scalars.insert("sketched_damping".into(), damping);
            }
        }
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
        self.reach = state.scalar("reach")?;
        if let Some(sketched) = &mut self.sketched {
            sketched.count = state.scalar("sketches")? as usize;
            sketched.damping = state.scalars.get("sketched_damping").copied();
        }
        state.copy("scales", &mut self.scales)
    }
}
