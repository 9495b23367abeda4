//! A network that grows: where a stage says so, training goes on with wider layers and more points, from the function that it
//! has come to.
//!
//! New neurons see what the old ones see, with weights drawn by the problem's rule, and nothing sees them yet: the weights
//! of what they go to are zero, so that every value and derivative stays what it was.
//! This file knows problems, layers and training; it knows no files and no terminals.

use crate::engine::{Differentiable, EngineError};
use crate::init;
use crate::march::Make;
use crate::optim::StopReason;
use crate::problem::Problem;
use crate::score::Scorer;
use crate::settings::Stage;
use crate::train::{self, End, Event, Flow, Outcome, StageReport, State};

/// Trains as [`train::train`] does; where a stage is [`Stage::Grow`], an engine for the larger problem takes the place of
/// `engine`.
///
/// A stage before it that has reached the training's goal leaves nothing to grow for.
///
/// # Errors
///
/// If an engine cannot be made.
pub(crate) fn train(
    problem: &Problem,
    scorer: Option<&Scorer>,
    engine: &mut Box<dyn Differentiable>,
    make: Make,
    mut state: State,
    observer: &mut dyn FnMut(Event) -> Flow,
) -> Result<Outcome, EngineError> {
    let stages = &problem.training.stages;
    let mut now = state.grown(problem);
    if engine.parameters() != now.parameters_in_all() {
        *engine = make(&now)?;
    }
    loop {
        let next = stages.iter().skip(state.stage).position(Stage::grows).map(|k| state.stage + k);
        now.training.stages.truncate(next.unwrap_or(stages.len()));
        let outcome = train::train(&now, scorer, &mut **engine, state, observer);
        let on = match outcome.end {
            End::Done => problem.training.tolerance == 0.0,
            End::ToleranceNotReached => true,
            End::Interrupted | End::Diverged(_) => false,
        };
        let Some(stage) = next.filter(|_| on) else { return Ok(outcome) };
        state = outcome.state;
        observer(Event::StageStarted { stage });
        let enough = state.chosen_measure <= problem.training.goal;
        let mut report = StageReport { name: stages[stage].name().into(), ..StageReport::default() };
        report.stopped = enough.then_some(StopReason::GoalReached);
        state.reports.push(report);
        let small = std::mem::replace(&mut now, state.grown(problem));
        if !enough {
            state.reports[stage].choice = Some(now.networks_in_words());
            state = enlarged(&small, &now, state);
            *engine = make(&now)?;
        }
        state.stage = stage + 1;
        state.stage_step = 0;
        observer(Event::StageEnded { stage, report: &state.reports[stage] });
        observer(Event::Checkpoint(&state));
    }
}

/// The state of `small` as one of `large`, which goes on from the answer.
fn enlarged(small: &Problem, large: &Problem, state: State) -> State {
    let theta = widened(small, large, &state.answer);
    let State { step, measured, mut adapted, reports, .. } = state;
    // Of the points there are more now; they are drawn anew.
    adapted.points.clear();
    State { step, measured, adapted, reports, ..State::new(theta) }
}

/// θ of the network of `large` for the function that `theta` is in that of `small`.
fn widened(small: &Problem, large: &Problem, theta: &[f64]) -> Vec<f64> {
    let (old, new) = (small.layers(), large.layers());
    let mut wide = init::parameters(large).expect("the rule that drew the first network");
    for (old, new) in old.dense().zip(new.dense()) {
        for row in 0..old.outputs {
            let from = &theta[old.weights + row * old.inputs..][..old.inputs];
            let to = &mut wide[new.weights + row * new.inputs..][..new.inputs];
            to.fill(0.0);
            to[..old.inputs].copy_from_slice(from);
        }
        wide[new.biases..][..old.outputs].copy_from_slice(&theta[old.biases..][..old.outputs]);
    }
    for (old, new) in old.numbers.iter().zip(&new.numbers) {
        wide[new.first..][..old.count].copy_from_slice(&theta[old.first..][..old.count]);
    }
    wide[new.parameters()..].copy_from_slice(&theta[old.parameters()..]);
    wide
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use crate::engine::cpu::{CpuEngine, Isa};

    #[test]
    fn a_wider_network_is_the_same_function() {
        let networks = [
            "widths = [5, 8]\nlinear-part = true",
            "architecture = \"resnet\"\ndepth = 4\nwidth = 6\nscale = { trainable = \"neuron\", initial = 0.7 }",
            "architecture = \"modified-mlp\"\ndepth = 3\nwidth = 6",
            "architecture = \"piratenet\"\ndepth = 2\nwidth = 6\nscale = { trainable = \"layer\" }",
            "depth = 2\nwidth = 6\n[networks.v]\nwidth = 4\nscale = { trainable = \"all\" }",
        ];
        for network in networks {
            let text = format!(
                "[coordinates]\nx = [0, 1]\nt = [0, 1]\n[parameters]\nk = {{ initial = 0.5 }}\n\
                 [unknowns]\nu = {{}}\nv = {{}}\n[network]\n{network}\n[training]\nauto = false\n\
                 stages = [{{ adam = {{ steps = 1 }} }}, {{ grow = {{}} }}, {{ adam = {{ steps = 1 }} }}]\n\
                 [conditions.physics]\nplace = \"interior\"\nresidual = [\"u_t - k*u_xx\", \"v_x*u - v_tt\"]\n\
                 points = 50\n[conditions.start]\nplace = \"t = 0\"\nresidual = \"u - x\"\npoints = 20\n"
            );
            let problem = Problem::parse(&text).expect("a problem");
            let reports =
                ["adam", "grow"].map(|name| StageReport { name: name.into(), ..StageReport::default() });
            let large = State { reports: reports.into(), ..State::default() }.grown(&problem);
            assert_eq!(large.conditions[0].points, 100);
            // Every trainable number is another than at the start.
            let mut theta = init::parameters(&problem).expect("a rule");
            theta.iter_mut().enumerate().for_each(|(i, value)| *value += 0.1 * (i as f64).sin());
            let wide = widened(&problem, &large, &theta);
            assert_eq!(wide.len(), large.parameters_in_all());
            assert!(wide.len() > 3 * theta.len() / 2, "{network}");
            assert_eq!(wide.last(), theta.last());
            let points = [0.1, 0.9, 0.5, 0.3, 0.77, 0.2];
            let residuals = |problem: &Problem, theta: &[f64]| {
                let mut engine = CpuEngine::<f64>::new(problem, 1, Isa::best()).expect("an engine");
                engine.residuals(theta, 0, &points, &[])
            };
            for (a, b) in residuals(&problem, &theta).iter().zip(residuals(&large, &wide)) {
                assert!((a - b).abs() <= 1e-12 * (1.0 + a.abs()), "{network}: {a} and {b}");
            }
        }
    }
}
