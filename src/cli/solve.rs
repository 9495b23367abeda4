//! `pinn-solve --problem …`: train, measure, draw.

use std::fmt::Write as _;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::sync::atomic::Ordering;

use clap::Args;
use pinn::internals::expr::Digits;
use pinn::internals::limits::MAX_THREADS;
use pinn::internals::ranks::Ranks;
use pinn::internals::run::{RunDirectory, RunError, RunOutcome, RunResult, RunSettings};
use pinn::internals::solve::{Settings, SolveError, Solver};
use pinn::internals::train::Event;
use pinn::internals::verdict::{self, Word};
use pinn::problem::{Condition, Problem};
use pinn::settings::{Init, Precision, Stage};

use super::interrupt;
use super::progress::Progress;
use super::ranks;
use super::{Exit, Failure, ProblemArgs, counted, print, warn};

#[derive(Args)]
pub(crate) struct SolveArgs {
    #[command(flatten)]
    problem: ProblemArgs,
    #[command(flatten)]
    compute: ComputeArgs,
    /// The run's folder, which must not exist [default: output/<problem>-<time>].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    show: ShowArgs,
}

#[derive(Args)]
pub(crate) struct SolveCommand {
    /// A built-in problem's name, or the path of a problem file.
    #[arg(value_name = "NAME|FILE", conflicts_with = "problem")]
    pub(super) file: Option<String>,
    #[command(flatten)]
    pub(super) solve: SolveArgs,
}

/// Where to compute.
#[derive(Args)]
pub(super) struct ComputeArgs {
    /// Threads of the engine; results do not depend on them [default: all cores].
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Where to compute: cpu, cuda[:i], flex, libtorch, libtorch-cuda[:i], vulkan[:i] (`pinn-solve devices` says what is there)
    /// [default: cpu].
    #[arg(long)]
    pub(super) device: Option<String>,
    /// Points that go through a Burn device at once [default: the device's own choice].
    #[arg(long, value_name = "N")]
    pub(super) chunk: Option<usize>,
}

/// What to show, and draw.
#[derive(Args)]
pub(super) struct ShowArgs {
    /// Print result.json on stdout, and nothing else.
    #[arg(long)]
    pub(super) json: bool,
    /// No progress, no warnings, no summary.
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Draw no pictures, and write no page.
    #[arg(long)]
    pub(super) no_plots: bool,
    /// Solve a second time, by another seed and a wider network, and say how far the two solutions are apart.
    #[arg(long)]
    pub(super) estimate: bool,
    /// Exit with 0 though the answer is called not solved.
    #[arg(long)]
    pub(super) accept: bool,
}

impl ComputeArgs {
    /// As the library takes it; what no flag says is as in `begun`.
    pub(super) fn settings(&self, begun: RunSettings, ranks: &Ranks) -> Result<Settings, Failure> {
        let threads = match self.threads {
            None => (cores() / ranks.on_this_machine()).max(1),
            asked => threads(asked)?,
        };
        let RunSettings { device, chunk, plots, page, quiet, estimate } = begun;
        let device = self.device.clone().unwrap_or(device);
        let (chunk, ranks) = (self.chunk.or(chunk), ranks.clone());
        if chunk == Some(0) {
            return Err(Failure::usage(
                "--chunk 0: at least one point has to go through; leave it out for the device's own choice",
            ));
        }
        Ok(Settings { device, threads, chunk, plots, page, quiet, estimate, ranks })
    }
}

impl ShowArgs {
    pub(super) fn silent(&self) -> bool {
        self.quiet || self.json
    }
}

/// As many threads as were asked for, or else as there are cores.
pub(super) fn threads(asked: Option<usize>) -> Result<usize, Failure> {
    match asked {
        Some(threads) if !(1..=MAX_THREADS).contains(&threads) => {
            Err(Failure::usage(format!("--threads {threads}: from 1 to {MAX_THREADS} can be had")))
        }
        Some(threads) => Ok(threads),
        None => Ok(cores()),
    }
}

