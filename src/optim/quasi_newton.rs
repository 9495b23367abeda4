//! Dense self-scaled quasi-Newton methods of Broyden's convex class, with a strong Wolfe line search.
//!
//! With the step s = αp, p = −Hg, the gradient's change y, and the inverse Hessian's approximation H, every method of
//! the class (Al-Baali 1998; for physics-informed networks Urbán, Stefanou and Pons, arXiv 2405.04230, and Kiyani,
//! Shukla, Urbán, Darbon and Karniadakis, arXiv 2501.16371) is
//!
//! H ← (H − Hy yᵀH/(yᵀHy) + φ·(yᵀHy)·v vᵀ)/τ + s sᵀ/(sᵀy), v = s/(sᵀy) − Hy/(yᵀHy),
//!
//! with two numbers to choose: φ = 1 is BFGS, φ = 0 is DFP, and τ ≤ 1 rescales the curvature that is kept.
//! Both follow from b = −α·sᵀg/(sᵀy), the curvature that H believes in over the one just seen along s, and
//! h = yᵀHy/(sᵀy); a method is a function of these.
//!
//! Along a direction the loss is close to a parabola, whose bottom is often well before the full step, again and again;
//! so the first trial of a search is not 1 but a running mean of where the last bottoms were, at most 1, which saves
//! about a third of all evaluations.
//!
//! A step goes over H once.
//! With Hg₊ at the new point, where g₊ = g + y, Hy is Hg₊ + p, and the new direction follows from Hg₊ by the formula above;
//! the update of H itself waits for the next step's product.
//! What rounding the subtraction leaves in Hy is that of Hg₊, and does not grow from step to step, since every step has a
//! product of its own.
//!
//! The logarithm of the loss may be minimized instead of the loss, as some of the literature does.
//! Over a run the loss falls by ten orders of magnitude, and with it its curvature, while the logarithm's stays of
//! order one, and sufficient decrease means a fraction of the loss.
//! On the other hand it has curvature of its own, −∇F∇Fᵀ/F², that the approximation has to follow.

use std::sync::Arc;

use super::line_search::{LineSearch, Unit};
use super::symmetric::Symmetric;
use super::{INVERSE, Objective, Optimizer, Progress, State, Step, StopReason, dot, norm};
use crate::settings;
use crate::team::Team;

/// The two numbers that make a method of the class.
pub(super) struct Choice {
    /// 1 for BFGS, 0 for DFP.
    pub(super) phi: f64,
    /// By what the curvature that is kept is divided.
    pub(super) tau: f64,
}

/// A method: its choice from b, h and the number of parameters.
pub(super) type Rule = fn(b: f64, h: f64, n: usize) -> Choice;

/// The shortest bottom that counts: one bad direction is not to shorten all steps after it.
const LEAST_LENGTH: f64 = 0.1;

/// The method and its memory.
pub struct QuasiNewton {
    rule: Rule,
    logarithm: bool,
    /// H.
    pub(super) inverse: Symmetric,
    /// Has H learnt anything since it was last reset?
    learnt: bool,
    /// Mean of the steps, in units of the direction, at which the loss was lowest, more of late; at most 1.
    length: f64,
    /// What is left of the first step without curvature after starting over.
    step_scale: f64,
    /// Value (or its logarithm) and gradient at the current point, if known.
    value: Option<f64>,
    gradient: Vec<f64>,
    /// −H·gradient, if it is known.
    direction: Vec<f64>,
    directed: bool,
    search: LineSearch,
    step: Vec<f64>,
    change: Vec<f64>,
    /// Hg₊ and Hy.
    product: Vec<f64>,
    image: Vec<f64>,
}

