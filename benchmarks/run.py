#!/usr/bin/env python3
"""Times one training step of pinn-solve and of its peers, side by side: `python3 benchmarks/run.py`.

Sets the peers up (PyTorch, JAX, DeepXDE, from PyPI, into benchmarks/.peers), builds pinn-solve, and times all of them in
turns: every case has rounds, and in every round each contestant makes a few steps.
All start from the same weights and points, in the same precision, on the same cores, and step with Adam; compiling and
the first steps are not in the times.
The losses before the first steps must agree to rounding: a row that does not is void.

Writes results.csv, results.md and results.png into the folder --out.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".peers"
PACKAGES = ["torch==2.9.0", "jax==0.10.2", "deepxde==1.15.0", "safetensors==0.8.0", "matplotlib==3.11.2"]

CASES = [
    ("burgers-soft", 50, 64, 2000),
    ("burgers-soft", 4, 64, 10000),
    ("burgers-soft", 5, 100, 8192),
    ("burgers-soft", 8, 20, 10000),
    ("burgers-soft", 3, 20, 2540),
    ("black-scholes-soft", 50, 64, 2000),
    ("beam", 4, 64, 2000),
    ("poisson-5d", 4, 64, 2000),
]
PEERS = ["pytorch-nested", "deepxde", "jax-nested", "pytorch-jets", "jax-jets", "pytorch-compile-jets"]
NESTED = {"pytorch-nested", "deepxde", "jax-nested"}
# How far losses may lie apart, relatively: before the first step, and before the fourth, when Adam, which divides by the
# gradient's size, has enlarged the rounding of the smallest components.
TOLERANCE = {"f32": (1e-4, 2e-2), "f64": (1e-9, 1e-5)}
FIELDS = ["problem", "network", "points", "precision", "contestant", "median_ms", "min_ms", "ratio"]
FIELDS += ["compile_s", "loss", "loss_after_3", "note"]


def set_up(program=__file__):
    """Installs what is missing and goes on inside the environment."""
    python = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / "installed"
    if not done.exists() or done.read_text().split() != PACKAGES:
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        done.write_text("\n".join(PACKAGES))
    if Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
        os.execv(python, [str(python), program, *sys.argv[1:]])


def build(name="worker", kind="bench"):
    """The path of pinn-solve's worker, or of another program of the package."""
    command = ["cargo", "build", "--release", "--package", "pinn-solve", f"--{kind}", name]
    command += ["--message-format=json-render-diagnostics"]
    output = subprocess.run(command, cwd=HERE.parent, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in output.splitlines()]
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == name)


