//! VTK's vtu: values at points, or at the points of a mesh with its cells.
//!
//! x, y and z are the coordinates in their order, time left out, which is an array beside the values.
//! A mesh keeps its own points; points alone are a cell each.

use std::io::Write;

use super::vtk::{array, begin, end, escaped, one_time, space, time};
use super::{Layout, OutputError, Table};

/// VTK's number for a cell that is a point.
const VERTEX: u8 = 1;

pub(super) fn numbers(table: &mut Table, out: &mut dyn Write) -> Result<(), OutputError> {
    let directions = space(table);
    let own = match table.layout {
        Layout::Mesh(mesh) => Some(mesh),
        Layout::Grid(axes) => {
            one_time(table, axes, "vtu")?;
            None
        }
        _ => None,
    };
    if own.is_none() && directions.len() > 3 {
        let message = "a .vtu file has three directions, and the problem more coordinates: take .csv, .npy, .npz or .json";
        return Err(OutputError::Unfit(message.into()));
    }
    let columns = table.columns()?;
    let count = columns[0].len();
    let cells = own.map_or(count, |mesh| mesh.types.len());
    begin(out, "UnstructuredGrid")?;
    writeln!(out, "  <UnstructuredGrid>")?;
    let moments = table.time.map(|t| &columns[t]);
    if let Some(&now) = moments.and_then(|moments| moments.first())
        && moments.is_some_and(|moments| moments.iter().all(|t| *t == now))
    {
        time(out, now)?;
    }
    writeln!(out, "    <Piece NumberOfPoints=\"{count}\" NumberOfCells=\"{cells}\">\n      <Points>")?;
    match own {
        Some(mesh) => array(out, "Points", 3, 3 * count, mesh.points.iter().copied())?,
        None => {
            let at = |row: usize, k: usize| directions.get(k).map_or(0.0, |&i| columns[i][row]);
            let points = (0..count).flat_map(|row| [at(row, 0), at(row, 1), at(row, 2)]);
            array(out, "Points", 3, 3 * count, points)?;
        }
    }
    writeln!(out, "      </Points>\n      <Cells>")?;
    match own {
        Some(mesh) => {
            array(out, "connectivity", 1, mesh.connectivity.len(), mesh.connectivity.iter().copied())?;
            array(out, "offsets", 1, cells, mesh.offsets.iter().copied())?;
            array(out, "types", 1, cells, mesh.types.iter().copied())?;
        }
        None => {
            let points = count as i64;
            array(out, "connectivity", 1, count, 0..points)?;
            array(out, "offsets", 1, count, 1..=points)?;
            array(out, "types", 1, count, (0..count).map(|_| VERTEX))?;
        }
    }
    let first = table.names.get(table.coordinates).map_or("", String::as_str);
    writeln!(out, "      </Cells>\n      <PointData Scalars=\"{}\">", escaped(first))?;
    let shown = table.time.into_iter().chain(table.coordinates..table.names.len());
    for i in shown {
        array(out, &table.names[i], 1, count, columns[i].iter().copied())?;
    }
    writeln!(out, "      </PointData>\n    </Piece>\n  </UnstructuredGrid>")?;
    Ok(end(out)?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;
    use super::super::{Layout, Mesh};
    use crate::points::tests::vtk_numbers;

    #[test]
    fn points_have_a_cell_each_and_time_is_an_array() {
        let rows = [0.5, 1.0, 7.0, 0.25, 2.0, 8.0];
        let text = written("vtu", &["x", "t", "u"], 2, &Layout::Points, &rows).expect("written");
        let text = String::from_utf8(text).expect("text");
        assert!(text.contains("NumberOfPoints=\"2\" NumberOfCells=\"2\"") && !text.contains("TimeValue"));
        assert_eq!(vtk_numbers(&text, "Points"), [0.5, 0.0, 0.0, 0.25, 0.0, 0.0]);
        assert_eq!((vtk_numbers(&text, "t"), vtk_numbers(&text, "u")), (vec![1.0, 2.0], vec![7.0, 8.0]));
    }

    #[test]
    fn a_mesh_keeps_its_points_and_cells() {
        let mesh = Mesh {
            points: vec![0.0, 0.0, 3.0, 1.0, 0.0, 3.0, 0.0, 1.0, 3.0],
            connectivity: vec![0, 1, 2],
            offsets: vec![3],
            types: vec![5],
        };
        let rows = [0.0, 0.5, 1.0, 1.0, 0.5, 2.0, 0.0, 0.5, 3.0];
        let text = written("vtu", &["x", "t", "u"], 2, &Layout::Mesh(mesh.clone()), &rows).expect("written");
        let text = String::from_utf8(text).expect("text");
        assert!(
            text.contains("NumberOfPoints=\"3\" NumberOfCells=\"1\"") && text.contains(">0.5</DataArray>")
        );
        assert_eq!(vtk_numbers(&text, "Points"), mesh.points);
    }
}
