//! Tables of numbers from files: CSV with a header, and NumPy's npy.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use crate::limits::{MAX_TABLE_BYTES, MAX_TABLE_COLUMNS, MAX_TABLE_NUMBERS};
use crate::rows::{Fault, Rows};

/// A table of finite numbers.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Numbers {
    /// The columns' names; npy files have none.
    pub(crate) header: Option<Vec<String>>,
    /// The columns, all of one length.
    pub(crate) columns: Vec<Vec<f64>>,
    /// The line of every row in a text file, from 1 up; npy files have none.
    pub(crate) lines: Vec<u64>,
}

/// Where a row of a table stands, for people; `lines` are its [`Numbers::lines`].
pub(crate) fn place(lines: &[u64], row: usize) -> String {
    lines.get(row).map_or_else(|| format!("row {}", row + 1), |line| format!("line {line}"))
}

/// Reads a table, npy by its extension and CSV otherwise.
///
/// # Errors
///
/// What is wrong with the file.
pub(crate) fn read(path: &Path) -> Result<Numbers, Fault> {
    let bytes = bytes(path, MAX_TABLE_BYTES)?;
    let npy = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    let numbers = if npy { npy_table(&bytes)? } else { csv_table(&bytes)? };
    if numbers.columns.first().is_none_or(Vec::is_empty) {
        return Err("it has no rows".into());
    }
    for (c, column) in numbers.columns.iter().enumerate() {
        if let Some(row) = column.iter().position(|x| !x.is_finite()) {
            let (row, c) = (place(&numbers.lines, row), c + 1);
            return Err(format!("{row}, column {c} is not a finite number").into());
        }
    }
    Ok(numbers)
}

/// All bytes of a file, `most` at the most.
///
/// # Errors
///
/// Why they cannot be had.
pub(super) fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, Fault> {
    read_bytes(path, most).map_err(|message| Fault { missing: true, ..message.into() })
}

fn read_bytes(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    // Asked first, so that a pipe or a device is not even opened.
    let metadata = fs::metadata(path).map_err(why)?;
    if metadata.is_dir() {
        return Err("it is a folder".into());
    }
    if !metadata.is_file() {
        return Err("it is not a regular file".into());
    }
    if metadata.len() > most {
        let size = metadata.len();
        return Err(format!("it has {size} bytes, more than {most}"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(why)?;
    Ok(bytes)
}

fn why(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "it may not be read".into(),
        _ => error.to_string(),
    }
}

/// Comma-separated numbers under a header; lines that begin with `#` are skipped.
///
/// # Errors
///
/// What is wrong with the text.
pub(crate) fn csv_table(bytes: &[u8]) -> Result<Numbers, Fault> {
    let mut rows = Rows::new(bytes)?;
    let header = rows.header().to_vec();
    if header[0].is_empty() {
        return Err(Fault::from("its first column has no name (an index?)")
            .hint("remove the column (in pandas, to_csv(..., index=False)), or give it a name"));
    }
    let mut columns = vec![Vec::new(); header.len()];
    let mut lines = Vec::new();
    let most = MAX_TABLE_NUMBERS / header.len();
    while rows.advance()? {
        if lines.len() == most {
            return Err(format!("it has more than {MAX_TABLE_NUMBERS} numbers").into());
        }
        lines.push(rows.line());
        for (place, column) in columns.iter_mut().enumerate() {
            column.push(rows.number(place)?);
        }
    }
    Ok(Numbers { header: Some(header), columns, lines })
}

/// What stands before the numbers of an npy file: a two-dimensional array of little-endian f4 or f8, row by row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NpyHeader {
    /// Length of the array.
    pub(crate) rows: usize,
    /// Numbers of a row.
    pub(crate) columns: usize,
    /// Bytes of a number, 4 or 8.
    pub(crate) size: usize,
    /// Bytes before the first number.
    pub(crate) offset: usize,
}

/// What stands before the numbers of any npy file of little-endian f4 or f8, the last dimension fastest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct NpyLayout {
    /// Lengths of its dimensions.
    pub(super) shape: Vec<usize>,
    /// Bytes of a number, 4 or 8.
    pub(super) size: usize,
    /// Bytes before the first number.
    pub(super) offset: usize,
}

