//! `pinn-solve predict RUN`: a trained network asked anywhere, for any formula, in any format.

use std::ffi::OsStr;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Args;
use pinn::internals::expr::listed;
use pinn::internals::output::{self, Format, OutputError, WriteNumbers, WriteSeries};
use pinn::internals::points::{Points, Wanted};
use pinn::internals::predict::{self, Answered, PredictError};
use pinn::internals::run::{RunOutcome, is_run_file, make_folder, write_as_it_comes, write_whole};
use pinn::internals::trained::{Quantity, Trained, TrainedError};
use pinn::problem::Problem;

use super::interrupt;
use super::solve::threads;
use super::{Exit, Failure, counted, print};

#[derive(Args)]
#[command(after_help = "Examples:\n  \
    pinn-solve predict RUN --at x=0.3,t=0.5 --quantity u --quantity u_xx\n  \
    pinn-solve predict RUN --grid x=256,t=0:1:100 --to field.npz\n  \
    pinn-solve predict RUN --points mesh.vtu --at t=0.5 --quantity 'flux = -k*u_x' --to flux.vtu\n  \
    pinn-solve predict RUN --integral u --over 't = 0.5'\n\
    docs/predict.md is the guide.")]
pub(crate) struct PredictArgs {
    /// The run's folder; the run may be finished, interrupted, or still at work.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// A point, such as x=0.3,t=0.5; beside --grid or --points, values of the coordinates that these leave out.
    #[arg(long, value_name = "x=X,…", allow_hyphen_values = true)]
    at: Vec<String>,
    /// A grid: how many values of each coordinate over its domain, or from:to:count.
    #[arg(long, value_name = "x=N,t=A:B:N,…", conflicts_with = "points", allow_hyphen_values = true)]
    grid: Option<String>,
    /// Points of the grid's lines where a formula is zero, or where one of the file's [contours] is, by its name.
    #[arg(long, value_name = "FORMULA", requires = "grid", allow_hyphen_values = true)]
    contour: Option<String>,
    /// The coordinate along which the points of --contour are looked for [default: the first].
    #[arg(long, value_name = "NAME", requires = "contour")]
    along: Option<String>,
    /// Points from a .csv (header in any order), .npy, .vtu or .vtk file; `-` reads CSV from standard input.
    #[arg(long, value_name = "FILE")]
    points: Option<PathBuf>,
    /// What to compute: a formula such as u_x, with a name if you like (flux = -k*u_x), or the name of a condition for its
    /// residual [default: all unknowns].
    #[arg(long, value_name = "FORMULA", allow_hyphen_values = true)]
    quantity: Vec<String>,
    /// Integrate a formula, with its error.
    #[arg(
        long,
        value_name = "FORMULA",
        conflicts_with_all = ["at", "grid", "points", "quantity"],
        allow_hyphen_values = true
    )]
    integral: Vec<String>,
    /// What to integrate over: `interior`, `boundary`, or where coordinates have fixed values, such as "x = 1"
    /// [default: interior].
    #[arg(long, value_name = "PLACE")]
    over: Option<String>,
    /// Write to a file; its ending chooses the format: csv, json, npy, npz, vti, vtu, pvd [default: CSV on stdout].
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Overwrite the file if it exists.
    #[arg(long, requires = "to")]
    force: bool,
    /// Threads of the engine; results do not depend on them [default: all cores].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// No warnings and no summary.
    #[arg(long, short)]
    quiet: bool,
}

impl From<TrainedError> for Failure {
    fn from(error: TrainedError) -> Self {
        match error {
            TrainedError::Run(error) => error.into(),
            TrainedError::Problem(diagnostics) => diagnostics.into(),
            error => Self::usage(error),
        }
    }
}

