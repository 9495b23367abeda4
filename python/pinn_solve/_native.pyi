"""The compiled half of the package; what is for people is in the other modules, but for Objective."""

import os
from collections.abc import Callable, Sequence
from typing import Any, Optional, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Path = str | os.PathLike[str]
_Doubles = NDArray[np.float64]

__version__: str

def problems() -> list[tuple[str, str]]: ...
def resume(folder: _Path, threads: Optional[int], observer: Optional[Callable[..., Any]]) -> str: ...
def sweep(
    config: _Path,
    folder: _Path,
    jobs: int,
    threads: Optional[int],
    draw: bool,
    observer: Optional[Callable[..., Any]],
) -> None: ...
@final
class Problem:
    def __new__(
        cls,
        name: str,
        text: Optional[str],
        folder: _Path,
        changes: Sequence[tuple[str, str]],
        points: Optional[int],
        lr: Optional[float],
        steps: Optional[int],
    ) -> Problem: ...
    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def resolved(self) -> str: ...
    @property
    def coordinates(self) -> list[tuple[str, float, float, str]]: ...
    @property
    def unknowns(self) -> list[tuple[str, str]]: ...
    @property
    def conditions(self) -> list[tuple[str, list[str], bool, float, int]]: ...
    @property
    def parameters(self) -> list[tuple[str, float]]: ...
    @property
    def trainable(self) -> list[tuple[str, float]]: ...
    @property
    def networks(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def decisions(self) -> list[tuple[str, str, str]]: ...
    @property
    def advice(self) -> list[tuple[Any, ...]]: ...
    def solve(
        self,
        folder: _Path,
        threads: Optional[int],
        plots: bool,
        estimate: bool,
        observer: Optional[Callable[..., Any]],
    ) -> tuple[str, Optional[str]]: ...
    def objective(self, threads: Optional[int], round: int) -> Objective: ...
    def network(self, theta: _Doubles, threads: Optional[int]) -> Trained: ...
@final
class Trained:
    @staticmethod
    def load(folder: _Path, threads: Optional[int]) -> Trained: ...
    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def coordinates(self) -> list[tuple[str, float, float, str]]: ...
    @property
    def unknowns(self) -> list[tuple[str, str]]: ...
    @property
    def resolved(self) -> str: ...
    @property
    def networks(self) -> str: ...
    @property
    def time(self) -> Optional[int]: ...
    @property
    def steps(self) -> int: ...
    @property
    def theta(self) -> _Doubles: ...
    @property
    def found(self) -> list[tuple[str, float]]: ...
    @property
    def damaged(self) -> list[str]: ...
    def columns(self, quantity: str) -> list[str]: ...
    def evaluate(
        self, quantities: Sequence[str], points: _Doubles, data: Sequence[tuple[str, _Doubles]]
    ) -> tuple[list[list[_Doubles]], int]: ...
    def integrate(self, quantity: str, over: str) -> list[tuple[str, float, float]]: ...
    def evaluation(
        self,
    ) -> tuple[float, list[tuple[str, float]], list[tuple[str, Optional[float], float, float]]]: ...
    def verdict(self) -> tuple[str, str, list[str], Optional[float]]: ...
    def export(self, name: str, single: bool, runtime: bool) -> list[tuple[str, bytes]]: ...
@final
class Objective:
    """The loss of a problem at fixed points, θ ↦ L(θ).

    θ is one vector of ``size`` numbers: weights and biases layer by layer, then the parameters to be found.
    With r the vector of ``residuals``, L = r·r.
    """

    @property
    def size(self) -> int:
        """Length of θ."""
    @property
    def initial(self) -> _Doubles:
        """θ as the problem's initialization draws it, shape (size,)."""
    @property
    def conditions(self) -> list[str]:
        """The conditions' names, in the order of ``residuals``."""
    def __call__(self, theta: ArrayLike) -> tuple[float, _Doubles]:
        """The loss, and its gradient of shape (size,)."""
    def loss(self, theta: ArrayLike) -> float:
        """The loss without its gradient."""
    def terms(self, theta: ArrayLike) -> dict[str, float]:
        """The mean squared residual of every condition, without weights."""
    def residuals(self, theta: ArrayLike) -> _Doubles:
        """r: every residual times √(λ/points), condition by condition, point by point, residual by residual."""
    def jvp(self, theta: ArrayLike, direction: ArrayLike) -> _Doubles:
        """J·v: the change of ``residuals`` along a direction of shape (size,)."""
    def gauss_newton(self, theta: ArrayLike, direction: ArrayLike) -> _Doubles:
        """JᵀJ·v, shape (size,)."""
