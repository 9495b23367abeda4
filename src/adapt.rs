//! What changes the loss between two steps: points and dimensions drawn anew, weights balanced, weights in time.
//!
//! It knows the problem and the engine.
//! Optimizers only hear that their objective has changed; within a step it never does, so that every method can be
//! used with every one of these.

use crate::engine::{Differentiable, Engine};
use crate::problem::{Condition, Dimensions, Formula, Problem, dimensions};
use crate::sample::{self, Points};
use crate::settings::{Balance, BalanceMeasure, Causal};
use crate::verify;

/// What has been adapted so far: with the problem and the parameters enough to go on bit for bit.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct State {
    /// How often points have been redrawn.
    pub round: usize,
    /// Points of every condition whose points follow its residual; empty for the others, and before the first redraw.
    ///
    /// The points themselves and not the parameters that they were drawn with: some of them may be older than the last
    /// redraw, and nothing has to be computed again to have them back.
    pub points: Vec<Vec<f64>>,
    /// How often the weights have been balanced.
    pub balanced: usize,
    /// A factor of every condition's weight; empty before the first time.
    pub balance: Vec<f64>,
    /// What part of its weight every condition on measured data has kept, 1 of the others; empty before any changed.
    pub trust: Vec<f64>,
    /// The least mean squared residual that every such condition has had when weights were balanced; of the others their part
    /// of the loss when one was last trusted less, infinite before; empty before the first time.
    pub misfits: Vec<f64>,
    /// How often the weights in time have been updated.
    pub caused: usize,
    /// Which ε is in force.
    pub level: usize,
    /// The weight of every slice of time; empty before the first time.
    pub slices: Vec<f64>,
}

impl State {
    /// Does it belong to `problem`?
    ///
    /// # Errors
    ///
    /// What does not fit.
    pub fn check(&self, problem: &Problem) -> Result<(), String> {
        let (conditions, dimensions) = (&problem.conditions, problem.coordinates.len());
        let causal = problem.training.causal.as_ref();
        let (slices, levels) = causal.map_or((0, 1), |causal| (causal.slices, causal.epsilon.len()));
        let lengths = [
            ("sets of points", self.points.len(), conditions.len()),
            ("balancing factors", self.balance.len(), conditions.len()),
            ("parts of weights", self.trust.len(), conditions.len()),
            ("misfits", self.misfits.len(), conditions.len()),
            ("slices of time", self.slices.len(), slices),
        ];
        if let Some((what, has, wants)) =
            lengths.into_iter().find(|(_, has, wants)| ![0, *wants].contains(has))
        {
            return Err(format!("it has {has} {what} instead of {wants}"));
        }
        for (condition, points) in conditions.iter().zip(&self.points) {
            if ![0, condition.points * dimensions].contains(&points.len()) {
                let (has, wants) = (points.len() / dimensions, condition.points);
                return Err(format!("it has {has} points of `{}` instead of {wants}", condition.name));
            }
        }
        if self.level >= levels {
            return Err(format!("it is at the causal ε number {}, the problem has {levels}", self.level + 1));
        }
        Ok(())
    }
}

/// What an update changed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Changes {
    /// Points have been redrawn.
    pub redrawn: bool,
    /// Weights of conditions or of points have changed.
    pub reweighted: bool,
    /// Among them those by which networks are compared.
    pub trusts: bool,
    /// Dimensions have been drawn.
    pub drawn: bool,
}

/// Gives `engine` the points of `state` and their weights; returns every condition's points.
pub fn start(problem: &Problem, engine: &mut dyn Engine, state: &State) -> Vec<Points> {
    let (conditions, team) = (problem.conditions.iter().enumerate(), engine.team());
    let points = conditions.map(|(i, condition)| {
        let mut points = sample::points_by(&team, problem, condition, problem.training.seed, state.round);
        if let Some(own) = state.points.get(i).filter(|own| !own.is_empty()) {
            points.rows.clone_from(own);
        }
        engine.set_points(i, &points.rows, &points.data);
        points
    });
    let points: Vec<_> = points.collect();
    set_point_weights(problem, engine, state, &points);
    points
}