impl From<PredictError> for Failure {
    fn from(error: PredictError) -> Self {
        match error {
            PredictError::Trained(error) => error.into(),
            PredictError::Formula(diagnostics) => diagnostics.into(),
            error => Self::usage(error),
        }
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Io(_) | OutputError::Report(_) => Self::unexpected(error),
            OutputError::Interrupted => Self { exit: Exit::Interrupted, message: error.to_string() },
            error => Self::usage(error),
        }
    }
}

pub(crate) fn run(args: &PredictArgs) -> Result<Exit, Failure> {
    if let (Some(over), true) = (&args.over, args.integral.is_empty()) {
        return Err(Failure::usage(format!(
            "--over says what to integrate over, and there is no --integral: write --integral FORMULA --over \"{over}\""
        )));
    }
    let mut trained = Trained::load_on(&args.run, threads(args.threads)?)?;
    args.to.as_deref().map_or(Ok(()), |to| refuse_own(to, &args.run))?;
    if !args.quiet {
        say_state(&trained);
    }
    if !args.integral.is_empty() {
        return integrate(args, &mut trained);
    }
    let quantity = quantity(&trained, &args.quantity)?;
    let mut asked = Asked::new(args, &trained, &quantity)?;
    if let Some(text) = &args.contour {
        asked.keep_zeros(&mut trained, text, args.along.as_deref())?;
    }
    let answered = match &args.to {
        None => to_stdout(&mut trained, &quantity, &asked)?,
        Some(path) => to_file(&mut trained, &quantity, &asked, path, args.force)?,
    };
    if !args.quiet {
        say(&answered, trained.problem().geometry.is_some(), args.to.as_deref());
        for text in &args.quantity {
            if let Some(change) = trained.quadrature(text).filter(|change| *change > COARSE) {
                let much = if change < 1.0 {
                    format!("{:.2} %", 100.0 * change)
                } else {
                    "all that it is".to_owned()
                };
                tell!(
                    "warning: with other nodes, `{text}` changes by {much}: its integrals have too few; --integral FORMULA \
                     --over PLACE takes as many as it needs"
                );
            }
        }
    }
    Ok(Exit::Done)
}

/// The relative change by other nodes from which on integrals are said to be coarse.
const COARSE: f64 = 1e-4;

/// Notes that the network is not what training ended with.
pub(super) fn say_state(trained: &Trained) {
    let steps = trained.steps();
    match trained.outcome() {
        None => tell!("note: the run has not ended; this is its network after {}", counted(steps, "step")),
        Some(RunOutcome::Interrupted) => {
            tell!("note: the run was interrupted; this is its network after {}", counted(steps, "step"));
        }
        Some(RunOutcome::Diverged) => tell!("warning: the run diverged; this is the best network it had"),
        Some(RunOutcome::Done | RunOutcome::ToleranceNotReached) => {}
    }
    for damaged in trained.damaged() {
        tell!("warning: {damaged}");
    }
}

fn say(answered: &Answered, shapes: bool, to: Option<&Path>) {
    let Answered { points, outside } = *answered;
    if outside > 0 {
        let lie = match outside {
            1 if points == 1 => "the point lies".to_owned(),
            1 => format!("1 of {} lies", counted(points, "point")),
            all if all == points => format!("all {} lie", counted(points, "point")),
            some => format!("{some} of {} lie", counted(points, "point")),
        };
        let there =
            if shapes { "where nothing has a value (NaN)" } else { "where the network has learned nothing" };
        tell!("warning: {lie} outside the domain, {there}");
    }
    if let Some(path) = to {
        tell!("{} written to {}", counted(points, "point"), path.display());
    }
}

/// All that is asked for at a point.
fn quantity(trained: &Trained, texts: &[String]) -> Result<Quantity, Failure> {
    if texts.is_empty() {
        return Ok(trained.unknowns());
    }
    let each = texts.iter().map(|text| trained.quantity(text)).collect::<Result<Vec<_>, _>>()?;
    let all = Quantity::all(&each);
    let names = all.names();
    match names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        None => Ok(all),
        Some((_, name)) => Err(Failure::usage(format!(
            "two quantities are called `{name}`; give one of them a name of its own: --quantity \"other = {name}\""
        ))),
    }
}

