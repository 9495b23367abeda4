//! The networks: which unknowns each of them has, what its settings are, and what it sees.
//!
//! Unknowns that share all coordinates and the whole domain share the network of the table `[network]`, unless a table
//! `[networks.NAME]` lists them; an unknown of fewer coordinates, or of one region, has a network of its own.
//! What such a table leaves out is that of `[network]`.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::DeValue;

use super::settings::Inputs;
use super::{Builder, Entry};
use crate::activation::Activation;
use crate::expr::{NodeId, closest, listed};
use crate::limits::{MAX_NEURONS, MAX_PARAMETERS};
use crate::network::{Layers, Plan};
use crate::problem::diagnostic::Diagnostic;
use crate::problem::file::{Table, Value, article};
use crate::problem::model::{Formula, Group, Unknown};
use crate::problem::place::Coordinate;
use crate::settings::{Network, Training};

/// All networks of a problem.
pub(super) struct Networks {
    /// What `[network]` says, and the activation; `None` if that is wrong, which is reported.
    pub(super) network: Network,
    pub(super) activation: Option<Activation>,
    /// Those beside it, in the order of their first unknowns.
    pub(super) own: Vec<Group>,
    /// What enters them, and its text: that of `[network]` first.
    pub(super) features: Formula,
    pub(super) written: Vec<String>,
}

/// Some unknowns, and where it is said that they have a network of their own.
struct Wanted<'t> {
    name: String,
    unknowns: Vec<usize>,
    table: Option<&'t Table<'t>>,
}

