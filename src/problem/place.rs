//! Coordinates, and where among them a condition's points lie.
//!
//! All that depends on the kind of a place is here: whoever uses one asks it, and matches on nothing.
//! It does not know residuals, samplers or engines.

use std::path::PathBuf;

use super::geometry::{Body, Boundary, Geometry};
use crate::expr::{Digits, Nodes, Rule, is_time, rule, rule_size};
use crate::limits::MAX_PLACES;

/// Coordinates up to which a face is seen by as many points as in the plane.
const FEW_COORDINATES: usize = 4;

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
    /// How far it is beyond `at`, as a factor of a formula.
    pub(crate) fn beyond(&self, at: f64) -> String {
        match at {
            0.0 => self.name.clone(),
            _ if at < 0.0 => format!("({} + {})", self.name, Digits(-at)),
            _ => format!("({} - {})", self.name, Digits(at)),
        }
    }

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

    /// The k-th point, from k = 1 on, of a sequence that fills the domain of some coordinates: Halton's along the first
    /// eight, Richtmyer's along the others, where digits in large bases would rise together.
    pub(crate) fn spread(coordinates: &[Self], k: usize) -> Vec<f64> {
        const BASES: [usize; 8] = [2, 3, 5, 7, 11, 13, 17, 19];
        let halton = |base: usize| {
            let (mut rest, mut place, mut u) = (k, 1.0, 0.0);
            while rest > 0 {
                place /= base as f64;
                u += place * (rest % base) as f64;
                rest /= base;
            }
            u
        };
        let is_prime = |n: &usize| (2..).take_while(|i| i * i <= *n).all(|i| !n.is_multiple_of(i));
        let richtmyer = (20..).filter(is_prime).map(|prime| (k as f64 * (prime as f64).sqrt()).fract());
        let along = |(c, u): (&Self, f64)| c.lower + (c.upper - c.lower) * u;
        coordinates.iter().zip(BASES.into_iter().map(halton).chain(richtmyer)).map(along).collect()
    }
}

