"""Packages that are needed for one thing only."""

from __future__ import annotations

import importlib
from typing import Any


def need(module: str, what: str, package: str | None = None) -> Any:
    """The module, or an error that says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = package or module.partition(".")[0]
        raise ImportError(f"{what} needs the package {name}: pip install {name}") from error
