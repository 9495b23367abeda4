"""Estimated against true errors: what `pinn-solve report RUN --json` says of finished runs, beside their references.

    python3 benchmarks/verdict.py RUN ... [--bin target/release/pinn-solve] [--threads 1] [--out docs/results/verdict]

RUN is the folder of a finished run whose problem has a reference; a folder of such folders stands for all of them.
Nothing is trained, so that a change of the estimate is seen in minutes.
RUN may also be a file NAME.jsonl with a line for each run as `pinn-solve --json` printed it, whose verdicts are taken as they are.
Writes verdict.csv and, where matplotlib is installed, verdict.png into --out, and prints what is counted.
"""

import argparse
import csv
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

WORDS = ["solved", "doubtful", "not solved"]
COLOURS = {"solved": "tab:green", "doubtful": "tab:orange", "not solved": "tab:red"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--bin", default="target/release/pinn-solve")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", default="docs/results/verdict")
    options = parser.parse_args()
    rows = []
    for run in sorted((run for name in options.runs for run in finished(Path(name))), key=str):
        row = printed(run) if isinstance(run, dict) else measure(run, options)
        if row:
            rows.append(row)
            print(*(show(row[key]) for key in ["problem", "true", "estimated", "verdict", "reason"]), sep=" | ", flush=True)
    rows.sort(key=lambda row: (row["problem"], row["true"]))
    os.makedirs(options.out, exist_ok=True)
    with open(os.path.join(options.out, "verdict.csv"), "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys() if rows else ["problem"])
        writer.writeheader()
        writer.writerows(rows)
    count(rows)
    picture(rows, os.path.join(options.out, "verdict.png"))


def finished(folder):
    """The folder itself, or those within it, that have a result; the results that a file holds."""
    if folder.suffix == ".jsonl":
        return [json.loads(line) for line in folder.read_text().splitlines()]
    if (folder / "result.json").is_file():
        return [folder]
    return [path for path in sorted(folder.iterdir()) if (path / "result.json").is_file()]


def true_error(result):
    """The greatest relative error over unknowns and parameters; None where it is not known."""
    if not isinstance(result.get("unknowns"), dict):
        return None
    errors = [unknown["rel_l2"] for unknown in result["unknowns"].values()]
    errors += [found["rel_error"] for found in result.get("trainable", {}).values() if found["true"] is not None]
    # A reference of zero has no relative error.
    return max(errors) if errors and None not in errors else None


def printed(result):
    """A row of the table from a result, the verdict as it is."""
    true = true_error(result)
    if true is None:
        return None
    row = {"problem": result["problem"], "true": true, "estimated": result["estimated_error"], "verdict": result["verdict"]}
    row |= dict.fromkeys(["explained", "amplification", "relative", "between", "seconds"])
    return row | {"training": round(result["seconds"], 2), "reason": result.get("verdict_reason", "")}


def measure(run, options):
    """A row of the table, the verdict made anew; None where there is no reference or no network."""
    result = json.loads((run / "result.json").read_text())
    true = true_error(result)
    if true is None:
        return None
    begin = time.monotonic()
    command = [options.bin, "report", str(run), "--json", "--threads", str(options.threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        print(run.name, done.stderr.strip(), file=sys.stderr)
        return None
    verdict = json.loads(done.stdout)
    signs = verdict["signs"]
    relative, between = signs["relative"] or ["", None], signs["between"] or ["", None]
    return {
        "problem": result["problem"],
        "true": true,
        "estimated": verdict["estimated_error"],
        "verdict": verdict["word"],
        "explained": signs["explained"],
        "amplification": signs["amplification"],
        "relative": relative[1],
        "between": between[1],
        "seconds": round(time.monotonic() - begin, 2),
        "training": round(result["seconds"], 2),
        "reason": verdict["reason"],
    }


def show(x):
    return f"{x:.1e}" if isinstance(x, float) else str(x)


def count(rows):
    """The two promises, and how far the estimate is from the truth."""
    wrong = [row for row in rows if row["true"] > 1e-2]
    right = [row for row in rows if row["true"] < 1e-4]
    bold = [row["problem"] for row in wrong if row["verdict"] == "solved"]
    timid = [row["problem"] for row in right if row["verdict"] == "not solved"]
    print(f"\n{len(rows)} runs; above 1e-2: {len(wrong)}, called solved: {len(bold)} {bold}")
    print(f"below 1e-4: {len(right)}, called not solved: {len(timid)} {timid}")
    for word in WORDS:
        print(f"{word}: {sum(row['verdict'] == word for row in rows)}")
    ratios = sorted(math.log10(row["estimated"] / row["true"]) for row in rows if row["estimated"] and row["true"])
    if ratios:
        at = lambda part: 10 ** ratios[round(part * (len(ratios) - 1))]
        print(f"estimated over true: 5 % {at(0.05):.2g}, 25 % {at(0.25):.2g}, median {at(0.5):.2g}, "
              f"75 % {at(0.75):.2g}, 95 % {at(0.95):.2g}")


def picture(rows, path):
    try:
        import matplotlib
    except ImportError:
        return print("no picture: matplotlib is not installed")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 6), dpi=150)
    low, high = 1e-11, 1e2
    clip = lambda x: min(max(x, low), high) if x is not None else high
    for word in WORDS:
        own = [row for row in rows if row["verdict"] == word]
        axes.plot([clip(row["true"]) for row in own], [clip(row["estimated"]) for row in own], "o",
                  color=COLOURS[word], label=f"{word} ({len(own)})", markersize=4, alpha=0.7)
    axes.plot([low, high], [low, high], color="0.6", linewidth=1)
    axes.axvline(1e-2, color="0.6", linewidth=1, linestyle="--")
    axes.axvline(1e-4, color="0.6", linewidth=1, linestyle="--")
    axes.set(xscale="log", yscale="log", xlabel="true relative error", ylabel="estimated relative error",
             xlim=(low, high), ylim=(low, high))
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    main()
