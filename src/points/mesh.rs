//! The points of a mesh, as places of a problem: x, y and z are its coordinates in order, without time and what is fixed.

use super::{CHUNK, Chunk, Opened, Source, Wanted};
use crate::expr::listed;
use crate::output::{Layout, Mesh};

/// VTK's numbers for cells that are points, and for those that have faces of their own.
const VERTEX: u8 = 1;
const POLYHEDRON: u8 = 42;
/// The extent of a mesh along a direction in which it is flat, relative to its greatest: single precision's rounding.
const FLAT: f64 = 1e-6;

/// A mesh that was read.
pub(super) struct Read {
    pub(super) mesh: Mesh,
    /// Numbers at the points, by name: those that were asked for and are there.
    pub(super) arrays: Vec<(String, Vec<f64>)>,
}

/// The points of a mesh that a reader has put together, if it holds together.
pub(super) fn open(read: Read, wanted: &Wanted) -> Result<Opened, String> {
    let Read { mut mesh, arrays } = read;
    let count = mesh.points.len() / 3;
    if mesh.types.is_empty() {
        // Points alone are a cell each.
        (mesh.connectivity, mesh.offsets) = ((0..count as i64).collect(), (1..=count as i64).collect());
        mesh.types = vec![VERTEX; count];
    }
    check(&mesh)?;
    let array = |name: &String| arrays.iter().find(|(known, _)| known == name).map(|(_, values)| values);
    let mut columns = vec![];
    let mut component = 0;
    for (i, (name, fixed)) in wanted.coordinates.iter().zip(&wanted.fixed).enumerate() {
        columns.push(match (fixed, array(name)) {
            (Some(_), Some(_)) if wanted.time == Some(i) => {
                return Err(format!("its points have an array `{name}`, and --at fixes it as well"));
            }
            (Some(x), _) => vec![*x; count],
            (None, Some(values)) if wanted.time == Some(i) => values.clone(),
            (None, _) if wanted.time == Some(i) => {
                return Err(format!("a mesh has no `{name}`: fix it with --at {name}=0.5"));
            }
            _ if component == 3 => {
                let message = "a mesh has three directions: fix the other coordinates with --at";
                return Err(format!("{message} (the coordinates are {})", listed(&wanted.coordinates)));
            }
            _ => {
                component += 1;
                mesh.points.iter().skip(component - 1).step_by(3).copied().collect()
            }
        });
    }
    if let Some(extra) = (component..3).find(|&i| extends(&mesh.points, i)) {
        let free = wanted.coordinates.iter().zip(&wanted.fixed).enumerate();
        let free = free.filter(|&(i, (_, fixed))| wanted.time != Some(i) && fixed.is_none());
        let names: Vec<&String> = free.map(|(_, (name, _))| name).collect();
        return Err(format!(
            "its points extend along {}, for which there is no coordinate: x, y and z of a mesh are {} in this order",
            ["x", "y", "z"][extra],
            if names.is_empty() { "no coordinate here".to_owned() } else { listed(&names) }
        ));
    }
    let mut data = vec![];
    for name in &wanted.columns {
        let missing = || format!("its points have no array `{name}`, which a residual needs");
        data.push(array(name).ok_or_else(missing)?.clone());
    }
    if let Some(row) = (0..count).find(|&row| columns.iter().any(|column| !column[row].is_finite())) {
        return Err(format!("point {row} is not finite"));
    }
    let source = Box::new(Columns { columns, data, next: 0, count });
    Ok(Opened { layout: Layout::Mesh(mesh), count: Some(count), source })
}

/// Do points lie apart along `component`, rounding aside?
fn extends(points: &[f64], component: usize) -> bool {
    let extent = |component: usize| {
        let along = points.iter().skip(component).step_by(3);
        let (low, high) =
            along.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
        high - low
    };
    let greatest = (0..3).map(extent).fold(0.0, f64::max);
    extent(component) > FLAT * greatest
}

/// Do the cells fit the points?
fn check(mesh: &Mesh) -> Result<(), String> {
    let count = mesh.points.len() / 3;
    if let Some(at) = mesh.points.iter().position(|x| !x.is_finite()) {
        return Err(format!("point {} is not finite", at / 3));
    }
    if mesh.types.contains(&POLYHEDRON) {
        return Err(
            "it has polyhedra with faces of their own, which cannot be kept; write its points to a CSV file"
                .into(),
        );
    }
    let mut before = 0;
    let rising = mesh.offsets.iter().all(|&offset| {
        let rises = offset >= before;
        before = offset;
        rises
    });
    let fits = mesh.offsets.len() == mesh.types.len()
        && rising
        && before == mesh.connectivity.len() as i64
        && mesh.connectivity.iter().all(|&point| (0..count as i64).contains(&point));
    if fits { Ok(()) } else { Err("its cells do not fit its points; is the file whole?".into()) }
}

/// Columns in memory.
struct Columns {
    columns: Vec<Vec<f64>>,
    data: Vec<Vec<f64>>,
    next: usize,
    count: usize,
}

impl Source for Columns {
    fn next(&mut self, _: &Wanted) -> Result<Option<Chunk>, String> {
        let range = self.next..(self.next + CHUNK).min(self.count);
        if range.is_empty() {
            return Ok(None);
        }
        let points =
            range.clone().flat_map(|row| self.columns.iter().map(move |column| column[row])).collect();
        let data = self.data.iter().map(|column| column[range.clone()].to_vec()).collect();
        self.next = range.end;
        Ok(Some(Chunk { points, data }))
    }
}
