//! Tables of results: the same one is printed, written as CSV, and put into JSON.

use serde_json::{Map, Value};

use crate::cli::Failure;

/// Named columns and rows of cells.
pub(super) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// What stands in a table.
pub(super) enum Cell {
    Text(String),
    Whole(usize),
    Number(f64),
    /// There is no such number.
    Nothing,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Self {
        Self::Whole(number)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<Option<f64>> for Cell {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::Nothing, Self::Number)
    }
}

/// A row of a [`Table`] from anything that is a [`Cell`].
macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$($crate::cli::signal::table::Cell::from($cell)),*] };
}
pub(super) use row;

impl Table {
    pub(super) fn new(columns: impl IntoIterator<Item = &'static str>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: vec![] }
    }

    pub(super) fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    pub(super) fn to_csv(&self) -> Result<Vec<u8>, Failure> {
        let mut writer = csv::Writer::from_writer(vec![]);
        writer.write_record(&self.columns).map_err(Failure::unexpected)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(Cell::exact)).map_err(Failure::unexpected)?;
        }
        writer.into_inner().map_err(Failure::unexpected)
    }

    /// A list of records.
    pub(super) fn to_json(&self) -> Value {
        let record = |row: &Vec<Cell>| {
            let fields = self.columns.iter().zip(row);
            fields.map(|(name, cell)| ((*name).to_owned(), cell.to_json())).collect::<Map<_, _>>()
        };
        self.rows.iter().map(record).map(Value::Object).collect()
    }

    /// Columns aligned, numbers to four digits.
    pub(super) fn to_text(&self) -> String {
        let header = self.columns.iter().map(|&name| name.to_owned()).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(Cell::short).collect());
        let lines: Vec<Vec<String>> = core::iter::once(header).chain(rows).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..self.columns.len()).map(width).collect();
        let mut text = String::new();
        for line in &lines {
            let mut aligned = String::new();
            for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
                let is_text = self.rows.first().is_some_and(|row| matches!(row[column], Cell::Text(_)));
                let cell = if is_text { format!("  {cell:<width$}") } else { format!("  {cell:>width$}") };
                aligned.push_str(&cell);
            }
            text.push_str(aligned.trim_end());
            text.push('\n');
        }
        text
    }
}

impl Cell {
    /// All digits.
    fn exact(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Whole(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Nothing => String::new(),
        }
    }

    fn short(&self) -> String {
        match self {
            Self::Number(number) => short(*number),
            Self::Nothing => "–".into(),
            other => other.exact(),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Whole(number) => (*number).into(),
            Self::Number(number) => (*number).into(),
            Self::Nothing => Value::Null,
        }
    }
}

/// All digits of a number that has few, else four, with an exponent where a person would write one.
fn short(number: f64) -> String {
    let (magnitude, exact) = (number.abs(), number.to_string());
    if exact.len() <= 6 {
        exact
    } else if (1e-3..1e5).contains(&magnitude) {
        let decimals = (3 - magnitude.log10().floor() as i32).max(0) as usize;
        format!("{number:.decimals$}")
    } else {
        format!("{number:.3e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["f", "n", "x"]);
        table.push(row!["tanh", 5, 0.012345]);
        table.push(row!["a, b", 12, None]);
        table
    }

    #[test]
    fn columns_are_aligned() {
        assert_eq!(table().to_text(), "  f      n        x\n  tanh   5  0.01235\n  a, b  12        –\n");
    }

    #[test]
    fn csv_keeps_all_digits_and_quotes_commas() {
        let csv = table().to_csv().unwrap_or_else(|failure| panic!("{}", failure.message));
        assert_eq!(String::from_utf8_lossy(&csv), "f,n,x\ntanh,5,0.012345\n\"a, b\",12,\n");
    }

    #[test]
    fn json_is_a_list_of_records() {
        let expected = serde_json::json!([
            { "f": "tanh", "n": 5, "x": 0.012345 },
            { "f": "a, b", "n": 12, "x": null },
        ]);
        assert_eq!(table().to_json(), expected);
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 1.0, -0.00123456, 12345.6, 1.5e-7, 3e8, f64::INFINITY, f64::NAN];
        let texts = ["0", "1", "-0.001235", "12346", "1.500e-7", "3.000e8", "inf", "NaN"];
        assert_eq!(numbers.map(short), texts);
    }
}
