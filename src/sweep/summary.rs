//! `summary.md`: what a sweep came to, as tables for people.

use std::fmt::Write as _;

use super::collect::{Collection, RecordState, Tally};
use super::config::Sweep;
use super::figures::{Group, Measure, Spread, groups};
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
        let any = collection.records.iter().any(|record| (measure.of)(record).is_finite());
        if any {
            let best =
                sweep.best.map_or(String::new(), |i| format!(", at the best {}", sweep.axes[i].word()));
            let _ = writeln!(text, "\n## {}, median (least – greatest){best}", capitalized(&measure.what));
            for group in groups(sweep) {
                text += &table(sweep, &group, &measure, collection);
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
fn table(sweep: &Sweep, group: &Group, measure: &Measure, collection: &Collection) -> String {
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
    for (row, place) in abscissas.iter().enumerate() {
        let mut cells = vec![if x.is_some() { Digits(place.x).to_string() } else { String::new() }];
        let spreads: Vec<_> = group
            .series
            .iter()
            .map(|series| series.points.get(row).and_then(|place| place.spread(measure, collection)))
            .collect();
        cells.extend(spreads.iter().map(|spread| {
            let Some(Spread { median, least, greatest, choice }) = *spread else { return "–".into() };
            let numbers = match measure.is_log {
                false => format!("{median:.4} ({least:.4} – {greatest:.4})"),
                true if least < greatest => format!("{median:.2e} ({least:.1e} – {greatest:.1e})"),
                true => format!("{median:.2e}"),
            };
            match sweep.best {
                Some(i) => format!("{numbers} at {}", sweep.axes[i].values[choice].label),
                None => numbers,
            }
        }));
        if let [first, second] = &spreads[..] {
            cells.push(match (first, second) {
                (Some(first), Some(second)) if first.median > 0.0 => {
                    format!("{:.3}", second.median / first.median)
                }
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
