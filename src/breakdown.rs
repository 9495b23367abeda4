//! Where numbers ceased to be finite: what, in which condition, at which of its points.
//!
//! It looks at residuals through the engine; it knows no optimizer, and not what is done about it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::problem::Problem;
use crate::sample::Points;
use crate::verify;

/// A step that could not be taken, because a number was infinite or NaN.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Breakdown {
    /// The step that was begun, counted over all stages.
    pub step: usize,
    /// The name of its stage.
    pub stage: String,
    /// In which window, counted from 1; `None` if time is not cut into windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// What was not finite.
    pub quantity: Quantity,
    /// Where it began; `None` if the parameters themselves were not finite, and no place is better than another.
    pub place: Option<Origin>,
}

/// What was not finite.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// The loss.
    Loss,
    /// Its gradient.
    Gradient,
    /// Its curvature, as a least-squares method sees it.
    Curvature,
    /// A parameter, after a step.
    Parameter,
}

/// The point where a breakdown began.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// The first condition whose term of the loss is not finite; if all are, the one with the greatest residual.
    pub condition: String,
    /// The first of its training points where the residual is not finite, or else where it is greatest: the value of
    /// every coordinate.
    pub at: BTreeMap<String, f64>,
    /// The norm of its residuals there; `None` if that is not finite.
    pub residual: Option<f64>,
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loss => "the loss",
            Self::Gradient => "the gradient",
            Self::Curvature => "the curvature",
            Self::Parameter => "a parameter",
        })
    }
}

impl fmt::Display for Breakdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not finite at step {} ({}", self.quantity, self.step, self.stage)?;
        if let Some(window) = self.window {
            write!(f, ", window {window}")?;
        }
        f.write_str(")")?;
        let Some(Origin { condition, at, residual }) = &self.place else { return Ok(()) };
        match residual {
            Some(residual) => write!(f, "; the greatest residual of `{condition}`, {residual:.1e}, is at")?,
            None => write!(f, "; the residual of `{condition}` is not finite, first at")?,
        }
        for (i, (name, value)) in at.iter().enumerate() {
            write!(f, "{} {name} = {value:.6}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Where the loss with the terms `terms` (one a condition) began not to be finite at `theta`; `points` are every
/// condition's.
pub(crate) fn origin(
    problem: &Problem,
    engine: &mut dyn Engine,
    theta: &[f64],
    points: &[Points],
    terms: &[f64],
) -> Option<Origin> {
    let mut worst: Option<(usize, usize, f64)> = None;
    for (i, condition) in problem.conditions.iter().enumerate() {
        let Points { rows, data } = &points[i];
        let squares = verify::squares(engine, theta, i, rows, data, condition.residuals.roots.len());
        let at = verify::worst(&squares);
        // A condition that holds exactly has no points.
        let Some(&square) = squares.get(at) else { continue };
        if !(terms[i].is_finite() && square.is_finite()) {
            worst = Some((i, at, square));
            break;
        }
        if worst.is_none_or(|(_, _, most)| square > most) {
            worst = Some((i, at, square));
        }
    }
    let (i, at, square) = worst?;
    let condition = &problem.conditions[i];
    let dimensions = problem.coordinates.len();
    let point = &points[i].rows[at * condition.sides() * dimensions..][..dimensions];
    Some(Origin {
        condition: condition.name.clone(),
        at: problem.coordinates.iter().map(|c| c.name.clone()).zip(point.iter().copied()).collect(),
        residual: Some(square.sqrt()).filter(|residual| residual.is_finite()),
    })
}
