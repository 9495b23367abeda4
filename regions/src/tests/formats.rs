//! Meshes: files that are right, files that are wrong, and what is inside.

use core::f64::consts::TAU;
use core::fmt::Write;

use proptest::prelude::*;
use rand::RngExt;

use super::*;
use crate::{Error, Mesh, obj, stl};

type Triangles = Vec<[[f64; 3]; 3]>;

/// A torus of `m` by `n` quads, each of two triangles.
fn torus(m: usize, n: usize) -> Triangles {
    let point = |i: usize, j: usize| {
        let (su, cu) = ((i % m) as f64 * TAU / m as f64).sin_cos();
        let (sv, cv) = ((j % n) as f64 * TAU / n as f64).sin_cos();
        [(2.0 + 0.75 * cv) * cu, (2.0 + 0.75 * cv) * su, 0.75 * sv]
            .map(|x| (x as f32).to_string().parse().unwrap())
    };
    let quad = |i: usize, j: usize| {
        let [a, b, c, d] = [point(i, j), point(i + 1, j), point(i + 1, j + 1), point(i, j + 1)];
        [[a, b, c], [a, c, d]]
    };
    (0..m).flat_map(|i| (0..n).flat_map(move |j| quad(i, j))).collect()
}

fn text_stl(triangles: &Triangles) -> String {
    let mut text = "solid torus\n".to_owned();
    for triangle in triangles {
        text += "facet normal 0 0 0\nouter loop\n";
        for [x, y, z] in triangle {
            writeln!(text, "vertex {x:e} {y:e} {z:e}").unwrap();
        }
        text += "endloop\nendfacet\n";
    }
    text + "endsolid torus\n"
}

fn binary_stl(triangles: &Triangles) -> Vec<u8> {
    // Some programs begin binary files like text.
    let mut bytes = b"solid".to_vec();
    bytes.resize(80, b' ');
    bytes.extend((triangles.len() as u32).to_le_bytes());
    for triangle in triangles {
        bytes.extend([0; 12]);
        triangle.iter().flatten().for_each(|&x| bytes.extend((x as f32).to_le_bytes()));
        bytes.extend([0; 2]);
    }
    bytes
}

fn text_obj(triangles: &Triangles) -> String {
    let mut text = "# a torus\no ring\n".to_owned();
    for [x, y, z] in triangles.iter().flatten() {
        writeln!(text, "v {x} {y} {z}").unwrap();
    }
    for k in 0..triangles.len() {
        writeln!(text, "f {}//1 {}//1 {}//1", 3 * k + 1, 3 * k + 2, 3 * k + 3).unwrap();
    }
    text
}

fn volume(triangles: &Triangles) -> f64 {
    let of = |[a, b, c]: &[[f64; 3]; 3]| {
        crate::vector::dot(&vector(a), &crate::vector::cross(&vector(b), &vector(c))) / 6.0
    };
    triangles.iter().map(of).sum()
}

#[test]
fn surfaces_are_bodies() {
    let triangles = torus(24, 12);
    let mut turned = triangles.clone();
    turned.iter_mut().for_each(|triangle| triangle.swap(0, 1));
    for shape in [
        stl(text_stl(&triangles).as_bytes()),
        stl(&binary_stl(&triangles)),
        stl(&binary_stl(&turned)),
        obj(text_obj(&triangles).as_bytes()),
    ] {
        let region = Region::of("part", shape.unwrap());
        close(region.measure().unwrap().value, volume(&triangles), 1e-12);
        let (normals, flux) = fluxes(&region);
        assert!(normals.iter().all(|n| n.abs() < 1e-10), "{normals:?}");
        close(flux, volume(&triangles), 1e-12);
        check_sides(&region, &whole(&region), 1000);
    }
    let bored = region(
        "part - bore",
        &[
            ("part", stl(&binary_stl(&triangles)).unwrap()),
            (
                "bore",
                shape(
                    "cylinder",
                    &[("from", &[2.0, 0.0, -2.0]), ("to", &[2.0, 0.0, 2.0]), ("radius", &[0.3])],
                ),
            ),
        ],
    );
    let (normals, flux) = fluxes(&bored);
    assert!(normals.iter().all(|n| n.abs() < 1e-5), "{normals:?}");
    assert!(flux < volume(&triangles) - 0.35 && flux > volume(&triangles) - 0.45, "{flux}");
    let named = Region::of("part", obj(text_obj(&triangles).as_bytes()).unwrap());
    let ring = named.wall(&Select { label: Some("ring"), ..Select::default() }).unwrap();
    close(ring.measure().value, whole(&named).measure().value, 1e-12);
    let missing = named.wall(&Select { label: Some("lid"), ..Select::default() });
    assert!(missing.err().unwrap().to_string().contains("is called `lid`"));
}

