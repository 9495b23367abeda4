//! The command line: arguments in, exit codes out.
//!
//! Results go to stdout, progress and warnings to stderr.

mod check;
mod completions;
mod devices;
mod pictures;
mod problems;
mod progress;
mod signal;
mod solve;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use pinn::expr;
use pinn::problem::{self, Diagnostics, Document, Place, Problem};
use pinn::settings::Stage;

/// Solve partial differential equations with physics-informed neural networks.
///
/// Write the equation in a TOML file (or take a built-in problem: `pinn-solve problems`), run
/// `pinn-solve --problem FILE`, and get a trained network, its measured error and pictures in a folder of their own.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 unexpected error, 2 usage or problem file, \
    3 tolerance not reached, 4 diverged, 130 interrupted.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    solve: solve::SolveArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Solve a problem (the same as giving no subcommand).
    Solve(solve::SolveArgs),
    /// Print a problem as understood: equations, derivatives, conditions, points, network.
    Check(check::CheckArgs),
    /// List the built-in problems, or print one of their files.
    Problems(problems::ProblemsArgs),
    /// Show what an initialization does to signals, gradients and derivatives before any training.
    #[command(subcommand)]
    Signal(signal::SignalCommand),
    /// List the devices of this build and this machine.
    Devices,
    /// Print a completion script for a shell.
    Completions(completions::CompletionsArgs),
}

/// How the program ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// All is well.
    Done = 0,
    /// Something the program did not foresee, such as a full disk.
    Unexpected = 1,
    /// Wrong arguments or a mistake in a problem file.
    Usage = 2,
    /// A tolerance was asked for and not reached.
    ToleranceNotReached = 3,
    /// The loss became infinite or NaN.
    Diverged = 4,
    /// Ctrl-C or a termination signal.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A message for the user, and how the program ends with it.
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    fn usage(message: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Usage, message: format!("error: {message}") }
    }

    fn unexpected(message: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Unexpected, message: format!("error: {message}") }
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Self { exit: Exit::Usage, message: diagnostics.render(color_on_stderr()) }
    }
}

/// Runs the command; every failure is rendered here.
pub(crate) fn run(cli: Cli) -> Exit {
    let result = match cli.command {
        None => solve::run(&cli.solve),
        Some(Command::Solve(args)) => solve::run(&args),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Problems(args)) => problems::run(&args),
        Some(Command::Signal(command)) => signal::run(&command),
        Some(Command::Devices) => devices::run(),
        Some(Command::Completions(args)) => completions::run(&args),
    };
    result.unwrap_or_else(|failure| {
        eprintln!("{}", failure.message.trim_end());
        failure.exit
    })
}

/// Which problem, and what to change in it.
#[derive(Args)]
pub(crate) struct ProblemArgs {
    /// A built-in problem's name, or the path of a problem file.
    #[arg(long, short, value_name = "NAME|FILE")]
    problem: Option<String>,
    /// A run configuration: a TOML file whose tables are laid over the problem's.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change any value of the problem file, such as `parameters.nu=0.02` or `conditions.initial.weight=100`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The scale a of the activation a·f(x).
    #[arg(long, value_name = "A", allow_negative_numbers = true)]
    scale: Option<f64>,
    /// tanh, erf, arctan, gd, softsign_1, softsign_2, or a positive sum such as "tanh + 0.5*erf(2*x)".
    #[arg(long, value_name = "F")]
    activation: Option<String>,
    /// How weights are drawn: proposed, eoc, xavier, xavier-uniform, he.
    #[arg(long, value_name = "RULE")]
    init: Option<String>,
    /// Hidden layers.
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Neurons of a hidden layer.
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    /// Collocation points of every interior condition.
    #[arg(long, value_name = "N")]
    points: Option<usize>,
    /// f32 (fast) or f64 (accurate).
    #[arg(long, value_name = "P")]
    precision: Option<String>,
    /// Steps in all: later stages are cut short, or the last one goes on for longer.
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Learning rate of every Adam stage, in the stage's own unit (ω by default).
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    lr: Option<f64>,
    /// The seed of every random number.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Relative L2 error to reach (total loss without a reference); else exit code 3.
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    tolerance: Option<f64>,
}

