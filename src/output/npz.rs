//! NumPy's npz: an archive of npy arrays, one for every name, which are stored as they are.
//!
//! On a grid every coordinate has the list of its values, and a value has the grid's shape; elsewhere all arrays are as
//! long as there are points.
//! The archive is ZIP's first form, without its extension for more than 4 GB, which a table that fits is below:
//! <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>

use std::io::{self, Write};

use flate2::Crc;

use super::npy::{body, header};
use super::{Layout, OutputError, Table};

/// What local and central headers have in common after their beginning: version 2.0, names in UTF-8, stored, and the first
/// day that there is, so that the same numbers are the same file.
const COMMON: [u8; 10] = [20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0];

pub(super) fn numbers(table: &mut Table, out: &mut dyn Write) -> Result<(), OutputError> {
    let columns = table.columns()?;
    let rows = columns[0].len();
    let mut directory = vec![];
    let mut offset = 0_u64;
    for (i, (name, column)) in table.names.iter().zip(&columns).enumerate() {
        let (shape, values) = match table.layout {
            Layout::Grid(axes) if i < axes.len() => (vec![axes[i].len()], &axes[i]),
            Layout::Grid(axes) => (axes.iter().map(Vec::len).collect(), column),
            _ => (vec![rows], column),
        };
        let array = |out: &mut dyn Write| -> io::Result<()> {
            header(out, &shape)?;
            body(out, values.iter().copied())
        };
        // The sum comes before what is summed.
        let mut sum = Sum(Crc::new(), 0);
        array(&mut sum)?;
        let name = format!("{name}.npy");
        let entry = [
            &COMMON[..],
            &sum.0.sum().to_le_bytes(),
            &short(sum.1)?,
            &short(sum.1)?,
            &length(&name)?,
            &[0, 0],
        ]
        .concat();
        let local = [b"PK\x03\x04", &entry[..], name.as_bytes()].concat();
        out.write_all(&local)?;
        array(out)?;
        // No comment, the first disk, no attributes; then where the local header is.
        let place = [&[0; 10][..], &short(offset)?].concat();
        directory.extend([b"PK\x01\x02\x14\x00", &entry[..], &place, name.as_bytes()].concat());
        offset += local.len() as u64 + sum.1;
    }
    out.write_all(&directory)?;
    let count = u16::try_from(columns.len()).map_err(|_| too_large())?.to_le_bytes();
    let end = [
        &b"PK\x05\x06\x00\x00\x00\x00"[..],
        &count,
        &count,
        &short(directory.len() as u64)?,
        &short(offset)?,
        &[0, 0],
    ];
    Ok(out.write_all(&end.concat())?)
}

/// Counts and sums what is written.
struct Sum(Crc, u64);

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        self.1 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn short(x: u64) -> Result<[u8; 4], OutputError> {
    u32::try_from(x).map(u32::to_le_bytes).map_err(|_| too_large())
}

fn length(name: &str) -> Result<[u8; 2], OutputError> {
    u16::try_from(name.len()).map(u16::to_le_bytes).map_err(|_| too_large())
}

fn too_large() -> OutputError {
    OutputError::Unfit(
        "a .npz file holds up to 4 GB; take .npy or .csv, which are written as they come".into(),
    )
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
