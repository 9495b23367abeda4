//! How shapes are made: once, or at every moment anew where their numbers depend on time.
//!
//! It knows the package of regions; it does not know formulas, conditions, or how anything was written in a file.

use std::fmt;
use std::sync::Arc;

use regions::{Error, Region, Shape, Shapes};

use crate::expr::Digits;

/// Moments at which a domain that moves is looked at before anything is done with it.
const MOMENTS: usize = 65;

/// A number of a shape, or a function of time for one.
#[derive(Clone)]
pub(super) enum Number {
    Still(f64),
    Moving(Arc<dyn Fn(f64) -> f64 + Send + Sync>),
}

impl Number {
    pub(super) fn at(&self, t: f64) -> f64 {
        match self {
            Self::Still(x) => *x,
            Self::Moving(of) => of(t),
        }
    }
}

pub(super) fn at(numbers: &[Number], t: f64) -> Vec<f64> {
    numbers.iter().map(|number| number.at(t)).collect()
}

/// What a shape is before anything becomes of it.
#[derive(Clone)]
pub(super) enum Base {
    Shape(Shape),
    Numbers { kind: &'static str, given: Vec<(String, Vec<Number>)> },
    Region(String),
}

/// What becomes of a shape.
#[derive(Clone)]
pub(super) enum Change {
    Extruded([Number; 2]),
    Revolved,
    Scaled { factors: Vec<Number>, about: Vec<Number> },
    Rotated { angle: Number, axis: Option<Vec<Number>>, about: Vec<Number> },
    Translated(Vec<Number>),
}

/// How a shape is made.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) base: Base,
    pub(super) changes: Vec<Change>,
}

impl Base {
    /// # Errors
    ///
    /// Numbers that make no shape, a formula that makes no region of `shapes`.
    pub(super) fn at(&self, t: f64, shapes: &Arc<Shapes>) -> Result<Shape, Error> {
        match self {
            Self::Shape(shape) => Ok(shape.clone()),
            Self::Region(formula) => Region::parse(formula, shapes).map(Shape::from),
            Self::Numbers { kind, given } => {
                let numbers: Vec<(&str, Vec<f64>)> =
                    given.iter().map(|(key, numbers)| (&key[..], at(numbers, t))).collect();
                let numbers: Vec<(&str, &[f64])> =
                    numbers.iter().map(|(key, numbers)| (*key, &numbers[..])).collect();
                Shape::build(kind, &numbers)
            }
        }
    }
}

impl Change {
    /// # Errors
    ///
    /// Numbers by which the shape cannot be changed.
    pub(super) fn applied(&self, shape: &Shape, t: f64) -> Result<Shape, Error> {
        let origin = |about: &[Number]| match about {
            [] => vec![0.0; shape.dimension()],
            about => at(about, t),
        };
        match self {
            Self::Extruded([from, to]) => shape.extruded(from.at(t), to.at(t)),
            Self::Revolved => shape.revolved(),
            Self::Scaled { factors, about } => shape.scaled(&at(factors, t), &origin(about)),
            Self::Rotated { angle, axis, about } => {
                let axis = axis.as_ref().map(|axis| at(axis, t));
                shape.rotated(angle.at(t), axis.as_deref(), &origin(about))
            }
            Self::Translated(by) => shape.translated(&at(by, t)),
        }
    }

    fn numbers(&self) -> Vec<&Number> {
        match self {
            Self::Extruded(two) => two.iter().collect(),
            Self::Revolved => vec![],
            Self::Scaled { factors, about } => factors.iter().chain(about).collect(),
            Self::Rotated { angle, axis, about } => {
                [angle].into_iter().chain(axis.iter().flatten()).chain(about).collect()
            }
            Self::Translated(by) => by.iter().collect(),
        }
    }
}

impl Made {
    /// # Errors
    ///
    /// What cannot be made.
    pub(super) fn at(&self, t: f64, shapes: &Arc<Shapes>) -> Result<Shape, Error> {
        self.changes.iter().try_fold(self.base.at(t, shapes)?, |shape, change| change.applied(&shape, t))
    }

