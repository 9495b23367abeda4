//! Where collocation points lie.
//!
//! A sampler is a file here, a variant of [`Sampler`] and a line in [`draw`].
//! It fills the unit cube; everything about domains and conditions is here.

mod adaptive;
mod grid;
mod latin_hypercube;
mod sobol;
mod uniform;

use rand::seq::IndexedRandom;

use crate::problem::{Condition, Dimensions, Onto, Part, Place, Problem};
use crate::rng::{self, Stream};
use crate::settings::{Adaptive, Sampler};
use crate::team::Team;

/// Points of a condition, and what comes with them.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Points {
    /// Rows of coordinates, one after the other; pairs of rows for a periodic condition.
    pub rows: Vec<f64>,
    /// The columns of its file or the components of the normal, a number for each point.
    pub data: Vec<Vec<f64>>,
}

/// The points of a condition.
///
/// Points are rows of coordinates in the domain, pairs of rows (lower face, upper face) for a periodic condition,
/// and the file's own for a condition on points from a file.
/// They are the stream `"sample/<condition>"` of `seed`;
/// `round` tells how often they have been drawn before, and every round stands on its own.
pub fn points(problem: &Problem, condition: &Condition, seed: u64, round: usize) -> Points {
    points_by(&Team::alone(), problem, condition, seed, round)
}

/// As [`points`]; what it takes to find those inside a domain, or to move them onto its walls, `team` shares.
pub fn points_by(team: &Team, problem: &Problem, condition: &Condition, seed: u64, round: usize) -> Points {
    let mut rng = stream("sample", condition, seed, round);
    let place = &condition.place;
    if !place.is_drawn() {
        return given(place);
    }
    draw_at(problem, place, condition.sampler, condition.points, &mut rng, team)
}

/// The points of a place that is a file, with its data.
pub(crate) fn given(place: &Place) -> Points {
    Points { rows: place.own_points().to_vec(), data: place.own_data().to_vec() }
}

/// What points are for that training has not seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// To judge the answer.
    Check,
    /// To choose the answer.
    Validation,
}

/// `points` points where a condition holds (pairs, if it is periodic) that training has not seen: Sobol's, from the
/// stream `"fresh/<condition>"` or `"validation/<condition>"`; `None` if its points come from a file.
///
/// A place of no extent has its own points, however many are asked for.
pub fn fresh(
    problem: &Problem,
    condition: &Condition,
    purpose: Purpose,
    points: usize,
    seed: u64,
) -> Option<Points> {
    if !condition.place.is_drawn() {
        return None;
    }
    let points = condition.place.isolated(problem.coordinates.len()).unwrap_or(points);
    let stream_of = match purpose {
        Purpose::Check => "fresh",
        Purpose::Validation => "validation",
    };
    let mut rng = stream(stream_of, condition, seed, 0);
    Some(draw_at(problem, &condition.place, Sampler::Sobol, points, &mut rng, &Team::alone()))
}

/// New points for an interior condition, drawn where its residual is large.
///
/// `old` are the points so far, of which the fraction `keep` stays.
/// The others come from `pool` times as many candidates, Sobol's from the stream `"pool/<condition>"`;
/// `score` says for each of them, row by row, how large the residual is; `team` is as for [`points_by`].
pub fn adaptive(
    team: &Team,
    problem: &Problem,
    condition: &Condition,
    settings: &Adaptive,
    round: usize,
    old: &[f64],
    score: impl FnOnce(&[f64]) -> Vec<f64>,
) -> Vec<f64> {
    let bounds: Vec<_> = problem.coordinates.iter().map(|c| (c.lower, c.upper)).collect();
    let kept = (settings.keep * condition.points as f64) as usize;
    let drawn = condition.points - kept;
    let mut rng = stream("pool", condition, problem.training.seed, round);
    let count = drawn * settings.pool;
    let candidates = draw_at(problem, &condition.place, Sampler::Sobol, count, &mut rng, team).rows;
    let scores = score(&candidates);
    let mut points = adaptive::keep(old, bounds.len(), kept, &mut rng);
    points.extend(adaptive::choose(&candidates, &bounds, &scores, settings, drawn, &mut rng));
    points
}

