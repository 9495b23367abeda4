//! Domains made of shapes: what is said where they are wrong, which places they have, and what is known there.

use std::path::Path;

use super::{Document, Place, Posedness, Problem};
use crate::sample;
use crate::settings::Sampler;

const PLATE: &str = r#"[coordinates]
x = {}
y = [0, 1]
t = [0, 2]
[parameters]
r = 0.1
[shapes]
plate = { rectangle = { from = [0, 0], to = [2, 1] } }
hole = { disk = { center = [0.5, 0.5], radius = "r" } }
[domain]
region = "plate - hole"
[unknowns]
u = {}
[conditions.physics]
place = "interior"
residual = "u_t - u_xx - u_yy"
[conditions.cooled]
place = "wall of hole"
residual = "u_n + 5*(u - 1)"
[conditions.rest]
place = "wall of plate where x = 0"
residual = "u"
[conditions.start]
place = "t = 0"
residual = "u"
"#;

fn built(text: &str) -> Problem {
    built_in(Path::new(""), text)
}

fn built_in(folder: &Path, text: &str) -> Problem {
    let document = Document::parse("test.toml", text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    document.build(folder).unwrap_or_else(|mistakes| panic!("{mistakes}")).0
}

/// What is said where `from` stands as `to`: one mistake, with every part of `expected`, pointing at `at`.
#[track_caller]
fn says(from: &str, to: &str, expected: &[&str], at: &str) {
    assert!(PLATE.contains(from), "{from}");
    refused(Path::new(""), &PLATE.replace(from, to), to, expected, at);
}

/// What is said of `text`, in which `to` is wrong: one mistake, with every part of `expected`, pointing at `at`.
#[track_caller]
fn refused(folder: &Path, text: &str, to: &str, expected: &[&str], at: &str) {
    let document = Document::parse("test.toml", text).expect("TOML");
    let mistakes = match document.build(folder) {
        Ok((_, warnings)) => panic!("`{to}` was taken: {warnings}"),
        Err(mistakes) => mistakes,
    };
    let items: Vec<_> = mistakes.iter().collect();
    assert_eq!(items.len(), 1, "{to}: {mistakes}");
    let said = format!("{} → {}", items[0].message, items[0].hint.as_deref().unwrap_or_default());
    for part in expected {
        assert!(said.contains(part), "{to}: `{part}` is missing in\n{said}");
    }
    let span = items[0].span.clone().unwrap_or(0..0);
    assert!(text[span.clone()].contains(at), "{to}: points at `{}`", &text[span]);
}

#[test]
fn mistakes_have_one_message_each() {
    let region = |formula: &str| format!("region = \"{formula}\"");
    let region_says = |formula: &str, expected: &[&str], at: &str| {
        says("region = \"plate - hole\"", &region(formula), expected, at);
    };
    region_says("plate - hol", &["no shape is called `hol`", "did you mean `hole`?"], "hol");
    region_says(
        "plate - widget",
        &["no shape is called `widget`", "the shapes are `plate` and `hole`"],
        "widget",
    );
    region_says("hole - plate", &["the region is empty"], "hole - plate");
    region_says("hole - hole", &["the region is empty"], "hole - hole");
    region_says("plate -", &[], "");
    says("[domain]\nregion = \"plate - hole\"\n", "", &["there are shapes, but no domain"], "shapes");
    says("region = \"plate - hole\"", "regions = \"plate\"", &["did you mean `region`?"], "regions");
    says("radius = \"r\"", "radius = -1", &["`radius` of the disk is -1"], "-1");
    says("radius = \"r\"", "radius = 1e-200", &["`hole` is", "too small to be told from a point"], "hole");
    says("radius = \"r\"", "radus = \"r\"", &["unknown key `radus`", "did you mean `radius`?"], "radus");
    says("radius = \"r\"", "radius = \"q\"", &["unknown symbol `q`"], "q");
    says("{ disk =", "{ disc =", &["there is no shape `disc`", "did you mean `disk`?"], "disc");
    let formula = |text: &str| format!("hole = {{ formula = \"{text}\", from = [0, 0], to = [1, 1] }}");
    let disk = "hole = { disk = { center = [0.5, 0.5], radius = \"r\" } }";
    says(disk, &formula("1 + x"), &["is positive everywhere in its box"], "1 + x");
    says(disk, &formula("-1 - x"), &["is nowhere positive in its box"], "-1 - x");
    says(disk, &formula("sqrt((x - 0.5)^2) - 0.5*abs(y)"), &["has no derivatives at"], "sqrt");
    says("center = [0.5, 0.5]", "center = [0.5]", &["`center`", "2 are needed"], "[0.5]");
    says("y = [0, 1]", "y = [0, 0.9]", &["beyond its domain [0, 0.9]", "widen"], "[domain]");
    says(
        "hole = { disk = { center = [0.5, 0.5], radius = \"r\" } }",
        "hole = { polygon = { points = [[0.3, 0.3], [0.7, 0.7], [0.7, 0.3], [0.3, 0.7]] } }",
        &["crosses"],
        "[[0.3",
    );
    says(
        "hole = { disk = { center = [0.5, 0.5], radius = \"r\" } }",
        "hole = { ball = { center = [0.5, 0.5, 0.5], radius = \"r\" } }",
        &["has 3 dimensions"],
        "hole",
    );
    let place_says = |place: &str, expected: &[&str], at: &str| {
        says("\"wall of hole\"", &format!("\"{place}\""), expected, at);
    };
    place_says("wall of hol", &["no shape is called `hol`", "did you mean `hole`?"], "hol");
    place_says("wall hole", &["is not a place", "wall of NAME"], "wall hole");
    place_says("wall of hole where x = 0", &["no straight piece of the wall lies there"], "wall of hole");
    place_says("wall of hole where z > 0", &["unknown symbol `z`"], "z");
    place_says("wall of hole where t > 1", &["coordinates of space"], "t > 1");
    place_says("x = 1", &["no straight piece of the wall lies there"], "x = 1");
    place_says("x = 0.5, y = 0.5", &["outside the region"], "x = 0.5");
    place_says("region hol", &["no shape is called `hol`"], "hol");
    place_says("region hole", &["points that the domain does not have"], "region hole");
    place_says("interface of plate", &["lies between two regions"], "interface");
    says("u_t - u_xx - u_yy", "u_t - u_n", &["derivative along the normal", "only walls"], "u_n");
    says("u_t - u_xx - u_yy", "u_t - n_x*u_x", &["`n_x` is a component of the normal"], "n_x");
    says("u_t - u_xx - u_yy", "u_t - u_m", &["`m` in `u_m` is not a row of coordinates"], "u_m");
    says("r = 0.1", "r = 0.1\nn_x = 1", &["`n_x` is a component of the normal"], "");
}

#[test]
fn walls_that_are_alike_repeat() {
    let text = PLATE.replace(
        "place = \"wall of plate where x = 0\"\nresidual = \"u\"",
        "place = \"periodic x\"\norder = 0",
    );
    let problem = built(&text);
    let pairs = sample::points(&problem, &problem.conditions[2], 1, 0);
    assert_eq!(pairs.rows.len(), 2 * 3 * 200);
    for pair in pairs.rows.chunks_exact(6) {
        assert_eq!((pair[0], pair[3], pair[1], pair[2]), (0.0, 2.0, pair[4], pair[5]), "{pair:?}");
        assert!((0.0..=1.0).contains(&pair[1]) && (0.0..=2.0).contains(&pair[2]), "{pair:?}");
    }
    assert!(pairs.data.is_empty());
    assert_eq!(built(&problem.to_toml()), problem);
    // The walls that are linked have a condition, the others have none.
    let Posedness::UnderDetermined(gaps) = problem.posedness() else { panic!("two walls are free") };
    assert!(
        gaps.iter().any(|gap| gap.message.contains("66 % of the wall of `plate` has no condition")),
        "{gaps:?}"
    );

    let refuse = |from: &str, to: &str, expected: &[&str], at: &str| {
        assert!(text.contains(from), "{from}");
        refused(Path::new(""), &text.replace(from, to), to, expected, at);
    };
    let hole = "center = [0.5, 0.5]";
    let unlike = ["`periodic x`: the walls at x = 0 and x = 2 are not alike", "has none opposite"];
    refuse(hole, "center = [0, 0.5]", &unlike, "periodic x");
    // It comes as far as the wall later on.
    refuse(hole, "center = [\"0.5 - t/4\", 0.5]", &unlike, "periodic x");
    refuse("to = [2, 1]", "to = [\"1 + t/8\", 1]", &["no straight wall lies at x = "], "periodic x");
    built(&text.replace(hole, "center = [\"0.5 + t/4\", 0.5]"));
}

#[test]
fn a_wall_is_in_a_list_once() {
    let both = |second: &str| {
        PLATE.replace(
            "\"wall of plate where x = 0\"",
            &format!("[\"wall of plate where x = 0\", \"{second}\"]"),
        )
    };
    built(&both("wall of hole"));
    built(&both("wall of plate where y = 0"));
    for again in ["wall of plate", "wall where y < 0.5", "wall"] {
        let expected = ["a part of this wall is in the list already, as `wall of plate where x = 0`"];
        refused(Path::new(""), &both(again), again, &expected, again);
    }
}

#[test]
fn a_point_of_a_line_is_a_wall() {
    let text = "[coordinates]\nx = {}\nt = [0, 1]\n[shapes]\nrod = { interval = { from = [0], to = [\"1 + t\"] } }\n\
                [domain]\nregion = \"rod\"\n[unknowns]\nu = {}\n[conditions.heat]\nplace = \"interior\"\n\
                residual = \"u_t - u_xx\"\n[conditions.hot]\nplace = \"x = 0\"\nresidual = \"u - 1\"\n\
                [conditions.end]\nplace = \"wall of rod where x > 0.5\"\nresidual = \"u\"\n\
                [conditions.start]\nplace = \"t = 0\"\nresidual = \"u - 1 + x\"\n";
    assert_eq!(built(text).posedness(), Posedness::NoDoubt);
}

#[test]
fn rotations_that_nothing_holds_are_named() {
    let plate = |held: &str| {
        format!(
            "[coordinates]\nx = {{}}\ny = {{}}\n[shapes]\nplate = {{ rectangle = {{ from = [0, 0], to = [2, 1] }} }}\n\
             hole = {{ disk = {{ center = [0.5, 0.5], radius = 0.1 }} }}\n[domain]\nregion = \"plate - hole\"\n\
             [unknowns]\nu = {{}}\nv = {{}}\n[conditions.inside]\nplace = \"interior\"\n\
             residual = [\"u_xx + 0.35*u_yy + 0.65*v_xy\", \"v_yy + 0.35*v_xx + 0.65*u_xy\"]\n\
             [conditions.pulled]\nplace = \"wall\"\n\
             residual = [\"n_x*(u_x + 0.3*v_y - 1) + n_y*0.35*(u_y + v_x)\", \"n_y*(v_y + 0.3*u_x) + n_x*0.35*(u_y + v_x)\"]\n\
             {held}"
        )
    };
    let point = |name: &str, at: &str, residual: &str| {
        format!("[conditions.{name}]\nplace = \"{at}\"\nresidual = {residual}\n")
    };
    let gaps = |text: &str| match built(text).posedness() {
        Posedness::UnderDetermined(gaps) => gaps.into_iter().map(|gap| gap.message).collect(),
        Posedness::NoDoubt => vec![],
        other => panic!("{other:?}"),
    };
    let turns = "no condition notices a rotation that is added to `u` and `v`";
    let free = gaps(&plate(""));
    assert!(free.len() == 3 && free[2] == turns, "{free:?}");
    // Held in a point, it turns about it; in another one too, it is held.
    let one = point("one", "x = 1, y = 0.5", "[\"u\", \"v\"]");
    assert_eq!(gaps(&plate(&one)), [turns]);
    assert_eq!(gaps(&plate(&(one + &point("other", "x = 2, y = 0.5", "\"v\"")))), Vec::<String>::new());
}

#[test]
fn bodies_are_as_wide_as_they_are_in_the_mean() {
    let widths = |shape: &str, region: &str| {
        let text = PLATE
            .replace("plate = { rectangle = { from = [0, 0], to = [2, 1] } }", shape)
            .replace("region = \"plate - hole\"", &format!("region = \"{region}\""))
            .replace("y = [0, 1]", "y = {}")
            .replace("\"wall of hole\"", "\"wall\"")
            .replace("\"wall of plate where x = 0\"", "\"wall\"");
        built(&text).geometry.expect("shapes").domain.widths().to_vec()
    };
    let near = |found: Vec<f64>, expected: [f64; 2]| {
        let far = found.iter().zip(expected).any(|(a, b)| (a - b).abs() > 1e-6 * b);
        assert!(found.len() == 2 && !far, "{found:?}");
    };
    near(widths("plate = { rectangle = { from = [0, 0], to = [2, 1] } }", "plate"), [2.0, 1.0]);
    // Of a ring π/2 of its thickness: from both sides two diameters are seen of each circle.
    let ring = "plate = { annulus = { center = [0, 0], inner = 1, outer = 1.01 } }";
    near(widths(ring, "plate"), [core::f64::consts::FRAC_PI_2 * 0.01; 2]);
}

#[test]
fn a_distance_is_a_shape() {
    let disk = "hole = { disk = { center = [0.5, 0.5], radius = \"r\" } }";
    let distance =
        "hole = { formula = \"0.25 - sqrt((x - 0.5)^2 + (y - 0.5)^2)\", from = [0, 0], to = [1, 1] }";
    let problem = built(&PLATE.replace(disk, distance));
    let length = problem.conditions[1].place.walls()[0].measure();
    assert!((length - 0.5 * std::f64::consts::PI).abs() < 1e-6, "{length}");
}

#[test]
fn a_wall_that_the_combination_removes_is_named() {
    let text = PLATE.replace("region = \"plate - hole\"", "region = \"plate\"");
    let document = Document::parse("test.toml", &text).expect("TOML");
    let mistakes = document.build(Path::new("")).expect_err("no wall of the hole");
    assert!(mistakes.to_string().contains("`hole` is no part of the domain `plate`"), "{mistakes}");
}

#[test]
fn what_is_written_is_read_again() {
    let problem = built(PLATE);
    let c = &problem.coordinates;
    assert!(c[0].lower.abs() < 1e-2 && (c[0].upper - 2.0).abs() < 1e-2 && c[1].upper == 1.0, "{c:?}");
    let again = built(&problem.to_toml());
    assert_eq!(again, problem);
    assert_eq!(problem.conditions[1].place.describe(c), "wall of hole");
    assert_eq!(problem.conditions[2].place.describe(c), "wall of plate where x = 0");
}

#[test]
fn points_lie_where_they_are_asked_for() {
    let mut problem = built(PLATE);
    for sampler in [Sampler::Uniform, Sampler::Grid, Sampler::LatinHypercube, Sampler::Sobol] {
        for condition in &mut problem.conditions {
            condition.sampler = sampler;
            condition.points = 300;
        }
        let points = |i: usize| sample::points(&problem, &problem.conditions[i], 1, 0);
        let from_hole = |row: &[f64]| (row[0] - 0.5).hypot(row[1] - 0.5);
        let inside = points(0);
        assert_eq!((inside.rows.len(), inside.data.len()), (900, 0), "{sampler:?}");
        assert!(inside.rows.chunks_exact(3).all(|row| from_hole(row) >= 0.1 - 1e-12), "{sampler:?}");
        let start = points(3);
        assert!(
            start.rows.chunks_exact(3).all(|row| from_hole(row) >= 0.1 - 1e-12 && row[2] == 0.0),
            "{sampler:?}"
        );
        let hole = points(1);
        assert_eq!((hole.rows.len(), hole.data.len()), (900, 2), "{sampler:?}");
        for (k, row) in hole.rows.chunks_exact(3).enumerate() {
            assert!((from_hole(row) - 0.1).abs() < 1e-12, "{sampler:?}: {row:?}");
            // Out of the region, so into the hole.
            let expected = [(0.5 - row[0]) / 0.1, (0.5 - row[1]) / 0.1];
            let off = expected.iter().zip(&hole.data).map(|(n, found)| (n - found[k]).abs());
            assert!(off.fold(0.0, f64::max) < 1e-9, "{sampler:?}: {row:?}");
        }
        let left = points(2);
        assert!(left.rows.chunks_exact(3).all(|row| row[0].abs() < 1e-12), "{sampler:?}");
        assert!(left.data[0].iter().all(|n| *n == -1.0) && left.data[1].iter().all(|n| n.abs() < 1e-15));
    }
}

#[test]
fn the_derivative_along_the_normal_is_that_of_the_components() {
    let by_name = built(&PLATE.replace("u_n + 5*(u - 1)", "u_n"));
    let by_components = built(&PLATE.replace("u_n + 5*(u - 1)", "n_x*u_x + n_y*u_y"));
    assert_eq!(by_name.conditions[1].residuals, by_components.conditions[1].residuals);
}

#[test]
fn walls_share_points_by_their_lengths() {
    let text = PLATE.replace("\"wall of hole\"", "[\"wall of hole\", \"wall of plate\"]");
    let problem = built(&text);
    let rows = sample::points(&problem, &problem.conditions[1], 1, 0).rows;
    let on_hole = rows.chunks_exact(3).filter(|row| (row[0] - 0.5).hypot(row[1] - 0.5) < 0.11).count() as f64;
    let (hole, plate) = (0.2 * std::f64::consts::PI, 6.0);
    assert!((on_hole - 200.0 * hole / (hole + plate)).abs() <= 2.0, "{on_hole}");
}

#[test]
fn interfaces_and_regions_are_places_of_their_own() {
    let text = PLATE
        .replace("region = \"plate - hole\"", "region = \"plate\"")
        .replace("\"wall of hole\"", "\"interface of hole and plate - hole\"")
        .replace("\"interior\"", "\"region hole\"");
    let problem = built(&text);
    let inside = sample::points(&problem, &problem.conditions[0], 1, 0).rows;
    assert!(inside.chunks_exact(3).all(|row| (row[0] - 0.5).hypot(row[1] - 0.5) <= 0.1 + 1e-12));
    let between = sample::points(&problem, &problem.conditions[1], 1, 0);
    for (k, row) in between.rows.chunks_exact(3).enumerate() {
        // From the hole outwards.
        assert!(((row[0] - 0.5) / 0.1 - between.data[0][k]).abs() < 1e-9, "{row:?}");
    }
    assert!(matches!(problem.conditions[0].place, Place::Inside(_)));
    assert_eq!(built(&problem.to_toml()), problem);
}

#[test]
fn unknowns_live_where_the_file_says() {
    let text = PLATE
        .replace("region = \"plate - hole\"", "region = \"plate\"")
        .replace("\"wall of hole\"", "\"interface of hole and plate - hole\"")
        .replace("u = {}", "u = {}\nv = { region = \"hole\" }")
        .replace("u_n + 5*(u - 1)", "u_n + v_n");
    let problem = built(&text);
    let [u, v] = &problem.unknowns[..] else { panic!("two unknowns") };
    for (row, inside) in [([0.5, 0.5, 0.0], true), ([0.59, 0.5, 1.0], true), ([0.7, 0.5, 0.0], false)] {
        assert_eq!((u.lives_at(&row), v.lives_at(&row)), (true, inside), "{row:?}");
    }
    assert_eq!(built(&problem.to_toml()), problem);
    says("u = {}", "u = { region = \"hol\" }", &["no shape is called `hol`"], "hol");
}

#[test]
fn measured_where_the_region_is() {
    let problem = built(PLATE);
    let points = problem.reference_points();
    assert!(!points.is_empty());
    assert!(points.chunks_exact(3).all(|row| (row[0] - 0.5).hypot(row[1] - 0.5) > 0.1 - 1e-8));
}

/// A tetrahedron with a corner in the origin and three edges of length `size`, as STL; without its first triangle if it
/// leaks.
fn tetrahedron(size: f64, leaks: bool) -> String {
    let p = [[0.0, 0.0, 0.0], [size, 0.0, 0.0], [0.0, size, 0.0], [0.0, 0.0, size]];
    let mut text = String::new();
    let faces = [("floor", [0, 2, 1]), ("side", [0, 1, 3]), ("slope", [1, 2, 3]), ("side", [2, 0, 3])];
    for (name, face) in faces.iter().skip(usize::from(leaks)) {
        text += &format!("solid {name}\nfacet normal 0 0 0\nouter loop\n");
        face.iter().for_each(|&i| text += &format!("vertex {} {} {}\n", p[i][0], p[i][1], p[i][2]));
        text += "endloop\nendfacet\nendsolid\n";
    }
    text
}

/// A unit square of two materials, each a triangle, with its lower side as a group; Gmsh's format.
const SQUARE: &str = "$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$PhysicalNames\n3\n1 3 \"lower side\"\n2 1 \"iron\"\n\
    2 2 \"air\"\n$EndPhysicalNames\n$Nodes\n4\n1 0 0 0\n2 1 0 0\n3 1 1 0\n4 0 1 0\n$EndNodes\n$Elements\n3\n\
    1 1 2 3 1 1 2\n2 2 2 1 1 1 2 3\n3 2 2 2 2 1 3 4\n$EndElements\n";

const PART: &str = r#"[coordinates]
x = {}
y = {}
z = {}
[shapes]
part = { mesh = "part.stl", scale = 0.5, translate = [1, 0, 0] }
[domain]
region = "part"
[unknowns]
u = {}
[conditions.physics]
place = "interior"
residual = "u_xx + u_yy + u_zz"
[conditions.held]
place = "wall of part.floor"
residual = "u"
[conditions.rest]
place = ["wall of part.slope", "wall of part.side"]
residual = "u_n"
"#;

#[test]
fn meshes_are_shapes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("part.stl"), tetrahedron(2.0, false)).expect("written");
    std::fs::write(folder.join("leaky.stl"), tetrahedron(2.0, true)).expect("written");
    std::fs::write(folder.join("square.msh"), SQUARE).expect("written");
    let problem = built_in(folder, PART);
    let geometry = problem.geometry.as_ref().expect("shapes");
    assert!((geometry.domain.measure() - 1.0 / 6.0).abs() < 1e-12);
    let floor = sample::points(&problem, &problem.conditions[1], 1, 0);
    assert!(floor.rows.chunks_exact(3).all(|x| x[2] == 0.0 && x[0] > 1.0 && x[0] + x[1] < 2.0));
    assert!(floor.data[2].iter().all(|n| *n == -1.0));
    let [slope, side] = problem.conditions[2].place.walls() else { panic!("two walls") };
    assert!((slope.measure() - 0.75_f64.sqrt()).abs() < 1e-12 && (side.measure() - 1.0).abs() < 1e-12);
    // What a run keeps of it is read from anywhere.
    let written = problem.to_toml();
    assert_eq!(built(&written), problem);
    let says = |from: &str, to: &str, expected: &[&str], at: &str| {
        assert!(PART.contains(from), "{from}");
        refused(folder, &PART.replace(from, to), to, expected, at);
    };
    says(
        "part.stl",
        "prat.stl",
        &["`prat.stl`: there is no such file", "relative to the problem file"],
        "prat",
    );
    says("part.stl", "part.step", &["that end in `.stl`, `.obj`, `.msh` and `.vtu`"], "part.step");
    says(
        "part.stl",
        "square.msh",
        &["`translate` of the shape has 3 numbers where 2 are needed"],
        "[1, 0, 0]",
    );
    says(
        "part.stl",
        "leaky.stl",
        &["open at 3 edges; one of them is from (0, 0, 0) to (2, 0, 0)", "close it"],
        "leaky.stl",
    );
    says(
        "part.floor",
        "part.roof",
        &["no part of the wall is called `roof`: its parts are floor, side, slope"],
        "roof",
    );
    let millimetres = PART.replace("x = {}", "x = [0, 0.003]").replace("y = {}", "y = [0, 0.001]");
    let millimetres = millimetres.replace("z = {}", "z = [0, 0.001]");
    refused(folder, &millimetres, "mm", &["other units", "`scale = 0.001`"], "part.stl");
    let metres = PART.replace("x = {}", "x = [0, 3000]").replace("y = {}", "y = [0, 1000]");
    let metres = metres.replace("z = {}", "z = [0, 1000]");
    refused(folder, &metres, "m", &["other units", "`scale = 1000`"], "part.stl");
}

