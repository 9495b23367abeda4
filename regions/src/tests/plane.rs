//! The line and the plane.

use core::f64::consts::{PI, TAU};

use rand::RngExt;

use super::*;
use crate::{Error, Keep};

#[test]
fn closed_forms() {
    let check = |shape: Shape, area: f64, length: f64| {
        let region = Region::of("it", shape);
        close(region.measure().unwrap().value, area, 1e-12);
        let wall = whole(&region);
        close(wall.measure().value, length, 1e-11);
        let (normals, flux) = fluxes(&region);
        assert!(normals.iter().all(|n| n.abs() < 1e-11 * length), "{normals:?}");
        close(flux, area, 1e-11);
        check_sides(&region, &wall, 1000);
    };
    check(square([-1.0, 2.0], [1.0, 2.5]), 1.0, 5.0);
    check(disk([3.0, 1.0], 0.5), 0.25 * PI, PI);
    check(
        shape("annulus", &[("center", &[1.0, 1.0]), ("inner", &[0.5]), ("outer", &[1.0])]),
        0.75 * PI,
        3.0 * PI,
    );
    check(
        shape("capsule", &[("from", &[0.0, 0.0]), ("to", &[3.0, 4.0]), ("radius", &[0.5])]),
        5.0 + 0.25 * PI,
        10.0 + PI,
    );
    // Half-axes 2 and 1: the circumference is 8·E(3/4).
    let angle = [0.3];
    let ellipse = [("center", &[0.5, 0.5][..]), ("radii", &[2.0, 1.0]), ("angle", &angle)];
    check(shape("ellipse", &ellipse), TAU, 9.688_448_220_547_676);
    let triangle = shape("polygon", &[("points", &[0.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0])]);
    check(triangle.clone(), 6.0, 12.0);
    check(triangle.rotated(1.0, None, &[5.0, 5.0]).unwrap().scaled(&[2.0], &[0.0, 0.0]).unwrap(), 24.0, 24.0);
    check(triangle.scaled(&[2.0, 1.0], &[1.0, 1.0]).unwrap(), 12.0, 11.0 + 73.0_f64.sqrt());
    let star = shape("polygon", &[("points", &[0.0, 0.0, 2.0, 0.0, 2.0, 1.0, 1.0, 1.0, 1.0, 2.0, 0.0, 2.0])]);
    check(star, 3.0, 8.0);
    let line = Region::of("it", shape("interval", &[("from", &[-1.0]), ("to", &[2.0])]));
    assert_eq!((whole(&line).measure().value, fluxes(&line)), (2.0, (vec![0.0], 3.0)));
}

#[test]
fn holes_are_what_a_region_surrounds() {
    let check = |region: Region, expected: &[(&[f64], f64)]| {
        let found = region.holes();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (hole, (center, radius)) in found.iter().zip(expected) {
            let off = hole.center.iter().zip(*center).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 0.02 * radius && (hole.radius - radius).abs() < 0.03 * radius, "{found:?}");
        }
    };
    let plate = || ("plate", square([-1.0, -1.0], [1.0, 1.0]));
    let small = || ("small", disk([0.5, 0.5], 0.002));
    check(region("plate", &[plate()]), &[]);
    // One in the middle of the plate, one that is hardly to be seen, and a bite from the edge.
    let all = [plate(), ("round", disk([0.1, 0.0], 0.3)), small(), ("bite", disk([-1.0, 0.0], 0.2))];
    check(region("plate - round - small - bite", &all), &[(&[0.1, 0.0], 0.3), (&[0.5, 0.5], 0.002)]);
    let ring = shape("annulus", &[("center", &[3.0, 0.0]), ("inner", &[0.5]), ("outer", &[2.0])]);
    check(Region::of("ring", ring), &[(&[3.0, 0.0], 0.5)]);
    // A slit has no middle to speak of.
    let all = [plate(), ("slit", square([-0.5, -0.01], [0.5, 0.01]))];
    check(region("plate - slit", &all), &[]);
    let all = [("block", block([-1.0; 3], [1.0; 3])), ("bubble", ball([0.2, 0.0, 0.0], 0.4))];
    check(region("block - bubble", &all), &[(&[0.2, 0.0, 0.0], 0.4)]);
    // A pipe is open at its ends.
    let bore =
        shape("cylinder", &[("from", &[0.0, 0.0, -2.0]), ("to", &[0.0, 0.0, 2.0]), ("radius", &[0.4])]);
    check(region("block - bore", &[("block", block([-1.0; 3], [1.0; 3])), ("bore", bore)]), &[]);
}