impl QuasiNewton {
    /// For `n` parameters; `team` will compute.
    pub(super) fn new(settings: &settings::QuasiNewton, rule: Rule, n: usize, team: &Arc<Team>) -> Self {
        let unit = if settings.logarithm { Unit::One } else { Unit::Value };
        Self {
            rule,
            logarithm: settings.logarithm,
            inverse: Symmetric::identity(n, 1.0, team),
            learnt: false,
            length: 1.0,
            step_scale: 1.0,
            value: None,
            gradient: vec![0.0; n],
            direction: vec![0.0; n],
            directed: false,
            search: LineSearch::new(n, unit),
            step: vec![0.0; n],
            change: vec![0.0; n],
            product: vec![0.0; n],
            image: vec![0.0; n],
        }
    }

    fn reset(&mut self) {
        self.inverse.set_identity(1.0);
        self.learnt = false;
        self.length = 1.0;
        self.directed = false;
    }

    /// `direction = −H·gradient`
    fn set_direction(&mut self) {
        self.inverse.product(&self.gradient, &mut self.direction);
        self.direction.iter_mut().for_each(|d| *d = -*d);
        self.directed = true;
    }

    /// Learns where the bottom was from the slopes at both ends of the accepted step, `length` times the direction.
    fn learn_length(&mut self, length: f64) {
        let left = dot(&self.search.gradient, &self.direction) / dot(&self.gradient, &self.direction);
        let bottom = if left < 1.0 { length / (1.0 - left) } else { 1.0 };
        self.length = (self.length * bottom.clamp(LEAST_LENGTH, 1.0)).sqrt();
    }

    /// Learns from the accepted trial, `length` times the direction away from `theta`, and finds the direction from there.
    fn learn(&mut self, theta: &[f64], length: f64) {
        self.directed = false;
        let Self { inverse, gradient, direction, search, step, change, product, image, .. } = self;
        for i in 0..theta.len() {
            step[i] = search.theta[i] - theta[i];
            change[i] = search.gradient[i] - gradient[i];
        }
        let curvature = dot(step, change);
        if !curvature.is_finite() || curvature <= f64::EPSILON * norm(step) * norm(change) {
            return;
        }
        // What H believes of the curvature along s; its own step is −H times the gradient.
        let mut believed = -length * dot(step, gradient);
        if !self.learnt {
            // The curvature just seen is the best first guess for all directions (Nocedal and Wright 2006, 6.20).
            let factor = curvature / dot(change, change);
            inverse.set_identity(factor);
            believed = dot(step, step) / factor;
            direction.iter_mut().zip(&*gradient).for_each(|(d, g)| *d = -factor * g);
            self.learnt = true;
        }
        inverse.product(&search.gradient, product);
        for i in 0..theta.len() {
            image[i] = product[i] + direction[i];
            direction[i] = -product[i];
        }
        self.directed = true;
        let spread = dot(change, image);
        let (b, h) = (believed / curvature, spread / curvature);
        let Choice { phi, tau } = (self.rule)(b, h, theta.len());
        if !(spread > 0.0 && phi.is_finite() && tau.is_finite() && tau > 0.0) {
            return;
        }
        let steps = phi * spread / (tau * curvature * curvature) + 1.0 / curvature;
        let mixed = -phi / (tau * curvature);
        let images = (phi - 1.0) / (tau * spread);
        inverse.update(1.0 / tau, step, image, steps, mixed, images);
        let (along_step, along_image) = (dot(step, &search.gradient), dot(image, &search.gradient));
        let of_step = steps * along_step + mixed * along_image;
        let of_image = mixed * along_step + images * along_image;
        for i in 0..theta.len() {
            direction[i] = direction[i] / tau - of_step * step[i] - of_image * image[i];
        }
    }
}

