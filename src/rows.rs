//! Comma-separated numbers under a header, row by row, and what is said where they are wrong.
//!
//! Empty lines and those that begin with `#` are skipped; every row knows its line.
//! This file knows text; it does not know what the columns are for.

use core::fmt;
use std::io::{self, BufRead, Read};

use crate::limits::{MAX_LINE, MAX_TABLE_COLUMNS};

/// What is wrong with a table, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    /// What is wrong, with the line where there is one; the caller says which file it was.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// Is the file itself not to be had, so that its name may be wrong?
    pub(crate) missing: bool,
}

impl Fault {
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// What is wrong and what to do about it, in a sentence.
    pub(crate) fn sentence(self) -> String {
        match self.hint {
            Some(hint) => format!("{}; {hint}", self.message),
            None => self.message,
        }
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self { message, hint: None, missing: false }
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The rows of a table, one after the other.
pub(crate) struct Rows<R> {
    reader: csv::Reader<Lines<R>>,
    header: Vec<String>,
    record: csv::StringRecord,
}

impl<R: BufRead> Rows<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(crate) fn new(mut reader: R) -> Result<Self, Fault> {
        let beginning = reader.fill_buf().map_err(|error| error.to_string())?;
        if let Some(kind) = binary(beginning) {
            return Err(Fault::from(format!("it is not a text table but {kind}"))
                .hint("save it as CSV: the columns' names on the first line, commas between columns"));
        }
        let reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(Lines::new(reader));
        let mut rows = Self { reader, header: vec![], record: csv::StringRecord::new() };
        let header = match rows.reader.headers() {
            Ok(header) => header.iter().map(str::to_owned).collect(),
            Err(error) => return Err(rows.said(error)),
        };
        rows.header = header;
        rows.check_header()?;
        Ok(rows)
    }

    /// The columns' names.
    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    /// Goes to the next row; says whether there is one.
    ///
    /// # Errors
    ///
    /// If it has not as many columns as the header.
    pub(crate) fn advance(&mut self) -> Result<bool, Fault> {
        match self.reader.read_record(&mut self.record) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) => return Err(self.said(error)),
        }
        let (has, wants) = (self.record.len(), self.header.len());
        if has == wants {
            return Ok(true);
        }
        if let (1, Some(separator)) = (has, self.record.get(0).and_then(separator)) {
            return Err(separated_by(separator, self.line()));
        }
        Err(format!("line {} has {has} columns, the header has {wants}", self.line()).into())
    }

    /// The line of the row, from 1 up.
    pub(crate) fn line(&self) -> u64 {
        self.record.position().map_or(0, |position| self.reader.get_ref().number(position.line()))
    }

    /// The number in a column of the row, which is finite.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(crate) fn number(&self, column: usize) -> Result<f64, Fault> {
        let field = &self.record[column];
        let place = || format!("line {}, column `{}`", self.line(), self.header[column].escape_debug());
        match field.parse::<f64>() {
            Ok(x) if x.is_finite() => Ok(x),
            Ok(_) => Err(format!("{} is not a finite number", place()).into()),
            Err(_) if field.is_empty() => Err(format!("{} is empty", place()).into()),
            Err(_) => {
                let shown: String = field.chars().take(40).collect();
                Err(format!("{}: `{}` is not a number", place(), shown.escape_debug()).into())
            }
        }
    }

    /// Is the header a row of names?
    fn check_header(&self) -> Result<(), Fault> {
        let header = &self.header;
        if header.iter().all(String::is_empty) {
            return Err(Fault::from("it is empty").hint("the first line names the columns"));
        }
        if header.len() > MAX_TABLE_COLUMNS {
            return Err(format!("it has {} columns, more than {MAX_TABLE_COLUMNS}", header.len()).into());
        }
        if let ([only], Some(separator)) = (&header[..], header.first().and_then(|name| separator(name)))
            // A file of one column may have a name that is none; that is said where names are.
            && only.split(separator).filter(|part| !part.trim().is_empty()).count() > 1
        {
            return Err(separated_by(separator, self.reader.get_ref().number(1)));
        }
        if header.iter().any(|name| name.parse::<f64>().is_ok()) {
            let commented = self.reader.get_ref().comment.as_deref();
            let named = commented.filter(|names| names.split(',').count() == header.len());
            return Err(match named {
                Some(names) => Fault::from("the columns' names are in a comment")
                    .hint(format!("remove the `#` before `{}`", names.trim().escape_debug())),
                None => Fault::from("its first line holds numbers where the columns' names should be")
                    .hint("write the names on a line before them, for example `x,t,u_obs`"),
            });
        }
        Ok(())
    }

    fn said(&self, error: csv::Error) -> Fault {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error.to_string().into(),
            csv::ErrorKind::Utf8 { pos, .. } => {
                let line = self.reader.get_ref().number(pos.map_or(1, |at| at.line()));
                format!("line {line} is not text (UTF-8)").into()
            }
            other => format!("{other:?}").into(),
        }
    }
}

/// The lines of a text that are rows.
struct Lines<R> {
    reader: R,
    /// The row's line, and how much of it has been given.
    line: Vec<u8>,
    given: usize,
    /// Lines read, and those of them that are rows.
    read: u64,
    rows: u64,
    /// After lines that were skipped: the number of a row, and that of its line.
    skips: Vec<(u64, u64)>,
    /// The last comment before the first row.
    comment: Option<String>,
}

impl<R: BufRead> Lines<R> {
    fn new(reader: R) -> Self {
        Self { reader, line: vec![], given: 0, read: 0, rows: 0, skips: vec![], comment: None }
    }

