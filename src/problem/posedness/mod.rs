//! Do a problem's conditions determine its answer, and can they be fulfilled at all?
//!
//! Three looks, each in its own file: conditions that contradict one another on a face or a wall (`clash`), conditions that
//! are too few (`count`), and the rank of the discretized problem (`rank`), which sees what counting cannot.
//! Domains made of shapes have one more, at their walls (`walls`).
//! Where none of them can tell, nothing is said; so no doubt is no proof.
//! This knows problems; it does not know the text they came from, nor how they are trained.

mod basis;
mod clash;
mod count;
mod linear;
mod rank;
mod shape;
#[cfg(test)]
mod tests;
mod walls;

use rand::RngExt;

use crate::expr::{Digits, listed};
use crate::problem::geometry::Geometry;
use crate::problem::model::{Condition, Problem};
use crate::problem::ordinary::Ordinary;
use crate::problem::pilot;
use crate::problem::place::Place;
use crate::rng;
use rank::Discretized;

pub(super) use count::Posed;
pub(super) use linear::{Input, Linear, Site};

/// What is known about whether a problem has one answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Posedness {
    /// Nothing speaks against it; it is no proof.
    NoDoubt,
    /// The conditions leave something open: there are many answers.
    UnderDetermined(Vec<Gap>),
    /// Conditions contradict one another: there is no answer.
    Contradictory(Contradiction),
    /// The solution leaves every bound before the end of its domain: there is none on all of it.
    BlowsUp(BlowUp),
}

/// Where a solution leaves every bound.
#[derive(Clone, PartialEq, Debug)]
pub struct BlowUp {
    /// The value of the coordinate, to three digits.
    pub at: f64,
    /// What is wrong, in lower case.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Something that the conditions leave open.
#[derive(Clone, PartialEq, Debug)]
pub struct Gap {
    /// The coordinate, unknown, parameter or condition that it is about.
    pub about: String,
    /// What is open, in lower case.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// A change of the answer that no condition notices, where one was found.
    pub open: Option<Open>,
}

/// A change of the answer that no condition notices, to first order and up to a factor.
#[derive(Clone, PartialEq, Debug)]
pub struct Open {
    /// The unknowns that change.
    pub unknowns: Vec<Change>,
    /// Numbers of the sought parameters that change, in [`Problem::trainable`].
    pub parameters: Vec<usize>,
    /// How many independent changes of its kind were found.
    pub count: usize,
    /// Numbers of the conditions that say the same of it, in [`Problem::conditions`]; often unknown, and then none.
    pub repeating: Vec<usize>,
}

/// How an unknown may change.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// Number of the unknown.
    pub unknown: usize,
    /// Least and greatest change in the domain; over all unknowns the greatest is about 1 in size.
    pub range: (f64, f64),
    /// The change as a function of the coordinates, if it is a plain one.
    pub formula: Option<String>,
    /// Where it is greatest.
    pub greatest_at: Vec<f64>,
}

/// Conditions that no function fulfils.
#[derive(Clone, PartialEq, Debug)]
pub struct Contradiction {
    /// Numbers of the conditions, as few as contradict one another.
    pub conditions: Vec<usize>,
    /// What is wrong, in lower case.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Problem {
    /// Do the conditions determine the answer, and do they contradict one another?
    ///
    /// Takes some hundredths of a second for ordinary problems, and the same bits come out every time.
    pub fn posedness(&self) -> Posedness {
        // An integral ties places to one another, of which none of the looks knows.
        if self.integrates() {
            return Posedness::NoDoubt;
        }
        if let Some(contradiction) = clash::on_a_face(self).map(|clash| self.told(&clash)) {
            return Posedness::Contradictory(contradiction);
        }
        if let Some(geometry) = &self.geometry {
            return self.posedness_on_shapes(geometry);
        }
        let discretized = Discretized::new(self);
        if let Some(clash) = discretized.as_ref().and_then(|discretized| self.without_solution(discretized)) {
            return Posedness::Contradictory(self.told(&clash));
        }
        let mut gaps = count::gaps(self);
        if gaps.is_empty() && self.is_told_by_its_start() {
            let blow_up = pilot::blow_up(self).map(|at| self.blow_up(at));
            return blow_up.map_or(Posedness::NoDoubt, Posedness::BlowsUp);
        }
        let open = discretized.as_ref().and_then(|discretized| self.open(discretized));
        match (gaps.first_mut(), open) {
            (None, None) => return Posedness::NoDoubt,
            (Some(gap), Some(open)) => {
                if open.unknowns.iter().all(|change| change.formula.is_some()) {
                    gap.message += &format!("; {}", self.describe_open(&open));
                }
                gap.open = Some(open);
            }
            (Some(_), None) => {}
            (None, Some(open)) => gaps.push(self.gap(open)),
        }
        Posedness::UnderDetermined(gaps)
    }

