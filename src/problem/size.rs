//! How much an engine will need for a problem, which is known before there is an engine.

use super::model::{Condition, Formula};
use crate::expr::NodeId;
use crate::jet::JetSet;
use crate::limits::{MAX_OPERATIONS, MAX_POINT_NUMBERS};
use crate::settings::Training;

impl Formula {
    /// The derivatives that `jets` names of functions of the coordinates: one root for each channel and, within it,
    /// each function; `None` if they take more than [`MAX_OPERATIONS`].
    pub fn derivatives(&self, jets: &JetSet) -> Option<Self> {
        let functions = self.roots.len();
        let mut graph = self.graph.clone();
        let mut roots: Vec<NodeId> = vec![];
        for (channel, &index) in jets.indices().iter().enumerate() {
            for function in 0..functions {
                // Every derivative is the derivative of one that is already there, since the set is closed downward.
                let root = match index.coordinates().last() {
                    None => self.roots[function],
                    Some(coordinate) => {
                        let lower = index.minus(coordinate).and_then(|lower| jets.channel(lower));
                        let lower = lower.filter(|&lower| lower < channel);
                        let lower = lower.expect("a jet set is closed downward and sorted by order");
                        graph.derivative(roots[lower * functions + function], coordinate)
                    }
                };
                if graph.nodes().len() > MAX_OPERATIONS {
                    return None;
                }
                roots.push(root);
            }
        }
        Some(Self { graph, roots })
    }

    /// How many parts depend on the point alone and are read by others that do not: an engine keeps them for each point.
    fn columns(&self) -> usize {
        let nodes = self.graph.nodes();
        let varies = self.graph.varies();
        let mut kept = vec![false; nodes.len()];
        for (node, _) in nodes.iter().zip(&varies).filter(|(_, varies)| **varies) {
            node.operands().filter(|a| !varies[a.index()]).for_each(|a| kept[a.index()] = true);
        }
        kept.iter().filter(|kept| **kept).count()
    }
}

/// Do the points of `conditions` leave memory for anything else, with `features` in `coordinates` coordinates?
///
/// # Errors
///
/// What they take, and what to do.
pub(crate) fn check_points(
    conditions: &[Condition],
    features: usize,
    coordinates: usize,
    training: &Training,
) -> Result<(), String> {
    let mut numbers = 0.0;
    for condition in conditions {
        let channels = condition.jets.indices().len();
        let point = condition.points_of_a_site() * (coordinates + channels * features)
            + condition.residuals.columns();
        numbers += condition.points as f64 * point as f64;
        if let (true, Some(adaptive)) = (condition.place.is_interior(), &training.adaptive) {
            numbers += condition.points as f64 * (adaptive.pool * coordinates) as f64;
        }
    }
    if numbers <= MAX_POINT_NUMBERS {
        return Ok(());
    }
    Err(format!(
        "the points would take {numbers:.1e} numbers (coordinates, features and their derivatives), more than \
         {MAX_POINT_NUMBERS:.0e}; take fewer points, or draw new ones now and then with `resample`"
    ))
}
