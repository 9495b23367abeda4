//! One run, from a problem to its results: network, engine, training, records, pictures.
//!
//! A [`Solver`] is a problem that can be trained here; [`Solver::run`] trains it in a run directory and
//! [`Solver::resume`] goes on with a run that was interrupted, both bit for bit to the same end.
//! [`solve`] is the short way for a program that wants the network and nothing else.
//! This module knows engines, training and run directories; it knows no arguments and no terminals.

mod library;
mod pictures;
mod recorder;
mod region;
mod second;
mod trial;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::activation;
use crate::adapt;
use crate::bands::Band;
use crate::engine::cpu::Isa;
use crate::engine::device::{self, Request};
use crate::engine::{Differentiable, Engine, EngineError};
use crate::evaluate::{Evaluation, Origin, evaluate, judge};
use crate::expr::plural;
use crate::growth;
use crate::init::{self, InitError};
use crate::limits::{MAX_PARAMETERS, MAX_WIDTH};
use crate::march::{self, March};
use crate::network::Numbers;
use crate::optim::{self, Adam};
use crate::output::OutputError;
use crate::page::PAGE;
use crate::problem::{Diagnostics, Document, OneNetwork, Problem, Windows, check_points};
use crate::ranks::Ranks;
use crate::report::ReportError;
use crate::rng;
use crate::run::{
    BandResult, Checkpoint, CheckpointError, CombinationResult, Loss, RESULT_VERSION, ResidualResult,
    Resumed, RunDirectory, RunError, RunOutcome, RunResult, RunSettings, TrainableResult, UnknownResult,
    inputs, peak_memory_bytes, read_metrics, read_resolved,
};
use crate::score::{Score, Scorer};
use crate::settings::{Init, Precision, Stage};
use crate::train::{End, Event, Flow, Outcome, State};
use crate::trained::TrainedError;
use crate::verdict::Verdict;
use crate::verify::Residual;
pub use library::{Options, solve, solve_with};
use pictures::Shown;
pub use pictures::{Drawn, page_alone, redraw};
use recorder::{Recorder, Recording};
pub use region::region;

/// Why a run could not be started or finished.
#[derive(Debug, thiserror::Error)]
pub enum SolveError {
    /// The initial parameters.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The device.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A stage's method and this device or network do not go together.
    #[error("the method {method} cannot run here: {why}")]
    Method {
        /// The stage's name.
        method: &'static str,
        /// What is missing, and what to do.
        why: String,
    },
    /// The problem cannot be cut into windows.
    #[error("training.windows: {0}")]
    Windows(String),
    /// The run directory.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The problem file of a run that shall go on.
    #[error(transparent)]
    Problem(#[from] Diagnostics),
    /// A picture.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The table.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The trained network, read back.
    #[error(transparent)]
    Trained(#[from] TrainedError),
    /// Numbers ceased to be finite, and going back to good ones did not help: what, where and at which step.
    #[error(
        "training diverged: {0}; try a smaller learning rate, double precision or the initialization `proposed`"
    )]
    Diverged(String),
}

/// Where and how a run is computed; nothing here changes its numbers but the device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// A name of [`device::DEVICES`], with an index where there are several.
    pub device: String,
    /// Threads of the fused engine.
    pub threads: usize,
    /// Points that go through a Burn device at once; `None` for the device's own choice.
    pub chunk: Option<usize>,
    /// Draw pictures at the end?
    pub plots: bool,
    /// Write a page to read at the end?
    pub page: bool,
    /// Say nothing while it runs?
    ///
    /// Nothing is ever said here; it is written down for a program that goes on with the run.
    pub quiet: bool,
    /// Solve a second time, by another seed and another network, and say how far the two solutions are apart?
    pub estimate: bool,
    /// The processes that compute the run together; all of them make the same calls.
    pub ranks: Ranks,
}

impl Settings {
    /// The engine of a problem, or of one of its windows.
    fn engine(&self, problem: &Problem) -> Result<Box<dyn Differentiable>, EngineError> {
        let Self { threads, chunk, ref ranks, .. } = *self;
        device::engine(&self.device, &Request { problem, threads, chunk, ranks })
    }