/// Two subsets of the coordinates `dimensions` draws among, one without regard to the other, for the step after `step` steps;
/// the stream is `"dimensions/<condition>"`.
pub(crate) fn subsets(
    condition: &Condition,
    dimensions: &Dimensions,
    seed: u64,
    step: usize,
) -> [Vec<usize>; 2] {
    let mut rng = stream("dimensions", condition, seed, step);
    [(); 2].map(|()| {
        let mut subset: Vec<usize> = dimensions.among.sample(&mut rng, dimensions.count).copied().collect();
        subset.sort_unstable();
        subset
    })
}

/// The stream of a condition for a purpose, where round `round` begins.
fn stream(purpose: &str, condition: &Condition, seed: u64, round: usize) -> Stream {
    let mut rng = rng::stream(seed, &format!("{purpose}/{}", condition.name));
    // A round has 2³⁶ words of the stream for itself.
    rng.set_word_pos((round as u128) << 36);
    rng
}

/// `points` points (or pairs) at a place that is no file.
fn draw_at(
    problem: &Problem,
    place: &Place,
    sampler: Sampler,
    points: usize,
    rng: &mut Stream,
    team: &Team,
) -> Points {
    let mut drawn = Points::default();
    for part in place.parts(&problem.coordinates, problem.geometry.as_ref(), points) {
        draw_part(&part, sampler, rng, team, &mut drawn);
    }
    let Some(coordinate) = place.periodic() else { return drawn };
    let dimensions = problem.coordinates.len();
    let rows = drawn.rows.chunks_exact(dimensions);
    let pairs = rows.flat_map(|row| {
        let mut pair = [row, row].concat();
        // Walls lie there but for rounding.
        pair[coordinate] = problem.coordinates[coordinate].lower;
        pair[dimensions + coordinate] = problem.coordinates[coordinate].upper;
        pair
    });
    Points { rows: pairs.collect(), data: vec![] }
}

/// Adds the points of a part to `drawn`: those of its box that belong to it.
///
/// If too few do, the box is drawn from again from the beginning, with so many more points.
/// Of a grid those are kept that are evenly spread among all, of the others the first.
fn draw_part(part: &Part<'_>, sampler: Sampler, rng: &mut Stream, team: &Team, drawn: &mut Points) {
    let length = part.bounds.len();
    let mut tried = part.points;
    loop {
        let mut attempt = rng.clone();
        let Settled { rows, inside, normal } =
            settle(part, draw(sampler, &part.bounds, tried, &mut attempt), team);
        if inside.len() < part.points {
            // A little more than the share found says, and at first no more than sixteen times as many.
            let share = (inside.len() as f64 / tried as f64).max(1.0 / 16.0);
            tried = tried.max((1.02 * (part.points + 4) as f64 / share).ceil() as usize) + tried / 8 + 1;
            continue;
        }
        *rng = attempt;
        let chosen = |k: usize| match sampler {
            Sampler::Grid => inside[k * inside.len() / part.points],
            Sampler::Uniform | Sampler::LatinHypercube | Sampler::Sobol => inside[k],
        };
        drawn.rows.extend((0..part.points).flat_map(|k| &rows[chosen(k) * length..][..length]));
        drawn.data.resize(drawn.data.len().max(normal.len()), vec![]);
        drawn.data.iter_mut().zip(normal).for_each(|(all, own)| all.extend(own));
        return;
    }
}

/// Points of a part's box, where the part has moved them.
struct Settled {
    /// All of them.
    rows: Vec<f64>,
    /// Which belong to the part.
    inside: Vec<usize>,
    /// The normals of those, a column for each component, if they lie on a wall.
    normal: Vec<Vec<f64>>,
}

