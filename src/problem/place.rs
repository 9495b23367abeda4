//! Coordinates, and where among them a condition's points lie.
//!
//! All that depends on the kind of a place is here: whoever uses one asks it, and matches on nothing.
//! It does not know residuals, samplers or engines.

use std::path::PathBuf;

use crate::expr::Digits;
use crate::jet::MAX_COORDINATES;

/// A coordinate and its domain.
#[derive(Clone, PartialEq, Debug)]
pub struct Coordinate {
    /// As written in the equations.
    pub name: String,
    /// Lower end.
    pub lower: f64,
    /// Upper end, above the lower one.
    pub upper: f64,
    /// For axis labels, empty if none.
    pub unit: String,
}

impl Coordinate {
    /// The coordinate mapped linearly to [−1, 1], as a formula.
    pub fn centred(&self) -> String {
        let (name, lower, upper) = (&self.name, self.lower, self.upper);
        if lower.is_nan() {
            // The domain is wrong, which has been reported.
            return name.clone();
        }
        let scale = 2.0 / (upper - lower);
        let shift = (upper + lower) / (upper - lower);
        let scaled = if scale == 1.0 { name.clone() } else { format!("{}*{name}", Digits(scale)) };
        match shift {
            0.0 => scaled,
            _ if shift > 0.0 => format!("{scaled} - {}", Digits(shift)),
            _ => format!("{scaled} + {}", Digits(-shift)),
        }
    }

    /// The k-th point of Halton's sequence, from k = 1 on, in the domain of some coordinates.
    pub(crate) fn spread(coordinates: &[Self], k: usize) -> Vec<f64> {
        const PRIMES: [usize; MAX_COORDINATES] = [2, 3, 5, 7, 11, 13, 17, 19];
        let along = |(c, base): (&Self, usize)| {
            let (mut rest, mut place, mut u) = (k, 1.0, 0.0);
            while rest > 0 {
                place /= base as f64;
                u += place * (rest % base) as f64;
                rest /= base;
            }
            c.lower + (c.upper - c.lower) * u
        };
        coordinates.iter().zip(PRIMES).map(along).collect()
    }
}

/// Where a condition's points lie.
#[derive(Clone, PartialEq, Debug)]
pub enum Place {
    /// The whole domain.
    Interior,
    /// One face or several, which share the points.
    Faces(Vec<Face>),
    /// Opposite faces of a coordinate, paired.
    Periodic {
        /// The coordinate along which the solution repeats.
        coordinate: usize,
    },
    /// Points read from a file.
    Points {
        /// Where they came from.
        path: PathBuf,
        /// One row of coordinates after the other.
        points: Vec<f64>,
        /// Names of the further columns.
        columns: Vec<String>,
        /// The further columns, each as long as there are points.
        data: Vec<Vec<f64>>,
    },
}

/// Where some coordinates have fixed values, such as `t = 0`: which ones, and the values.
pub type Face = Vec<(usize, f64)>;

impl Place {
    /// A single face.
    pub fn face(fixed: Face) -> Self {
        Self::Faces(vec![fixed])
    }

    /// Is it the whole domain?
    pub fn is_interior(&self) -> bool {
        matches!(self, Self::Interior)
    }

    /// Are points drawn here, as opposed to read from a file?
    pub fn is_drawn(&self) -> bool {
        !matches!(self, Self::Points { .. })
    }

    /// The coordinate along which both ends are linked, if there is one.
    pub fn periodic(&self) -> Option<usize> {
        match self {
            Self::Periodic { coordinate } => Some(*coordinate),
            _ => None,
        }
    }

    /// Linked points that one residual looks at: 2 where both ends of a coordinate are linked, else 1.
    pub fn sides(&self) -> usize {
        1 + usize::from(self.periodic().is_some())
    }

    /// The faces; none where the place is none.
    pub fn faces(&self) -> &[Face] {
        match self {
            Self::Faces(faces) => faces,
            _ => &[],
        }
    }

    /// Columns that come with the points: names, and a number for each point.
    pub fn columns(&self) -> (&[String], &[Vec<f64>]) {
        match self {
            Self::Points { columns, data, .. } => (columns, data),
            _ => (&[], &[]),
        }
    }

    /// The points of its file, one row of coordinates after the other; none where they are drawn.
    pub fn own_points(&self) -> &[f64] {
        match self {
            Self::Points { points, .. } => points,
            _ => &[],
        }
    }

    /// How many points (pairs, if it is periodic) there are, where the place has no extent in `coordinates` coordinates.
    pub fn isolated(&self, coordinates: usize) -> Option<usize> {
        match self {
            Self::Faces(faces) => faces.iter().all(|face| face.len() == coordinates).then_some(faces.len()),
            Self::Periodic { .. } => (coordinates == 1).then_some(1),
            Self::Interior | Self::Points { .. } => None,
        }
    }

    /// How many points a condition has here where its file does not say.
    pub fn usual_points(&self, coordinates: usize) -> usize {
        match self {
            Self::Interior => 2000,
            Self::Points { points, .. } => points.len() / coordinates,
            Self::Faces(_) | Self::Periodic { .. } => self.isolated(coordinates).unwrap_or(200),
        }
    }