    /// The device in words.
    fn device_detail(&self) -> String {
        match self.device.as_str() {
            "cpu" => {
                let (threads, ranks) = (self.threads, self.ranks.size());
                let ranks = if ranks > 1 { format!("{ranks} ranks of ") } else { String::new() };
                format!("{}, {ranks}{threads} {}", Isa::best().name(), plural(threads, "thread"))
            }
            name => device::detail(name),
        }
    }

    /// What is written down, so that the run goes on as it began.
    fn to_write(&self) -> RunSettings {
        let Self { device, chunk, plots, page, quiet, estimate, .. } = self.clone();
        RunSettings { device, chunk, plots, page, quiet, estimate }
    }
}

/// A problem that can be trained here.
pub struct Solver {
    problem: Problem,
    settings: Settings,
    /// Initial parameters: of the first window, if there are several.
    theta: Vec<f64>,
    engine: Computing,
}

/// What computes.
enum Computing {
    /// One network for the whole problem.
    Whole(Box<dyn Differentiable>),
    /// A network for each window of time, whose engines are made as they are come to.
    Windows(Box<Windows>),
}

impl Solver {
    /// Draws the initial parameters of `problem` and makes the engine.
    ///
    /// If it has a [`Trial`](crate::problem::Trial), that is tried first, which trains for a second, and may take its place.
    ///
    /// # Errors
    ///
    /// If the initialization or the device is not to be had, or a stage's method is not for them.
    pub fn new(problem: Problem, settings: Settings) -> Result<Self, SolveError> {
        let problem = trial::settle(problem, &settings);
        let windows = match problem.training.windows.count() {
            1 => None,
            _ => Some(Windows::new(&problem).map_err(SolveError::Windows)?),
        };
        let first = windows.as_ref().map_or(&problem, |windows| &windows.all[0].problem);
        let theta = init::parameters(first)?;
        let mut engine = settings.engine(first)?;
        check_methods(first, &settings, &mut *engine)?;
        let engine = match windows {
            Some(windows) => Computing::Windows(Box::new(windows)),
            None => Computing::Whole(engine),
        };
        Ok(Self { theta, engine, problem, settings })
    }

    /// The problem.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Advice where the activation does not suit the equations' order.
    pub fn warning(&self) -> Option<activation::Warning> {
        let conditions = &self.problem.conditions;
        let order = conditions.iter().map(|condition| condition.jets.order()).max().unwrap_or(0);
        self.problem.activations().into_iter().find_map(|activation| activation.warning(order))
    }

    /// Network, precision and device in a line.
    pub fn describe(&self) -> String {
        let windows = match self.problem.training.windows.count() {
            1 => String::new(),
            windows => format!("{windows} windows, each with "),
        };
        let grows = self.problem.training.stages.iter().any(Stage::grows);
        let first = if grows { " at first" } else { "" };
        format!(
            "{windows}{}, {} parameters{first}; {} on {} ({})",
            self.problem.networks_in_words(),
            self.theta.len(),
            precision(&self.problem),
            self.settings.device,
            self.settings.device_detail()
        )
    }

