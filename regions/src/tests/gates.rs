//! Gates: zero on the wall, positive inside, about one at most.

use super::*;

/// Checks a gate of `wall`, and that it has `singular` singular places.
#[track_caller]
pub(super) fn check(region: &Region, wall: &Wall, singular: usize) -> crate::Gate {
    let names = ["x", "y", "z"];
    let gate = region.gate(wall, &names[..region.dimension()]).expect("a gate");
    let d = region.dimension();
    for spot in wall.sample(500, &mut rng(1)) {
        assert!(gate.value(&spot.x[..d]).abs() < 1e-7, "{} at {:?}", gate.value(&spot.x[..d]), spot.x);
        // It rises at once: its slope into the region is not zero, but where two faces meet.
        let step = 1e-4 * region.bounds().diagonal();
        let before = along(&spot.x, -step, &spot.normal);
        assert!(gate.value(&before[..d]) > 0.0 || region.level(&before[..d]) <= 0.0, "{spot:?}");
    }
    let bounds = region.tight().unwrap();
    let values: Vec<f64> = crate::region::spread(d)
        .take(20_000)
        .map(|u| bounds.at(&u))
        .filter(|x| region.level(&x[..d]) > 1e-9)
        .map(|x| gate.value(&x[..d]))
        .collect();
    assert!(values.iter().all(|&value| value > 0.0), "{}", gate.formula);
    let most = values.iter().copied().fold(0.0, f64::max);
    assert!(most > 0.9 && most < 1.3, "{most}: {}", gate.formula);
    assert_eq!(gate.singular.len(), singular, "{:?}", gate.singular);
    gate
}

#[test]
fn gates_of_single_shapes() {
    let check_one = |shape: Shape, singular: usize| {
        let region = Region::of("it", shape);
        check(&region, &whole(&region), singular).formula
    };
    assert_eq!(check_one(disk([0.5, 0.5], 0.1), 0), "(0.01 - ((x - 0.5)^2 + (y - 0.5)^2))*100");
    assert_eq!(check_one(square([0.0, 0.0], [2.0, 1.0]), 0), "x*0.5*(2 - x)*0.5*y*(1 - y)*16");
    check_one(shape("annulus", &[("center", &[1.0, 1.0]), ("inner", &[0.5]), ("outer", &[1.0])]), 0);
    let angle = [0.3];
    check_one(shape("ellipse", &[("center", &[0.5, 0.5]), ("radii", &[2.0, 1.0]), ("angle", &angle)]), 0);
    check_one(shape("polygon", &[("points", &[0.0, 0.0, 4.0, 0.0, 0.0, 3.0])]), 0);
    // The L: singular at its inner corner only.
    check_one(
        shape("polygon", &[("points", &[0.0, 0.0, 2.0, 0.0, 2.0, 1.0, 1.0, 1.0, 1.0, 2.0, 0.0, 2.0])]),
        1,
    );
    // A comb.
    let comb = [
        0.0, 0.0, 5.0, 0.0, 5.0, 3.0, 4.0, 3.0, 4.0, 1.0, 3.0, 1.0, 3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0,
        1.0, 3.0, 0.0, 3.0,
    ];
    check_one(shape("polygon", &[("points", &comb)]), 6);
    check_one(shape("capsule", &[("from", &[0.0, 0.0]), ("to", &[3.0, 0.0]), ("radius", &[0.5])]), 4);
    check_one(shape("interval", &[("from", &[-1.0]), ("to", &[2.0])]), 0);
}