    fn posedness_on_shapes(&self, geometry: &Geometry) -> Posedness {
        if let Some(contradiction) = walls::unbalanced(self, geometry) {
            return Posedness::Contradictory(contradiction);
        }
        let mut gaps = count::gaps(self);
        gaps.extend(walls::rotations(self, geometry));
        gaps.extend(walls::gaps(self, geometry));
        if gaps.is_empty() {
            let discretized = Discretized::new(self);
            let open = discretized.as_ref().and_then(|discretized| self.open(discretized));
            gaps.extend(open.map(|open| self.gap(open)));
        }
        if gaps.is_empty() { Posedness::NoDoubt } else { Posedness::UnderDetermined(gaps) }
    }

    /// Is this an initial-value problem of ordinary differential equations that are solved for the highest derivatives?
    ///
    /// Such a one has a single solution, and what grows out of a start that is almost nothing beside it is no other one.
    fn is_told_by_its_start(&self) -> bool {
        /// Places in the domain at which the equations are looked at.
        const LOOKS: usize = 64;
        /// A determinant, with equations in units of their terms, below which there is no solving.
        const SINGULAR: f64 = 1e-10;
        let Some(mut equations) = Ordinary::initial_value(self) else { return false };
        let Some(start) = equations.start() else { return false };
        let mut random = rng::stream(0, "posedness/start");
        let (lower, upper) = (self.coordinates[0].lower, self.coordinates[0].upper);
        let unknowns = equations.orders.len();
        let mut draw = |count: usize| (0..count).map(|_| 0.5 + random.random::<f64>()).collect::<Vec<_>>();
        let (anywhere, highest) = (draw(start.len()), draw(unknowns));
        let at_start = equations.determinant(equations.begin, &[&start[..], &highest].concat());
        let elsewhere = (0..=LOOKS).map(|k| {
            let t = lower + (upper - lower) * k as f64 / LOOKS as f64;
            equations.determinant(t, &[&anywhere[..], &highest].concat())
        });
        let elsewhere: Vec<f64> = elsewhere.collect();
        let regular = |determinant: f64| determinant.abs() > SINGULAR;
        regular(at_start) && elsewhere.iter().all(|&x| regular(x) && x.signum() == elsewhere[0].signum())
    }

    fn blow_up(&self, at: f64) -> BlowUp {
        let name = &self.coordinates[0].name;
        let place = format!("{name} = {}", Digits(at));
        BlowUp {
            at,
            message: format!("the solution leaves every bound near `{place}`, before the end of its domain"),
            hint: format!("let the domain of `{name}` end before that"),
        }
    }

    /// Conditions in one coordinate that together have no solution.
    fn without_solution(&self, discretized: &Discretized<'_>) -> Option<clash::Clash> {
        /// What polynomials of any degree leave of the right side where there is a solution.
        const SOLVED: f64 = 1e-8;
        /// What is left of it where there is none.
        const LEFT: f64 = 1e-6;
        let drawn = self.conditions.iter().all(|condition| condition.place.is_drawn());
        if self.coordinates.len() > 1 || !drawn || !discretized.is_affine() {
            return None;
        }
        let mut kept: Vec<usize> = (0..self.conditions.len()).collect();
        let (left, idle) = discretized.inconsistency(&kept)?;
        let coarse = Discretized::with_degree(self, discretized.basis.degree() * 2 / 3)?;
        let stays = left / coarse.inconsistency(&kept)?.0;
        if left < LEFT || stays < 0.9 {
            return None;
        }
        // A direction that is idle without being open is a solution that grows beyond all digits: it could do a lot.
        let open = discretized.open_direction(&discretized.guess(0)).map_or(0, |(_, count)| count);
        if idle != open {
            return None;
        }
        let inside = kept.iter().copied().filter(|&i| self.conditions[i].place.is_interior());
        if discretized.inconsistency(&inside.collect::<Vec<_>>())?.0 > SOLVED {
            // Where the equations alone are not solved, polynomials of this degree are not enough; or the ansatz brings the
            // other conditions into them, and then something is open, and what is left is so at every degree.
            let brought = self.conditions.iter().any(Condition::is_exact) && open > 0 && stays > 0.999;
            return brought.then_some(clash::Clash { conditions: kept, place: None });
        }
        for i in (0..self.conditions.len()).rev() {
            let fewer: Vec<usize> = kept.iter().copied().filter(|&other| other != i).collect();
            if discretized.inconsistency(&fewer)?.0 > LEFT {
                kept = fewer;
            }
        }
        Some(clash::Clash { conditions: kept, place: None })
    }

