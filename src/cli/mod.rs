//! The command line: arguments in, exit codes out.
//!
//! Results go to stdout, progress and warnings to stderr.

/// Writes a line to stderr; where nobody reads it any more, the exit code still says how it went.
macro_rules! tell {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

mod check;
mod completions;
mod devices;
mod export;
mod interrupt;
mod new;
mod predict;
mod problems;
mod progress;
mod ranks;
mod report;
mod resume;
mod signal;
mod solve;
mod sweep;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use pinn::internals::auto::{self, Completed, Decision};
use pinn::internals::expr::plural;
use pinn::internals::ranks::Ranks;
use pinn::problem::{
    Adjustments, Diagnostics, Document, OpenError, Opened, Problem, embedded, open, read_text,
};

/// Solve partial differential equations with physics-informed neural networks.
///
/// Write the equation in a TOML file (or take a built-in problem: `pinn-solve problems`), run
/// `pinn-solve --problem FILE`, and get a trained network, its measured error and pictures in a folder of their own.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Exit codes: 0 done, 1 unexpected error, 2 usage or problem file, \
    3 not solved or tolerance not reached, 4 diverged, 130 interrupted.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    solve: solve::SolveArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Solve a problem: `pinn-solve solve FILE`, or `pinn-solve FILE` for short, or flags and no subcommand.
    Solve(solve::SolveCommand),
    /// Go on with a run that was interrupted.
    Resume(resume::ResumeArgs),
    /// Run every combination of some settings, and compare.
    Sweep(sweep::SweepArgs),
    /// Ask a trained network anywhere, for any formula, in any format.
    Predict(predict::PredictArgs),
    /// Write a trained network for other programs: ONNX, C, JavaScript, or weights with lines of NumPy.
    Export(export::ExportArgs),
    /// Draw and tabulate a run or a sweep again, without training anything.
    Report(report::ReportArgs),
    /// Write a problem file to start from.
    New(new::NewArgs),
    /// Print a problem as understood: equations, derivatives, conditions, points, network.
    Check(check::CheckArgs),
    /// List the built-in problems and their equations, or print one of their files.
    Problems(problems::ProblemsArgs),
    /// Show what an initialization does to signals, gradients and derivatives before any training.
    #[command(subcommand)]
    Signal(signal::SignalCommand),
    /// List the devices of this build and this machine.
    Devices,
    /// Print a completion script for a shell.
    Completions(completions::CompletionsArgs),
}

/// What to do next, for somebody who gives no arguments.
const FIRST_STEPS: &str = "\
Write a differential equation in a TOML file, and get a solution, its measured error and pictures.

  pinn-solve --problem heat        solve a built-in problem, in some seconds
  pinn-solve problems              the built-in problems and their equations
  pinn-solve new rod               write rod.toml, a commented problem to start from
  pinn-solve check rod.toml        how a file is understood, and every mistake in it
  pinn-solve --problem rod.toml    solve it; output/ gets a folder with everything

`pinn-solve --help` lists every command and flag; docs/problem-file.md is the guide to problem files.
";

/// How the program ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// All is well.
    Done = 0,
    /// Something the program did not foresee, such as a full disk.
    Unexpected = 1,
    /// Wrong arguments or a mistake in a problem file.
    Usage = 2,
    /// The answer is not the solution, or a tolerance was asked for and not reached.
    NotSolved = 3,
    /// The loss became infinite or NaN.
    Diverged = 4,
    /// Ctrl-C or a termination signal.
    Interrupted = 130,
}

impl Exit {
    /// The end that this code stands for.
    fn from_code(code: u32) -> Self {
        let known = [Self::Done, Self::Usage, Self::NotSolved, Self::Diverged, Self::Interrupted];
        known.into_iter().find(|exit| *exit as u32 == code).unwrap_or(Self::Unexpected)
    }
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

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Wrong(diagnostics) => diagnostics.into(),
            error => Self::usage(error),
        }
    }
}

/// The arguments; a problem where a command is expected is one to solve.
pub(crate) fn arguments() -> Vec<OsString> {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    let is_problem = |word: &str| word.ends_with(".toml") || embedded().iter().any(|(name, _)| *name == word);
    if arguments.get(1).and_then(|first| first.to_str()).is_some_and(is_problem) {
        arguments.insert(1, "solve".into());
    }
    arguments
}

/// Runs the command that the arguments name.
pub(crate) fn run() -> Exit {
    interrupt::listen();
    ranks::together(|ranks| {
        let read = Cli::try_parse_from(arguments());
        let same = ranks::same_command(ranks, read.as_ref().map_or(0, Cli::shares));
        match read {
            Ok(cli) => command(cli, same, ranks),
            Err(wrong) => {
                if ranks.leads() || same.is_err() {
                    // Where nobody reads it any more, the exit code still says how it went.
                    let _ = wrong.print();
                }
                if wrong.use_stderr() { Exit::Usage } else { Exit::Done }
            }
        }
    })
}