/// Cores that this process may use.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl From<SolveError> for Failure {
    fn from(error: SolveError) -> Self {
        match error {
            SolveError::Init(_)
            | SolveError::Engine(_)
            | SolveError::Windows(_)
            | SolveError::Method { .. } => Self::usage(error),
            SolveError::Run(error) => error.into(),
            SolveError::Problem(diagnostics) => diagnostics.into(),
            SolveError::Report(_) | SolveError::Output(_) => Self::unexpected(error),
            SolveError::Trained(error) => error.into(),
            SolveError::Diverged(_) => Self { exit: Exit::Diverged, message: format!("error: {error}") },
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Io { .. } => Self::unexpected(error),
            error => Self::usage(error),
        }
    }
}

pub(crate) fn run(file: Option<&str>, args: &SolveArgs, ranks: &Ranks) -> Result<Exit, Failure> {
    let (mut solver, text) = ranks::agree(ranks, prepare(file, args, ranks))?;
    ranks::compare(ranks, solver.fingerprint())?;
    let name = &solver.problem().name;
    let create = || match &args.out {
        Some(path) => RunDirectory::create(path),
        None => RunDirectory::create_in(Path::new("output"), &format!("{name}-{}", timestamp())),
    };
    let another = || RunDirectory::of_another(Path::new(""));
    let directory = ranks::lead(ranks, || Ok(create()?), another)?;
    let path = directory.path().to_owned();
    finish(&mut solver, &path, &args.show, ranks, |solver, watch| {
        solver.run(directory, &text, ranks.stop(interrupt::asked()), watch)
    })
}

/// The problem with all that trains it, and the text of its file.
fn prepare(file: Option<&str>, args: &SolveArgs, ranks: &Ranks) -> Result<(Solver, String), Failure> {
    let loaded = args.problem.load(file)?;
    let silent = args.show.silent() || !ranks.leads();
    if !silent {
        warn(&loaded.warnings);
    }
    let ShowArgs { quiet, no_plots, estimate, .. } = args.show;
    let plots = !no_plots;
    let settings = RunSettings { plots, page: plots, quiet, estimate, ..RunSettings::default() };
    let solver = Solver::new(loaded.problem, args.compute.settings(settings, ranks)?)?;
    if let Some(warning) = solver.warning().filter(|_| !silent) {
        tell!("warning: {warning}");
    }
    Ok((solver, loaded.text))
}

/// Trains with a progress bar; then the summary and the exit code.
pub(super) fn finish(
    solver: &mut Solver,
    path: &Path,
    show: &ShowArgs,
    ranks: &Ranks,
    train: impl FnOnce(&mut Solver, &mut dyn FnMut(&Event)) -> Result<RunResult, SolveError>,
) -> Result<Exit, Failure> {
    let problem = solver.problem();
    let heading = format!("{}: {}", problem.name, problem.title);
    let network = solver.describe();
    let silent = show.silent() || !ranks.leads();
    if !silent {
        tell!("{heading}\n  {network}");
    }
    let stages = problem.training.stages.clone();
    let windows = problem.training.windows.count();
    let steps = windows * stages.iter().map(Stage::steps).sum::<usize>();
    let mut progress = Progress::new(steps, silent);
    interrupt::wait_for_me();
    let result = train(solver, &mut |event| {
        if matches!(event, Event::Ended) {
            if ranks.stop(interrupt::asked()).load(Ordering::Relaxed) {
                interrupt::heard_elsewhere();
            }
            let command = resume_command(path);
            let last_words = format!("interrupted after training; `{command}` says what the answer is worth");
            interrupt::end_at_once(if ranks.leads() { last_words } else { String::new() });
        }
        progress.observe(event, &stages, windows);
    });
    progress.finish();
    let result = result.map_err(|error| ranks::give_up(ranks, error.into()))?;
    if !ranks.leads() {
        return exit(solver.problem(), &result, show.accept);
    }
    if show.json {
        print(&result.to_json())?;
    } else if !show.quiet {
        print(&summary(solver.problem(), &result, &network, path))?;
    }
    exit(solver.problem(), &result, show.accept)
}

