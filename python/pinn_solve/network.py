"""Trained networks and runs: asked anywhere, looked at, and taken along."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _native, arrays, plotting
from .errors import FileError, OutsideWarning, warn_user
from .formulas import Formula, formula
from .optional import need
from .problem import Coordinate

Grid = Union[int, Mapping[str, Union[int, float, ArrayLike]], None]
"""Values along the coordinates: how many along each, or for each coordinate a number of values, one value, or the values."""

_POINTS = 40_000
"""About how many points a grid has that nobody has described."""


class Verdict(NamedTuple):
    """What an answer may be called, told without a reference."""

    word: str
    """``"solved"``, ``"doubtful"`` or ``"not solved"``."""
    reason: str
    """What weighs most; empty where it is solved."""
    advice: list[str]
    """What to try."""
    estimated_error: Optional[float]
    """The estimated relative error, the greatest over unknowns and found parameters; None where there is no saying."""


class Errors(NamedTuple):
    """Errors of one unknown against its reference."""

    rel_l2: Optional[float]
    """‖u − u*‖₂/‖u*‖₂; None where u* is zero."""
    rms_error: float
    """Root of the mean of (u − u*)², in the unknown's unit."""
    max_error: float
    """Greatest absolute difference, in the unknown's unit."""


class Integral(NamedTuple):
    """An integral, and how far it may be off."""

    value: float
    error: float