/// Where a condition's points lie.
#[derive(Clone, PartialEq, Debug)]
pub enum Place {
    /// The whole domain.
    Interior,
    /// A part of space.
    Inside(Body),
    /// Walls, which share the points by their measures.
    Walls(Vec<Boundary>),
    /// One face or several, which share the points.
    Faces(Vec<Face>),
    /// Opposite faces of a coordinate, or walls that lie there, paired.
    Periodic {
        /// The coordinate along which the solution repeats.
        coordinate: usize,
        /// In a domain of shapes the walls at its lower and at its upper end; none in a box.
        walls: Vec<Boundary>,
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

/// More faces than this are not listed where they are all there are.
const MOST_LISTED: usize = 16;

/// The faces at both ends of every coordinate that is not time.
pub(super) fn boundary(coordinates: &[Coordinate]) -> Vec<Face> {
    let space = coordinates.iter().enumerate().filter(|(_, c)| !is_time(&c.name));
    space.flat_map(|(i, c)| [vec![(i, c.lower)], vec![(i, c.upper)]]).collect()
}

impl Place {
    /// A single face.
    pub fn face(fixed: Face) -> Self {
        Self::Faces(vec![fixed])
    }

    /// Is it the whole domain, or a part of it that has a volume?
    pub fn is_interior(&self) -> bool {
        matches!(self, Self::Interior | Self::Inside(_))
    }

    /// Are points drawn here, as opposed to read from a file?
    pub fn is_drawn(&self) -> bool {
        !matches!(self, Self::Points { .. })
    }

    /// The coordinate along which both ends are linked, if there is one.
    pub fn periodic(&self) -> Option<usize> {
        match self {
            Self::Periodic { coordinate, .. } => Some(*coordinate),
            _ => None,
        }
    }

    /// The walls that are linked, at the lower and at the upper end; none where the place is none, or the domain is a box.
    pub fn linked(&self) -> &[Boundary] {
        match self {
            Self::Periodic { walls, .. } => walls,
            _ => &[],
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

    /// The walls; none where the place is none.
    pub fn walls(&self) -> &[Boundary] {
        match self {
            Self::Walls(walls) => walls,
            _ => &[],
        }
    }

    /// Is it a face, or several, that all run along a coordinate, whose value they do not fix?
    pub fn runs_along(&self, coordinate: usize) -> bool {
        let runs = |face: &Face| face.iter().all(|(fixed, _)| *fixed != coordinate);
        !self.faces().is_empty() && self.faces().iter().all(runs)
    }

    /// The part of space that it is; `None` where it is no such part.
    pub fn body(&self) -> Option<&Body> {
        match self {
            Self::Inside(body) => Some(body),
            _ => None,
        }
    }

    /// How many faces or walls share the points, and what they are.
    pub fn sharing(&self) -> (&'static str, usize) {
        match self {
            Self::Walls(walls) => ("wall", walls.len()),
            _ => ("face", self.faces().len()),
        }
    }

    /// Names of the columns that come with the points: those of its file, or the components of a wall's normal.
    pub fn columns(&self) -> &[String] {
        match self {
            Self::Points { columns, .. } => columns,
            Self::Walls(walls) => walls[0].normal(),
            _ => &[],
        }
    }

    /// The coordinates that the components of the normal are along, which are its columns; none but on walls.
    pub fn normal(&self) -> &[usize] {
        match self {
            Self::Walls(walls) => walls[0].axes(),
            _ => &[],
        }
    }

    /// The columns of its file, a number for each point; none where points are drawn.
    pub fn own_data(&self) -> &[Vec<f64>] {
        match self {
            Self::Points { data, .. } => data,
            _ => &[],
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
            Self::Walls(walls) if coordinates == 1 => walls.iter().map(Boundary::isolated).sum(),
            Self::Periodic { .. } => (coordinates == 1).then_some(1),
            Self::Interior | Self::Inside(_) | Self::Walls(_) | Self::Points { .. } => None,
        }
    }

    /// How many points a condition has here where its file does not say.
    pub fn usual_points(&self, coordinates: usize) -> usize {
        match self {
            Self::Interior | Self::Inside(_) => 2000,
            Self::Points { points, .. } => points.len() / coordinates,
            // Of many faces each has some, and in many coordinates there is more of a face to see.
            Self::Faces(_) | Self::Walls(_) | Self::Periodic { .. } => {
                let (least, each) = if coordinates > FEW_COORDINATES { (1000, 100) } else { (200, 10) };
                self.isolated(coordinates).unwrap_or(least.max(each * self.faces().len()))
            }
        }
    }

    /// Does a row of coordinates lie where points are drawn? Paired faces have no single points; of walls it is not told.
    pub fn holds(&self, row: &[f64]) -> bool {
        match self {
            Self::Interior => true,
            Self::Inside(body) => body.contains(row),
            Self::Faces(faces) => faces.iter().any(|face| face.iter().all(|&(i, x)| row[i] == x)),
            Self::Walls(_) | Self::Periodic { .. } | Self::Points { .. } => false,
        }
    }

    /// Moves rows of coordinates to where points are drawn, faces and walls taking them in turn; of paired faces to the
    /// lower. Those that cannot be moved into a body, or onto a wall that is not there at their time, are left out.
    pub fn take(&self, coordinates: &[Coordinate], rows: &mut Vec<f64>) {
        let length = coordinates.len();
        match self {
            Self::Inside(body) => {
                let inside = rows.chunks_exact(length).filter(|row| body.contains(row));
                *rows = inside.flatten().copied().collect();
            }
            Self::Walls(walls) => onto_walls(walls, coordinates, rows),
            Self::Periodic { coordinate, walls } => {
                if let Some(lower) = walls.first() {
                    onto_walls(core::slice::from_ref(lower), coordinates, rows);
                }
                rows.chunks_exact_mut(length)
                    .for_each(|row| row[*coordinate] = coordinates[*coordinate].lower);
            }
            _ => {
                for (row, face) in rows.chunks_exact_mut(length).zip(self.faces().iter().cycle()) {
                    face.iter().for_each(|&(i, x)| row[i] = x);
                }
            }
        }
    }

    /// The parts that `points` points are drawn from, in a domain with `coordinates` and perhaps shapes.
    ///
    /// Faces share the points evenly, whatever their areas are: coordinates have units of their own, so areas of faces
    /// in different directions cannot be compared.
    /// Where that leaves a rest, the first faces have one more.
    /// Walls share them by length or area, and each has one at least if there are so many.
    /// Periodic points are drawn on the lower face.
    pub fn parts<'a>(
        &'a self,
        coordinates: &[Coordinate],
        geometry: Option<&'a Geometry>,
        points: usize,
    ) -> Vec<Part<'a>> {
        let domain: Vec<_> = coordinates.iter().map(|c| (c.lower, c.upper)).collect();
        let fixed = |face: &[(usize, f64)]| {
            let mut bounds = domain.clone();
            face.iter().for_each(|&(i, value)| bounds[i] = (value, value));
            bounds
        };
        let within = |bounds: Vec<(f64, f64)>, body: Option<&'a Body>, points| {
            // Where all of space is fixed, it is said where the points are.
            let body = body.filter(|body| body.bounds().any(|(i, _)| bounds[i].0 != bounds[i].1));
            match body {
                Some(body) => Part { bounds: body.narrowed(bounds), points, onto: Onto::Body(body) },
                None => Part { bounds, points, onto: Onto::Box },
            }
        };
        let space = geometry.map(|geometry| &geometry.domain);
        match self {
            Self::Interior | Self::Points { .. } => vec![within(domain, space, points)],
            Self::Inside(body) => vec![within(domain, Some(body), points)],
            Self::Periodic { coordinate, walls } => match walls.first() {
                Some(lower) => vec![Part { bounds: lower.unit(domain), points, onto: Onto::Wall(lower) }],
                None => vec![within(fixed(&[(*coordinate, domain[*coordinate].0)]), space, points)],
            },
            Self::Faces(faces) => {
                let (each, rest) = (points / faces.len(), points % faces.len());
                let counts = (0..faces.len()).map(|i| each + usize::from(i < rest));
                faces.iter().zip(counts).map(|(face, count)| within(fixed(face), space, count)).collect()
            }
            Self::Walls(walls) => {
                let measures: Vec<f64> = walls.iter().map(Boundary::measure).collect();
                let counts = shares(&measures, points);
                let part = |(wall, points): (&'a Boundary, usize)| Part {
                    bounds: wall.unit(domain.clone()),
                    points,
                    onto: Onto::Wall(wall),
                };
                walls.iter().zip(counts).map(part).collect()
            }
        }
    }

    /// How an integral over the place is computed: over all of space that it does not fix, while other coordinates, such as
    /// time, stay those of the point; or message and hint. `nodes` are as many along every direction, or of all where the
    /// place has three or more.
    pub(crate) fn rule(
        &self,
        coordinates: &[Coordinate],
        geometry: Option<&Geometry>,
        nodes: Nodes,
    ) -> Result<Rule, (String, String)> {
        let text = self.describe(coordinates);
        let wrong = |message: String, hint: &str| Err((message, hint.to_owned()));
        if !self.is_drawn() || self.periodic().is_some() {
            let hint =
                "it is over `interior`, `boundary`, a face such as `x = 1`, or a wall or a region of shapes";
            return wrong(format!("no integral is over `{text}`"), hint);
        }
        if geometry.is_some_and(Geometry::moves) {
            let hint =
                "ask for it when the network is trained: `pinn-solve predict RUN --integral … --over …`";
            return wrong(
                "shapes of the domain move, and an integral over a place has fixed nodes".to_owned(),
                hint,
            );
        }
        let in_space = |i: &usize| match geometry {
            Some(geometry) => geometry.domain.bounds().any(|(axis, _)| axis == *i),
            None => !is_time(&coordinates[*i].name),
        };
        let space: Vec<usize> = (0..coordinates.len()).filter(in_space).collect();
        if space.is_empty() {
            let name = &coordinates[0].name;
            return wrong(
                format!("`{text}` has no coordinates of space"),
                &format!("write the ends: `{name} = a..b`"),
            );
        }
        let parts = self.parts(coordinates, geometry, 0);
        // How often its number of nodes is multiplied: along two directions, or not.
        let power = |part: &Part<'_>| match part.onto {
            Onto::Box => {
                let free = space.iter().filter(|i| part.bounds[**i].0 < part.bounds[**i].1).count();
                if free == 2 { 2 } else { 1 }
            }
            Onto::Body(_) if space.len() == 2 => 2,
            Onto::Wall(wall) if space.len() == 3 && !wall.shares_nodes() => 2,
            Onto::Body(_) | Onto::Wall(_) => 1,
        };
        let too_many = |places: usize, asked: Option<usize>| {
            let message = format!("the integral over `{text}` takes {places} places, more than {MAX_PLACES}");
            // Where none are asked for, nobody knows from how many on there are too many.
            let Some(asked) = asked else { return wrong(message, "take fewer `nodes`") };
            let greatest = parts.iter().map(&power).max().unwrap_or(1);
            let most = asked as f64 * (MAX_PLACES as f64 / places as f64).powf(1.0 / f64::from(greatest));
            let each = if greatest == 2 { " along every line" } else { "" };
            wrong(message, &format!("take fewer `nodes`, here at most {most:.0}{each}"))
        };
        // As many as there are at the least, before there is memory for them.
        if let Some(asked) = nodes.asked {
            let least = |part: &Part<'_>| nodes.or(asked).saturating_pow(power(part));
            let least = parts.iter().map(least).fold(0, usize::saturating_add);
            if least > MAX_PLACES {
                return too_many(least, Some(asked));
            }
        }
        // Many faces share what one of them may have.
        let shared = MAX_PLACES / parts.len().max(1);
        let usual = rule_size(space.len().saturating_sub(1), nodes);
        let nodes = match nodes.asked {
            None if parts.len() > 1 && parts.iter().all(|part| power(part) == 1) && usual > shared => {
                Nodes { asked: Some((shared as f64 / nodes.times.max(1.0)) as usize), ..nodes }
            }
            _ => nodes,
        };
        let mut rule = Rule { normal: self.normal_names().to_vec(), ..Rule::default() };
        for part in &parts {
            let fixed = (0..coordinates.len())
                .filter(|i| part.bounds[*i].0 == part.bounds[*i].1 && !space.contains(i));
            rule.axes = space.iter().copied().chain(fixed.clone()).collect();
            let along: Vec<(Vec<f64>, f64)> = match part.onto {
                Onto::Box => {
                    let sides: Vec<(f64, f64)> = space.iter().map(|&i| part.bounds[i]).collect();
                    in_box(&sides, nodes)
                }
                Onto::Body(body) => body.rule(nodes),
                Onto::Wall(wall) => wall.rule(nodes),
            };
            let others: Vec<f64> = fixed.map(|i| part.bounds[i].0).collect();
            rule.nodes.extend(along.into_iter().map(|(mut values, weight)| {
                values.splice(space.len()..space.len(), others.iter().copied());
                (values, weight)
            }));
        }
        if rule.nodes.len() > MAX_PLACES {
            return too_many(rule.nodes.len(), nodes.asked);
        }
        if rule.nodes.is_empty() {
            return wrong(format!("of so few nodes, none lies in `{text}`"), "take more `nodes`");
        }
        Ok(rule)
    }