#[test]
fn physical_groups_are_regions_and_walls() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("square.msh"), SQUARE).expect("written");
    let text = r#"[coordinates]
x = {}
y = {}
[shapes]
square = { mesh = "square.msh" }
[domain]
region = "square"
[unknowns]
T1 = { region = "square.iron" }
T2 = { region = "square.air" }
[conditions.iron]
place = "region square.iron"
residual = "T1_xx + T1_yy"
[conditions.air]
place = "region square.air"
residual = "T2_xx + T2_yy"
[conditions.contact]
place = "interface of square.iron and square.air"
residual = ["T1 - T2", "T1_n - 2*T2_n"]
[conditions.lower]
place = "wall of square.lower_side"
residual = "T1"
[conditions.left]
place = "wall of square where x = 0"
residual = "T2 - 1"
"#;
    let problem = built_in(folder.path(), text);
    let measures: Vec<f64> =
        problem.conditions[2..].iter().map(|condition| condition.place.walls()[0].measure()).collect();
    let expected = [2_f64.sqrt(), 1.0, 1.0];
    assert!(measures.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{measures:?}");
    let rows = sample::points(&problem, &problem.conditions[0], 1, 0).rows;
    assert!(rows.chunks_exact(2).all(|x| x[1] <= x[0]));
    assert_eq!(built(&problem.to_toml()), problem);
}

