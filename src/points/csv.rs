//! Points as comma-separated values under a header, read as they come.
//!
//! Columns may stand in any order, and those that nobody asks for may hold anything; lines that begin with `#` are
//! skipped.

use std::io::{BufReader, Read};
use std::path::Path;

use super::{CHUNK, Chunk, Opened, Source, Wanted, file, places};
use crate::output::Layout;
use crate::rows::{Fault, Rows};

pub(super) fn open(path: &Path, wanted: &Wanted) -> Result<Opened, String> {
    start(Box::new(file(path)?), wanted)
}

pub(super) fn start(reader: Box<dyn Read>, wanted: &Wanted) -> Result<Opened, String> {
    let rows = Rows::new(BufReader::new(reader)).map_err(Fault::sentence)?;
    let (coordinates, columns) = places(rows.header(), wanted)?;
    let source = Box::new(Csv { rows, coordinates, columns });
    Ok(Opened { layout: Layout::Points, count: None, source })
}

struct Csv {
    rows: Rows<BufReader<Box<dyn Read>>>,
    coordinates: Vec<Option<usize>>,
    columns: Vec<usize>,
}

impl Source for Csv {
    fn next(&mut self, wanted: &Wanted) -> Result<Option<Chunk>, String> {
        let mut chunk = Chunk { points: vec![], data: vec![vec![]; self.columns.len()] };
        for _ in 0..CHUNK {
            if !self.rows.advance().map_err(Fault::sentence)? {
                break;
            }
            let number = |place: usize| self.rows.number(place).map_err(Fault::sentence);
            for (place, fixed) in self.coordinates.iter().zip(&wanted.fixed) {
                chunk.points.push(match (place, fixed) {
                    (Some(place), _) => number(*place)?,
                    (None, fixed) => fixed.expect("a coordinate is a column or fixed"),
                });
            }
            for (column, &place) in chunk.data.iter_mut().zip(&self.columns) {
                column.push(number(place)?);
            }
        }
        Ok(if chunk.points.is_empty() { None } else { Some(chunk) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{read, refused, wanted};

    #[test]
    fn columns_come_in_any_order_with_others_between() {
        let text = "\u{feff}# by hand\nlabel, t ,u_obs,x\na,0.5,7,1e-1\n\"b, c\",1,8,0.2\n";
        let chunk = read("points.csv", text.as_bytes(), wanted(None, &["u_obs"])).expect("points");
        assert_eq!(chunk.points, [0.1, 0.5, 0.2, 1.0]);
        assert_eq!(chunk.data, [[7.0, 8.0]]);
        let chunk = read("points.csv", b"x\n1\n", wanted(Some(0.25), &[])).expect("points");
        assert_eq!(chunk.points, [1.0, 0.25]);
        let none = read("points.csv", b"x,t\n", wanted(None, &[])).expect("no points");
        assert!(none.points.is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let check = |text: &[u8], t, wrong: &str| refused("points.csv", text, wanted(t, &[]), wrong);
        check(b"x,s\n1,2\n", None, "no column for the coordinate `t` among `x` and `s`");
        check(b"x\n1\n", None, "--at t=0.5");
        check(b"x,t\n1,2\n", Some(0.5), "--at fixes it as well");
        check(b"x,t,x\n1,2,3\n", None, "two columns `x`");
        // As for the tables of a problem file, with what to do about it.
        check(b"x,t\n# c\n3,inf\n", None, "line 3, column `t` is not a finite number");
        check(b"x;t\n1;2\n", None, "columns are separated by commas, and numbers have a decimal point");
        check(b"# x,t\n1,2\n", None, "remove the `#` before `x,t`");
        check(b"PK\x03\x04", None, "save it as CSV");
    }
}
