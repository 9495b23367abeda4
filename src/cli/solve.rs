//! `pinn-solve --problem …`: train, measure, draw.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Args;
use pinn::activation::Activation;
use pinn::engine::Engine;
use pinn::engine::cpu::Isa;
use pinn::engine::device::{self, Request};
use pinn::init;
use pinn::network::Shape;
use pinn::problem::Problem;
use pinn::rng;
use pinn::run::{
    Checkpoint, Loss, RESULT_VERSION, RunDirectory, RunError, RunOutcome, RunResult, UnknownResult,
    peak_memory_bytes,
};
use pinn::settings::Precision;
use pinn::train::{self, End, Event, Flow, Outcome, StageReport, State};

use super::pictures::{self, History};
use super::progress::{Progress, worst};
use super::{Exit, Failure, Loaded, ProblemArgs, print, warn};

#[derive(Args)]
pub(crate) struct SolveArgs {
    #[command(flatten)]
    problem: ProblemArgs,
    /// Threads of the engine; results do not depend on them [default: all cores].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Where to compute: cpu, flex, libtorch, libtorch-cuda[:i] (`pinn-solve devices` says what is there).
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Points that go through a Burn device at once [default: the device's own choice].
    #[arg(long, value_name = "N")]
    chunk: Option<usize>,
    /// The run's folder, which must not exist [default: output/<problem>-<time>].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print result.json on stdout, and nothing else.
    #[arg(long)]
    json: bool,
    /// No progress, no warnings, no summary.
    #[arg(long, short)]
    quiet: bool,
    /// Draw no pictures.
    #[arg(long)]
    no_plots: bool,
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Exists(_) => Self::usage(error),
            RunError::Io { .. } => Self::unexpected(error),
        }
    }
}

pub(crate) fn run(args: &SolveArgs) -> Result<Exit, Failure> {
    let loaded = args.problem.load(None)?;
    let problem = &loaded.problem;
    let activation = activation(problem)?;
    let silent = args.quiet || args.json;
    if !silent {
        warn(&loaded.warnings);
        let order = problem.conditions.iter().map(|condition| condition.jets.order()).max().unwrap_or(0);
        if let Some(warning) = activation.warning(order) {
            eprintln!("warning: {warning}");
        }
    }
    let shape = problem.shape();
    let theta =
        init::draw(&shape, &activation, &problem.network, problem.training.seed).map_err(Failure::usage)?;
    let (mut engine, device) = engine(args, problem, &shape, &activation)?;
    let mut directory = match &args.out {
        Some(path) => RunDirectory::create(path)?,
        None => RunDirectory::create_in(Path::new("output"), &format!("{}-{}", problem.name, timestamp()))?,
    };
    let resolved = problem.to_toml();
    directory.write("problem.toml", loaded.text.as_bytes())?;
    directory.write("resolved.toml", resolved.as_bytes())?;
    if !silent {
        eprintln!("{}: {}", problem.name, problem.title);
        eprintln!("  {}", network_line(problem, theta.len(), &device));
    }

    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // A second handler cannot be set; the first one serves every run of this process.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    let mut recorder = Recorder::new(problem, &mut directory, &resolved, silent, stop);
    let state = State::new(theta);
    let outcome =
        train::train(problem, &mut *engine, activation.omega(), state, &mut |event| recorder.observe(event));
    let recording = recorder.finish(&outcome)?;

    let mut result = result(&loaded, &outcome, &recording, &device);
    let written =
        pictures::write(problem, &mut *engine, &outcome, &recording.history, &directory, !args.no_plots)?;
    result
        .files
        .extend(["problem.toml", "resolved.toml", "metrics.jsonl", "checkpoint.safetensors"].map(Into::into));
    result.files.extend(written);
    result.files.push("result.json".into());
    result.files.sort();
    let json = serde_json::to_string_pretty(&result).map_err(Failure::unexpected)? + "\n";
    directory.write("result.json", json.as_bytes())?;

    if args.json {
        print(&json)?;
    } else if !args.quiet {
        print(&summary(problem, &result, &device, directory.path()))?;
    }
    finish(problem, &outcome, &result)
}

