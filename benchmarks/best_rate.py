#!/usr/bin/env python3
"""Each rule at its best learning rate: a table in Markdown from the sweep.csv of a sweep with the axis `lr`.

    python3 best_rate.py output/depth-rules-burgers/sweep.csv [--rows depth] [--columns init] [--value best_loss]

A cell is the median over seeds at the rate where that is lowest, and the rate. Rates at which a run diverged count as
infinite. Combinations without a finished run are left out.
"""
import argparse
import csv
import statistics
from collections import defaultdict


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("file")
    p.add_argument("--rows", default="depth", help="axes, joined by commas")
    p.add_argument("--columns", default="init", help="axes, joined by commas")
    p.add_argument("--value", default="best_loss", help="a column; `error` is the first relative L2 error")
    a = p.parse_args()
    table = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    ended = {"done", "diverged", "tolerance-not-reached"}
    with open(a.file, newline="") as file:
        for run in csv.DictReader(file):
            if run["outcome"] not in ended:
                continue
            name = next(k for k in run if k.startswith("rel_l2")) if a.value == "error" else a.value
            number = float(run[name] or "inf") if run["outcome"] != "diverged" else float("inf")
            row, column = (tuple(run[k] for k in keys.split(",")) for keys in (a.rows, a.columns))
            table[row][column][run["lr"]].append(number)
    columns = list(dict.fromkeys(column for row in table.values() for column in row))
    print("|", " | ".join([a.rows] + [", ".join(column) for column in columns]), "|")
    print("|" + "---|" * (1 + len(columns)))
    for row, cells in table.items():
        texts = []
        for column in columns:
            rates = {rate: statistics.median(values) for rate, values in cells.get(column, {}).items()}
            best = min(rates, key=rates.get, default=None)
            count = len(cells[column][best]) if best else 0
            texts.append(f"{rates[best]:.1e} at {float(best):g} ({count})" if best else "")
        print("|", " | ".join([", ".join(row)] + texts), "|")


if __name__ == "__main__":
    main()
