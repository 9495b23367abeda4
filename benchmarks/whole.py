#!/usr/bin/env python3
"""Seconds to an accuracy, on ten problems: pinn-solve, self-scaled Broyden in JAX, and DeepXDE: `python3 benchmarks/whole.py`.

Needs the environment of run.py, which it sets up in the same way.
For every problem and seed the contestants run one after the other, alone on the same cores; all measure the relative L2 error on
the same points against the same reference, and the greatest over the unknowns counts.
A peer is stopped when it has taken --limit times as long as pinn-solve in all.
pinn-solve runs its own recipe, or, of the two problems in benchmarks/whole, what it decides for a plain file; JAX trains the
same network at as many points by the same method (jax_broyden.py), DeepXDE does what its demonstration does (demo.py).
A run that is in --out already is not repeated: a night's work can be interrupted.
Writes whole.csv (every error that was measured), whole.md (medians of the seconds to each mark) and whole.png into --out.
"""

import argparse
import csv
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from run import HERE, build, describe, set_up

MARKS = [10.0**-k for k in range(2, 9)]
PROBLEMS = ["burgers", "allen-cahn", "kdv", "wave", "schrodinger", "helmholtz"]
PROBLEMS += ["poisson-2d", "poisson-5d", "kovasznay", "black-scholes"]
CONTESTANTS = ["pinn-solve", "JAX", "DeepXDE, f32", "DeepXDE, f64"]
COLORS = ["#1b6ca8", "#3a7d44", "#e08e45", "#a01a58"]
FIELDS = ["problem", "contestant", "seed", "step", "seconds", "error"]


