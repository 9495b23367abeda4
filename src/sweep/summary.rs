//! `summary.md`: what a sweep came to, as tables for people.

use std::fmt::Write as _;

use super::collect::{Collection, RecordState, Tally};
use super::config::Sweep;
use super::figures::{Group, Measure, groups, spread};
use crate::expr::Digits;
use crate::run::RunOutcome;

/// Runs that did not end well are named up to this many.
const MOST_NAMED: usize = 50;

/// The file's text.
pub(super) fn text(sweep: &Sweep, collection: &Collection) -> String {
    let title = if sweep.title.is_empty() { "Sweep" } else { &sweep.title };
    let mut text = format!("# {title}\n\n");
    for axis in &sweep.axes {
        let values: Vec<_> = axis.values.iter().map(|value| value.label.as_str()).collect();
        let _ = writeln!(text, "- {}: {}", axis.name, values.join(", "));
    }
    let tally = Tally::of(&collection.records);
    let _ = writeln!(
        text,
        "\n{} runs: {} done, {} short of their tolerance, {} diverged, {} failed, {} left.",
        sweep.len(),
        tally.done,
        tally.missed,
        tally.diverged,
        tally.failed,
        tally.left
    );
    let seconds: f64 =
        collection.records.iter().filter_map(|record| Some(record.result.as_ref()?.seconds)).sum();
    let _ = writeln!(text, "Training took {seconds:.0} s in all.");
    for measure in Measure::all(collection) {
        let measured = |run: &usize| (measure.of)(&collection.records[*run]);
        let any = (0..sweep.len()).any(|run| measured(&run).is_finite());
        if any {
            let _ = writeln!(text, "\n## {}, median (least – greatest)", capitalized(&measure.what));
            for group in groups(sweep) {
                text += &table(sweep, &group, measure.is_log, &measured);
            }
        }
    }
    let ended_badly = collection.records.iter().filter_map(|record| match &record.state {
        RecordState::Failed(reason) => Some((&record.name, "failed", reason.as_str())),
        RecordState::Ended(RunOutcome::Diverged) => {
            let reason = record.result.as_ref().and_then(|result| result.reason.as_deref());
            Some((&record.name, "diverged", reason.unwrap_or("")))
        }
        _ => None,
    });
    let ended_badly: Vec<_> = ended_badly.collect();
    if !ended_badly.is_empty() {
        text += "\n## Runs that did not end well\n\n";
    }
    for (name, what, reason) in ended_badly.iter().take(MOST_NAMED) {
        let _ = writeln!(text, "- `{name}`: {what}: {reason}");
    }
    if let Some(more) = ended_badly.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        let _ = writeln!(text, "- and {more} more, in `sweep.csv`");
    }
    text
}

/// One row an abscissa, one column a series; with two series, how many times the first is below the second.
fn table(sweep: &Sweep, group: &Group, is_log: bool, measured: &dyn Fn(&usize) -> f64) -> String {
    let mut text = String::new();
    if !group.title.is_empty() {
        let _ = write!(text, "\n### {}\n", group.title);
    }
    let x = sweep.x.map(|i| &sweep.axes[i]);
    let mut head = vec![x.map_or("", |axis| axis.word()).to_owned()];
    head.extend(group.series.iter().map(|series| series.label.clone()));
    if let [first, second] = &group.series[..] {
        head.push(format!("{} / {}", second.label, first.label));
    }
    let rule = head.iter().map(|_| "---").collect::<Vec<_>>().join("|");
    let _ = write!(text, "\n| {} |\n|{rule}|\n", head.join(" | "));
    let abscissas = group.series.first().map_or(&[][..], |series| &series.points);
    for (row, (at, _)) in abscissas.iter().enumerate() {
        let mut cells = vec![if x.is_some() { Digits(*at).to_string() } else { String::new() }];
        let spreads: Vec<_> = group
            .series
            .iter()
            .map(|series| series.points.get(row).and_then(|(_, runs)| spread(runs.iter().map(measured))))
            .collect();
        cells.extend(spreads.iter().map(|spread| match spread {
            Some((median, low, high)) if !is_log => format!("{median:.4} ({low:.4} – {high:.4})"),
            Some((median, low, high)) if low < high => format!("{median:.2e} ({low:.1e} – {high:.1e})"),
            Some((median, ..)) => format!("{median:.2e}"),
            None => "–".into(),
        }));
        if let [first, second] = &spreads[..] {
            cells.push(match (first, second) {
                (Some((first, ..)), Some((second, ..))) if *first > 0.0 => format!("{:.3}", second / first),
                _ => "–".into(),
            });
        }
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
