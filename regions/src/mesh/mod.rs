//! Meshes: surfaces of triangles, and cells of the plane and of space, as shapes.
//!
//! A format is a file here.
//! Cells become the shape of their boundary: a face that belongs to one cell only is wall.
//! So any kind of cell will do, and what is inside is known as for surfaces.

mod msh;
mod obj;
mod stl;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use obj::obj;
pub use stl::stl;

use crate::shape::facets::{Facet, closed};
use crate::vector::{Vector, ZERO, distance, vector};
use crate::{Error, Shape};

/// The points of a surface that are closer than this share of its size are one, where it is open otherwise.
const WELD: f64 = 1e-6;
/// Files with more points or cells are refused.
const MAX_PARTS: usize = 50_000_000;

/// Cells of the plane or of space, and named groups of them and of their faces.
#[derive(Clone, Default, Debug)]
pub struct Mesh {
    dimension: usize,
    points: Vec<Vector>,
    /// Corners of each cell, and its group's number.
    cells: Vec<(Kind, Vec<usize>, i64)>,
    /// Corners of faces that a group names, and its number.
    faces: Vec<(Vec<usize>, i64)>,
    /// Names of groups by dimension and number.
    names: BTreeMap<(usize, i64), String>,
}

/// A kind of cell, by its corners.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Line,
    Triangle,
    Quad,
    Tetrahedron,
    Hexahedron,
    Prism,
    Pyramid,
}

impl Kind {
    fn dimension(self) -> usize {
        match self {
            Self::Line => 1,
            Self::Triangle | Self::Quad => 2,
            _ => 3,
        }
    }

    fn corners(self) -> usize {
        match self {
            Self::Line => 2,
            Self::Triangle => 3,
            Self::Quad | Self::Tetrahedron => 4,
            Self::Pyramid => 5,
            Self::Prism => 6,
            Self::Hexahedron => 8,
        }
    }

    /// Its faces by numbers of corners, outside to the right in the plane, counter-clockwise from outside in space.
    fn faces(self) -> &'static [&'static [usize]] {
        match self {
            Self::Line => &[],
            Self::Triangle => &[&[0, 1], &[1, 2], &[2, 0]],
            Self::Quad => &[&[0, 1], &[1, 2], &[2, 3], &[3, 0]],
            Self::Tetrahedron => &[&[0, 2, 1], &[0, 1, 3], &[1, 2, 3], &[2, 0, 3]],
            Self::Pyramid => &[&[0, 3, 2, 1], &[0, 1, 4], &[1, 2, 4], &[2, 3, 4], &[3, 0, 4]],
            Self::Prism => &[&[0, 2, 1], &[3, 4, 5], &[0, 1, 4, 3], &[1, 2, 5, 4], &[2, 0, 3, 5]],
            Self::Hexahedron => {
                &[&[0, 3, 2, 1], &[4, 5, 6, 7], &[0, 1, 5, 4], &[1, 2, 6, 5], &[2, 3, 7, 6], &[3, 0, 4, 7]]
            }
        }
    }

    /// The kind of a VTK cell, by its number there.
    fn vtk(number: u8) -> Option<Self> {
        Some(match number {
            3 | 21 => Self::Line,
            5 | 22 => Self::Triangle,
            9 | 23 | 28 => Self::Quad,
            10 | 24 => Self::Tetrahedron,
            12 | 25 | 29 => Self::Hexahedron,
            13 | 26 => Self::Prism,
            14 | 27 => Self::Pyramid,
            _ => return None,
        })
    }
}

impl Mesh {
    /// A mesh from the arrays of a VTK file: points of three numbers each, for each cell where its points end among
    /// `connectivity`, and its kind's number; other kinds than lines, triangles, quads, tetrahedra, hexahedra, wedges,
    /// pyramids and their quadratic brothers are left out.
    ///
    /// # Errors
    /// Numbers that do not fit, and a mesh without cells of the plane or of space.
    pub fn from_cells(
        points: &[f64],
        connectivity: &[i64],
        offsets: &[i64],
        types: &[u8],
    ) -> Result<Self, Error> {
        let wrong = || Error::File("its cells are wrong".into());
        let mut mesh = Self { points: points.chunks_exact(3).map(vector).collect(), ..Self::default() };
        let mut from = 0;
        for (&to, &kind) in offsets.iter().zip(types) {
            let to = usize::try_from(to).map_err(|_| wrong())?;
            let numbers = connectivity.get(from..to).ok_or_else(wrong)?;
            from = to;
            let Some(kind) = Kind::vtk(kind) else { continue };
            let corners =
                numbers.iter().take(kind.corners()).map(|&i| usize::try_from(i).map_err(|_| wrong()));
            mesh.cells.push((kind, corners.collect::<Result<_, _>>()?, 0));
        }
        mesh.checked()
    }