class Network:
    """A trained network with its problem.

    Numbers are in the problem's own units, doubles whatever the network was trained in.
    Calls from several threads wait for one another.
    """

    def __init__(self, native: _native.Trained) -> None:
        self._inner = native

    @property
    def name(self) -> str:
        """The problem's name."""
        return self._inner.name

    @property
    def title(self) -> str:
        """The problem's title."""
        return self._inner.title

    @property
    def coordinates(self) -> list[Coordinate]:
        """The coordinates, in the order of rows of points."""
        return [Coordinate(*each) for each in self._inner.coordinates]

    @property
    def unknowns(self) -> list[str]:
        """What was solved for."""
        return [name for name, _ in self._inner.unknowns]

    @property
    def theta(self) -> NDArray[np.float64]:
        """All weights, biases and found parameters, shape (size,); a copy."""
        return self._inner.theta

    @property
    def found(self) -> dict[str, float]:
        """The parameters that training has found."""
        return dict(self._inner.found)

    @property
    def loss(self) -> float:
        """The total loss with the problem's own weights."""
        return self._inner.evaluation()[0]

    @property
    def terms(self) -> dict[str, float]:
        """The mean squared residual of every condition, without weights."""
        return dict(self._inner.evaluation()[1])

    @property
    def errors(self) -> dict[str, Errors]:
        """Errors of every unknown that has a reference."""
        return {name: Errors(rel, rms, most) for name, rel, rms, most in self._inner.evaluation()[2]}

    @property
    def error(self) -> Optional[float]:
        """The greatest relative L2 error over the unknowns (rms where the reference is zero); None without a reference."""
        each = [e.rms_error if e.rel_l2 is None else e.rel_l2 for e in self.errors.values()]
        return max(each) if each else None

    def judge(self) -> Verdict:
        """What the answer may be called, told without a reference; it takes some seconds at most."""
        return Verdict(*self._inner.verdict())

    @property
    def verdict(self) -> str:
        """``"solved"``, ``"doubtful"`` or ``"not solved"``, told without a reference."""
        return self.judge().word

    @property
    def estimated_error(self) -> Optional[float]:
        """The estimated relative error, told without a reference; None where there is no saying."""
        return self.judge().estimated_error

    @overload
    def predict(
        self, points: Any, quantities: Union[str, Formula, None] = None, *, data: Optional[Mapping[str, ArrayLike]] = None
    ) -> NDArray[np.float64]: ...

    @overload
    def predict(
        self, points: Any, quantities: Sequence[Formula], *, data: Optional[Mapping[str, ArrayLike]] = None
    ) -> list[NDArray[np.float64]]: ...

    def predict(self, points: Any, quantities: Any = None, *, data: Optional[Mapping[str, ArrayLike]] = None) -> Any:
        """Values at points.

        ``points``: an array (n, d), a row for each point with the coordinates in their order; for one coordinate (n,) too;
        or a mapping (a pandas table) with an array for each coordinate, which are broadcast against one another.

        ``quantities``: a formula over unknowns, derivatives such as ``"u_xx"``, coordinates and parameters, or the name of
        a condition, whose residual it is. A list of them gives a list of arrays; one gives an array of shape (n,), or of
        the shape of the mapping's arrays; several residuals of a condition come as a last axis more. Without any, the
        unknowns, as one array: (n,), or (n, unknowns) where there are several.

        ``data``: columns that a quantity needs beside the points, (n,) each: what was measured, or normals ``n_x``, ``n_y``.

        NaN is where shapes leave a point out, or an unknown does not live. Points outside of the domain are warned of.
        """
        names = [c.name for c in self.coordinates]
        rows, shape = arrays.points(points, names)
        columns = [(name, arrays.vector(np.broadcast_to(column, shape).reshape(-1) if np.ndim(column) != 1 else column, name))
                   for name, column in (data or {}).items()]  # fmt: skip
        alone = quantities is None or isinstance(quantities, str) or not isinstance(quantities, (list, tuple))
        asked = self.unknowns if quantities is None else [quantities] if alone else list(quantities)
        if not asked:
            return []
        found, outside = self._inner.evaluate([formula(each, names) for each in asked], rows, columns)
        if outside:
            warn_user(f"{outside} of {len(rows)} points lie outside of the domain", OutsideWarning)
        values = [
            each[0].reshape(shape) if len(each) == 1 else np.stack([part.reshape(shape) for part in each], axis=-1)
            for each in found
        ]
        if quantities is None and len(values) > 1:
            return np.stack(values, axis=-1)
        return values[0] if alone else values

    def integrate(self, quantity: Formula, over: str = "interior") -> Union[Integral, list[Integral]]:
        """The integral of a quantity over a place: ``"interior"``, ``"wall"``, ``"boundary"``, ``"x = 1"``, ``"region hole"``.

        A list where the quantity is a condition with several residuals.
        """
        found = self._inner.integrate(formula(quantity, [c.name for c in self.coordinates]), over)
        each = [Integral(value, error) for _, value, error in found]
        return each[0] if len(each) == 1 else each

    def grid(self, grid: Grid = None) -> dict[str, NDArray[np.float64]]:
        """The values along every coordinate that ``grid`` asks for; without, about 40,000 points over the whole domain."""
        coordinates = self.coordinates
        if grid is None:
            grid = max(2, min(1001, round(_POINTS ** (1 / len(coordinates)))))
        asked = grid if isinstance(grid, Mapping) else {c.name: grid for c in coordinates}
        unknown = [name for name in asked if name not in {c.name for c in coordinates}]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no coordinate; they are {', '.join(c.name for c in coordinates)}")
        axes = {c.name: _axis(c, asked.get(c.name, 101)) for c in coordinates}
        count = math.prod(len(axis) for axis in axes.values())
        if count > 10**8:
            raise ValueError(f"a grid of {count} points is more than 10^8")
        return axes

    def _on(self, quantities: Any, grid: Grid) -> tuple[dict[str, arrays.Doubles], dict[str, arrays.Doubles]]:
        """The axes of a grid and the quantities on it by name, arrays with an axis for each coordinate."""
        axes = self.grid(grid)
        names = list(axes)
        asked = self.unknowns if quantities is None else quantities
        asked = list(asked) if isinstance(asked, (list, tuple)) else [asked]
        mesh = dict(zip(axes, np.meshgrid(*axes.values(), indexing="ij", sparse=True)))
        with warnings.catch_warnings():
            # A grid over the box of the coordinates has points that shapes leave out; they are NaN, as is said.
            warnings.simplefilter("ignore", OutsideWarning)
            values = self.predict(mesh, asked)
        named: dict[str, arrays.Doubles] = {}
        for each, array in zip(asked, values):
            name = formula(each, names)
            parts = [array] if array.ndim == len(axes) else list(np.moveaxis(array, -1, 0))
            for k, part in enumerate(parts, 1):
                named[name if len(parts) == 1 else f"{name}_{k}"] = part
        return axes, named

    def to_xarray(self, quantities: Union[Formula, Sequence[Formula], None] = None, grid: Grid = None) -> Any:
        """An ``xarray.Dataset`` of quantities (all unknowns by default) on a grid, with an axis for every coordinate."""
        xarray = need("xarray", "to_xarray()")
        axes, values = self._on(quantities, grid)
        units = dict(self._inner.unknowns)
        of = {c.name: c.unit for c in self.coordinates}
        coordinates = {n: (n, axis, {"units": of[n]} if of[n] else {}) for n, axis in axes.items()}
        data = {n: (tuple(axes), v, {"units": units[n]} if units.get(n) else {}) for n, v in values.items()}
        return xarray.Dataset(data, coordinates, {"title": self.title})

    def to_pyvista(self, quantities: Union[Formula, Sequence[Formula], None] = None, grid: Grid = None) -> Any:
        """A ``pyvista.RectilinearGrid`` of quantities over up to three coordinates.

        Of more coordinates ``grid`` fixes some: ``grid={"t": 0.5}``; time is fixed at its end unless ``grid`` says otherwise.
        """
        pyvista = need("pyvista", "to_pyvista()")
        time = self._inner.time
        if time is not None and not isinstance(grid, Mapping):
            last = self.coordinates[time]
            grid = {c.name: 101 if grid is None else grid for c in self.coordinates}
            grid[last.name] = last.upper
        axes, values = self._on(quantities, grid)
        long = [name for name, axis in axes.items() if len(axis) > 1]
        if len(long) > 3:
            raise ValueError(f"{', '.join(long)} are more than three dimensions; fix some: grid={{{long[-1]!r}: 0.5}}")
        result = pyvista.RectilinearGrid(*(axes[name] for name in long))
        for name, array in values.items():
            result.point_data[name] = array.reshape(-1, order="F")
        return result

    def export(self, path: Union[str, os.PathLike[str]], *, single: bool = False, overwrite: bool = False) -> list[str]:
        """Writes the network for other programs, by the ending of ``path``: onnx, safetensors, c, js. Returns all paths.

        ``single`` is single precision, which ONNX has.
        """
        folder, name = os.path.split(os.fspath(path))
        written = []
        for file, content in self._inner.export(name, single, True):
            written.append(os.path.join(folder, file))
            with open(written[-1], "wb" if overwrite else "xb") as out:
                out.write(content)
        return written

    def to_onnx(self, *, single: bool = False) -> bytes:
        """The network as an ONNX model: points (n, d) in, unknowns (n, unknowns) out."""
        [(_, content)] = self._inner.export(f"{self.name}.onnx", single, True)
        return content

    def to_torch(self, *, single: bool = False) -> Any:
        """The network as a ``torch.nn.Module``: points (n, d) in, unknowns (n, unknowns) out.

        PyTorch differentiates it to points and to its parameters, which are copies of weights, biases and the network's
        other trained numbers; everything is in double precision, or all of it in single. Needs the package onnx too.
        """
        need("torch", "to_torch")
        need("onnx", "to_torch")
        from .pytorch import Module

        [(_, content)] = self._inner.export(f"{self.name}.onnx", single, False)
        return Module(content)

    def plot(self, quantities: Union[Formula, Sequence[Formula], None] = None, *, at: Optional[Mapping[str, float]] = None) -> Any:
        """A ``matplotlib`` figure of quantities (all unknowns by default).

        Of more than two coordinates the others are fixed by ``at``, or else in the middle of their domain.
        """
        return plotting.plot(self, quantities, at, None)

    def __reduce__(self) -> Any:
        return _restore, (self._inner.resolved, self.theta)

    def __repr__(self) -> str:
        return f"<Network {self.name}: {', '.join(self.unknowns)} of {', '.join(c.name for c in self.coordinates)}>"