    /// Trains from the beginning and leaves everything in `directory`; `text` is the problem file as it was read.
    ///
    /// Training ends early, and well, once `stop` is set. `watch` sees every event.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn run(
        &mut self,
        mut directory: RunDirectory,
        text: &str,
        stop: &AtomicBool,
        watch: &mut dyn FnMut(&Event),
    ) -> Result<RunResult, SolveError> {
        let resolved = self.write_problem(&directory, Some(text))?;
        let start =
            Checkpoint { problem: rng::hash(&resolved), seconds: 0.0, state: State::new(self.theta.clone()) };
        self.train(&mut directory, start, stop, watch)
    }

    /// Goes on with a run whose problem is this one.
    ///
    /// # Errors
    ///
    /// If the run cannot go on, or a file cannot be written.
    pub fn resume(
        &mut self,
        resumed: Resumed,
        stop: &AtomicBool,
        watch: &mut dyn FnMut(&Event),
    ) -> Result<RunResult, SolveError> {
        let mut directory = resumed.directory;
        let path = directory.path();
        let resolved = match read_resolved(path)? {
            Some(text) => text,
            None => self.write_problem(&directory, None)?,
        };
        let digest = rng::hash(&resolved);
        let start = match resumed.checkpoint {
            Some(checkpoint) => {
                let state = &checkpoint.state;
                let fits = if !directory.is_own() {
                    // Whose it is has checked it, and keeps to itself what it will hand out.
                    Ok(())
                } else if checkpoint.problem == digest {
                    state.check(&self.problem)
                } else {
                    Err("it belongs to another problem than the resolved.toml beside it".into())
                };
                fits.map_err(|reason| RunError::Checkpoint {
                    path: path.join("checkpoint.safetensors"),
                    source: CheckpointError::Foreign(reason),
                })?;
                checkpoint
            }
            None => Checkpoint { problem: digest, seconds: 0.0, state: State::new(self.theta.clone()) },
        };
        self.train(&mut directory, start, stop, watch)
    }

    /// The solver of the run in `path`, read from its `resolved.toml`.
    ///
    /// # Errors
    ///
    /// If there is no such file, or it is no problem that can be trained here.
    pub fn for_run(path: &Path, settings: Settings) -> Result<Self, SolveError> {
        let Some(text) = read_resolved(path)? else {
            return Err(RunError::NoRun(path.to_owned(), "resolved.toml").into());
        };
        let name = path.join("resolved.toml").display().to_string();
        let (problem, _) = Document::parse(&name, &text)?.build(path)?;
        Self::new(problem, settings)
    }

    /// Writes the problem as it was read, if that is known, and as it was understood, which is returned.
    fn write_problem(&self, directory: &RunDirectory, text: Option<&str>) -> Result<String, RunError> {
        if !directory.is_own() {
            return Ok(self.resolved());
        }
        let resolved = inputs::keep(directory.path(), &self.problem.to_toml(), &self.problem.files())?;
        directory.write("problem.toml", text.unwrap_or(&resolved).as_bytes())?;
        directory.write("resolved.toml", resolved.as_bytes())?;
        Ok(resolved)
    }

    /// The problem as it was understood, as it is written down.
    fn resolved(&self) -> String {
        inputs::named(&self.problem.to_toml(), &self.problem.files())
    }

    /// A digest of what has to be the same in all processes that compute a run: problem, data, and how numbers are computed.
    pub fn fingerprint(&self) -> u64 {
        let computed = format!("{} {}", env!("CARGO_PKG_VERSION"), Isa::best().name());
        rng::hash(&(computed + &self.resolved()))
    }

    fn train(
        &mut self,
        directory: &mut RunDirectory,
        start: Checkpoint,
        stop: &AtomicBool,
        watch: &mut dyn FnMut(&Event),
    ) -> Result<RunResult, SolveError> {
        let Checkpoint { problem: digest, seconds, state } = start;
        self.settings.to_write().write(directory)?;
        let mut recorder = Recorder::new(&self.problem, directory, digest, seconds, stop);
        // What is measured on the way, at the end and in the table is measured against the same values.
        let scorer = Scorer::new(&self.problem);
        let JustTrained { outcome, mut engine, adapted, problem } = train_with(
            &mut self.engine,
            &self.problem,
            scorer.as_ref(),
            &self.settings,
            state,
            &mut |event| {
                watch(&event);
                recorder.observe(event)
            },
        )?;
        let recording = recorder.finish(&outcome)?;
        watch(&Event::Ended);
        // Of a march that was interrupted only a part can be measured.
        let part = (problem.coordinates != self.problem.coordinates).then(|| Scorer::new(&problem));
        let (problem, scorer) = (&problem, part.as_ref().unwrap_or(&scorer).as_ref());
        let windows = engine.windows();
        let (engine, answer) = (engine.get(), &outcome.state.solution());
        let evaluation = evaluate(problem, scorer, engine, &adapted, answer);
        let diverged = match &outcome.end {
            End::Diverged(breakdown) => Some(breakdown.to_string()),
            _ => None,
        };
        let ended = matches!(outcome.end, End::Done | End::ToleranceNotReached);
        // A march is not repeated with one network for all times.
        let repeats = self.settings.estimate && ended && problem.training.windows.count() == 1;
        let difference = match repeats {
            true => second::difference(&self.problem, engine, answer, &self.settings, stop)?,
            false => None,
        };
        let interrupted = outcome.end == End::Interrupted;
        let origin = Origin { diverged, interrupted, difference };
        let verdict = judge(problem, &evaluation, engine, answer, self.settings.threads, origin);
        let Settings { plots, page, .. } = self.settings;
        // What is left is to write, which one of the ranks does.
        self.settings.ranks.part();
        directory.flush()?;
        let (stages, folder) = (&outcome.state.reports[..], directory.path());
        let windows = windows.as_ref();
        let mut result = result_of(&self.settings, problem, &outcome, &evaluation, verdict, recording);
        if !directory.is_own() {
            return Ok(result);
        }
        let mut shown = Shown { problem, windows, scorer, engine, theta: answer, stages, folder };
        let steps = if plots || page { read_metrics(folder)?.content } else { vec![] };
        let mut files = shown.table()?;
        if plots {
            files.extend(shown.pictures(&steps, &result.bands)?);
        }
        let kept = [
            "problem.toml",
            "resolved.toml",
            "settings.json",
            "metrics.jsonl",
            "checkpoint.safetensors",
            "result.json",
        ];
        result.files = kept.map(String::from).into_iter().chain(files).collect();
        result.files.extend(page.then(|| PAGE.to_owned()));
        result.files.extend(inputs::list(folder));
        result.files.sort();
        if page {
            shown.page(&steps, Some(&result))?;
        }
        directory.write("result.json", result.to_json().as_bytes())?;
        if result.outcome != RunOutcome::Interrupted {
            directory.remove_previous_checkpoint()?;
        }
        Ok(result)
    }
}

