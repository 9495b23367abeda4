//! A physics-informed neural network solver.

pub mod activation;
pub mod engine;
pub mod expr;
pub mod init;
pub mod jet;
pub mod network;
pub mod optim;
pub mod problem;
pub mod rng;
pub mod run;
pub mod sample;
pub mod score;
pub mod settings;
pub mod simd;
pub mod train;
