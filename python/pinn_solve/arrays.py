"""Arrays as they come in: any numbers, any layout; out go vectors and rows of doubles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]


def real(value: ArrayLike, name: str) -> Doubles:
    """An aligned array of doubles in C order, of any shape."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name}: rows of different lengths are no array") from error
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: an array of {array.dtype} has no real numbers")
    with np.errstate(over="ignore"):
        return np.require(array, np.float64, ["C", "A"])


def vector(value: ArrayLike, name: str) -> Doubles:
    """An array of shape (n,)."""
    array = real(value, name)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}, and a vector has shape (n,)")
    return array


def finite(array: Doubles, name: str) -> Doubles:
    """The same, if all of it is finite."""
    good = np.isfinite(array)
    if not good.all():
        index = tuple(int(i) for i in np.argwhere(~good)[0])
        raise ValueError(f"{name}[{', '.join(map(str, index))}] is {array[index]}")
    return array


def points(value: Any, names: Sequence[str]) -> tuple[Doubles, tuple[int, ...]]:
    """Rows of coordinates (n, d), and the shape that values at them shall have.

    ``value`` is an array (n, d), for one coordinate (n,) too; or a mapping, or a table with columns, that has an array
    or a number for each coordinate, which are broadcast against one another.
    """
    wanted = ", ".join(names)
    columns = getattr(value, "columns", None)
    if isinstance(value, Mapping) or columns is not None:
        known = list(value if columns is None else columns)
        missing = [name for name in names if name not in known]
        if missing:
            raise ValueError(f"points have no {', '.join(missing)}; the coordinates are {wanted}")
        if columns is None and len(known) > len(names):
            extra = ", ".join(str(name) for name in known if name not in names)
            raise ValueError(f"points have {extra}, and the coordinates are {wanted}")
        each = [finite(real(value[name], f"points[{name!r}]"), f"points[{name!r}]") for name in names]
        try:
            together = np.broadcast_arrays(*each)
        except ValueError:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in zip(names, each))
            raise ValueError(f"points: arrays of these shapes do not go together: {shapes}") from None
        rows = np.stack([array.reshape(-1) for array in together], axis=1)
        return np.ascontiguousarray(rows), together[0].shape
    array = real(value, "points")
    if array.ndim == 1 and len(names) == 1:
        array = array.reshape(-1, 1)
    if array.ndim != 2 or array.shape[1] != len(names):
        raise ValueError(f"points have shape {array.shape}, and rows of ({wanted}) have shape (n, {len(names)})")
    return finite(array, "points"), (array.shape[0],)