impl ProblemArgs {
    /// Reads the problem, lays the configuration and all changes over it, and builds it; warnings go to stderr.
    fn load(&self, positional: Option<&str>) -> Result<Loaded, Failure> {
        let config = self.config.as_deref().map(read_document).transpose()?;
        let config_folder = self.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        let (name, beside) = match (positional.or(self.problem.as_deref()), &config) {
            (Some(name), _) => (name.to_owned(), Path::new("")),
            (None, Some(config)) => match config.problem() {
                Some(name) => (name.to_owned(), config_folder),
                None => {
                    let path = self.config.as_deref().unwrap_or(Path::new("")).display();
                    return Err(Failure::usage(format!(
                        "{path} names no problem; add `problem = \"burgers\"` to it, or give --problem"
                    )));
                }
            },
            (None, None) => {
                return Err(Failure::usage(
                    "no problem given; try `--problem burgers`, or `pinn-solve problems` for a list",
                ));
            }
        };
        let (mut document, text, folder) = open_problem(&name, beside)?;
        if let Some(config) = config {
            document.overlay(config);
        }
        for change in &self.set {
            let (key, value) = change.split_once('=').ok_or_else(|| {
                Failure::usage(format!("--set {change}: write KEY=VALUE, such as --set parameters.nu=0.02"))
            })?;
            document.set(key.trim(), value.trim())?;
        }
        for (key, value) in self.flags() {
            document.set(key, &value)?;
        }
        let (mut problem, warnings) = document.build(&folder)?;
        self.adjust(&mut problem)?;
        Ok(Loaded { problem, text, warnings })
    }

    /// Flags that are a key of the problem file under another name.
    fn flags(&self) -> Vec<(&'static str, String)> {
        let quoted = |text: &String| format!("{text:?}");
        [
            ("network.scale", self.scale.map(|x| format!("{x:?}"))),
            ("network.activation", self.activation.as_ref().map(quoted)),
            ("network.init", self.init.as_ref().map(quoted)),
            ("network.depth", self.depth.map(|n| n.to_string())),
            ("network.width", self.width.map(|n| n.to_string())),
            ("training.precision", self.precision.as_ref().map(quoted)),
            ("training.seed", self.seed.map(|n| n.to_string())),
            ("training.tolerance", self.tolerance.map(|x| format!("{x:?}"))),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
    }

    /// Flags that change several places at once.
    fn adjust(&self, problem: &mut Problem) -> Result<(), Failure> {
        if let Some(points) = self.points {
            if points == 0 {
                return Err(Failure::usage("--points 0: a condition needs at least one point"));
            }
            for condition in &mut problem.conditions {
                if condition.place == Place::Interior {
                    condition.points = points;
                }
            }
        }
        if let Some(lr) = self.lr {
            if !(lr > 0.0 && lr.is_finite()) {
                return Err(Failure::usage(format!("--lr {lr}: a learning rate is positive and finite")));
            }
            for stage in &mut problem.training.stages {
                if let Stage::Adam(adam) = stage {
                    adam.lr = lr;
                }
            }
        }
        if let Some(mut left) = self.steps {
            let stages = &mut problem.training.stages;
            let last = stages.len().saturating_sub(1);
            for (i, stage) in stages.iter_mut().enumerate() {
                let steps = if i == last { left } else { stage.steps().min(left) };
                *stage.steps_mut() = steps;
                left -= steps;
            }
            stages.retain(|stage| stage.steps() > 0);
        }
        Ok(())
    }
}

/// A problem ready to be solved.
struct Loaded {
    problem: Problem,
    /// The problem file's text.
    text: String,
    warnings: Diagnostics,
}

fn read_document(path: &Path) -> Result<Document, Failure> {
    Ok(Document::parse(&path.display().to_string(), &read_text(path)?)?)
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::usage(format!("cannot read {}: {error}; check the path", path.display()))
    })?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::usage(format!("{} is not UTF-8 text; problem files are plain TOML", path.display()))
    })
}

/// A built-in problem, or a file (relative to `beside`): its document, its text, and the folder its paths start from.
fn open_problem(name: &str, beside: &Path) -> Result<(Document, String, PathBuf), Failure> {
    let is_path = name.ends_with(".toml") || name.contains(std::path::is_separator);
    if is_path || beside.join(name).is_file() {
        let path = beside.join(name);
        let text = read_text(&path)?;
        let document = Document::parse(&path.display().to_string(), &text)?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        return Ok((document, text, folder));
    }
    let text = embedded_text(name)?;
    Ok((Document::parse(&format!("{name}.toml"), text)?, text.to_owned(), PathBuf::new()))
}

/// The text of a built-in problem.
fn embedded_text(name: &str) -> Result<&'static str, Failure> {
    let known = problem::embedded();
    known.iter().find(|(known, _)| *known == name).map(|(_, text)| *text).ok_or_else(|| {
        let close = expr::closest(name, known.iter().map(|(known, _)| *known));
        let hint = close.map_or(String::new(), |close| format!("; did you mean `{close}`?"));
        Failure::usage(format!(
            "there is no built-in problem `{name}`{hint} (`pinn-solve problems` lists them; a file's name ends in .toml)"
        ))
    })
}

/// Writes to stdout; a reader that has seen enough is no error.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::unexpected(error)),
        _ => Ok(()),
    }
}

/// Shows warnings on stderr.
fn warn(warnings: &Diagnostics) {
    if !warnings.is_empty() {
        eprintln!("{}", warnings.render(color_on_stderr()).trim_end());
    }
}

fn color_on_stderr() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
