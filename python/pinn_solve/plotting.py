"""Figures of networks and runs, by matplotlib."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

import numpy as np
from numpy.typing import NDArray

from .optional import need

if TYPE_CHECKING:
    from .network import Network

_FINE = 501
_SQUARE = 201


def plot(
    network: Network, quantities: Any, at: Optional[Mapping[str, float]], history: Optional[Mapping[str, NDArray[Any]]]
) -> Any:
    """A panel for every quantity, and one for the history if there is some."""
    need("matplotlib", "plot()")
    from matplotlib.figure import Figure

    class Shown(Figure):
        """A figure that notebooks show, whether anybody has set up matplotlib for them or not."""

        def _repr_png_(self) -> bytes:
            file = io.BytesIO()
            self.savefig(file, format="png", dpi=100)
            return file.getvalue()

    coordinates = network.coordinates
    fixed = dict(at or {})
    unknown = [name for name in fixed if name not in {c.name for c in coordinates}]
    if unknown:
        raise ValueError(f"at: {unknown[0]!r} is no coordinate")
    free = [c for c in coordinates if c.name not in fixed]
    # Time is drawn before the others; beyond two coordinates, what is left is fixed in the middle.
    time = network._inner.time
    free.sort(key=lambda c: time is None or c.name != coordinates[time].name)
    for c in free[2:]:
        fixed[c.name] = 0.5 * (c.lower + c.upper)
    free = free[:2]
    if not free:
        raise ValueError("at fixes all coordinates, and there is nothing left to draw along")
    fine = _FINE if len(free) == 1 else _SQUARE
    grid: dict[str, Any] = {c.name: fine for c in free}
    grid.update({name: float(value) for name, value in fixed.items()})
    axes, values = network._on(quantities, grid)
    drawn = history is not None and len(history.get("step", ())) > 0
    panels = len(values) + drawn
    columns = min(panels, 3)
    rows = math.ceil(panels / columns)
    figure = Shown(figsize=(4.6 * columns, 3.6 * rows), layout="constrained")
    panes = figure.subplots(rows, columns, squeeze=False).ravel()
    where = ", ".join(f"{name} = {value:.4g}" for name, value in fixed.items())
    units = dict(network._inner.unknowns)
    for pane, (name, array) in zip(panes, values.items()):
        label = f"{name} [{units[name]}]" if units.get(name) else name
        _field(figure, pane, free, axes, list(axes), array, label)
        pane.set_title(f"{label} at {where}" if where else label)
    if drawn and history is not None:
        _history(panes[len(values)], history)
    for pane in panes[panels:]:
        pane.set_visible(False)
    return figure


def _named(c: Any) -> str:
    return f"{c.name} [{c.unit}]" if c.unit else str(c.name)


def _field(figure: Any, pane: Any, free: list[Any], axes: Any, order: list[str], array: Any, label: str) -> None:
    if len(free) == 1:
        pane.plot(axes[free[0].name], array.reshape(-1), linewidth=1.6)
        pane.set_xlabel(_named(free[0]))
        pane.set_ylabel(label)
        pane.grid(alpha=0.3)
        return
    across, up = free
    places = (order.index(across.name), order.index(up.name))
    flat = np.moveaxis(array, places, (0, 1)).reshape(len(axes[across.name]), len(axes[up.name]))
    finite = flat[np.isfinite(flat)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    # What goes below and above zero is coloured by its sign.
    signed = low < 0 < high and min(-low, high) > 0.2 * max(-low, high)
    most = max(-low, high)
    limits = {"vmin": -most, "vmax": most, "cmap": "RdBu_r"} if signed else {"vmin": low, "vmax": high, "cmap": "viridis"}
    image = pane.pcolormesh(axes[across.name], axes[up.name], flat.T, shading="gouraud" if finite.size == flat.size else "nearest",
                            rasterized=True, **limits)  # fmt: skip
    figure.colorbar(image, ax=pane)
    pane.set_xlabel(_named(across))
    pane.set_ylabel(_named(up))


def _history(pane: Any, history: Mapping[str, NDArray[Any]]) -> None:
    pane.semilogy(history["step"], history["loss"], linewidth=1.2, label="loss")
    for name, column in history.items():
        seen = np.isfinite(column) if name.startswith("rel_l2.") else None
        if seen is not None and seen.any():
            pane.semilogy(history["step"][seen], column[seen], ".-", linewidth=1, label=f"error of {name[7:]}")
    pane.set_xlabel("step")
    pane.set_title("training")
    pane.grid(alpha=0.3)
    pane.legend()
