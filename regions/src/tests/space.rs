//! Space, and more dimensions.

use core::f64::consts::{PI, TAU};

use rand::RngExt;

use super::*;
use crate::Error;

fn cylinder(from: [f64; 3], to: [f64; 3], radius: f64) -> Shape {
    shape("cylinder", &[("from", &from), ("to", &to), ("radius", &[radius])])
}

fn torus(radius: f64, tube: f64) -> Shape {
    let numbers = [
        ("center", &[1.0, 0.5, 0.0][..]),
        ("radius", &[radius]),
        ("tube", &[tube]),
        ("axis", &[1.0, 2.0, 2.0]),
    ];
    shape("torus", &numbers)
}

#[test]
fn closed_forms() {
    let check = |shape: Shape, volume: f64, area: f64, tolerance: f64| {
        let region = Region::of("it", shape);
        close(region.measure().unwrap().value, volume, tolerance);
        let wall = whole(&region);
        close(wall.measure().value, area, tolerance);
        let (normals, flux) = fluxes(&region);
        assert!(normals.iter().all(|n| n.abs() < 10.0 * tolerance * area), "{normals:?}");
        close(flux, volume, 10.0 * tolerance);
        check_sides(&region, &wall, 2000);
    };
    check(block([0.0, 0.0, 0.0], [1.0, 2.0, 3.0]), 6.0, 22.0, 1e-12);
    check(ball([1.0, 2.0, 3.0], 0.5), PI / 6.0, PI, 1e-9);
    check(cylinder([1.0, 0.0, 0.0], [2.0, 2.0, 2.0], 0.5), 0.75 * PI, 3.5 * PI, 1e-9);
    let cone = |end: f64| {
        shape("cone", &[("from", &[0.0; 3]), ("to", &[0.0, 4.0, 0.0]), ("radius", &[3.0]), ("end", &[end])])
    };
    check(cone(0.0), 12.0 * PI, 24.0 * PI, 1e-9);
    check(cone(3.0), 36.0 * PI, 42.0 * PI, 1e-9);
    check(torus(1.0, 0.25), 2.0 * PI * PI / 16.0, PI * PI, 1e-9);
    // Half-axes 2, 1, 1: 2π(1 + 2/e·asin e), e = √3/2.
    let e = 0.75_f64.sqrt();
    let prolate = TAU * (1.0 + 2.0 / e * e.asin());
    check(
        shape("ellipsoid", &[("center", &[0.0; 3]), ("radii", &[2.0, 1.0, 1.0])]),
        8.0 * PI / 3.0,
        prolate,
        1e-7,
    );
    let plate = region(
        "plate - hole",
        &[("plate", square([1.0, 0.0], [3.0, 1.0])), ("hole", disk([2.0, 0.5], 0.25))],
    );
    let base: Shape = plate.into();
    let (area, length) = (2.0 - PI / 16.0, 6.0 + 0.5 * PI);
    check(base.extruded(-1.0, 1.0).unwrap(), 2.0 * area, 2.0 * area + 2.0 * length, 1e-7);
    // Pappus: the center moves along 2π·2.
    check(base.revolved().unwrap(), 2.0 * TAU * area, 2.0 * TAU * length, 1e-7);
    let ring = shape("annulus", &[("center", &[0.0, 0.0]), ("inner", &[1.0]), ("outer", &[2.0])]);
    check(ring.extruded(0.0, 1.0).unwrap(), 3.0 * PI, 12.0 * PI, 1e-9);
    let oval =
        shape("ellipse", &[("center", &[0.0, 0.0]), ("radii", &[2.0, 1.0])]).extruded(0.0, 3.0).unwrap();
    check(oval, 6.0 * PI, 4.0 * PI + 3.0 * 9.688_448_220_547_676, 1e-9);
    let twisted =
        block([0.0; 3], [1.0, 2.0, 3.0]).rotated(1.0, Some(&[1.0, 1.0, 1.0]), &[3.0, 0.0, 0.0]).unwrap();
    check(twisted.scaled(&[2.0], &[0.0; 3]).unwrap(), 48.0, 88.0, 1e-12);
}

