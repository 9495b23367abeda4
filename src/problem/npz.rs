//! NumPy's npz as a table is read from one: the arrays in an archive, by their names.
//!
//! Arrays are stored or deflated, as `numpy.savez` and `numpy.savez_compressed` write them.
//! The archive is ZIP's first form: <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>

use std::io::Read as _;

use flate2::read::DeflateDecoder;

use super::table::{NpyLayout, numbers};
use crate::limits::{MAX_TABLE_BYTES, MAX_TABLE_COLUMNS, MAX_TABLE_NUMBERS};

/// An array of finite numbers, the last dimension fastest.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Array {
    /// What the archive calls it.
    pub(super) name: String,
    /// Its lengths.
    pub(super) shape: Vec<usize>,
    /// Its numbers.
    pub(super) numbers: Vec<f64>,
}

/// All arrays of an archive.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn arrays(bytes: &[u8]) -> Result<Vec<Array>, String> {
    let broken = || "it is not an npz archive, or is cut off".to_owned();
    // The end of the directory lies before a comment of 65,535 bytes at the most.
    let tail = bytes.len().saturating_sub(22 + 0xffff);
    let last = bytes.len().saturating_sub(21);
    let end = (tail..last).rev().find(|&at| bytes[at..].starts_with(b"PK\x05\x06"));
    let end = end.ok_or_else(broken)?;
    let count = short(bytes, end + 10).ok_or_else(broken)?;
    let mut at = long(bytes, end + 16).ok_or_else(broken)?;
    if count > MAX_TABLE_COLUMNS {
        return Err(format!("it has {count} arrays, more than {MAX_TABLE_COLUMNS}"));
    }
    let mut all = vec![];
    let mut total = 0;
    for _ in 0..count {
        if !bytes.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x01\x02")) {
            return Err(broken());
        }
        let word = |offset| short(bytes, at + offset).ok_or_else(broken);
        let (method, name_length, extra, comment) = (word(10)?, word(28)?, word(30)?, word(32)?);
        let packed = long(bytes, at + 20).ok_or_else(broken)?;
        let local = long(bytes, at + 42).ok_or_else(broken)?;
        let name = bytes.get(at + 46..at + 46 + name_length).ok_or_else(broken)?;
        let name = String::from_utf8_lossy(name);
        let name = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
        at += 46 + name_length + extra + comment;
        let header =
            (short(bytes, local + 26).ok_or_else(broken)?, short(bytes, local + 28).ok_or_else(broken)?);
        let start = local + 30 + header.0 + header.1;
        let data = bytes.get(start..).and_then(|rest| rest.get(..packed)).ok_or_else(broken)?;
        let shown = name.escape_debug().to_string();
        let unpacked = match method {
            0 => data.to_vec(),
            8 => {
                let mut unpacked = vec![];
                let most = MAX_TABLE_BYTES - total;
                let mut reader = DeflateDecoder::new(data).take(most + 1);
                reader.read_to_end(&mut unpacked).map_err(|_| format!("its array `{shown}` is damaged"))?;
                if unpacked.len() as u64 > most {
                    return Err(format!("its arrays have more than {MAX_TABLE_BYTES} bytes"));
                }
                unpacked
            }
            _ => return Err(format!("its array `{shown}` is packed by a method that NumPy does not use")),
        };
        total += unpacked.len() as u64;
        let of_array = |wrong: String| format!("its array `{shown}`: {wrong}");
        let layout = NpyLayout::read(&unpacked, unpacked.len() as u64).map_err(of_array)?;
        if layout.shape.iter().product::<usize>() > MAX_TABLE_NUMBERS {
            return Err(of_array(format!("it has more than {MAX_TABLE_NUMBERS} numbers")));
        }
        let numbers: Vec<f64> = numbers(&unpacked[layout.offset..], layout.size).collect();
        if let Some(place) = numbers.iter().position(|x| !x.is_finite()) {
            return Err(of_array(format!("its number {} is not finite", place + 1)));
        }
        all.push(Array { name, shape: layout.shape, numbers });
    }
    Ok(all)
}

fn short(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.get(..2)?;
    Some(usize::from(u16::from_le_bytes(bytes.try_into().ok()?)))
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.get(..4)?;
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{self, Layout, Table};

    #[test]
    fn what_is_written_is_read_and_what_is_cut_off_is_refused() {
        let names = ["x", "t", "q"].map(String::from);
        let axes = vec![vec![0.0, 1.0], vec![0.0, 0.5, 2.0]];
        let rows: Vec<f64> = (0..6).flat_map(|i| [axes[0][i / 3], axes[1][i % 3], i as f64]).collect();
        let mut rows = Some(rows);
        let mut table = Table {
            names: &names,
            coordinates: 2,
            time: None,
            layout: &Layout::Grid(axes.clone()),
            count: Some(6),
            rows: &mut || Ok(rows.take()),
        };
        let mut bytes = vec![];
        output::by_ending("npz").numbers.expect("npz holds numbers")(&mut table, &mut bytes).unwrap();
        let found = arrays(&bytes).unwrap();
        let array = |name: &str, shape: &[usize], numbers: &[f64]| Array {
            name: name.into(),
            shape: shape.to_vec(),
            numbers: numbers.to_vec(),
        };
        let values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(
            found,
            [array("x", &[2], &axes[0]), array("t", &[3], &axes[1]), array("q", &[2, 3], &values)]
        );
        for length in 0..bytes.len() {
            assert!(arrays(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
        }
    }
}