/// Where the network is asked.
struct Asked<'a> {
    place: Place<'a>,
    /// What a point consists of, and the values of coordinates that the place leaves out.
    wanted: Wanted,
    /// The times of a series.
    times: Vec<f64>,
}

enum Place<'a> {
    Listed(Vec<f64>),
    Grid(Vec<Vec<f64>>),
    File(&'a Path),
}

impl<'a> Asked<'a> {
    fn new(args: &'a PredictArgs, trained: &Trained, quantity: &Quantity) -> Result<Self, Failure> {
        let (problem, language) = (trained.problem(), trained.language());
        let at = args.at.iter().map(|text| predict::values(language, problem, text));
        let mut at = at.collect::<Result<Vec<_>, _>>()?;
        let no_value = |names: &[String]| {
            let (names, first) = (listed(names), &names[0]);
            Failure::usage(format!(
                "there is no value for {names}; fix what is left out, for example --at {first}=0.5"
            ))
        };
        let unfixed = || predict::wanted(problem, vec![None; problem.coordinates.len()], quantity);
        if let Some(path) = &args.points {
            let (fixed, times) = fixed(problem, &at)?;
            let wanted = predict::wanted(problem, fixed, quantity);
            return Ok(Self { place: Place::File(path), wanted, times });
        }
        if !quantity.columns().is_empty() {
            let columns = listed(quantity.columns());
            return Err(Failure::usage(format!(
                "the residual needs {columns} with the points: give a file that has it, with --points"
            )));
        }
        if let Some(text) = &args.grid {
            if at.len() > 1 {
                return Err(Failure::usage(
                    "beside --grid there is one --at, for the coordinates that the grid leaves out; several values of one \
                     are an axis, such as t=0:1:11",
                ));
            }
            let mut axes = predict::axes(language, problem, text)?;
            for (i, x) in at.iter().flatten().enumerate() {
                let Some(x) = *x else { continue };
                if axes[i].is_some() {
                    let name = &problem.coordinates[i].name;
                    return Err(Failure::usage(format!(
                        "`{name}` is in --grid and in --at: leave one of them out"
                    )));
                }
                axes[i] = Some(vec![x]);
            }
            predict::fill(problem, quantity, &mut axes, |x| vec![x]);
            let missing = predict::missing(problem, &axes);
            if !missing.is_empty() {
                return Err(no_value(&missing));
            }
            let axes: Vec<_> = axes.into_iter().flatten().collect();
            let times = predict::time(problem).map_or(vec![], |t| axes[t].clone());
            return Ok(Self { place: Place::Grid(axes), wanted: unfixed(), times });
        }
        if at.is_empty() {
            return Err(Failure::usage(
                "say where: --at x=0.3,…, --grid x=256,…, --points FILE, or --integral FORMULA (`predict --help` has examples)",
            ));
        }
        at.iter_mut().for_each(|at| predict::fill(problem, quantity, at, |x| x));
        if let Some(missing) =
            at.iter().map(|at| predict::missing(problem, at)).find(|names| !names.is_empty())
        {
            return Err(no_value(&missing));
        }
        let rows = at.into_iter().flatten().flatten().collect();
        Ok(Self { place: Place::Listed(rows), wanted: unfixed(), times: vec![] })
    }