#[test]
fn what_is_left_of_walls_is_exact() {
    let plate = || square([0.0, 0.0], [2.0, 1.0]);
    // A hole on the edge: a half disk is missing.
    let all = [("plate", plate()), ("hole", disk([1.0, 0.0], 0.25))];
    let bitten = region("plate - hole", &all);
    close(bitten.measure().unwrap().value, 2.0 - PI / 32.0, 1e-11);
    close(whole(&bitten).measure().value, 5.5 + 0.25 * PI, 1e-11);
    let hole = bitten.wall(&of("hole")).unwrap();
    close(hole.measure().value, 0.25 * PI, 1e-11);
    check_sides(&bitten, &hole, 500);
    for spot in hole.sample(100, &mut rng(1)) {
        // The normal leads out of the plate: to the center.
        close(spot.normal[0], -(spot.x[0] - 1.0) / 0.25, 1e-9);
        close(spot.normal[1], -spot.x[1] / 0.25, 1e-9);
    }
    // A thousandth of the plate gets its points.
    let tiny = region("plate - hole", &[("plate", plate()), ("hole", disk([0.7, 0.3], 1e-3))]);
    close(tiny.wall(&of("hole")).unwrap().measure().value, TAU * 1e-3, 1e-11);
    assert_eq!(tiny.wall(&of("hole")).unwrap().sample(64, &mut rng(2)).len(), 64);
    let bite = region("plate - hole", &[("plate", plate()), ("hole", disk([0.7312, 0.0], 1e-3))]);
    close(bite.wall(&of("plate")).unwrap().measure().value, 6.0 - 2e-3, 1e-11);
    // The lens of two unit circles at distance one.
    let two = [("a", disk([0.0, 0.0], 1.0)), ("b", disk([1.0, 0.0], 1.0))];
    let lens = 2.0 * PI / 3.0 - 0.75_f64.sqrt();
    close(region("a & b", &two).measure().unwrap().value, lens, 1e-11);
    close(region("a + b", &two).measure().unwrap().value, TAU - lens, 1e-11);
    close(region("(a - b) + (b - a)", &two).measure().unwrap().value, TAU - 2.0 * lens, 1e-11);
    close(whole(&region("(a - b) + (b - a)", &two)).measure().value, 4.0 * PI, 1e-11);
    close(whole(&region("a + (b & a)", &two)).measure().value, TAU, 1e-11);
}

#[test]
fn walls_that_coincide_count_once_or_vanish() {
    let a = ("a", square([0.0, 0.0], [1.0, 1.0]));
    let b = ("b", square([1.0, 0.25], [2.0, 0.75]));
    let both = region("a + b", &[a.clone(), b.clone()]);
    close(both.measure().unwrap().value, 1.5, 1e-10);
    close(whole(&both).measure().value, 6.0, 1e-10);
    // The edge of b that lies on a's is no wall of the union.
    close(both.wall(&of("b")).unwrap().measure().value, 2.5, 1e-10);
    assert!((whole(&region("a - b", &[a.clone(), b.clone()])).measure().value - 4.0).abs() < 1e-10);
    // Flush inside: a notch.
    let c = ("c", square([0.5, 0.0], [0.75, 0.5]));
    let notch = region("a - c", &[a.clone(), c.clone()]);
    close(whole(&notch).measure().value, 5.0, 1e-10);
    close(notch.wall(&of("c")).unwrap().measure().value, 1.25, 1e-10);
    // The same wall twice.
    let same = region("a + d", &[a.clone(), ("d", square([0.0, 0.0], [1.0, 1.0]))]);
    close(whole(&same).measure().value, 4.0, 1e-10);
    close(same.wall(&of("d")).unwrap().measure().value, 4.0, 1e-10);
    // Circles that coincide in part, and one that touches.
    let half = ("half", square([-2.0, -2.0], [2.0, 0.0]));
    let round = ("round", disk([0.0, 0.0], 1.0));
    let joined = region("(round & half) + (round - half)", &[half, round.clone()]);
    close(joined.measure().unwrap().value, PI, 1e-9);
    let touching = region("round + e", &[round, ("e", disk([1.5, 0.0], 0.5))]);
    close(whole(&touching).measure().value, 3.0 * PI, 1e-9);
}

