//! What can be wrong with shapes, regions and meshes.

use core::ops::Range;

/// What is wrong; the text says what and, where it is not obvious, what to do.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Error {
    /// No shape is called so.
    #[error("no shape is called `{name}`")]
    UnknownShape {
        /// Where, in bytes of the region's formula.
        span: Range<usize>,
        /// The name.
        name: String,
    },
    /// A region's formula that cannot be read.
    #[error("{message}")]
    Syntax {
        /// Where, in bytes of the formula.
        span: Range<usize>,
        /// What is wrong.
        message: String,
    },
    /// Shapes of different dimensions in one formula.
    #[error("`{name}` has {}, and the shapes before it have {expected}", dimensions(*.found))]
    Dimension {
        /// Where, in bytes of the formula.
        span: Range<usize>,
        /// The shape.
        name: String,
        /// Its dimension.
        found: usize,
        /// That of those before it.
        expected: usize,
    },
    /// There is no such kind of shape.
    #[error("there is no shape `{0}`")]
    UnknownKind(String),
    /// A number that a shape does not have.
    #[error("a {kind} has no `{key}`: it has {known}")]
    UnknownNumber {
        /// The kind of shape.
        kind: &'static str,
        /// What was given.
        key: String,
        /// What it has.
        known: String,
    },
    /// A number that a shape needs.
    #[error("a {kind} needs `{key}`")]
    MissingNumber {
        /// The kind of shape.
        kind: &'static str,
        /// What is missing.
        key: &'static str,
    },
    /// Numbers that make no shape: negative radii, ends that coincide, what is not finite.
    #[error("`{key}` of the {kind} {problem}")]
    BadNumber {
        /// The kind of shape.
        kind: &'static str,
        /// Which of its numbers.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Two edges of a polygon that have a point in common and are no neighbours.
    #[error("the polygon crosses or touches itself: edges {first} and {second} meet near ({}, {})", .at[0], .at[1])]
    SelfCrossing {
        /// The number of an edge, from 1; edge k leads from point k to the next.
        first: usize,
        /// The number of the other.
        second: usize,
        /// About where.
        at: [f64; 2],
    },
    /// A surface or outline with a hole.
    #[error("the surface is open at {edges} edges; one of them is from {} to {}", place(.from), place(.to))]
    Open {
        /// How many edges belong to one face only.
        edges: usize,
        /// Where one of them begins.
        from: Vec<f64>,
        /// Where it ends.
        to: Vec<f64>,
    },
    /// Neighbouring faces that run in opposite senses.
    #[error("faces of the surface disagree about which side is outside, at the edge from {} to {}", place(.from), place(.to))]
    Disoriented {
        /// Where the edge begins.
        from: Vec<f64>,
        /// Where it ends.
        to: Vec<f64>,
    },
    /// A file that cannot be read.
    #[error("{0}")]
    File(String),
    /// A mesh has no part of that name.
    #[error("the mesh has no group `{name}`: it has {known}")]
    UnknownGroup {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The region holds no points.
    #[error("the region is empty")]
    Empty,
    /// The region has no end in some direction.
    #[error("the region has no end: join it (`&`) with a shape that has")]
    Unbounded,
    /// A formula's wall goes on where the box given for it ends, and nothing cuts it off before.
    #[error(
        "the shape by formula goes on beyond its box: give a larger box, or join it (`&`) with a shape inside it"
    )]
    BeyondBox,
    /// So little of the region's box is region that no points are found.
    #[error("only {accepted} of {tried} points of the region's box are inside: too few to draw from")]
    TooSmall {
        /// How many were inside.
        accepted: usize,
        /// Of how many.
        tried: usize,
    },
    /// A shape that is so large that its places are not told apart in the region.
    #[error(
        "`{name}` is {size:.1e} across, in a region of {whole:.1e}: where it cuts that is lost in rounding"
    )]
    Huge {
        /// Where, in bytes of the formula.
        span: Range<usize>,
        /// The shape.
        name: String,
        /// The diagonal of its box.
        size: f64,
        /// That of the region's.
        whole: f64,
    },
    /// A shape that is no more than a point beside the others.
    #[error("`{name}` is {size:.1e} across, in a region of {whole:.1e}: too small to be told from a point")]
    Tiny {
        /// Where, in bytes of the formula.
        span: Range<usize>,
        /// The shape.
        name: String,
        /// The diagonal of its box.
        size: f64,
        /// That of the region's.
        whole: f64,
    },
    /// Sizes whose squares are no numbers any more.
    #[error("the region is {0:.1e} across: choose a unit in which that is between 1e-50 and 1e50")]
    Extreme(f64),
    /// Nothing of a shape's wall is wall of the region.
    #[error("nothing is left of the wall of `{name}`: the combination removes it")]
    Removed {
        /// The shape.
        name: String,
    },
    /// A region without the wall asked for.
    #[error("{0}")]
    NoPart(String),
    /// Two regions have no wall in common.
    #[error("the two regions have no wall in common")]
    NoInterface,
    /// A normal was asked for where there is none.
    #[error("a normal is asked for at {}, which is not on the wall", place(.at))]
    NotOnWall {
        /// The place.
        at: Vec<f64>,
    },
}

fn dimensions(count: usize) -> String {
    if count == 1 { "1 dimension".into() } else { format!("{count} dimensions") }
}

fn place(x: &[f64]) -> String {
    // Files in single precision have no more digits.
    let short = |x: &f64| format!("{x:.5e}").parse::<f64>().unwrap_or(*x).to_string();
    let numbers: Vec<_> = x.iter().map(short).collect();
    format!("({})", numbers.join(", "))
}