/// Does what is due after `step` steps, at parameters `theta`; `points` are every condition's.
///
/// Dimensions are drawn if the loss `may_vary` from step to step.
pub fn update(
    problem: &Problem,
    engine: &mut dyn Differentiable,
    theta: &[f64],
    step: usize,
    may_vary: bool,
    state: &mut State,
    points: &mut [Points],
) -> Changes {
    let training = &problem.training;
    let mut changes = Changes::default();
    let balances = training.balance.as_ref().is_some_and(|balance| step / balance.every >= state.balanced);
    // Nothing is balanced by what a few dimensions say.
    if balances {
        take_all_dimensions(problem, engine, state, points);
    }
    if training.resample > 0 && step / training.resample > state.round {
        state.round = step / training.resample;
        redraw(problem, engine, theta, state, points);
        set_point_weights(problem, engine, state, points);
        changes.redrawn = true;
    }
    if let Some(causal) = &training.causal
        && step / causal.every >= state.caused
    {
        state.caused = step / causal.every + 1;
        let losses = slice_losses(problem, causal, engine, theta, points);
        // Losses that are not finite would leave weights that none are finite with again.
        if losses.iter().all(|loss| loss.is_finite()) {
            state.slices = causal_weights(&losses, causal, &mut state.level);
            set_point_weights(problem, engine, state, points);
            changes.reweighted = true;
        }
    }
    if let Some(balance) = training.balance.as_ref().filter(|_| balances) {
        state.balanced = step / balance.every + 1;
        let (losses, norms) = gradient_norms(problem, engine, theta, balance.measure);
        balance_weights(&norms, balance, &mut state.balance);
        if balance.data < 1.0 {
            let trust = trusts(problem, &losses, balance.data, state, |i| {
                let residuals = engine.residuals(theta, i, &points[i].rows, &points[i].data);
                verify::like_noise(problem, &points[i].rows, &residuals)
            });
            changes.trusts = trust != state.trust;
            state.trust = trust;
        }
        changes.reweighted = true;
    }
    if may_vary {
        changes.drawn = draw_dimensions(problem, engine, step, state, points);
    }
    changes
}

/// λ of every condition: the problem's, as far as its data are trusted, times the balancing factor.
pub fn weights(problem: &Problem, state: &State) -> Vec<f64> {
    let factor = |i| state.balance.get(i).copied().unwrap_or(1.0);
    compared(problem, state).into_iter().enumerate().map(|(i, weight)| weight * factor(i)).collect()
}

/// The weights by which networks are compared: the problem's, as far as its data are trusted.
pub fn compared(problem: &Problem, state: &State) -> Vec<f64> {
    let trust = |i| state.trust.get(i).copied().unwrap_or(1.0);
    problem.conditions.iter().enumerate().map(|(i, condition)| condition.weight * trust(i)).collect()
}

// Points.

fn redraw(
    problem: &Problem,
    engine: &mut dyn Engine,
    theta: &[f64],
    state: &mut State,
    points: &mut [Points],
) {
    let training = &problem.training;
    let team = engine.team();
    state.points.resize(points.len(), vec![]);
    for (i, condition) in problem.conditions.iter().enumerate() {
        match &training.adaptive {
            Some(adaptive) if condition.place.is_interior() => {
                let norms = |candidates: &[f64]| {
                    let squares =
                        verify::squares(engine, theta, i, candidates, &[], condition.residuals.roots.len());
                    squares.into_iter().map(f64::sqrt).collect()
                };
                points[i].rows = sample::adaptive(
                    &team,
                    problem,
                    condition,
                    adaptive,
                    state.round,
                    &points[i].rows,
                    norms,
                );
                state.points[i].clone_from(&points[i].rows);
                engine.set_points(i, &points[i].rows, &[]);
            }
            _ => {
                points[i] = sample::points_by(&team, problem, condition, training.seed, state.round);
                engine.set_points(i, &points[i].rows, &points[i].data);
            }
        }
    }
}