#[test]
fn shapes_move() {
    let text = PLATE.replace("center = [0.5, 0.5]", "center = [\"0.5 + t/4\", 0.5]");
    let problem = built(&text);
    let from_hole = |row: &[f64]| (row[0] - 0.5 - row[2] / 4.0).hypot(row[1] - 0.5);
    let inside = sample::points(&problem, &problem.conditions[0], 1, 0).rows;
    assert!(inside.chunks_exact(3).all(|row| from_hole(row) >= 0.1 - 1e-12));
    // Some are where the hole was at another time.
    assert!(inside.chunks_exact(3).any(|row| (row[0] - 0.5).hypot(row[1] - 0.5) < 0.05));
    let hole = sample::points(&problem, &problem.conditions[1], 1, 0);
    for (k, row) in hole.rows.chunks_exact(3).enumerate() {
        assert!((from_hole(row) - 0.1).abs() < 1e-12, "{row:?}");
        assert!((hole.data[1][k] - (0.5 - row[1]) / 0.1).abs() < 1e-9, "{row:?}");
    }
    let start = sample::points(&problem, &problem.conditions[3], 1, 0).rows;
    assert!(start.chunks_exact(3).all(|row| row[2] == 0.0 && from_hole(row) >= 0.1 - 1e-12));
    assert_eq!(built(&problem.to_toml()), problem);
    // A turned square, and a mesh or a region that is carried along.
    let turned = "hole = { rectangle = { from = [0.4, 0.4], to = [0.6, 0.6] }, rotate = \"pi*t/4\", about = [0.5, 0.5] }";
    let disk = "hole = { disk = { center = [0.5, 0.5], radius = \"r\" } }";
    let problem = built(&PLATE.replace(disk, turned));
    let body = &problem.geometry.as_ref().expect("shapes").domain;
    // At t = 1 it stands on a corner.
    assert_eq!([0.0, 1.0, 2.0].map(|t| body.contains(&[0.62, 0.5, t])), [true, false, true]);
    let carried = format!("{disk}\nmoved = {{ region = \"hole\", translate = [\"t/2\", 0] }}");
    let problem = built(
        &PLATE
            .replace(disk, &carried)
            .replace("plate - hole", "plate - moved")
            .replace("wall of hole", "wall of moved"),
    );
    let body = &problem.geometry.as_ref().expect("shapes").domain;
    assert_eq!([0.0, 1.0, 2.0].map(|t| body.contains(&[1.0, 0.5, t])), [true, false, true]);
    says("\"r\"", "\"0.1 - t/10\"", &["at the time 1: `radius` of the disk is 0"], "disk");
    says(
        "\"r\"",
        "\"x/10\"",
        &["depends on a coordinate of space", "formulas of parameters, and of time"],
        "x/10",
    );
    says(
        "center = [0.5, 0.5]",
        "center = [\"0.5 + t\", 0.5]",
        &["at the time 1.6", "nothing is left of the wall of `hole`"],
        "wall of hole",
    );
    says(
        disk,
        "hole = { formula = \"0.01 - (x - t)^2 - y^2\", from = [-1, -1], to = [1, 1] }",
        &["`t` is no coordinate of this shape's space", "may be formulas of time"],
        "(x - t)",
    );
}

