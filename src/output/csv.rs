//! Comma-separated values under a header, as in RFC 4180; a cell that has no value is empty.

use std::io::Write;

use serde_json::Value;

use super::{Number, OutputError, Record, Table};

pub(super) fn numbers(table: &mut Table, out: &mut dyn Write) -> Result<(), OutputError> {
    out.write_all(&line(table.names.iter().map(String::as_str)))?;
    let width = table.names.len();
    let mut text = vec![];
    while let Some(rows) = (table.rows)()? {
        text.clear();
        for row in rows.chunks_exact(width) {
            for (i, &x) in row.iter().enumerate() {
                write!(text, "{}{}", if i == 0 { "" } else { "," }, Number(x))?;
            }
            text.push(b'\n');
        }
        out.write_all(&text)?;
    }
    Ok(())
}

pub(super) fn records(records: &[Record]) -> Vec<u8> {
    let Some(first) = records.first() else { return vec![] };
    let mut text = line(first.keys().map(String::as_str));
    for record in records {
        let cells: Vec<String> = record
            .values()
            .map(|cell| match cell {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
            .collect();
        text.extend(line(cells.iter().map(String::as_str)));
    }
    text
}

/// A line, quoted where it has to be.
fn line<'a>(cells: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(vec![]);
    writer.write_record(cells).expect("memory does not fail");
    writer.into_inner().expect("memory does not fail")
}

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::super::tests::written;

    #[test]
    fn names_are_quoted_and_numbers_are_short() {
        let rows = [0.5, 1e-9, 1.0, f64::NAN, -2.0, 1e20];
        let bytes = written("csv", &["x", "max(u, v)"], 1, &Layout::Points, &rows).expect("written");
        assert_eq!(String::from_utf8(bytes).unwrap(), "x,\"max(u, v)\"\n0.5,1e-9\n1,NaN\n-2,1e20\n");
    }

    #[test]
    fn records_may_hold_texts_and_nothing() {
        let record = serde_json::json!({ "run": "a, b", "loss": 0.5, "error": null });
        let record = record.as_object().expect("an object").clone();
        assert_eq!(super::records(&[record]), b"run,loss,error\n\"a, b\",0.5,\n");
    }
}
