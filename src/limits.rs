//! How much of everything there may be: every size that an input chooses is held against these numbers before memory or
//! time is spent on it.
//!
//! The problem-file reference lists them for users.
//! What a structure cannot hold ([`MAX_COORDINATES`](crate::jet::MAX_COORDINATES),
//! [`MAX_ORDER`](crate::jet::MAX_ORDER), an activation's terms) and what a method cannot do (dense matrices) is limited
//! where that structure or method is.

use core::ops::RangeInclusive;

/// Bytes of a problem file or a configuration; numbers in bulk belong in tables.
pub const MAX_TEXT: usize = 1 << 20;
/// Bytes of a file that the folder of a run has a copy of.
pub const MAX_KEPT: u64 = 1 << 26;
/// Mistakes that are reported for one file.
pub const MAX_MISTAKES: usize = 50;

/// Characters of a message.
pub const MAX_MESSAGE: usize = 500;

/// Bytes of a formula.
pub const MAX_FORMULA: usize = 1 << 16;
/// How deep parentheses may be nested.
pub const MAX_NESTING: usize = 100;
/// How many operations may wait for one another: the depth of a syntax tree, which functions that walk it recurse to.
pub const MAX_HEIGHT: usize = 1000;
/// Numbers, names and signs of a formula's sums when they are written out.
pub const MAX_WRITTEN_OUT: usize = 400_000;
/// Mistakes that are reported for one formula.
pub const MAX_FORMULA_MISTAKES: usize = 8;
/// Formulas of a problem, single numbers among them.
pub const MAX_FORMULAS: usize = 1000;
/// Places besides the point itself at which the formulas of a problem read its networks.
pub const MAX_PLACES: usize = 4000;
/// Operations of all formulas of a problem, derivatives among them.
pub const MAX_OPERATIONS: usize = 200_000;
/// Operations times points at which a reference solution is tried before training.
pub const MAX_TRIALS: f64 = 1e8;

/// Functions of a problem that files give.
pub const MAX_TABLES: usize = 64;
/// Unknowns of a problem.
pub const MAX_UNKNOWNS: usize = 64;
/// Conditions of a problem.
pub const MAX_CONDITIONS: usize = 256;
/// Windows of time that a problem is cut into.
pub const WINDOWS: RangeInclusive<usize> = 1..=1000;
/// Collocation points of one condition.
pub const POINTS: RangeInclusive<usize> = 1..=100_000_000;
/// Numbers that an engine keeps for all points of a problem, and candidates for adaptive points: 4 GB.
pub const MAX_POINT_NUMBERS: f64 = 5e8;
/// Points to which a default grid is refined where the reference solution asks for it.
pub const MAX_REFINED_GRID: usize = 200_000;
/// Points at which an answer is measured.
pub const MAX_GRID: usize = 10_000_000;
/// Points of a grid at which a trained network is asked: a day of two cores.
pub const MAX_ASKED: usize = 100_000_000_000;

/// Hidden layers.
pub const MAX_DEPTH: usize = 1_000_000;
/// Neurons of a layer.
pub const MAX_WIDTH: usize = 65_536;
/// Neurons in all, depth × width.
pub const MAX_NEURONS: f64 = 1e6;
/// Weights and biases in all: 800 MB in double precision.
pub const MAX_PARAMETERS: f64 = 1e8;
/// Bytes that the threads of the fused engine keep of the layers of one block each.
pub const MAX_WORKSPACE: f64 = 16e9;
/// Numbers of the fused engine's partial gradients, which are summed in groups: 4 GB.
pub const MAX_PARTIAL_NUMBERS: usize = 500_000_000;
/// Steps of a stage.
pub const MAX_STEPS: usize = 1_000_000_000;
/// Numbers of an optimizer's curvature pairs: 4 GB.
pub const MAX_HISTORY_NUMBERS: f64 = 5e8;
/// Threads of an engine.
pub const MAX_THREADS: usize = 1024;

/// Bytes of a table of numbers.
pub const MAX_TABLE_BYTES: u64 = 1 << 28;
/// Numbers of a table.
pub const MAX_TABLE_NUMBERS: usize = 20_000_000;
/// Columns of a table.
pub const MAX_TABLE_COLUMNS: usize = 1000;
/// Bytes of a line of a table.
pub const MAX_LINE: usize = 1 << 20;
/// Bytes of a mesh's file.
pub const MAX_MESH_BYTES: u64 = 1 << 30;
/// Numbers of one of a mesh's arrays: 800 MB.
pub const MAX_MESH_NUMBERS: usize = 100_000_000;
/// Bytes of a checkpoint: several vectors of as many numbers as there may be parameters.
pub const MAX_CHECKPOINT_BYTES: u64 = 1 << 36;

/// Runs of a sweep.
pub const MAX_RUNS: usize = 100_000;
/// Axes of a sweep.
pub const MAX_AXES: usize = 32;
/// Values of a range.
pub const MAX_VALUES: usize = 10_000;
/// How many configurations may extend one another.
pub const MAX_EXTENDS: usize = 8;

/// Times up to which the spectral solution of the Allen–Cahn equation is computed: 200,000 steps.
pub const MAX_ALLEN_CAHN_TIME: f64 = 100.0;