#[test]
fn what_conditions_on_walls_leave_open_is_said() {
    let said = |text: &str| match built(text).posedness() {
        Posedness::NoDoubt => "nothing".to_owned(),
        Posedness::UnderDetermined(gaps) => {
            let said: Vec<_> = gaps.into_iter().map(|gap| gap.message).collect();
            format!("open: {}", said.join("; "))
        }
        Posedness::Contradictory(contradiction) => contradiction.message,
        Posedness::BlowsUp(blow_up) => blow_up.message,
    };
    let check = |text: &str, expected: &str| {
        let said = said(text);
        assert!(said.contains(expected), "{said}\n{text}");
    };
    // It has one on a side of length 1, of a length of 6 in all.
    check(PLATE, "% of the wall of `plate` has no condition, such as the point (");
    check(&PLATE.replace("wall of plate where x = 0", "wall of plate"), "nothing");
    check(
        &PLATE.replace("wall of hole", "wall of plate where x > 0"),
        "open: no condition is on the wall of `hole`",
    );
    // Of first derivatives it depends on where they lead.
    check(&PLATE.replace("u_t - u_xx - u_yy", "u_t + u_x"), "nothing");
    let disk = |wall: &str| {
        format!(
            "[coordinates]\nx = {{}}\ny = {{}}\n[shapes]\na = {{ disk = {{ center = [0, 0], radius = 1 }} }}\n[domain]\n\
             region = \"a\"\n[unknowns]\nu = {{}}\n[conditions.inside]\nplace = \"interior\"\n\
             residual = \"3*(u_xx + u_yy) - 12\"\n[conditions.rim]\nplace = \"wall\"\nresidual = \"{wall}\"\n"
        )
    };
    check(&disk("u"), "nothing");
    check(&disk("u_n + u"), "nothing");
    // ∫ Δu = 4π, and ∮ u_n = 2π·g.
    check(&disk("2*u_n - 4 - x"), "open:");
    check(&disk("2*u_n - 3"), "the flux of `u` through them is 9.425, and by the equation it is 12.57");
    // Resonance: k is a zero of the Bessel function J₀, or of J₁′, at which the disk has an oscillation of its own.
    let helmholtz =
        |k: f64, wall: &str| disk(wall).replace("3*(u_xx + u_yy) - 12", &format!("u_xx + u_yy + {k}^2*u"));
    check(&helmholtz(2.404_825_557_695_773, "u"), "open: not everything is determined");
    check(&helmholtz(2.4, "u"), "nothing");
    check(&helmholtz(1.841_183_781_340_659, "u_n"), "open: not everything is determined");
    check(&helmholtz(2.0, "u_n"), "nothing");
    let again = "\n[conditions.again]\nplace = \"wall\"\nresidual = \"u - 1\"\n";
    check(&(disk("u") + again), "the conditions `rim` and `again` contradict one another on the wall");
    check(&(disk("u - 1") + again), "nothing");
    // Time has no start, or two.
    let filled = PLATE.replace("wall of plate where x = 0", "wall of plate");
    let start = "[conditions.start]\nplace = \"t = 0\"\nresidual = \"u\"\n";
    assert!(filled.contains(start));
    check(&filled.replace(start, ""), "the equations need 1 condition along `t`, which is their order");
    let another = start.replace("start", "another").replace("\"u\"", "\"u - x\"");
    check(&(filled + &another), "the conditions `start` and `another` contradict one another at t = 0");
}

