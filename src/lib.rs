//! A physics-informed neural network (PINN) solver.
//!
//! A [problem] says which equations hold where; a [network] with an odd-sigmoid [activation] and weights from [init]
//! approximates the unknowns; an [engine] computes the loss, its gradient and predictions; an [optimizer](optim)
//! lowers the loss; [train](mod@train) runs the loop.
//! Most users want the program `pinn-solve`; this library is what it is made of.
//!
//! # Example
//!
//! Solves u′ = −u, u(0) = 1, and compares with e⁻ˣ.
//!
//! ```
//! use pinn::engine::cpu::{CpuEngine, Isa};
//! use pinn::problem::Document;
//! use pinn::evaluate::evaluate;
//! use pinn::score::Scorer;
//! use pinn::train::{Flow, State, train};
//!
//! let file = r#"
//!     [coordinates]
//!     x = [0, 1]
//!
//!     [unknowns]
//!     u = {}
//!
//!     [network]
//!     depth = 2
//!     width = 8
//!
//!     [training]
//!     stages = [{ lbfgs = { steps = 200 } }]
//!
//!     [conditions.physics]
//!     place = "interior"
//!     residual = "u_x + u"
//!     points = 50
//!
//!     [conditions.start]
//!     place = "x = 0"
//!     residual = "u - 1"
//!     points = 1
//!
//!     [reference]
//!     solution = { u = "exp(-x)" }
//! "#;
//! let (problem, _warnings) = Document::parse("decay.toml", file)?.build(".".as_ref())?;
//! let theta = pinn::init::parameters(&problem)?;
//! let mut engine = CpuEngine::<f64>::new(&problem, 1, Isa::best())?;
//! let scorer = Scorer::new(&problem);
//! let trained =
//!     train(&problem, scorer.as_ref(), &mut engine, State::new(theta), &mut |_| Flow::Continue).state;
//! let evaluation = evaluate(&problem, scorer.as_ref(), &mut engine, &trained.adapted, &trained.answer);
//! let error = evaluation.scores[0].expect("the problem has a reference").error();
//! assert!(error < 1e-3, "{error}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// The kernels expect it, each in its own file.
#![deny(unsafe_code)]

pub mod activation;
pub mod adapt;
pub mod breakdown;
pub mod engine;
pub mod evaluate;
pub mod expr;
pub mod init;
pub mod integrate;
pub mod jet;
pub mod limits;
pub mod network;
pub mod optim;
pub mod output;
pub mod points;
pub mod predict;
pub mod problem;
#[cfg(test)]
mod properties;
pub mod report;
pub mod rng;
pub mod run;
pub mod sample;
pub mod score;
pub mod settings;
pub mod signal;
pub mod simd;
pub mod solve;
pub mod sweep;
pub mod train;
pub mod trained;
pub mod uncertainty;
mod validation;
pub mod verify;