/// The exit code, and what to say where training did not end well.
fn finish(problem: &Problem, outcome: &Outcome, result: &RunResult) -> Result<Exit, Failure> {
    match &outcome.end {
        End::Done => Ok(Exit::Done),
        End::Interrupted => Ok(Exit::Interrupted),
        End::ToleranceNotReached => {
            let tolerance = problem.training.tolerance;
            let reached = worst(&outcome.scores).unwrap_or(outcome.loss);
            Err(Failure {
                exit: Exit::ToleranceNotReached,
                message: format!(
                    "error: the tolerance {tolerance:e} was not reached (got {reached:.2e}); \
                     try more --steps, more --points or a wider network"
                ),
            })
        }
        End::Diverged { .. } => Err(Failure {
            exit: Exit::Diverged,
            message: format!(
                "error: training diverged: {}; try a smaller --lr, --precision f64, or --init proposed",
                result.reason.as_deref().unwrap_or("a number became infinite")
            ),
        }),
    }
}

/// The network's activation, scale included.
pub(super) fn activation(problem: &Problem) -> Result<Activation, Failure> {
    let activation = Activation::parse(&problem.network.activation).map_err(Failure::usage)?;
    activation.scaled(problem.network.scale).map_err(Failure::usage)
}

/// Where a run is computed.
struct Device {
    name: String,
    detail: String,
    threads: usize,
}

fn engine(
    args: &SolveArgs,
    problem: &Problem,
    shape: &Shape,
    activation: &Activation,
) -> Result<(Box<dyn Engine>, Device), Failure> {
    let threads = match args.threads {
        Some(0) => return Err(Failure::usage("--threads 0: at least one thread is needed")),
        Some(threads) => threads,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let request = Request { problem, shape, activation, threads, chunk: args.chunk };
    let engine = device::engine(&args.device, &request).map_err(Failure::usage)?;
    let detail = match args.device.as_str() {
        "cpu" => format!("{}, {threads} threads", Isa::best().name()),
        _ => "Burn".into(),
    };
    Ok((engine, Device { name: args.device.clone(), detail, threads }))
}

/// Turns events into progress, metrics and checkpoints.
struct Recorder<'a> {
    problem: &'a Problem,
    directory: &'a mut RunDirectory,
    digest: u64,
    progress: Progress,
    stop: Arc<AtomicBool>,
    start: Instant,
    last: Instant,
    step_seconds: Vec<f64>,
    history: History,
    stages: Vec<StageReport>,
    /// The first failure to write; training stops at it.
    failure: Option<RunError>,
}

/// What remains of a recorder after training.
struct Recording {
    seconds: f64,
    step_ms: Option<f64>,
    history: History,
    stages: Vec<StageReport>,
}

/// Steps whose duration is kept for the median.
const TIMED_STEPS: usize = 100_000;

/// Steps between two lines of `metrics.jsonl`, so that a run has about as many lines as a chart has pixels.
fn log_interval(steps: usize) -> usize {
    (steps / 2000).max(1)
}

impl<'a> Recorder<'a> {
    fn new(
        problem: &'a Problem,
        directory: &'a mut RunDirectory,
        resolved: &str,
        silent: bool,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let steps = problem.training.stages.iter().map(pinn::settings::Stage::steps).sum();
        Self {
            problem,
            directory,
            digest: rng::hash(resolved),
            progress: Progress::new(steps, silent),
            stop,
            start: Instant::now(),
            last: Instant::now(),
            step_seconds: Vec::with_capacity(steps.min(TIMED_STEPS)),
            history: History::new(problem, log_interval(steps)),
            stages: vec![],
            failure: None,
        }
    }

