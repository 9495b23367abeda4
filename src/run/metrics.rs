//! `metrics.jsonl`, read back: one line a step, or a part of the steps.

use std::path::Path;

use serde::Deserialize;

use super::{Found, METRICS, RunError, read_file};

/// What was noted of one step; what was not finite is NaN.
#[derive(Clone, PartialEq, Debug)]
pub struct StepLine {
    /// Steps done in all, this one included.
    pub step: usize,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Total loss.
    pub loss: f64,
    /// Unweighted terms, by condition.
    pub terms: Vec<(String, f64)>,
    /// Relative L2 errors by unknown, where they were measured at this step and are defined.
    pub rel_l2: Vec<(String, f64)>,
    /// Absolute errors (rms) of the unknowns whose reference is zero, where they were measured at this step.
    pub rms_error: Vec<(String, f64)>,
}

/// A line as it is in the file; events other than steps have no loss.
#[derive(Deserialize)]
struct Line {
    step: usize,
    event: Option<String>,
    seconds: Option<f64>,
    loss: Option<f64>,
    #[serde(default)]
    terms: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    rel_l2: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    rms_error: serde_json::Map<String, serde_json::Value>,
}

/// The steps noted in the folder `path`, in order; lines that do not read are left out, and a last one that was cut off.
pub fn read_metrics(path: &Path) -> Result<Found<Vec<StepLine>>, RunError> {
    let name = path.join(METRICS);
    let Some(bytes) = read_file(name.clone())? else {
        let damaged = format!("{} is missing; nothing is known of the steps", name.display());
        return Ok(Found { content: vec![], damaged: Some(damaged) });
    };
    let (mut steps, mut wrong) = (vec![], vec![]);
    for (number, line) in whole_lines(&bytes).enumerate() {
        let mut line: Line = match serde_json::from_slice(line) {
            Ok(line) => line,
            Err(error) => {
                wrong.push((number + 1, error));
                continue;
            }
        };
        if line.event.is_none() {
            line.rel_l2.retain(|name, _| !line.rms_error.contains_key(name));
            steps.push(StepLine {
                step: line.step,
                seconds: line.seconds.unwrap_or(f64::NAN),
                loss: line.loss.unwrap_or(f64::NAN),
                terms: numbers(line.terms),
                rel_l2: numbers(line.rel_l2),
                rms_error: numbers(line.rms_error),
            });
        }
    }
    let damaged = wrong.first().map(|(first, error)| {
        let (name, count) = (name.display(), wrong.len());
        let lines = if count == 1 { "the line is".to_owned() } else { format!("{count} such lines are") };
        format!("{name} is damaged (line {first}: {error}); {lines} left out")
    });
    Ok(Found { content: steps, damaged })
}

/// The length of the part of `text` that is about steps up to `step`; what else is noted there comes after them.
///
/// Lines that do not read stay where they are between others.
pub(super) fn length_until(text: &[u8], step: usize) -> u64 {
    let earlier = |line: &[u8]| {
        serde_json::from_slice::<Line>(line)
            .is_ok_and(|line| line.step < step || line.step == step && line.event.is_none())
    };
    let (mut length, mut kept) = (0, 0);
    for line in whole_lines(text) {
        length += line.len() as u64;
        if earlier(line) {
            kept = length;
        }
    }
    kept
}

/// Lines with their ends; a last one without an end is left out.
fn whole_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"))
}

fn numbers(map: serde_json::Map<String, serde_json::Value>) -> Vec<(String, f64)> {
    map.into_iter().map(|(name, value)| (name, value.as_f64().unwrap_or(f64::NAN))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_back_and_a_torn_line_is_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = r#"{"step":1,"loss":0.5,"terms":{"b":1.0,"a":null}}"#;
        let text = format!(
            "{first}\n{}\n{}\n{}",
            r#"{"event":"redrawn","step":1,"round":1}"#,
            r#"{"step":2,"loss":null,"rel_l2":{"u":0.25,"w":null},"rms_error":{"w":1e-3}}"#,
            r#"{"step":3,"lo"#
        );
        std::fs::write(folder.path().join(METRICS), &text).expect("written");
        let Found { content: steps, damaged } = read_metrics(folder.path()).expect("read");
        assert_eq!(damaged, None);
        assert_eq!(steps.len(), 2);
        assert_eq!((steps[0].step, steps[0].loss), (1, 0.5));
        assert_eq!((steps[0].terms[0].0.as_str(), steps[0].terms[0].1), ("b", 1.0));
        assert!(steps[0].terms[1].1.is_nan() && steps[1].loss.is_nan());
        assert_eq!(steps[1].rel_l2, [("u".to_owned(), 0.25)]);
        assert_eq!(steps[1].rms_error, [("w".to_owned(), 1e-3)], "w has no relative error");
        assert_eq!(length_until(text.as_bytes(), 0), 0);
        assert_eq!(length_until(text.as_bytes(), 1), first.len() as u64 + 1);
        let missing = read_metrics(&folder.path().join("nowhere")).expect("nothing");
        assert!(
            missing.content.is_empty() && missing.damaged.is_some_and(|what| what.contains("is missing"))
        );
    }

    #[test]
    fn lines_that_do_not_read_are_left_out_and_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "{\"step\":1,\"loss\":0.5}\n\0\0\0\n{\"step\"\n{\"step\":2,\"loss\":0.25}\n{\"step\":3}\n";
        std::fs::write(folder.path().join(METRICS), text).expect("written");
        let Found { content: steps, damaged } = read_metrics(folder.path()).expect("read");
        assert_eq!(steps.iter().map(|line| line.step).collect::<Vec<_>>(), [1, 2, 3]);
        let damaged = damaged.expect("two of them");
        assert!(
            damaged.contains("is damaged (line 2: ") && damaged.ends_with("2 such lines are left out"),
            "{damaged}"
        );
        // What was noted before the checkpoint stays, behind damage as before it.
        assert_eq!(length_until(text.as_bytes(), 2), text.len() as u64 - 11);
    }
}