/// The exit code, and what to say where training did not end well.
fn exit(problem: &Problem, result: &RunResult, accept: bool) -> Result<Exit, Failure> {
    let tolerance = problem.training.tolerance;
    match result.outcome {
        RunOutcome::Done if result.verdict == Some(Word::NotSolved) && !accept => Err(Failure {
            exit: Exit::NotSolved,
            message: format!(
                "error: not solved: {}; --accept takes the answer as it is",
                result.verdict_reason.as_deref().unwrap_or_default()
            ),
        }),
        RunOutcome::Done => Ok(Exit::Done),
        RunOutcome::Interrupted => Ok(Exit::Interrupted),
        RunOutcome::ToleranceNotReached => {
            let reached = result.error().unwrap_or(result.loss.total);
            Err(Failure {
                exit: Exit::NotSolved,
                message: format!(
                    "error: the tolerance {tolerance:e} was not reached (got {reached:.2e}); \
                     try more --steps, more --points or a wider network"
                ),
            })
        }
        RunOutcome::Diverged => Err(Failure {
            exit: Exit::Diverged,
            message: format!(
                "error: training diverged: {}; try {}",
                result.reason.as_deref().unwrap_or("a number became infinite"),
                advice(problem, result.steps)
            ),
        }),
    }
}

/// What may help a training that diverged after `steps` steps, and is not done already.
fn advice(problem: &Problem, steps: usize) -> String {
    let mut ways = vec![];
    if steps <= 1 {
        // Nothing was learned yet: the equation cannot be computed where the network begins, near zero.
        ways.push("an ansatz near the expected values, such as `u = \"300 + 10*net\"`, or other units");
    } else if problem.training.stages.iter().any(|stage| matches!(stage, Stage::Adam(_))) {
        ways.push("a smaller --lr");
    }
    if problem.training.precision != Precision::F64 {
        ways.push("--precision f64");
    }
    if problem.all_networks().iter().any(|one| one.network.init != Init::Proposed) {
        ways.push("--init proposed");
    }
    if ways.is_empty() {
        ways.push("other units, so that unknowns and residuals are of order 1");
    }
    ways.join(", or ")
}