#[test]
fn parts_of_walls_are_chosen_exactly() {
    let plate =
        region("plate - hole", &[("plate", square([0.0, 0.0], [2.0, 1.0])), ("hole", disk([0.0, 0.5], 0.1))]);
    let left = plate.wall(&Select { on: &[(0, 0.0)], ..of("plate") }).unwrap();
    close(left.measure().value, 0.8, 1e-12);
    for spot in left.sample(200, &mut rng(3)) {
        assert_eq!((spot.x[0], spot.normal[0]), (0.0, -1.0));
    }
    let missing = plate.wall(&Select { on: &[(0, 0.5)], ..of("plate") });
    assert!(matches!(missing, Err(Error::NoPart(_))));
    let part: crate::Predicate = Arc::new(|x| x[0] < 0.3 && x[1] > 0.5);
    let upper = plate.wall(&Select { part: Some(part), ..of("plate") }).unwrap();
    close(upper.measure().value, 0.7, 1e-12);
    assert!(matches!(plate.wall(&of("hall")), Err(Error::UnknownShape { .. })));
    let covered = region("a + b", &[("a", disk([0.0, 0.0], 1.0)), ("b", disk([0.0, 0.0], 0.5))]);
    assert_eq!(covered.wall(&of("b")).err(), Some(Error::Removed { name: "b".into() }));
    let turned =
        square([0.0, 0.0], [1.0, 1.0]).rotated(core::f64::consts::FRAC_PI_2, None, &[0.3, 0.1]).unwrap();
    let face = Region::of("it", turned).wall(&Select { on: &[(1, -0.2)], ..Select::default() }).unwrap();
    close(face.measure().value, 1.0, 1e-12);
}

#[test]
fn points_on_walls_are_uniform() {
    // A polygon, a circle and an ellipse, cut by one another, in cells of equal length.
    let angle = [0.7];
    let ellipse = shape("ellipse", &[("center", &[0.2, 0.1]), ("radii", &[1.5, 0.4]), ("angle", &angle)]);
    let wall = whole(&region(
        "a + b - c",
        &[("a", square([-1.0, -1.0], [1.0, 1.0])), ("b", ellipse), ("c", disk([1.0, 0.0], 0.6))],
    ));
    let mut random = rng(4);
    let cells = 64;
    // Random places of the cube: the statistic has 63 degrees of freedom, and 110 is beyond 0.9998 of its distribution.
    let count = |places: &mut dyn FnMut() -> f64| {
        let mut counts = vec![0; wall.pieces().len()];
        let mut signs = vec![[0_usize; 2]; wall.pieces().len()];
        for _ in 0..20_000 {
            let spot = wall.at(&[places()]);
            counts[spot.piece] += 1;
            signs[spot.piece][usize::from(spot.x[0] + spot.x[1] > 0.3)] += 1;
        }
        (counts, signs)
    };
    let (counts, signs) = count(&mut || random.random());
    let shares: Vec<_> = wall.pieces().iter().map(|piece| piece.measure / wall.measure().value).collect();
    assert!(chi_squared(&counts, &shares) < 110.0, "{counts:?}");
    // Within pieces: the length on one side of a line, by another route.
    let mut lengths = vec![[0.0; 2]; wall.pieces().len()];
    let steps = 400_000;
    for k in 0..steps {
        let spot = wall.at(&[(k as f64 + 0.5) / steps as f64]);
        lengths[spot.piece][usize::from(spot.x[0] + spot.x[1] > 0.3)] += 1.0 / steps as f64;
    }
    let (counts, shares): (Vec<_>, Vec<_>) = signs
        .iter()
        .flatten()
        .copied()
        .zip(lengths.iter().flatten().copied())
        .filter(|(_, share)| *share > 1e-3)
        .unzip();
    assert!(chi_squared(&counts, &shares) < 110.0, "{counts:?}");
    // By arc length: chords of neighbouring places are equal but at corners and gaps.
    let chord = wall.measure().value / 10_000.0;
    let spots: Vec<_> = (0..10_000).map(|k| wall.at(&[(f64::from(k) + 0.5) / 10_000.0])).collect();
    let same = spots.windows(2).filter(|two| two[0].piece == two[1].piece);
    let mut seen = 0;
    for two in same {
        close(crate::vector::distance(&two[0].x, &two[1].x), chord, 1e-5);
        seen += 1;
    }
    assert!(seen > 9_900, "{seen}");
    // Stratified: every 64th of the wall has its share but for one point at each end.
    let mut counts = vec![0; cells];
    for (k, _) in wall.sample(6400, &mut random).iter().enumerate() {
        counts[k * cells / 6400] += 1;
    }
    assert!(counts.iter().all(|&count| count == 100));
}