// Dimensions.

/// Lets the derivatives along a few dimensions stand for all in the step after `step`; `false` if no condition asks for it.
fn draw_dimensions(
    problem: &Problem,
    engine: &mut dyn Differentiable,
    step: usize,
    state: &State,
    points: &[Points],
) -> bool {
    set_estimates(problem, engine, state, points, |condition, dimensions| {
        let subsets = sample::subsets(condition, dimensions, problem.training.seed, step);
        Some(dimensions::over_subsets(&condition.residuals, &dimensions.among, &subsets))
    })
}

/// Has all dimensions in the loss again; `false` if they were.
pub fn take_all_dimensions(
    problem: &Problem,
    engine: &mut dyn Differentiable,
    state: &State,
    points: &[Points],
) -> bool {
    set_estimates(problem, engine, state, points, |_, _| None)
}

/// Gives the engine `estimates` of the conditions that draw dimensions, and their points again where that changes anything.
fn set_estimates(
    problem: &Problem,
    engine: &mut dyn Differentiable,
    state: &State,
    points: &[Points],
    estimates: impl Fn(&Condition, &Dimensions) -> Option<Formula>,
) -> bool {
    let mut changed = false;
    for (i, condition) in problem.conditions.iter().enumerate() {
        let Some(dimensions) = &condition.dimensions else { continue };
        if engine.set_estimates(i, estimates(condition, dimensions).as_ref()) {
            engine.set_points(i, &points[i].rows, &points[i].data);
            changed = true;
        }
    }
    if changed {
        set_point_weights(problem, engine, state, points);
    }
    changed
}

// Weights by gradient norms.

/// mean(w·residual²) of every condition, and ‖∇ mean(w·residual²)‖ or that of its root; `None` of those that hold exactly.
fn gradient_norms(
    problem: &Problem,
    engine: &mut dyn Differentiable,
    theta: &[f64],
    measure: BalanceMeasure,
) -> (Vec<f64>, Vec<Option<f64>>) {
    let mut gradient = vec![0.0; theta.len()];
    let conditions = problem.conditions.iter().enumerate();
    conditions
        .map(|(i, condition)| {
            if condition.is_exact() {
                return (0.0, None);
            }
            let loss = engine.condition_gradient(theta, i, &mut gradient);
            let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            let norm = match measure {
                BalanceMeasure::Loss => Some(norm),
                // ∇√L is ∇L/(2√L), and nothing is known of it where L is zero; a common factor does not matter.
                BalanceMeasure::Root => (loss > 0.0).then(|| norm / loss.sqrt()),
            };
            (loss, norm)
        })
        .unzip()
}

/// Moves `factors` towards mean‖∇L‖/‖∇Lᵢ‖, so that all conditions pull equally hard; the first time they go there.
///
/// A gradient that is next to nothing counts as 1e-5 of the mean (as in the authors' code): what holds already needs no
/// weight that drowns the rest.
/// What holds exactly is in no mean, and its factor stays 1.
fn balance_weights(norms: &[Option<f64>], settings: &Balance, factors: &mut Vec<f64>) {
    let mean = norms.iter().flatten().sum::<f64>() / norms.iter().flatten().count() as f64;
    if !(mean > 0.0 && mean.is_finite()) {
        return;
    }
    let wanted = norms.iter().map(|norm| norm.map_or(1.0, |norm| mean / (norm + 1e-5 * mean)));
    if factors.is_empty() {
        factors.extend(wanted);
    } else {
        for (factor, wanted) in factors.iter_mut().zip(wanted) {
            *factor = settings.memory * *factor + (1.0 - settings.memory) * wanted;
        }
    }
}

