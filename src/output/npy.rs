//! NumPy's npy, version 1: a two-dimensional array of f64, a row for every point.
//!
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use std::io::{self, Write};

use super::{OutputError, Table};

pub(super) fn numbers(table: &mut Table, out: &mut dyn Write) -> Result<(), OutputError> {
    let width = table.names.len();
    let Some(count) = table.count else {
        // The shape comes first, so that all rows have to be known.
        let columns = table.columns()?;
        let rows = columns[0].len();
        header(out, &[rows, width])?;
        let numbers = (0..rows).flat_map(|row| columns.iter().map(move |column| column[row]));
        return Ok(body(out, numbers)?);
    };
    header(out, &[count, width])?;
    while let Some(rows) = (table.rows)()? {
        body(out, rows)?;
    }
    Ok(())
}

/// What stands before the numbers of an array of this shape, last index fastest.
pub(super) fn header(out: &mut dyn Write, shape: &[usize]) -> io::Result<()> {
    let lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    let lengths = if shape.len() == 1 { lengths.trim_end() } else { lengths.trim_end_matches(", ") };
    let text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({lengths}), }}");
    // The numbers begin at a multiple of 64, ten bytes of which are magic, version and length.
    let length = (text.len() + 11).next_multiple_of(64) - 10;
    let stated = u16::try_from(length).expect("a shape of few numbers");
    out.write_all(b"\x93NUMPY\x01\x00")?;
    out.write_all(&stated.to_le_bytes())?;
    writeln!(out, "{text:width$}", width = length - 1)
}

/// The numbers themselves.
pub(super) fn body(out: &mut dyn Write, numbers: impl IntoIterator<Item = f64>) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(1 << 16);
    for x in numbers {
        bytes.extend_from_slice(&x.to_le_bytes());
        if bytes.len() >= 1 << 16 {
            out.write_all(&bytes)?;
            bytes.clear();
        }
    }
    out.write_all(&bytes)
}

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::super::tests::written;

    #[test]
    fn rows_follow_a_header_of_whole_lines() {
        let rows = [0.5, 1e-9, 1.0, f64::NAN];
        let bytes = written("npy", &["x", "u"], 1, &Layout::Points, &rows).expect("written");
        let (header, body) = bytes.split_at(128);
        assert!(header.starts_with(b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', "));
        let text = String::from_utf8_lossy(header);
        assert!(text.contains("'shape': (2, 2), }") && text.ends_with(" \n"), "{text}");
        let numbers: Vec<u64> =
            body.chunks(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight"))).collect();
        assert_eq!(numbers, rows.map(f64::to_bits));
    }
}