/// What a person wants to know at the end.
fn summary(problem: &Problem, result: &RunResult, network: &str, path: &Path) -> String {
    let mut text = format!("{}: {}\n", problem.name, problem.title);
    let mut line = |label: &str, content: String| {
        let _ = writeln!(text, "  {label:9} {content}");
    };
    line("network", network.to_owned());
    let speed = result.step_ms.map_or(String::new(), |ms| format!(", {ms:.2} ms a step in the median"));
    let outcome = result.outcome.name().replace('-', " ");
    let steps = counted(result.steps, "step");
    line("training", format!("{outcome} after {steps} in {:.1} s{speed}", result.seconds));
    for stage in &result.stages {
        let window = stage.window.map_or(String::new(), |window| format!("window {window}: "));
        if let Some(first) = stage.breakdowns.first() {
            let times = counted(stage.breakdowns.len(), "time");
            line("", format!("{window}{} broke down {times}; first, {first}", stage.name));
        }
        if let Some(reason) = stage.stopped {
            let steps = counted(stage.steps, "step");
            line("", format!("{window}{} stopped after {steps}: {reason}", stage.name));
        }
    }
    // In the problem's order; the result's own is that of the alphabet.
    let trained = problem.conditions.iter().filter(|condition| !condition.is_exact());
    let conditions: Vec<_> = trained.map(|condition| &condition.name).collect();
    let terms = conditions.iter().map(|&name| format!("{name} {:.2e}", result.loss.terms[name]));
    line("loss", format!("{:.3e} ({})", result.loss.total, terms.collect::<Vec<_>>().join(", ")));
    if problem.conditions.iter().any(Condition::is_scaled) {
        let weighted = problem.conditions.iter().map(|c| c.weight * result.loss.unscaled[&c.name]);
        let terms = conditions.iter().map(|&name| format!("{name} {:.2e}", result.loss.unscaled[name]));
        let terms = terms.collect::<Vec<_>>().join(", ");
        line("", format!("{:.3e} in the file's own units ({terms})", weighted.sum::<f64>()));
    }
    let unknowns = problem.unknowns.iter().map(|unknown| &unknown.name);
    for (name, errors) in unknowns.filter_map(|name| Some((name, result.unknowns.get(name)?))) {
        let error = match errors.rel_l2 {
            Some(error) => format!("relative L2 error {error:.3e}"),
            None => format!(
                "error {:.3e} (rms; its reference is zero where it is measured, which nothing is relative to)",
                errors.rms_error
            ),
        };
        line(name, format!("{error}, greatest error {:.3e}", errors.max_error));
    }
    for (name, band) in &result.bands {
        let (least, most) =
            band.standard_error.iter().fold((f64::MAX, 0.0_f64), |(a, b), &x| (a.min(x), b.max(x)));
        line(
            name,
            format!(
                "standard error {least:.1e} to {most:.1e} along {}, by the noise in the data",
                band.along
            ),
        );
    }
    if result.unknowns.is_empty() {
        line("error", "unknown: the problem has no reference solution; judge by the residuals below".into());
    }
    let trainable = problem.trainable.iter().map(|trainable| &trainable.name);
    for (name, found) in trainable.filter_map(|name| Some((name, result.trainable.get(name)?))) {
        let truth = found.truth.zip(found.rel_error);
        let truth = truth.map_or(String::new(), |(truth, error)| {
            format!(", truly {}, relative error {error:.2e}", Digits(truth))
        });
        let text = if found.determined == Some(false) {
            format!(
                "not determined by equations and data; training left it at {}{truth}",
                six_digits(found.value)
            )
        } else {
            format!("found to be {}{truth}", with_error(found.value, found.standard_error, found.shift))
        };
        line(name, text);
    }
    for (name, layers) in &result.scales {
        let each = layers.iter().map(|layer| match &layer[..] {
            [scale] => six_digits(*scale).to_string(),
            all => {
                let (least, most) = all.iter().fold((f64::MAX, f64::MIN), |(a, b), &x| (a.min(x), b.max(x)));
                format!("{} to {}", six_digits(least), six_digits(most))
            }
        });
        let of = if name == "network" { String::new() } else { format!("of {name}, ") };
        line("scale", format!("{of}trained to {}", each.collect::<Vec<_>>().join(", ")));
    }
    for found in &result.combinations {
        let value = with_error(found.value, found.standard_error, found.shift);
        line("together", format!("{} = {value}", found.formula));
    }
    for (name, residual) in conditions.iter().map(|&name| (name, &result.residuals[name])) {
        let at: Vec<_> =
            problem.coordinates.iter().map(|c| format!("{} = {:.4}", c.name, residual.at[&c.name])).collect();
        line(
            "residual",
            format!(
                "{name} {:.2e} of its terms {}{}: {:.2e}, greatest {:.2e} at {}",
                residual.relative,
                residual.sites.words(),
                match residual.noise {
                    Some(true) => ", like noise",
                    Some(false) => ", not like noise",
                    None => "",
                },
                residual.rms,
                residual.max,
                at.join(", ")
            ),
        );
    }
    if let Some(word) = result.verdict {
        let zeros = result.zeros.iter().map(|(name, error)| (&name[..], *error));
        let reason = result.verdict_reason.as_deref().unwrap_or_default();
        line("verdict", verdict::line(word, result.estimated_error, zeros, reason));
        if let Some(difference) = result.difference {
            line("", format!("a second solution differs by {difference:.0e}"));
        }
        if let Some(said) = result.contradiction() {
            line("", said);
        }
        if !result.advice.is_empty() {
            line("", format!("try {}", result.advice.join(", or ")));
        }
    }
    line("files", path.display().to_string());
    for (i, command) in next_commands(problem, result, path).into_iter().enumerate() {
        line(if i == 0 { "next" } else { "" }, command);
    }
    text
}

