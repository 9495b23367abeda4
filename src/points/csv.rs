//! Points as comma-separated values under a header, read as they come.
//!
//! Columns may stand in any order, and those that nobody asks for may hold anything; lines that begin with `#` are
//! skipped.

use std::io::{self, BufReader, Read};
use std::path::Path;

use super::{CHUNK, Chunk, Opened, Source, Wanted, file, places};
use crate::limits::{MAX_LINE, MAX_TABLE_COLUMNS};
use crate::output::Layout;

pub(super) fn open(path: &Path, wanted: &Wanted) -> Result<Opened, String> {
    start(Box::new(BufReader::new(file(path)?)), wanted)
}

pub(super) fn start(reader: Box<dyn Read>, wanted: &Wanted) -> Result<Opened, String> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .flexible(true)
        .from_reader(Lines { reader, since: 0 });
    let header = reader.headers().map_err(said)?;
    if header.len() > MAX_TABLE_COLUMNS {
        return Err(format!("there are {} columns, more than {MAX_TABLE_COLUMNS}", header.len()));
    }
    let header: Vec<String> = header.iter().map(str::to_owned).collect();
    if header.iter().all(String::is_empty) {
        return Err("it is empty; the first line names the columns".into());
    }
    if header.iter().any(|name| name.parse::<f64>().is_ok()) {
        return Err("the first line holds numbers where the columns' names should be".into());
    }
    let (coordinates, columns) = places(&header, wanted)?;
    let source = Box::new(Csv { reader, header, coordinates, columns });
    Ok(Opened { layout: Layout::Points, count: None, source })
}

struct Csv {
    reader: csv::Reader<Lines>,
    header: Vec<String>,
    coordinates: Vec<Option<usize>>,
    columns: Vec<usize>,
}

impl Source for Csv {
    fn next(&mut self, wanted: &Wanted) -> Result<Option<Chunk>, String> {
        let mut chunk = Chunk { points: vec![], data: vec![vec![]; self.columns.len()] };
        let mut record = csv::StringRecord::new();
        for _ in 0..CHUNK {
            if !self.reader.read_record(&mut record).map_err(said)? {
                break;
            }
            let line = record.position().map_or(0, csv::Position::line);
            if record.len() != self.header.len() {
                let (has, wants) = (record.len(), self.header.len());
                return Err(format!("line {line} has {has} columns, the header has {wants}"));
            }
            let number = |place: usize| {
                let field = &record[place];
                field.parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(|| {
                    let shown: String = field.chars().take(40).collect();
                    let (name, shown) = (&self.header[place], shown.escape_debug());
                    format!("line {line}, column `{name}`: `{shown}` is not a finite number")
                })
            };
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

/// A reader whose lines end somewhere.
struct Lines {
    reader: Box<dyn Read>,
    /// Bytes since the last line began.
    since: usize,
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(MAX_LINE);
        let read = self.reader.read(&mut buffer[..most])?;
        self.since = match buffer[..read].iter().rposition(|&byte| byte == b'\n') {
            Some(at) => read - at - 1,
            None => self.since + read,
        };
        if self.since > MAX_LINE {
            return Err(io::Error::other(format!("a line has more than {MAX_LINE} bytes")));
        }
        Ok(read)
    }
}

fn said(error: csv::Error) -> String {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.to_string(),
        csv::ErrorKind::Utf8 { pos, .. } => {
            format!("line {} is not text (UTF-8)", pos.map_or(1, |at| at.line()))
        }
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{read, wanted};
    use super::*;

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
        let check = |text: &[u8], t: Option<f64>, wrong: &str| {
            let error = read("points.csv", text, wanted(t, &[])).expect_err(wrong);
            assert!(error.contains(wrong), "{error}");
        };
        check(b"", None, "it is empty");
        check(b"1,2\n", None, "numbers where the columns' names should be");
        check(b"x,s\n1,2\n", None, "no column for the coordinate `t` among `x` and `s`");
        check(b"x\n1\n", None, "--at t=0.5");
        check(b"x,t\n1,2\n", Some(0.5), "--at fixes it as well");
        check(b"x,t,x\n1,2,3\n", None, "two columns `x`");
        check(b"x,t\n1,2\n3,inf\n", None, "line 3, column `t`: `inf` is not a finite number");
        check(b"x,t\n1\n", None, "line 2 has 1 columns");
        check(b"x,t\n1,\xff\n", None, "line 2 is not text");
        let long = [b"x,t\n", &vec![b'1'; 3 * MAX_LINE][..]].concat();
        check(&long, None, "a line has more than");
    }
}