impl NpyLayout {
    /// Reads NumPy's format, versions 1 and 2, of whose file `bytes` are the beginning and `length` counts all bytes.
    ///
    /// <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>
    pub(super) fn read(bytes: &[u8], length: u64) -> Result<Self, String> {
        let not_npy = || "it is not an npy file".to_owned();
        let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(not_npy)?;
        let (header_length, body) = match rest {
            [1, _, a, b, body @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), body),
            [2, _, a, b, c, d, body @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, body),
            [version, ..] => return Err(format!("its npy version {version} is not 1 or 2")),
            [] => return Err(not_npy()),
        };
        let header = body.get(..header_length).ok_or("its header is cut off")?;
        let offset = bytes.len() - body.len() + header_length;
        let header = core::str::from_utf8(header).map_err(|_| not_npy())?;
        let entry = |key: &str| {
            let at = header.find(&format!("'{key}'"))? + key.len() + 2;
            Some(header[at..].trim_start().strip_prefix(':')?.trim_start())
        };
        let kind = entry("descr").ok_or_else(not_npy)?;
        let size = match kind.get(..5) {
            Some("'<f8'") => 8,
            Some("'<f4'") => 4,
            _ => {
                let kind = kind.split(',').next().unwrap_or_default();
                return Err(format!("its numbers are {kind}; save them as '<f8' or '<f4'"));
            }
        };
        if !entry("fortran_order").ok_or_else(not_npy)?.starts_with("False") {
            return Err("it is in Fortran order; save numpy.ascontiguousarray of it".into());
        }
        let shape = entry("shape").and_then(|s| s.strip_prefix('(')?.split(')').next());
        let shape: Option<Vec<usize>> = shape
            .ok_or_else(not_npy)?
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().ok())
            .collect();
        let shape = shape.ok_or_else(not_npy)?;
        let wanted = shape.iter().try_fold(size, |bytes: usize, length| bytes.checked_mul(*length));
        let has = length.saturating_sub(offset as u64);
        if wanted.and_then(|wanted| u64::try_from(wanted).ok()) != Some(has) {
            let lengths: Vec<String> = shape.iter().map(usize::to_string).collect();
            return Err(format!("it holds {has} bytes of numbers, not {} × {size}", lengths.join(" × ")));
        }
        Ok(Self { shape, size, offset })
    }
}

impl NpyHeader {
    /// Reads the header of an array of rows and columns, as [`NpyLayout::read`] does.
    pub(crate) fn read(bytes: &[u8], length: u64) -> Result<Self, String> {
        let NpyLayout { shape, size, offset } = NpyLayout::read(bytes, length)?;
        let &[rows, columns] = shape.as_slice() else {
            let dimensions = shape.len();
            return Err(format!("it has {dimensions} dimensions, not 2 (rows and columns)"));
        };
        if columns > MAX_TABLE_COLUMNS {
            return Err(format!("it has {columns} columns, more than {MAX_TABLE_COLUMNS}"));
        }
        Ok(Self { rows, columns, size, offset })
    }

    /// The numbers that `bytes` are.
    pub(crate) fn numbers(self, bytes: &[u8]) -> impl Iterator<Item = f64> + '_ {
        numbers(bytes, self.size)
    }
}

/// The numbers of `size` bytes each that `bytes` are.
pub(super) fn numbers(bytes: &[u8], size: usize) -> impl Iterator<Item = f64> + '_ {
    bytes.chunks_exact(size).map(move |bytes| match size {
        8 => f64::from_le_bytes(bytes.try_into().expect("eight bytes")),
        _ => f64::from(f32::from_le_bytes(bytes.try_into().expect("four bytes"))),
    })
}

