//! VTK's legacy files, text or binary: points and cells of unstructured grids and polygons, points of structured grids.
//!
//! <https://docs.vtk.org/en/latest/vtk_file_formats/vtk_legacy_file_format.html>

use super::mesh::Read;
use crate::limits::MAX_MESH_NUMBERS;
use crate::output::Mesh;

/// Reads a legacy file.
pub(super) fn read(bytes: &[u8]) -> Result<Read, String> {
    let mut file = Cursor { rest: bytes, binary: false };
    if !file.line().starts_with(b"# vtk DataFile") {
        return Err("it is no VTK file: its first line is not `# vtk DataFile Version …`".into());
    }
    file.line();
    file.binary = match file.line().trim_ascii() {
        b"ASCII" => false,
        b"BINARY" => true,
        _ => return Err("its third line is neither ASCII nor BINARY".into()),
    };
    let mut mesh = Mesh::default();
    while let Some(word) = file.word() {
        match word {
            "DATASET" => match file.text()? {
                "UNSTRUCTURED_GRID" | "POLYDATA" | "STRUCTURED_GRID" => {}
                other => {
                    return Err(format!(
                        "its data set is {}; points are read from UNSTRUCTURED_GRID, POLYDATA and STRUCTURED_GRID",
                        other.escape_debug()
                    ));
                }
            },
            "DIMENSIONS" => {
                for _ in 0..3 {
                    file.count()?;
                }
            }
            "FIELD" => {
                file.text()?;
                for _ in 0..file.count()? {
                    file.text()?;
                    let count = file.product()?;
                    file.skip(count)?;
                }
            }
            "METADATA" => {
                file.line();
                // It ends with a line that is blank.
                while !file.line().trim_ascii().is_empty() {}
            }
            "POINTS" => {
                let count = file.count()?;
                let count = count.checked_mul(3).ok_or("its number of points is not one")?;
                mesh.points = file.numbers(count, |x| x)?;
            }
            "CELL_TYPES" => {
                let count = file.count()?;
                let types = file.numbers_of("int", count, |x| x)?;
                let kind = |x: f64| u8::try_from(x as i64).map_err(|_| format!("{x} is no kind of cell"));
                mesh.types = types.into_iter().map(kind).collect::<Result<_, _>>()?;
            }
            "CELLS" => file.cells(&mut mesh, None)?,
            "VERTICES" => file.cells(&mut mesh, Some(|n| if n == 1 { 1 } else { 2 }))?,
            "LINES" => file.cells(&mut mesh, Some(|n| if n == 2 { 3 } else { 4 }))?,
            "POLYGONS" => file.cells(
                &mut mesh,
                Some(|n| match n {
                    3 => 5,
                    4 => 9,
                    _ => 7,
                }),
            )?,
            "TRIANGLE_STRIPS" => file.cells(&mut mesh, Some(|_| 6))?,
            "POINT_DATA" | "CELL_DATA" => break,
            other => return Err(format!("`{}` is not understood; is the file whole?", other.escape_debug())),
        }
    }
    if mesh.points.is_empty() {
        return Err("it has no points".into());
    }
    Ok(Read { mesh, arrays: vec![] })
}

/// What of the file has not been read.
struct Cursor<'a> {
    rest: &'a [u8],
    binary: bool,
}