class Contestant:
    """A program that answers lines of JSON with lines of JSON."""

    def __init__(self, name, command, cores):
        self.name = name
        environment = {**os.environ, "OMP_NUM_THREADS": str(len(cores)), "PYTHONWARNINGS": "ignore"}
        pin = (lambda: os.sched_setaffinity(0, cores)) if hasattr(os, "sched_setaffinity") else None
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
            preexec_fn=pin,
        )

    def answer(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "the process ended"}

    def ask(self, order):
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return {"error": "the process ended"}
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def measure(case, precision, worker, peers, cores, options):
    """The rows of one case."""
    problem, depth, width, points = case
    file = ENVIRONMENT / "case.safetensors"
    command = [worker, problem, *map(str, case[1:]), precision, str(len(cores)), str(file)]
    ours = Contestant("pinn-solve", command, cores)
    first = ours.answer()
    order = {"problem": problem, "depth": depth, "width": width, "dtype": precision, "file": str(file)}
    answers = [(ours, first)] + [(peer, peer.ask(order)) for peer in peers]
    running = [contestant for contestant, answer in answers if "error" not in answer]
    times = {contestant.name: [] for contestant in running}
    steps = {}
    for contestant in running:
        # How many steps fill a turn.
        trial = contestant.ask({"steps": 3})
        pace = min(trial.get("ms", [1e9]))
        steps[contestant.name] = max(2, min(500, round(1e3 * options.turn / pace)))
    peak = 0.0
    for _ in range(options.rounds):
        time.sleep(0.05)
        peak = max(peak, ours.ask({"peak": True})["gflops"])
        for contestant in running:
            # Others' threads may look out for work for a moment, and one's own must wake up: not in the times.
            time.sleep(0.05)
            answer = contestant.ask({"steps": steps[contestant.name] + 1})
            times[contestant.name] += answer.get("ms", [])[1:]
    ours.end()
    own = statistics.median(times["pinn-solve"])
    rate = 2e-6 * first["work"]["products"] / own
    rows = []
    for contestant, answer in answers:
        row = {field: "" for field in FIELDS}
        row |= {"problem": problem, "network": f"{depth}x{width}", "points": points, "precision": precision}
        row["contestant"] = contestant.name
        here = times.get(contestant.name)
        if not here:
            row["note"] = answer.get("error", "no times")
        else:
            losses = answer["losses"]
            row |= {"compile_s": round(answer["compile_s"], 1), "loss": losses[0], "loss_after_3": losses[3]}
            gaps = [abs(losses[i] / first["losses"][i] - 1) for i in (0, 3)]
            if all(gap <= limit for gap, limit in zip(gaps, TOLERANCE[precision])):
                median = statistics.median(here)
                row |= {"median_ms": round(median, 4), "min_ms": round(min(here), 4), "ratio": round(median / own, 2)}
            else:
                row["note"] = f"void: losses differ by {gaps[0]:.1e} before the first step, {gaps[1]:.1e} before the fourth"
        if contestant is ours:
            row["note"] = f"{rate:.0f} of {peak:.0f} GFLOP/s in products ({100 * rate / peak:.0f} %)"
        rows.append(row)
    return rows


def table(rows, machine):
    """The Markdown page."""
    names = ["pinn-solve"] + PEERS
    lines = ["# One training step, side by side", "", machine, ""]
    lines += ["Median milliseconds of a step, and in brackets how many times pinn-solve's.", ""]
    lines += ["| case | " + " | ".join(names) + " | of the fastest nested | of the fastest jets |"]
    lines += ["|---" * (len(names) + 3) + "|"]
    for key, found in group(rows):
        cells = []
        for name in names:
            row = found.get(name)
            if not row or row["median_ms"] == "":
                cells.append("void" if row and str(row["note"]).startswith("void") else "–")
            else:
                cells.append(f"{row['median_ms']:.3g}" + (f" ({row['ratio']:.1f})" if name != "pinn-solve" else ""))
        for chosen in (NESTED, set(PEERS) - NESTED):
            ratios = [found[n]["ratio"] for n in chosen if n in found and found[n]["ratio"] != ""]
            cells.append(f"{min(ratios):.1f}" if ratios else "–")
        lines.append(f"| {key} | " + " | ".join(cells) + " |")
    lines += ["", "Rate of pinn-solve's matrix products against the machine's peak:", ""]
    lines += [f"- {key}: {found['pinn-solve']['note']}" for key, found in group(rows) if "pinn-solve" in found]
    lines += ["", "Seconds of compiling, not in the times above:", ""]
    for key, found in group(rows):
        compiled = [f"{n} {r['compile_s']}" for n, r in found.items() if r["compile_s"] not in ("", 0, 0.0)]
        lines.append(f"- {key}: {', '.join(compiled) or 'none'}")
    notes = [f"- {r['problem']} {r['network']} {r['precision']}, {r['contestant']}: {r['note']}" for r in rows]
    notes = [n for n, r in zip(notes, rows) if r["note"] and r["contestant"] != "pinn-solve"]
    lines += ["", "What did not run or is void:", "", *notes] if notes else []
    return "\n".join(lines) + "\n"


def group(rows):
    """(title, {contestant: row}) of every case, in order."""
    cases = {}
    for row in rows:
        key = f"{row['problem']} {row['network']}, {row['points']} points, {row['precision']}"
        cases.setdefault(key, {})[row["contestant"]] = row
    return cases.items()