    /// Reads the next row; an empty line is the end.
    fn advance(&mut self) -> io::Result<()> {
        loop {
            self.line.clear();
            self.given = 0;
            let most = MAX_LINE as u64 + 1;
            if self.reader.by_ref().take(most).read_until(b'\n', &mut self.line)? == 0 {
                return Ok(());
            }
            self.read += 1;
            if self.line.len() > MAX_LINE {
                let message = format!("line {} has more than {MAX_LINE} bytes", self.read);
                return Err(io::Error::other(message));
            }
            // A byte order mark, as spreadsheets write it, is no part of the first name.
            if self.read == 1 && self.line.starts_with("\u{feff}".as_bytes()) {
                self.line.drain(..3);
            }
            // Its lines are counted by their ends, which shall be one character.
            if self.line.ends_with(b"\r\n") {
                self.line.remove(self.line.len() - 2);
            }
            if let Some(comment) = self.line.strip_prefix(b"#") {
                if self.rows == 0 {
                    self.comment = Some(String::from_utf8_lossy(comment).into_owned());
                }
                continue;
            }
            if self.line.trim_ascii().is_empty() {
                continue;
            }
            self.rows += 1;
            if self.number(self.rows) != self.read {
                self.skips.push((self.rows, self.read));
            }
            return Ok(());
        }
    }

    /// The number of the line that is row `row`.
    fn number(&self, row: u64) -> u64 {
        let before = self.skips.partition_point(|(other, _)| *other <= row);
        before.checked_sub(1).map_or(row, |i| self.skips[i].1 + (row - self.skips[i].0))
    }
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.line.len() {
            self.advance()?;
        }
        let rest = &self.line[self.given..];
        let given = rest.len().min(buffer.len());
        buffer[..given].copy_from_slice(&rest[..given]);
        self.given += given;
        Ok(given)
    }
}

/// What a file is that is no text, by its first bytes.
fn binary(bytes: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 6] = [
        (b"PK\x03\x04", "a spreadsheet or another archive"),
        (b"\xd0\xcf\x11\xe0", "a spreadsheet"),
        (b"\x1f\x8b", "compressed"),
        (b"\x89HDF", "an HDF5 file"),
        (b"\x93NUMPY", "an npy file, whose name ends in .npy"),
        (b"PAR1", "a Parquet file"),
    ];
    kinds.into_iter().find(|(first, _)| bytes.starts_with(first)).map(|(_, kind)| kind)
}

/// What stands between the columns of a line that has no comma.
fn separator(line: &str) -> Option<char> {
    [';', '\t', ' '].into_iter().find(|separator| line.contains(*separator))
}

fn separated_by(separator: char, line: u64) -> Fault {
    let name = match separator {
        '\t' => "tabs",
        ' ' => "spaces",
        _ => "`;`",
    };
    Fault::from(format!("line {line}: its columns are separated by {name}"))
        .hint("columns are separated by commas, and numbers have a decimal point")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first column with the lines of its rows, or what is wrong.
    fn read(text: &[u8]) -> Result<Vec<(u64, f64)>, String> {
        let mut rows = Rows::new(text).map_err(Fault::sentence)?;
        let mut found = vec![];
        while rows.advance().map_err(Fault::sentence)? {
            found.push((rows.line(), rows.number(0).map_err(Fault::sentence)?));
        }
        Ok(found)
    }

    #[test]
    fn every_row_knows_its_line() {
        let text = "\u{feff}# by hand\n\nx,t\n1,2\n# between\n\n \n3,4\n\"5\",6";
        let rows = [(4, 1.0), (8, 3.0), (9, 5.0)];
        assert_eq!(read(text.as_bytes()), Ok(rows.to_vec()));
        assert_eq!(read(text.replace('\n', "\r\n").as_bytes()), Ok(rows.to_vec()));
        assert_eq!(read(b"x\n"), Ok(vec![]));
        // Lines that come in pieces.
        let long = format!("x,label\n1,{}\n# c\n2,b\n", "a".repeat(100_000));
        assert_eq!(read(long.as_bytes()), Ok(vec![(2, 1.0), (4, 2.0)]));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_what_to_do() {
        let check = |text: &[u8], wrong: &str| {
            let error = read(text).expect_err(wrong);
            assert!(error.contains(wrong), "{error}");
        };
        check(b"", "it is empty; the first line names the columns");
        check(b"\xff\xfe\x00", "line 1 is not text (UTF-8)");
        check(b"1,2\n3,4\n", "numbers where the columns' names should be; write the names on a line before");
        check(
            b"# made by\n# x, t\n1,2\n",
            "the columns' names are in a comment; remove the `#` before `x, t`",
        );
        check(b"x,t\n# c\n1\n", "line 3 has 1 columns, the header has 2");
        check(b"\n# c\nx;t\n", "line 3: its columns are separated by `;`; columns are separated by commas");
        check(b"x,t\n1;2\n", "line 2: its columns are separated by `;`");
        check(b"x,t\n1\t2\n", "separated by tabs");
        check(b"x,t\n# c\n\nfour,2\n", "line 4, column `x`: `four` is not a number");
        check(b"x,t\ninf,2\n", "line 2, column `x` is not a finite number");
        check(b"x,t\n,2\n", "line 2, column `x` is empty");
        check(b"x,t\n# c\n1,\xff\n", "line 3 is not text");
        check(b"PK\x03\x04", "but a spreadsheet or another archive; save it as CSV");
        check(b"\x93NUMPY\x01", "whose name ends in .npy");
        check(&[b"x,t\n", &vec![b'1'; 3 * MAX_LINE][..]].concat(), "line 2 has more than");
    }
}