def write_csv(path, columns, rows):
    with open(path, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        writer.writerows(rows)


def problem_file(name, folder):
    """What pinn-solve is asked for: a built-in problem, or a plain file, whose reference may have to be computed."""
    plain = HERE / "whole" / f"{name}.toml"
    if not plain.exists():
        return name
    if name == "schrodinger":
        from reference import schrodinger

        x, times, h = schrodinger(4096, 8000)
        shown = range(0, len(x), 32)
        rows = ([x[k], t, line[k].real, line[k].imag] for t, line in zip(times, h) for k in shown)
        write_csv(folder / "schrodinger.csv", "xtuv", rows)
    copy = folder / plain.name
    copy.write_text(plain.read_text())
    return copy


def ours(program, problem, seed, threads, folder):
    """[(step, seconds, error)] of pinn-solve, as often as it measures, and at its end."""
    command = [program, "--problem", problem, "--seed", str(seed), "--threads", str(threads)]
    out = folder / "run"
    subprocess.run([*command, "--out", out, "--no-plots", "--quiet", "--accept"], check=True)
    end = json.loads((out / "result.json").read_text())
    # Where time is cut into windows there is no answer before the last one.
    windows = [stage.get("window") or 0 for stage in end["stages"]]
    before = sum(stage["steps"] for stage, window in zip(end["stages"], windows) if window < max(windows))
    lines = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    lines = [line for line in lines if line.get("rel_l2") and line["step"] > before]
    run = [(line["step"], line["seconds"], max(line["rel_l2"].values())) for line in lines]
    errors = [unknown["rel_l2"] for unknown in end["unknowns"].values() if unknown["rel_l2"] is not None]
    return [*run, (end["steps"], end["seconds"], max(errors))]


def theirs(command, limit):
    """[(step, seconds, error)] as a peer prints them, which is stopped after `limit` seconds of training."""
    command = [sys.executable, str(HERE / command[0]), *map(str, command[1:])]
    run = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as peer:
        for line in peer.stdout:
            if line.startswith("{"):
                line = json.loads(line)
                run.append((line["step"], line["seconds"], line["error"]))
                if line["seconds"] > limit:
                    peer.kill()
                    return run
    if peer.returncode != 0:
        raise subprocess.CalledProcessError(peer.returncode, command)
    return run


def first(run, mark):
    """Seconds until the error was at most `mark`; never is infinite."""
    return next((seconds for _, seconds, error in run if error <= mark), math.inf)


def table(runs, machine):
    """For every problem and contestant the medians over seeds."""
    head = ["problem", "program", "seeds", *(f"s to {mark:.0e}" for mark in MARKS), "least error", "s in all"]
    lines = ["# Seconds to an accuracy", "", f"{machine}; medians over seeds", ""]
    lines += ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    short = lambda seconds: "–" if math.isinf(seconds) else f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"
    for name in PROBLEMS:
        medians = {}
        for contestant in CONTESTANTS:
            own = [run for (problem, who, _), run in runs.items() if (problem, who) == (name, contestant)]
            if not own:
                continue
            marks = [statistics.median(first(run, mark) for run in own) for mark in MARKS]
            least = statistics.median(min((e for _, _, e in run if e == e), default=math.inf) for run in own)
            medians[contestant] = marks
            cells = [short(seconds) for seconds in marks]
            cells += [f"{least:.1e}", f"{statistics.median(run[-1][1] for run in own):.0f}"]
            lines.append(f"| {name} | {contestant} | {len(own)} | " + " | ".join(cells) + " |")
        if "pinn-solve" in medians and len(medians) > 1:
            others = [marks for who, marks in medians.items() if who != "pinn-solve"]
            ratios = [min(mark) / own if own else math.inf for own, *mark in zip(medians["pinn-solve"], *others)]
            cells = ["–" if r != r else "alone" if math.isinf(r) else f"{r:.1f}" for r in ratios]
            lines.append(f"| | **the fastest peer, times** | | " + " | ".join(cells) + " | | |")
    return "\n".join(lines) + "\n"


def name_axes(panel):
    panel.set_xlabel("seconds of training")
    panel.set_ylabel("relative L2 error")
    panel.grid(color="#dddddd")


def picture(runs, machine, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = [name for name in PROBLEMS if any(problem == name for problem, _, _ in runs)]
    rows = math.ceil(len(names) / 2)
    figure, axes = plt.subplots(rows, 2, figsize=(10, 2.6 * rows + 0.8), layout="constrained", squeeze=False)
    for panel in axes.flat[len(names) :]:
        panel.set_axis_off()
    for panel, name in zip(axes.flat, names):
        for (problem, contestant, _), run in runs.items():
            if problem == name:
                line = panel.loglog([s for _, s, _ in run], [e for _, _, e in run], linewidth=1.2)[0]
                line.set_color(COLORS[CONTESTANTS.index(contestant)])
                line.set_label(contestant)
        panel.set_title(name, fontsize=10)
        name_axes(panel)
    handles = {}
    for panel in axes.flat:
        handles.update(zip(*reversed(panel.get_legend_handles_labels())))
    order = [who for who in CONTESTANTS if who in handles]
    figure.legend([handles[who] for who in order], order, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(machine, fontsize=9)
    figure.savefig(path, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="cores for everyone (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each contestant (default: %(default)s)")
    parser.add_argument("--problems", default=",".join(PROBLEMS), help="which, with commas (default: all ten)")
    parser.add_argument("--contestants", default=";".join(CONTESTANTS), help="who, with semicolons (default: all four)")
    parser.add_argument("--report", action="store_true", help="run nothing: tables and picture of the runs that are there")
    parser.add_argument("--limit", type=float, default=4.0, help="peers stop after this times pinn-solve's seconds (default: 4)")
    options = parser.parse_args()
    set_up(__file__)
    program = os.environ.get("PINN_SOLVE") or build("pinn-solve", "bin")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    kept = options.out / "whole"
    kept.mkdir(parents=True, exist_ok=True)
    runs, machine = {}, describe(range(options.threads))
    for seed in range(options.seeds):
        for name in options.problems.split(","):
            # The points and the reference, which a run of pinn-solve leaves.
            points = kept / f"{name}.csv"
            limit = lambda: options.limit * runs[name, "pinn-solve", seed][-1][1]
            peer = lambda *command: theirs(command, limit())
            go = {
                "pinn-solve": lambda folder: ours(program, problem_file(name, folder), seed, options.threads, folder),
                "JAX": lambda _: peer("jax_broyden.py", name, seed, points),
                "DeepXDE, f32": lambda _: peer("demo.py", name, "float32", seed, options.threads, points),
                "DeepXDE, f64": lambda _: peer("demo.py", name, "float64", seed, options.threads, points),
            }
            for contestant in options.contestants.split(";"):
                done = kept / f"{name}-{contestant.replace(', ', '-')}-{seed}.json"
                if options.report and not done.exists():
                    continue
                if not done.exists():
                    with tempfile.TemporaryDirectory() as folder:
                        run = go[contestant](Path(folder))
                        if contestant == "pinn-solve" and not points.exists():
                            points.write_bytes((Path(folder) / "run" / "solution.csv").read_bytes())
                    done.write_text(json.dumps(run))
                run = runs[name, contestant, seed] = json.loads(done.read_text())
                print(f"{name}, {contestant}, seed {seed}: {min(e for _, _, e in run):.1e} in {run[-1][1]:.0f} s", flush=True)
    write_csv(options.out / "whole.csv", FIELDS, ([*key, *line] for key, run in runs.items() for line in run))
    (options.out / "whole.md").write_text(table(runs, machine))
    picture(runs, machine, options.out / "whole.png")


if __name__ == "__main__":
    main()