/// What a run came to; `problem` is what was evaluated, the whole or a part of it.
fn result_of(
    settings: &Settings,
    problem: &Problem,
    outcome: &Outcome,
    evaluation: &Evaluation,
    verdict: Verdict,
    recording: Recording,
) -> RunResult {
    let (network, training) = (&problem.network, &problem.training);
    let by_condition = |terms: &[f64]| -> BTreeMap<String, f64> {
        let conditions = problem.conditions.iter().zip(terms);
        conditions.map(|(condition, &term)| (condition.name.clone(), term)).collect()
    };
    let unknowns = problem.unknowns.iter().zip(&evaluation.scores);
    RunResult {
        schema_version: RESULT_VERSION,
        version: env!("CARGO_PKG_VERSION").into(),
        problem: problem.name.clone(),
        title: problem.title.clone(),
        device: settings.device.clone(),
        device_detail: settings.device_detail(),
        precision: precision(problem).into(),
        seed: training.seed,
        threads: settings.threads,
        parameters: outcome.state.solution().len(),
        activation: network.activation.clone(),
        scale: network.scale.initial(),
        init: network.init.name().into(),
        depth: network.depth,
        width: network.width,
        outcome: RunOutcome::from(&outcome.end),
        verdict: Some(verdict.word),
        verdict_reason: Some(verdict.reason).filter(|reason| !reason.is_empty()),
        advice: verdict.advice,
        estimated_error: verdict.estimated_error,
        zeros: verdict.signs.zeros.iter().cloned().collect(),
        difference: verdict.signs.difference,
        reason: verdict.signs.diverged,
        steps: outcome.state.step,
        stages: outcome.state.reports.clone(),
        seconds: recording.seconds,
        step_ms: recording.step_ms,
        loss: Loss {
            total: evaluation.loss,
            terms: by_condition(&evaluation.terms),
            unscaled: by_condition(&evaluation.unscaled),
        },
        final_loss: recording.final_loss,
        unknowns: unknowns
            .filter_map(|(unknown, score)| {
                let Score { rel_l2, rms_error, max_error } = *score.as_ref()?;
                Some((unknown.name.clone(), UnknownResult { rel_l2, rms_error, max_error }))
            })
            .collect::<BTreeMap<_, _>>(),
        trainable: trainable(problem, &outcome.state.answer, evaluation),
        scales: scales(problem, &outcome.state.solution()),
        combinations: combinations(problem, evaluation),
        bands: problem
            .unknowns
            .iter()
            .zip(&evaluation.bands)
            .filter_map(|(unknown, band)| {
                let Band { along, at, standard_error } = band.clone()?;
                let along = problem.coordinates[along].name.clone();
                Some((unknown.name.clone(), BandResult { along, at, standard_error }))
            })
            .collect(),
        residuals: residuals(problem, evaluation),
        measures: BTreeMap::new(),
        reference_error: problem.reference.as_ref().and_then(|reference| reference.error),
        peak_memory_bytes: peak_memory_bytes(),
        files: vec![],
    }
}