#[test]
fn more_dimensions() {
    let sphere = Region::of("it", shape("ball", &[("center", &[0.0; 5]), ("radius", &[2.0])]));
    close(sphere.measure().unwrap().value, 8.0 * PI * PI / 15.0 * 32.0, 1e-12);
    let wall = whole(&sphere);
    close(wall.measure().value, 8.0 * PI * PI / 3.0 * 16.0, 1e-12);
    // Each coordinate's square has the mean r²/5 on the sphere.
    let spots = wall.sample(20_000, &mut rng(1));
    for i in 0..5 {
        let mean = spots.iter().map(|spot| spot.x[i] * spot.x[i]).sum::<f64>() / 20_000.0;
        close(mean, 0.8, 0.02);
    }
    check_sides(&sphere, &wall, 500);
    let cube = ("cube", shape("box", &[("from", &[0.0; 4]), ("to", &[1.0; 4])]));
    let corner =
        region("cube - hole", &[cube, ("hole", shape("ball", &[("center", &[0.0; 4]), ("radius", &[1.0])]))]);
    let expected = 1.0 - PI * PI / 32.0;
    let measure = corner.measure().unwrap();
    assert!((measure.value - expected).abs() < measure.error && measure.error < 3e-3, "{measure:?}");
    let inner = corner.wall(&of("hole")).unwrap();
    // A sixteenth of 2π².
    assert!((inner.measure().value - PI * PI / 8.0).abs() < inner.measure().error.max(1e-3));
    check_sides(&corner, &inner, 300);
}

#[test]
fn what_is_left_of_walls() {
    let all = [
        ("block", block([0.0; 3], [2.0, 1.0, 1.0])),
        ("bore", cylinder([0.5, 0.5, -1.0], [0.5, 0.5, 2.0], 0.25)),
        ("pin", cylinder([1.5, 0.5, 0.0], [1.5, 0.5, 1.0], 1e-3)),
        ("ball", ball([2.0, 0.5, 0.5], 0.5)),
    ];
    let bored = region("block - bore", &all);
    let measure = bored.measure().unwrap();
    close(measure.value, 2.0 - PI / 16.0, 1e-7);
    assert!((measure.value - 2.0 + PI / 16.0).abs() <= measure.error, "{measure:?}");
    close(bored.wall(&of("bore")).unwrap().measure().value, 0.5 * PI, 1e-10);
    let top = bored.wall(&Select { on: &[(2, 1.0)], ..of("block") }).unwrap();
    close(top.measure().value, 2.0 - PI / 16.0, 1e-7);
    check_sides(&bored, &whole(&bored), 2000);
    // What a pin of a thousandth of the block has in common with it is found, and so are the holes it leaves.
    let common = region("block & pin", &all);
    close(common.measure().unwrap().value, PI * 1e-6, 1e-6);
    close(
        common.wall(&Select { on: &[(2, 1.0)], ..Select::default() }).unwrap().measure().value,
        PI * 1e-6,
        1e-6,
    );
    let pinned = region("block - pin", &all);
    let lid = pinned.wall(&Select { on: &[(2, 1.0)], ..Select::default() }).unwrap().measure();
    close(2.0 - lid.value, PI * 1e-6, 1e-2);
    // Half a ball at the end.
    let round = region("block + ball", &all);
    close(round.measure().unwrap().value, 2.0 + PI / 12.0, 1e-7);
    close(round.wall(&of("ball")).unwrap().measure().value, 0.5 * PI, 1e-7);
    assert!(matches!(bored.wall(&Select { on: &[(2, 0.5)], ..Select::default() }), Err(Error::NoPart(_))));
    // A wall of two materials.
    let core = region("block & bore", &all);
    let between = bored.interface(&core, &Select::default()).unwrap();
    close(between.measure().value, 0.5 * PI, 1e-10);
    for spot in between.sample(100, &mut rng(2)) {
        close(spot.normal[0], -(spot.x[0] - 0.5) / 0.25, 1e-9);
    }
}