/// A random shape of the plane near the origin.
fn random_shape(random: &mut impl rand::Rng) -> Shape {
    let mut number = |from: f64, to: f64| from + (to - from) * random.random::<f64>();
    let center = [number(-1.0, 1.0), number(-1.0, 1.0)];
    let (a, b, angle) = (number(0.2, 0.8), number(0.2, 0.8), number(0.0, TAU));
    match number(0.0, 7.0) as usize {
        0 => square([center[0] - a, center[1] - b], [center[0] + a, center[1] + b]),
        1 => disk(center, a),
        2 => shape("ellipse", &[("center", &center), ("radii", &[a, b]), ("angle", &[angle])]),
        3 => shape("annulus", &[("center", &center), ("inner", &[0.5 * a]), ("outer", &[a])]),
        4 => {
            let points: Vec<f64> = (0..7)
                .flat_map(|k| {
                    let (sin, cos) = (f64::from(k) * TAU / 7.0).sin_cos();
                    let radius = if k % 2 == 0 { a } else { b };
                    [center[0] + radius * cos, center[1] + radius * sin]
                })
                .collect();
            shape("polygon", &[("points", &points)])
        }
        5 => {
            let to = [center[0] + angle.cos() * b, center[1] + angle.sin() * b];
            shape("capsule", &[("from", &center), ("to", &to), ("radius", &[0.5 * a])])
        }
        _ => square([-a, -b], [a, b]).rotated(angle, None, &[0.0, 0.0]).unwrap().translated(&center).unwrap(),
    }
}

#[test]
fn gauss_s_theorem_holds_on_a_hundred_random_combinations() {
    let mut random = rng(5);
    let formulas = [
        "a + b - c",
        "a & b + c",
        "(a + b) & (c + d)",
        "a - b - c - d",
        "a + b + c & d",
        "(a - b) + (b - a)",
    ];
    let (mut done, mut worst) = (0, 0.0_f64);
    while done < 100 {
        let all: Vec<_> =
            ["a", "b", "c", "d"].iter().map(|&name| (name, random_shape(&mut random))).collect();
        let Ok(region) = Region::parse(formulas[done % formulas.len()], &shapes(&all)) else { continue };
        let wall = match region.wall(&Select::default()) {
            Ok(wall) => wall,
            Err(Error::Empty) => continue,
            Err(other) => panic!("{other}"),
        };
        let (normals, flux) = fluxes(&region);
        assert!(normals.iter().all(|n| n.abs() < 1e-9 * wall.measure().value), "{done}: {normals:?} {all:?}");
        // By counting: the spread of evenly spread points is below that of random ones.
        let bounds = region.bounds();
        let count = 100_000;
        let inside =
            crate::region::spread(2).take(count).filter(|u| region.contains(&bounds.at(u)[..2])).count();
        let share = inside as f64 / count as f64;
        let error = (flux / bounds.volume() - share).abs();
        worst = worst.max(error);
        assert!(error < 3e-3, "{done}: {} {flux}", share * bounds.volume());
        check_sides(&region, &wall, 500);
        done += 1;
    }
    assert!(worst > 1e-7);
}