    /// Does a row of coordinates lie where points are drawn? Paired faces have no single points.
    pub fn holds(&self, row: &[f64]) -> bool {
        match self {
            Self::Interior => true,
            Self::Faces(faces) => faces.iter().any(|face| face.iter().all(|&(i, x)| row[i] == x)),
            Self::Periodic { .. } | Self::Points { .. } => false,
        }
    }

    /// Moves rows of coordinates to where points are drawn, the faces taking them in turn; of paired ones to the lower.
    pub fn take(&self, coordinates: &[Coordinate], rows: &mut [f64]) {
        let lower = |i: usize| vec![vec![(i, coordinates[i].lower)]];
        let faces = self.periodic().map_or_else(|| self.faces().to_vec(), lower);
        for (row, face) in rows.chunks_exact_mut(coordinates.len()).zip(faces.iter().cycle()) {
            face.iter().for_each(|&(i, x)| row[i] = x);
        }
    }

    /// The boxes that `points` points are drawn from, and how many from each; a coordinate with equal bounds is fixed.
    ///
    /// Faces share the points evenly, whatever their areas are: coordinates have units of their own, so areas of faces
    /// in different directions cannot be compared.
    /// Where that leaves a rest, the first faces have one more.
    /// Periodic points are drawn on the lower face.
    pub fn boxes(&self, coordinates: &[Coordinate], points: usize) -> Vec<(Vec<(f64, f64)>, usize)> {
        let domain: Vec<_> = coordinates.iter().map(|c| (c.lower, c.upper)).collect();
        let fixed = |face: &[(usize, f64)]| {
            let mut bounds = domain.clone();
            face.iter().for_each(|&(i, value)| bounds[i] = (value, value));
            bounds
        };
        match self {
            Self::Interior | Self::Points { .. } => vec![(domain, points)],
            Self::Periodic { coordinate } => vec![(fixed(&[(*coordinate, domain[*coordinate].0)]), points)],
            Self::Faces(faces) => {
                let (each, rest) = (points / faces.len(), points % faces.len());
                let counts = (0..faces.len()).map(|i| each + usize::from(i < rest));
                faces.iter().map(|face| fixed(face)).zip(counts).collect()
            }
        }
    }

    /// The part of the place where a coordinate lies between `lower` and `upper`, if there is one; `coordinates` says how
    /// many numbers a point has.
    pub fn within(&self, coordinate: usize, lower: f64, upper: f64, coordinates: usize) -> Option<Self> {
        let span = lower..=upper;
        match self {
            Self::Interior | Self::Periodic { .. } => Some(self.clone()),
            Self::Faces(faces) => {
                let inside = |face: &&Face| face.iter().all(|(i, x)| *i != coordinate || span.contains(x));
                let faces: Vec<_> = faces.iter().filter(inside).cloned().collect();
                (!faces.is_empty()).then_some(Self::Faces(faces))
            }
            Self::Points { path, points, columns, data } => {
                let rows = points.chunks_exact(coordinates);
                let inside: Vec<bool> = rows.clone().map(|row| span.contains(&row[coordinate])).collect();
                let kept = |column: &[f64]| {
                    let values = column.iter().zip(&inside).filter(|(_, inside)| **inside);
                    values.map(|(value, _)| *value).collect()
                };
                let points: Vec<f64> = rows
                    .zip(&inside)
                    .filter(|(_, inside)| **inside)
                    .flat_map(|(row, _)| row)
                    .copied()
                    .collect();
                let data = data.iter().map(|column| kept(column)).collect();
                let (path, columns) = (path.clone(), columns.clone());
                (!points.is_empty()).then_some(Self::Points { path, points, columns, data })
            }
        }
    }

    /// For people: `interior`, `x = 0`, `x = 0 and x = 1`, `periodic x`, or a file's path.
    pub fn describe(&self, coordinates: &[Coordinate]) -> String {
        match self {
            Self::Interior => "interior".to_owned(),
            Self::Faces(faces) => {
                let faces: Vec<_> = faces.iter().map(|face| face_text(face, coordinates)).collect();
                faces.join(" and ")
            }
            Self::Periodic { coordinate } => format!("periodic {}", coordinates[*coordinate].name),
            Self::Points { path, .. } => path.display().to_string(),
        }
    }

    /// As problem files write it.
    pub(super) fn to_toml(&self, coordinates: &[Coordinate]) -> String {
        let quoted = |text: String| toml::Value::from(text).to_string();
        match self {
            Self::Points { .. } => format!("{{ file = {} }}", quoted(self.describe(coordinates))),
            Self::Faces(faces) if faces.len() > 1 => {
                let faces: Vec<_> = faces.iter().map(|face| quoted(face_text(face, coordinates))).collect();
                format!("[{}]", faces.join(", "))
            }
            _ => quoted(self.describe(coordinates)),
        }
    }
}

fn face_text(face: &[(usize, f64)], coordinates: &[Coordinate]) -> String {
    let parts: Vec<_> =
        face.iter().map(|(i, x)| format!("{} = {}", coordinates[*i].name, Digits(*x))).collect();
    parts.join(", ")
}