impl Builder<'_> {
    pub(super) fn networks(
        &mut self,
        table: &Table<'_>,
        coordinates: &[Coordinate],
        unknowns: &[Unknown],
        training: &mut Training,
    ) -> Networks {
        let entries = self.entries(table, "networks", false);
        let wanted = self.wanted_networks(&entries, unknowns, coordinates);
        let own: BTreeSet<usize> = wanted.iter().flat_map(|wanted| &wanted.unknowns).copied().collect();
        let rest: Vec<usize> = (0..unknowns.len()).filter(|unknown| !own.contains(unknown)).collect();

        let empty = Table::new();
        let value = table.get("network");
        let base = value.map_or(Some(&empty), |value| self.table(value, "[network]")).unwrap_or(&empty);
        let all: Vec<usize> = (0..coordinates.len()).collect();
        let seed = training.seed;
        let mut network = self.network(base, "[network]");
        let (mut roots, mut written) =
            self.features(base.get("features"), &Inputs { coordinates, of: &all, unknown: None, seed });
        let activation = self.activation(&network, base);
        if rest.is_empty() {
            (roots, written) = (vec![], vec![]);
        }
        let mut activations: Vec<Activation> = activation.iter().cloned().collect();
        if let Some(activation) = &activation {
            self.rules(&mut network, activation, &["network"], table);
        }

        let mut groups = vec![];
        for Wanted { name, unknowns: own, table: stated } in wanted {
            let before = self.items.len();
            let stated = stated.unwrap_or(&empty);
            let of = unknowns[own[0]].coordinates(coordinates.len());
            let merged = inherited(base, stated);
            let mut network = self.network(&merged, &format!("[networks.{name}]"));
            let activation = self.activation(&network, &merged);
            let first = roots.len();
            let only = Inputs { coordinates, of: &of, unknown: Some(&unknowns[own[0]].name), seed };
            let (mut own_roots, mut own_written) = match stated.get("features") {
                Some(features) => self.features(Some(features), &only),
                None => self.inherited_features(base.get("features"), &only),
            };
            roots.append(&mut own_roots);
            written.append(&mut own_written);
            if let Some(activation) = activation {
                self.rules(&mut network, &activation, &["networks", &name], table);
                activations.push(activation.clone());
                let features = first..roots.len();
                groups.push(Group { name, unknowns: own, network, activation, features });
            }
            self.forget_repeated(before);
        }
        self.rates(training, &activations, table);
        // In floating point, where absurd sizes do not overflow.
        let networks =
            [(&network, base)].into_iter().chain(groups.iter().map(|group| (&group.network, base)));
        let neurons = networks.map(|(network, _)| network.depth as f64 * network.width as f64).sum();
        self.check_count(base, neurons, "neurons", MAX_NEURONS);
        if !self.has_errors() {
            let inputs = roots.len() - groups.iter().map(|group| group.features.len()).sum::<usize>();
            let mut plans = vec![Plan { network: &network, inputs, unknowns: &rest }];
            plans.retain(|plan| !plan.unknowns.is_empty());
            plans.extend(groups.iter().map(Group::plan));
            let parameters = Layers::several(&plans).parameters() as f64;
            self.check_count(base, parameters, "parameters", MAX_PARAMETERS);
        }
        Networks { network, activation, own: groups, features: self.extract(&roots), written }
    }

    /// Which unknowns have a network of their own, in the order of their first ones.
    fn wanted_networks<'t>(
        &mut self,
        entries: &[Entry<'t>],
        unknowns: &[Unknown],
        coordinates: &[Coordinate],
    ) -> Vec<Wanted<'t>> {
        let mut wanted: Vec<Wanted<'_>> = vec![];
        for &(key, value) in entries {
            let name: &str = key.get_ref();
            let Some(table) = self.table(value, &format!("[networks.{}]", name.escape_debug())) else {
                continue;
            };
            let own = match table.get("unknowns") {
                Some(list) => self.unknowns_of(list, unknowns, &wanted),
                None => self.unknown_called(key, unknowns),
            };
            let Some(own) = own else { continue };
            if let Some(other) = wanted.iter().find(|other| own.iter().any(|i| other.unknowns.contains(i))) {
                let message =
                    format!("`{}` is in the network `{}` already", unknowns[own[0]].name, other.name);
                let hint = "an unknown has one network: remove it from that one's list, or this table";
                self.report(Diagnostic::error(key.span(), message).hint(hint));
                continue;
            }
            let [first, others @ ..] = &own[..] else { continue };
            let words = |unknown: usize| {
                let own = unknowns[unknown].coordinates(coordinates.len());
                let names: Vec<_> = own.iter().map(|&i| coordinates[i].name.as_str()).collect();
                format!("`{}` is a function of {}", unknowns[unknown].name, listed(&names))
            };
            if let Some(other) = others.iter().find(|&&other| unknowns[other].of != unknowns[*first].of) {
                let message = format!(
                    "the unknowns of a network are functions of the same coordinates, but {}, and {}",
                    words(*first),
                    words(*other)
                );
                let span = table.get("unknowns").map_or(key.span(), Spanned::span);
                self.report(Diagnostic::error(span, message).hint("make two networks of them"));
                continue;
            }
            wanted.push(Wanted { name: name.to_owned(), unknowns: own, table: Some(table) });
        }
        for (i, unknown) in unknowns.iter().enumerate() {
            let alone = unknown.of.is_some() || unknown.region.is_some();
            if !alone || wanted.iter().any(|wanted| wanted.unknowns.contains(&i)) {
                continue;
            }
            if let Some((key, _)) = entries.iter().find(|(key, _)| key.get_ref().as_ref() == unknown.name) {
                if !self.has_errors() {
                    let message = format!("`{}` has a network of its own, which has this name", unknown.name);
                    let hint = "choose another name, or add it to the unknowns of this network";
                    self.report(Diagnostic::error(key.span(), message).hint(hint));
                }
                continue;
            }
            wanted.push(Wanted { name: unknown.name.clone(), unknowns: vec![i], table: None });
        }
        wanted.sort_by_key(|wanted| wanted.unknowns[0]);
        wanted
    }

    /// The list `unknowns` of a network; `None` if something is wrong with it, which is reported.
    fn unknowns_of(
        &mut self,
        list: &Value<'_>,
        unknowns: &[Unknown],
        others: &[Wanted<'_>],
    ) -> Option<Vec<usize>> {
        let DeValue::Array(names) = list.get_ref() else {
            let message = format!("`unknowns` is a list of names, not {}", article(list.get_ref()));
            self.report(Diagnostic::error(list.span(), message).hint("for example [\"u\", \"v\"]"));
            return None;
        };
        if names.is_empty() {
            let hint = "list the unknowns that it has, or remove the table";
            self.report(Diagnostic::error(list.span(), "this network has no unknowns").hint(hint));
        }
        let mut own = vec![];
        for value in names.iter() {
            let Some(name) = self.text(value, "the name of an unknown") else { continue };
            let Some(unknown) = unknowns.iter().position(|unknown| unknown.name == name) else {
                self.no_unknown(name, unknowns, value);
                continue;
            };
            let taken = others.iter().find(|other| other.unknowns.contains(&unknown));
            if let Some(other) = taken {
                let message = format!("`{name}` is in the network `{}` already", other.name);
                let hint = "an unknown has one network: remove it from one of the lists";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
            } else if own.contains(&unknown) {
                self.report(Diagnostic::error(value.span(), format!("`{name}` is listed twice")));
            } else {
                own.push(unknown);
            }
        }
        // What comes out has the order of the file's unknowns, whatever the list's is.
        own.sort_unstable();
        (own.len() == names.len() && !own.is_empty()).then_some(own)
    }

    fn no_unknown(&mut self, name: &str, unknowns: &[Unknown], value: &Value<'_>) {
        let names: Vec<_> = unknowns.iter().map(|unknown| unknown.name.as_str()).collect();
        let hint = match closest(name, names.iter().copied()) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("the unknowns are {}", listed(&names)),
        };
        let message = format!("`{}` is not an unknown", name.escape_debug());
        self.report(Diagnostic::error(value.span(), message).hint(hint));
    }

    /// The one unknown of a network that is called like it.
    fn unknown_called(
        &mut self,
        key: &Spanned<toml::de::DeString<'_>>,
        unknowns: &[Unknown],
    ) -> Option<Vec<usize>> {
        let name: &str = key.get_ref();
        let own = unknowns.iter().position(|unknown| unknown.name == name);
        if own.is_none() {
            let message = format!("the network `{}` has no unknowns", name.escape_debug());
            let hint = match closest(name, unknowns.iter().map(|unknown| unknown.name.as_str())) {
                Some(known) => format!("did you mean `{known}`, the network of the unknown `{known}`?"),
                None => "list them, for example unknowns = [\"u\", \"v\"], or call it like its only unknown"
                    .to_owned(),
            };
            self.report(Diagnostic::error(key.span(), message).hint(hint));
        }
        own.map(|own| vec![own])
    }

    /// Features that `[network]` states, as far as they are functions of a network's coordinates; if none are, and where
    /// none are stated, the coordinates themselves.
    fn inherited_features(
        &mut self,
        value: Option<&Value<'_>>,
        inputs: &Inputs<'_>,
    ) -> (Vec<NodeId>, Vec<String>) {
        let Some(DeValue::Array(features)) = value.map(Spanned::get_ref) else {
            return self.features(value, inputs);
        };
        let (mut roots, mut written) = (vec![], vec![]);
        for value in features.iter() {
            // What is wrong with one was said where `[network]` was read.
            let before = self.items.len();
            let feature = self.formula(value, super::FEATURE);
            self.items.truncate(before);
            let Some((root, text)) = feature else { continue };
            if self.graph.coordinates(&[root]).iter().all(|i| inputs.of.contains(i)) {
                roots.push(root);
                written.push(text);
            }
        }
        if roots.is_empty() { self.features(None, inputs) } else { (roots, written) }
    }

    /// Removes what was said after `before` and had been said already: what a table takes over is read again.
    fn forget_repeated(&mut self, before: usize) {
        let (known, new) = self.items.split_at(before);
        let new: Vec<_> = new.iter().filter(|item| !known.contains(item)).cloned().collect();
        self.items.truncate(before);
        self.items.extend(new);
    }

    /// Refuses networks that have too many of something.
    fn check_count(&mut self, table: &Table<'_>, count: f64, what: &str, most: f64) {
        if count > most && !self.has_errors() {
            let message = format!("the network would have {count:.1e} {what}, more than {most:.0e}");
            let keys = ["widths", "width", "depth"];
            let span = keys.into_iter().find_map(|key| table.get(key)).map(Spanned::span);
            self.report(Diagnostic::error(span, message));
        }
    }

    /// The coordinates that an unknown is a function of, as `of` lists them; `None` if they are all, or something is wrong
    /// with the list, which is reported.
    pub(super) fn function_of(
        &mut self,
        name: &str,
        value: &Value<'_>,
        coordinates: &[Coordinate],
    ) -> Option<Vec<usize>> {
        let DeValue::Array(names) = value.get_ref() else {
            let message = format!("`of` is a list of coordinates, not {}", article(value.get_ref()));
            let hint = format!("for example `{name} = {{ of = [\"{}\"] }}`", coordinates[0].name);
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        };
        if names.is_empty() {
            let message = format!("`{name}` is a function of no coordinate");
            let hint = format!("a number that is to be found is a parameter: `{name} = {{ initial = 1 }}`");
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        }
        let mut own = vec![];
        for value in names.iter() {
            let Some(coordinate) = self.text(value, "the name of a coordinate") else { continue };
            match coordinates.iter().position(|c| c.name == coordinate) {
                None => self.no_coordinate(coordinate, coordinates, value.span()),
                Some(i) if own.contains(&i) => {
                    let message = format!("`{coordinate}` is listed twice");
                    self.report(Diagnostic::error(value.span(), message));
                }
                Some(i) => own.push(i),
            }
        }
        own.sort_unstable();
        (own.len() == names.len() && own.len() < coordinates.len()).then_some(own)
    }

    /// Reports a formula of an unknown that reads coordinates which that is no function of.
    pub(super) fn reads_no_other(
        &mut self,
        what: &str,
        root: NodeId,
        (name, of): (&str, &[usize]),
        coordinates: &[Coordinate],
        value: &Value<'_>,
    ) -> bool {
        let other = self.graph.coordinates(&[root]).into_iter().find(|i| !of.contains(i));
        if let Some(other) = other {
            let names: Vec<_> = of.iter().map(|&i| coordinates[i].name.as_str()).collect();
            let message = format!(
                "`{name}` is a function of {} alone, and {what} uses `{}`",
                listed(&names),
                coordinates[other].name
            );
            let hint = format!("leave it out, or add \"{}\" to `of`", coordinates[other].name);
            self.report(Diagnostic::error(value.span(), message).hint(hint));
        }
        other.is_none()
    }
}

/// The settings of a network: what is `stated` for it, and else those of `[network]`.
fn inherited<'t>(base: &Table<'t>, stated: &Table<'t>) -> Table<'t> {
    let mut merged = base.clone();
    // A number of layers and of neurons, and a list of both, are two ways to say one thing.
    let replaced: &[&str] = match stated {
        _ if stated.contains_key("widths") => &["depth", "width"],
        _ if stated.contains_key("depth") || stated.contains_key("width") => &["widths"],
        _ => &[],
    };
    replaced.iter().for_each(|&key| drop(merged.remove(key)));
    let own = stated.iter().filter(|(key, _)| key.get_ref().as_ref() != "unknowns");
    merged.extend(own.map(|(key, value)| (key.clone(), value.clone())));
    merged
}
