"""What can go wrong, as exceptions and warnings."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple


class Diagnostic(NamedTuple):
    """One mistake or piece of advice, and where in a text it belongs."""

    message: str
    """What is wrong, in lower case."""
    hint: str | None = None
    """What to do about it."""
    file: str | None = None
    """The file, or what stands for it; None where the mistake is in no text."""
    line: int | None = None
    """The line, from 1 on."""
    column: int | None = None
    """The column, in characters, from 1 on."""
    length: int | None = None
    """How many characters it takes."""
    text: str | None = None
    """The line itself."""
    is_warning: bool = False
    """Is it advice only?"""

    def __str__(self) -> str:
        place = "" if self.line is None else f"{self.file}:{self.line}:{self.column}: "
        hint = "" if self.hint is None else f" ({self.hint})"
        return f"{place}{self.message}{hint}"


class PinnError(Exception):
    """Every failure of this package is one.

    ``diagnostics`` are its mistakes one by one; ``message``, ``hint``, ``line`` and ``column`` are those of the first.
    """

    def __init__(self, text: str, mistakes: Sequence[tuple[Any, ...]] = ()) -> None:
        super().__init__(text, tuple(mistakes))
        self.diagnostics: list[Diagnostic] = [Diagnostic(*mistake) for mistake in mistakes]
        wrong = [item for item in self.diagnostics if not item.is_warning]
        first = wrong[0] if wrong else Diagnostic(text)
        self.message: str = first.message
        self.hint: str | None = first.hint
        self.line: int | None = first.line
        self.column: int | None = first.column

    def __str__(self) -> str:
        return str(self.args[0])


class ProblemError(PinnError, ValueError):
    """A mistake in a problem, in a formula, or in what is asked for."""


class FileError(PinnError, OSError):
    """A file or a folder that does not read, is not what it should be, or cannot be written."""


class DivergedError(PinnError, ArithmeticError):
    """Training came to numbers that are not finite, and going back did not help; ``run`` is what there is of it."""

    run: Any = None


class PinnWarning(UserWarning):
    """Every warning of this package is one."""


class AdviceWarning(PinnWarning):
    """Something in a problem that is worth a look."""


class NotSolvedWarning(PinnWarning):
    """The answer is called not solved; ``run.reason`` says why."""


class OutsideWarning(PinnWarning):
    """Points outside of the domain, where nothing was learned."""


def warn_user(text: str, category: type[PinnWarning]) -> None:
    """Warns, and names the line outside of this package that it is about."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("pinn_solve"):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, category, stacklevel=level)
