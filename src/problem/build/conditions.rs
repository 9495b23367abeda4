//! The conditions: where their points lie, and what shall be zero there.

use core::ops::Range;
use serde::Deserialize;
use toml::de::{DeValue, ValueDeserializer};

use super::equations::enter;
use super::values::{integer, misspelt};
use super::{Builder, RESIDUAL, unusable};
use crate::expr::{Binary, Digits, Graph, Node, NodeId, Normal, Symbol, closest, is_time, listed};
use crate::jet::MAX_ORDER;
use crate::limits::{MAX_CONDITIONS, POINTS};
use crate::problem::diagnostic::Diagnostic;
use crate::problem::dimensions;
use crate::problem::file::{Table, Value, article, serde_mistake};
use crate::problem::geometry::Boundary;
use crate::problem::linked::Linked;
use crate::problem::model::{Condition, Dimensions, Formula, Unknown};
use crate::problem::place::{Coordinate, Face, Place, boundary};
use crate::problem::table::{Numbers, place};
use crate::settings::{Enforce, Sampler};

/// Points of a condition that reads networks at many places for each, where the file says nothing.
const INTEGRATED_POINTS: usize = 300;

/// Residuals over their scales.
pub(super) fn scaled(mut residuals: Formula, scales: &[f64]) -> Formula {
    for (root, &scale) in residuals.roots.iter_mut().zip(scales) {
        let scale = residuals.graph.constant(scale);
        *root = residuals.graph.binary(Binary::Div, *root, scale);
    }
    residuals
}