    fn told(&self, clash: &clash::Clash) -> Contradiction {
        let names: Vec<_> = clash.conditions.iter().map(|&i| self.conditions[i].name.clone()).collect();
        let place = clash.place.as_ref().map(|place| match place {
            Place::Walls(_) => format!(" on the {}", place.describe(&self.coordinates)),
            _ => format!(" at {}", place.describe(&self.coordinates)),
        });
        let place = place.unwrap_or_default();
        let (message, hint) = match &names[..] {
            [one] if self.unknowns.iter().any(|unknown| unknown.ansatz.is_some()) => (
                format!("the condition `{one}` cannot be fulfilled{place} by the ansatz"),
                "change one of them; a condition that the ansatz fulfils by itself can be left out",
            ),
            [one] => (
                format!("the condition `{one}` contradicts itself{place}: no function fulfils it"),
                "change one of its residuals",
            ),
            names => (
                format!(
                    "the conditions {} contradict one another{place}: no function fulfils them all",
                    listed(names)
                ),
                "change or remove one of them",
            ),
        };
        Contradiction { conditions: clash.conditions.clone(), message, hint: hint.to_owned() }
    }

    /// What the rank of the discretized problem says is open.
    fn open(&self, discretized: &Discretized<'_>) -> Option<Open> {
        let affine = discretized.is_affine();
        let first = discretized.guess(0);
        let (direction, count) = discretized.open_direction(&first)?;
        let mut open = self.described(discretized, &direction, &first)?;
        open.count = count;
        if !affine {
            let second = discretized.guess(1);
            let (other, others) = discretized.open_direction(&second)?;
            let other = self.described(discretized, &other, &second)?;
            open.count = count.min(others);
            // What depends on where one looks is no property of the problem.
            let same = |a: &Change, b: &Change| a.unknown == b.unknown && a.formula == b.formula;
            let all_same = open.unknowns.len() == other.unknowns.len()
                && open.unknowns.iter().zip(&other.unknowns).all(|(a, b)| same(a, b));
            if !all_same {
                open.unknowns.iter_mut().for_each(|change| change.formula = None);
            }
        }
        if self.coordinates.len() == 1 {
            open.repeating = discretized.repetitions(&first).unwrap_or_default();
        }
        Some(open)
    }

    fn described(
        &self,
        discretized: &Discretized<'_>,
        direction: &rank::Direction,
        guess: &rank::Guess,
    ) -> Option<Open> {
        let (points, mut changes) = discretized.changes(direction, guess)?;
        let d = self.coordinates.len();
        // Where an unknown does not live the polynomials go on, and mean nothing.
        let homes: Vec<Vec<usize>> = self
            .unknowns
            .iter()
            .map(|unknown| {
                let rows = points.chunks_exact(d).enumerate();
                rows.filter(|(_, row)| unknown.lives_at(row)).map(|(i, _)| i).collect()
            })
            .collect();
        let at_home = |unknown: usize, values: &[f64]| -> Vec<f64> {
            homes[unknown].iter().map(|&i| values[i]).collect()
        };
        let greatest = |values: &[f64]| values.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
        let sizes = changes.iter().enumerate().map(|(k, values)| greatest(&at_home(k, values)));
        let most = sizes.fold(0.0, f64::max);
        let entries = greatest(&direction.entries);
        if most > 0.0 {
            changes.iter_mut().flatten().for_each(|x| *x /= most);
        }
        let changing = |unknown: usize, values: &[f64]| greatest(&at_home(unknown, values)) > rank::PART;
        let formulas = shape::formulas(&self.coordinates, &points, &changes);
        let change = |(unknown, values): (usize, &Vec<f64>)| {
            let at = homes[unknown].iter().max_by(|&&a, &&b| values[a].abs().total_cmp(&values[b].abs()));
            let at = at.copied().unwrap_or(0);
            let (low, high) =
                at_home(unknown, values).iter().fold((f64::MAX, f64::MIN), |(a, b), &x| (a.min(x), b.max(x)));
            Change {
                unknown,
                range: (low, high),
                formula: formulas.as_ref().map(|formulas| formulas[unknown].clone()),
                greatest_at: points[at * d..(at + 1) * d].to_vec(),
            }
        };
        let unknowns = changes.iter().enumerate().filter(|&(k, values)| most > 0.0 && changing(k, values));
        let parameters = direction.entries.iter().enumerate();
        Some(Open {
            unknowns: unknowns.map(change).collect(),
            parameters: parameters.filter(|(_, x)| x.abs() > rank::PART * entries).map(|(k, _)| k).collect(),
            count: 1,
            repeating: vec![],
        })
    }