    fn observe(&mut self, event: Event) -> Flow {
        let written = match event {
            Event::StageStarted { stage } => {
                let stage = &self.problem.training.stages[stage];
                self.progress.stage(stage.name());
                self.history.stage(stage.name());
                self.last = Instant::now();
                Ok(())
            }
            Event::Redrawn { step, round } => {
                self.directory.log(&serde_json::json!({ "event": "redrawn", "step": step, "round": round }))
            }
            Event::Stepped(report) => {
                let now = Instant::now();
                if self.step_seconds.len() < TIMED_STEPS {
                    self.step_seconds.push((now - self.last).as_secs_f64());
                }
                self.last = now;
                self.progress.step(&report);
                if self.history.record(&report) || report.scores.is_some() {
                    self.directory.log(&self.line(&report))
                } else {
                    Ok(())
                }
            }
            Event::Checkpoint(state) => self.checkpoint(state),
            Event::StageEnded(report) => {
                let planned = self.problem.training.stages[self.stages.len()].steps();
                self.progress.skip(planned.saturating_sub(report.steps));
                self.stages.push(report.clone());
                Ok(())
            }
        };
        if let Err(error) = written {
            self.failure.get_or_insert(error);
        }
        if self.failure.is_some() || self.stop.load(Ordering::Relaxed) { Flow::Stop } else { Flow::Continue }
    }

    fn line(&self, report: &train::StepReport) -> serde_json::Value {
        let terms: serde_json::Map<_, _> = self
            .problem
            .conditions
            .iter()
            .zip(report.terms)
            .map(|(condition, &term)| (condition.name.clone(), term.into()))
            .collect();
        let mut line = serde_json::json!({
            "step": report.step,
            "stage": self.problem.training.stages[report.stage].name(),
            "seconds": self.start.elapsed().as_secs_f64(),
            "loss": report.loss,
            "terms": terms,
            "gradient_norm": report.gradient_norm,
            "evaluations": report.evaluations,
        });
        if let Some(scores) = report.scores {
            let errors: serde_json::Map<_, _> = self
                .problem
                .unknowns
                .iter()
                .zip(scores)
                .filter_map(|(unknown, score)| Some((unknown.name.clone(), score.as_ref()?.rel_l2.into())))
                .collect();
            line["rel_l2"] = errors.into();
        }
        line
    }

    fn checkpoint(&mut self, state: &State) -> Result<(), RunError> {
        let seconds = self.start.elapsed().as_secs_f64();
        let checkpoint = Checkpoint { problem: self.digest, seconds, state: state.clone() };
        self.directory.flush()?;
        self.directory.write("checkpoint.safetensors", &checkpoint.to_bytes())
    }

    fn finish(mut self, outcome: &Outcome) -> Result<Recording, Failure> {
        let seconds = self.start.elapsed().as_secs_f64();
        self.progress.finish();
        if let Some(failure) = self.failure.take() {
            return Err(failure.into());
        }
        self.checkpoint(&outcome.state)?;
        self.step_seconds.sort_by(f64::total_cmp);
        let step_ms = self.step_seconds.get(self.step_seconds.len() / 2).map(|seconds| 1e3 * seconds);
        Ok(Recording { seconds, step_ms, history: self.history, stages: self.stages })
    }
}