/// What becomes of the points `rows` of the part's box; the threads and ranks of `team` share them.
fn settle(part: &Part<'_>, rows: Vec<f64>, team: &Team) -> Settled {
    /// Points that one thread takes at a time.
    const BLOCK: usize = 64;
    let length = part.bounds.len();
    let count = rows.len() / length;
    let axes = match part.onto {
        Onto::Box => return Settled { rows, inside: (0..count).collect(), normal: vec![] },
        Onto::Body(_) => 0,
        Onto::Wall(wall) => wall.axes().len(),
    };
    // Of every point: does it belong to the part, where is it now, and the normal there.
    let width = 1 + length + axes;
    let mut found = vec![0.0; count * width];
    let own = team.ranks().share(count.div_ceil(BLOCK));
    let (from, to) = (own.start * BLOCK, (own.end * BLOCK).min(count));
    let blocks = rows[from * length..to * length].chunks(BLOCK * length);
    team.share(blocks.zip(found[from * width..to * width].chunks_mut(BLOCK * width)), |_, (rows, found)| {
        let mut normal = vec![];
        for (row, found) in rows.chunks_exact(length).zip(found.chunks_exact_mut(width)) {
            let (belongs, found) = found.split_at_mut(1);
            let (moved, components) = found.split_at_mut(length);
            moved.copy_from_slice(row);
            if part.settle(moved, &mut normal) {
                belongs[0] = 1.0;
                components
                    .iter_mut()
                    .zip(&mut normal)
                    .for_each(|(x, column)| *x = column.pop().unwrap_or(0.0));
            }
        }
    });
    team.ranks().gather(&mut found, BLOCK * width);
    let each = || found.chunks_exact(width);
    let inside: Vec<usize> =
        each().enumerate().filter(|(_, found)| found[0] != 0.0).map(|(i, _)| i).collect();
    let column = |k: usize| inside.iter().map(|i| found[i * width + 1 + length + k]).collect();
    let normal = (0..axes).map(column).collect();
    Settled { rows: each().flat_map(|found| &found[1..=length]).copied().collect(), inside, normal }
}

