//! A trained network, just trained or read back from its run: the answer, to be asked anywhere and for any formula.
//!
//! This module knows problems, run directories and the fused engine; it knows no formats and no terminals, writes nothing
//! and takes no lock, so that a run at work can be asked as well.

use std::fs;
use std::path::{Path, PathBuf};

use crate::adapt;
use crate::engine::cpu::{CpuEngine, Isa};
use crate::engine::{Engine, EngineError};
use crate::estimate;
use crate::evaluate::{Evaluation, Origin, evaluate, judge};
use crate::export::{DERIVATIVES, Program, VALUES, differentiated};
use crate::expr::{Binary, Digits, Graph, Node, NodeId, is_name, listed};
use crate::jet::JetSet;
use crate::march::March;
use crate::problem::{
    Carried, Condition, Diagnostics, Document, Formula, Language, OTHER_NODES, Problem, Windows,
};
use crate::rng;
use crate::run::{
    BandResult, CheckpointError, RunError, RunOutcome, read_last_checkpoint, read_resolved, read_result,
};
use crate::score::Scorer;
use crate::tabulated::{Between, Outside, Tabulated};
use crate::train::{StageReport, State};
use crate::verdict::Verdict;

/// Runs of a sweep that are named where one of them is asked for.
const MOST_NAMED: usize = 5;

/// Why a run cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum TrainedError {
    /// The run's files.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Its problem, or what is asked for.
    #[error(transparent)]
    Problem(#[from] Diagnostics),
    /// The folder is a sweep's.
    #[error("{} is the folder of a sweep; name one of its runs{runs}", path.display())]
    Sweep {
        /// The folder.
        path: PathBuf,
        /// Some of them.
        runs: String,
    },
    /// It has not come far enough.
    #[error(
        "{} has no checkpoint yet: the first is written after {every} steps, and one when training ends or is interrupted",
        path.display()
    )]
    NoCheckpoint {
        /// The folder.
        path: PathBuf,
        /// Steps between two checkpoints, in words.
        every: String,
    },
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The problem cannot be cut into windows.
    #[error("training.windows: {0}")]
    Windows(String),
    /// A quantity that has no value at a point.
    #[error("{0}")]
    Quantity(String),
    /// Numbers that do not fit together.
    #[error("{what}: {found} numbers are not {expected}")]
    Length {
        /// Which.
        what: String,
        /// How many there are.
        found: usize,
        /// How many there should be, in words.
        expected: String,
    },
}

/// A trained network with its problem.
pub struct Trained {
    problem: Problem,
    language: Language,
    theta: Vec<f64>,
    adapted: adapt::State,
    engine: Box<dyn Engine>,
    /// Where time is cut into windows, these.
    windows: Option<Windows>,
    threads: usize,
    unknowns: Quantity,
    steps: usize,
    stages: Vec<StageReport>,
    outcome: Option<RunOutcome>,
    damaged: Vec<String>,
}

/// Functions of the coordinates that a trained network has values for.
#[derive(Clone, PartialEq, Debug)]
pub struct Quantity {
    names: Vec<String>,
    formula: Formula,
    jets: JetSet,
    columns: Vec<String>,
}

impl Quantity {
    fn new(names: Vec<String>, formula: Formula, columns: Vec<String>) -> Self {
        Self { jets: formula.jets(), names, formula, columns }
    }

    /// A name for each of the values.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The values as formulas, one root each.
    pub(crate) fn formula(&self) -> &Formula {
        &self.formula
    }

    /// Names of the columns of data that have to come with the points; most quantities need none.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Does a value change along `coordinate` of `problem`?
    pub(crate) fn changes_along(&self, problem: &Problem, coordinate: usize) -> bool {
        let Formula { graph, roots } = &self.formula;
        let needed = graph.reachable(roots);
        graph.nodes().iter().zip(needed).filter(|(_, needed)| *needed).any(|(node, _)| match *node {
            Node::Coordinate { coordinate: own, .. } => own == coordinate,
            // The place at which it is read is made of nodes, which are asked themselves.
            Node::Jet { output, .. } => {
                !graph.is_elsewhere(*node) && problem.unknowns[output].depends_on(coordinate)
            }
            _ => false,
        })
    }

