//! The network that is tried before a problem's own: trained for some steps, and taken if that is enough to see where it goes.
//!
//! It knows what a [`Solver`](super::Solver) knows, and nothing of what is tried; it writes nothing.

use super::{Settings, Solver, train_with};
use crate::problem::{Problem, Trial};
use crate::ranks::Ranks;
use crate::settings::Stage;
use crate::train::{Event, Flow, State};

/// Steps of the last stage after which the loss tells whether it is on its way, and the loss that it may have then.
const LOOK: usize = 30;
const ON_ITS_WAY: f64 = 1e-6;
/// Steps of the last stage in which it has to arrive, and the loss at fresh points where it has.
const STEPS: usize = 80;
const ARRIVED: f64 = 1e-16;

/// `problem`, or in its place the one to try, if that was made for it as it is and trains well.
///
/// Only the device `cpu` tries, as other devices have not the methods for it.
/// Ranks each try for themselves, and come to the same.
pub(super) fn settle(mut problem: Problem, settings: &Settings) -> Problem {
    let Some(trial) = problem.trial.take() else { return problem };
    let Trial { problem: mut other, instead_of } = *trial;
    if settings.device != "cpu" || instead_of != problem.digest() {
        return problem;
    }
    other.training.seed = problem.training.seed;
    if arrives(&other, settings) { other } else { problem }
}

/// Does a short training of it promise a long one that ends well?
fn arrives(problem: &Problem, settings: &Settings) -> bool {
    let mut short = problem.clone();
    short.reference = None;
    let training = &mut short.training;
    (training.tolerance, training.evaluate, training.goal) = (0.0, 0, ARRIVED);
    let before: usize = training.stages.iter().rev().skip(1).map(Stage::steps).sum();
    if let Some(last) = training.stages.last_mut() {
        last.set_steps(last.steps().min(STEPS));
    }
    let settings = Settings { ranks: Ranks::alone(), ..settings.clone() };
    // What cannot be tried is not taken.
    let Ok(Solver { problem, settings, theta, mut engine }) = Solver::new(short, settings) else {
        return false;
    };
    let look = &mut |event: Event| match event {
        Event::Stepped(step) if step.step == before + LOOK && step.loss > ON_ITS_WAY => Flow::Stop,
        _ => Flow::Continue,
    };
    let trained = train_with(&mut engine, &problem, None, &settings, State::new(theta), look);
    trained.is_ok_and(|trained| trained.outcome.state.chosen_measure <= ARRIVED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Adjustments;

    const SMOOTH: &str = "
        [coordinates]
        x = [0, 1]
        [unknowns]
        u = {}
        [conditions.physics]
        place = 'interior'
        residual = 'u_xx + exp(x)*sin(3*x)'
        [conditions.ends]
        place = 'boundary'
        residual = 'u'
    ";

    fn settled(problem: Problem, device: &str) -> Problem {
        let (threads, ranks) = (1, Ranks::alone());
        let settings = Settings {
            device: device.into(),
            threads,
            chunk: None,
            plots: false,
            page: false,
            quiet: true,
            estimate: false,
            ranks,
        };
        settle(problem, &settings)
    }

    fn smooth() -> Problem {
        Problem::parse(SMOOTH).unwrap()
    }

    #[test]
    fn it_takes_the_place_of_the_problem_where_the_solution_is_smooth() {
        let own = smooth();
        assert_eq!(own.network.activation, "tanh");
        let taken = settled(own.clone(), "cpu");
        assert_eq!((taken.network.activation.as_str(), taken.network.depth), ("sin(6*x)", 1));
        assert_eq!(taken.trial, None);
        // Another seed is another draw of the same.
        let mut another = own;
        another.training.seed = 5;
        let taken = settled(another, "cpu");
        assert_eq!((taken.network.activation.as_str(), taken.training.seed), ("sin(6*x)", 5));
    }

    #[test]
    fn the_problem_stays_where_it_is_steep() {
        let steep = SMOOTH.replace("exp(x)*sin(3*x)", "100*tanh(200*(x - 0.4))");
        let own = Problem::parse(&steep).unwrap();
        assert!(own.trial.is_some());
        let kept = settled(own.clone(), "cpu");
        assert_eq!(kept, Problem { trial: None, ..own });
    }

    #[test]
    fn nothing_is_tried_on_other_devices_or_where_something_was_changed_or_stated() {
        assert_eq!(settled(smooth(), "flex").network.activation, "tanh");
        let mut changed = smooth();
        changed.network.width += 1;
        assert_eq!(settled(changed, "cpu").network.activation, "tanh");
        let mut adjusted = smooth();
        let lr = Some(1e-3);
        Adjustments { lr, ..Adjustments::default() }.apply(&mut adjusted).unwrap();
        assert_eq!(adjusted.trial, None);
        for stated in ["[network]\nwidth = 24", "[training]\nresample = 100", "[training]\nprecision = 'f32'"]
        {
            assert_eq!(Problem::parse(&format!("{SMOOTH}\n{stated}")).unwrap().trial, None, "{stated}");
        }
    }
}