#[test]
fn gates_of_combinations() {
    let plate = ("plate", square([0.0, 0.0], [2.0, 1.0]));
    let holes = [plate.clone(), ("hole", disk([0.5, 0.5], 0.1)), ("slot", square([1.2, 0.4], [1.6, 0.6]))];
    let perforated = region("plate - hole", &holes);
    check(&perforated, &whole(&perforated), 0);
    check(&perforated, &perforated.wall(&of("hole")).unwrap(), 0);
    check(&perforated, &perforated.wall(&Select { on: &[(0, 0.0)], ..of("plate") }).unwrap(), 0);
    // Outside of a rectangle each edge is trimmed by its neighbours: four corners.
    let slotted = region("plate - hole - slot", &holes);
    check(&slotted, &whole(&slotted), 4);
    check(&slotted, &slotted.wall(&of("slot")).unwrap(), 4);
    // Two disks that overlap: singular where their circles cross.
    let two = region("a + b", &[("a", disk([0.0, 0.0], 1.0)), ("b", disk([1.0, 0.0], 1.0))]);
    check(&two, &whole(&two), 2);
    check(&two, &two.wall(&of("a")).unwrap(), 2);
    let half = shape("half-plane", &[("point", &[0.0, 0.0]), ("normal", &[1.0, 2.0])]);
    let half = region("a & h", &[("a", disk([0.0, 0.0], 1.0)), ("h", half)]);
    check(&half, &half.wall(&of("h")).unwrap(), 0);
}

#[test]
fn walls_without_a_formula_have_no_gate() {
    let all = [("a", disk([0.0, 0.0], 1.0)), ("b", disk([1.0, 0.0], 1.0))];
    let twice = region("(a - b) + (b - a)", &all);
    assert!(twice.gate(&whole(&twice), &["x", "y"]).is_none());
    let part: crate::Predicate = Arc::new(|x| x[0] < 0.3);
    let union = region("a + b", &all);
    let wall = union.wall(&Select { part: Some(part), ..Select::default() }).unwrap();
    assert!(union.gate(&wall, &["x", "y"]).is_none());
    let points: Vec<f64> = (0..100)
        .flat_map(|k| {
            let (s, c) = (f64::from(k) * 0.0628).sin_cos();
            [c, s]
        })
        .collect();
    let many = Region::of("it", shape("polygon", &[("points", &points)]));
    assert!(many.gate(&whole(&many), &["x", "y"]).is_none());
}

#[test]
fn sheets_have_two_sides() {
    let across = |shape: Shape| {
        let region = Region::of("it", shape);
        let names = ["x", "y", "z"];
        region.across(&names[..region.dimension()])
    };
    let ring = across(shape("annulus", &[("center", &[1.0, 1.0]), ("inner", &[1.0]), ("outer", &[1.01])]));
    let ring = ring.expect("a sheet");
    for angle in [0.1, 2.0, 4.5_f64] {
        let at = |r: f64| ring.value(&[1.0 + r * angle.cos(), 1.0 + r * angle.sin()]);
        assert!((at(1.0).abs() - 1.0).abs() < 1e-9 && (at(1.01) + at(1.0)).abs() < 1e-9, "{}", ring.formula);
        assert!(at(1.005).abs() < 0.01, "{}", at(1.005));
    }
    let plate = shape("rectangle", &[("from", &[0.0, 0.0]), ("to", &[2.0, 0.02])]);
    let plate = plate.rotated(0.7, None, &[0.0, 0.0]).expect("turned");
    let found = across(plate.clone()).expect("a sheet");
    let wall = Region::of("it", plate).wall(&Select::default()).expect("a wall");
    for spot in wall.sample(200, &mut rng(1)) {
        let along = (spot.normal[0] * 0.7_f64.cos() + spot.normal[1] * 0.7_f64.sin()).abs();
        assert!(along > 0.5 || (found.value(&spot.x[..2]).abs() - 1.0).abs() < 1e-9, "{spot:?}");
    }
    // No sheets: what is round, what has four sides alike, a wedge whose long sides meet.
    assert!(across(disk([0.0, 0.0], 1.0)).is_none());
    assert!(across(square([0.0, 0.0], [1.0, 1.0])).is_none());
    assert!(across(shape("polygon", &[("points", &[0.0, 0.0, 5.0, 0.0, 5.0, 0.2])])).is_none());
}