/// A problem just trained, and what computes its solution.
struct JustTrained<'a> {
    outcome: Outcome,
    engine: Answering<'a>,
    /// The points and weights that the solution is evaluated with.
    adapted: adapt::State,
    /// With the network that training ended with, and of a march that was interrupted the part that it covers.
    problem: Problem,
}

/// The engine of a solution.
enum Answering<'a> {
    Whole(&'a mut dyn Differentiable),
    Windows(Box<March>),
}

impl Answering<'_> {
    fn windows(&self) -> Option<Windows> {
        match self {
            Self::Whole(_) => None,
            Self::Windows(march) => Some(march.windows().clone()),
        }
    }

    fn get(&mut self) -> &mut dyn Engine {
        match self {
            Self::Whole(engine) => &mut **engine,
            Self::Windows(march) => &mut **march,
        }
    }
}

/// Trains with one network or with one for each window.
fn train_with<'a>(
    engine: &'a mut Computing,
    problem: &Problem,
    scorer: Option<&Scorer>,
    settings: &Settings,
    state: State,
    observer: &mut dyn FnMut(Event) -> Flow,
) -> Result<JustTrained<'a>, EngineError> {
    let windows = match engine {
        Computing::Whole(engine) => {
            let make = &mut |problem: &Problem| settings.engine(problem);
            let outcome = growth::train(problem, scorer, engine, make, state, observer)?;
            let adapted = outcome.state.adapted.clone();
            let problem = outcome.state.grown(problem);
            return Ok(JustTrained { outcome, engine: Answering::Whole(&mut **engine), adapted, problem });
        }
        Computing::Windows(windows) => windows,
    };
    let all_windows = || (**windows).clone();
    let Settings { threads, ranks, .. } = settings;
    let mut march = March::among(problem, all_windows(), *threads, ranks.clone())?;
    let make = &mut |problem: &Problem| settings.engine(problem);
    let outcome = march::train(problem, &mut march, make, state, observer)?;
    let reached = outcome.state.window + 1;
    let mut problem = problem.clone();
    if reached < windows.all.len() {
        problem = windows.reached(&problem, reached);
        march = March::among(&problem, all_windows(), *threads, ranks.clone())?;
    }
    // Points that were adapted are those of one window.
    let adapted = adapt::State::default();
    Ok(JustTrained { outcome, engine: Answering::Windows(Box::new(march)), adapted, problem })
}

/// Is the network drawn by the proposed rule, and does a stage of Adam take a rate outside [`init::LEARNING_RATES`]?
///
/// The recipes of some built-in problems, small networks, leave the band on purpose.
pub fn leaves_band(problem: &Problem) -> bool {
    /// Of η/ω, where a rate at the very end of the band was not written in units of ω.
    const ROUNDING: f64 = 1e-12;
    let omega = problem.omega();
    let (low, high) = (init::LEARNING_RATES.start(), init::LEARNING_RATES.end());
    let band = low * (1.0 - ROUNDING)..=high * (1.0 + ROUNDING);
    let leaves = |stage: &Stage| match stage {
        Stage::Adam(adam) => !band.contains(&(Adam::full_rate(adam, omega) / omega)),
        _ => false,
    };
    let proposed = problem.all_networks().iter().any(|one| one.network.init == Init::Proposed);
    proposed && problem.training.stages.iter().any(leaves)
}

/// What the trainable parameters came to.
fn trainable(problem: &Problem, theta: &[f64], evaluation: &Evaluation) -> BTreeMap<String, TrainableResult> {
    let values = problem.trained_values(theta);
    let results = problem.trainable.iter().zip(values).enumerate().map(|(k, (trainable, value))| {
        let estimate = evaluation.uncertainty.as_ref().map(|uncertainty| uncertainty.parameters[k]);
        let result = TrainableResult {
            value,
            determined: estimate.map(|estimate| estimate.determined),
            standard_error: estimate.and_then(|estimate| estimate.standard_error),
            shift: estimate.and_then(|estimate| estimate.shift),
            initial: trainable.initial,
            truth: trainable.truth,
            rel_error: trainable.truth.map(|truth| ((value - truth) / truth).abs()),
        };
        (trainable.name.clone(), result)
    });
    results.collect()
}

