"""Problems: read from files, written in Python, checked, changed, and taken apart."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, TypedDict, Union

import numpy as np
from numpy.typing import ArrayLike

from . import _native, arrays, toml
from .errors import Diagnostic, ProblemError
from .formulas import Formula, formula

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .network import Network

Value = Any
"""Whatever a problem file can hold: numbers, strings, lists, mappings, and SymPy's expressions for formulas."""


class Changes(TypedDict, total=False):
    """What can be changed in any problem, by the names of the command line's flags."""

    scale: float
    """The scale a of the activation a·f(x)."""
    activation: str
    """``"tanh"``, ``"erf"``, … or a positive sum such as ``"tanh + 0.5*erf(2*x)"``."""
    init: str
    """How weights are drawn: ``"proposed"``, ``"eoc"``, ``"xavier"``, ``"xavier-uniform"``, ``"he"``, ``"siren"``,
    ``"continuous-depth"``."""
    depth: int
    """Hidden layers."""
    width: int
    """Neurons of a hidden layer."""
    precision: str
    """``"f32"`` or ``"f64"``."""
    effort: str
    """``"quick"``, ``"normal"`` or ``"thorough"``, where the problem states no stages."""
    seed: int
    """The seed of every random number."""
    tolerance: float
    """Relative L2 error to reach (total loss without a reference)."""
    points: int
    """Collocation points of every interior condition."""
    lr: float
    """Learning rate of every Adam stage, in the stage's own unit (ω by default)."""
    steps: int
    """Steps in all: later stages are cut short, or the last one goes on for longer."""
    set: Mapping[str, Value]
    """Any other value by its key: ``{"parameters.nu": 0.02, "conditions.initial.weight": 100}``."""


class Decision(NamedTuple):
    """One thing that a problem left open, and how it was decided."""

    key: str
    """The key of the problem file, such as ``network.init``."""
    value: str
    """What it was set to, as TOML."""
    why: str
    """Why, in a few words."""


class Coordinate(NamedTuple):
    """A coordinate with both ends of its domain."""

    name: str
    lower: float
    upper: float
    unit: str


@dataclass(frozen=True)
class Condition:
    """A place, and what shall be zero there.

    ``place`` is as in problem files, ``"interior"``, ``"t = 0"``, ``"boundary"``, ``"wall of hole"``, a list of these,
    ``{"file": "data.csv"}``, or :class:`Data`. ``residual`` is a formula, or a list of them that share the points; SymPy's
    equations are taken as left less right side. Periodic conditions have none.
    """

    place: Union[str, Sequence[str], Mapping[str, Value], Data]
    residual: Union[Formula, Sequence[Formula], None] = None
    name: Optional[str] = None
    """Names the condition's part of the loss; by default its place does."""
    weight: Optional[float] = None
    """Factor of the condition in the total loss."""
    points: Optional[int] = None
    """How many points; 2000 in the interior and 200 elsewhere by default."""
    sampler: Optional[str] = None
    """``"uniform"``, ``"grid"``, ``"latin-hypercube"`` or ``"sobol"``."""
    scale: Union[float, Sequence[float], None] = None
    """What the residual is divided by."""
    enforce: Optional[str] = None
    """``"exact"``, ``"loss"`` or ``"auto"``."""
    dimensions: Optional[int] = None
    """In each step of Adam, second derivatives along so many coordinates stand for those along all."""
    order: Optional[int] = None
    """Of periodic conditions: up to which derivative both sides match."""