impl Builder<'_> {
    pub(super) fn conditions(
        &mut self,
        table: &Table<'_>,
        coordinates: &[Coordinate],
        unknowns: &[Unknown],
    ) -> Vec<Condition> {
        let entries = self.entries(table, "conditions", true);
        if let Some((key, _)) = entries.get(MAX_CONDITIONS) {
            let message = format!("{} conditions are too many: at most {MAX_CONDITIONS}", entries.len());
            self.report(Diagnostic::error(key.span(), message));
            return vec![];
        }
        let mut conditions = Vec::new();
        for (key, value) in entries {
            let name: &str = key.get_ref();
            if let Some(table) = self.table(value, "a condition") {
                conditions.extend(self.condition(name, key.span(), table, coordinates, unknowns));
            }
        }
        conditions
    }

    pub(super) fn condition(
        &mut self,
        name: &str,
        span: Range<usize>,
        table: &Table<'_>,
        coordinates: &[Coordinate],
        unknowns: &[Unknown],
    ) -> Option<Condition> {
        const KEYS: [&str; 9] =
            ["place", "residual", "enforce", "weight", "scale", "points", "sampler", "dimensions", "order"];
        self.check_keys(table, "a condition", &KEYS);
        let weight = match table.get("weight") {
            Some(value) => self.number(value, "the weight"),
            None => Some(1.0),
        };
        if let (Some(value), Some(weight)) = (table.get("weight"), weight)
            && weight < 0.0
        {
            let message = format!("the weight is {weight}, which is negative");
            self.report(Diagnostic::error(value.span(), message));
        }
        let Some(place_value) = table.get("place") else {
            if !misspelt(table, "place") {
                let message = format!("the condition `{name}` has no place");
                self.report(Diagnostic::error(span, message).hint(PLACES));
            }
            return None;
        };
        let place = self.place(place_value, coordinates);
        let enforce = self.enforce(table, place.as_ref());
        let counted = place.as_ref().map_or(200, |place| place.usual_points(coordinates.len()));
        let mut points = counted;
        let mut sampler = Sampler::default();
        let drawn = place.as_ref().is_none_or(Place::is_drawn);
        for key in ["points", "sampler"] {
            if let Some((key_name, _)) = table.get_key_value(key)
                && !drawn
            {
                let message = format!("`{key}` has no meaning here: the points come from a file");
                self.report(Diagnostic::error(key_name.span(), message).hint("remove the line"));
            }
        }
        if let (Some(value), true) = (table.get("points"), drawn) {
            points = self.count(value, "the number of points", POINTS).unwrap_or(counted);
            // Copies of one point would cost as much as many points and say no more than it does.
            let isolated = place.as_ref().and_then(|place| place.isolated(coordinates.len()));
            points = isolated.unwrap_or(points);
            let (kind, count) = place.as_ref().map_or(("face", 0), Place::sharing);
            if points < count {
                let message = format!("{count} {kind}s share the points, of which there are only {points}");
                let hint = format!("every {kind} has at least one");
                self.report(Diagnostic::error(value.span(), message).hint(hint));
            }
        }
        if let (Some(value), true) = (table.get("sampler"), drawn) {
            match Sampler::deserialize(ValueDeserializer::from(value.clone())) {
                Ok(named) => sampler = named,
                Err(error) => self.report(serde_mistake(error.message(), value.span())),
            }
        }
        if let (Some((key, _)), false) =
            (table.get_key_value("order"), place.as_ref().is_none_or(|place| place.periodic().is_some()))
        {
            let message = "`order` has a meaning in periodic conditions only";
            self.report(Diagnostic::error(key.span(), message).hint("remove the line"));
        }
        let residual = table.get("residual");
        let repeats = place_value.get_ref().as_str().is_some_and(|text| text.trim().starts_with("periodic"));
        if place.is_none() && (place_value.get_ref().is_table() || repeats && residual.is_none()) {
            // What the file's columns are called is not known, and a periodic condition has none, so nothing is said about
            // the residual.
            return None;
        }
        let (written, residuals) = match place.as_ref().and_then(Place::periodic) {
            Some(coordinate) => {
                if let Some((key, _)) = table.get_key_value("residual") {
                    let message = "a periodic condition has no residual of its own";
                    let hint = "remove the line: values and derivatives up to `order` are matched";
                    self.report(Diagnostic::error(key.span(), message).hint(hint));
                }
                let order = match table.get("order") {
                    Some(value) => self.count(value, "the order", 0..=MAX_ORDER)?,
                    None => 1,
                };
                self.periodic(coordinate, order, coordinates, unknowns)?
            }
            None => {
                let Some(residual) = residual else {
                    if misspelt(table, "residual") {
                        return None;
                    }
                    let message = format!("the condition `{name}` has no residual");
                    let hint = "write what shall be zero, for example `residual = \"u - 1\"`";
                    self.report(Diagnostic::error(span, message).hint(hint));
                    return None;
                };
                self.residuals(residual, place.as_ref(), coordinates)?
            }
        };
        let scales = match table.get("scale") {
            Some(value) => self.scales(value, residuals.roots.len())?,
            None => vec![1.0; residuals.roots.len()],
        };
        let dimensions = match table.get("dimensions") {
            Some(value) => Some(self.dimensions(value, &residuals, coordinates)?),
            None => None,
        };
        let residuals = scaled(residuals, &scales);
        // Where each of them costs many.
        let place = place?;
        if !table.contains_key("points") && place.is_interior() && residuals.integrates() {
            points = INTEGRATED_POINTS;
        }
        Some(Condition {
            name: name.to_owned(),
            place,
            written,
            scales,
            jets: residuals.jets(),
            residuals,
            enforce,
            weight: weight?,
            points: if enforce == Enforce::Exact { 0 } else { points },
            sampler,
            dimensions,
        })
    }

    /// Of which second derivatives a few stand for all.
    fn dimensions(
        &mut self,
        value: &Value<'_>,
        residuals: &Formula,
        coordinates: &[Coordinate],
    ) -> Option<Dimensions> {
        let mut among = dimensions::drawable(residuals);
        among.retain(|&i| !is_time(&coordinates[i].name));
        let refused = if among.len() < 2 {
            let along = among.first().map(|&i| format!(" but those along {}", coordinates[i].name));
            let along = along.unwrap_or_default();
            let message = format!("there are no second derivatives along space to draw from{along}");
            Some((message, "`dimensions` is for sums of them, as in `laplacian(u)`; remove the line"))
        } else if dimensions::tangled(residuals) {
            let message = "second derivatives are multiplied by one another, or put into a function".into();
            Some((message, "only of a sum do a few say what all are on average; remove the line"))
        } else {
            None
        };
        if let Some((message, hint)) = refused {
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        }
        let most = among.len() - 1;
        let Some(count) = integer(value, &(1..=most)) else {
            let message =
                format!("the number of dimensions is an integer from 1 to {most}, as there are {}", most + 1);
            self.report(Diagnostic::error(value.span(), message).hint("remove the line to take all of them"));
            return None;
        };
        Some(Dimensions { count, among })
    }

    /// How a condition is made to hold.
    fn enforce(&mut self, table: &Table<'_>, place: Option<&Place>) -> Enforce {
        let Some(value) = table.get("enforce") else { return Enforce::Auto };
        let enforce = match Enforce::deserialize(ValueDeserializer::from(value.clone())) {
            Ok(enforce) => enforce,
            Err(error) => {
                self.report(serde_mistake(error.message(), value.span()));
                return Enforce::Auto;
            }
        };
        let what = match place {
            Some(place) if place.is_interior() => "an equation in the interior",
            Some(place) if !place.is_drawn() => "a condition on points from a file",
            _ => return enforce,
        };
        if enforce == Enforce::Exact {
            let message = format!("{what} cannot hold exactly: it is what the network is trained for");
            self.report(Diagnostic::error(value.span(), message).hint("remove the line"));
        }
        enforce
    }

    /// A size for each of `count` residuals, or one for all.
    fn scales(&mut self, value: &Value<'_>, count: usize) -> Option<Vec<f64>> {
        let list = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value; count],
        };
        if list.len() != count {
            let counted = |n: usize, what| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
            let message = format!("{} for {}", counted(list.len(), "scale"), counted(count, "residual"));
            let hint = "one number for each residual, in their order, or one for all of them";
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        }
        let mut scales = vec![];
        for value in list {
            let scale = self.number(value, "a scale")?;
            if scale <= 0.0 {
                let message = format!("the scale is {}, which is not positive", Digits(scale));
                let hint = "residuals are divided by their scales";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
                return None;
            }
            scales.push(scale);
        }
        Some(scales)
    }

    pub(super) fn residuals(
        &mut self,
        value: &Value<'_>,
        place: Option<&Place>,
        coordinates: &[Coordinate],
    ) -> Option<(Vec<String>, Formula)> {
        let outer = self.scope.clone();
        match (place, self.geometry.clone()) {
            (Some(place), _) => enter(&mut self.scope, &mut self.graph, place),
            // It may have been meant to be a wall, and one mistake is enough.
            (None, Some(geometry)) => {
                let axes = geometry.domain.bounds().map(|(i, _)| i).enumerate();
                let along = axes.map(|(column, i)| (i, self.graph.insert(Node::Data(column)))).collect();
                self.scope.set_normal(Normal { names: geometry.normal().to_vec(), along });
            }
            (None, None) => {}
        }
        let list = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value],
        };
        if list.is_empty() {
            let message = "the list of residuals is empty";
            self.report(Diagnostic::error(value.span(), message));
        }
        let count = list.len();
        let (mut written, mut roots) = (Vec::new(), Vec::new());
        for value in list {
            if let Some((root, text)) = self.formula(value, RESIDUAL) {
                if self.graph.jets(&[root]).is_empty() {
                    let message = "this residual uses no unknown: training cannot change it";
                    self.report(Diagnostic::error(value.span(), message));
                }
                self.check_reach(root, value.span(), place, coordinates);
                roots.push(root);
                written.push(text);
            }
        }
        self.scope = outer;
        let residuals = self.extract(&roots);
        (count > 0 && roots.len() == count).then_some((written, residuals))
    }

    /// Says where integrals in `root` leave the domain, if they do so for points of `place`.
    pub(super) fn check_reach(
        &mut self,
        root: NodeId,
        span: Range<usize>,
        place: Option<&Place>,
        coordinates: &[Coordinate],
    ) {
        /// Points that are tried, besides corners.
        const TRIED: usize = 64;
        const MOST_CORNERS: usize = 64;
        /// How far beyond an end rounding may lead, in units of the domain's sides.
        const ROUNDING: f64 = 1e-9;
        if !self.graph.looks_elsewhere(&[root]) {
            return;
        }
        let formula = self.extract(&[root]);
        let (mut rows, mut data) = (vec![], vec![]);
        match place.filter(|place| !place.is_drawn()) {
            Some(place) => {
                rows.extend_from_slice(place.own_points());
                data.extend_from_slice(place.own_data());
            }
            None => {
                rows.extend((1..=TRIED).flat_map(|k| Coordinate::spread(coordinates, k)));
                // Of many coordinates those beyond the first few go along with these.
                let bits = coordinates.len().min(MOST_CORNERS.ilog2() as usize);
                let corner = |k: usize| {
                    let end = move |(i, c): (usize, &Coordinate)| {
                        if k >> (i % bits) & 1 == 0 { c.lower } else { c.upper }
                    };
                    coordinates.iter().enumerate().map(end).collect::<Vec<_>>()
                };
                rows.extend((0..1_usize << bits).flat_map(corner));
                if let Some(place) = place {
                    place.take(coordinates, &mut rows);
                }
                if let Some(geometry) = &self.geometry {
                    let inside =
                        rows.chunks_exact(coordinates.len()).filter(|row| geometry.domain.contains(row));
                    rows = inside.flatten().copied().collect();
                }
            }
        }
        let mut linked = Linked::new(&formula, 1);
        let all = linked.rows(&rows, coordinates.len(), &data);
        let in_shapes: Vec<usize> =
            self.geometry.iter().flat_map(|geometry| geometry.domain.bounds().map(|(i, _)| i)).collect();
        let rows = all.chunks_exact(coordinates.len()).enumerate();
        for (_, row) in rows.filter(|(i, _)| i % linked.points() > 0) {
            let outside = coordinates.iter().zip(row).enumerate().find(|(i, (c, x))| {
                let room = ROUNDING * (c.upper - c.lower);
                // What is no number is not within the ends either.
                !in_shapes.contains(i) && !(c.lower - room..=c.upper + room).contains(*x)
            });
            let left = self.geometry.as_ref().is_some_and(|geometry| !geometry.domain.touches(row));
            let message = match outside {
                Some((_, (c, x))) => format!(
                    "the integral goes to {} = {}, beyond the domain [{}, {}]",
                    c.name,
                    Digits(Digits::four(*x)),
                    Digits(c.lower),
                    Digits(c.upper)
                ),
                None if left => "the integral goes to where the domain is not".to_owned(),
                None => continue,
            };
            let hint = "what is solved for is known in the domain alone: take other ends, or a larger domain";
            self.report(Diagnostic::error(span, message).hint(hint));
            return;
        }
    }

    /// Values and derivatives at both ends of `coordinate` must agree, for every unknown.
    pub(super) fn periodic(
        &mut self,
        coordinate: usize,
        order: usize,
        coordinates: &[Coordinate],
        unknowns: &[Unknown],
    ) -> Option<(Vec<String>, Formula)> {
        let Coordinate { name, lower, upper, .. } = &coordinates[coordinate];
        let (mut written, mut roots) = (Vec::new(), Vec::new());
        let mut graph = Graph::default();
        // What does not depend on the coordinate repeats anyway.
        for unknown in unknowns.iter().filter(|unknown| unknown.depends_on(coordinate)) {
            let Some(Symbol::Value(_, mut node)) = self.scope.get(&unknown.name) else {
                return None;
            };
            self.used.insert(unknown.name.clone());
            let mut term = unknown.name.clone();
            for k in 0..=order {
                if k > 0 {
                    node = self.graph.derivative(node, coordinate);
                    term += if k == 1 { "_" } else { "" };
                    term += name;
                }
                let [low, high] = [0, 1].map(|to| {
                    let copies = self.graph.transplant(&[node], &mut graph, |graph, leaf| {
                        graph.insert(match leaf {
                            Node::Jet { output, index, .. } => Node::Jet { output, index, side: to },
                            Node::Coordinate { coordinate, .. } => Node::Coordinate { coordinate, side: to },
                            other => other,
                        })
                    });
                    copies[0]
                });
                roots.push(graph.binary(Binary::Sub, low, high));
                written.push(format!(
                    "{term} at {name} = {} less {term} at {name} = {}",
                    Digits(*lower),
                    Digits(*upper)
                ));
            }
        }
        let (graph, roots) = graph.extract(&roots);
        self.count_operations(graph.nodes().len());
        Some((written, Formula { graph, roots }))
    }

    pub(super) fn place(&mut self, value: &Value<'_>, coordinates: &[Coordinate]) -> Option<Place> {
        match value.get_ref() {
            DeValue::Table(table) => {
                self.check_keys(table, "a place", &["file"]);
                let Some(file) = table.get("file") else {
                    if !misspelt(table, "file") {
                        let message = "this place has no file";
                        self.report(Diagnostic::error(value.span(), message).hint(PLACES));
                    }
                    return None;
                };
                self.points_file(file, coordinates)
            }
            DeValue::String(text) => {
                let text = text.trim();
                if let Some(geometry) = self.geometry.clone()
                    && let Some(place) = self.place_of_shapes(value, &geometry, coordinates)
                {
                    return place;
                }
                let words: Vec<_> = text.split_whitespace().collect();
                match words.as_slice() {
                    ["interior"] => return Some(Place::Interior),
                    ["boundary"] => return self.boundary(value, coordinates),
                    ["periodic", name] if !name.contains(',') => {
                        let Some(coordinate) = coordinates.iter().position(|c| c.name == *name) else {
                            self.no_coordinate(name, coordinates, self.part_of(value, name));
                            return None;
                        };
                        return Some(Place::Periodic { coordinate, walls: vec![] });
                    }
                    _ => {}
                }
                let foreign = foreign_place(text, coordinates);
                if foreign.is_none() && text.contains('=') {
                    return Some(Place::face(self.face(value, coordinates)?));
                }
                let (message, hint) = foreign.unwrap_or_else(|| {
                    let known = closest(text, ["interior", "boundary", "periodic"]);
                    let hint = known.map_or(PLACES.to_owned(), |known| format!("did you mean `{known}`?"));
                    (format!("`{}` is not a place", text.escape_debug()), hint)
                });
                let hint = if self.scope.is_asked() { ASKED_PLACES.to_owned() } else { hint };
                self.report(Diagnostic::error(value.span(), message).hint(hint));
                None
            }
            DeValue::Array(list) => self.faces(value, list, coordinates),
            other => {
                let message = format!("a place is not {}", article(other));
                self.report(Diagnostic::error(value.span(), message).hint(PLACES));
                None
            }
        }
    }

    /// Both ends of every coordinate but time.
    fn boundary(&mut self, value: &Value<'_>, coordinates: &[Coordinate]) -> Option<Place> {
        let faces = boundary(coordinates);
        if faces.is_empty() {
            let name = &coordinates[0].name;
            let message = format!("`boundary` means the faces in space, and `{name}` is time");
            let hint = format!("write a face, for example `{name} = {}`", Digits(coordinates[0].lower));
            self.report(Diagnostic::error(value.span(), message).hint(hint));
            return None;
        }
        Some(Place::Faces(faces))
    }

    /// `["x = 0", "x = 1"]`
    fn faces(&mut self, value: &Value<'_>, list: &[Value<'_>], coordinates: &[Coordinate]) -> Option<Place> {
        if list.is_empty() {
            self.report(Diagnostic::error(value.span(), "the list of faces is empty").hint(PLACES));
            return None;
        }
        let (mut faces, mut walls, mut fine) = (Vec::<Face>::new(), vec![], true);
        for value in list {
            let place = match value.get_ref() {
                DeValue::String(_) => self.place(value, coordinates),
                other => {
                    let message = format!("a face is a string such as \"x = 0\", not {}", article(other));
                    self.report(Diagnostic::error(value.span(), message));
                    None
                }
            };
            match place {
                Some(Place::Faces(more)) => {
                    for face in more {
                        if faces.contains(&face) {
                            let message = "this face is in the list already";
                            self.report(Diagnostic::error(value.span(), message));
                            fine = false;
                        }
                        faces.push(face);
                    }
                }
                Some(Place::Walls(more)) => {
                    for wall in more {
                        if walls.contains(&wall) {
                            let message = "this wall is in the list already";
                            self.report(Diagnostic::error(value.span(), message));
                            fine = false;
                        } else if let Some(known) = walls.iter().find(|known| overlap(known, &wall)) {
                            let message =
                                format!("a part of this wall is in the list already, as `{}`", known.written);
                            let hint =
                                "what is in a list twice would count twice: leave one of them out, or a part";
                            self.report(Diagnostic::error(value.span(), message).hint(hint));
                            fine = false;
                        }
                        walls.push(wall);
                    }
                }
                Some(_) => {
                    let message = "a list of places is a list of faces";
                    let hint = "give this place a condition of its own";
                    self.report(Diagnostic::error(value.span(), message).hint(hint));
                    fine = false;
                }
                None => fine = false,
            }
        }
        if fine && !walls.is_empty() && !faces.is_empty() {
            let message = "a list of places is all of walls, or all of faces";
            self.report(
                Diagnostic::error(value.span(), message).hint("give the others a condition of their own"),
            );
            fine = false;
        }
        fine.then_some(if walls.is_empty() { Place::Faces(faces) } else { Place::Walls(walls) })
    }

    /// `t = 0`, or several fixed coordinates with commas between.
    pub(super) fn face(&mut self, value: &Value<'_>, coordinates: &[Coordinate]) -> Option<Face> {
        let (text, locate) = self.located(value)?;
        let mut fixed: Vec<(usize, f64)> = Vec::new();
        let mut fine = true;
        let mut start = 0;
        for part in split_outside_parentheses(text) {
            let span = locate.place(start..start + part.len());
            let (name, number) = part.split_once('=').unwrap_or((part, ""));
            let offset = start + name.len() + 1;
            start += part.len() + 1;
            let name = name.trim();
            let Some(coordinate) = coordinates.iter().position(|c| c.name == name) else {
                self.no_coordinate(name, coordinates, span);
                fine = false;
                continue;
            };
            let c = &coordinates[coordinate];
            let expr = self.parsed(number, |range| locate.place(range.start + offset..range.end + offset));
            let Some(x) = expr.and_then(|expr| self.lowered_number(&expr, span.clone(), "the place")) else {
                fine = false;
                continue;
            };
            if fixed.iter().any(|(other, _)| *other == coordinate) {
                let message = format!("`{name}` is fixed twice");
                self.report(Diagnostic::error(span, message));
                fine = false;
                continue;
            }
            // An end that was computed in another way may differ in its last digits.
            let slack = 1e-12 * (c.upper - c.lower);
            let x = [c.lower, c.upper].into_iter().find(|end| (x - end).abs() <= slack).unwrap_or(x);
            if x < c.lower || x > c.upper {
                let message = format!(
                    "{name} = {} lies outside the domain [{}, {}]",
                    Digits(x),
                    Digits(c.lower),
                    Digits(c.upper)
                );
                let hint = format!(
                    "its ends are `{name} = {}` and `{name} = {}`, and any value between them will do",
                    Digits(c.lower),
                    Digits(c.upper)
                );
                self.report(Diagnostic::error(span, message).hint(hint));
                fine = false;
            }
            fixed.push((coordinate, x));
        }
        fine.then_some(fixed)
    }

    pub(super) fn points_file(&mut self, value: &Value<'_>, coordinates: &[Coordinate]) -> Option<Place> {
        let name = self.text(value, "a file's name")?;
        let (path, Numbers { header, columns, lines }) = self.numbers(name, value)?;
        let Some(header) = header else {
            let message = "the points of a condition come from a CSV file with a header";
            self.report(Diagnostic::error(value.span(), message));
            return None;
        };
        let rows = columns[0].len();
        let mut places = Vec::new();
        let mut fine = true;
        for c in coordinates {
            match header.iter().position(|name| *name == c.name) {
                Some(column) => {
                    let outside = columns[column].iter().position(|x| *x < c.lower || *x > c.upper);
                    if let Some(row) = outside {
                        let message = format!(
                            "`{name}`, {}: {} = {} lies outside the domain [{}, {}]",
                            place(&lines, row),
                            c.name,
                            columns[column][row],
                            Digits(c.lower),
                            Digits(c.upper)
                        );
                        self.report(Diagnostic::error(value.span(), message));
                        fine = false;
                    }
                    places.push(column);
                }
                None => {
                    let message = format!("`{name}` has no column `{}`", c.name);
                    let hint = format!("its header names {}", listed(&header));
                    self.report(Diagnostic::error(value.span(), message).hint(hint));
                    fine = false;
                }
            }
        }
        let (mut names, mut data) = (Vec::new(), Vec::new());
        for (i, (column, values)) in header.iter().zip(columns.iter()).enumerate() {
            if places.contains(&i) {
                continue;
            }
            let clash = match self.scope.get(column) {
                Some(symbol) => Some(format!("it is {}", symbol.meaning().words())),
                None if names.contains(column) || coordinates.iter().any(|c| c.name == *column) => {
                    Some("there are two of them".to_owned())
                }
                None if self.scope.is_derivative(column) => Some("it reads as a derivative".to_owned()),
                None if self.scope.is_table(column) => Some("it is a function that a table gives".to_owned()),
                None => unusable(column),
            };
            if let Some(why) = clash {
                let message =
                    format!("the column `{}` of `{name}` cannot be used: {why}", column.escape_debug());
                let hint = "rename it in the file's header, for example `u_obs`";
                self.report(Diagnostic::error(value.span(), message).hint(hint));
                fine = false;
            }
            names.push(column.clone());
            data.push(values.clone());
        }
        let points = (0..rows).flat_map(|r| places.iter().map(move |&c| (r, c)));
        let points = points.map(|(r, c)| columns[c][r]).collect();
        fine.then_some(Place::Points { path, points, columns: names, data })
    }
}

