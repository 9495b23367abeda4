"""Differential equations solved by physics-informed neural networks.

    import pinn_solve as ps

    run = ps.solve("burgers", seed=1)
    run.error, run.verdict, run.history
    u, u_xx = run.predict(points, ["u", "u_xx"])
    run.plot()

The guide is docs/python.md, the language of equations docs/problem-file.md.
Points are rows of coordinates in the order of the problem; all numbers are in the problem's own units.
"""

from ._native import Objective, __version__
from .errors import (
    AdviceWarning,
    Diagnostic,
    DivergedError,
    FileError,
    NotSolvedWarning,
    OutsideWarning,
    PinnError,
    PinnWarning,
    ProblemError,
)
from .network import Errors, Integral, Network, Run, Verdict, load
from .problem import Changes, Condition, Coordinate, Data, Decision, Problem, Table, check, problems
from .solving import Sweep, solve, sweep

__all__ = [
    "AdviceWarning",
    "Changes",
    "Condition",
    "Coordinate",
    "Data",
    "Decision",
    "Diagnostic",
    "DivergedError",
    "Errors",
    "FileError",
    "Integral",
    "Network",
    "NotSolvedWarning",
    "Objective",
    "OutsideWarning",
    "PinnError",
    "PinnWarning",
    "Problem",
    "ProblemError",
    "Run",
    "Sweep",
    "Table",
    "Verdict",
    "__version__",
    "check",
    "load",
    "problems",
    "solve",
    "sweep",
]
