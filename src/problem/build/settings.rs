//! The tables `[network]` and `[training]`.

use core::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use super::fourier::{self, Fourier};
use super::{Builder, FEATURE};
use crate::activation::Activation;
use crate::expr::{self, Digits, Node, NodeId, Symbol};
use crate::limits::{MAX_DEPTH, MAX_STEPS, MAX_WIDTH, WINDOWS};
use crate::problem::diagnostic::Diagnostic;
use crate::problem::file::{Table, Value, serde_mistake};
use crate::problem::place::Coordinate;
use crate::settings::{
    Cut, Factorization, Init, LearningRateUnit, LinearSolver, Network, Scaling, Schedule, Stage, Training,
};

/// What a network may see.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) coordinates: &'a [Coordinate],
    /// Those of them that its unknowns are functions of.
    pub(super) of: &'a [usize],
    /// One of these unknowns, for messages; `None` if they are functions of all coordinates.
    pub(super) unknown: Option<&'a str>,
    pub(super) seed: u64,
}

/// By how much widths and points may be multiplied at once.
const MOST_GROWTH: f64 = 16.0;
/// Largest mean and deviation of the logarithms of factors of weights.
const MOST_FACTOR: f64 = 5.0;

impl Builder<'_> {
    /// The settings of a network, whose table is called `name`.
    pub(super) fn network(&mut self, table: &Table<'_>, name: &str) -> Network {
        let mut network: Network = self.settings(table, name, &["widths", "factorization"], &["features"]);
        let span = |key: &str| table.get(key).map(Spanned::span);
        self.widths(&mut network, table);
        for (key, count, most) in [("depth", network.depth, MAX_DEPTH), ("width", network.width, MAX_WIDTH)] {
            if !(1..=most).contains(&count) {
                let message = format!("the {key} is {count}, not from 1 to {most}");
                self.report(Diagnostic::error(span(key), message));
            }
        }
        if !(network.sigma_b.is_finite() && network.sigma_b >= 0.0) {
            let message = format!("sigma-b is {}, not a number from 0 up", network.sigma_b);
            self.report(Diagnostic::error(span("sigma-b"), message));
        }
        if let Some(Factorization { mean, deviation }) = network.factorization
            && !(mean.abs() <= MOST_FACTOR && (0.0..=MOST_FACTOR).contains(&deviation))
        {
            let message = format!("factors of exp(s) with s = {mean} ± {deviation} are out of range");
            let hint = format!(
                "take a mean from -{MOST_FACTOR} to {MOST_FACTOR}, usually 0.5 or 1, and a deviation from 0 to {MOST_FACTOR}, usually 0.1"
            );
            self.report(Diagnostic::error(span("factorization"), message).hint(hint));
        }
        network
    }

    /// Makes depth and width those of a list of widths, which must not disagree with them.
    fn widths(&mut self, network: &mut Network, table: &Table<'_>) {
        let Some(value) = table.get("widths") else { return };
        let (Some(&least), Some(&most)) = (network.widths.iter().min(), network.widths.iter().max()) else {
            let message = "`widths` lists no layers";
            let hint = "write the neurons of every hidden layer, for example [32, 16, 32], or remove it";
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return;
        };
        if least == 0 {
            self.report(Diagnostic::error(value.span(), "a layer has at least one neuron"));
        }
        if network.architecture.is_even() && least < most {
            let message = format!("the layers of a {} have all one width", network.architecture.name());
            let hint = "state `width` and `depth`, or architecture = \"resnet\" or \"plain\"";
            self.report(Diagnostic::error(value.span(), message).hint(hint));
        }
        for (key, stated, implied) in
            [("depth", network.depth, network.widths.len()), ("width", network.width, most)]
        {
            if let Some(other) = table.get(key)
                && stated != implied
            {
                let message = format!("the {key} is {stated} here, but {implied} by `widths`");
                self.report(Diagnostic::error(other.span(), message).hint(format!("remove `{key}`")));
            }
        }
        (network.depth, network.width) = (network.widths.len(), most);
    }

    /// The activation with its scale; `None` if one of them is wrong, which is reported.
    pub(super) fn activation(&mut self, network: &Network, table: &Table<'_>) -> Option<Activation> {
        let scale = table.get("scale").map(Spanned::span);
        let size = network.scale.initial();
        if !(size.is_finite() && size > 0.0) {
            let message = format!("the scale is {size}, not a positive number");
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
        let scaled = activation.scaled(size);
        if scaled.is_err() {
            let message = format!("the scale {} takes the activation out of range", Digits(size));
            let hint = "amplitudes lie between 1e-30 and 1e30";
            self.report(Diagnostic::error(scale, message).hint(hint));
        }
        scaled.ok()
    }

    /// Holds the rule by which the weights of the network that the table `path` describes are drawn against its activation;
    /// what is not stated gives way.
    pub(super) fn rules(
        &mut self,
        network: &mut Network,
        activation: &Activation,
        path: &[&str],
        table: &Table<'_>,
    ) {
        let init = stated(table, &[path, &["init"]].concat()).or_else(|| stated(table, &["network", "init"]));
        if network.init == Init::Siren && activation.sine().is_none() {
            let message = format!("init = \"siren\" is made for a single sine, not for {activation}");
            let hint = "take activation = \"sin\", or another rule such as \"xavier\"";
            self.report(Diagnostic::error(init.map(Spanned::span), message).hint(hint));
        }
        let Some(none) = outside(activation).filter(|_| network.init.is_for_the_family()) else { return };
        match init {
            None => network.init = Init::Xavier,
            Some(init) => {
                let message = format!("init = \"{}\" {none}", network.init.name());
                let hint = "take \"xavier\", or \"siren\" for sines";
                self.report(Diagnostic::error(init.span(), message).hint(hint));
            }
        }
    }

    /// Holds the unit of learning rates against the networks' activations; what is not stated gives way.
    pub(super) fn rates(&mut self, training: &mut Training, activations: &[Activation], table: &Table<'_>) {
        let Some(none) = activations.iter().find_map(outside) else { return };
        for (i, stage) in training.stages.iter_mut().enumerate() {
            let Stage::Adam(adam) = stage else { continue };
            let unit = stated(table, &["training", "stages", &i.to_string(), "adam", "lr-unit"]);
            match unit.filter(|_| adam.lr_unit == LearningRateUnit::Omega) {
                None => adam.lr_unit = LearningRateUnit::One,
                Some(unit) => {
                    let message = format!("lr-unit = \"omega\" {none}");
                    self.report(Diagnostic::error(unit.span(), message).hint("take \"one\""));
                }
            }
        }
    }

    /// What enters a network, and its text.
    pub(super) fn features(
        &mut self,
        value: Option<&Value<'_>>,
        inputs: &Inputs<'_>,
    ) -> (Vec<NodeId>, Vec<String>) {
        let &Inputs { coordinates, of, unknown, seed } = inputs;
        let seen: Vec<Coordinate> = of.iter().map(|&i| coordinates[i].clone()).collect();
        let mut written = Vec::new();
        let mut roots = Vec::new();
        // As text that is read back, so that writing it into a file changes nothing.
        let mut read = |text: String, builder: &mut Self| {
            let expr = expr::parse(&text).ok();
            roots.extend(expr.and_then(|expr| builder.lowered(&expr, FEATURE)));
            written.push(text);
        };
        match value.map(|value| (value, value.get_ref())) {
            None => {
                for c in &seen {
                    read(c.centred(), self);
                }
            }
            Some((value, DeValue::Table(table))) => {
                if let Some(fourier) = self.fourier(value, table) {
                    for text in fourier.formulas(&seen, seed) {
                        read(text, self);
                    }
                }
            }
            Some((value, DeValue::Array(features))) if !features.is_empty() => {
                for value in features.iter() {
                    if let Some((root, text)) = self.formula(value, FEATURE) {
                        if matches!(self.graph.node(root), Node::Constant(_)) {
                            let message = "this feature is constant: it tells the network nothing";
                            self.report(Diagnostic::error(value.span(), message));
                        }
                        if let Some(name) = unknown {
                            self.reads_no_other("this feature", root, (name, of), coordinates, value);
                        }
                        roots.push(root);
                        written.push(text);
                    }
                }
                let reached = self.graph.reachable(&roots);
                for c in &seen {
                    let blind = match self.scope.get(&c.name) {
                        Some(Symbol::Value(_, id)) => reached.get(id.index()) != Some(&true),
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
                let hint = "for example [\"sin(pi*x)\", \"2*t - 1\"], or { fourier = 16, scale = 2 }";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
            }
        }
        (roots, written)
    }

    /// Random Fourier features; `None` if there is a mistake, which is reported.
    fn fourier(&mut self, value: &Value<'_>, table: &Table<'_>) -> Option<Fourier> {
        self.check_keys(table, "features", &["fourier", "scale"]);
        let Some(count) = table.get("fourier") else {
            let message = "these features have no number of frequencies";
            let hint = "for example { fourier = 16, scale = 2 }";
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        };
        let read = Fourier::deserialize(ValueDeserializer::from(value.clone()));
        let fourier = read
            .map_err(|error| {
                let span = error.span().filter(|span| span.end > 0).unwrap_or(value.span());
                self.report(serde_mistake(error.message(), span));
            })
            .ok()?;
        if !(1..=fourier::MOST).contains(&fourier.fourier) {
            let message = format!("`fourier` is {}, not from 1 to {}", fourier.fourier, fourier::MOST);
            self.report(Diagnostic::error(count.span(), message));
            return None;
        }
        if !(fourier.scale.is_finite() && fourier.scale > 0.0) {
            let span = table.get("scale").map(Spanned::span);
            self.report(Diagnostic::error(span, "the scale of the frequencies must be a positive number"));
            return None;
        }
        Some(fourier)
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
                    check(lm.gain > 0.0 && lm.gain < 1.0, "gain", "between 0 and 1");
                    check(lm.products > 0, "products", "at least 1");
                    check(lm.sketch != 1, "sketch", "at least 2, or 0 for none");
                    let has_rows = matches!(lm.solver, LinearSolver::Auto | LinearSolver::Qr);
                    check(
                        lm.sketch == 0 || has_rows,
                        "sketch",
                        "0 with any solver but \"qr\", which alone has rows",
                    );
                    let fits = lm.scaling == Scaling::Identity || lm.solver != LinearSolver::Cg;
                    check(fits, "scaling", "\"identity\" with solver = \"cg\", which has no diagonal");
                }
                Stage::Ssbfgs(_) | Stage::Ssbroyden(_) => {}
                Stage::Grow(growth) => {
                    let factor = |x: f64| (1.0..=MOST_GROWTH).contains(&x);
                    let wanted = format!("from 1 to {MOST_GROWTH}");
                    check(factor(growth.width), "width", &wanted);
                    check(factor(growth.points), "points", &wanted);
                    let wrong = if windows > 1 {
                        Some("a network that grows goes with one window of time")
                    } else if i == 0 || i + 1 == training.stages.len() {
                        Some("`grow` lies between two stages that train")
                    } else {
                        None
                    };
                    if let Some(message) = wrong {
                        self.report(Diagnostic::error(place.map(Spanned::span), message));
                    }
                }
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

/// A plain value that is stated at a path of keys and indices.
fn stated<'t>(table: &'t Table<'t>, path: &[&str]) -> Option<&'t Value<'t>> {
    let (first, rest) = path.split_first()?;
    let found = at(table.get(*first)?, rest);
    // The last key's own value, not that of a table on the way.
    (!found.get_ref().is_table() && !found.get_ref().is_array()).then_some(found)
}

/// Why rules that are made for odd-sigmoid functions do not fit, if they do not.
fn outside(activation: &Activation) -> Option<String> {
    let (function, reason) = activation.outside()?;
    Some(format!("is made for odd-sigmoid functions, and {} is none: {reason}", function.name()))
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