/// Do two walls have more in common than their ends?
fn overlap(a: &Boundary, b: &Boundary) -> bool {
    a.shared_with(b).max(b.shared_with(a)) > 0.1
}

const PLACES: &str = "a place is `interior`, `boundary`, a face such as `t = 0`, a list of faces, `periodic x`, or { file = \"points.csv\" }";

/// The same where places are asked of a trained network, which has no conditions to come.
const ASKED_PLACES: &str = "write `interior`, `boundary`, or fixed coordinates such as `x = 1` or `x = 1, t = 0.5`; \
    over several faces, ask for each and add up; over a part of one, multiply the formula by `step(...)`";

/// How places are written elsewhere: message and hint.
fn foreign_place(text: &str, coordinates: &[Coordinate]) -> Option<(String, String)> {
    let shown = text.escape_debug();
    let words = || text.split(|c: char| !c.is_alphanumeric() && c != '_');
    if words().any(|word| word == "periodic") {
        let named = |part: &&str| coordinates.iter().any(|c| c.name == *part);
        let mut names: Vec<_> = words().filter(named).collect();
        let several = names.len() > 1;
        if names.is_empty() {
            let all = coordinates.iter().map(|c| c.name.as_str());
            names = all.clone().filter(|name| !is_time(name)).collect();
            names = if names.is_empty() { all.collect() } else { names };
        }
        let forms: Vec<_> = names.iter().map(|name| format!("periodic {name}")).collect();
        return Some(if several {
            let message = format!("`{shown}`: a periodic condition links the ends of one coordinate");
            (message, format!("write a condition for each: {}", listed(&forms)))
        } else {
            (format!("`{shown}` is not a place: along which coordinate?"), format!("write `{}`", forms[0]))
        });
    }
    if !text.contains(['=', '<', '>']) {
        return None;
    }
    let words = |separators: &[&str]| {
        let mut parts = vec![text.to_owned()];
        for separator in separators {
            parts = parts.iter().flat_map(|part| part.split(separator).map(str::to_owned)).collect();
        }
        let parts = parts.into_iter().map(|part| part.trim().replace("==", "="));
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>()
    };
    let either = words(&[" or ", "||", "|"]);
    if either.len() > 1 {
        let faces: Vec<_> = either.iter().map(|face| format!("\"{face}\"")).collect();
        let message = format!("`{shown}` is not a place: one face, or a list of faces");
        return Some((message, format!("write `[{}]`", faces.join(", "))));
    }
    let both = words(&[" and ", "&&", "&", ";"]);
    if both.len() > 1 || text.contains("==") {
        let message = format!("`{shown}` is not how places are written");
        return Some((message, format!("write `{}`", both.join(", "))));
    }
    let part = text.split(',').map(str::trim).find(|part| part.contains(['<', '>']))?;
    let (left, right) = part.split_once(['<', '>'])?;
    let right = right.trim_start_matches('=').trim();
    let inside = match part.contains('>') {
        true => format!("{} - {right}", left.trim()),
        false => format!("{right} - {}", left.trim()),
    };
    let message = format!("`{}`: there are no parts of faces", part.escape_debug());
    Some((message, format!("take the whole face and multiply the residual by `step({inside})`")))
}

/// The parts of `text` between its commas, those in parentheses left alone.
pub(super) fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}