class Data:
    """Points with what was measured there, as a place: ``Data(x=xs, t=ts, seen=us)``.

    A column (n,) for every coordinate and for everything else that residuals call by name.
    """

    def __init__(self, **columns: ArrayLike) -> None:
        if not columns:
            raise ValueError("data without columns")
        made = {name: arrays.finite(arrays.vector(column, name), name) for name, column in columns.items()}
        lengths = {name: len(column) for name, column in made.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of different lengths: {lengths}")
        self.columns: dict[str, arrays.Doubles] = made

    def __repr__(self) -> str:
        return f"Data({', '.join(self.columns)}; {len(next(iter(self.columns.values())))} points)"

    def to_csv(self) -> bytes:
        """The table as CSV; numbers keep all of their bits."""
        rows = zip(*(column.tolist() for column in self.columns.values()))
        lines = [",".join(self.columns), *(",".join(map(repr, row)) for row in rows)]
        return ("\n".join(lines) + "\n").encode()


class Table:
    """A function known by numbers: ``Table(values, t=times)`` is called as ``q(t)``.

    ``values`` has an axis for every argument, whose nodes, increasing, are the arguments' arrays.
    """

    def __init__(
        self, values: ArrayLike, *, between: Optional[str] = None, outside: Optional[str] = None, **nodes: ArrayLike
    ) -> None:
        self.nodes = {name: arrays.finite(arrays.vector(along, name), name) for name, along in nodes.items()}
        self.values = arrays.finite(arrays.real(values, "values"), "values")
        shape = tuple(len(along) for along in self.nodes.values())
        if self.values.shape != shape:
            raise ValueError(f"values have shape {self.values.shape}, and the nodes {', '.join(nodes)} {shape}")
        self.settings = {"between": between, "outside": outside}

    def to_npz(self, name: str) -> bytes:
        """The table as an archive of NumPy."""
        file = io.BytesIO()
        np.savez(file, **{**self.nodes, name: self.values})  # type: ignore[arg-type]
        return file.getvalue()


class Problem:
    """A differential equation with its conditions.

    ``coordinates``: both ends of each by name, ``{"x": (-1, 1), "t": {"domain": (0, 1), "unit": "s"}}``.
    ``unknowns``: names, or a mapping from them to an ansatz or to settings.
    ``conditions``: a list of :class:`Condition`, or a mapping by name.
    ``parameters``: numbers, or ``{"initial": 0.02}`` for one that training finds.
    ``contours``: formulas, by name, whose zeros pictures show.
    ``tables``: :class:`Table`, or settings as in files.
    ``reference``: for every unknown a formula, or the table ``[reference]`` of files.
    All others are tables of problem files. What is left out is decided, as :attr:`decisions` says.

    :meth:`read` and :meth:`parse` take what has been written already.

    Raises :class:`ProblemError` with every mistake, its line in :attr:`text` and a hint.
    """

    _inner: _native.Problem

    def __init__(
        self,
        coordinates: Mapping[str, Any],
        unknowns: Union[str, Sequence[str], Mapping[str, Any]],
        conditions: Union[Sequence[Condition], Mapping[str, Condition]],
        *,
        name: str = "problem",
        title: Optional[str] = None,
        parameters: Optional[Mapping[str, Value]] = None,
        definitions: Optional[Mapping[str, Formula]] = None,
        contours: Optional[Mapping[str, Formula]] = None,
        tables: Optional[Mapping[str, Union[Table, Mapping[str, Value]]]] = None,
        shapes: Optional[Mapping[str, Value]] = None,
        domain: Optional[Mapping[str, Value]] = None,
        reference: Optional[Mapping[str, Value]] = None,
        network: Optional[Mapping[str, Value]] = None,
        networks: Optional[Mapping[str, Value]] = None,
        training: Union[Mapping[str, Value], str, None] = None,
    ) -> None:
        names, functions = list(coordinates), list(tables or {})
        files: dict[str, bytes] = {}

        def write(item: Any) -> str:
            return toml.value(item, names, functions)

        def written(item: Any) -> Any:
            return formula(item, names, functions)

        text = f"name = {toml.string(name)}\n"
        if title is not None:
            text += f"title = {toml.string(title)}\n"
        if isinstance(training, str):
            text += f"training = {toml.string(training)}\n"
        text += toml.table("coordinates", coordinates, write)
        text += toml.table("shapes", shapes or {}, write)
        text += toml.table("domain", domain or {}, write)
        made: dict[str, Any] = {}
        for function, table in (tables or {}).items():
            if isinstance(table, Table):
                file = f"{function}.npz"
                files[file] = table.to_npz(function)
                settings = {key: value for key, value in table.settings.items() if value is not None}
                table = {"file": file, "of": list(table.nodes), **settings}
            made[function] = table
        text += toml.table("tables", made, write)
        text += toml.table("parameters", parameters or {}, write)
        if isinstance(unknowns, str):
            unknowns = [unknowns]
        if not isinstance(unknowns, Mapping):
            unknowns = {unknown: {} for unknown in unknowns}
        text += toml.table("unknowns", unknowns, write)
        text += toml.table("definitions", {k: written(v) for k, v in (definitions or {}).items()}, write)
        text += toml.table("contours", {k: written(v) for k, v in (contours or {}).items()}, write)
        for label, condition in _named(conditions).items():
            text += _condition(label, condition, files, write, written)
        if reference is not None:
            known = {"solution", "error", "grid"}
            whole = reference if set(reference) <= known else {"solution": dict(reference)}
            text += toml.table("reference", whole, write)
        text += toml.table("network", network or {}, write)
        for label, settings in (networks or {}).items():
            text += toml.table(f"networks.{toml.key(label)}", settings, write)
        if not isinstance(training, str):
            text += toml.table("training", training or {}, write)
        self._set(f"{name}.toml", text, None, files, {})

    def _set(
        self, name: str, text: Optional[str], folder: Optional[str], files: dict[str, bytes], changes: Changes
    ) -> None:
        self._name, self._given, self._folder, self._files = name, text, folder, files
        self._changes = changes
        if files:
            folder = tempfile.mkdtemp(prefix="pinn-solve-")
            self._finalizer = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            for file, content in files.items():
                with open(os.path.join(folder, file), "wb") as out:
                    out.write(content)
        keys, numbers = _changes(changes)
        self._inner = _native.Problem(name, text, folder or "", keys, *numbers)

    def __reduce__(self) -> Any:
        return _again, (self._name, self._given, self._folder, self._files, self._changes)

    @classmethod
    def read(cls, name: Union[str, os.PathLike[str]], **changes: Unpack[Changes]) -> Problem:
        """The built-in problem of this name (:func:`problems` lists them), or the problem file at this path.

        Raises :class:`ProblemError` for every mistake in it, and :class:`FileError` if it does not read.
        """
        return _again(os.fspath(name), None, None, {}, changes, cls)

    @classmethod
    def parse(
        cls, text: str, *, folder: Union[str, os.PathLike[str], None] = None, **changes: Unpack[Changes]
    ) -> Problem:
        """The problem that is written in ``text``, TOML; files that it names are in ``folder``, by default the current one."""
        return _again("problem.toml", text, None if folder is None else os.fspath(folder), {}, changes, cls)

    def changed(self, **changes: Unpack[Changes]) -> Problem:
        """The same problem with some values changed; what it leaves open is decided anew."""
        if not changes:
            return self
        both: Any = {**self._changes, **changes}
        if "set" in self._changes and "set" in changes:
            both["set"] = {**self._changes["set"], **changes["set"]}
        return _again(self._name, self._given, self._folder, self._files, both, type(self))

    @property
    def name(self) -> str:
        """Names runs."""
        return self._inner.name

    @property
    def title(self) -> str:
        """One line for people."""
        return self._inner.title

    @property
    def coordinates(self) -> list[Coordinate]:
        """The coordinates, in the order of rows of points."""
        return [Coordinate(*each) for each in self._inner.coordinates]

    @property
    def unknowns(self) -> list[str]:
        """What is solved for."""
        return [name for name, _ in self._inner.unknowns]

    @property
    def parameters(self) -> dict[str, float]:
        """Known numbers by name."""
        return dict(self._inner.parameters)

    @property
    def trainable(self) -> dict[str, float]:
        """Parameters that training finds, and where it begins."""
        return dict(self._inner.trainable)

    @property
    def decisions(self) -> list[Decision]:
        """What the file left open, in the order in which it was decided."""
        return [Decision(*each) for each in self._inner.decisions]

    @property
    def advice(self) -> list[Diagnostic]:
        """What is worth a look; often nothing."""
        return [Diagnostic(*each) for each in self._inner.advice]

    @property
    def text(self) -> str:
        """The problem file as it was read or made."""
        return self._inner.text

    @property
    def size(self) -> int:
        """Length of θ: weights, biases and parameters to be found."""
        return self._inner.size

    def to_toml(self, path: Union[str, os.PathLike[str], None] = None, *, resolved: bool = False) -> str:
        """The problem file, with all that was decided if ``resolved`` or if something was changed.

        Written to ``path`` too, with arrays as files beside it.

        Nothing is overwritten.
        """
        text = self._inner.resolved if resolved or self._changes else self.text
        if path is not None:
            folder = os.path.dirname(os.fspath(path))
            for file, content in [*self._files.items(), (os.path.basename(os.fspath(path)), text.encode())]:
                with open(os.path.join(folder, file), "xb") as out:
                    out.write(content)
        return text

    def objective(self, *, threads: Optional[int] = None, round: int = 0) -> _native.Objective:
        """The loss as a function: ``loss, gradient = problem.objective()(theta)``.

        At the points of training; ``round`` counts redraws of them. Problems whose time is cut into windows have none.
        """
        if round < 0:
            raise ValueError(f"round = {round}: the first points have number 0")
        return self._inner.objective(threads, round)

    def network(self, theta: ArrayLike, *, threads: Optional[int] = None) -> Network:
        """The network with the parameters ``theta``, shape (``size``,), wherever they come from."""
        from .network import Network

        return Network(self._inner.network(arrays.vector(theta, "theta"), threads))

    def __str__(self) -> str:
        native = self._inner
        lines = [f"{self.name}: {self.title}", f"  network    {native.networks}; {self.size} parameters"]
        for name, residuals, exact, weight, points in native.conditions:
            how = "exact" if exact else f"{points} points, weight {weight:g}"
            lines.append(f"  {name:10} {'; '.join(residuals) or 'periodic'} ({how})")
        for decision in self.decisions:
            lines.append(f"  decided    {decision.key} = {decision.value}: {decision.why}")
        lines += [f"  advice     {item}" for item in self.advice]
        return "\n".join(lines)

    def __repr__(self) -> str:
        wanted = ", ".join(c.name for c in self.coordinates)
        return f"<Problem {self.name}: {', '.join(self.unknowns)} of {wanted}>"


def _again(
    name: str,
    text: Optional[str],
    folder: Optional[str],
    files: dict[str, bytes],
    changes: Any,
    cls: type[Problem] = Problem,
) -> Problem:
    problem = cls.__new__(cls)
    problem._set(name, text, folder, files, changes)
    return problem


def problems() -> dict[str, str]:
    """The built-in problems: names and titles."""
    return dict(_native.problems())


def check(problem: Union[str, os.PathLike[str], Problem], **changes: Unpack[Changes]) -> Problem:
    """The problem as it is understood; ``print`` shows it with every decision and all advice.

    ``problem`` is a built-in problem's name, a path, TOML text or a :class:`Problem`.
    Raises :class:`ProblemError` with every mistake, its line and a hint.
    """
    if isinstance(problem, Problem):
        return problem.changed(**changes)
    name = os.fspath(problem)
    if not isinstance(name, str):
        raise TypeError("the name of a problem is text")
    is_path = name.endswith(".toml") or os.path.isfile(name)
    if isinstance(problem, str) and ("\n" in name or "=" in name and not is_path):
        return Problem.parse(name, **changes)
    return Problem.read(name, **changes)


def _changes(
    changes: Changes,
) -> tuple[list[tuple[str, str]], tuple[Optional[int], Optional[float], Optional[int]]]:
    """Keys with their values as TOML; points, learning rate and steps, which are no keys."""
    unknown = sorted(set(changes) - set(Changes.__annotations__))
    if unknown:
        known = ", ".join(Changes.__annotations__)
        raise TypeError(f"there is no {', '.join(unknown)} to change; there are {known}")
    keys = [(name, toml.value(value)) for name, value in changes.items() if name not in ("points", "lr", "steps", "set")]
    keys += [(name, toml.value(value)) for name, value in changes.get("set", {}).items()]
    points, steps = (_count(name, changes.get(name)) for name in ("points", "steps"))
    lr = changes.get("lr")
    return keys, (points, None if lr is None else float(lr), steps)


def _count(name: str, value: Any) -> Optional[int]:
    if value is None:
        return None
    count = int(value)
    if count != value or not 0 <= count < 2**63:
        raise ProblemError(f"{name} = {value}: this is no count")
    return count


def _named(conditions: Union[Sequence[Condition], Mapping[str, Condition]]) -> dict[str, Condition]:
    """The conditions by their names; a place that comes again is numbered."""
    if isinstance(conditions, Mapping):
        return dict(conditions)
    named: dict[str, Condition] = {}
    for condition in conditions:
        if not isinstance(condition, Condition):
            raise TypeError(f"a condition is ps.Condition(place, residual), and not {type(condition).__name__}")
        name = condition.name
        if name is None:
            place = condition.place
            base = "data" if isinstance(place, (Data, Mapping)) else _word(place)
            name = next(n for n in _numbered(base) if n not in named)
        elif name in named:
            raise ProblemError(f"there are two conditions of the name {name!r}")
        named[name] = condition
    return named


def _word(place: Any) -> str:
    """A place as a name: ``t = 0`` is ``t-0``."""
    text = place if isinstance(place, str) else "-".join(map(str, place))
    word = "".join(c if c.isalnum() and c.isascii() else " " for c in text)
    return "-".join(word.split()) or "condition"


def _numbered(base: str) -> Iterable[str]:
    yield base
    number = 2
    while True:
        yield f"{base}-{number}"
        number += 1


def _condition(label: str, condition: Condition, files: dict[str, bytes], write: Any, written: Any) -> str:
    place = condition.place
    if isinstance(place, Data):
        file = f"{_word(label)}.csv"
        file = next(f for f in (file, *(f"{k}-{file}" for k in range(2, 300))) if f not in files)
        files[file] = place.to_csv()
        place = {"file": file}
    residual = condition.residual
    if isinstance(residual, (list, tuple)):
        residual = [written(each) for each in residual]
    elif residual is not None:
        residual = written(residual)
    entries = {
        "place": place,
        "residual": residual,
        "enforce": condition.enforce,
        "weight": condition.weight,
        "scale": condition.scale,
        "points": condition.points,
        "sampler": condition.sampler,
        "dimensions": condition.dimensions,
        "order": condition.order,
    }
    stated = {entry: value for entry, value in entries.items() if value is not None}
    return toml.table(f"conditions.{toml.key(label)}", stated, write)