/// Balancings before the trust in data is looked at: the answer has to have come near them by then.
const BEFORE_TRUST: usize = 3;
/// The factor by which it changes.
const TRUST: f64 = 4.0;
/// How many times its least a squared misfit may be before the equations are told to contradict the data.
const CONTRADICTED: f64 = 16.0;
/// How many times all else in the loss the misfit's part has to be to become smaller whatever that did before.
const LEADS: f64 = 16.0;

/// How far conditions on measured data are trusted from here on, by their mean squared residuals `losses`; notes the least.
///
/// A misfit that still falls says nothing yet, and one that is `noise` at no two neighbours alike is no misfit of the network;
/// what is known to be neither is taken for noise. Equations that count as little as noise bend to it, and the parameters with
/// them.
/// In a problem of one compartment with 5 % of noise, the answer came from 3 % to 0.004 % of the least squares' when the
/// readings counted a ten-thousandth; where they count so little from the start, equations are solved with a wrong parameter.
/// Each time all else in the loss has to gain by it, or to be next to nothing beside the misfit: where equations are not
/// solved any better, less weight only lets the parameters go.
/// A misfit that rises far above its least is brought back.
fn trusts(
    problem: &Problem,
    losses: &[f64],
    least: f64,
    state: &mut State,
    mut noise: impl FnMut(usize) -> Option<bool>,
) -> Vec<f64> {
    let uses_data = |i: &usize| problem.conditions[*i].uses_data();
    let parts: Vec<f64> =
        weights(problem, state).iter().zip(losses).map(|(weight, loss)| weight * loss).collect();
    let equations: Vec<usize> = (0..losses.len()).filter(|i| !uses_data(i)).collect();
    let others: f64 = equations.iter().map(|&i| parts[i]).sum();
    let mut trust = state.trust.clone();
    trust.resize(losses.len(), 1.0);
    state.misfits.resize(losses.len(), f64::INFINITY);
    let before: f64 = equations.iter().map(|&i| state.misfits[i]).sum();
    let mut lowered = false;
    for i in (0..losses.len()).filter(uses_data) {
        let (misfit, lowest) = (losses[i], &mut state.misfits[i]);
        if state.balanced > BEFORE_TRUST {
            if misfit > CONTRADICTED * *lowest {
                trust[i] = (TRUST * trust[i]).min(1.0);
            } else if misfit > 0.5 * *lowest
                && (others <= 0.5 * before || parts[i] >= LEADS * others)
                && noise(i) != Some(false)
            {
                trust[i] = (trust[i] / TRUST).max(least);
                lowered = true;
            }
        }
        *lowest = lowest.min(misfit);
    }
    if lowered {
        equations.iter().for_each(|&i| state.misfits[i] = parts[i]);
    }
    trust
}

// Weights in time.

/// Which slice of time a point lies in.
fn slice_of(problem: &Problem, causal: &Causal) -> impl Fn(&[f64]) -> usize {
    let along = problem.coordinates.iter().position(|c| c.name == causal.along);
    let along = along.expect("the time coordinate was checked when the problem was built");
    let (lower, upper) = (problem.coordinates[along].lower, problem.coordinates[along].upper);
    let slices = causal.slices;
    move |point| ((((point[along] - lower) / (upper - lower)) * slices as f64) as usize).min(slices - 1)
}

/// Mean of residual² over the points of every slice of time, summed over the interior conditions.
fn slice_losses(
    problem: &Problem,
    causal: &Causal,
    engine: &mut dyn Engine,
    theta: &[f64],
    points: &[Points],
) -> Vec<f64> {
    let slice = slice_of(problem, causal);
    let mut losses = vec![0.0; causal.slices];
    for (i, condition) in problem.conditions.iter().enumerate() {
        if !condition.place.is_interior() {
            continue;
        }
        let rows = &points[i].rows;
        let squares = verify::squares(engine, theta, i, rows, &[], condition.residuals.roots.len());
        let mut sums = vec![(0.0, 0_usize); causal.slices];
        for (point, square) in rows.chunks_exact(problem.coordinates.len()).zip(squares) {
            let (sum, count) = &mut sums[slice(point)];
            *sum += square;
            *count += 1;
        }
        for (loss, (sum, count)) in losses.iter_mut().zip(sums) {
            *loss += sum / count.max(1) as f64;
        }
    }
    losses
}