def _restore(resolved: str, theta: arrays.Doubles) -> Network:
    from .problem import Problem

    return Problem.parse(resolved).network(theta)


class Run(Network):
    """A run: a trained network, how it was trained, and what it is worth.

    Its folder is as the command line's program leaves it, and ``pinn-solve report``, ``predict`` and ``resume`` take it.
    """

    def __init__(self, folder: Union[str, os.PathLike[str]], *, threads: Optional[int] = None, owned: bool = False) -> None:
        self._folder = os.path.abspath(os.fspath(folder))
        if owned:
            # Nobody has asked for a folder: it goes when the run does.
            self._finalizer = weakref.finalize(self, shutil.rmtree, os.path.dirname(self._folder), ignore_errors=True)
        self._threads = threads
        super().__init__(_native.Trained.load(self._folder, threads))
        self._result = _json(os.path.join(self._folder, "result.json"))
        self._history: Optional[dict[str, NDArray[Any]]] = None

    @property
    def folder(self) -> str:
        """Where its files are; a temporary one unless a folder was asked for: :meth:`save` keeps it."""
        return self._folder

    @property
    def result(self) -> dict[str, Any]:
        """All that ``result.json`` says; empty while the run is at work, or if it was killed."""
        return self._result or {}

    @property
    def outcome(self) -> Optional[str]:
        """``"done"``, ``"tolerance-not-reached"``, ``"interrupted"`` or ``"diverged"``; None while it is at work."""
        return self.result.get("outcome")

    @property
    def steps(self) -> int:
        """Steps of training."""
        return self._inner.steps

    @property
    def seconds(self) -> float:
        """Seconds of training, by the clock; NaN while it is at work."""
        return float(self.result.get("seconds", math.nan))

    @property
    def loss(self) -> float:
        """The total loss with the problem's own weights."""
        return _number(self._result["loss"]["total"]) if self._result else super().loss

    @property
    def terms(self) -> dict[str, float]:
        """The mean squared residual of every condition, without weights."""
        if not self._result:
            return super().terms
        return {name: _number(term) for name, term in self._result["loss"]["terms"].items()}

    @property
    def errors(self) -> dict[str, Errors]:
        """Errors of every unknown that has a reference."""
        if not self._result:
            return super().errors
        each = self._result["unknowns"].items()
        return {n: Errors(e["rel_l2"], _number(e.get("rms_error")), _number(e["max_error"])) for n, e in each}

    def judge(self) -> Verdict:
        """What the answer may be called, told without a reference."""
        found = self._result
        if not found or "verdict" not in found:
            return super().judge()
        return Verdict(found["verdict"], found.get("verdict_reason", ""), found.get("advice", []), found["estimated_error"])

    @property
    def reason(self) -> str:
        """What weighs most in the verdict; empty where the answer is called solved."""
        return self.judge().reason

    @property
    def standard_errors(self) -> dict[str, Optional[float]]:
        """Of the parameters that were found, in their units; None where equations and data do not determine one."""
        return {name: found["standard_error"] for name, found in self.result.get("trainable", {}).items()}

    @property
    def history(self) -> dict[str, NDArray[Any]]:
        """What was noted of the steps, about 2,000 of them at most, as columns of one length.

        ``step``, ``seconds``, ``loss``, ``gradient_norm``, ``evaluations``, ``stage``; ``terms.NAME`` of every condition,
        ``rel_l2.NAME`` of unknowns where it was measured, ``parameters.NAME`` of those that are found; NaN where not.
        ``pandas.DataFrame(run.history)`` is a table.
        """
        if self._history is None:
            self._history = _history(os.path.join(self._folder, "metrics.jsonl"))
        return self._history

    def resume(self, *, threads: Optional[int] = None, progress: Any = None) -> Run:
        """Goes on with a run that was interrupted, to the same bits as if it had not been; this run becomes the whole one."""
        from .solving import observed

        with observed(progress) as observer:
            _native.resume(self._folder, threads or self._threads, observer)
        self._inner = _native.Trained.load(self._folder, threads or self._threads)
        self._result, self._history = _json(os.path.join(self._folder, "result.json")), None
        return self

    def save(self, folder: Union[str, os.PathLike[str]]) -> Run:
        """Copies the run into a new folder and gives it from there."""
        try:
            shutil.copytree(self._folder, folder)
        except FileExistsError:
            raise FileError(f"{os.fspath(folder)} exists already; a run never overwrites another") from None
        return Run(folder, threads=self._threads)

    def plot(self, quantities: Union[Formula, Sequence[Formula], None] = None, *, at: Optional[Mapping[str, float]] = None) -> Any:
        """A ``matplotlib`` figure: quantities (all unknowns by default), and how loss and error fell.

        Of more than two coordinates the others are fixed by ``at``, or else in the middle of their domain.
        """
        return plotting.plot(self, quantities, at, self.history)

    def __reduce__(self) -> Any:
        files = {}
        for name in sorted(os.listdir(self._folder)):
            path = os.path.join(self._folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    files[name] = file.read()
        inputs = os.path.join(self._folder, "inputs")
        if os.path.isdir(inputs):
            for name in sorted(os.listdir(inputs)):
                with open(os.path.join(inputs, name), "rb") as file:
                    files[os.path.join("inputs", name)] = file.read()
        return _unpack, (files, self._threads)

    def __repr__(self) -> str:
        if not self._result:
            return f"<Run {self.name}: not ended, {self.steps} steps>"
        error = "" if self.error is None else f", error {self.error:.2e}"
        estimate = self.estimated_error
        estimated = "" if estimate is None else f", estimated {estimate:.0e}"
        return f"<Run {self.name}: {self.outcome}, {self.verdict}{error}{estimated}, {self.steps} steps>"


def _unpack(files: dict[str, bytes], threads: Optional[int]) -> Run:
    folder = os.path.join(tempfile.mkdtemp(prefix="pinn-solve-"), "run")
    os.makedirs(os.path.join(folder, "inputs"))
    for name, content in files.items():
        with open(os.path.join(folder, name), "xb") as out:
            out.write(content)
    return Run(folder, threads=threads, owned=True)


def load(folder: Union[str, os.PathLike[str]], *, threads: Optional[int] = None) -> Run:
    """The run in ``folder``, finished, interrupted or still at work.

    Raises :class:`FileError` if the folder is no run or has no checkpoint yet.
    """
    return Run(folder, threads=threads)


def _axis(coordinate: Coordinate, asked: Any) -> arrays.Doubles:
    """The values along one coordinate: so many, this one, or these."""
    name = coordinate.name
    if isinstance(asked, (int, np.integer)) and not isinstance(asked, bool):
        if not 1 <= asked <= 10**8:
            raise ValueError(f"{name}: {asked} values; there are from 1 to 10^8 (a value itself is written {asked}.0)")
        return np.linspace(coordinate.lower, coordinate.upper, int(asked))
    axis = arrays.finite(np.atleast_1d(arrays.real(asked, name)), name)
    if axis.ndim != 1 or not len(axis):
        raise ValueError(f"{name}: the values along a coordinate have shape (n,), and not {axis.shape}")
    return axis


def _json(path: str) -> Optional[dict[str, Any]]:
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise FileError(f"{path} is damaged: {error}") from error
    return content if isinstance(content, dict) else None


def _number(value: Optional[float]) -> float:
    """JSON has no NaN and no infinity, and says null."""
    return math.nan if value is None else float(value)


_NESTED = ("terms", "rel_l2", "rms_error", "parameters")


def _history(path: str) -> dict[str, NDArray[Any]]:
    rows: list[dict[str, Any]] = []
    try:
        with open(path, "rb") as file:
            lines = file.read().splitlines(keepends=True)
    except FileNotFoundError:
        lines = []
    for line in lines:
        try:
            row = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            row = None
        if not isinstance(row, dict) or "event" in row:
            continue
        flat = {key: value for key, value in row.items() if key not in _NESTED}
        for key in _NESTED:
            flat.update({f"{key}.{name}": value for name, value in row.get(key, {}).items()})
        rows.append(flat)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns: dict[str, NDArray[Any]] = {}
    for name in names:
        column = [row.get(name) for row in rows]
        if name == "stage":
            columns[name] = np.array(column, dtype=str)
        elif name in ("step", "evaluations", "window"):
            columns[name] = np.array([value or 0 for value in column], dtype=np.int64)
        else:
            columns[name] = np.array([_number(value) for value in column], dtype=np.float64)
    return columns
