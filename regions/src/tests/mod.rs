//! What shapes, walls, gates and meshes come to, against closed forms and against one another.

mod formats;
mod gates;
mod plane;
mod space;

use std::sync::Arc;

use proptest::test_runner::{Config, RngAlgorithm, RngSeed};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::vector::{along, vector};
use crate::{Level, Region, Select, Shape, Shapes, Wall};

/// `cases` cases from a fixed stream, whatever the environment says; no file is left behind.
pub(super) fn fixed(cases: u32) -> Config {
    Config {
        cases,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        ..Config::default()
    }
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn shape(kind: &str, numbers: &[(&str, &[f64])]) -> Shape {
    Shape::build(kind, numbers).unwrap_or_else(|error| panic!("{kind}: {error}"))
}

fn shapes(all: &[(&str, Shape)]) -> Arc<Shapes> {
    let mut shapes = Shapes::default();
    all.iter().for_each(|(name, shape)| shapes.insert(name, shape.clone()));
    Arc::new(shapes)
}

fn region(formula: &str, all: &[(&str, Shape)]) -> Region {
    Region::parse(formula, &shapes(all)).unwrap_or_else(|error| panic!("{formula}: {error}"))
}

fn whole(region: &Region) -> Wall {
    region.wall(&Select::default()).unwrap()
}

fn of<'a>(shape: &'a str) -> Select<'a> {
    Select { shape: Some(shape), ..Select::default() }
}

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1e-300), "{found} {expected}");
}

/// A level by functions for its value and its gradient.
struct By<F, G>(F, G);

impl<F: Fn(&[f64]) -> f64 + Send + Sync, G: Fn(&[f64], &mut [f64]) + Send + Sync> Level for By<F, G> {
    fn value(&self, x: &[f64]) -> f64 {
        self.0(x)
    }

    fn gradient(&self, x: &[f64], out: &mut [f64]) {
        self.1(x, out);
    }
}

fn square(from: [f64; 2], to: [f64; 2]) -> Shape {
    shape("rectangle", &[("from", &from), ("to", &to)])
}

fn disk(center: [f64; 2], radius: f64) -> Shape {
    shape("disk", &[("center", &center), ("radius", &[radius])])
}

fn block(from: [f64; 3], to: [f64; 3]) -> Shape {
    shape("box", &[("from", &from), ("to", &to)])
}

fn ball(center: [f64; 3], radius: f64) -> Shape {
    shape("ball", &[("center", &center), ("radius", &[radius])])
}

/// ∮ n and ∮ x·n / d.
fn fluxes(region: &Region) -> (Vec<f64>, f64) {
    let (wall, d) = (whole(region), region.dimension());
    let normals = (0..d).map(|i| wall.integral(&mut |spot| spot.normal[i])).collect();
    let flux = wall.integral(&mut |spot| (0..d).map(|i| spot.x[i] * spot.normal[i]).sum());
    (normals, flux / d as f64)
}

/// Every place drawn has the inside behind it and the outside before it.
#[track_caller]
fn check_sides(region: &Region, wall: &Wall, count: usize) {
    let step = 1e-6 * region.bounds().diagonal();
    let mut wrong = 0;
    for spot in wall.sample(count, &mut rng(7)) {
        let level = |s: f64| region.level(&along(&spot.x, s, &spot.normal)[..region.dimension()]);
        let length: f64 = spot.normal.iter().map(|n| n * n).sum();
        assert!((length - 1.0).abs() < 1e-12, "{spot:?}");
        assert!(level(0.0).abs() < 1e-3 * step, "{spot:?}: {}", level(0.0));
        wrong += usize::from(!(level(-step) > 0.0 && level(step) < 0.0));
    }
    // Close to a corner another wall may come between.
    assert!(wrong * 500 <= count, "{wrong} of {count}");
}

/// Pearson's statistic of counts that should be as `shares` are, and the degrees of freedom.
fn chi_squared(counts: &[usize], shares: &[f64]) -> f64 {
    let total: usize = counts.iter().sum();
    counts
        .iter()
        .zip(shares)
        .map(|(&count, share)| {
            let expected = share * total as f64;
            (count as f64 - expected).powi(2) / expected
        })
        .sum()
}

#[test]
fn bad_numbers_are_named() {
    let check = |kind: &str, numbers: &[(&str, &[f64])], expected: &str| {
        let error = Shape::build(kind, numbers).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("disc", &[], "there is no shape `disc`");
    check("disk", &[("center", &[0.0, 0.0]), ("radius", &[-1.0])], "has to be positive");
    check("disk", &[("center", &[0.0, 0.0])], "needs `radius`");
    check("disk", &[("center", &[0.0, 0.0]), ("r", &[1.0])], "has no `r`");
    check("disk", &[("center", &[0.0, f64::NAN]), ("radius", &[1.0])], "not finite");
    check("disk", &[("center", &[0.0]), ("radius", &[1.0])], "2 are needed");
    check("rectangle", &[("from", &[0.0, 0.0]), ("to", &[1.0, 0.0])], "has to be above");
    check("annulus", &[("center", &[0.0, 0.0]), ("inner", &[1.0]), ("outer", &[0.5])], "above the inner");
    check("half-plane", &[("point", &[0.0, 0.0]), ("normal", &[0.0, 0.0])], "no direction");
    check("torus", &[("center", &[0.0; 3]), ("radius", &[1.0]), ("tube", &[2.0])], "below the radius");
    check("box", &[("from", &[0.0; 9]), ("to", &[1.0; 9])], "1 to 8");
    check("polygon", &[("points", &[0.0, 0.0, 1.0, 0.0, 1.0])], "three points or more");
    // A bow tie: its second and fourth edges cross.
    check(
        "polygon",
        &[("points", &[0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0])],
        "edges 2 and 4 meet near (0.5, 0.5)",
    );
    // A spike that folds back onto itself.
    check("polygon", &[("points", &[0.0, 0.0, 2.0, 0.0, 1.0, 0.0, 1.0, 1.0])], "edges 1 and 2");
    check("polygon", &[("points", &[0.0, 0.0, 1.0, 1.0, 2.0, 2.0])], "edges");
}
