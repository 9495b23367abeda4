#!/usr/bin/env python3
"""The least errors that pinn-solve comes to, over seeds: `python3 benchmarks/records.py`.

Runs the problem files of benchmarks/records, whose networks, points and stages are chosen for the problem, not for speed.
A run that is in --out already is not repeated.
Writes records.csv (every error that was measured), records.md (a table) and records.png into --out.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
from functools import partial
from itertools import repeat
from pathlib import Path

from run import HERE, build, describe, set_up
from whole import name_axes, ours, write_csv

RECORDS = sorted(path.stem for path in (HERE / "records").glob("*.toml"))


def evolution(path, solve, shown, **settings):
    """Writes what a function of reference.py solves at all its times, and the positions of the slice `shown`."""
    import reference

    x, times, u = getattr(reference, solve)(**settings)
    write_csv(path, "xtu", (row for t, line in zip(times, u) for row in zip(x[shown], repeat(t), line[shown])))


def cavity(path):
    import numpy
    import reference

    at = (numpy.arange(40) + 0.5) / 40
    u, v = reference.cavity(72, to=at)
    write_csv(path, "xyuv", ([x, y, u[i, j], v[i, j]] for i, x in enumerate(at) for j, y in enumerate(at)))


TABLES = {
    "allen-cahn": partial(evolution, solve="allen_cahn", shown=slice(None, None, 80)),
    "kuramoto-sivashinsky": partial(evolution, solve="kuramoto_sivashinsky", shown=slice(128, 385, 2), steps=20_000),
    "cavity": cavity,
}


def picture(runs, machine, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panel = plt.subplots(figsize=(9, 5.5), layout="constrained")
    names = sorted({name for name, _ in runs})
    for k, name in enumerate(names):
        for (other, seed), run in runs.items():
            if other == name:
                label = name if seed == min(seed for n, seed in runs if n == name) else None
                panel.loglog([s for _, s, _ in run], [e for _, _, e in run], color=plt.cm.tab20(2 * k % 20 + k // 10), linewidth=1.2, label=label)
    name_axes(panel)
    figure.legend(loc="outside right upper", frameon=False)
    figure.suptitle(machine, fontsize=9)
    figure.savefig(path, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="cores (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each problem (default: %(default)s)")
    parser.add_argument("--problems", default=",".join(RECORDS), help="which, with commas (default: all)")
    options = parser.parse_args()
    set_up(__file__)
    program = os.environ.get("PINN_SOLVE") or build("pinn-solve", "bin")
    kept = options.out / "records"
    kept.mkdir(parents=True, exist_ok=True)
    runs, machine = {}, describe(range(options.threads))
    for seed in range(options.seeds):
        for name in options.problems.split(","):
            done = kept / f"{name}-{seed}.json"
            if not done.exists():
                values = kept / f"{name}.csv"
                if name in TABLES and not values.exists():
                    TABLES[name](values)
                with tempfile.TemporaryDirectory() as folder:
                    file = Path(shutil.copy(HERE / "records" / f"{name}.toml", folder))
                    if values.exists():
                        shutil.copy(values, folder)
                    done.write_text(json.dumps(ours(program, file, seed, options.threads, Path(folder))))
            run = runs[name, seed] = json.loads(done.read_text())
            print(f"{name}, seed {seed}: {run[-1][2]:.1e} in {run[-1][1]:.0f} s", flush=True)
    write_csv(options.out / "records.csv", ["problem", "seed", "step", "seconds", "error"], ([*key, *line] for key, run in runs.items() for line in run))
    lines = [f"{machine}; the error at the end", "", "| problem | median (least – greatest) | seeds | seconds |", "|---|---|---|---|"]
    for name in options.problems.split(","):
        own = [run for (other, _), run in runs.items() if other == name]
        errors, seconds = [run[-1][2] for run in own], statistics.median(run[-1][1] for run in own)
        lines.append(f"| {name} | {statistics.median(errors):.1e} ({min(errors):.1e} – {max(errors):.1e}) | {len(own)} | {seconds:.0f} |")
    (options.out / "records.md").write_text("\n".join(lines) + "\n")
    picture(runs, machine, options.out / "records.png")


if __name__ == "__main__":
    main()
