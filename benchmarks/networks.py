"""The measured temperatures of docs/networks/conductivity.toml, made anew: `python benchmarks/networks.py`.

The rod's equation, T_t = (k(x) T_x)_x with k = 1 + 0.4 sin(2 pi x) + 0.3 x, -k T_x = tanh(5 t) at x = 0, T = 0 at x = 1 and at the
start, is solved by finite volumes of second order on 2,000 cells with the trapezoidal rule in time (SciPy's sparse LU, steps
that grow from 1e-6 to 1e-3), which is right to 1e-5 of the greatest temperature. Noise of 0.001 is added to what 40 sensors
say at 60 times. Needs NumPy and SciPy; the numbers are those of the seed.
"""

from pathlib import Path

import numpy as np
from scipy.sparse import diags, identity
from scipy.sparse.linalg import splu

CELLS, SENSORS, TIMES, NOISE, SEED = 2000, 40, 60, 0.001, 1


def conductivity(x):
    return 1 + 0.4 * np.sin(2 * np.pi * x) + 0.3 * x


def temperatures(times):
    """T at the cells' middles at the given times, and the middles."""
    h = 1 / CELLS
    faces, middles = np.linspace(0, 1, CELLS + 1), (np.arange(CELLS) + 0.5) * h
    flow = conductivity(faces) / h
    flow[0], flow[-1] = 0, 2 * flow[-1]
    operator = diags([flow[1:-1], -(flow[:-1] + flow[1:]), flow[1:-1]], [-1, 0, 1]) / h
    inflow = lambda t: np.tanh(5 * t)
    now, step, state, kept, factors = 0.0, 1e-6, np.zeros(CELLS), [], None
    eye = identity(CELLS)
    for target in times:
        while now < target - 1e-12:
            wanted = min(step, target - now)
            if factors is None or factors[0] != wanted:
                factors = wanted, splu((eye - 0.5 * wanted * operator).tocsc())
            right = state + 0.5 * wanted * (operator @ state)
            right[0] += 0.5 * wanted * (inflow(now) + inflow(now + wanted)) / h
            state = factors[1].solve(right)
            now += wanted
            step = min(1.02 * step, 1e-3)
        kept.append(state.copy())
    return np.array(kept), middles


def main():
    positions = np.linspace(0, 1, SENSORS + 1)[:-1]
    times = np.linspace(0, 1, TIMES + 1)[1:]
    values, middles = temperatures(times)
    random = np.random.default_rng(SEED)
    rows = ["# Made by benchmarks/networks.py.", "x,t,T_obs"]
    # Half a cell before the first middle the flux is known.
    for t, row in zip(times, values):
        inner = np.interp(positions, middles, row)
        inner[0] = row[0] + 0.5 / CELLS * np.tanh(5 * t)
        for x, temperature in zip(positions, inner + NOISE * random.standard_normal(SENSORS)):
            rows.append(f"{x:.3f},{t:.5f},{temperature:.5f}")
    target = Path(__file__).parent.parent / "docs" / "networks" / "conductivity.csv"
    target.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
