#!/usr/bin/env python3
"""How a step of pinn-solve grows with points, depth, width and channels: `python3 benchmarks/growth.py`.

Needs the environment of run.py, which it sets up in the same way.
Writes growth.csv, growth.md and growth.png into the folder --out; exponents are fitted to the upper half of every series.
"""

import argparse
import csv
import math
import os
import statistics

from run import HERE, Contestant, build, set_up

# (series, what grows, [(problem, depth, width, points)])
SERIES = [
    ("points", "interior points", [("burgers-soft", 4, 64, n) for n in (1000, 3000, 10**4, 30000, 10**5, 300000, 10**6)]),
    ("depth", "hidden layers", [("burgers-soft", d, 32, 1000) for d in (5, 10, 20, 50, 100, 200, 500, 1000)]),
    ("width", "neurons of a layer", [("burgers-soft", 4, w, 2000) for w in (8, 16, 24, 32, 48, 64, 100, 128, 256, 512)]),
    (
        "channels",
        "channels of a point",
        [(p, 4, 64, 4000) for p in ("burgers-inverse", "burgers-soft", "kdv", "beam", "poisson-5d")],
    ),
]
FIELDS = ["series", "problem", "network", "points", "x", "rows", "ms", "peak_rss_mb", "points_mb", "workspace_mb"]


def step(worker, case, cores, seconds):
    """Median milliseconds of a step, counted work, and the most memory the process held."""
    problem, depth, width, points = case
    contestant = Contestant("pinn-solve", [worker, problem, *map(str, case[1:]), "f32", str(len(cores)), "-"], cores)
    work = contestant.answer()["work"]
    pace = min(contestant.ask({"steps": 2})["ms"])
    times = contestant.ask({"steps": max(3, min(400, round(1e3 * seconds / pace)))})["ms"]
    status = open(f"/proc/{contestant.process.pid}/status").read() if os.path.exists("/proc/self/status") else ""
    held = [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")]
    contestant.end()
    return statistics.median(times), work, held[0] if held else math.nan


def slope(xs, ys):
    """The exponent of y ~ x^p through the upper half of the series."""
    logs = [(math.log(x), math.log(y)) for x, y in zip(xs, ys)][len(xs) // 2 :]
    mean_x, mean_y = (statistics.fmean(values) for values in zip(*logs))
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=str, default=str(HERE / "results"), help="folder (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="cores (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.4, help="seconds a case (default: %(default)s)")
    options = parser.parse_args()
    set_up(__file__)
    worker = os.environ.get("WORKER") or build()
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count())
    cores = list(available)[: options.threads]
    os.makedirs(options.out, exist_ok=True)
    rows, lines = [], []
    for name, label, cases in SERIES:
        found = []
        for case in cases:
            ms, work, held = step(worker, case, cores, options.seconds)
            problem, depth, width, points = case
            x = {"points": points, "depth": depth, "width": width, "channels": 0}[name]
            row = dict(zip(FIELDS, [name, problem, f"{depth}x{width}", points, x, work["rows"], ms, held]))
            row |= {"points_mb": work["points"] / 2**20, "workspace_mb": work["workspace"] / 2**20}
            found.append(row)
            print(*(f"{row[f]:.4g}" if isinstance(row[f], float) else row[f] for f in FIELDS), sep="\t", flush=True)
        if name == "channels":
            # A condition's points count once each; the equation's count once for each channel.
            for row in found:
                row["x"] = row["rows"] / row["points"]
            found.sort(key=lambda row: row["x"])
        rows += found
        exponent = slope([row["x"] for row in found], [row["ms"] for row in found])
        lines.append(f"| {label} | {found[0]['x']:.4g} … {found[-1]['x']:.4g} | {exponent:.2f} |")
    with open(os.path.join(options.out, "growth.csv"), "w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(
            {f: round(v, 4) if isinstance(v, float) else v for f, v in row.items()} for row in rows
        )
    by_points = [row for row in rows if row["series"] == "points"]
    with open(os.path.join(options.out, "growth.md"), "w") as file:
        file.write("| what grows | range | exponent of the time |\n|---|---|---|\n" + "\n".join(lines) + "\n\n")
        file.write("| points | peak memory, MB | of it the points' features | the rest |\n|---|---|---|---|\n")
        for row in by_points:
            rest = row["peak_rss_mb"] - row["points_mb"]
            file.write(f"| {row['points']} | {row['peak_rss_mb']:.1f} | {row['points_mb']:.1f} | {rest:.1f} |\n")
    picture(rows, os.path.join(options.out, "growth.png"))


def picture(rows, path):
    """Four panels of time, on logarithmic axes, with memory in the first."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 2, figsize=(9, 7), layout="constrained")
    for axes, (name, label, _) in zip(panels.flat, SERIES):
        found = [row for row in rows if row["series"] == name]
        xs, ys = [row["x"] for row in found], [row["ms"] for row in found]
        exponent = slope(xs, ys)
        axes.loglog(xs, ys, "o-", color="#1b6ca8", label="time of a step")
        if name == "channels":
            axes.set_xscale("linear")
            axes.set_yscale("linear")
            axes.set_ylim(bottom=0)
            axes.margins(x=0.12)
            for row in found:
                axes.annotate(
                    row["problem"],
                    (row["x"], row["ms"]),
                    textcoords="offset points",
                    xytext=(0, -14),
                    ha="center",
                    fontsize=8,
                )
        else:
            fit = [ys[-1] * (x / xs[-1]) ** exponent for x in xs]
            axes.loglog(xs, fit, "--", color="#888888", label=f"power {exponent:.2f}, fitted to the upper half")
            axes.legend(frameon=False, fontsize=8)
        axes.set_xlabel(label)
        axes.set_ylabel("ms")
        axes.grid(color="#dddddd")
        axes.set_title(f"{found[0]['network']}, {found[0]['points']} points" if name == "channels" else {
            "points": "Burgers, 4x64",
            "depth": "Burgers, width 32, 1,000 points",
            "width": "Burgers, 4 layers, 2,000 points",
        }[name], fontsize=10)
    figure.suptitle("One Adam step of pinn-solve, f32, two cores", fontsize=11)
    figure.savefig(path, dpi=140)


if __name__ == "__main__":
    main()