    /// In place of the grid those points between neighbours of it at which the formula `text` is zero.
    fn keep_zeros(&mut self, trained: &mut Trained, text: &str, along: Option<&str>) -> Result<(), Failure> {
        let Place::Grid(axes) = &self.place else { return Ok(()) };
        let names = &self.wanted.coordinates;
        let along = match along {
            None => axes.iter().position(|axis| axis.len() > 1).unwrap_or(0),
            Some(name) => names.iter().position(|known| known == name).ok_or_else(|| {
                Failure::usage(format!("`{name}` is not a coordinate; the coordinates are {}", listed(names)))
            })?,
        };
        if axes[along].len() < 2 {
            let name = &names[along];
            return Err(Failure::usage(format!(
                "a contour lies between values of `{name}`: give --grid more than one of them, such as {name}=201"
            )));
        }
        let contours = &trained.problem().written.contours;
        let known = contours.iter().find(|(name, _)| name == text.trim());
        let quantity = trained.quantity(known.map_or(text, |(_, formula)| formula))?;
        if quantity.names().len() > 1 || !quantity.columns().is_empty() {
            return Err(Failure::usage("--contour takes one formula of coordinates and unknowns"));
        }
        let zeros = predict::zeros(trained, &quantity, axes, along)?;
        if zeros.is_empty() {
            return Err(Failure::usage(format!(
                "`{text}` has one sign at all points of the grid: take a finer one"
            )));
        }
        (self.place, self.times) = (Place::Listed(zeros), vec![]);
        Ok(())
    }

    /// All points, or those of one time of a series.
    fn points(&self, time: Option<f64>) -> Result<Points, Failure> {
        let mut wanted = self.wanted.clone();
        let coordinates = wanted.coordinates.clone();
        let moment = wanted.time.zip(time);
        Ok(match &self.place {
            Place::Listed(rows) => Points::listed(coordinates, rows.clone()),
            Place::Grid(axes) => {
                let mut axes = axes.clone();
                if let Some((t, time)) = moment {
                    axes[t] = vec![time];
                }
                Points::grid(coordinates, axes).map_err(Failure::usage)?
            }
            Place::File(path) => {
                if let Some((t, time)) = moment {
                    wanted.fixed[t] = Some(time);
                }
                if *path == Path::new("-") {
                    Points::from_csv("standard input", std::io::stdin(), wanted).map_err(Failure::usage)?
                } else {
                    Points::open(path, wanted).map_err(Failure::usage)?
                }
            }
        })
    }

    /// All points, where they go into one file.
    fn all_points(&self) -> Result<Points, Failure> {
        if self.times.len() > 1 && !matches!(self.place, Place::Grid(_)) {
            return Err(Failure::usage(
                "several --at beside --points are the times of a series: --to NAME.pvd",
            ));
        }
        self.points(None)
    }
}

/// The values that `--at` beside a file fixes, and the times in which several of them differ.
fn fixed(problem: &Problem, at: &[Vec<Option<f64>>]) -> Result<(Vec<Option<f64>>, Vec<f64>), Failure> {
    let Some(first) = at.first() else {
        return Ok((vec![None; problem.coordinates.len()], vec![]));
    };
    let time = predict::time(problem);
    let differ = |other: &Vec<Option<f64>>| (0..first.len()).any(|i| Some(i) != time && other[i] != first[i]);
    let times: Vec<f64> = time.map_or(vec![], |t| at.iter().filter_map(|at| at[t]).collect());
    if at.iter().any(differ) || at.len() > 1 && times.len() != at.len() {
        return Err(Failure::usage("several --at beside --points differ in time and in nothing else"));
    }
    Ok((first.clone(), times))
}