#[test]
fn materials_around_which_nothing_is_given_share_a_constant() {
    let text = r#"[coordinates]
x = {}
y = {}
[shapes]
core = { disk = { center = [0, 0], radius = 0.5 } }
whole = { rectangle = { from = [-1, -1], to = [1, 1] } }
[domain]
region = "whole"
[unknowns]
a = { region = "core" }
b = { region = "whole - core" }
[conditions.a]
place = "region core"
residual = "a_xx + a_yy"
[conditions.b]
place = "region whole - core"
residual = "b_xx + b_yy"
[conditions.contact]
place = "interface of core and whole - core"
residual = ["a - b", "a_n - 2*b_n"]
[conditions.rim]
place = "wall"
residual = "RIM"
"#;
    let of = |rim: &str| built(&text.replace("RIM", rim)).posedness();
    assert_eq!(of("b - x"), Posedness::NoDoubt);
    let Posedness::UnderDetermined(gaps) = of("b_n - x") else { panic!("a constant is open") };
    let expected = "with any number c, `a + c` and `b + c` fulfil the conditions as well";
    assert!(gaps.len() == 1 && gaps[0].message.ends_with(expected), "{gaps:?}");
}

#[test]
fn a_point_inside_is_known() {
    let annulus = r#"[coordinates]
x = {}
y = {}
[shapes]
ring = { annulus = { center = [0, 0], inner = 0.9, outer = 1 } }
[domain]
region = "ring"
[unknowns]
u = {}
[conditions.inside]
place = "interior"
residual = "u_xx + u_yy"
[conditions.rim]
place = "wall"
residual = "u"
"#;
    let problem = built(annulus);
    let at = problem.middle();
    assert!(problem.geometry.as_ref().expect("shapes").domain.contains(&at), "{at:?}");
    refused(
        Path::new(""),
        &annulus.replace("0.9", "1e-200").replace("outer = 1 ", "outer = 2e-200 "),
        "1e-200",
        &["the region is", "choose a unit"],
        "ring",
    );
}