    /// A gap that counting has not seen.
    fn gap(&self, open: Open) -> Gap {
        let quoted = |names: Vec<&str>| listed(&names.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let parameters: Vec<&str> =
            open.parameters.iter().map(|&k| self.trainable[k].name.as_str()).collect();
        let Some(first) = open.unknowns.first() else {
            return Gap {
                about: parameters.first().copied().unwrap_or_default().to_owned(),
                message: format!("the conditions do not tell {} apart", quoted(parameters)),
                hint: "only a combination of them counts; make one of them a known number".to_owned(),
                open: Some(open),
            };
        };
        let name = |change: &Change| self.unknowns[change.unknown].name.as_str();
        let mut message = format!("not everything is determined: {}", self.describe_open(&open));
        if !parameters.is_empty() {
            message += &format!(", together with {}", quoted(parameters));
        }
        let place = self.greatest_place(first);
        let value = format!("the value of `{}` at `{place}`", name(first));
        let repeating: Vec<&str> = open.repeating.iter().map(|&i| self.conditions[i].name.as_str()).collect();
        let hint = match &repeating[..] {
            [] => format!("add a condition that tells these answers apart, such as {value}"),
            [one] => format!("`{one}` says the same twice; give something else instead, such as {value}"),
            several => format!(
                "{} say the same; give something else in place of one of them, such as {value}",
                quoted(several.to_vec())
            ),
        };
        Gap { about: name(first).to_owned(), message, hint, open: Some(open) }
    }

    /// `any multiple of …` for the functions that may be added.
    fn describe_open(&self, open: &Open) -> String {
        let name = |change: &Change| self.unknowns[change.unknown].name.as_str();
        let part = |change: &Change| match &change.formula {
            Some(formula) => match (formula.as_str(), formula.strip_prefix('-')) {
                ("1", _) => format!("`{} + c`", name(change)),
                (sum, _) if sum.contains(' ') => format!("`{} + c*({sum})`", name(change)),
                (_, Some(rest)) => format!("`{} - c*{rest}`", name(change)),
                (term, None) => format!("`{} + c*{term}`", name(change)),
            },
            None => format!(
                "`{}` changed by {} to {}",
                name(change),
                shape::short(change.range.0),
                shape::short(change.range.1)
            ),
        };
        let parts: Vec<_> = open.unknowns.iter().map(part).collect();
        if open.unknowns.iter().all(|change| change.formula.is_some()) {
            let verb = if parts.len() == 1 { "fulfils" } else { "fulfil" };
            format!("with any number c, {} {verb} the conditions as well", parts.join(" and "))
        } else {
            format!("the conditions do not notice {}", parts.join(", "))
        }
    }

    /// Where a change is greatest, as a place; ends of the domain where it is near them, if that is a box.
    fn greatest_place(&self, change: &Change) -> String {
        let along = |(c, x): (&crate::problem::Coordinate, &f64)| {
            let near = 0.02 * (c.upper - c.lower);
            let ends = [c.lower, c.upper].into_iter().filter(|_| self.geometry.is_none());
            let end = ends.into_iter().find(|end| (x - end).abs() < near);
            let number = end.map_or_else(|| shape::short(*x), |end| Digits(end).to_string());
            format!("{} = {number}", c.name)
        };
        self.coordinates.iter().zip(&change.greatest_at).map(along).collect::<Vec<_>>().join(", ")
    }
}
