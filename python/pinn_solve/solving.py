"""Training: one problem, or every combination of some settings."""

from __future__ import annotations

import csv
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Optional, Union

import numpy as np
from numpy.typing import NDArray

from . import _native, toml
from .errors import AdviceWarning, DivergedError, FileError, NotSolvedWarning, warn_user
from .network import Run
from .problem import Problem, check

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .problem import Changes

Progress = Union[bool, Callable[[int, int, str, float, Optional[float]], Any], None]
"""True for a bar, if tqdm is there; a function of step, steps in all, stage, loss and error; or nothing."""


def solve(
    problem: Union[str, os.PathLike[str], Problem],
    *,
    out: Union[str, os.PathLike[str], None] = None,
    threads: Optional[int] = None,
    progress: Progress = None,
    plots: bool = False,
    estimate: bool = False,
    **changes: Unpack[Changes],
) -> Run:
    """Trains the network of a problem.

    ``problem``: a built-in problem's name, the path of a problem file, its text, or a :class:`Problem`.
    ``out``: a new folder for the run, as the command line's program leaves it; without, a temporary one.
    ``threads``: all cores by default; results do not depend on it.
    ``progress``: True for a bar where tqdm is installed, or a function that is called some times a second.
    ``plots``: draw pictures and write a page into the folder.
    ``estimate``: solve a second time, and say how far the two solutions are apart.
    ``changes``: ``seed=1``, ``width=64``, ``set={"parameters.nu": 0.02}``, …, see :class:`Changes`.

    Other Python threads run meanwhile. Ctrl-C ends training after the step at work, and gives what there is, whose
    ``outcome`` is ``"interrupted"``: :meth:`Run.resume` goes on with it. The numbers are those of the program
    ``pinn-solve`` for the same file and seed, to the last bit.

    Raises :class:`ProblemError` for mistakes in the problem, :class:`DivergedError` where numbers ceased to be finite for
    good, :class:`FileError` where files cannot be written. What is called not solved is warned of.
    """
    understood = check(problem, **changes)
    for item in understood.advice:
        warn_user(str(item), AdviceWarning)
    home = tempfile.mkdtemp(prefix="pinn-solve-") if out is None else None
    folder = os.fspath(out) if home is None else os.path.join(home, "run")  # type: ignore[arg-type]
    try:
        with observed(progress) as observer:
            result, advice = understood._inner.solve(folder, threads, plots, estimate, observer)
        if advice is not None:
            warn_user(advice, AdviceWarning)
        run = Run(folder, threads=threads, owned=home is not None)
    except BaseException:
        if home is not None:
            shutil.rmtree(home, ignore_errors=True)
        raise
    if run.outcome == "diverged":
        failure = DivergedError(f"training diverged: {run.result.get('reason', 'a number became infinite')}")
        failure.run = run
        raise failure
    if run.outcome != "interrupted" and run.verdict == "not solved":
        warn_user(f"{run.name} is not solved: {run.reason}", NotSolvedWarning)
    return run


@contextmanager
def observed(progress: Progress) -> Iterator[Optional[Callable[..., Any]]]:
    """What is told about steps: nothing, the caller's function, or a bar."""
    if progress is None or progress is False:
        yield None
        return
    if progress is not True:
        if not callable(progress):
            raise TypeError("progress is True, or a function of step, steps, stage, loss and error")
        yield progress
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield None
        return
    with tqdm(total=0, unit="step", file=sys.stderr) as bar:

        def show(step: int, steps: int, stage: str, loss: float, error: Optional[float]) -> None:
            bar.total = steps
            bar.set_description(stage, refresh=False)
            bar.set_postfix_str(f"loss {loss:.2e}" + ("" if error is None else f", error {error:.2e}"), refresh=False)
            bar.update(step - bar.n)

        yield show


