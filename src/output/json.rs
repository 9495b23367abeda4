//! JSON: an array of objects, a line each; what is not finite is `null`, as JSON has no other word for it.

use std::io::Write;

use serde_json::Value;

use super::{Number, OutputError, Record, Table};

pub(super) fn numbers(table: &mut Table, out: &mut dyn Write) -> Result<(), OutputError> {
    let key = |(i, name): (usize, &String)| {
        format!("{}{}: ", if i == 0 { "{" } else { ", " }, Value::from(name.as_str()))
    };
    let keys: Vec<String> = table.names.iter().enumerate().map(key).collect();
    let mut text = b"[".to_vec();
    let mut before = "\n";
    while let Some(rows) = (table.rows)()? {
        for row in rows.chunks_exact(keys.len()) {
            text.extend_from_slice(before.as_bytes());
            before = ",\n";
            for (key, &x) in keys.iter().zip(row) {
                text.extend_from_slice(key.as_bytes());
                match x.is_finite() {
                    true => write!(text, "{}", Number(x))?,
                    false => text.extend_from_slice(b"null"),
                }
            }
            text.push(b'}');
        }
        out.write_all(&text)?;
        text.clear();
    }
    text.extend_from_slice(b"\n]\n");
    Ok(out.write_all(&text)?)
}

pub(super) fn records(records: &[Record]) -> Vec<u8> {
    (serde_json::to_string_pretty(records).expect("plain data") + "\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::super::tests::written;

    #[test]
    fn rows_are_objects() {
        let rows = [0.5, 1e-9, 1.0, f64::NAN, 2.0, 1e300];
        let bytes = written("json", &["x", "\"u\""], 1, &Layout::Points, &rows).expect("written");
        let value: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        let expected = serde_json::json!([
            { "x": 0.5, "\"u\"": 1e-9 }, { "x": 1, "\"u\"": null }, { "x": 2, "\"u\"": 1e300 },
        ]);
        assert_eq!(value.to_string(), expected.to_string());
        let empty = written("json", &["x"], 1, &Layout::Points, &[]).expect("written");
        assert_eq!(empty, b"[\n]\n");
    }
}
