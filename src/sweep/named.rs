//! Some runs of a sweep, named by what tells them apart from the others.
//!
//! It knows axes and their values, and not why these runs are named.

use super::config::Sweep;

/// Lines that are written at the most.
const MOST_LINES: usize = 6;

/// The runs that are `meant`: for every combination of values of the axes that matter a line, which lists the values of
/// the last of them.
pub(super) fn named(sweep: &Sweep, meant: &[bool]) -> String {
    let axes: Vec<usize> = (0..sweep.axes.len()).filter(|&axis| matters(sweep, meant, axis)).collect();
    let Some((&last, first)) = axes.split_last() else {
        return "  all runs".into();
    };
    let mut lines: Vec<(String, Vec<&str>)> = vec![];
    for run in (0..sweep.len()).filter(|&run| meant[run]) {
        let choices = sweep.choices(run);
        let written = |&axis: &usize| format!("{} = {}, ", sweep.axes[axis].word(), choices[axis].label);
        let key: String = first.iter().map(written).collect();
        let value = choices[last].label.as_str();
        match lines.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) if values.contains(&value) => {}
            Some((_, values)) => values.push(value),
            None => lines.push((key, vec![value])),
        }
    }
    let word = sweep.axes[last].word();
    let more = lines.len().saturating_sub(MOST_LINES);
    let mut text: Vec<String> = lines
        .iter()
        .take(MOST_LINES)
        .map(|(key, values)| format!("  {key}{word} = {}", values.join(", ")))
        .collect();
    if more > 0 {
        text.push(format!("  and {more} more combinations"));
    }
    text.join("\n")
}

/// Is there a run that would be judged otherwise with the first value of `axis` in place of its own?
fn matters(sweep: &Sweep, meant: &[bool], axis: usize) -> bool {
    let stride: usize = sweep.axes[axis + 1..].iter().map(|axis| axis.values.len()).product();
    let with_first = |run: usize| run - sweep.indices(run)[axis] * stride;
    (0..sweep.len()).any(|run| meant[run] != meant[with_first(run)])
}