    /// The values of all of these, one after the other, which costs less than to ask for each.
    pub fn all(quantities: &[Self]) -> Self {
        let (mut graph, mut roots, mut columns) = (Graph::default(), vec![], vec![]);
        for Self { formula, columns: own, .. } in quantities {
            let places: Vec<usize> = own.iter().map(|name| place_of(&mut columns, name)).collect();
            roots.extend(formula.graph.transplant(&formula.roots, &mut graph, |graph, leaf| match leaf {
                Node::Data(column) => graph.insert(Node::Data(places[column])),
                leaf => graph.insert(leaf),
            }));
        }
        let names = quantities.iter().flat_map(|quantity| quantity.names.clone()).collect();
        Self::new(names, Formula { graph, roots }, columns)
    }
}

/// The place of `name` among `names`, at the end if it is new.
fn place_of(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

impl Trained {
    /// The network of the run in `folder`, computed on all cores.
    ///
    /// Of a finished run it is the one that its `result.json` is about; of a run that was interrupted or is still at work,
    /// the best one at its last checkpoint.
    ///
    /// # Errors
    ///
    /// If the folder is no run, or there is no checkpoint that fits.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, TrainedError> {
        Self::load_on(folder, std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// As [`Trained::load`], computed on `threads` threads; results do not depend on them.
    ///
    /// # Errors
    ///
    /// As for [`Trained::load`].
    pub fn load_on(folder: impl AsRef<Path>, threads: usize) -> Result<Self, TrainedError> {
        let folder = folder.as_ref();
        let Some(text) = read_resolved(folder)? else {
            return Err(no_run(folder));
        };
        let name = folder.join("resolved.toml").display().to_string();
        let (problem, _) = Document::parse(&name, &text)?.build(folder)?;
        let last = read_last_checkpoint(folder)?;
        let Some(checkpoint) = last.checkpoint else {
            let every = match problem.training.checkpoint {
                0 => "all".into(),
                steps => steps.to_string(),
            };
            return Err(TrainedError::NoCheckpoint { path: folder.to_owned(), every });
        };
        let fits = if checkpoint.problem == rng::hash(&text) {
            checkpoint.state.check(&problem)
        } else {
            Err("it belongs to another problem than the resolved.toml beside it".to_owned())
        };
        if let Err(reason) = fits {
            let path = folder.join("checkpoint.safetensors");
            return Err(RunError::Checkpoint { path, source: CheckpointError::Foreign(reason) }.into());
        }
        let result = read_result(folder)?;
        let outcome = result.content.as_ref().map(|result| result.outcome);
        let mut trained = Self::new(problem, checkpoint.state, outcome, threads)?;
        for (unknown, band) in result.content.into_iter().flat_map(|result| result.bands) {
            let BandResult { along, at, standard_error } = band;
            if at.len() == standard_error.len() && at.len() > 1 && at.is_sorted_by(|a, b| a < b) {
                let name = format!("{unknown}_error");
                let (between, outside) = (Between::Linear, Outside::Refused);
                let table = Tabulated::new(&name, vec![along], vec![at], &standard_error, between, outside);
                trained.language.declare_curve(table);
            }
        }
        Ok(Self { damaged: result.damaged.into_iter().chain(last.damaged).collect(), ..trained })
    }

    /// The network of `problem` whose parameters are `theta`, found by whom it may be, computed on `threads` threads.
    ///
    /// # Errors
    ///
    /// If there are not as many numbers as the problem has parameters, those of windows of time one after the other, or one
    /// of them is not finite.
    pub fn of(problem: Problem, theta: Vec<f64>, threads: usize) -> Result<Self, TrainedError> {
        let parameters = problem.parameters_in_all();
        let all = parameters * problem.training.windows.count();
        if theta.len() != all {
            let expected = format!("{all}, one for each parameter");
            return Err(TrainedError::Length { what: "the parameters".into(), found: theta.len(), expected });
        }
        if let Some(k) = theta.iter().position(|x| !x.is_finite()) {
            return Err(TrainedError::Quantity(format!("parameter {k} of {all} is {}", theta[k])));
        }
        let split = all - parameters;
        let finished = theta[..split].to_vec();
        let window = problem.training.windows.count() - 1;
        let state = State { finished, window, ..State::new(theta[split..].to_vec()) };
        Self::new(problem, state, None, threads)
    }

    /// What training has come to in `state`.
    pub(crate) fn new(
        problem: Problem,
        state: State,
        outcome: Option<RunOutcome>,
        threads: usize,
    ) -> Result<Self, TrainedError> {
        let problem = state.grown(&problem);
        // The best network, not the last one, which is still on its way.
        let theta = state.solution();
        let State { step: steps, reports: stages, mut adapted, .. } = state;
        let mut windows = None;
        let engine: Box<dyn Engine> = if problem.training.windows.count() == 1 {
            Box::new(CpuEngine::<f64>::new(&problem, threads.max(1), Isa::best())?)
        } else {
            let all = Windows::new(&problem).map_err(TrainedError::Windows)?;
            windows = Some(all.clone());
            // Points that were adapted in a window are no points of the whole.
            adapted = adapt::State::default();
            Box::new(March::new(&problem, all, threads.max(1))?)
        };
        let names = problem.unknowns.iter().map(|unknown| unknown.name.clone()).collect();
        Ok(Self {
            unknowns: Quantity::new(names, problem.values.clone(), vec![]),
            language: Language::new(&problem),
            engine,
            windows,
            threads,
            adapted,
            steps,
            stages,
            theta,
            outcome,
            damaged: vec![],
            problem,
        })
    }

    /// The problem.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Its language, in which formulas, places and numbers are read.
    pub fn language(&self) -> &Language {
        &self.language
    }

    /// All weights, biases and trained coefficients, in the layout of [`Shape::layers`](crate::network::Shape::layers);
    /// those of windows of time one after the other, in the order of their training.
    pub fn theta(&self) -> &[f64] {
        &self.theta
    }

    /// Steps of training that it has had.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// How every stage went that has begun.
    pub fn stages(&self) -> &[StageReport] {
        &self.stages
    }

    /// The parameters that training has found, by name and in the problem's order; none if all were known.
    pub fn found(&self) -> Vec<(&str, f64)> {
        let names = self.problem.trainable.iter().map(|trainable| trainable.name.as_str());
        names.zip(self.problem.trained_values(&self.theta)).collect()
    }

    /// What the network is worth: its loss, its errors against the reference, its residuals at points where training has
    /// not looked, and the standard errors of the parameters that were found.
    ///
    /// It is computed here, in double precision, which takes about as long as some steps of training.
    pub fn evaluation(&mut self) -> Evaluation {
        let scorer = Scorer::new(&self.problem);
        evaluate(&self.problem, scorer.as_ref(), &mut *self.engine, &self.adapted, &self.theta)
    }

    /// What the answer may be called, and why: solved, doubtful or not solved.
    ///
    /// It is judged without the reference, which takes some seconds at most.
    pub fn verdict(&mut self) -> Verdict {
        let evaluation = self.evaluation();
        self.judge(&evaluation)
    }

    /// The estimated relative error of the answer, the greatest over its unknowns and the parameters that were found;
    /// `None` where there is no saying.
    pub fn estimated_error(&mut self) -> Option<f64> {
        self.verdict().estimated_error
    }

    /// As [`Trained::verdict`], where `evaluation` is known already.
    pub fn judge(&mut self, evaluation: &Evaluation) -> Verdict {
        let diverged = (self.outcome == Some(RunOutcome::Diverged)).then(|| {
            let last = self.stages.last().and_then(|stage| stage.breakdowns.last());
            last.map_or(String::new(), ToString::to_string)
        });
        let interrupted = self.outcome == Some(RunOutcome::Interrupted);
        let origin = Origin { diverged, interrupted, difference: None };
        judge(&self.problem, evaluation, &mut *self.engine, &self.theta, self.threads, origin)
    }

    /// The problem, the engine and the parameters, for who evaluates more than a quantity.
    pub(crate) fn parts(&mut self) -> (&Problem, &mut dyn Engine, &[f64]) {
        (&self.problem, &mut *self.engine, &self.theta)
    }

    /// The windows that time is cut into, if it is.
    pub(crate) fn windows(&self) -> Option<&Windows> {
        self.windows.as_ref()
    }

    /// The network as a program of plain arithmetic for its unknowns, with their first and second derivatives if these are
    /// wanted.
    ///
    /// # Errors
    ///
    /// As for making an engine.
    pub fn program(&self, derivatives: bool) -> Result<Program, TrainedError> {
        let Self { problem, windows, theta, .. } = self;
        let mut functions = vec![(VALUES.to_owned(), problem.values.clone())];
        if derivatives {
            let all = differentiated(&problem.values, problem.coordinates.len());
            functions.push((DERIVATIVES.to_owned(), all));
        }
        Ok(program(problem, windows.as_ref(), theta, &functions)?)
    }

    /// How training has ended; `None` if it has not, or was killed.
    pub fn outcome(&self) -> Option<RunOutcome> {
        self.outcome
    }

    /// Files of the run that were damaged, a sentence for each: the result, without which the run counts as not ended, or
    /// the last checkpoint, for which the one before it was taken.
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// All unknowns.
    pub fn unknowns(&self) -> Quantity {
        self.unknowns.clone()
    }

    /// What `text` asks for: a formula over coordinates, parameters (those found by training have their trained values),
    /// definitions, unknowns and their derivatives up to order 4, such as `u_xx`; the same with a name of its own, such as
    /// `flux = -k*u_x`; or the name of a condition, whose residuals these are.
    ///
    /// # Errors
    ///
    /// Every mistake in the formula.
    pub fn quantity(&self, text: &str) -> Result<Quantity, TrainedError> {
        let text = text.trim();
        let condition = self.problem.conditions.iter().find(|condition| condition.name == text);
        if let Some(condition) = condition.filter(|_| !self.language.knows(text)) {
            return residual(condition);
        }
        let (name, formula) = match text.split_once('=') {
            Some((name, formula)) if is_name(name.trim()) => (name.trim(), formula.trim()),
            _ => (text, text),
        };
        if self.problem.coordinates.iter().any(|coordinate| coordinate.name == name) {
            let message = format!(
                "a quantity cannot be called `{name}`, which is a coordinate and has a column already"
            );
            return Err(TrainedError::Quantity(message));
        }
        if name != formula && self.language.knows(name) {
            let message = format!(
                "a quantity cannot be called `{name}`, which means something already; call it `my_{name}`, or ask for \
                 the difference, `{name} - ({formula})`"
            );
            return Err(TrainedError::Quantity(message));
        }
        let formula = self.language.formula("quantity", formula)?;
        let plain = !formula.graph.nodes().iter().any(|node| matches!(node, Node::Data(_)));
        let (formula, used) =
            if plain { (formula, vec![]) } else { of_columns(&formula, self.language.columns()) };
        Ok(Quantity::new(vec![name.to_owned()], formula, used))
    }

    /// How far the values of a quantity change with other nodes in its integrals, relative to the greatest of them, at points
    /// all over the domain; `None` if it has no integrals.
    #[doc(hidden)]
    pub fn quadrature(&mut self, text: &str) -> Option<f64> {
        /// Points that are enough to see how large values are.
        const SEEN: usize = 20;
        if !text.contains("integral") && !self.problem.writes_integrals() {
            return None;
        }
        let own = self.quantity(text).ok().filter(|own| own.columns.is_empty())?;
        let mut points = estimate::probes(&self.problem);
        points.truncate(SEEN * self.problem.coordinates.len());
        let values = self.evaluate(&own, &points, &[]).ok()?;
        let greatest = |values: &mut dyn Iterator<Item = f64>| values.map(f64::abs).fold(0.0, f64::max);
        let size = greatest(&mut values.iter().copied());
        let mut changes = vec![];
        // Over bodies, where lines begin and end, two rules may err alike.
        for times in OTHER_NODES {
            let other = Language::with_nodes(&self.problem, times);
            let language = std::mem::replace(&mut self.language, other);
            let other = self.quantity(text);
            self.language = language;
            let Some(other) = other.ok().filter(|other| other.formula != own.formula) else { continue };
            let other = self.evaluate(&other, &points, &[]).ok()?;
            changes.push(greatest(&mut values.iter().zip(&other).map(|(a, b)| a - b)));
        }
        let change = changes.into_iter().reduce(f64::max)?;
        Some(if change == 0.0 { 0.0 } else { change / size })
    }

    /// Has training come to the windows that `points` lie in?
    fn check_reach(&self, points: &[f64]) -> Result<(), TrainedError> {
        let Some(windows) = &self.windows else { return Ok(()) };
        let reach = self.theta.len() / self.problem.parameters_in_all();
        let beyond = |row: &&[f64]| windows.at(row[windows.along]) >= reach;
        let Some(row) = points.chunks_exact(self.problem.coordinates.len()).find(beyond) else {
            return Ok(());
        };
        Err(TrainedError::Quantity(format!(
            "{} = {} lies in a window that training has not come to: it is in window {reach} of {}",
            self.problem.coordinates[windows.along].name,
            Digits(row[windows.along]),
            windows.all.len()
        )))
    }

    /// The unknowns at `points` (rows of coordinates), `points × unknowns`, row by row.
    ///
    /// # Errors
    ///
    /// If `points` are no whole rows.
    pub fn predict(&mut self, points: &[f64]) -> Result<Vec<f64>, TrainedError> {
        let unknowns = self.unknowns();
        self.evaluate(&unknowns, points, &[])
    }

    /// A quantity at `points` (rows of coordinates), `points × values`, row by row; `data` are its
    /// [columns](Quantity::columns), a number for each point.
    ///
    /// It is computed in double precision, whatever the network was trained in.
    ///
    /// # Errors
    ///
    /// If `points` are no whole rows, or the data do not fit them.
    pub fn evaluate(
        &mut self,
        quantity: &Quantity,
        points: &[f64],
        data: &[Vec<f64>],
    ) -> Result<Vec<f64>, TrainedError> {
        let dimensions = self.problem.coordinates.len();
        let length = |what: String, found, expected| Err(TrainedError::Length { what, found, expected });
        if !points.len().is_multiple_of(dimensions) {
            return length(
                "the points".into(),
                points.len(),
                format!("a multiple of {dimensions} coordinates"),
            );
        }
        let count = points.len() / dimensions;
        if data.len() != quantity.columns.len() {
            let names = listed(&quantity.columns);
            return length("the columns of data".into(), data.len(), names);
        }
        for (name, column) in quantity.columns.iter().zip(data) {
            if column.len() != count {
                return length(
                    format!("the column `{name}`"),
                    column.len(),
                    format!("{count}, one for each point"),
                );
            }
        }
        if count == 0 {
            return Ok(vec![]);
        }
        self.check_reach(points)?;
        let mut found = self.engine.evaluate(&self.theta, &quantity.jets, &quantity.formula, 1, points, data);
        // An unknown has no values where it does not live, whatever the network says there.
        self.problem.leave_out_of(&quantity.formula, points, &mut found);
        Ok(found)
    }
}

/// The network `theta` as a program for `functions`, which have names.
///
/// # Errors
///
/// As for making an engine.
pub(crate) fn program(
    problem: &Problem,
    windows: Option<&Windows>,
    theta: &[f64],
    functions: &[(String, Formula)],
) -> Result<Program, EngineError> {
    let mut program = Program::new(problem, windows, theta);
    let mut march = windows.map(|all| March::new(problem, all.clone(), 1)).transpose()?;
    let mut carry = |window: usize, wanted: &[Carried]| {
        // Which point asks does not matter: it is laid onto the joint.
        let columns = march.as_mut().map_or(vec![], |march| march.carried(window, theta, wanted, 1, &[0.0]));
        columns.into_iter().map(|column| column[0]).collect()
    };
    for (name, formula) in functions {
        program.add(problem, windows, theta, name, formula, &mut carry);
    }
    Ok(program)
}

/// A formula over those of the columns of data that it reads, and their names.
fn of_columns(formula: &Formula, columns: &[String]) -> (Formula, Vec<String>) {
    let (mut used, mut graph) = (vec![], Graph::default());
    let roots = formula.graph.transplant(&formula.roots, &mut graph, |graph, leaf| match leaf {
        Node::Data(column) => graph.insert(Node::Data(place_of(&mut used, &columns[column]))),
        leaf => graph.insert(leaf),
    });
    (Formula { graph, roots }, used)
}

/// The residuals of a condition.
pub(crate) fn residual(condition: &Condition) -> Result<Quantity, TrainedError> {
    let name = &condition.name;
    if condition.place.periodic().is_some() {
        return Err(TrainedError::Quantity(format!(
            "`{name}` compares two faces, so that it has no residual at a point; ask for the unknowns on both of them"
        )));
    }
    let columns = condition.place.columns();
    let names = match condition.residuals.roots.len() {
        1 => vec![name.clone()],
        several => (1..=several).map(|k| format!("{name}_{k}")).collect(),
    };
    let (Formula { mut graph, roots }, used) = of_columns(&condition.residuals, columns);
    // In the file's own units: training sees it over its scale.
    let unscaled = |(root, &scale): (NodeId, &f64)| {
        let scale = graph.constant(scale);
        graph.binary(Binary::Mul, scale, root)
    };
    let roots = roots.into_iter().zip(&condition.scales).map(unscaled).collect();
    Ok(Quantity::new(names, Formula { graph, roots }, used))
}

/// What `folder` is, if it is no run.
fn no_run(folder: &Path) -> TrainedError {
    let runs = folder.join("runs");
    if !folder.join("sweep.toml").is_file() && !runs.is_dir() {
        return RunError::NoRun(folder.to_owned(), "resolved.toml").into();
    }
    let entries = fs::read_dir(runs).into_iter().flatten().flatten();
    let mut names: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.join("resolved.toml").is_file()).collect();
    names.sort();
    let shown: Vec<String> = names.iter().take(MOST_NAMED).map(|path| path.display().to_string()).collect();
    let more = if names.len() > MOST_NAMED { ", …" } else { "" };
    let runs = if shown.is_empty() {
        ", of which none has begun".to_owned()
    } else {
        format!(", such as {}{more}", shown.join(", "))
    };
    TrainedError::Sweep { path: folder.to_owned(), runs }
}