/// exp(−ε Σ L) over the slices before (equation 13); when all are above the threshold, the next ε is taken.
fn causal_weights(losses: &[f64], causal: &Causal, level: &mut usize) -> Vec<f64> {
    let weights = |epsilon: f64| {
        let before = losses.iter().scan(0.0, |sum, loss| {
            let before = *sum;
            *sum += loss;
            Some(before)
        });
        before.map(|sum: f64| (-epsilon * sum).exp()).collect::<Vec<_>>()
    };
    let now = weights(causal.epsilon[*level]);
    if *level + 1 < causal.epsilon.len() && now.iter().all(|&weight| weight > causal.threshold) {
        *level += 1;
        return weights(causal.epsilon[*level]);
    }
    now
}

fn set_point_weights(problem: &Problem, engine: &mut dyn Engine, state: &State, points: &[Points]) {
    let Some(causal) = problem.training.causal.as_ref().filter(|_| !state.slices.is_empty()) else {
        return;
    };
    let slice = slice_of(problem, causal);
    for (i, condition) in problem.conditions.iter().enumerate() {
        if condition.place.is_interior() {
            let rows = points[i].rows.chunks_exact(problem.coordinates.len());
            let weights: Vec<f64> = rows.map(|point| state.slices[slice(point)]).collect();
            engine.set_point_weights(i, &weights);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_slices_wait_for_earlier_ones() {
        let causal = Causal { slices: 4, epsilon: vec![1.0, 2.0], ..Causal::default() };
        let mut level = 0;
        let weights = causal_weights(&[1.0, 0.5, 0.0, 3.0], &causal, &mut level);
        let expected = [1.0, (-1.0_f64).exp(), (-1.5_f64).exp(), (-1.5_f64).exp()];
        assert_eq!((weights, level), (expected.to_vec(), 0));
        // All weights are near 1: the stricter ε takes over, and stays when there is none beyond it.
        let weights = causal_weights(&[1e-3, 1e-3, 1e-3, 9.0], &causal, &mut level);
        assert_eq!((weights[3], level), ((-2.0 * 3e-3_f64).exp(), 1));
        causal_weights(&[0.0; 4], &causal, &mut level);
        assert_eq!(level, 1);
    }

    /// The factors of norms 1, 3 and 8.
    fn first_factors(settings: &Balance) -> Vec<f64> {
        let mut factors = vec![];
        balance_weights(&[1.0, 3.0, 8.0].map(Some), settings, &mut factors);
        factors
    }

    #[test]
    fn balanced_conditions_pull_equally_hard() {
        let settings = Balance { memory: 0.5, ..Balance::default() };
        let mut factors = first_factors(&settings);
        for (factor, norm) in factors.iter().zip([1.0, 3.0, 8.0]) {
            assert!((factor * norm / 4.0 - 1.0).abs() < 5e-5, "{factors:?}");
        }
        let before = factors.clone();
        balance_weights(&[4.0, 4.0, 4.0].map(Some), &settings, &mut factors);
        for (factor, before) in factors.iter().zip(before) {
            assert!((factor - (0.5 * before + 0.5)).abs() < 1e-5);
        }
        // What holds exactly changes nothing for the others.
        let mut some = vec![];
        balance_weights(&[Some(1.0), None, Some(3.0), Some(8.0)], &settings, &mut some);
        assert_eq!(some[1], 1.0);
        assert_eq!([some[0], some[2], some[3]], first_factors(&settings)[..]);
        // Nothing to balance, or nothing that can be balanced.
        let before = factors.clone();
        balance_weights(&[0.0, 0.0, 0.0].map(Some), &settings, &mut factors);
        balance_weights(&[f64::NAN, 1.0, 1.0].map(Some), &settings, &mut factors);
        assert_eq!(factors, before);
        balance_weights(&[0.0, 1.0, 1.0].map(Some), &settings, &mut factors);
        assert!(factors.iter().all(|factor| factor.is_finite()));
    }

    /// For every pair of subsets of one dimension out of three: the loss is that of two estimates, and the mean of all gradients
    /// is the gradient of the residuals.
    #[test]
    fn the_gradients_of_drawn_dimensions_have_that_of_all_for_their_mean() {
        use crate::engine::cpu::{CpuEngine, Isa};
        let text = "training.auto = false\n[coordinates]\nx = { domain = [0, 1], count = 3 }\nt = [0, 1]\n\
                    [unknowns]\nu = {}\n[network]\ndepth = 2\nwidth = 5\n[conditions.physics]\n\
                    place = \"interior\"\nresidual = [\"u_t - u*laplacian(u)\", \"u_x1x1 - x2*u_x2x2 + u_tt - u_x3^2\"]\n\
                    points = 7\ndimensions = 1\nscale = [2, 3]\n[conditions.initial]\nplace = \"t = 0\"\n\
                    residual = \"u - x1\"\npoints = 5\n";
        let problem = Problem::parse(text).expect("a problem");
        let mut engine = CpuEngine::<f64>::new(&problem, 1, Isa::best()).expect("an engine");
        let state = State::default();
        let points = start(&problem, &mut engine, &state);
        let theta: Vec<f64> = (0..problem.parameters_in_all()).map(|k| (k as f64).sin()).collect();
        let (weights, mut terms) = ([0.7, 0.3], [0.0; 2]);
        let mut whole = vec![0.0; theta.len()];
        let loss = engine.loss_and_gradient(&theta, &weights, &mut terms, &mut whole);
        let rows = engine.work().rows;

        let residuals = &problem.conditions[0].residuals;
        let Dimensions { among, .. } = problem.conditions[0].dimensions.as_ref().expect("they are drawn");
        assert_eq!(among, &[0, 1, 2]);
        let (mut mean, mut gradient) = (vec![0.0; theta.len()], vec![0.0; theta.len()]);
        for subsets in (0..9).map(|k| [vec![k / 3], vec![k % 3]]) {
            let estimates = dimensions::over_subsets(residuals, among, &subsets);
            assert!(engine.set_estimates(0, Some(&estimates)));
            engine.set_points(0, &points[0].rows, &points[0].data);
            assert!(engine.work().rows < rows);
            let drawn = engine.loss_and_gradient(&theta, &weights, &mut terms, &mut gradient);
            let jets = estimates.jets();
            let values = engine.evaluate(&theta, &jets, &estimates, 1, &points[0].rows, &[]);
            let squares = 0.5 * values.iter().map(|r| r * r).sum::<f64>() / 7.0;
            let wanted = 0.7 * squares + 0.3 * terms[1];
            assert!((drawn / wanted - 1.0).abs() < 1e-12, "{drawn} {wanted}");
            mean.iter_mut().zip(&gradient).for_each(|(mean, g)| *mean += g / 9.0);
        }
        let size = whole.iter().map(|g| g * g).sum::<f64>().sqrt();
        let off = mean.iter().zip(&whole).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        assert!(size > 0.1 && off < 1e-12 * size, "{off} {size}");

        assert!(take_all_dimensions(&problem, &mut engine, &state, &points));
        assert!(!take_all_dimensions(&problem, &mut engine, &state, &points));
        assert_eq!(engine.loss_and_gradient(&theta, &weights, &mut terms, &mut gradient), loss);
        assert_eq!(gradient, whole);
    }

    #[test]
    fn data_are_trusted_less_once_they_no_longer_come_nearer() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("data.csv");
        std::fs::write(&file, "x,u_obs\n0.5,1\n").expect("written");
        let text = format!(
            "[coordinates]\nx = [0, 1]\n[unknowns]\nu = {{}}\n[conditions.physics]\nplace = \"interior\"\n\
             residual = \"u_x\"\n[conditions.data]\nplace = {{ file = {file:?} }}\nresidual = \"u - u_obs\"\n"
        );
        let problem = Problem::parse(&text).expect("a problem");
        assert_eq!(problem.training.balance.as_ref().expect("it is balanced").data, 1e-6);
        let mut state = State { misfits: vec![f64::INFINITY; 2], ..State::default() };
        let mut after = |balanced: usize, misfit: f64| {
            state.balanced = balanced;
            state.trust = trusts(&problem, &[1e-9, misfit], 0.01, &mut state, |_| None);
            assert_eq!(state.trust[0], 1.0);
            state.trust[1]
        };
        // Too early to tell; it still falls; it has settled, down to the least; the equations pull away from the data.
        assert_eq!([after(1, 1.0), after(3, 1.0)], [1.0, 1.0]);
        assert_eq!([after(4, 0.1), after(5, 0.04)], [1.0, 1.0]);
        assert_eq!([after(6, 0.04), after(7, 0.05)], [0.25, 0.0625]);
        assert_eq!([after(8, 0.06), after(9, 0.04), after(10, 0.04)], [0.015625, 0.01, 0.01]);
        assert_eq!([after(11, 0.7), after(12, 0.7)], [0.04, 0.16]);
        let weights = [compared(&problem, &state)[1], weights(&problem, &state)[1]];
        assert_eq!(weights, [0.16, 0.16]);
        // What is left is no noise; or the equations have not gained by the last time, and are not next to nothing.
        let mut given = |noise: Option<bool>, before: f64, equations: f64| {
            state.misfits = vec![before, 1.0];
            state.trust = vec![1.0, 0.25];
            (trusts(&problem, &[equations, 1.0], 0.01, &mut state, |_| noise)[1], state.misfits[0])
        };
        assert_eq!(given(None, f64::INFINITY, 0.5), (0.0625, 0.5));
        assert_eq!(given(Some(true), 1.0, 0.5), (0.0625, 0.5));
        assert_eq!(given(Some(false), 1.0, 0.5), (0.25, 1.0));
        assert_eq!(given(Some(true), 0.6, 0.5), (0.25, 0.6));
        assert_eq!(given(Some(true), 0.015, 0.01), (0.0625, 0.01));
    }

    #[test]
    fn the_root_of_a_loss_says_nothing_of_how_large_the_residual_is() {
        use crate::engine::cpu::{CpuEngine, Isa};
        let norms = |value: f64, measure| {
            let text = format!(
                "training.auto = false\n[coordinates]\nx = [0, 1]\n[unknowns]\nu = {{}}\n[network]\ndepth = 1\nwidth = 3\n\
                 [conditions.left]\nplace = \"x = 0\"\nresidual = \"u - {value}\"\n"
            );
            let problem = Problem::parse(&text).expect("a problem");
            let mut engine = CpuEngine::<f64>::new(&problem, 1, Isa::best()).expect("an engine");
            start(&problem, &mut engine, &State::default());
            let theta: Vec<f64> = (0..problem.parameters_in_all()).map(|k| 0.1 * k as f64).collect();
            gradient_norms(&problem, &mut engine, &theta, measure).1[0].expect("it is in the loss")
        };
        let [near, far] = [10.0, 1000.0].map(|value| norms(value, BalanceMeasure::Root));
        assert!((near / far - 1.0).abs() < 1e-12, "{near} {far}");
        let [near, far] = [10.0, 1000.0].map(|value| norms(value, BalanceMeasure::Loss));
        assert!(far > 50.0 * near, "{near} {far}");
    }
}
