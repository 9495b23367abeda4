//! A physics-informed neural network (PINN) solver.
//!
//! A [`Problem`] says which equations hold where, in the language of [problem files](problem); [`solve`] trains the network
//! that it asks for; the [`Trained`] network has a value for its unknowns, their derivatives and any formula over them,
//! anywhere.
//! The program `pinn-solve` does the same from a command line, and the folders that it leaves can be loaded here.
//!
//! All numbers are in the problem's own units, and points are rows of coordinates in the order in which the problem lists
//! them: two points (x, t) are `[x₁, t₁, x₂, t₂]`.
//!
//! # Train
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let problem = pinn::Problem::read("heat")?; // a built-in problem, or the path of a file
//! # let mut problem = problem;
//! # problem.training.stages.iter_mut().for_each(|stage| stage.set_steps(50));
//! let mut trained = pinn::solve(&problem)?;
//! let u = trained.predict(&[0.25, 0.1, 0.5, 0.1])?; // at two points (x, t)
//! let score = trained.evaluation().scores[0].expect("heat has an exact solution");
//! println!("{u:?}, relative L2 error {:.1e}", score.error());
//! # assert!(score.error() < 0.1, "{score:?}");
//! # assert!((u[1] - (-0.01 * std::f64::consts::PI.powi(2)).exp()).abs() < 0.1, "{u:?}");
//! # Ok(())
//! # }
//! ```
//!
//! [`solve_with`] takes a number of threads, a folder for the run, and a function that sees every step.
//!
//! # Load and evaluate
//!
//! What `pinn-solve --problem heat --out output/heat` has left, or [`Options::folder`]:
//!
//! ```standalone_crate
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! # std::env::set_current_dir(&home)?;
//! # let mut problem = pinn::Problem::read("heat")?;
//! # problem.training.stages.iter_mut().for_each(|stage| stage.set_steps(20));
//! # let options = pinn::Options { folder: Some("output/heat".into()), ..pinn::Options::default() };
//! # let at = [0.25, 0.1, 0.5, 0.1];
//! # let expected = pinn::solve_with(&problem, options)?.predict(&at)?;
//! let mut trained = pinn::Trained::load("output/heat")?;
//! let points = [0.25, 0.1, 0.5, 0.1];
//! let u = trained.predict(&points)?;
//! let curvature = trained.evaluate(&trained.quantity("u_xx")?, &points, &[])?;
//! println!("{u:?} {curvature:?}");
//! # assert_eq!(u, expected);
//! # assert!(curvature.len() == 2 && curvature.iter().all(|x| x.is_finite()));
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! Every failure is a value that says what is wrong and what to do; mistakes in a problem file come all at once, each with
//! its line ([`Diagnostics`]).
//! The library prints nothing and writes nothing unless it is told where.
//! One seed gives the same bits at any number of threads.

// The kernels expect it, each in its own file.
#![deny(unsafe_code)]

mod activation;
mod adapt;
mod auto;
mod bands;
mod breakdown;
mod engine;
mod estimate;
mod evaluate;
mod export;
mod expr;
mod growth;
mod init;
mod integrate;
mod jet;
mod limits;
mod march;
mod network;
mod optim;
mod output;
mod page;
mod points;
mod predict;
pub mod problem;
#[cfg(test)]
mod properties;
mod ranks;
mod report;
mod rng;
mod rows;
mod run;
mod sample;
mod score;
pub mod settings;
mod signal;
mod simd;
mod solve;
mod sweep;
mod tabulated;
mod team;
mod tensor;
mod terms;
mod train;
mod trained;
mod uncertainty;
mod validation;
mod verdict;
mod verify;

pub use bands::Band;
pub use evaluate::Evaluation;
pub use problem::{Diagnostics, OpenError, Problem};
pub use run::RunOutcome;
pub use score::Score;
pub use solve::{Options, SolveError, solve, solve_with};
pub use train::{Flow, StageReport, StepReport};
pub use trained::{Quantity, Trained, TrainedError};
pub use uncertainty::{Combination, Estimate, Uncertainty};
pub use verdict::{Signs, Verdict, Word};
pub use verify::{Residual, Sites};

/// What the program, the tests, the benchmarks and the example `classify` need beyond the library's promises.
///
/// Nothing here is stable: a module or a name may change or go with any version.
#[doc(hidden)]
pub mod internals {
    macro_rules! doors {
        ($($module:ident)*) => {
            $(pub mod $module {
                pub use crate::$module::*;
            })*
        };
    }

    doors! {
        activation
        adapt
        auto
        breakdown
        engine
        estimate
        evaluate
        export
        expr
        init
        integrate
        jet
        limits
        march
        network
        optim
        output
        page
        points
        predict
        ranks
        report
        rng
        run
        sample
        score
        signal
        simd
        solve
        sweep
        team
        train
        trained
        uncertainty
        verdict
        verify
    }

    /// Burn, whose tensors and devices the portable engine takes.
    #[cfg(feature = "burn")]
    pub use burn;
}