    /// Do its own numbers change in time?
    fn has_moving_numbers(&self) -> bool {
        let moves = |number: &Number| matches!(number, Number::Moving(_));
        let base = match &self.base {
            Base::Numbers { given, .. } => given.iter().flat_map(|(_, numbers)| numbers).any(moves),
            Base::Shape(_) | Base::Region(_) => false,
        };
        base || self.changes.iter().flat_map(Change::numbers).any(moves)
    }
}

/// What is wrong with something made of shapes, and at which time if it moves.
pub struct Wrong {
    /// What is wrong.
    pub error: Error,
    /// When.
    pub time: Option<f64>,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.time {
            Some(t) => write!(f, "at the time {}: {}", Digits(t), self.error),
            None => self.error.fmt(f),
        }
    }
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self { error, time: None }
    }
}

/// All shapes of a file, at any time.
pub(super) struct Stock {
    made: Vec<(String, Made)>,
    /// Does each move?
    moving: Vec<bool>,
    /// As they are at first.
    pub(super) first: Arc<Shapes>,
    /// Which coordinate is time, and its domain.
    pub(super) time: Option<(usize, (f64, f64))>,
}

impl Stock {
    pub(super) fn new(time: Option<(usize, (f64, f64))>) -> Self {
        Self { made: vec![], moving: vec![], first: Arc::default(), time }
    }

    /// When the shapes are as they are at first; 0 without a time.
    pub(super) fn start(&self) -> f64 {
        self.time.map_or(0.0, |(_, (from, _))| if from.is_finite() { from } else { 0.0 })
    }

    /// Adds a shape to those by which `region` shapes may be made.
    ///
    /// # Errors
    ///
    /// Why it cannot be made, and when if it moves.
    pub(super) fn add(&mut self, name: &str, made: Made) -> Result<(), Wrong> {
        let moves = made.has_moving_numbers()
            || match &made.base {
                Base::Region(formula) => self.moves(&Region::parse(formula, &self.first)?),
                Base::Shape(_) | Base::Numbers { .. } => false,
            };
        let first = made.at(self.start(), &self.first).map_err(|error| self.wrong(moves, error))?;
        for t in self.moments().into_iter().filter(|_| moves) {
            let found = self.at(t).and_then(|shapes| made.at(t, &shapes));
            found.map_err(|error| Wrong { error, time: Some(t) })?;
        }
        Arc::make_mut(&mut self.first).insert(name, first);
        self.made.push((name.to_owned(), made));
        self.moving.push(moves);
        Ok(())
    }

    /// Does a region of [`Stock::first`] change in time?
    pub(super) fn moves(&self, region: &Region) -> bool {
        let moving = |name: &str| {
            self.made.iter().zip(&self.moving).any(|((known, _), moves)| *moves && known == name)
        };
        region.names().any(moving)
    }

    /// The shapes as they are at a time.
    ///
    /// # Errors
    ///
    /// What cannot be made then.
    pub(super) fn at(&self, t: f64) -> Result<Arc<Shapes>, Error> {
        let mut shapes = self.first.clone();
        for ((name, made), _) in self.made.iter().zip(&self.moving).filter(|(_, moves)| **moves) {
            let shape = made.at(t, &shapes)?;
            Arc::make_mut(&mut shapes).insert(name, shape);
        }
        Ok(shapes)
    }

    /// `error`, which comes first at the start where something moves.
    pub(super) fn wrong(&self, moves: bool, error: Error) -> Wrong {
        Wrong { error, time: moves.then(|| self.start()) }
    }

    /// Evenly spaced moments, from the first to the last; none without a time.
    pub(super) fn moments(&self) -> Vec<f64> {
        let Some((_, (from, to))) = self.time.filter(|(_, (from, to))| from.is_finite() && to.is_finite())
        else {
            return vec![];
        };
        let share = |k: usize| k as f64 / (MOMENTS - 1) as f64;
        (0..MOMENTS).map(|k| (1.0 - share(k)) * from + share(k) * to).collect()
    }
}
