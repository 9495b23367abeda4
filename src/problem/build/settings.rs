//! The tables `[network]` and `[training]`.

use core::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use super::{Builder, FEATURE};
use crate::activation::Activation;
use crate::expr::{self, Digits, Node, Symbol};
use crate::limits::{MAX_DEPTH, MAX_NEURONS, MAX_PARAMETERS, MAX_STEPS, MAX_WIDTH, WINDOWS};
use crate::problem::diagnostic::Diagnostic;
use crate::problem::file::{Table, Value, serde_mistake};
use crate::problem::model::Formula;
use crate::problem::place::Coordinate;
use crate::settings::{Cut, LinearSolver, Network, Scaling, Schedule, Stage, Training};

impl Builder<'_> {
    pub(super) fn network(
        &mut self,
        value: Option<&Value<'_>>,
        coordinates: &[Coordinate],
        outputs: usize,
    ) -> (Network, Option<Activation>, Formula, Vec<String>) {
        let empty = Table::new();
        let table = value.map_or(Some(&empty), |value| self.table(value, "[network]"));
        let table = table.unwrap_or(&empty);
        let network: Network = self.settings(table, "[network]", &[], &["features"]);
        let span = |key: &str| table.get(key).map(Spanned::span);
        for (key, count, most) in [("depth", network.depth, MAX_DEPTH), ("width", network.width, MAX_WIDTH)] {
            if !(1..=most).contains(&count) {
                let message = format!("the {key} is {count}, not from 1 to {most}");
                self.report(Diagnostic::error(span(key), message));
            }
        }
        let activation = self.activation(&network, table);
        if !(network.sigma_b.is_finite() && network.sigma_b >= 0.0) {
            let message = format!("sigma-b is {}, not a number from 0 up", network.sigma_b);
            self.report(Diagnostic::error(span("sigma-b"), message));
        }

        let (features, written) = self.features(table.get("features"), coordinates);
        let (depth, width) = (network.depth as f64, network.width as f64);
        // In floating point, where absurd sizes do not overflow.
        let (inputs, outputs) = (features.roots.len() as f64, outputs as f64);
        let size = width * (inputs + 1.0) + (depth - 1.0) * width * (width + 1.0) + outputs * (width + 1.0);
        for (count, what, most) in
            [(depth * width, "neurons", MAX_NEURONS), (size, "parameters", MAX_PARAMETERS)]
        {
            if count > most && !self.has_errors() {
                let message = format!("the network would have {count:.1e} {what}, more than {most:.0e}");
                self.report(Diagnostic::error(span("width").or(span("depth")), message));
            }
        }
        (network, activation, features, written)
    }

    /// The activation with its scale; `None` if one of them is wrong, which is reported.
    fn activation(&mut self, network: &Network, table: &Table<'_>) -> Option<Activation> {
        let scale = table.get("scale").map(Spanned::span);
        if !(network.scale.is_finite() && network.scale > 0.0) {
            let message = format!("the scale is {}, not a positive number", network.scale);
            self.report(Diagnostic::error(scale, message));
            return None;
        }
        let activation = match Activation::parse(&network.activation) {
            Ok(activation) => activation,
            Err(error) => {
                let written = table.get("activation").and_then(|value| self.located(value));
                let span = written.map(|(_, locate)| locate.place(error.span()));
                // What is wrong and, after a semicolon, what to do about it.
                let text = error.to_string();
                self.report(match text.split_once("; ") {
                    Some((wrong, hint)) => Diagnostic::error(span, wrong).hint(hint),
                    None => Diagnostic::error(span, text),
                });
                return None;
            }
        };
        let scaled = activation.scaled(network.scale);
        if scaled.is_err() {
            let message = format!("the scale {} takes the activation out of range", Digits(network.scale));
            let hint = "amplitudes lie between 1e-30 and 1e30";
            self.report(Diagnostic::error(scale, message).hint(hint));
        }
        scaled.ok()
    }

    /// What enters the network, and its text.
    pub(super) fn features(
        &mut self,
        value: Option<&Value<'_>>,
        coordinates: &[Coordinate],
    ) -> (Formula, Vec<String>) {
        let mut written = Vec::new();
        let mut roots = Vec::new();
        match value.map(|value| (value, value.get_ref())) {
            None => {
                for c in coordinates {
                    // As text that is read back, so that writing it into a file changes nothing.
                    let text = c.centred();
                    let expr = expr::parse(&text).ok();
                    roots.extend(expr.and_then(|expr| self.lowered(&expr, FEATURE)));
                    written.push(text);
                }
            }
            Some((value, DeValue::Array(features))) if !features.is_empty() => {
                for value in features.iter() {
                    if let Some((root, text)) = self.formula(value, FEATURE) {
                        if matches!(self.graph.node(root), Node::Constant(_)) {
                            let message = "this feature is constant: it tells the network nothing";
                            self.report(Diagnostic::error(value.span(), message));
                        }
                        roots.push(root);
                        written.push(text);
                    }
                }
                let seen = self.graph.reachable(&roots);
                for c in coordinates {
                    let blind = match self.scope.get(&c.name) {
                        Some(Symbol::Value(_, id)) => seen.get(id.index()) != Some(&true),
                        _ => false,
                    };
                    if blind && roots.len() == features.len() {
                        let message = format!("no feature depends on the coordinate `{}`", c.name);
                        self.report(Diagnostic::warning(value.span(), message));
                    }
                }
            }
            Some((value, _)) => {
                let message = "`features` is a list of formulas";
                let hint = "for example [\"sin(pi*x)\", \"2*t - 1\"]";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
            }
        }
        (self.extract(&roots), written)
    }

    pub(super) fn training(&mut self, value: Option<&Value<'_>>, coordinates: &[Coordinate]) -> Training {
        let empty = Table::new();
        let table = value.map_or(Some(&empty), |value| self.table(value, "[training]"));
        let table = table.unwrap_or(&empty);
        let training: Training = self.settings(table, "[training]", &["adaptive", "balance", "causal"], &[]);
        if !(training.tolerance >= 0.0 && training.tolerance.is_finite()) {
            let span = table.get("tolerance").map(Spanned::span);
            self.report(Diagnostic::error(span, "`tolerance` must be a positive number, or 0 for none"));
        }
        if !(training.goal >= 0.0 && training.goal.is_finite()) {
            let span = table.get("goal").map(Spanned::span);
            self.report(Diagnostic::error(span, "`goal` must be a positive number, or 0 for none"));
        }
        let windows = training.windows.count();
        if !WINDOWS.contains(&windows) {
            let span = table.get("windows").map(Spanned::span);
            let message = format!("`windows` is {windows}, not from 1 to {}", WINDOWS.end());
            self.report(Diagnostic::error(span, message));
        }
        if matches!(&training.windows, Cut::At(joints) if joints.is_empty()) {
            let span = table.get("windows").map(Spanned::span);
            let message = "`windows` lists no times at which windows meet";
            self.report(Diagnostic::error(span, message).hint("write a number of windows, or remove it"));
        }
        self.adaptation(&training, table, coordinates);
        let stages = table.get("stages");
        for (i, stage) in training.stages.iter().enumerate() {
            let place = stages.map(|stages| at(stages, &[&i.to_string(), stage.name()]));
            let mut check = |fine: bool, key: &str, wanted: &str| {
                if !fine {
                    let span = place.map(|place| at(place, &[key]).span());
                    let message = format!("`{key}` must be {wanted}");
                    self.report(Diagnostic::error(span, message));
                }
            };
            let positive = |x: f64| x.is_finite() && x > 0.0;
            check(stage.steps() <= MAX_STEPS, "steps", &format!("at most {MAX_STEPS}"));
            match stage {
                Stage::Adam(adam) => {
                    check(positive(adam.lr), "lr", "a positive number");
                    check((0.0..1.0).contains(&adam.beta1), "beta1", "from 0 to below 1");
                    check((0.0..1.0).contains(&adam.beta2), "beta2", "from 0 to below 1");
                    check(positive(adam.epsilon), "epsilon", "a positive number");
                    match adam.schedule {
                        Schedule::Constant => {}
                        Schedule::Exponential { rate, every } => {
                            check(
                                positive(rate) && every > 0,
                                "schedule",
                                "given a positive rate and a positive number of steps",
                            );
                        }
                        Schedule::Cosine { end } => {
                            check(end.is_finite() && end >= 0.0, "schedule", "given an end from 0 up");
                        }
                    }
                }
                Stage::Lbfgs(lbfgs) => check(lbfgs.history > 0, "history", "at least 1"),
                Stage::Lm(lm) => {
                    check(positive(lm.damping), "damping", "a positive number");
                    check(lm.products > 0, "products", "at least 1");
                    let fits = lm.scaling == Scaling::Identity || lm.solver != LinearSolver::Cg;
                    check(fits, "scaling", "\"identity\" with solver = \"cg\", which has no diagonal");
                }
                Stage::Ssbfgs(_) | Stage::Ssbroyden(_) => {}
            }
        }
        training
    }

    /// What changes the loss between steps.
    fn adaptation(&mut self, training: &Training, table: &Table<'_>, coordinates: &[Coordinate]) {
        let mut check = |fine: bool, path: [&str; 2], wanted: &str| {
            if !fine {
                let span = table.get(path[0]).map(|value| at(value, &path[1..]).span());
                let message = format!("`{}` must be {wanted}", path[1]);
                self.report(Diagnostic::error(span, message));
            }
        };
        let from_zero = |x: f64| x.is_finite() && x >= 0.0;
        if let Some(adaptive) = &training.adaptive {
            check(from_zero(adaptive.k), ["adaptive", "k"], "a number from 0 up");
            check(from_zero(adaptive.c), ["adaptive", "c"], "a number from 0 up");
            check((1..=1000).contains(&adaptive.pool), ["adaptive", "pool"], "from 1 to 1000");
            check((0.0..1.0).contains(&adaptive.keep), ["adaptive", "keep"], "from 0 to below 1");
        }
        if let Some(balance) = &training.balance {
            check(balance.every > 0, ["balance", "every"], "at least 1");
            check((0.0..1.0).contains(&balance.memory), ["balance", "memory"], "from 0 to below 1");
        }
        if let Some(causal) = &training.causal {
            check(causal.every > 0, ["causal", "every"], "at least 1");
            check((2..=10_000).contains(&causal.slices), ["causal", "slices"], "from 2 to 10000");
            let epsilons = !causal.epsilon.is_empty() && causal.epsilon.iter().all(|&e| from_zero(e));
            check(epsilons, ["causal", "epsilon"], "a list of numbers from 0 up");
            check((0.0..1.0).contains(&causal.threshold), ["causal", "threshold"], "from 0 to below 1");
            if !coordinates.iter().any(|c| c.name == causal.along) {
                let value = table.get("causal");
                let span = value.map_or(0..0, |value| at(value, &["along"]).span());
                self.no_coordinate(&causal.along, coordinates, span);
            }
        }
        if training.adaptive.is_some() && training.resample == 0 {
            let message = "`adaptive` has no effect: points are never redrawn";
            let hint = "say how often, for example `resample = 500`";
            let span = table.get("adaptive").map(Spanned::span);
            self.report(Diagnostic { warning: true, ..Diagnostic::error(span, message).hint(hint) });
        }
    }

    /// Reads a plain table key by key, so that several mistakes are reported.
    ///
    /// Keys in `optional` are those that the defaults lack, and `false` says that there shall be none; keys in `others` are
    /// left alone.
    pub(super) fn settings<T: Default + Serialize + DeserializeOwned>(
        &mut self,
        table: &Table<'_>,
        name: &str,
        optional: &[&str],
        others: &[&str],
    ) -> T {
        let defaults = toml::Table::try_from(T::default()).unwrap_or_default();
        let more = optional.iter().chain(others).copied();
        let keys: Vec<_> = defaults.keys().map(String::as_str).chain(more).collect();
        self.check_keys(table, name, &keys);
        let read = |table: Table<'_>| {
            T::deserialize(ValueDeserializer::from(Spanned::new(0..0, DeValue::Table(table))))
        };
        let mut good = Table::new();
        for (key, value) in table.iter() {
            if others.contains(&key.get_ref().as_ref()) || !keys.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let declined = value.get_ref().as_bool() == Some(false);
            if declined && optional.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let mut alone = Table::new();
            alone.insert(key.clone(), value.clone());
            match read(alone) {
                Ok(_) => {
                    good.insert(key.clone(), value.clone());
                }
                Err(error) => {
                    let span = error.span().filter(|span| span.end > 0).unwrap_or(value.span());
                    let mistake = self.bare_name(error.message(), &span, value);
                    self.report(mistake.unwrap_or_else(|| serde_mistake(error.message(), span)));
                }
            }
        }
        read(good).unwrap_or_default()
    }

    /// A choice by its name alone, `"adam"`, where it has settings: `{ adam = {} }`.
    fn bare_name(&self, message: &str, span: &Range<usize>, value: &Value<'_>) -> Option<Diagnostic> {
        let expects_settings = message.starts_with("invalid type: unit variant");
        if !(expects_settings || message.contains("expected a sequence")) {
            return None;
        }
        let written = |value: &Value<'_>| value.get_ref().as_str().map(str::to_owned);
        let names: Vec<String> = match value.get_ref() {
            DeValue::Array(list) => list.iter().filter_map(written).collect(),
            _ => written(value).into_iter().collect(),
        };
        let inside = self.sources.text(span).trim_matches(['"', '\'']);
        if names.is_empty() && (!expects_settings || inside.is_empty()) {
            return None;
        }
        let wrong = "a name alone is not enough: it comes with a table of settings, which may be empty";
        if names.is_empty() {
            let wrong = Diagnostic::error(span.clone(), wrong);
            return Some(wrong.hint(format!("write `{{ {inside} = {{ … }} }}` with its settings")));
        }
        let forms: Vec<_> = names.iter().map(|name| format!("{{ {name} = {{}} }}")).collect();
        let list = value.get_ref().is_array() || !expects_settings;
        let form = if list { format!("[{}]", forms.join(", ")) } else { forms.concat() };
        Some(Diagnostic::error(span.clone(), wrong).hint(format!("write `{form}`")))
    }
}

/// The value at a path of keys and indices, or the last one on the way that exists.
fn at<'t>(value: &'t Value<'t>, path: &[&str]) -> &'t Value<'t> {
    let Some((key, rest)) = path.split_first() else {
        return value;
    };
    let next = match value.get_ref() {
        DeValue::Table(table) => table.get(*key),
        DeValue::Array(array) => key.parse::<usize>().ok().and_then(|i| array.get(i)),
        _ => None,
    };
    next.map_or(value, |next| at(next, rest))
}