/// All columns of an npy file.
fn npy_table(bytes: &[u8]) -> Result<Numbers, String> {
    let header = NpyHeader::read(bytes, bytes.len() as u64)?;
    let NpyHeader { rows, columns, offset, .. } = header;
    if rows * columns > MAX_TABLE_NUMBERS {
        return Err(format!("it has more than {MAX_TABLE_NUMBERS} numbers"));
    }
    let mut table = vec![Vec::with_capacity(rows); columns];
    for (i, x) in header.numbers(&bytes[offset..]).enumerate() {
        table[i % columns].push(x);
    }
    Ok(Numbers { header: None, columns: table, lines: vec![] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((header.len() as u16).to_le_bytes()),
            _ => bytes.extend((header.len() as u32).to_le_bytes()),
        }
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    const HEADER: &str = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }  \n";

    #[test]
    fn npy_reads_both_versions_and_precisions() {
        let data: Vec<u8> = (0..6).flat_map(|i| f64::from(i).to_le_bytes()).collect();
        let columns = vec![vec![0.0, 3.0], vec![1.0, 4.0], vec![2.0, 5.0]];
        for version in [1, 2] {
            let numbers = npy_table(&npy(version, HEADER, &data));
            assert_eq!(numbers.map(|n| n.columns), Ok(columns.clone()));
        }
        let data: Vec<u8> = (0..6u8).flat_map(|i| f32::from(i).to_le_bytes()).collect();
        let numbers = npy_table(&npy(1, &HEADER.replace("f8", "f4"), &data));
        assert_eq!(numbers.map(|n| n.columns), Ok(columns));
    }

    #[test]
    fn npy_says_what_is_wrong() {
        let check = |bytes: &[u8], wrong: &str| {
            let error = npy_table(bytes).unwrap_err();
            assert!(error.contains(wrong), "{error}");
        };
        check(b"hello", "not an npy file");
        check(b"\x93NUMPY", "not an npy file");
        check(b"\x93NUMPY\x03\x00", "version 3");
        check(b"\x93NUMPY\x01\x00\xff\xff", "cut off");
        check(&npy(1, HEADER, &[0; 47]), "47 bytes");
        check(&npy(1, &HEADER.replace("<f8", "<i8"), &[0; 48]), "'<i8'");
        check(&npy(1, &HEADER.replace("False", "True"), &[0; 48]), "Fortran");
        check(&npy(1, &HEADER.replace("(2, 3)", "(6,)"), &[0; 48]), "1 dimensions");
        let huge = format!("({}, 3)", usize::MAX);
        check(&npy(1, &HEADER.replace("(2, 3)", &huge), &[0; 48]), "48 bytes");
    }

    #[test]
    fn an_index_without_a_name_is_refused() {
        let error = csv_table(b",x\n0,0.5\n").unwrap_err().sentence();
        assert!(error.contains("(an index?); remove the column"), "{error}");
    }

    #[test]
    fn csv_skips_comments_spaces_and_byte_order_marks() {
        let numbers = csv_table("\u{feff}# made by hand\nx, t\n 1, 2e-1\n".as_bytes());
        let numbers = numbers.unwrap();
        assert_eq!(numbers.columns, [[1.0], [0.2]]);
        assert_eq!(numbers.lines, [3]);
        assert_eq!(numbers.header.unwrap(), ["x", "t"]);
    }

    #[test]
    fn files_that_cannot_be_read_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let error = |name: &str| read(&folder.path().join(name)).unwrap_err().message;
        assert!(error("missing.csv").contains("no such file"));
        assert!(error("").contains("folder"));
        fs::write(folder.path().join("short.csv"), "x\n").unwrap();
        assert!(error("short.csv").contains("no rows"));
        fs::write(folder.path().join("nan.csv"), "x\n1\nnan\n").unwrap();
        assert!(error("nan.csv").contains("line 3, column `x` is not a finite number"));
    }
}