def picture(rows, machine, path):
    """Ratios as dots on a logarithmic axis, a line a case."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    cases = list(group(rows))
    figure, axes = plt.subplots(figsize=(9, 1.6 + 0.38 * len(cases)), layout="constrained")
    markers = dict(zip(PEERS, "osDosD"))
    colors = dict(zip(PEERS, ["#c1440e", "#e08e45", "#a01a58", "#1b6ca8", "#5fa8d3", "#14505c"]))
    for name in PEERS:
        dots = [
            (found[name]["ratio"], len(cases) - 1 - i)
            for i, (_, found) in enumerate(cases)
            if name in found and found[name]["ratio"] != ""
        ]
        if dots:
            fill = colors[name] if name in NESTED else "white"
            axes.scatter(*zip(*dots), label=name, marker=markers[name], s=46, facecolor=fill, edgecolor=colors[name])
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    ticks = [1, 2, 3, 4, 6, 10, 20, 40, 100]
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(cases)), [title for title, _ in reversed(cases)])
    axes.set_xlabel("time of a step, in steps of pinn-solve")
    axes.grid(axis="both", color="#dddddd")
    axes.set_axisbelow(True)
    figure.suptitle(f"One Adam step, filled: nested derivatives, hollow: jets by hand\n{machine}", fontsize=9)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=150)


def describe(cores):
    """The machine and the versions, in a line."""
    model = "unknown processor"
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((l.split(":")[1].strip() for l in lines if l.startswith("model name")), model)
    return f"{model}, {len(cores)} cores; {', '.join(PACKAGES[:3])}."


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of the tables (default: %(default)s)")
    parser.add_argument("--case", action="append", help="only cases whose `problem DEPTHxWIDTH` holds this; repeatable")
    parser.add_argument("--precision", choices=["f32", "f64"], action="append", help="only this one")
    parser.add_argument("--peer", choices=PEERS, action="append", help="only this one; repeatable")
    parser.add_argument("--threads", type=int, default=2, help="cores for everyone (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant (default: %(default)s)")
    parser.add_argument("--turn", type=float, default=0.25, help="seconds of a turn (default: %(default)s)")
    parser.add_argument("--add", action="store_true", help="keep the rows of results.csv that are not measured anew")
    options = parser.parse_args()
    set_up()
    worker = os.environ.get("WORKER") or build()
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count())
    cores = list(available)[: options.threads]
    names = options.peer or PEERS
    peers = [
        Contestant(name, [sys.executable, str(HERE / "peers.py"), name, str(len(cores))], cores) for name in names
    ]
    chosen = [
        (case, precision)
        for case in CASES
        for precision in options.precision or ["f32", "f64"]
        if not options.case or any(part in f"{case[0]} {case[1]}x{case[2]}" for part in options.case)
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "results.csv"
    rows = read(path) if options.add and path.exists() else []
    for case, precision in chosen:
        start = time.perf_counter()
        new = measure(case, precision, worker, peers, cores, options)
        key = lambda row: (row["problem"], row["network"], row["precision"], row["contestant"])
        measured = {key(row) for row in new}
        rows = [row for row in rows if key(row) not in measured] + new
        places = [f"{c[0]} {c[1]}x{c[2]} {p}" for c in CASES for p in ("f32", "f64")]
        order = ["pinn-solve", *PEERS]
        rows.sort(
            key=lambda row: (
                places.index(f"{row['problem']} {row['network']} {row['precision']}"),
                order.index(row["contestant"]),
            )
        )
        machine = describe(cores)
        with open(path, "w", newline="") as out:
            writer = csv.DictWriter(out, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
        (options.out / "results.md").write_text(table(rows, machine))
        picture(rows, machine, options.out / "results.png")
        for row in new:
            print(*(row[field] for field in FIELDS), sep="\t")
        print(f"# {time.perf_counter() - start:.0f} s", flush=True)
    for peer in peers:
        peer.end()


def read(path):
    """The rows of a results.csv, numbers as numbers."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for field in ("points", "median_ms", "min_ms", "ratio", "compile_s", "loss", "loss_after_3"):
            row[field] = (int if field == "points" else float)(row[field]) if row[field] else ""
    return rows


if __name__ == "__main__":
    main()