impl Cli {
    /// What ranks compute together: 1 and 2 are commands of which each has a part, those of rank 0 alone are 3.
    fn shares(&self) -> u32 {
        match self.command {
            Some(Command::Resume(_)) => 2,
            Some(Command::Solve(_)) => 1,
            None if std::env::args_os().len() > 1 => 1,
            _ => 3,
        }
    }
}

/// Every failure is rendered here.
fn command(cli: Cli, same: Result<(), Failure>, ranks: &Ranks) -> Exit {
    let result = same.and_then(|()| match cli.command {
        None if std::env::args_os().len() > 1 => solve::run(None, &cli.solve, ranks),
        Some(Command::Solve(args)) => solve::run(args.file.as_deref(), &args.solve, ranks),
        Some(Command::Resume(args)) => resume::run(&args, ranks),
        // Of the rest nothing is shared out.
        _ if !ranks.leads() => {
            // A signal is for rank 0 to hear: a rank that left at once would take the job with it.
            interrupt::wait_for_me();
            Ok(Exit::Done)
        }
        None => print(FIRST_STEPS).map(|()| Exit::Done),
        Some(Command::Sweep(args)) => sweep::run(&args),
        Some(Command::Predict(args)) => predict::run(&args),
        Some(Command::Export(args)) => export::run(&args),
        Some(Command::Report(args)) => report::run(&args),
        Some(Command::New(args)) => new::run(&args),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Problems(args)) => problems::run(&args),
        Some(Command::Signal(command)) => signal::run(&command),
        Some(Command::Devices) => devices::run(),
        Some(Command::Completions(args)) => completions::run(&args),
    });
    result.unwrap_or_else(|failure| {
        if ranks.leads() && !failure.message.is_empty() {
            tell!("{}", failure.message.trim_end());
        }
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
    /// tanh, erf, arctan, gd, softsign_1, softsign_2, sin, silu, gelu, softplus, gaussian, or a positive sum such as
    /// "tanh + 0.5*erf(2*x)".
    #[arg(long, value_name = "F")]
    activation: Option<String>,
    /// How weights are drawn: proposed, eoc, xavier, xavier-uniform, he, siren, continuous-depth.
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
    /// How much work to spend where the file states no stages: quick (about 10 s), normal (a minute at most), thorough
    /// (ten minutes at most).
    #[arg(long, value_name = "EFFORT")]
    effort: Option<String>,
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
        let Opened { mut document, text, folder } = open(&name, beside)?;
        if let Some(config) = config {
            document.overlay(config);
        }
        for change in &self.set {
            let (key, value) = change.split_once('=').ok_or_else(|| {
                Failure::usage(format!("--set {change}: write KEY=VALUE, such as --set parameters.nu=0.02"))
            })?;
            document.set(key.trim(), value.trim())?;
        }
        for (name, value) in self.flags() {
            document.change(name, &value)?;
        }
        let Completed { mut problem, decisions, advice: mut warnings } = auto::complete(&document, &folder)?;
        // Whether there is one answer is asked of the file as it is written, before anything is decided for it.
        let (written, _) = document.build(&folder)?;
        warnings.append(document.doubts(&written));
        let Self { points, lr, steps, .. } = *self;
        Adjustments { points, lr, steps }
            .apply(&mut problem)
            .map_err(|wrong| Failure::usage(format!("--{wrong}")))?;
        Ok(Loaded { problem, decisions, text, warnings })
    }

    /// Flags that are a key of the problem file under another name.
    fn flags(&self) -> Vec<(&'static str, String)> {
        let quoted = |text: &String| format!("{text:?}");
        [
            ("scale", self.scale.map(|x| format!("{x:?}"))),
            ("activation", self.activation.as_ref().map(quoted)),
            ("init", self.init.as_ref().map(quoted)),
            ("depth", self.depth.map(|n| n.to_string())),
            ("width", self.width.map(|n| n.to_string())),
            ("precision", self.precision.as_ref().map(quoted)),
            ("effort", self.effort.as_ref().map(quoted)),
            ("seed", self.seed.map(|n| n.to_string())),
            ("tolerance", self.tolerance.map(|x| format!("{x:?}"))),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// A problem ready to be solved.
struct Loaded {
    problem: Problem,
    /// What the file left open.
    decisions: Vec<Decision>,
    /// The problem file's text.
    text: String,
    warnings: Diagnostics,
}

fn read_document(path: &Path) -> Result<Document, Failure> {
    Ok(Document::parse(&path.display().to_string(), &read_text(path)?)?)
}

/// `1 point`, `2 points`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {}", plural(count, noun))
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
        tell!("{}", warnings.render(color_on_stderr()).trim_end());
    }
}

fn color_on_stderr() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
