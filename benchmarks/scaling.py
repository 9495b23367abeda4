"""What several ranks of MPI gain: measured with 1 and 2 ranks on this machine, and a model for more.

Usage: python3 benchmarks/scaling.py PINN-SOLVE [US_A_POINT OWN_MS]

PINN-SOLVE is a build with `--features mpi`. Times are medians over runs in turns. With two numbers, microseconds of one thread
for a point and milliseconds of a step that no rank is spared, only the model is printed.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

PROGRAM = Path(sys.argv[1]).resolve()
TURNS = 3
STEPS = 30
# Burgers' equation; f64, one thread a rank.
NETWORK = ["--problem", "burgers", "--depth", "4", "--width", "64", "--precision", "f64"]
PARAMETERS = 12801
STRONG = 8000
ENVIRONMENT = os.environ | {name: "1" for name in ["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"]}


def step_ms(launch, points, threads=1, extra=()):
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "run"
        arguments = [*NETWORK, "--points", points, "--threads", threads, "--out", out, "--no-plots", "--accept", "--quiet"]
        arguments += ["--set", f"training.stages=[{{adam={{steps={STEPS}}}}}]", "--set", "training.resample=0", *extra]
        command = [*launch, str(PROGRAM), *map(str, arguments)]
        subprocess.run(command, check=True, env=ENVIRONMENT, timeout=300)
        result = json.loads((out / "result.json").read_text())
        assert result["parameters"] == PARAMETERS
        return result["step_ms"]


def in_turns(cases):
    """The median of each case, and its spread, over runs that alternate."""
    found = {name: [] for name in cases}
    for _ in range(TURNS):
        for name, case in cases.items():
            found[name].append(step_ms(*case))
    return {name: (median(times), min(times), max(times)) for name, times in found.items()}


def show(title, rows):
    print(f"\n{title}")
    for name, (middle, least, most) in rows.items():
        print(f"  {name:42} {middle:8.2f} ms a step   ({least:.2f} to {most:.2f})")


def mpi(ranks):
    return ["mpiexec", "-n", str(ranks)]


# The model. A step is what every rank does for itself (S), its groups (W over all groups, shared out whole), and the sums'
# way: from rank to rank in pieces, each of which is added to, and from the last rank to all.
CHANNELS = 4
ROWS_PER_GROUP, EVEN, MOST = 400, 8, 64
PIECE = 8192


def groups(points):
    many = points * CHANNELS // ROWS_PER_GROUP
    return max(1, many) if many < EVEN else min(many // EVEN * EVEN, MOST)


def pieces(parameters, layer):
    per = max(1, math.ceil(PIECE / layer)) * layer
    return max(1, math.ceil(parameters / per)) + 1


def model(ranks, threads, points, parameters, per_point, alone, latency, bytes_per_s, add):
    own = math.ceil(groups(points) / ranks)
    work = per_point * points * math.ceil(own / threads) / groups(points)
    if ranks == 1:
        return alone + work
    k = pieces(parameters, 64 * 65)
    bytes_all = 8 * (parameters + 3)
    # A piece on its way and added to, seconds; all pieces follow one another through all ranks.
    hop = latency + bytes_all / k / bytes_per_s + own * parameters / k * add
    way = (ranks - 1 + k - 1) * hop
    # A broadcast of a long message: scattered, then gathered in a ring or by doubling.
    back = 2 * math.ceil(math.log2(ranks)) * latency + 2 * bytes_all / bytes_per_s
    return alone + work + 1e3 * (way + back)


SIZES = [1, 2, 4, 8, 16, 32, 64, 256, 1024]
NETWORKS = {"10 Gb/s, 25 us": (25e-6, 1.25e9), "200 Gb/s, 2 us": (2e-6, 25e9)}
# Seconds in which a number is added to a sum: a cache's speed.
ADD = 0.5e-9


def show_model(per_point, own):
    print(f"\nModel, one thread a rank: {1e3 * per_point:.2f} us a point, {own:.2f} ms a step that no rank is spared; times as fast")
    print("  ranks", " " * 30, *(f"{n:6}" for n in SIZES[1:]))
    for points in [2000, STRONG, 100_000, 1_000_000]:
        for name, (latency, speed) in NETWORKS.items():
            times = [model(n, 1, points, PARAMETERS, per_point, own, latency, speed, ADD) for n in SIZES]
            print(f"  {points:9} points, {name:17}", *(f"{times[0] / t:6.1f}" for t in times[1:]))
    print("Weak: as many points a rank as groups allow, 8000; efficiency")
    for name, (latency, speed) in NETWORKS.items():
        times = [model(n, 1, STRONG * n, PARAMETERS, per_point, own, latency, speed, ADD) for n in SIZES]
        print(f"  {STRONG:9} a rank, {name:17}", *(f"{times[0] / t:6.2f}" for t in times[1:]))


def main():
    if len(sys.argv) == 4:
        return show_model(float(sys.argv[2]) / 1e3, float(sys.argv[3]))
    strong = in_turns({
        "one process": ([], STRONG),
        "1 rank": (mpi(1), STRONG),
        "one process, 2 threads": ([], STRONG, 2),
        "2 ranks": (mpi(2), STRONG),
    })
    print(f"Burgers' equation, 4 layers of 64, f64, {PARAMETERS} parameters, Adam, one thread a rank unless said")
    show(f"Strong scaling: {STRONG} points, {groups(STRONG)} groups", strong)
    weak = in_turns({
        f"1 rank, {STRONG} points": (mpi(1), STRONG),
        f"2 ranks, {2 * STRONG} points": (mpi(2), 2 * STRONG),
        f"1 rank, {2 * STRONG} points": (mpi(1), 2 * STRONG),
    })
    show("Weak scaling", weak)
    small, large = weak[f"1 rank, {STRONG} points"][0], weak[f"1 rank, {2 * STRONG} points"][0]
    per_point = (large - small) / STRONG
    show_model(per_point, max(0.0, small - per_point * STRONG))


if __name__ == "__main__":
    main()