#[test]
fn points_are_uniform_by_area() {
    let all = [("ball", ball([0.0; 3], 1.0)), ("bore", cylinder([0.0, 0.0, -2.0], [0.0, 0.0, 2.0], 0.5))];
    let bead = region("ball - bore", &all);
    let wall = whole(&bead);
    // A bead: its height is √3, its outer area 2π·√3 (Archimedes) and its inner one π·√3.
    let height = 3.0_f64.sqrt();
    close(wall.measure().value, 3.0 * PI * height, 1e-7);
    close(bead.measure().unwrap().value, PI * height.powi(3) / 6.0, 1e-7);
    let mut random = rng(3);
    let mut counts = vec![0; 2 * 8 * 4];
    for _ in 0..30_000 {
        let spot = wall.at(&[random.random(), random.random()]);
        let floor = ((spot.x[2] / height + 0.5) * 8.0) as usize;
        let turn = ((spot.x[1].atan2(spot.x[0]) / TAU + 0.5) * 4.0) as usize;
        let outside = usize::from(spot.x[0].hypot(spot.x[1]) > 0.5 + 1e-9);
        counts[(outside * 8 + floor.min(7)) * 4 + turn.min(3)] += 1;
    }
    let shares: Vec<_> = (0..64).map(|k| if k < 32 { 1.0 / 96.0 } else { 2.0 / 96.0 }).collect();
    // 63 degrees of freedom.
    assert!(chi_squared(&counts, &shares) < 110.0, "{counts:?}");
    // Its own points are spread more evenly than random ones.
    let mut counts = vec![0; 64];
    for spot in wall.sample(30_000, &mut random) {
        let floor = ((spot.x[2] / height + 0.5) * 8.0) as usize;
        let turn = ((spot.x[1].atan2(spot.x[0]) / TAU + 0.5) * 4.0) as usize;
        let outside = usize::from(spot.x[0].hypot(spot.x[1]) > 0.5 + 1e-9);
        counts[(outside * 8 + floor.min(7)) * 4 + turn.min(3)] += 1;
    }
    assert!(chi_squared(&counts, &shares) < 10.0, "{}", chi_squared(&counts, &shares));
    let ellipsoid =
        Region::of("it", shape("ellipsoid", &[("center", &[0.0; 3]), ("radii", &[2.0, 1.0, 1.0])]));
    let wall = whole(&ellipsoid);
    let mean =
        wall.sample(20_000, &mut random).iter().map(|spot| spot.x[0] * spot.x[0]).sum::<f64>() / 20_000.0;
    close(mean, wall.integral(&mut |spot| spot.x[0] * spot.x[0]) / wall.measure().value, 2e-3);
}

fn random_body(random: &mut impl rand::Rng) -> Shape {
    let mut number = |from: f64, to: f64| from + (to - from) * random.random::<f64>();
    let center = [number(-0.6, 0.6), number(-0.6, 0.6), number(-0.6, 0.6)];
    let to = [center[0] + number(-0.8, 0.8), center[1] + number(-0.8, 0.8), center[2] + number(0.3, 0.8)];
    let radius = number(0.3, 0.7);
    match number(0.0, 6.0) as usize {
        0 => block(center, [center[0] + radius, center[1] + 0.5, center[2] + 0.9])
            .rotated(radius * 5.0, Some(&to), &center)
            .unwrap(),
        1 => ball(center, radius),
        2 => cylinder(center, to, radius),
        3 => {
            shape("cone", &[("from", &center), ("to", &to), ("radius", &[radius]), ("end", &[0.3 * radius])])
        }
        4 => torus(radius, 0.4 * radius).translated(&[center[0] - 1.0, center[1] - 0.5, center[2]]).unwrap(),
        _ => shape("ellipsoid", &[("center", &center), ("radii", &[radius, 0.5, 0.4])]),
    }
}