    /// Reads a Gmsh file, version 2.2 or 4.1, ASCII or binary; physical groups give parts and walls their names.
    ///
    /// # Errors
    /// [`Error::File`], which says what is wrong and about where.
    pub fn msh(bytes: &[u8]) -> Result<Self, Error> {
        msh::read(bytes)?.checked()
    }

    /// The number of dimensions: that of its largest cells.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The names of groups of cells, which [`shape`](Self::shape) knows; signs that are neither letters nor digits are
    /// underscores in names.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter(|((d, _), _)| *d == self.dimension).map(|(_, name)| &name[..])
    }

    /// The names of groups of faces, which are labels of walls.
    pub fn walls(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter(|((d, _), _)| *d + 1 == self.dimension).map(|(_, name)| &name[..])
    }

    /// All cells as a shape, or those of a group.
    ///
    /// # Errors
    /// [`Error::UnknownGroup`]; [`Error::Empty`], and cells that turn back into one another, as [`Error::Open`] or
    /// [`Error::Disoriented`].
    pub fn shape(&self, group: Option<&str>) -> Result<Shape, Error> {
        let numbers: Option<Vec<i64>> = group.map(|group| {
            let named = self.names.iter().filter(|((d, _), name)| *d == self.dimension && *name == group);
            named.map(|((_, number), _)| *number).collect()
        });
        if let (Some([]), Some(name)) = (numbers.as_deref(), group) {
            let known: Vec<_> = self.regions().collect();
            return Err(Error::UnknownGroup { name: name.into(), known: known.join(", ") });
        }
        let sorted = |corners: &[usize]| {
            let mut key = corners.to_vec();
            key.sort_unstable();
            key
        };
        // Faces by their corners; one that two cells have is no wall.
        let mut order = vec![];
        let mut faces: HashMap<Vec<usize>, (usize, Vec<usize>)> = HashMap::new();
        for (kind, corners, group) in &self.cells {
            let wanted = numbers.as_ref().is_none_or(|numbers| numbers.contains(group));
            if kind.dimension() != self.dimension || !wanted {
                continue;
            }
            let flipped = self.content(*kind, corners) < 0.0;
            for face in kind.faces() {
                let mut face: Vec<_> = face.iter().map(|&i| corners[i]).collect();
                if flipped {
                    face.reverse();
                }
                let key = sorted(&face);
                let entry = faces.entry(key.clone()).or_insert_with(|| {
                    order.push(key);
                    (0, face)
                });
                entry.0 += 1;
            }
        }
        let labels: HashMap<Vec<usize>, Arc<str>> = self
            .faces
            .iter()
            .filter_map(|(corners, group)| {
                let name = self.names.get(&(self.dimension - 1, *group))?;
                Some((sorted(corners), Arc::from(&name[..])))
            })
            .collect();
        let (mut facets, mut names) = (vec![], vec![]);
        for key in &order {
            let (1, face) = &faces[key] else { continue };
            let label = labels.get(key).cloned();
            for facet in fan(face) {
                facets.push(facet);
                names.push(label.clone());
            }
        }
        closed(self.dimension, self.points.clone(), facets, names, None)
    }

    /// Positive for a cell whose corners run as they should.
    fn content(&self, kind: Kind, corners: &[usize]) -> f64 {
        let middle =
            corners.iter().fold(ZERO, |sum, &i| core::array::from_fn(|k| sum[k] + self.points[i][k]));
        let middle = middle.map(|x| x / corners.len() as f64);
        let from = |i: usize| crate::vector::along(&self.points[corners[i]], -1.0, &middle);
        let cone = |face: &&[usize]| match face {
            [a, b] => from(*a)[0] * from(*b)[1] - from(*a)[1] * from(*b)[0],
            [a, rest @ ..] => rest
                .windows(2)
                .map(|two| crate::vector::dot(&from(*a), &crate::vector::cross(&from(two[0]), &from(two[1]))))
                .sum(),
            [] => 0.0,
        };
        kind.faces().iter().map(cone).sum()
    }

    /// The mesh, if its numbers fit; a flat one is one of the plane.
    fn checked(mut self) -> Result<Self, Error> {
        let file = |message: &str| Err(Error::File(message.into()));
        let dimension = self.cells.iter().map(|cell| cell.0.dimension()).max().unwrap_or(0);
        if dimension < 2 {
            return file("the mesh has no cells of the plane or of space");
        }
        let count = self.points.len();
        let fits = |corners: &[usize]| corners.iter().all(|&i| i < count);
        if self.cells.iter().any(|(kind, corners, _)| corners.len() != kind.corners() || !fits(corners)) {
            return file("a cell has points that the mesh does not have");
        }
        if !self.points.iter().all(|x| x.iter().all(|x| x.is_finite())) {
            return file("a point of the mesh is not finite");
        }
        if dimension == 2 {
            let first = self.points.first().map_or(0.0, |x| x[2]);
            let size = self.points.iter().flat_map(|x| &x[..2]).fold(0.0_f64, |most, x| most.max(x.abs()));
            if self.points.iter().any(|x| (x[2] - first).abs() > 1e-9 * size) {
                return file(
                    "the mesh is a surface in space: as a wall it needs cells inside, or an STL or OBJ file",
                );
            }
            self.points.iter_mut().for_each(|x| x[2] = 0.0);
        }
        for (kind, corners, group) in &self.cells {
            if kind.dimension() + 1 == dimension {
                self.faces.push((corners.clone(), *group));
            }
        }
        self.cells.retain(|cell| cell.0.dimension() == dimension);
        self.dimension = dimension;
        // Groups without a name are called by their number.
        let numbers = self.cells.iter().map(|cell| (dimension, cell.2));
        let numbers = numbers.chain(self.faces.iter().map(|face| (dimension - 1, face.1)));
        for (dimension, number) in numbers.filter(|(_, number)| *number != 0) {
            self.names.entry((dimension, number)).or_insert_with(|| number.to_string());
        }
        Ok(self)
    }
}