fn result(loaded: &Loaded, outcome: &Outcome, recording: &Recording, device: &Device) -> RunResult {
    let problem = &loaded.problem;
    let (network, training) = (&problem.network, &problem.training);
    let (run_outcome, reason) = match &outcome.end {
        End::Done => (RunOutcome::Done, None),
        End::ToleranceNotReached => (RunOutcome::ToleranceNotReached, None),
        End::Interrupted => (RunOutcome::Interrupted, None),
        End::Diverged { step, stage, condition } => {
            let what = match condition {
                Some(name) => format!("the loss of condition `{name}`"),
                None => "the gradient".into(),
            };
            let stage = training.stages[*stage].name();
            (RunOutcome::Diverged, Some(format!("{what} is not finite at step {step} ({stage})")))
        }
    };
    let terms = problem.conditions.iter().zip(&outcome.terms);
    let unknowns = problem.unknowns.iter().zip(&outcome.scores);
    RunResult {
        schema_version: RESULT_VERSION,
        version: env!("CARGO_PKG_VERSION"),
        problem: problem.name.clone(),
        title: problem.title.clone(),
        device: device.name.clone(),
        device_detail: device.detail.clone(),
        precision: precision(problem).into(),
        seed: training.seed,
        threads: device.threads,
        parameters: outcome.theta.len(),
        activation: network.activation.clone(),
        scale: network.scale,
        init: network.init.name().into(),
        depth: network.depth,
        width: network.width,
        outcome: run_outcome,
        reason,
        steps: outcome.state.step,
        stages: recording.stages.clone(),
        seconds: recording.seconds,
        step_ms: recording.step_ms,
        loss: Loss {
            total: outcome.loss,
            terms: terms.map(|(condition, &term)| (condition.name.clone(), term)).collect(),
        },
        unknowns: unknowns
            .filter_map(|(unknown, score)| {
                let score = score.as_ref()?;
                let errors = UnknownResult { rel_l2: score.rel_l2, max_error: score.max_error };
                Some((unknown.name.clone(), errors))
            })
            .collect::<BTreeMap<_, _>>(),
        reference_error: problem.reference.as_ref().and_then(|reference| reference.error),
        peak_memory_bytes: peak_memory_bytes(),
        files: vec![],
    }
}

fn precision(problem: &Problem) -> &'static str {
    match problem.training.precision {
        Precision::F32 => "f32",
        Precision::F64 => "f64",
    }
}

fn network_line(problem: &Problem, parameters: usize, device: &Device) -> String {
    let network = &problem.network;
    let function = match network.scale {
        1.0 => network.activation.clone(),
        scale if network.activation.contains('+') => format!("{scale}·({})", network.activation),
        scale => format!("{scale}·{}", network.activation),
    };
    format!(
        "{} layers of {}, {function}, {} initialization, {parameters} parameters; {} on {} ({})",
        network.depth,
        network.width,
        network.init.name(),
        precision(problem),
        device.name,
        device.detail
    )
}

/// What a person wants to know at the end.
fn summary(problem: &Problem, result: &RunResult, device: &Device, path: &Path) -> String {
    let mut text = format!("{}: {}\n", problem.name, problem.title);
    let mut line = |label: &str, content: String| {
        let _ = writeln!(text, "  {label:9} {content}");
    };
    line("network", network_line(problem, result.parameters, device));
    let outcome = match result.outcome {
        RunOutcome::Done => "done",
        RunOutcome::ToleranceNotReached => "tolerance not reached",
        RunOutcome::Interrupted => "interrupted",
        RunOutcome::Diverged => "diverged",
    };
    let speed = result.step_ms.map_or(String::new(), |ms| format!(", {ms:.2} ms a step"));
    line("training", format!("{outcome} after {} steps in {:.1} s{speed}", result.steps, result.seconds));
    for stage in &result.stages {
        if let Some(reason) = stage.stopped {
            line("", format!("{} stopped after {} steps: {reason}", stage.name, stage.steps));
        }
    }
    let terms = result.loss.terms.iter().map(|(name, term)| format!("{name} {term:.2e}"));
    line("loss", format!("{:.3e} ({})", result.loss.total, terms.collect::<Vec<_>>().join(", ")));
    for (name, errors) in &result.unknowns {
        line(
            name,
            format!("relative L2 error {:.3e}, greatest error {:.3e}", errors.rel_l2, errors.max_error),
        );
    }
    if result.unknowns.is_empty() {
        line("error", "unknown: the problem has no reference solution".into());
    }
    line("files", path.display().to_string());
    text
}

/// UTC as `20261124T015500`.
pub(super) fn timestamp() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S").to_string()
}
