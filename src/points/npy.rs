//! Points as a NumPy array, N × d of f4 or f8, read as they come: a column for each coordinate that is not fixed, in order.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::{CHUNK, Chunk, Opened, Source, Wanted, file, why};
use crate::expr::listed;
use crate::output::Layout;
use crate::problem::NpyHeader;

/// Bytes in which the header has to end; NumPy writes 128.
const MOST_HEADER: u64 = 1 << 17;

pub(super) fn open(path: &Path, wanted: &Wanted) -> Result<Opened, String> {
    let mut file = file(path)?;
    let length = file.metadata().map_err(why)?.len();
    let mut beginning = vec![];
    file.by_ref().take(MOST_HEADER).read_to_end(&mut beginning).map_err(why)?;
    let header = NpyHeader::read(&beginning, length)?;
    let names = wanted.coordinates.iter().zip(&wanted.fixed).filter(|(_, fixed)| fixed.is_none());
    let names: Vec<&String> = names.map(|(name, _)| name).collect();
    if header.columns != names.len() {
        let (has, wants) = (header.columns, names.len());
        let names = listed(&names);
        return Err(format!(
            "its rows have {has} numbers, not {wants} ({names}); --at fixes a coordinate that is left out"
        ));
    }
    if !wanted.columns.is_empty() {
        let names = listed(&wanted.columns);
        return Err(format!(
            "a residual needs {names} with the points: give them as CSV, with these columns"
        ));
    }
    file.seek(SeekFrom::Start(header.offset as u64)).map_err(why)?;
    let source = Box::new(Npy { file: BufReader::new(file), header, row: 0 });
    Ok(Opened { layout: Layout::Points, count: Some(header.rows), source })
}

struct Npy {
    file: BufReader<File>,
    header: NpyHeader,
    /// The number of the next point.
    row: usize,
}

impl Source for Npy {
    fn next(&mut self, wanted: &Wanted) -> Result<Option<Chunk>, String> {
        let rows = CHUNK.min(self.header.rows - self.row);
        if rows == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; rows * self.header.columns * self.header.size];
        self.file.read_exact(&mut bytes).map_err(why)?;
        let mut numbers = self.header.numbers(&bytes);
        let mut points = Vec::with_capacity(rows * wanted.fixed.len());
        for row in self.row..self.row + rows {
            for fixed in &wanted.fixed {
                let x = fixed.or_else(|| numbers.next()).expect("as many numbers as coordinates");
                if !x.is_finite() {
                    return Err(format!("row {} holds {x}, which is no place", row + 1));
                }
                points.push(x);
            }
        }
        self.row += rows;
        Ok(Some(Chunk { points, data: vec![] }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{read, refused, wanted};

    fn npy(shape: &str, kind: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
    }

    fn bytes(numbers: &[f64]) -> Vec<u8> {
        numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    #[test]
    fn both_precisions_and_fixed_coordinates() {
        let file = npy("(2, 2)", "<f8", &bytes(&[0.1, 0.2, 0.3, 0.4]));
        assert_eq!(read("p.npy", &file, wanted(None, &[])).expect("points").points, [0.1, 0.2, 0.3, 0.4]);
        let single: Vec<u8> = [0.5_f32, 0.25].iter().flat_map(|x| x.to_le_bytes()).collect();
        let file = npy("(2, 1)", "<f4", &single);
        assert_eq!(
            read("p.npy", &file, wanted(Some(1.0), &[])).expect("points").points,
            [0.5, 1.0, 0.25, 1.0]
        );
    }

    #[test]
    fn hostile_files_are_refused_before_memory_is_asked_for() {
        let check = |file: &[u8], wrong: &str| refused("p.npy", file, wanted(None, &[]), wrong);
        let numbers = bytes(&[0.1, 0.2, 0.3, 0.4]);
        for length in [0, 5, 9, 30, 70] {
            let file = npy("(2, 2)", "<f8", &numbers);
            assert!(read("p.npy", &file[..length], wanted(None, &[])).is_err());
        }
        check(&npy("(2, 2)", "<f8", &numbers[..31]), "it holds 31 bytes");
        check(&npy("(1000000000000, 2)", "<f8", &numbers), "not 1000000000000 × 2 × 8");
        check(&npy("(18446744073709551615, 2)", "<f8", &numbers), "32 bytes");
        check(&npy("(4, 1)", "<f8", &numbers), "its rows have 1 numbers, not 2 (`x` and `t`)");
        check(&npy("(2, 2)", "<f8", &bytes(&[0.1, 0.2, f64::NAN, 0.4])), "row 2 holds NaN");
        refused("p.npy", &npy("(2, 2)", "<f8", &numbers), wanted(None, &["u_obs"]), "give them as CSV");
    }
}