impl Optimizer for QuasiNewton {
    fn step(&mut self, theta: &mut [f64], objective: &mut dyn Objective) -> Step {
        let mut evaluations = 0;
        let mut objective = Scaled { objective, logarithm: self.logarithm, loss: f64::NAN };
        let value = match self.value {
            Some(value) => value,
            None => {
                evaluations += 1;
                objective.value_and_gradient(theta, &mut self.gradient)
            }
        };
        if value == f64::NEG_INFINITY {
            return Step::Stopped(StopReason::GradientVanished);
        }
        let gradient_norm = norm(&self.gradient);
        if !(value.is_finite() && gradient_norm.is_finite()) {
            return Step::Stopped(StopReason::NonFinite);
        }
        if gradient_norm == 0.0 {
            return Step::Stopped(StopReason::GradientVanished);
        }
        self.value = Some(value);
        self.search.note(value);
        if self.search.has_stalled() {
            return Step::Stopped(StopReason::LossStalled);
        }
        loop {
            if !self.directed {
                self.set_direction();
            }
            let first =
                if self.learnt { self.length } else { self.step_scale * (1.0 / gradient_norm).min(1.0) };
            let Self { search, direction, gradient, .. } = self;
            let found =
                search.search(theta, direction, gradient, value, first, &mut objective, &mut evaluations);
            if let Some((length, value)) = found {
                if self.learnt {
                    self.learn_length(length);
                }
                self.learn(theta, length);
                theta.copy_from_slice(&self.search.theta);
                std::mem::swap(&mut self.gradient, &mut self.search.gradient);
                self.value = Some(value);
                let loss = objective.loss;
                let scale = if self.logarithm { loss } else { 1.0 };
                let gradient_norm = scale * norm(&self.gradient);
                return Step::Moved(Progress {
                    loss,
                    gradient_norm,
                    evaluations,
                    evaluation: evaluations - 1,
                    ..Progress::default()
                });
            }
            // Rounding may be at fault; if not, the curvature: then once more along the negative gradient.
            if !self.search.forgive() {
                if !self.learnt {
                    return Step::Stopped(self.search.failure());
                }
                self.reset();
            }
        }
    }

    fn objective_changed(&mut self) {
        // Curvature of the same loss on other points still serves; value and gradient do not.
        self.value = None;
        self.directed = false;
        self.search.forget();
    }

    fn start_over(&mut self, factor: f64) {
        self.step_scale *= factor;
        self.reset();
        self.objective_changed();
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.scalars.insert("step_scale".into(), self.step_scale);
        state.scalars.insert("value".into(), self.value.unwrap_or(f64::NAN));
        state.scalars.insert("length".into(), self.length);
        state.scalars.insert("learnt".into(), f64::from(u8::from(self.learnt)));
        self.search.save(&mut state);
        state.scalars.insert("directed".into(), f64::from(u8::from(self.directed)));
        state.vectors.insert(INVERSE.into(), self.inverse.lower());
        state.vectors.insert("direction".into(), self.direction.clone());
        state.vectors.insert("gradient".into(), self.gradient.clone());
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), String> {
        self.step_scale = state.scalar("step_scale")?;
        self.value = Some(state.scalar("value")?).filter(|value| !value.is_nan());
        self.length = state.scalar("length")?;
        self.learnt = state.scalar("learnt")? != 0.0;
        self.search.restore(state)?;
        self.directed = state.scalar("directed")? != 0.0;
        self.inverse.set_lower(state.vector(INVERSE, self.inverse.lower_length())?);
        state.copy("direction", &mut self.direction)?;
        state.copy("gradient", &mut self.gradient)
    }
}

/// The objective, or its logarithm; the objective's own last value is kept.
struct Scaled<'a> {
    objective: &'a mut dyn Objective,
    logarithm: bool,
    loss: f64,
}

impl Objective for Scaled<'_> {
    fn value(&mut self, theta: &[f64]) -> f64 {
        let loss = self.objective.value(theta);
        if self.logarithm { loss.ln() } else { loss }
    }

    fn value_and_gradient(&mut self, theta: &[f64], gradient: &mut [f64]) -> f64 {
        self.loss = self.objective.value_and_gradient(theta, gradient);
        if !self.logarithm {
            return self.loss;
        }
        gradient.iter_mut().for_each(|g| *g /= self.loss);
        self.loss.ln()
    }
}