    /// Names of the normal's components; none but on walls.
    fn normal_names(&self) -> &[String] {
        self.walls().first().map_or(&[], Boundary::normal)
    }

    /// The part of the place where a coordinate lies between `lower` and `upper`, if there is one; `coordinates` says how
    /// many numbers a point has.
    pub fn within(&self, coordinate: usize, lower: f64, upper: f64, coordinates: usize) -> Option<Self> {
        let span = lower..=upper;
        match self {
            Self::Interior | Self::Inside(_) | Self::Walls(_) | Self::Periodic { .. } => Some(self.clone()),
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

    /// For people: `interior`, `region hole`, `wall of hole`, `x = 0`, `x = 0 and x = 1`, `periodic x`, or a file's path.
    pub fn describe(&self, coordinates: &[Coordinate]) -> String {
        match self {
            Self::Interior => "interior".to_owned(),
            Self::Inside(body) => format!("region {}", body.written),
            Self::Faces(faces) if faces.len() > MOST_LISTED && self.is_boundary(coordinates) => {
                format!("boundary, {} faces", faces.len())
            }
            Self::Walls(_) | Self::Faces(_) => self.listed(coordinates).join(" and "),
            Self::Periodic { coordinate, .. } => format!("periodic {}", coordinates[*coordinate].name),
            Self::Points { path, .. } => path.display().to_string(),
        }
    }

    /// As problem files write it.
    pub(super) fn to_toml(&self, coordinates: &[Coordinate]) -> String {
        let quoted = |text: String| toml::Value::from(text).to_string();
        match self {
            Self::Points { .. } => format!("{{ file = {} }}", quoted(self.describe(coordinates))),
            Self::Faces(faces) if faces.len() > MOST_LISTED && self.is_boundary(coordinates) => {
                quoted("boundary".to_owned())
            }
            _ => match &self.listed(coordinates)[..] {
                [] | [_] => quoted(self.describe(coordinates)),
                several => {
                    let several: Vec<_> = several.iter().cloned().map(quoted).collect();
                    format!("[{}]", several.join(", "))
                }
            },
        }
    }

    /// Is it all faces in space, as `boundary` gives them?
    fn is_boundary(&self, coordinates: &[Coordinate]) -> bool {
        self.faces().iter().eq(&boundary(coordinates))
    }

    /// Its faces or walls, as they are written.
    fn listed(&self, coordinates: &[Coordinate]) -> Vec<String> {
        match self {
            Self::Faces(faces) => faces.iter().map(|face| face_text(face, coordinates)).collect(),
            Self::Walls(walls) => walls.iter().map(|wall| wall.written.clone()).collect(),
            _ => vec![],
        }
    }
}

/// A part of a place: a box that points are drawn in, and what becomes of them.
pub struct Part<'a> {
    /// The box; a coordinate with equal ends is fixed.
    pub bounds: Vec<(f64, f64)>,
    /// How many points of it are wanted.
    pub points: usize,
    /// Where they go.
    pub onto: Onto<'a>,
}

/// What points of a box are for.
pub enum Onto<'a> {
    /// They are what is asked for.
    Box,
    /// Those inside are.
    Body(&'a Body),
    /// They say where on a wall.
    Wall(&'a Boundary),
}

impl Part<'_> {
    /// What becomes of a row of coordinates in the box: whether it belongs to the part, and the normal there, its
    /// components being added to `normal`, one column each.
    pub fn settle(&self, row: &mut [f64], normal: &mut Vec<Vec<f64>>) -> bool {
        match self.onto {
            Onto::Box => true,
            Onto::Body(body) => body.contains(row),
            Onto::Wall(wall) => {
                let Some(found) = wall.settle(row) else { return false };
                normal.resize(wall.axes().len(), vec![]);
                normal.iter_mut().zip(found).for_each(|(column, x)| column.push(x));
                true
            }
        }
    }
}

/// Nodes and weights in a box, some of whose sides may be points.
fn in_box(sides: &[(f64, f64)], nodes: Nodes) -> Vec<(Vec<f64>, f64)> {
    let free = || sides.iter().filter(|(lower, upper)| lower != upper);
    let size: f64 = free().map(|(lower, upper)| upper - lower).product();
    let unit = if free().count() == 0 { vec![(vec![], 1.0)] } else { rule(free().count(), nodes) };
    let node = |(unit, weight): (Vec<f64>, f64)| {
        let mut unit = unit.into_iter();
        let along = sides.iter().map(|&(lower, upper)| match lower == upper {
            true => lower,
            false => lower + (upper - lower) * unit.next().unwrap_or(0.5),
        });
        (along.collect(), size * weight)
    };
    unit.into_iter().map(node).collect()
}

/// Moves rows of coordinates onto walls, which take them in turn; those whose wall is not there at their time are left out.
fn onto_walls(walls: &[Boundary], coordinates: &[Coordinate], rows: &mut Vec<f64>) {
    let mut settled = vec![];
    for (row, wall) in rows.chunks_exact_mut(coordinates.len()).zip(walls.iter().cycle()) {
        for &i in wall.axes() {
            let Coordinate { lower, upper, .. } = coordinates[i];
            row[i] = (row[i] - lower) / (upper - lower);
        }
        if wall.settle(row).is_some() {
            settled.extend_from_slice(row);
        }
    }
    *rows = settled;
}

/// Shares `points` by size; everyone has one at least if there are so many.
fn shares(sizes: &[f64], points: usize) -> Vec<usize> {
    let total: f64 = sizes.iter().sum();
    let free = points.saturating_sub(sizes.len());
    let least = usize::from(points >= sizes.len());
    let mut before = (0.0, 0);
    let share = |size: &f64| {
        let sum = before.0 + size;
        let upto = (free as f64 * sum / total).round() as usize;
        let count = upto - before.1;
        before = (sum, upto);
        count + least
    };
    sizes.iter().map(share).collect()
}

fn face_text(face: &[(usize, f64)], coordinates: &[Coordinate]) -> String {
    let parts: Vec<_> =
        face.iter().map(|(i, x)| format!("{} = {}", coordinates[*i].name, Digits(*x))).collect();
    parts.join(", ")
}
