#!/usr/bin/env python3
"""Whole runs on Burgers' equation, pinn-solve's recipe beside DeepXDE's own demonstration: `python3 benchmarks/whole.py`.

Needs the environment of run.py, which it sets up in the same way.
For every seed the contestants run one after the other, alone on the same cores; both measure the relative L2 error on
the same points against the same exact solution.
Writes whole.csv (every error that was measured), whole.md (seconds to 1e-3 and 1e-4) and whole.png into --out.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from run import HERE, build, describe, set_up

MARKS = [1e-3, 1e-4, 1e-6]
FIELDS = ["contestant", "seed", "step", "seconds", "error"]


def ours(program, seed, threads, folder):
    """[(step, seconds, error)] of the default recipe, which measures every 100 steps."""
    command = [program, "--problem", "burgers", "--seed", str(seed), "--threads", str(threads)]
    subprocess.run([*command, "--out", str(folder), "--no-plots", "--quiet"], check=True)
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [(line["step"], line["seconds"], line["rel_l2"]["u"]) for line in lines if "rel_l2" in line]


def deepxde(precision, seed, threads, reference):
    """[(step, seconds, error)] of DeepXDE's demonstration."""
    command = [sys.executable, str(HERE / "demo.py"), precision, str(seed), str(threads), str(reference)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [(line["step"], line["seconds"], line["error"]) for line in lines]


def first(rows, mark):
    """Seconds until the error was at most `mark`, or nothing."""
    return next((row["seconds"] for row in rows if row["error"] <= mark), None)


def runs(rows):
    """{(contestant, seed): rows}, in order."""
    found = {}
    for row in rows:
        found.setdefault((row["contestant"], row["seed"]), []).append(row)
    return found


def table(rows, machine):
    lines = ["# Burgers' equation from the first step to the last", "", machine, ""]
    lines += ["| program | seed | " + " | ".join(f"s to {mark:.0e}" for mark in MARKS) + " | least error | s in all |"]
    lines += ["|---" * (len(MARKS) + 4) + "|"]
    for (contestant, seed), run in runs(rows).items():
        marks = [first(run, mark) for mark in MARKS]
        cells = ["never" if seconds is None else f"{seconds:.1f}" for seconds in marks]
        cells += [f"{min(row['error'] for row in run):.1e}", f"{run[-1]['seconds']:.0f}"]
        lines.append(f"| {contestant} | {seed} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def picture(rows, machine, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    colors = dict(zip(dict.fromkeys(row["contestant"] for row in rows), ["#1b6ca8", "#e08e45", "#a01a58"]))
    for (contestant, _), run in runs(rows).items():
        line = axes.loglog([row["seconds"] for row in run], [row["error"] for row in run], color=colors[contestant])
        line[0].set_label(contestant)
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles))
    figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=3, frameon=False)
    axes.set_xlabel("seconds of training")
    axes.set_ylabel("relative L2 error")
    axes.grid(color="#dddddd")
    figure.suptitle(f"Burgers' equation, default recipes\n{machine}", fontsize=9)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="cores for everyone (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=2, help="runs of each contestant (default: %(default)s)")
    options = parser.parse_args()
    set_up(__file__)
    program = os.environ.get("PINN_SOLVE") or build("pinn-solve", "bin")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    options.out.mkdir(parents=True, exist_ok=True)
    rows, machine = [], describe(range(options.threads))
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            contestants = {
                "pinn-solve": lambda: ours(program, seed, options.threads, run),
                "DeepXDE": lambda: deepxde("float32", seed, options.threads, run / "solution.csv"),
                "DeepXDE in float64": lambda: deepxde("float64", seed, options.threads, run / "solution.csv"),
            }
            for contestant, go in contestants.items():
                found = [dict(zip(FIELDS, (contestant, seed, *line))) for line in go()]
                rows += found
                print(table(found, "").splitlines()[-1], flush=True)
    rows.sort(key=lambda row: list(contestants).index(row["contestant"]))
    with open(options.out / "whole.csv", "w", newline="") as out:
        writer = csv.DictWriter(out, FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    (options.out / "whole.md").write_text(table(rows, machine))
    picture(rows, machine, options.out / "whole.png")


if __name__ == "__main__":
    main()