/// Coordinates up to which a point is written out in a command.
const MOST_WRITTEN: usize = 8;

/// The commands that go on from a run's end; none where there is nothing to go on from.
fn next_commands(problem: &Problem, result: &RunResult, path: &Path) -> Vec<String> {
    match result.outcome {
        RunOutcome::Interrupted => vec![resume_command(path)],
        RunOutcome::Diverged => vec![],
        RunOutcome::Done | RunOutcome::ToleranceNotReached => {
            let path = quoted(&path.display().to_string());
            let named = problem.coordinates.iter().zip(problem.middle());
            let at: Vec<_> = named.map(|(c, x)| format!("{}={}", c.name, Digits(x))).collect();
            let place = if at.len() > MOST_WRITTEN {
                "--points FILE".to_owned()
            } else {
                format!("--at {}", at.join(","))
            };
            let mut commands = vec![format!("pinn-solve predict {path} {place}")];
            if !result.files.iter().any(|file| file.ends_with(".png")) {
                commands.insert(0, format!("pinn-solve report {path}"));
            }
            commands
        }
    }
}

/// The command that goes on with the run in `path`.
fn resume_command(path: &Path) -> String {
    format!("pinn-solve resume {}", quoted(&path.display().to_string()))
}

/// `text` as one word of a shell's command line.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == MAIN_SEPARATOR || "-_./=:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A value that was found, its standard error, and whether training is not at its end.
fn with_error(value: f64, standard_error: Option<f64>, shift: Option<f64>) -> String {
    let value = match standard_error {
        Some(error) if error > 0.0 && error.is_finite() && value.is_finite() => to_its_error(value, error),
        _ => six_digits(value).to_string(),
    };
    let unfinished = shift.zip(standard_error).filter(|(shift, error)| shift.abs() > 0.5 * error);
    let unfinished = unfinished.map_or(String::new(), |(shift, _)| {
        format!(" (training is not at its end: one more step would move it by {shift:.1e})")
    });
    format!("{value}{unfinished}")
}

/// A number and its error, both down to the second digit of the error: `0.0103 ± 0.0012`.
fn to_its_error(value: f64, error: f64) -> String {
    let magnitude = |x: f64| x.abs().log10().floor() as i32;
    let last = magnitude(error) - 1;
    if (-8..=0).contains(&last) && value.abs() < 1e6 {
        let decimals = last.unsigned_abs() as usize;
        return format!("{value:.decimals$} ± {error:.decimals$}");
    }
    let digits = (magnitude(value.abs().max(error)) - last).clamp(1, 15) as usize;
    format!("{value:.digits$e} ± {error:.1e}")
}

/// A number of which nothing is known but itself.
fn six_digits(value: f64) -> Digits {
    Digits(format!("{value:.5e}").parse().unwrap_or(value))
}

/// UTC as `20261124T015500`.
pub(super) fn timestamp() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_written_as_far_as_it_is_known() {
        let check = |value: f64, error: Option<f64>, expected: &str| {
            assert_eq!(with_error(value, error, None), expected);
        };
        check(1.296_580_4, None, "1.29658");
        check(1.296_580_4, Some(3.14e-4), "1.29658 ± 0.00031");
        check(0.012_345, Some(0.0), "0.012345");
        check(-0.5, Some(0.02), "-0.500 ± 0.020");
        check(1234.5, Some(56.0), "1234 ± 56");
        check(0.3, Some(500.0), "3.0e-1 ± 5.0e2");
        check(3.2e-9, Some(1.5e-11), "3.200e-9 ± 1.5e-11");
        check(2.5e12, Some(3e9), "2.5000e12 ± 3.0e9");
        check(0.0, Some(0.1), "0.00 ± 0.10");
        check(6.62e-34, None, "6.62e-34");
        check(f64::NAN, Some(0.1), "NaN");
    }
}