/// `points` points between `bounds`, row by row.
///
/// A coordinate whose bounds are equal is fixed, and takes no dimension of the sampler.
/// Exactly `points` points come out of every sampler.
///
/// # Panics
/// Sobol's sequence has no more than [`MAX_COORDINATES`](crate::jet::MAX_COORDINATES) dimensions.
pub fn draw(sampler: Sampler, bounds: &[(f64, f64)], points: usize, rng: &mut Stream) -> Vec<f64> {
    let free: Vec<_> = bounds.iter().map(|(lower, upper)| lower != upper).collect();
    let dimensions = free.iter().filter(|&&free| free).count();
    let unit = match sampler {
        Sampler::Uniform => uniform::fill(dimensions, points, rng),
        Sampler::Grid => grid::fill(dimensions, points),
        Sampler::LatinHypercube => latin_hypercube::fill(dimensions, points, rng),
        Sampler::Sobol => sobol::fill(dimensions, points, rng),
    };
    let mut unit = unit.into_iter();
    let mut rows = Vec::with_capacity(points * bounds.len());
    for _ in 0..points {
        for (&(lower, upper), free) in bounds.iter().zip(&free) {
            let u = if *free { unit.next().unwrap_or(0.0) } else { 0.0 };
            // Exact at both ends, and never outside by rounding.
            rows.push(((1.0 - u) * lower + u * upper).clamp(lower, upper));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::expr::Graph;
    use crate::jet::{JetSet, MAX_COORDINATES};
    use crate::problem::{Coordinate, Document, Formula, Written};
    use crate::ranks::{Ranks, threads};
    use crate::settings::{Enforce, Network, Training};

    const ALL: [Sampler; 4] = [Sampler::Uniform, Sampler::Grid, Sampler::LatinHypercube, Sampler::Sobol];

    fn unit(sampler: Sampler, dimensions: usize, points: usize) -> Vec<f64> {
        draw(sampler, &vec![(0.0, 1.0); dimensions], points, &mut rng::stream(3, "sample/test"))
    }

    #[test]
    fn every_sampler_gives_the_number_asked_for_within_the_bounds() {
        let bounds = [(-1.0, 3.0), (0.5, 0.5), (1e-3, 1e-2)];
        for sampler in ALL {
            for points in [0, 1, 2, 3, 7, 64, 1000] {
                let rows = draw(sampler, &bounds, points, &mut rng::stream(1, "sample/test"));
                assert_eq!(rows.len(), 3 * points, "{sampler:?}");
                for row in rows.chunks_exact(3) {
                    for (x, (lower, upper)) in row.iter().zip(bounds) {
                        assert!((lower..=upper).contains(x), "{sampler:?}: {row:?}");
                    }
                }
            }
            let fixed = draw(sampler, &[(2.0, 2.0)], 3, &mut rng::stream(1, "sample/test"));
            assert_eq!(fixed, [2.0; 3], "{sampler:?}");
        }
    }

    #[test]
    fn every_sampler_covers_every_direction() {
        // The mean of x_i is 1/2 and that of x_i·x_j 1/4, but for the spread of 4,096 points.
        for sampler in ALL {
            let rows = unit(sampler, 3, 4096);
            let mean = |f: &dyn Fn(&[f64]) -> f64| rows.chunks_exact(3).map(f).sum::<f64>() / 4096.0;
            for i in 0..3 {
                assert!((mean(&|x| x[i]) - 0.5).abs() < 0.02, "{sampler:?}");
                assert!((mean(&|x| x[i] * x[(i + 1) % 3]) - 0.25).abs() < 0.02, "{sampler:?}");
            }
        }
    }

    #[test]
    fn grids_are_regular_and_include_the_ends() {
        let check = |dimensions, points, expected: &[f64]| {
            assert_eq!(unit(Sampler::Grid, dimensions, points), expected);
        };
        check(1, 1, &[0.5]);
        check(1, 5, &[0.0, 0.25, 0.5, 0.75, 1.0]);
        check(2, 4, &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
        check(2, 5, &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.5, 1.0, 1.0]);
        check(3, 1, &[0.5, 0.5, 0.5]);
        let cube = unit(Sampler::Grid, 3, 125);
        for (i, row) in cube.chunks_exact(3).enumerate() {
            assert_eq!(row, [i / 25, i / 5 % 5, i % 5].map(|k| k as f64 / 4.0));
        }
    }

    /// Sorts coordinate `dimension` into `slices` equal slices and checks that each has as many points.
    fn check_stratified(rows: &[f64], dimensions: usize, dimension: usize, slices: usize) {
        let mut counts = vec![0; slices];
        for row in rows.chunks_exact(dimensions) {
            counts[(row[dimension] * slices as f64) as usize] += 1;
        }
        let expected = rows.len() / dimensions / slices;
        assert!(counts.iter().all(|&count| count == expected), "dimension {dimension}: {counts:?}");
    }

    #[test]
    fn latin_hypercubes_have_one_point_a_slice() {
        for points in [1, 10, 1000] {
            let rows = unit(Sampler::LatinHypercube, 4, points);
            (0..4).for_each(|dimension| check_stratified(&rows, 4, dimension, points));
        }
    }

    #[test]
    fn sobol_points_are_stratified_along_every_coordinate() {
        for k in [0, 1, 5, 10] {
            let rows = unit(Sampler::Sobol, MAX_COORDINATES, 1 << k);
            (0..MAX_COORDINATES)
                .for_each(|dimension| check_stratified(&rows, MAX_COORDINATES, dimension, 1 << k));
        }
    }

    #[test]
    fn sobol_points_fill_every_orthant() {
        // Sobol's property A, which Joe and Kuo's numbers have: 2ᵈ points, one in each of the 2ᵈ half-side cubes.
        for d in 1..=14 {
            let mut counts = vec![0; 1 << d];
            for row in unit(Sampler::Sobol, d, 1 << d).chunks_exact(d) {
                counts[row.iter().fold(0, |index, &x| 2 * index + usize::from(x >= 0.5))] += 1;
            }
            assert!(counts.iter().all(|&count| count == 1), "{d} dimensions: {counts:?}");
        }
    }

    #[test]
    fn sobol_planes_are_nets_of_low_discrepancy() {
        // A (t, m, 2)-net: every elementary rectangle of area 2^(t−m) holds 2ᵗ of the 2ᵐ points.
        let m = 10;
        let rows = unit(Sampler::Sobol, 8, 1 << m);
        let quality = |i: usize, j: usize| {
            (0..=m)
                .find(|t| {
                    (0..=m - t).all(|a| {
                        let (width, height) = (1 << a, 1 << (m - t - a));
                        let mut counts = vec![0; width * height];
                        for row in rows.chunks_exact(8) {
                            let (x, y) =
                                ((row[i] * width as f64) as usize, (row[j] * height as f64) as usize);
                            counts[x * height + y] += 1;
                        }
                        counts.iter().all(|&count| count == 1 << t)
                    })
                })
                .unwrap()
        };
        assert_eq!(quality(0, 1), 0);
        for i in 0..8 {
            for j in 0..i {
                assert!(quality(i, j) <= 4, "dimensions {i} and {j}: {}", quality(i, j));
            }
        }
    }

    fn problem() -> Problem {
        let coordinate =
            |name: &str, lower, upper| Coordinate { name: name.into(), lower, upper, unit: String::new() };
        let formula = Formula { graph: Graph::default(), roots: vec![] };
        Problem {
            name: "test".into(),
            title: String::new(),
            coordinates: vec![coordinate("x", -1.0, 2.0), coordinate("t", 0.0, 1.0)],
            geometry: None,
            tables: vec![],
            parameters: vec![],
            trainable: vec![],
            unknowns: vec![],
            features: formula.clone(),
            values: formula,
            conditions: vec![],
            reference: None,
            network: Network::default(),
            activation: Activation::parse("tanh").unwrap(),
            networks: vec![],
            training: Training::default(),
            written: Written::default(),
            left_out: None,
            trial: None,
        }
    }

    fn condition(place: Place) -> Condition {
        Condition {
            name: "physics".into(),
            place,
            written: vec![],
            scales: vec![],
            residuals: Formula { graph: Graph::default(), roots: vec![] },
            jets: JetSet::closure([]),
            enforce: Enforce::Loss,
            weight: 1.0,
            points: 50,
            sampler: Sampler::Uniform,
            dimensions: None,
        }
    }

    fn rows(place: Place, seed: u64, round: usize) -> Vec<f64> {
        points(&problem(), &condition(place), seed, round).rows
    }

    #[test]
    fn rounds_stand_on_their_own() {
        let interior = |seed, round| rows(Place::Interior, seed, round);
        assert_eq!(interior(1, 5), interior(1, 5));
        assert_ne!(interior(1, 5), interior(1, 6));
        assert_ne!(interior(1, 5), interior(2, 5));
        assert_eq!(interior(1, 0).len(), 100);
        let other = Condition { name: "other".into(), ..condition(Place::Interior) };
        assert_ne!(interior(1, 0), points(&problem(), &other, 1, 0).rows);
    }

    #[test]
    fn points_in_regions_do_not_depend_on_threads_and_ranks() {
        let text = "[coordinates]\nx = {}\ny = {}\nt = [0, 2]\n[shapes]\n\
                    plate = { rectangle = { from = [0, 0], to = [2, 1] } }\n\
                    hole = { disk = { center = [\"0.5 + t/4\", 0.5], radius = 0.1 } }\n\
                    [domain]\nregion = \"plate - hole\"\n[unknowns]\nu = {}\n\
                    [conditions.physics]\nplace = \"interior\"\nresidual = \"u_t - u_xx - u_yy\"\npoints = 1000\n\
                    [conditions.cooled]\nplace = \"wall of hole\"\nresidual = \"u_n + u\"\npoints = 300\n\
                    [conditions.walls]\nplace = \"wall of plate\"\nresidual = \"u\"\npoints = 50\n";
        let document = Document::parse("test", text).expect("TOML");
        let (problem, _) = document.build(std::path::Path::new("")).expect("a problem");
        let all = |team: &Team| -> Vec<Points> {
            let drawn = problem.conditions.iter().map(|condition| points_by(team, &problem, condition, 1, 2));
            let mut all: Vec<_> = drawn.collect();
            let score = |rows: &[f64]| rows.chunks_exact(3).map(|row| row[0]).collect();
            let chosen = adaptive(
                team,
                &problem,
                &problem.conditions[0],
                &Adaptive::default(),
                1,
                &all[0].rows,
                score,
            );
            all.push(Points { rows: chosen, data: vec![] });
            all
        };
        let alone = all(&Team::alone());
        let normals = &alone[1].data;
        assert!(normals.len() == 2 && normals.iter().all(|column| column.len() == 300));
        let length = |k: usize| normals.iter().map(|column| column[k] * column[k]).sum::<f64>();
        assert!((0..300).all(|k| (length(k) - 1.0).abs() < 1e-9));
        assert!(all(&Team::new(3).expect("threads")) == alone);
        for size in 2..=4 {
            let team = |ranks: &Ranks| Team::among(2, ranks.clone()).expect("threads");
            let found = threads::run(size, |ranks| all(&team(ranks)));
            assert!(found.iter().all(|found| *found == alone), "{size} ranks");
        }
    }

    #[test]
    fn faces_are_fixed_and_periodic_points_come_in_pairs() {
        let face = rows(Place::face(vec![(1, 0.25)]), 1, 0);
        assert!(face.chunks_exact(2).all(|row| row[1] == 0.25 && (-1.0..=2.0).contains(&row[0])));
        let corner = rows(Place::face(vec![(0, 2.0), (1, 0.0)]), 1, 0);
        assert_eq!(corner, [2.0, 0.0].repeat(50));
        let pairs = rows(Place::Periodic { coordinate: 0, walls: vec![] }, 1, 0);
        assert_eq!(pairs.len(), 2 * 2 * 50);
        for pair in pairs.chunks_exact(4) {
            assert!(pair[0] == -1.0 && pair[2] == 2.0 && pair[1] == pair[3], "{pair:?}");
        }
    }

    #[test]
    fn several_faces_share_the_points_evenly() {
        let faces = vec![vec![(0, -1.0)], vec![(0, 2.0)], vec![(1, 0.0)]];
        for sampler in ALL {
            let condition = Condition { sampler, ..condition(Place::Faces(faces.clone())) };
            let Points { rows, .. } = points(&problem(), &condition, 1, 0);
            let on = |face: &[(usize, f64)]| {
                rows.chunks_exact(2).filter(|row| face.iter().all(|&(i, value)| row[i] == value)).count()
            };
            // 50 points on three faces; those of a grid lie in the corners too, where faces meet.
            let at_least = [17, 17, 16];
            for (face, at_least) in faces.iter().zip(at_least) {
                assert!(on(face) >= at_least, "{sampler:?}: {face:?}");
            }
            assert_eq!(rows.len(), 2 * 50, "{sampler:?}");
            let fresh = fresh(&problem(), &condition, Purpose::Check, 64, 1).unwrap().rows;
            assert_eq!(fresh.len(), 2 * 64);
        }
        let corners = condition(Place::Faces(vec![vec![(0, -1.0), (1, 0.0)], vec![(0, 2.0), (1, 0.0)]]));
        assert_eq!(fresh(&problem(), &corners, Purpose::Check, 64, 1).unwrap().rows, [-1.0, 0.0, 2.0, 0.0]);
    }

    #[test]
    fn points_from_a_file_are_the_file_s() {
        let data = vec![vec![7.0, 8.0]];
        let place = Place::Points {
            path: "data.csv".into(),
            points: vec![0.1, 0.2, 0.3, 0.4],
            columns: vec!["u".into()],
            data: data.clone(),
        };
        let condition = condition(place);
        let found = points(&problem(), &condition, 1, 3);
        assert_eq!(found, Points { rows: vec![0.1, 0.2, 0.3, 0.4], data });
    }
}