#[test]
fn a_million_places_are_inside_as_a_ray_says() {
    let triangles = torus(16, 8);
    let shape = stl(&binary_stl(&triangles)).unwrap();
    // Another method: how often a vertical ray crosses, plainly.
    let parity = |x: &[f64; 3]| {
        let crosses = |triangle: &&[[f64; 3]; 3]| {
            let [a, b, c] = *triangle;
            let side =
                |p: &[f64; 3], q: &[f64; 3]| (q[0] - p[0]) * (x[1] - p[1]) - (q[1] - p[1]) * (x[0] - p[0]);
            let (ab, bc, ca) = (side(a, b), side(b, c), side(c, a));
            let whole = ab + bc + ca;
            let height = (bc * a[2] + ca * b[2] + ab * c[2]) / whole;
            ((ab > 0.0) == (bc > 0.0) && (bc > 0.0) == (ca > 0.0)) && height > x[2]
        };
        triangles.iter().filter(crosses).count() % 2 == 1
    };
    let mut random = rng(1);
    let (mut inside, mut wrong) = (0, 0);
    for _ in 0..1_000_000 {
        let x = [0, 1, 2].map(|i| [3.0, 3.0, 0.9][i] * (2.0 * random.random::<f64>() - 1.0));
        let expected = parity(&x);
        inside += usize::from(expected);
        wrong += usize::from(shape.contains(&x) != expected);
    }
    assert_eq!(wrong, 0);
    close(inside as f64 / 1e6 * 64.8, volume(&triangles), 1e-2);
}

