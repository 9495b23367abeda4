//! Adam (Kingma and Ba 2015, arXiv 1412.6980), with learning-rate schedules and warm-up.

use super::{Objective, Optimizer, Progress, State, Step, StopReason, norm};
use crate::settings::{self, LearningRateUnit, Schedule};

/// The method and its memory.
pub struct Adam {
    settings: settings::Adam,
    /// η at the start, ω taken in.
    rate: f64,
    /// What is left of it after starting over.
    step_scale: f64,
    step: usize,
    /// Gradients in the moments.
    averaged: usize,
    first: Vec<f64>,
    second: Vec<f64>,
    gradient: Vec<f64>,
}

impl Adam {
    /// For `n` parameters of a network whose activation has ω = `omega`.
    pub fn new(settings: &settings::Adam, n: usize, omega: f64) -> Self {
        Self {
            rate: Self::full_rate(settings, omega),
            settings: settings.clone(),
            step_scale: 1.0,
            step: 0,
            averaged: 0,
            first: vec![0.0; n],
            second: vec![0.0; n],
            gradient: vec![0.0; n],
        }
    }

    /// η before warm-up and schedule, for a network whose activation has ω = `omega`.
    pub fn full_rate(settings: &settings::Adam, omega: f64) -> f64 {
        let unit = match settings.lr_unit {
            LearningRateUnit::One => 1.0,
            LearningRateUnit::Omega => omega,
        };
        settings.lr * unit
    }

    /// η of step `step`, counted from 0.
    fn rate_at(&self, step: usize) -> f64 {
        let settings = &self.settings;
        let warmup = match settings.warmup {
            0 => 1.0,
            warmup => ((step + 1) as f64 / warmup as f64).min(1.0),
        };
        let schedule = match settings.schedule {
            Schedule::Constant => 1.0,
            Schedule::Exponential { rate, every } => rate.powf(step as f64 / every.max(1) as f64),
            Schedule::Cosine { end } => {
                let progress = step as f64 / settings.steps.saturating_sub(1).max(1) as f64;
                end + (1.0 - end) * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
            }
        };
        self.rate * self.step_scale * warmup * schedule
    }
}

impl Optimizer for Adam {
    fn step(&mut self, theta: &mut [f64], objective: &mut dyn Objective) -> Step {
        let loss = objective.value_and_gradient(theta, &mut self.gradient);
        let gradient_norm = norm(&self.gradient);
        if !(loss.is_finite() && gradient_norm.is_finite()) {
            return Step::Stopped(StopReason::NonFinite);
        }
        let rate = self.rate_at(self.step);
        self.step += 1;
        self.averaged += 1;
        let settings::Adam { beta1, beta2, epsilon, .. } = self.settings;
        let count = i32::try_from(self.averaged).unwrap_or(i32::MAX);
        let step = rate / (1.0 - beta1.powi(count));
        let inverse_bias = 1.0 / (1.0 - beta2.powi(count)).sqrt();
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((x, g), (m, v)) in theta.iter_mut().zip(&self.gradient).zip(moments) {
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *x -= step * *m / (v.sqrt() * inverse_bias + epsilon);
        }
        Step::Moved(Progress { loss, gradient_norm, evaluations: 1, before: true, ..Progress::default() })
    }

    fn objective_changed(&mut self) {
        // Moments average over many gradients; a few from other points do no harm.
    }

    fn start_over(&mut self, factor: f64) {
        // The schedule goes on where it was.
        self.step_scale *= factor;
        self.averaged = 0;
        self.first.fill(0.0);
        self.second.fill(0.0);
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.scalars.insert("step_scale".into(), self.step_scale);
        state.scalars.insert("averaged".into(), self.averaged as f64);
        state.scalars.insert("step".into(), self.step as f64);
        state.vectors.insert("first".into(), self.first.clone());
        state.vectors.insert("second".into(), self.second.clone());
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), String> {
        self.step_scale = state.scalar("step_scale")?;
        self.step = state.scalar("step")? as usize;
        self.averaged = state.scalar("averaged")? as usize;
        state.copy("first", &mut self.first)?;
        state.copy("second", &mut self.second)
    }
}
