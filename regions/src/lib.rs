//! Regions of space: shapes, what combines them, and their walls.
//!
//! A [`Shape`] is a disk, a box, a mesh; a [`Region`] is a formula over named shapes, `plate - hole + a & b`.
//! A region knows its bounds, what is inside, its measure, and its [`Wall`]s; a wall knows its measure, and maps the unit
//! cube onto itself so that equal volumes go to equal measures, each point with the normal that points out of the region.
//! [`Gate`]s are formulas that vanish on walls, for conditions that shall hold exactly.
//!
//! It knows nothing of equations, networks, files of problems or time: what moves is built anew for each time,
//! and what a formula says comes in through [`Level`].
//!
//! Shapes have 1 to [`MAX_DIMENSION`] dimensions; lengths are in the caller's units, angles in radians.
#![warn(missing_docs)]

mod along;
mod bounds;
mod error;
mod gate;
mod hole;
mod mesh;
mod outline;
mod patch;
mod region;
pub mod shape;
mod symbolic;
mod tree;
mod vector;
mod wall;

#[cfg(test)]
mod tests;

pub use bounds::Bounds;
pub use error::Error;
pub use gate::Gate;
pub use hole::Hole;
pub use mesh::{Mesh, obj, stl};
pub use outline::Outline;
pub use patch::facet_rule;
pub use region::{Inside, Keep, Measure, Region, Shapes, spread};
pub use shape::{Level, Shape};
pub use vector::{MAX_DIMENSION, Vector};
pub use wall::{Piece, Predicate, Select, Spot, Wall};