#[test]
fn gauss_s_theorem_holds_on_random_combinations() {
    let mut random = rng(4);
    let formulas = ["a + b - c", "a & b + c", "a - b", "(a - b) + (b - a)"];
    let mut done = 0;
    while done < 20 {
        let all: Vec<_> = ["a", "b", "c"].iter().map(|&name| (name, random_body(&mut random))).collect();
        let Ok(region) = Region::parse(formulas[done % formulas.len()], &shapes(&all)) else { continue };
        let Ok(wall) = region.wall(&Select::default()) else { continue };
        let (normals, flux) = fluxes(&region);
        assert!(normals.iter().all(|n| n.abs() < 1e-5 * wall.measure().value), "{done}: {normals:?} {all:?}");
        let (bounds, count) = (region.bounds(), 100_000);
        let inside =
            crate::region::spread(3).take(count).filter(|u| region.contains(&bounds.at(u)[..3])).count();
        let error = (flux / bounds.volume() - inside as f64 / count as f64).abs();
        assert!(error < 3e-3, "{done}: {error}");
        check_sides(&region, &wall, 300);
        done += 1;
    }
}

#[test]
fn formulas_are_bodies() {
    let level = By(
        |x: &[f64]| 1.0 - x[0] * x[0] - x[1] * x[1] - x[2] * x[2],
        |x: &[f64], out: &mut [f64]| (0..3).for_each(|i| out[i] = -2.0 * x[i]),
    );
    let region = Region::of("it", Shape::formula(Arc::new(level), &[-1.2; 3], &[1.25; 3]).unwrap());
    let wall = whole(&region);
    close(wall.measure().value, 4.0 * PI, 1e-5);
    close(region.measure().unwrap().value, 4.0 * PI / 3.0, 1e-4);
    check_sides(&region, &wall, 500);
}

#[test]
fn revolutions_stay_on_one_side_of_the_axis() {
    let error = disk([0.5, 0.0], 1.0).revolved().unwrap_err().to_string();
    assert!(error.contains("both sides of the axis"), "{error}");
    let half = region("a & b", &[("a", disk([0.0, 0.0], 1.0)), ("b", square([0.0, -2.0], [2.0, 2.0]))]);
    let body = Region::of("it", Shape::from(half).revolved().unwrap());
    close(whole(&body).measure().value, 4.0 * PI, 1e-8);
    close(body.measure().unwrap().value, 4.0 * PI / 3.0, 1e-8);
}

#[test]
fn outlines_are_triangles_of_the_right_area() {
    let all = [("ball", ball([0.0; 3], 1.0)), ("bore", cylinder([0.0, 0.0, -2.0], [0.0, 0.0, 2.0], 0.5))];
    let parts = whole(&region("ball - bore", &all)).outline(64);
    let area: f64 = parts
        .iter()
        .flat_map(|part| part.triangles.iter().map(|triangle| triangle.map(|i| vector(&part.points[i]))))
        .map(|[a, b, c]| {
            let normal = crate::vector::cross(&along(&b, -1.0, &a), &along(&c, -1.0, &a));
            0.5 * crate::vector::norm(&normal)
        })
        .sum();
    close(area, 3.0 * PI * 3.0_f64.sqrt(), 1e-2);
}

#[test]
fn gates_in_space() {
    let check = |shape: Shape| {
        let region = Region::of("it", shape);
        gates::check(&region, &whole(&region), 0);
    };
    check(ball([1.0, 2.0, 3.0], 0.5));
    check(block([0.0; 3], [1.0, 2.0, 3.0]));
    check(cylinder([1.0, 0.0, 0.0], [2.0, 2.0, 2.0], 0.5));
    check(torus(1.0, 0.25));
    check(shape("cone", &[("from", &[0.0; 3]), ("to", &[0.0, 4.0, 0.0]), ("radius", &[3.0])]));
    check(shape("ellipsoid", &[("center", &[0.0; 3]), ("radii", &[2.0, 1.0, 1.0])]));
    let shell = region("a - b", &[("a", ball([0.0; 3], 2.0)), ("b", ball([0.0; 3], 1.0))]);
    gates::check(&shell, &shell.wall(&of("b")).unwrap(), 0);
    gates::check(&shell, &whole(&shell), 0);
}
