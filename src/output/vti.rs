//! VTK's vti: values on a grid of up to three dimensions.
//!
//! x, y and z are the coordinates in their order, time left out; of more than three, those that have one value are left
//! out as well.

use std::io::Write;

use super::vtk::{array, begin, end, escaped, one_time, space, time};
use super::{Layout, Number, OutputError, Table};

pub(super) fn numbers(table: &mut Table, out: &mut dyn Write) -> Result<(), OutputError> {
    let Layout::Grid(axes) = table.layout else {
        let message = "a .vti file holds a grid (--grid); points go into .vtu, .csv, .npy, .npz or .json";
        return Err(OutputError::Unfit(message.into()));
    };
    one_time(table, axes, "vti")?;
    let mut directions = space(table);
    if directions.len() > 3 {
        directions.retain(|&i| axes[i].len() > 1);
    }
    if directions.len() > 3 {
        let message =
            "a .vti file has at most three directions: give all but three coordinates one value each";
        return Err(OutputError::Unfit(message.into()));
    }
    let columns = table.columns()?;
    let count = columns[0].len();
    // What the grid has in direction 0, 1 and 2; a direction that is not there is one plane at 0.
    let along = |k: usize| directions.get(k).map_or(&[0.0][..], |&i| &axes[i][..]);
    let lengths = [0, 1, 2].map(|k| along(k).len());
    let strides = [0, 1, 2]
        .map(|k| directions.get(k).map_or(0, |&i| axes[i + 1..].iter().map(Vec::len).product::<usize>()));
    let extent = lengths.map(|length| format!("0 {}", length - 1)).join(" ");
    let origin = [0, 1, 2].map(|k| Number(along(k)[0]).to_string()).join(" ");
    let spacing = |k: usize| match along(k) {
        [first, .., last] => (last - first) / (along(k).len() - 1) as f64,
        _ => 1.0,
    };
    let spacing = [0, 1, 2].map(|k| Number(spacing(k)).to_string()).join(" ");
    begin(out, "ImageData")?;
    writeln!(out, "  <ImageData WholeExtent=\"{extent}\" Origin=\"{origin}\" Spacing=\"{spacing}\">")?;
    if let Some(t) = table.time {
        time(out, axes[t][0])?;
    }
    let values = table.names.iter().zip(&columns).skip(table.coordinates);
    let first = table.names.get(table.coordinates).map_or("", String::as_str);
    writeln!(out, "    <Piece Extent=\"{extent}\">\n      <PointData Scalars=\"{}\">", escaped(first))?;
    for (name, column) in values {
        // VTK's first direction changes fastest.
        let [nx, ny, nz] = lengths;
        let places = (0..nz).flat_map(|k| {
            (0..ny).flat_map(move |j| (0..nx).map(move |i| i * strides[0] + j * strides[1] + k * strides[2]))
        });
        array(out, name, 1, count, places.map(|place| column[place]))?;
    }
    writeln!(out, "      </PointData>\n    </Piece>\n  </ImageData>")?;
    Ok(end(out)?)
}

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::super::tests::written;
    use crate::points::tests::vtk_numbers;

    #[test]
    fn the_first_direction_changes_fastest_and_time_is_said() {
        let grid = Layout::Grid(vec![vec![0.0, 1.0], vec![0.25], vec![5.0, 6.0, 7.0]]);
        let point = |i: u32| [f64::from(i / 3), 0.25, f64::from(5 + i % 3), f64::from(10 * (i / 3) + i % 3)];
        let rows: Vec<f64> = (0..6).flat_map(point).collect();
        let bytes = written("vti", &["x", "t", "y", "u"], 3, &grid, &rows).expect("written");
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.contains("WholeExtent=\"0 1 0 2 0 0\" Origin=\"0 5 0\" Spacing=\"1 1 1\""), "{text}");
        assert!(text.contains("Name=\"TimeValue\" NumberOfTuples=\"1\" format=\"ascii\">0.25</DataArray>"));
        assert_eq!(vtk_numbers(&text, "u"), [0.0, 10.0, 1.0, 11.0, 2.0, 12.0]);
    }

    #[test]
    fn what_is_no_grid_at_one_time_is_refused() {
        let grid = Layout::Grid(vec![vec![0.0], vec![0.0, 1.0]]);
        let error = written("vti", &["x", "t", "u"], 2, &grid, &[]).expect_err("two times");
        assert!(error.to_string().contains("2 values of `t`"), "{error}");
        let error = written("vti", &["x", "u"], 1, &Layout::Points, &[]).expect_err("no grid");
        assert!(error.to_string().contains("holds a grid"), "{error}");
        let four = Layout::Grid(vec![vec![0.0, 1.0]; 4]);
        let error = written("vti", &["a", "b", "c", "d", "u"], 4, &four, &[]).expect_err("four");
        assert!(error.to_string().contains("three directions"), "{error}");
    }
}