fn to_stdout(trained: &mut Trained, quantity: &Quantity, asked: &Asked) -> Result<Answered, Failure> {
    let mut points = asked.all_points()?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let never = AtomicBool::new(false);
    let written = predict::write(trained, quantity, &mut points, numbers("csv"), &never, &mut out)
        .and_then(|answered| Ok(out.flush().map(|()| answered)?));
    match written {
        // A reader that has seen enough is no error.
        Err(OutputError::Io(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(Answered::default()),
        written => Ok(written?),
    }
}

/// How a format that holds numbers writes them.
fn numbers(ending: &str) -> WriteNumbers {
    output::by_ending(ending).numbers.expect("the format holds numbers")
}

fn to_file(
    trained: &mut Trained,
    quantity: &Quantity,
    asked: &Asked,
    path: &Path,
    force: bool,
) -> Result<Answered, Failure> {
    let holds = |format: &Format| format.numbers.is_some() || format.series.is_some();
    let format = output::by_name(&path.display().to_string(), holds)?;
    refuse_existing(path, force)?;
    interrupt::wait_for_me();
    let stop = interrupt::asked();
    let Some(format) = format.numbers else {
        let index = format.series.expect("a format holds numbers or a series");
        return series(trained, quantity, asked, path, force, index, stop);
    };
    let mut points = asked.all_points()?;
    write_as_it_comes(path, |out| Ok(predict::write(trained, quantity, &mut points, format, stop, out)?))
}

/// A file for each time, in a folder beside `path`, which lists them.
fn series(
    trained: &mut Trained,
    quantity: &Quantity,
    asked: &Asked,
    path: &Path,
    force: bool,
    index: WriteSeries,
    stop: &AtomicBool,
) -> Result<Answered, Failure> {
    let ending = match &asked.place {
        Place::Grid(_) => "vti",
        Place::File(path) if *path != Path::new("-") => "vtu",
        _ => {
            return Err(Failure::usage(
                "a series goes over the times of a --grid, or over a file of --points with an --at for each time",
            ));
        }
    };
    if asked.times.is_empty() {
        return Err(Failure::usage(
            "a series needs times: a coordinate `t` in --grid, or --at t=0 --at t=0.5 … beside --points",
        ));
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = path.with_file_name(&stem);
    if !(force && folder.is_dir()) {
        make_folder(&folder)?;
    }
    let width = (asked.times.len() - 1).to_string().len();
    let mut all = Answered::default();
    let mut files = vec![];
    for (k, &time) in asked.times.iter().enumerate() {
        let name = format!("{stem}_{k:0width$}.{ending}");
        let mut points = asked.points(Some(time))?;
        let answered = write_as_it_comes(&folder.join(&name), |out| -> Result<_, Failure> {
            Ok(predict::write(trained, quantity, &mut points, numbers(ending), stop, out)?)
        })?;
        all.points += answered.points;
        all.outside += answered.outside;
        files.push((time, format!("{stem}/{name}")));
    }
    write_whole(path, &index(&files))?;
    Ok(all)
}

/// A run is made of its files; none of them is written over, not even with `--force`.
pub(super) fn refuse_own(path: &Path, run: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let same = folder.canonicalize().ok().zip(run.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    if same && path.file_name().and_then(OsStr::to_str).is_some_and(is_run_file) {
        return Err(Failure::usage(format!("{} belongs to the run; choose another name", path.display())));
    }
    Ok(())
}

pub(super) fn refuse_existing(path: &Path, force: bool) -> Result<(), Failure> {
    if force || !path.exists() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} exists already; choose another name, or overwrite it with --force",
        path.display()
    )))
}

fn integrate(args: &PredictArgs, trained: &mut Trained) -> Result<Exit, Failure> {
    let quantity = quantity(trained, &args.integral)?;
    let format = match &args.to {
        None => output::by_ending("csv"),
        Some(path) => {
            refuse_existing(path, args.force)?;
            output::by_name(&path.display().to_string(), |format| format.records.is_some())?
        }
    };
    let over = args.over.as_deref().unwrap_or("interior");
    let integrals = predict::integrals(trained, &quantity, over)?;
    // What has no answer was asked wrongly: nothing is written, neither now nor in part.
    let endless: Vec<_> =
        integrals.iter().filter(|(_, integral)| !integral.value.is_finite()).map(|(name, _)| name).collect();
    if !endless.is_empty() {
        return Err(Failure::usage(format!(
            "{} cannot be integrated over {over}: somewhere there it is infinite or has no value",
            listed(&endless)
        )));
    }
    let record = predict::record(&integrals);
    let write = format.records.expect("the format holds records");
    match &args.to {
        None => print(&String::from_utf8_lossy(&write(&[record])))?,
        Some(path) => write_whole(path, &write(&[record]))?,
    }
    Ok(Exit::Done)
}
