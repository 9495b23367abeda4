//! The points that one residual looks at: those of its place, and those at which its integrals read networks.
//!
//! It knows formulas; it does not know where points come from, nor what is computed at them.

use std::borrow::Cow;

use super::model::{Condition, Formula, Problem};
use crate::expr::{FIRST_PLACE, Node};

/// From the points of a place to all that a formula looks at.
pub(crate) struct Linked {
    /// Coordinates of the places beside the point, one place after the other, over the point's own.
    places: Option<Formula>,
    sides: usize,
    scratch: Vec<f64>,
}

impl Linked {
    /// For a formula whose place gives `sides` points for each site.
    pub(crate) fn new(formula: &Formula, sides: usize) -> Self {
        if !formula.integrates() {
            return Self { places: None, sides, scratch: vec![] };
        }
        let roots: Vec<_> = formula.graph.places().concat();
        let (graph, roots) = formula.graph.extract(&roots);
        let sides = 1 + formula.graph.places().len();
        Self { places: Some(Formula { graph, roots }), sides, scratch: vec![] }
    }

    /// Points of a site, its own first.
    pub(crate) fn points(&self) -> usize {
        self.sides
    }

    /// Rows of all points of every site, from those that its place gives; `data` holds a number of every column for each
    /// site.
    pub(crate) fn rows<'a>(
        &mut self,
        rows: &'a [f64],
        dimensions: usize,
        data: &[Vec<f64>],
    ) -> Cow<'a, [f64]> {
        let Self { places: Some(places), scratch, sides } = self else { return Cow::Borrowed(rows) };
        let mut all = Vec::with_capacity(rows.len() * *sides);
        for (site, row) in rows.chunks_exact(dimensions).enumerate() {
            all.extend_from_slice(row);
            places.graph.eval(scratch, |node| match node {
                Node::Coordinate { coordinate, .. } => row.get(coordinate).copied().unwrap_or(f64::NAN),
                Node::Data(column) => {
                    data.get(column).and_then(|column| column.get(site)).copied().unwrap_or(f64::NAN)
                }
                _ => f64::NAN,
            });
            all.extend(places.roots.iter().map(|root| scratch[root.index()]));
        }
        Cow::Owned(all)
    }
}

/// Which of the points of a site a side of [`Node::Jet`] is.
pub(crate) fn point_of_side(side: usize) -> usize {
    if side < FIRST_PLACE { side } else { side - FIRST_PLACE + 1 }
}

impl Formula {
    /// Does it read networks at other places than its own points, as integrals do?
    pub fn integrates(&self) -> bool {
        self.graph.looks_elsewhere(&self.roots)
    }
}

impl Condition {
    /// Do its residuals hold integrals of what is solved for?
    pub fn integrates(&self) -> bool {
        self.residuals.integrates()
    }

    /// Points that go through the network for each residual.
    pub(crate) fn points_of_a_site(&self) -> usize {
        Linked::new(&self.residuals, self.sides()).points()
    }
}

impl Problem {
    /// Does it hold integrals of what is solved for?
    pub fn integrates(&self) -> bool {
        self.conditions.iter().any(Condition::integrates)
    }
}