#[test]
fn interior_points_are_inside_and_as_many_as_asked_for() {
    let all = [("plate", square([0.0, 0.0], [2.0, 1.0])), ("hole", disk([1.0, 0.5], 0.4))];
    let region = region("plate - hole", &all);
    let draw =
        |count: usize| crate::region::spread(2).take(count).flat_map(|u| [u[0], u[1]]).collect::<Vec<_>>();
    for keep in [Keep::First, Keep::Spread] {
        let inside = region.interior(1000, keep, draw).unwrap();
        assert_eq!(inside.points.len(), 2000);
        close(inside.acceptance, 1.0 - 0.08 * PI, 0.02);
        assert!(inside.points.chunks_exact(2).all(|x| region.contains(x)));
    }
    // A region of a millionth of its shapes' box is found.
    let small = super::region("a & b", &[("a", disk([0.0, 0.0], 1.0)), ("b", disk([1.9999, 0.0], 1.0))]);
    let inside = small.interior(500, Keep::First, draw).unwrap();
    assert!(inside.acceptance > 0.05, "{}", inside.acceptance);
    let none = super::region("a & b", &[("a", disk([0.0, 0.0], 1.0)), ("b", disk([1.5, 1.5], 1.0))]);
    assert_eq!(none.interior(5, Keep::First, draw), Err(Error::Empty));
    assert_eq!(none.measure(), Err(Error::Empty));
}

#[test]
fn half_planes_cut_and_need_an_end() {
    let lower = ("lower", shape("half-plane", &[("point", &[0.0, 0.0]), ("normal", &[1.0, 2.0])]));
    let round = ("round", disk([0.0, 0.0], 2.0));
    let half = region("round & lower", &[lower.clone(), round]);
    close(half.measure().unwrap().value, TAU, 1e-12);
    close(half.wall(&of("lower")).unwrap().measure().value, 4.0, 1e-12);
    let endless = region("lower", &[lower]);
    assert_eq!(endless.wall(&Select::default()).err(), Some(Error::Unbounded));
    assert_eq!(endless.measure().err(), Some(Error::Unbounded));
}

#[test]
fn formulas_are_shapes() {
    let level = By(
        |x: &[f64]| 1.0 - x[0] * x[0] / 4.0 - x[1] * x[1],
        |x: &[f64], out: &mut [f64]| out.copy_from_slice(&[-0.5 * x[0], -2.0 * x[1]]),
    );
    let ellipse = Shape::formula(Arc::new(level), &[-3.0, -3.0], &[3.0, 3.0]).unwrap();
    let region = Region::of("it", ellipse.clone());
    close(whole(&region).measure().value, 9.688_448_220_547_676, 1e-6);
    close(region.measure().unwrap().value, TAU, 1e-6);
    check_sides(&region, &whole(&region), 500);
    let bitten = super::region("it - hole", &[("it", ellipse), ("hole", disk([2.0, 0.0], 0.5))]);
    let (normals, flux) = fluxes(&bitten);
    assert!(normals.iter().all(|n| n.abs() < 1e-5), "{normals:?}");
    assert!(flux < TAU - 0.3 && flux > TAU - 0.25 * PI, "{flux}");
    // One that goes on beyond its box is cut by what it is joined with, or refused.
    let wave = By(
        |x: &[f64]| x[1] - 0.2 * (3.0 * x[0]).sin(),
        |x: &[f64], out: &mut [f64]| out.copy_from_slice(&[-0.6 * (3.0 * x[0]).cos(), 1.0]),
    );
    let above = Shape::formula(Arc::new(wave), &[-1.0, -1.0], &[1.0, 1.0]).unwrap();
    let pair = [
        ("above", above),
        ("plate", square([-0.5, -0.5], [0.5, 0.5])),
        ("wide", square([-2.0, -0.5], [0.5, 0.5])),
    ];
    close(super::region("plate & above", &pair).measure().unwrap().value, 0.5, 1e-6);
    assert_eq!(super::region("wide & above", &pair).wall(&Select::default()).err(), Some(Error::BeyondBox));
}

