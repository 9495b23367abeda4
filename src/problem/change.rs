//! Changes to a problem by short names: what the flags of the command line and the axes of a sweep have in common.

use super::diagnostic::Diagnostics;
use super::file::Document;
use super::model::Problem;
use super::size::check_points;
use crate::limits::{MAX_STEPS, POINTS};
use crate::settings::Stage;

/// Short names of keys of the problem file.
pub const SHORT_KEYS: [(&str, &str); 9] = [
    ("scale", "network.scale"),
    ("activation", "network.activation"),
    ("init", "network.init"),
    ("depth", "network.depth"),
    ("width", "network.width"),
    ("precision", "training.precision"),
    ("effort", "training.effort"),
    ("seed", "training.seed"),
    ("tolerance", "training.tolerance"),
];

/// The key that `name` is short for, or `name` itself.
pub fn full_key(name: &str) -> &str {
    SHORT_KEYS.iter().find(|(short, _)| *short == name).map_or(name, |(_, key)| key)
}

/// Changes that touch several places at once; `None` leaves things as they are.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Adjustments {
    /// Collocation points of every interior condition.
    pub points: Option<usize>,
    /// Learning rate of every Adam stage, in the stage's own unit.
    pub lr: Option<f64>,
    /// Steps in all: later stages are cut short, or the last one goes on for longer.
    pub steps: Option<usize>,
}

impl Adjustments {
    /// Names of the fields.
    pub const NAMES: [&'static str; 3] = ["points", "lr", "steps"];

    /// Makes the changes.
    ///
    /// # Errors
    ///
    /// If a number is out of range.
    pub fn apply(&self, problem: &mut Problem) -> Result<(), String> {
        if *self != Self::default() {
            // Who changes the training wants this one.
            problem.trial = None;
        }
        if let Some(points) = self.points {
            if !POINTS.contains(&points) {
                return Err(format!(
                    "points {points}: a condition has from {} to {}",
                    POINTS.start(),
                    POINTS.end()
                ));
            }
            for condition in &mut problem.conditions {
                if condition.place.is_interior() {
                    condition.points = points;
                }
            }
            let (features, coordinates) = (problem.features.roots.len(), problem.coordinates.len());
            check_points(&problem.conditions, features, coordinates, &problem.training)
                .map_err(|wrong| format!("points {points}: {wrong}"))?;
        }
        if let Some(lr) = self.lr {
            if !(lr > 0.0 && lr.is_finite()) {
                return Err(format!("lr {lr}: a learning rate is positive and finite"));
            }
            for stage in &mut problem.training.stages {
                if let Stage::Adam(adam) = stage {
                    adam.lr = lr;
                }
            }
        }
        if let Some(mut left) = self.steps {
            if left > MAX_STEPS {
                return Err(format!("steps {left}: at most {MAX_STEPS} can be taken"));
            }
            let stages = &mut problem.training.stages;
            let last = stages.len().saturating_sub(1);
            for (i, stage) in stages.iter_mut().enumerate() {
                let steps = if i == last { left } else { stage.steps().min(left) };
                stage.set_steps(steps);
                left -= steps;
            }
            stages.retain(|stage| stage.steps() > 0 || stage.grows());
            // There has to be something to go on from, and something to go on with.
            stages.truncate(stages.iter().rposition(|stage| !stage.grows()).map_or(0, |last| last + 1));
            stages.drain(..stages.iter().position(|stage| !stage.grows()).unwrap_or(0));
        }
        Ok(())
    }
}

impl Document {
    /// Sets the value that a short or full key names; see [`Document::set`].
    ///
    /// # Errors
    ///
    /// If it is no dotted TOML key.
    pub fn change(&mut self, name: &str, value: &str) -> Result<(), Diagnostics> {
        self.set(full_key(name), value)
    }
}
