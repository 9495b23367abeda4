//! What a network is worth: its loss, its errors, its residuals where training has not looked, and how well the data
//! determine its trainable parameters.
//!
//! [`evaluate`] is a function of the problem, the engine and θ, and [`judge`] says what comes of it; all that is said of a
//! network at the end of a run comes from here.
//! This file does not know how θ was found, nor what becomes of the numbers.

use crate::adapt;
use crate::bands::{self, Band};
use crate::engine::Engine;
use crate::estimate::{ErrorEstimate, Growth, estimate};
use crate::expr::Digits;
use crate::problem::{Condition, Posedness, Problem};
use crate::sample::Points;
use crate::score::{Score, Scorer};
use crate::uncertainty::{self, Uncertainty};
use crate::verdict::{Signs, Verdict, verdict, worse};
use crate::verify::{self, Check, Residual, Sites};

/// What is known about one network.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Mean squared residuals at the points of training, one for each condition.
    pub terms: Vec<f64>,
    /// The same in the units of the equations as they are written: scales left out.
    pub unscaled: Vec<f64>,
    /// Σ λ·term with the problem's own weights.
    pub loss: f64,
    /// For every unknown its error, if it has a reference.
    pub scores: Vec<Option<Score>>,
    /// For every condition its residuals, at points where training has not looked if there are such.
    pub residuals: Vec<Residual>,
    /// For every unknown that may as well be zero, how far its network reaches (see [`Check`]).
    pub zeros: Vec<Option<f64>>,
    /// How well the trainable parameters are known, where that can be told.
    pub uncertainty: Option<Uncertainty>,
    /// For every unknown of one coordinate, in a problem of several, how well the data determine it along that.
    pub bands: Vec<Option<Band>>,
    /// The problem with other nodes in its integrals, by which it is seen how far they are off; `None` without integrals.
    pub other_nodes: Option<Box<Problem>>,
}

/// What is known of how an answer came about.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Origin {
    /// Where training broke down for good, if it did.
    pub diverged: Option<String>,
    /// Was training interrupted, so that there is more to come?
    pub interrupted: bool,
    /// How far a second solution is from this one, relative to it, if there is one.
    pub difference: Option<f64>,
}

/// Evaluates the network with parameters `theta`.
///
/// `scorer` holds the problem's reference, if it has one.
/// `adapted` says at which points the loss is taken, and with which weights θ was trained, on which its standard errors
/// depend: where training ended, or the default for the problem's own points and weights.
/// The engine is left with these points.
pub fn evaluate(
    problem: &Problem,
    scorer: Option<&Scorer>,
    engine: &mut dyn Engine,
    adapted: &adapt::State,
    theta: &[f64],
) -> Evaluation {
    let points = adapt::start(problem, engine, adapted);
    let weights = adapt::weights(problem, adapted);
    let uncertainty = uncertainty::uncertainty(problem, engine, theta, &weights);
    let bands = bands::bands(problem, engine, theta, &weights);
    let (loss, terms) = loss(problem, engine, theta);
    let unscaled = unscaled(problem, engine, theta, &points, &terms);
    let scores = match scorer {
        Some(scorer) => scorer.score(engine, theta),
        None => vec![None; problem.unknowns.len()],
    };
    let other_nodes = problem.with_other_nodes().map(Box::new);
    let Check { residuals, zeros } = verify::check(problem, other_nodes.as_deref(), engine, theta);
    Evaluation { terms, unscaled, loss, scores, residuals, zeros, uncertainty, bands, other_nodes }
}

/// What to try where a jump is left out.
const ELSEWISE: &str =
    "a smooth transition in its place, or a region for each side and conditions at the interface";

/// Scatter of data, beside the size of their terms, that is worth a word.
const NOISE: f64 = 1e-6;