#[test]
fn interfaces_have_normals_from_one_to_the_other() {
    let all = shapes(&[
        ("plate", square([0.0, 0.0], [2.0, 1.0])),
        ("core", disk([1.0, 0.5], 0.3)),
        ("far", disk([9.0, 9.0], 0.1)),
    ]);
    let [outer, inner, far] =
        ["plate - core", "core", "far"].map(|formula| Region::parse(formula, &all).unwrap());
    let between = outer.interface(&inner, &Select::default()).unwrap();
    close(between.measure().value, 0.6 * PI, 1e-12);
    for spot in between.sample(50, &mut rng(6)) {
        close(spot.normal[0], -(spot.x[0] - 1.0) / 0.3, 1e-9);
    }
    let back = inner.interface(&outer, &Select::default()).unwrap();
    close(back.at(&[0.3]).normal[0], -between.at(&[0.3]).normal[0], 1e-12);
    assert_eq!(outer.interface(&far, &Select::default()).err(), Some(Error::NoInterface));
    // Neighbours with edges of their own, from two tables.
    let left = Region::of("left", square([0.0, 0.0], [1.0, 1.0]));
    let right = Region::of("right", square([1.0, 0.5], [2.0, 2.0]));
    let between = left.interface(&right, &Select::default()).unwrap();
    close(between.measure().value, 0.5, 1e-10);
    assert_eq!(between.at(&[0.5]).normal[..2], [1.0, 0.0]);
}

#[test]
fn normals_are_asked_for_on_the_wall_only() {
    let plate =
        region("plate - hole", &[("plate", square([0.0, 0.0], [2.0, 1.0])), ("hole", disk([1.0, 0.5], 0.3))]);
    let normal = plate.normal(&[1.3, 0.5]).unwrap();
    assert!((normal[0] + 1.0).abs() < 1e-9 && normal[1].abs() < 1e-6, "{normal:?}");
    let error = plate.normal(&[0.2, 0.5]).unwrap_err().to_string();
    assert_eq!(error, "a normal is asked for at (0.2, 0.5), which is not on the wall");
}

#[test]
fn shapes_beyond_all_digits_are_refused() {
    // Its edges were followed for ever.
    let far = shape("polygon", &[("points", &[0.5, 0.7, 1e200, 0.3, 2.0, 2.0])]);
    let all = shapes(&[("disk", disk([0.0, 0.0], 1.0)), ("far", far)]);
    let error = Region::parse("disk & far", &all).unwrap_err();
    assert!(matches!(&error, Error::Huge { span, .. } if *span == (7..10)), "{error}");
}

#[test]
fn formulas_of_regions_have_their_mistakes_named() {
    let all = shapes(&[("plate", square([0.0, 0.0], [2.0, 1.0])), ("ball", ball([0.0; 3], 1.0))]);
    let check =
        |formula: &str, expected: Error| assert_eq!(Region::parse(formula, &all).err(), Some(expected));
    check("plate - hole", Error::UnknownShape { span: 8..12, name: "hole".into() });
    check("plate - ball", Error::Dimension { span: 8..12, name: "ball".into(), found: 3, expected: 2 });
    check("plate -", Error::Syntax { span: 7..7, message: "a shape is missing".into() });
}

#[test]
fn outlines_are_lines_with_names() {
    let plate =
        region("plate - hole", &[("plate", square([0.0, 0.0], [2.0, 1.0])), ("hole", disk([1.0, 0.5], 0.3))]);
    let lines = whole(&plate).outline(32);
    assert_eq!(lines.len(), 5);
    assert_eq!(
        lines.iter().filter(|line| line.shape == "plate").map(|line| line.points.len()).sum::<usize>(),
        8
    );
    let hole = lines.iter().find(|line| line.shape == "hole").unwrap();
    assert!(hole.points.iter().all(|x| ((x[0] - 1.0).hypot(x[1] - 0.5) - 0.3).abs() < 1e-12));
    assert_eq!(hole.points.len(), 33);
}