/// A group's name as formulas of regions hold it: letters, digits and underscores.
fn name(written: &str) -> String {
    written.trim().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
}

/// A face as facets: itself in the plane, triangles in space.
fn fan(face: &[usize]) -> Vec<Facet> {
    match face {
        [a, b] => vec![[*a, *b, *b]],
        [a, rest @ ..] => rest.windows(2).map(|two| [*a, two[0], two[1]]).collect(),
        [] => vec![],
    }
}

/// The body inside a surface of triangles; points that nearly coincide are joined if it is open otherwise.
fn surface(
    points: Vec<Vector>,
    triangles: Vec<Facet>,
    labels: Vec<Option<Arc<str>>>,
) -> Result<Shape, Error> {
    if triangles.is_empty() {
        return Err(Error::File("the surface has no triangles".into()));
    }
    if !points.iter().flatten().all(|x| x.is_finite()) {
        return Err(Error::File("a point of the surface is not finite".into()));
    }
    let bounds = crate::Bounds::around(3, points.iter().map(|x| &x[..]));
    let welded = |reach: f64| {
        let (points, numbers) = weld(&points, reach);
        let joined = triangles.iter().map(|triangle| triangle.map(|i| numbers[i]));
        let (facets, labels) = joined
            .zip(&labels)
            .filter(|([a, b, c], _)| a != b && b != c && c != a)
            .map(|(facet, label)| (facet, label.clone()))
            .unzip();
        closed(3, points, facets, labels, None)
    };
    match welded(0.0) {
        Err(first @ Error::Open { .. }) => welded(WELD * bounds.diagonal()).map_err(|_| first),
        other => other,
    }
}

/// Points without those within `reach` of an earlier one, and the new number of each.
fn weld(points: &[Vector], reach: f64) -> (Vec<Vector>, Vec<usize>) {
    let mut kept: Vec<Vector> = vec![];
    let mut cells: HashMap<[i64; 3], Vec<usize>> = HashMap::new();
    let mut exact: HashMap<[u64; 3], usize> = HashMap::new();
    let cell = |x: &Vector| [x[0], x[1], x[2]].map(|x| (x / (2.0 * reach)).floor() as i64);
    let mut number = |x: &Vector| {
        // Both zeros are one.
        let bits = [x[0], x[1], x[2]].map(|x| (x + 0.0).to_bits());
        if let Some(&known) = exact.get(&bits) {
            return known;
        }
        let mut found = None;
        if reach > 0.0 {
            let [i, j, k] = cell(x);
            let near = (0..27).map(|n| [i + n % 3 - 1, j + n / 3 % 3 - 1, k + n / 9 - 1]);
            found = near
                .filter_map(|cell| cells.get(&cell))
                .flatten()
                .copied()
                .find(|&known| distance(&kept[known], x) <= reach);
        }
        let number = found.unwrap_or_else(|| {
            kept.push(*x);
            if reach > 0.0 {
                cells.entry(cell(x)).or_default().push(kept.len() - 1);
            }
            kept.len() - 1
        });
        exact.insert(bits, number);
        number
    };
    let numbers = points.iter().map(&mut number).collect();
    (kept, numbers)
}