#[test]
fn leaks_are_named() {
    let mut triangles = torus(8, 6);
    triangles.pop();
    match stl(&binary_stl(&triangles)).unwrap_err() {
        Error::Open { edges: 3, .. } => {}
        other => panic!("{other}"),
    }
    let mut triangles = torus(8, 6);
    triangles[5].swap(0, 1);
    assert!(matches!(stl(&binary_stl(&triangles)), Err(Error::Disoriented { .. })));
    // Rounding of single points is no leak.
    let mut triangles = torus(8, 6);
    triangles[5][0][0] += 1e-7;
    close(
        Region::of("it", stl(text_stl(&triangles).as_bytes()).unwrap()).measure().unwrap().value,
        volume(&torus(8, 6)),
        1e-6,
    );
    let file = |bytes: &[u8], expected: &str| {
        let error = stl(bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let mut named = text_stl(&torus(8, 6)).replace("solid torus", "solid outer ring");
    named = named.replacen("endloop\nendfacet\n", "endloop\nendfacet\nendsolid\nsolid in-let\n", 1);
    let region = Region::of("it", stl(named.as_bytes()).unwrap());
    let wall = |label| region.wall(&Select { label: Some(label), ..Select::default() });
    assert_eq!((wall("outer").unwrap().pieces().len(), wall("in_let").unwrap().pieces().len()), (1, 95));
    file(b"", "no STL file");
    file(b"solid nothing\nendsolid", "no triangles");
    file(b"solid a\nvertex 0 0\n", "line 2: a vertex has three numbers");
    file(b"solid a\nvertex 0 0 0\nendfacet\n", "line 3: the facet is no triangle");
    assert!(obj(b"v 0 0 0\nf 1 2 3\n").unwrap_err().to_string().contains("line 2: a face has points"));
}

/// A grid of the rectangle [0, 2] × [0, 1], left half of quads and group 1, right half of triangles and group 2, and the
/// left edge as group 3; in Gmsh's format.
fn msh(newer: bool, binary: bool) -> Vec<u8> {
    let (m, n) = (8_usize, 4_usize);
    let node = |i: usize, j: usize| 10 + 3 * (j * (m + 1) + i) as i64;
    let mut out = Vec::new();
    let int = |out: &mut Vec<u8>, x: i64| {
        if binary { out.extend((x as i32).to_le_bytes()) } else { out.extend(format!("{x} ").bytes()) }
    };
    let long = |out: &mut Vec<u8>, x: i64| {
        if binary { out.extend(x.to_le_bytes()) } else { out.extend(format!("{x} ").bytes()) }
    };
    let real = |out: &mut Vec<u8>, x: f64| {
        if binary { out.extend(x.to_le_bytes()) } else { out.extend(format!("{x} ").bytes()) }
    };
    let line = |out: &mut Vec<u8>| {
        if !binary {
            out.push(b'\n');
        }
    };
    out.extend(
        format!("$MeshFormat\n{} {} 8\n", if newer { "4.1" } else { "2.2" }, i32::from(binary)).bytes(),
    );
    if binary {
        out.extend(1_i32.to_le_bytes());
        out.push(b'\n');
    }
    out.extend(b"$EndMeshFormat\n$Comments\nnothing\n$EndComments\n");
    out.extend(b"$PhysicalNames\n3\n1 3 \"inlet\"\n2 1 \"copper\"\n2 2 \"mild steel\"\n$EndPhysicalNames\n");
    let entities = [(2, 1, 1), (2, 2, 2), (1, 7, 3)];
    if newer {
        out.extend(b"$Entities\n");
        [0, 1, 2, 0].iter().for_each(|&count| long(&mut out, count));
        line(&mut out);
        for (dimension, tag, group) in [entities[2], entities[0], entities[1]] {
            int(&mut out, tag);
            (0..6).for_each(|_| real(&mut out, 0.5));
            long(&mut out, 1);
            int(&mut out, group);
            long(&mut out, 2);
            int(&mut out, dimension);
            int(&mut out, -1);
            line(&mut out);
        }
        out.extend(b"$EndEntities\n");
    }
    out.extend(b"$Nodes\n");
    let count = ((m + 1) * (n + 1)) as i64;
    let places: Vec<(i64, [f64; 3])> = (0..=n)
        .flat_map(|j| (0..=m).map(move |i| (node(i, j), [i as f64 * 0.25, j as f64 * 0.25, 0.0])))
        .collect();
    if newer {
        [1, count, 10, 10 + 3 * count].iter().for_each(|&x| long(&mut out, x));
        line(&mut out);
        [2, 1, 0].iter().for_each(|&x| int(&mut out, x));
        long(&mut out, count);
        line(&mut out);
        places.iter().for_each(|(number, _)| long(&mut out, *number));
        line(&mut out);
        places.iter().flat_map(|(_, x)| x).for_each(|&x| real(&mut out, x));
        line(&mut out);
    } else {
        out.extend(format!("{count}\n").bytes());
        for (number, x) in &places {
            int(&mut out, *number);
            x.iter().for_each(|&x| real(&mut out, x));
            line(&mut out);
        }
    }
    out.extend(b"\n$EndNodes\n$Elements\n");
    let (mut quads, mut triangles) = (vec![], vec![]);
    for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
        let [a, b, c, d] = [node(i, j), node(i + 1, j), node(i + 1, j + 1), node(i, j + 1)];
        // Some cells run the other way round.
        match (i < m / 2, (i + j) % 2 == 0) {
            (true, true) => quads.push(vec![a, b, c, d]),
            (true, false) => quads.push(vec![a, d, c, b]),
            _ => triangles.extend([vec![a, b, c], vec![a, d, c]]),
        }
    }
    let edges: Vec<_> = (0..n).map(|j| vec![node(0, j + 1), node(0, j)]).collect();
    let blocks = [(entities[0], 3, quads), (entities[1], 2, triangles), (entities[2], 1, edges)];
    let total: usize = blocks.iter().map(|block| block.2.len()).sum();
    if newer {
        [3, total as i64, 1, total as i64].iter().for_each(|&x| long(&mut out, x));
        line(&mut out);
    } else {
        out.extend(format!("{total}\n").bytes());
    }
    for ((dimension, tag, group), kind, cells) in blocks {
        if newer {
            [dimension, tag, kind].iter().for_each(|&x| int(&mut out, x));
            long(&mut out, cells.len() as i64);
            line(&mut out);
        } else if binary {
            [kind, cells.len() as i64, 2].iter().for_each(|&x| int(&mut out, x));
        }
        for (k, cell) in cells.iter().enumerate() {
            if newer {
                long(&mut out, k as i64 + 1);
                cell.iter().for_each(|&x| long(&mut out, x));
            } else {
                int(&mut out, k as i64 + 1);
                if !binary {
                    [kind, 2].iter().for_each(|&x| int(&mut out, x));
                }
                [group, tag].iter().for_each(|&x| int(&mut out, x));
                cell.iter().for_each(|&x| int(&mut out, x));
            }
            line(&mut out);
        }
    }
    out.extend(b"\n$EndElements\n");
    out
}

#[test]
fn gmsh_files_of_both_versions_are_read_in_text_and_bytes() {
    for (newer, binary) in [(false, false), (false, true), (true, false), (true, true)] {
        let mesh = Mesh::msh(&msh(newer, binary)).unwrap_or_else(|error| panic!("{newer} {binary}: {error}"));
        assert_eq!(mesh.dimension(), 2);
        assert_eq!(mesh.regions().collect::<Vec<_>>(), ["copper", "mild_steel"]);
        assert_eq!(mesh.walls().collect::<Vec<_>>(), ["inlet"]);
        let region = Region::of("part", mesh.shape(None).unwrap());
        close(region.measure().unwrap().value, 2.0, 1e-12);
        close(whole(&region).measure().value, 6.0, 1e-12);
        let inlet = region.wall(&Select { label: Some("inlet"), ..Select::default() }).unwrap();
        close(inlet.measure().value, 1.0, 1e-12);
        assert!(inlet.sample(20, &mut rng(1)).iter().all(|spot| spot.x[0] == 0.0 && spot.normal[0] == -1.0));
        let all = shapes(&[
            ("copper", mesh.shape(Some("copper")).unwrap()),
            ("steel", mesh.shape(Some("mild_steel")).unwrap()),
        ]);
        let [copper, steel] = ["copper", "steel"].map(|name| Region::parse(name, &all).unwrap());
        let between = copper.interface(&steel, &Select::default()).unwrap();
        close(between.measure().value, 1.0, 1e-9);
        assert!(between.sample(20, &mut rng(1)).iter().all(|spot| spot.x[0] == 1.0 && spot.normal[0] == 1.0));
        assert!(mesh.shape(Some("gold")).unwrap_err().to_string().contains("it has copper, mild_steel"));
        check_sides(&region, &whole(&region), 200);
        // Parts under the mesh's name have its wall together, but for what lies between them.
        let parts = shapes(&[
            ("part.copper", mesh.shape(Some("copper")).unwrap()),
            ("part.mild_steel", mesh.shape(Some("mild_steel")).unwrap()),
        ]);
        let both = Region::parse("part.copper + part.mild_steel", &parts).unwrap();
        let wall = |label| both.wall(&Select { shape: Some("part"), label, ..Select::default() });
        close(wall(None).unwrap().measure().value, 6.0, 1e-9);
        close(wall(Some("inlet")).unwrap().measure().value, 1.0, 1e-9);
        let error = wall(Some("outlet")).err().unwrap().to_string();
        assert!(error.contains("no part of the wall is called `outlet`: its parts are inlet"), "{error}");
    }
    let cut = &msh(true, true)[..700];
    assert!(Mesh::msh(cut).unwrap_err().to_string().contains("cut off"));
    assert!(Mesh::msh(b"hello").unwrap_err().to_string().contains("no Gmsh file"));
    assert!(Mesh::msh(b"$MeshFormat\n1.0 0 8\n").unwrap_err().to_string().contains("2.2 and 4.1"));
}

#[test]
fn cells_of_space_are_bodies() {
    // A hexahedron, a prism on its top, a pyramid on its side, a tetrahedron on the pyramid's.
    let points: Vec<f64> = [
        [0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0],
        [1.0, 1.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
        [1.0, 0.0, 1.0],
        [1.0, 1.0, 1.0],
        [0.0, 1.0, 1.0],
        [0.0, 0.5, 2.0],
        [1.0, 0.5, 2.0],
        [2.0, 0.5, 0.5],
        [2.0, 0.5, 1.5],
    ]
    .concat();
    let connectivity = [0, 1, 2, 3, 4, 5, 6, 7, 4, 7, 8, 5, 6, 9, 1, 2, 6, 5, 10, 5, 6, 10, 11];
    let mesh = Mesh::from_cells(&points, &connectivity, &[8, 14, 19, 23], &[12, 13, 14, 10]).unwrap();
    let region = Region::of("part", mesh.shape(None).unwrap());
    // 1, a half, a third, and the tetrahedron's sixth of a determinant.
    close(region.measure().unwrap().value, 1.0 + 0.5 + 1.0 / 3.0 + 1.0 / 6.0, 1e-12);
    check_sides(&region, &whole(&region), 500);
    assert!(Mesh::from_cells(&points, &[0, 1, 2, 99], &[4], &[10]).is_err());
    assert!(Mesh::from_cells(&points, &[0, 1], &[2], &[3]).unwrap_err().to_string().contains("no cells"));
    assert!(Mesh::from_cells(&points, &[0, 1, 2], &[-1], &[5]).is_err());
}

/// Bytes of a file with some of them replaced, and cut.
fn damaged(bytes: &[u8], damage: &[(usize, u8)], length: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for &(at, byte) in damage {
        let at = at % bytes.len();
        bytes[at] = byte;
    }
    bytes.truncate(if length.is_multiple_of(3) { length % (bytes.len() + 1) } else { bytes.len() });
    bytes
}

proptest::proptest! {
    #![proptest_config(fixed(400))]

    #[test]
    fn damaged_files_never_panic(
        damage in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6),
        length in any::<usize>(),
        which in 0..4_usize,
    ) {
        let triangles = torus(4, 3);
        let _ = stl(&damaged(&binary_stl(&triangles), &damage, length));
        let _ = stl(&damaged(text_stl(&triangles).as_bytes(), &damage, length));
        let _ = obj(&damaged(text_obj(&triangles).as_bytes(), &damage, length));
        if let Ok(mesh) = Mesh::msh(&damaged(&msh(which % 2 == 0, which / 2 == 0), &damage, length)) {
            let _ = mesh.shape(None);
        }
    }

    #[test]
    fn random_formulas_never_panic(text in "[ab+&() .é-]{0,40}") {
        let all = shapes(&[("a", disk([0.0, 0.0], 1.0)), ("b", disk([1.0, 0.0], 1.0))]);
        if let Err(Error::Syntax { span, .. } | Error::UnknownShape { span, .. }) = Region::parse(&text, &all) {
            prop_assert!(text.get(span).is_some());
        }
    }

    #[test]
    fn random_polygons_never_panic(numbers in prop::collection::vec(-3..4_i32, 0..20)) {
        let points: Vec<f64> = numbers.iter().map(|&x| f64::from(x)).collect();
        if let Ok(polygon) = Shape::build("polygon", &[("points", &points)]) {
            let region = Region::of("it", polygon);
            let (normals, flux) = fluxes(&region);
            prop_assert!(normals.iter().all(|n| n.abs() < 1e-9));
            prop_assert!((flux - region.measure().unwrap().value).abs() < 1e-9);
            if let Some(gate) = region.gate(&whole(&region), &["x", "y"]) {
                let wall = whole(&region);
                prop_assert!(wall.sample(20, &mut rng(1)).iter().all(|spot| gate.value(&spot.x).abs() < 1e-6));
            }
        }
    }
}
