"""Python's values as TOML."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .formulas import formula, is_sympy

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def key(name: Any) -> str:
    """A key, quoted where it has to be."""
    if not isinstance(name, str):
        raise TypeError(f"a key is a string, and not {name!r}")
    return name if _BARE.fullmatch(name) else string(name)


def string(text: str) -> str:
    """A string, escaped."""
    if any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise ValueError(f"{text!r} is no Unicode text")
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def value(item: Any, coordinates: Sequence[str] = (), tables: Sequence[str] = ()) -> str:
    """A value in one line; SymPy's expressions become strings."""
    if isinstance(item, np.generic):
        item = item.item()
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int):
        return str(item)
    if isinstance(item, float):
        if math.isfinite(item):
            return repr(item)
        return "nan" if math.isnan(item) else ("inf" if item > 0 else "-inf")
    if isinstance(item, (str, os.PathLike)):
        return string(os.fspath(item) if isinstance(item, os.PathLike) else item)
    if is_sympy(item):
        return string(formula(item, coordinates, tables))
    if isinstance(item, np.ndarray):
        item = item.tolist()
        if not isinstance(item, list):
            return value(item, coordinates, tables)
    if isinstance(item, Mapping):
        inside = ", ".join(f"{key(name)} = {value(part, coordinates, tables)}" for name, part in item.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(item, (list, tuple, range)):
        return f"[{', '.join(value(part, coordinates, tables) for part in item)}]"
    raise TypeError(f"{type(item).__name__} is nothing that a problem file can hold")


def table(name: str, content: Mapping[str, Any], write: Callable[[Any], str]) -> str:
    """A table with a line for every entry; empty if it has none."""
    if not content:
        return ""
    lines = "".join(f"{key(entry)} = {write(item)}\n" for entry, item in content.items())
    return f"\n[{name}]\n{lines}"