/// Trained scales of activations, network by network.
fn scales(problem: &Problem, theta: &[f64]) -> BTreeMap<String, Vec<Vec<f64>>> {
    let layers = problem.layers();
    let of = |(part, one): (usize, OneNetwork<'_>)| {
        let (numbers, initial) = (layers.scales(part), one.network.scale.initial());
        let windows = theta.chunks_exact(problem.parameters_in_all());
        let scale = |theta: &[f64], by: &Numbers| {
            theta[by.first..by.first + by.count].iter().map(|x| initial * x).collect()
        };
        let found: Vec<Vec<f64>> =
            windows.flat_map(|theta| numbers.iter().map(move |by| scale(theta, by))).collect();
        (!found.is_empty()).then(|| (one.name.unwrap_or("network").to_owned(), found))
    };
    problem.all_networks().into_iter().enumerate().filter_map(of).collect()
}

/// What is determined where single parameters are not.
fn combinations(problem: &Problem, evaluation: &Evaluation) -> Vec<CombinationResult> {
    let combinations = evaluation.uncertainty.iter().flat_map(|uncertainty| &uncertainty.combinations);
    let names: Vec<&str> = problem.trainable.iter().map(|trainable| trainable.name.as_str()).collect();
    let results = combinations.map(|combination| CombinationResult {
        formula: combination.formula(&names),
        value: combination.value,
        standard_error: combination.estimate.standard_error,
        shift: combination.estimate.shift,
    });
    results.collect()
}

/// Residuals by condition.
fn residuals(problem: &Problem, evaluation: &Evaluation) -> BTreeMap<String, ResidualResult> {
    let results = problem.conditions.iter().zip(&evaluation.residuals).map(|(condition, residual)| {
        let Residual { sites, points, rms, max, at, unscaled, relative, quadrature, noise } =
            residual.clone();
        let at = problem.coordinates.iter().map(|c| c.name.clone()).zip(at).collect();
        let result = ResidualResult { sites, points, relative, quadrature, noise, rms, unscaled, max, at };
        (condition.name.clone(), result)
    });
    results.collect()
}

fn precision(problem: &Problem) -> &'static str {
    match problem.training.precision {
        Precision::F32 => "f32",
        Precision::F64 => "f64",
    }
}

/// Is the network, once it has grown, one that fits?
fn check_size(problem: &Problem) -> Result<(), String> {
    let widths = problem.networks.iter().map(|group| group.network.width);
    let width = widths.fold(problem.network.width, usize::max);
    let parameters = problem.parameters_in_all();
    let (features, coordinates) = (problem.features.roots.len(), problem.coordinates.len());
    if width > MAX_WIDTH || parameters as f64 > MAX_PARAMETERS {
        return Err(format!("{width} neurons in a layer and {parameters} parameters are too many"));
    }
    check_points(&problem.conditions, features, coordinates, &problem.training)
}

/// Can the engine do what every stage's method asks of it?
fn check_methods(problem: &Problem, settings: &Settings, engine: &mut dyn Engine) -> Result<(), SolveError> {
    let device = &settings.device;
    let mut grown = problem.clone();
    for stage in &problem.training.stages {
        let method = stage.name();
        if let Stage::Grow(growth) = stage {
            grown.grow(growth);
            check_size(&grown).map_err(|why| SolveError::Method { method, why })?;
        }
        let parameters = init::layout(&grown).moved();
        if stage.needs_jacobian() && engine.jacobian().is_none() {
            let why = format!(
                "it needs the residuals' Jacobian, which the device {device} does not compute; \
                 use --device cpu, or another method such as ssbroyden or lbfgs"
            );
            return Err(SolveError::Method { method, why });
        }
        optim::check(stage, parameters, settings.ranks.size())
            .map_err(|why| SolveError::Method { method, why })?;
    }
    Ok(())
}