impl<'a> Cursor<'a> {
    /// The rest of the line.
    fn line(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|&byte| byte == b'\n').unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 1..).unwrap_or(&[]);
        line
    }

    /// The next word, and what is blank before it; `None` at the end, or where there is no text.
    fn word(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_ascii_start();
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        self.rest = &rest[end..];
        core::str::from_utf8(&rest[..end]).ok().filter(|word| !word.is_empty())
    }

    fn text(&mut self) -> Result<&'a str, String> {
        self.word().ok_or_else(|| "it is cut off".into())
    }

    fn count(&mut self) -> Result<usize, String> {
        let word = self.text()?;
        let count = word.parse().ok().filter(|&count| count <= MAX_MESH_NUMBERS);
        count.ok_or_else(|| {
            format!("`{}` is not a whole number up to {MAX_MESH_NUMBERS}", word.escape_debug())
        })
    }

    fn product(&mut self) -> Result<usize, String> {
        let (a, b) = (self.count()?, self.count()?);
        let count = a.checked_mul(b).filter(|&count| count <= MAX_MESH_NUMBERS);
        count.ok_or_else(|| format!("{a} × {b} numbers are more than {MAX_MESH_NUMBERS}"))
    }

    /// Passes over `count` numbers, or texts, whose type comes first.
    fn skip(&mut self, count: usize) -> Result<(), String> {
        let kind = self.text()?;
        if kind == "string" {
            self.line();
            for _ in 0..count {
                self.line();
            }
            return Ok(());
        }
        self.numbers_of(kind, count, |_| ()).map(|_| ())
    }

    /// `count` numbers, whose type comes first.
    fn numbers<T>(&mut self, count: usize, convert: impl Fn(f64) -> T) -> Result<Vec<T>, String> {
        let kind = self.text()?;
        self.numbers_of(kind, count, convert)
    }

    /// `count` numbers of the type `kind`; binary ones have their highest byte first.
    fn numbers_of<T>(
        &mut self,
        kind: &str,
        count: usize,
        convert: impl Fn(f64) -> T,
    ) -> Result<Vec<T>, String> {
        type FromBytes = fn(&[u8]) -> f64;
        let (size, number): (usize, FromBytes) = match kind {
            "unsigned_char" => (1, |b| f64::from(b[0])),
            "char" => (1, |b| f64::from(b[0] as i8)),
            "short" => (2, |b| f64::from(i16::from_be_bytes([b[0], b[1]]))),
            "unsigned_short" => (2, |b| f64::from(u16::from_be_bytes([b[0], b[1]]))),
            "int" => (4, |b| f64::from(i32::from_be_bytes(b.try_into().expect("four")))),
            "unsigned_int" => (4, |b| f64::from(u32::from_be_bytes(b.try_into().expect("four")))),
            "float" => (4, |b| f64::from(f32::from_be_bytes(b.try_into().expect("four")))),
            "long" | "vtktypeint64" | "vtkIdType" => {
                (8, |b| i64::from_be_bytes(b.try_into().expect("eight")) as f64)
            }
            "unsigned_long" | "vtktypeuint64" => {
                (8, |b| u64::from_be_bytes(b.try_into().expect("eight")) as f64)
            }
            "double" => (8, |b| f64::from_be_bytes(b.try_into().expect("eight"))),
            other => return Err(format!("numbers of type `{}` are not read", other.escape_debug())),
        };
        if count > MAX_MESH_NUMBERS {
            return Err(format!("{count} numbers are more than {MAX_MESH_NUMBERS}"));
        }
        if self.binary {
            self.line();
            let bytes = self.rest.get(..count * size).ok_or("it is cut off")?;
            self.rest = &self.rest[count * size..];
            return Ok(bytes.chunks_exact(size).map(|bytes| convert(number(bytes))).collect());
        }
        // A number takes a byte and a blank at the least, so that what is claimed cannot ask for more than there is.
        let mut numbers = Vec::with_capacity(count.min(self.rest.len() / 2 + 1));
        for _ in 0..count {
            let word = self.text()?;
            let x = word.parse().map_err(|_| format!("`{}` is not a number", word.escape_debug()))?;
            numbers.push(convert(x));
        }
        Ok(numbers)
    }

    /// Cells, as they are written since version 5.1 (offsets and points) and before (counts among the points).
    ///
    /// Where the kind of a cell is not a list of its own, `kind` tells it from the number of its points.
    fn cells(&mut self, mesh: &mut Mesh, kind: Option<fn(usize) -> u8>) -> Result<(), String> {
        let (first, second) = (self.count()?, self.count()?);
        let before = mesh.connectivity.len() as i64;
        let integer = |x: f64| x as i64;
        let mut ahead = Cursor { rest: self.rest, binary: self.binary };
        let (offsets, points) = if ahead.word() == Some("OFFSETS") {
            self.text()?;
            let offsets = self.numbers(first, integer)?;
            if self.text()? != "CONNECTIVITY" {
                return Err("the offsets of its cells are not followed by CONNECTIVITY".into());
            }
            (offsets.into_iter().skip(1).collect::<Vec<i64>>(), self.numbers(second, integer)?)
        } else {
            let mixed = self.numbers_of("int", second, integer)?;
            let (mut offsets, mut points): (Vec<i64>, Vec<i64>) = (vec![], vec![]);
            let mut rest = &mixed[..];
            for _ in 0..first {
                let cell = rest
                    .split_first()
                    .and_then(|(&n, after)| after.split_at_checked(usize::try_from(n).ok()?));
                let Some((cell, after)) = cell else {
                    return Err("its cells do not have the points they claim".into());
                };
                points.extend_from_slice(cell);
                offsets.push(points.len() as i64);
                rest = after;
            }
            (offsets, points)
        };
        if let Some(kind) = kind {
            let starts = core::iter::once(0).chain(offsets.iter().copied());
            let lengths = starts.zip(&offsets).map(|(start, end)| end.saturating_sub(start));
            mesh.types.extend(lengths.map(|n| kind(usize::try_from(n).unwrap_or(0))));
        }
        mesh.connectivity.extend(points);
        mesh.offsets.extend(offsets.into_iter().map(|offset| offset.saturating_add(before)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{plane, read as points, refused, wanted};
    use super::*;

    const TEXT: &str = "# vtk DataFile Version 3.0\na square\nASCII\nDATASET UNSTRUCTURED_GRID\n\
        FIELD FieldData 1\nTIME 1 1 double\n0.5\n\
        POINTS 4 double\n0 0 0 1 0 0\n1 1 0 0 1e0 0\nMETADATA\nINFORMATION 0\n\nCELLS 2 8\n3 0 1 2\n3 0 2 3\nCELL_TYPES 2\n5\n5\n\
        POINT_DATA 4\nSCALARS u double 1\nLOOKUP_TABLE default\n1 2 3 4\n";

    /// The same square as version 5.1 writes it, in binary.
    fn binary() -> Vec<u8> {
        let mut bytes =
            b"# vtk DataFile Version 5.1\na square\nBINARY\nDATASET UNSTRUCTURED_GRID\nPOINTS 4 float\n"
                .to_vec();
        let points = [0.0_f32, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0];
        bytes.extend(points.iter().flat_map(|x| x.to_be_bytes()));
        bytes.extend(b"\nCELLS 3 6\nOFFSETS vtktypeint64\n");
        bytes.extend([0_i64, 3, 6].iter().flat_map(|x| x.to_be_bytes()));
        bytes.extend(b"\nCONNECTIVITY vtktypeint64\n");
        bytes.extend([0_i64, 1, 2, 0, 2, 3].iter().flat_map(|x| x.to_be_bytes()));
        bytes.extend(b"\nCELL_TYPES 2\n");
        bytes.extend([5_i32, 5].iter().flat_map(|x| x.to_be_bytes()));
        bytes
    }

    #[test]
    fn text_and_binary_hold_the_same_mesh() {
        let text = read(TEXT.as_bytes()).expect("a mesh").mesh;
        assert_eq!(text, read(&binary()).expect("a mesh").mesh);
        assert_eq!(text.offsets, [3, 6]);
        let chunk = points("m.vtk", TEXT.as_bytes(), plane(Some(0.5), &[])).expect("points");
        assert_eq!(chunk.points, [0.0, 0.0, 0.5, 1.0, 0.0, 0.5, 1.0, 1.0, 0.5, 0.0, 1.0, 0.5]);
        refused("m.vtk", TEXT.as_bytes(), plane(None, &[]), "--at t=0.5");
        // A direction that the problem has not is not left out in silence, unless the mesh is flat there.
        let wrong =
            "extend along y, for which there is no coordinate: x, y and z of a mesh are `x` in this order";
        refused("m.vtk", TEXT.as_bytes(), wanted(Some(0.5), &[]), wrong);
        let flat = TEXT.replace("1 1 0", "1 0 0").replace("0 1e0 0", "0.5 1e-9 0");
        let chunk = points("m.vtk", flat.as_bytes(), wanted(Some(0.5), &[])).expect("points");
        assert_eq!(chunk.points, [0.0, 0.5, 1.0, 0.5, 1.0, 0.5, 0.5, 0.5]);
    }

    #[test]
    fn polygons_tell_their_kind_by_their_points() {
        let text = "# vtk DataFile Version 3.0\n\nASCII\nDATASET POLYDATA\nPOINTS 4 float\n0 0 0 1 0 0 1 1 0 0 1 0\n\
                    LINES 1 3\n2 0 1\nPOLYGONS 2 9\n3 0 1 2\n4 0 1 2 3\n";
        let mesh = read(text.as_bytes()).expect("a mesh").mesh;
        assert_eq!((mesh.types, mesh.offsets), (vec![3, 5, 9], vec![2, 5, 9]));
    }

    #[test]
    fn hostile_files_are_errors() {
        let check = |text: &str, wrong: &str| refused("m.vtk", text.as_bytes(), plane(Some(0.0), &[]), wrong);
        check("", "no VTK file");
        check(&TEXT.replace("ASCII", "EBCDIC"), "neither ASCII nor BINARY");
        check(&TEXT.replace("UNSTRUCTURED_GRID", "STRUCTURED_POINTS"), "STRUCTURED_POINTS");
        check(&TEXT.replace("POINTS 4", "POINTS 99999999999"), "whole number up to");
        check(&TEXT.replace("POINTS 4", "POINTS 30000000"), "not a number");
        check(&TEXT.replace("TIME 1 1", "TIME 90000000 90000000"), "more than");
        check(&TEXT.replace("3 0 2 3", "3 0 2 4"), "do not fit");
        check(&TEXT.replace("3 0 2 3", "9 0 2 3"), "points they claim");
        check(&TEXT.replace("3 0 2 3", "-3 0 2 3"), "points they claim");
        check(&TEXT.replace("1e0", "nan"), "point 3 is not finite");
        check(&TEXT.replace("\n5\n5", "\n5\n300"), "no kind of cell");
        check("# vtk DataFile Version 3.0\n\nASCII\nDATASET POLYDATA\n", "no points");
        let bytes = binary();
        for length in 0..bytes.len() {
            // Cut anywhere, a file is refused or is a smaller mesh that holds together.
            let _ = points("m.vtk", &bytes[..length], plane(Some(0.0), &[]));
        }
        assert!(read(&bytes[..120]).is_err());
    }
}
