//! NumPy's npz: an archive of npy arrays, one for every name.
//!
//! On a grid every coordinate has the list of its values, and a value has the grid's shape; elsewhere all arrays are as
//! long as there are points.

use std::io::Write;

use zip::write::{SimpleFileOptions, ZipWriter};

use super::npy::{body, header};
use super::{Layout, OutputError, Table};

pub(super) fn numbers(table: &mut Table, out: &mut dyn Write) -> Result<(), OutputError> {
    let columns = table.columns()?;
    let rows = columns[0].len();
    let mut archive = ZipWriter::new_stream(out);
    for (i, (name, column)) in table.names.iter().zip(&columns).enumerate() {
        let (shape, values) = match table.layout {
            Layout::Grid(axes) if i < axes.len() => (vec![axes[i].len()], &axes[i]),
            Layout::Grid(axes) => (axes.iter().map(Vec::len).collect(), column),
            _ => (vec![rows], column),
        };
        // What may be longer than 4 GB has to say so beforehand.
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .large_file(values.len() > 1 << 28);
        archive.start_file(format!("{name}.npy"), options).map_err(failed)?;
        header(&mut archive, &shape)?;
        body(&mut archive, values.iter().copied())?;
    }
    archive.finish().map_err(failed)?;
    Ok(())
}

fn failed(error: zip::result::ZipError) -> OutputError {
    std::io::Error::from(error).into()
}

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::super::tests::written;

    #[test]
    fn a_grid_keeps_its_shape() {
        let grid = Layout::Grid(vec![vec![0.0, 1.0], vec![5.0, 6.0, 7.0]]);
        let rows: Vec<f64> =
            (0..6).flat_map(|i| [f64::from(i / 3), f64::from(5 + i % 3), f64::from(i)]).collect();
        let bytes = written("npz", &["x", "t", "u"], 2, &grid, &rows).expect("written");
        let text = String::from_utf8_lossy(&bytes);
        for expected in
            ["x.npy", "t.npy", "u.npy", "'shape': (2,), }", "'shape': (3,), }", "'shape': (2, 3), }"]
        {
            assert!(text.contains(expected), "{expected}");
        }
        assert_eq!(bytes[..4], *b"PK\x03\x04");
    }
}