/// What the network with parameters `theta` may be called, `evaluation` being what is known of it; no reference is looked at.
///
/// The error is estimated on `threads` threads, which change nothing; not that of an answer that is on its way.
pub fn judge(
    problem: &Problem,
    evaluation: &Evaluation,
    engine: &mut dyn Engine,
    theta: &[f64],
    threads: usize,
    origin: Origin,
) -> Verdict {
    let Origin { diverged, interrupted, difference } = origin;
    let names = || problem.conditions.iter().map(|condition| condition.name.clone());
    let worst = |numbers: Vec<f64>| names().zip(numbers).max_by(|a, b| worse(a.1, b.1));
    let residuals = || evaluation.residuals.iter().zip(&evaluation.terms).zip(&problem.conditions);
    let between = residuals().map(|((residual, term), condition)| {
        let compares = residual.sites != Sites::Given && !condition.is_exact() && *term > 0.0;
        if compares { residual.rms / term.sqrt() } else { 0.0 }
    });
    // Where it cannot be told what a residual is to be compared with, the error estimate alone has a say.
    let relative = residuals().map(|((residual, _), _)| match residual.relative {
        unknown if unknown.is_nan() && residual.rms.is_finite() => 0.0,
        _ if residual.noise == Some(true) => 0.0,
        relative => relative,
    });
    // No answer goes through noise.
    let scatter = residuals().map(|((residual, _), _)| match residual.noise {
        Some(true) if residual.relative > NOISE => residual.relative,
        _ => 0.0,
    });
    let off = evaluation.residuals.iter().map(|residual| residual.quadrature.unwrap_or(0.0));
    let quadrature = worst(off.collect()).filter(|(_, part)| *part != 0.0);
    let noise = worst(scatter.collect()).filter(|(_, part)| *part > 0.0);
    let parameters = problem.trainable.iter().map(|trainable| trainable.name.clone());
    let undetermined = evaluation.uncertainty.iter().flat_map(|uncertainty| {
        let known = uncertainty.parameters.iter().zip(parameters.clone());
        known.filter(|(estimate, _)| !estimate.determined).map(|(_, name)| name)
    });
    let values = &theta[theta.len() - problem.trainable.len()..];
    let uncertain = evaluation.uncertainty.iter().flat_map(|uncertainty| {
        let known = uncertainty.parameters.iter().zip(&problem.trainable).zip(values);
        known.filter_map(|((estimate, trainable), entry)| {
            let error = estimate.standard_error?;
            Some((trainable.name.clone(), error / trainable.value(*entry).abs()))
        })
    });
    let (open, no_answer) = match problem.posedness() {
        Posedness::NoDoubt => (None, None),
        Posedness::UnderDetermined(gaps) => (gaps.into_iter().next().map(|gap| gap.message), None),
        Posedness::Contradictory(contradiction) => {
            (None, Some((contradiction.message, "other conditions".to_owned())))
        }
        Posedness::BlowsUp(blow_up) => {
            (None, Some((blow_up.message, "a domain that ends before that".to_owned())))
        }
    };
    let left_out = problem.left_out.clone().map(|what| (what, ELSEWISE.to_owned()));
    let signs = Signs {
        diverged,
        interrupted,
        difference,
        open,
        no_answer: no_answer.or(left_out),
        between: worst(between.collect()),
        relative: worst(relative.collect()),
        noise,
        quadrature,
        undetermined: undetermined.collect(),
        uncertain: uncertain.max_by(|a, b| worse(a.1, b.1)),
        ..Signs::default()
    };
    // With other nodes, what integrals are off by is a part of the residuals that an error is estimated from.
    let equations = evaluation.other_nodes.as_deref().unwrap_or(problem);
    let estimate = (!interrupted).then(|| estimate(equations, engine, theta, threads)).flatten();
    let Some(ErrorEstimate { unknowns, sizes, parameters: found, explained, amplification, growth }) =
        estimate
    else {
        return verdict(signs);
    };
    let names = || problem.unknowns.iter().map(|unknown| unknown.name.clone());
    let sizes = sizes.iter().zip(&evaluation.zeros);
    // What an ansatz misses of the conditions that count as exact, no estimate sees.
    let exact = residuals().filter(|(_, condition)| condition.is_exact());
    let missed = exact.map(|((residual, _), _)| residual.relative).fold(0.0, f64::max);
    let relative = unknowns.iter().zip(sizes.clone()).map(|(error, (size, zero))| {
        // Beside what may as well be zero only that is known which it could have been.
        (error / size.max(zero.unwrap_or(0.0))).max(missed)
    });
    // All that there is of it may be an error.
    let whole = unknowns.iter().zip(sizes).map(|(error, (size, _))| error.max(*size));
    let absolute = names().zip(whole).zip(&evaluation.zeros);
    verdict(Signs {
        errors: names().chain(parameters).zip(relative.chain(found)).collect(),
        zeros: absolute.filter(|(_, zero)| zero.is_some()).map(|((name, error), _)| (name, error)).collect(),
        explained,
        amplification,
        growth: growth.map(|Growth { factor, from, to }| {
            let at = |t: f64| format!("{} = {}", problem.coordinates[0].name, Digits(Digits::four(t)));
            (factor, at(from), at(to))
        }),
        ..signs
    })
}

/// The loss with the problem's own weights at the engine's points, and its unweighted terms.
pub(crate) fn loss(problem: &Problem, engine: &mut dyn Engine, theta: &[f64]) -> (f64, Vec<f64>) {
    let mut terms = vec![0.0; problem.conditions.len()];
    engine.loss(theta, &problem.weights(), &mut terms);
    (weighted(problem, &terms), terms)
}

/// Every condition's mean squared residual at `points` without its scales; `terms` are those with them.
fn unscaled(
    problem: &Problem,
    engine: &mut dyn Engine,
    theta: &[f64],
    points: &[Points],
    terms: &[f64],
) -> Vec<f64> {
    let conditions = problem.conditions.iter().enumerate();
    let term = |(i, condition): (usize, &Condition)| {
        let scales = &condition.scales;
        if condition.is_exact() {
            // Training has no points of it.
            return 0.0;
        }
        if scales.iter().all(|scale| *scale == scales[0]) {
            return terms[i] * scales[0] * scales[0];
        }
        let values = engine.residuals(theta, i, &points[i].rows, &points[i].data);
        let rows = values.chunks_exact(scales.len());
        let sites = rows.len() as f64;
        let squares =
            rows.map(|row| row.iter().zip(scales).map(|(r, scale)| (r * scale).powi(2)).sum::<f64>());
        squares.sum::<f64>() / sites
    };
    conditions.map(term).collect()
}

/// Σ λ·term with the problem's own weights; weights of single points have no part in it.
pub(crate) fn weighted(problem: &Problem, terms: &[f64]) -> f64 {
    problem.conditions.iter().zip(terms).map(|(condition, term)| condition.weight * term).sum()
}