class Sweep:
    """The runs of a sweep: a table, and each run to load."""

    def __init__(self, folder: Union[str, os.PathLike[str]]) -> None:
        self.folder = os.path.abspath(os.fspath(folder))
        """Where its files are, as ``pinn-solve sweep`` leaves them."""
        with open(os.path.join(self.folder, "sweep.csv"), newline="", encoding="utf-8") as file:
            self._rows = list(csv.DictReader(file))

    @property
    def table(self) -> dict[str, NDArray[Any]]:
        """A row for every run, as columns: axes, outcome, losses, errors, steps, seconds. ``pandas.DataFrame(s.table)`` takes it."""
        names = list(self._rows[0]) if self._rows else []
        return {name: _column([row[name] for row in self._rows]) for name in names}

    @property
    def names(self) -> list[str]:
        """The runs' names."""
        return sorted(os.listdir(os.path.join(self.folder, "runs")))

    def load(self, name: str) -> Run:
        """One of the runs."""
        return Run(os.path.join(self.folder, "runs", name))

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<Sweep of {len(self)} runs in {self.folder}>"


def sweep(
    problem: Union[str, os.PathLike[str], Problem],
    axes: Mapping[str, Any],
    *,
    out: Union[str, os.PathLike[str]],
    base: Optional[Mapping[str, Any]] = None,
    title: Optional[str] = None,
    jobs: int = 1,
    threads: Optional[int] = None,
    figures: bool = False,
    progress: Optional[Callable[[str, str, int], Any]] = None,
) -> Sweep:
    """Solves a problem with every combination of some settings.

    ``axes``: for each setting its values, a sequence or a range as in ``docs/sweeps.md``; the first changes slowest:
    ``{"scale": [0.1, 1, 2], "seed": range(3), "parameters.nu": {"from": 0.01, "to": 0.03, "points": 3}}``.
    ``base``: tables laid over the problem for all runs, ``{"network": {"depth": 10}}``.
    ``out``: the sweep's folder; called again, it goes on with what is left.
    ``jobs``: runs at the same time. ``progress``: called with the name and the state of every run that has ended, and how
    many there are.

    Ctrl-C ends it, and gives what there is.
    """
    if jobs < 1:
        raise ValueError(f"jobs = {jobs}: at least one run at a time is needed")
    folder = os.path.abspath(os.fspath(out))
    os.makedirs(folder, exist_ok=True)
    name = _name(check(problem), folder)
    text = "" if title is None else f"title = {toml.string(title)}\n"
    text += f"base = {toml.value({**(base or {}), 'problem': name})}\n"
    lists = {key: list(values) if isinstance(values, (range, np.ndarray)) else values for key, values in axes.items()}
    text += "\n[axes]\n" + "".join(f"{toml.string(key)} = {toml.value(values)}\n" for key, values in lists.items())
    config = os.path.join(tempfile.mkdtemp(prefix="pinn-solve-"), f"{os.path.basename(folder) or 'sweep'}.toml")
    try:
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        each = threads or max(1, (os.cpu_count() or 1) // jobs)
        _native.sweep(config, folder, jobs, each, figures, progress)
    finally:
        shutil.rmtree(os.path.dirname(config), ignore_errors=True)
    return Sweep(folder)


def _name(problem: Problem, folder: str) -> str:
    """What a sweep's configuration calls the problem: a built-in name, a path, or a file that is put into its folder."""
    if problem._given is None and not problem._changes:
        path = os.path.abspath(problem._name)
        return path if os.path.isfile(path) else problem._name
    path = os.path.join(folder, f"{problem.name}.toml")
    if not os.path.exists(path):
        problem.to_toml(path)
        return path
    with open(path, encoding="utf-8") as file:
        if file.read() != problem.to_toml():
            raise FileError(f"{path} is another problem; choose another folder for the sweep")
    return path


def _column(texts: Sequence[str]) -> NDArray[Any]:
    """Numbers, if all are; an empty cell is NaN."""
    try:
        return np.array([float(text) if text else np.nan for text in texts])
    except ValueError:
        return np.array(texts)
