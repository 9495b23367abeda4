"""Runs `pinn-solve` on several ranks of MPI and compares what they leave with what one process leaves, bit by bit.

Usage: python check.py PINN-SOLVE [RANKS ...]

PINN-SOLVE is a build with `--features mpi`; RANKS, 2 and 3 where none are given, are numbers of ranks to try.
Nothing but Python's own library is needed, and `mpiexec`, or what the variable MPIEXEC says.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = Path(sys.argv[1]).resolve()
RANKS = [int(n) for n in sys.argv[2:]] or [2, 3]
MPIEXEC = shlex.split(os.environ.get("MPIEXEC", "mpiexec"))
# Open MPI refuses root and more ranks than cores unless it is told.
OPEN_MPI = ["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMPI_MCA_rmaps_base_oversubscribe"]
ENVIRONMENT = os.environ | {name: "1" for name in OPEN_MPI}
LIMIT = 120

HEAT = """
title = "Heat"
[coordinates]
x = [0, 1]
t = [0, 0.1]
[unknowns]
u = {}
[network]
depth = 3
width = 16
[training]
evaluate = 20
checkpoint = 50
resample = 40
[conditions.physics]
place = "interior"
residual = "u_t - u_xx"
points = 3000
[conditions.initial]
place = "t = 0"
residual = "u - sin(pi*x)"
points = 300
[conditions.walls]
place = "x = 0"
residual = "u"
points = 100
[conditions.right]
place = "x = 1"
residual = "u"
points = 100
[reference]
solution = { u = "exp(-pi^2*t)*sin(pi*x)" }
grid = { x = 51, t = 31 }
"""

DECAY = """
title = "Decay"
[coordinates]
t = [0, 2]
[unknowns]
u = {}
[network]
depth = 2
width = 12
[conditions.equation]
place = "interior"
residual = "u_t + u"
points = 400
[conditions.start]
place = "t = 0"
residual = "u - 1"
"""

PLATE = """
title = "A plate with a hole"
[coordinates]
x = {}
y = {}
[shapes]
plate = { rectangle = { from = [-1, -1], to = [1, 1] } }
hole = { disk = { center = [0, 0], radius = 0.3 } }
[domain]
region = "plate - hole"
[unknowns]
u = {}
[network]
depth = 2
width = 12
[training]
resample = 20
[conditions.physics]
place = "interior"
residual = "u_xx + u_yy + 1"
points = 2000
[conditions.hole]
place = "wall of hole"
residual = "u_n"
points = 300
[conditions.walls]
place = "wall of plate"
residual = "u"
points = 300
"""

# What is trained, by which methods: together they go through everything that is shared out.
RUNS = {
    "adam, lbfgs": ("heat.toml", ["stages=[{adam={steps=60}},{lbfgs={steps=60}}]"]),
    "f32": ("heat.toml", ["stages=[{adam={steps=60}}]", 'precision="f32"']),
    "ssbroyden, adaptive": (
        "heat.toml",
        ["stages=[{adam={steps=20}},{ssbroyden={steps=80}}]", "adaptive={}", "balance={every=25}"],
    ),
    # Large enough for ranks to have rows of the inverse Hessian each.
    "ssbroyden, shared matrix": ("wide.toml", ["stages=[{adam={steps=10}},{ssbroyden={steps=40}}]"]),
    "lm": ("heat.toml", ["stages=[{lm={steps=6}}]"]),
    "lm, normal equations": ("heat.toml", ['stages=[{lm={steps=6,solver="cholesky"}}]']),
    "lm, products": ("heat.toml", ['stages=[{lm={steps=6,solver="cg"}}]']),
    "a region, adaptive": ("plate.toml", ["stages=[{adam={steps=60}}]", "adaptive={}"]),
    "windows": ("decay.toml", ["stages=[{adam={steps=30}},{ssbroyden={steps=60}}]", "windows=2"]),
}


def command(ranks, arguments):
    mpi = [*MPIEXEC, "-n", str(ranks)] if ranks else []
    return [*map(str, mpi), str(PROGRAM), *map(str, arguments)]


def run(folder, ranks, *arguments):
    """The program on some ranks, or, with 0, as it is."""
    return subprocess.run(
        command(ranks, arguments), cwd=folder, capture_output=True, text=True, timeout=LIMIT, env=ENVIRONMENT
    )


def solved(folder, ranks, problem, settings, out):
    arguments = ["--problem", problem, "--out", out, "--accept", "--no-plots", "--threads", 1]
    arguments += [word for setting in settings for word in ("--set", f"training.{setting}")]
    done = run(folder, ranks, *arguments)
    assert done.returncode == 0, f"{out} ended with {done.returncode}:\n{done.stderr}"
    return done


def left(run):
    """What a run has left, without what tells of time, memory, threads and ranks."""
    result = json.loads((run / "result.json").read_text())
    for field in ["seconds", "step_ms", "peak_memory_bytes", "threads", "device_detail"]:
        result.pop(field)
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in metrics:
        line.pop("seconds", None)
    checkpoint = (run / "checkpoint.safetensors").read_bytes()
    header = int.from_bytes(checkpoint[:8], "little")
    return {
        "result": result,
        "metrics": metrics,
        "checkpoint": checkpoint[8 + header :],
        "table": (run / "solution.csv").read_bytes(),
        "files": sorted(path.name for path in run.iterdir()),
    }


def compare(run, other, what):
    one, two = left(run), left(other)
    different = [name for name in one if one[name] != two[name]]
    assert not different, f"{what}: {different} differ"
    assert len(one["metrics"]) > 0 and len(one["checkpoint"]) > 0
    print(f"{what}: the same bits")


def equal_bits(folder):
    for number, (name, (problem, settings)) in enumerate(RUNS.items()):
        alone = solved(folder, 0, problem, settings, f"alone-{number}")
        for ranks in RANKS:
            out = f"ranks-{number}-{ranks}"
            done = solved(folder, ranks, problem, settings, out)
            compare(folder / f"alone-{number}", folder / out, f"{name} on {ranks} ranks")
            # Said once, by rank 0.
            assert done.stdout.count("verdict") == alone.stdout.count("verdict") == 1, done.stdout
            assert done.stderr.count(f"{ranks} ranks of 1 thread") == 1, done.stderr


# The first checkpoint comes amid the second stage, whose matrix is shared.
LONG = ["--set", "training.stages=[{adam={steps=40}},{ssbroyden={steps=360}}]", "--no-plots", "--accept", "--threads", "1"]


def begun(folder, ranks, out):
    """A run that has written its first checkpoint."""
    process = subprocess.Popen(
        command(ranks, ["--problem", "wide.toml", "--out", out, *LONG]),
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )
    begin = time.monotonic()
    while not (folder / out / "checkpoint.safetensors").exists():
        assert process.poll() is None and time.monotonic() - begin < LIMIT, process.communicate()
        time.sleep(0.02)
    return process


def members(process):
    """The processes of the program that `process` has started, directly or not."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                parents[int(entry.name)] = (int(words[1]), os.readlink(entry / "exe"))
            except (OSError, IndexError):
                continue

    def is_ours(pid):
        while pid in parents and pid != process.pid:
            pid = parents[pid][0]
        return pid == process.pid

    return sorted(pid for pid, (_, program) in parents.items() if program == str(PROGRAM) and is_ours(pid))


def signals(folder):
    """Ctrl-C and SIGTERM to mpiexec, or to any of the ranks: a checkpoint, and any number of ranks goes on from it."""
    whole = run(folder, 0, "--problem", "wide.toml", "--out", "whole", *LONG)
    assert whole.returncode == 0, whole.stderr
    for number, (which, sent) in enumerate([("mpiexec", signal.SIGINT), ("the last rank", signal.SIGTERM)]):
        out = f"stopped-{number}"
        process = begun(folder, RANKS[-1], out)
        os.kill(process.pid if which == "mpiexec" else members(process)[-1], sent)
        _, stderr = process.communicate(timeout=LIMIT)
        # What mpiexec ends with after a signal to itself is its own affair: MPICH's says 130 or 0.
        assert which == "mpiexec" or process.returncode != 0, f"{which}: {stderr}"
        result = json.loads((folder / out / "result.json").read_text())
        assert result["outcome"] == "interrupted" and 0 < result["steps"] < 400, result
        # Begun on some ranks, gone on with on fewer, and on none.
        done = run(folder, 2 if number == 0 else 0, "resume", out, "--threads", 1, "--accept")
        assert done.returncode == 0, done.stderr
        compare(folder / "whole", folder / out, f"{sent.name} to {which} after {result['steps']} steps, resumed")


def death(folder):
    """A rank that is killed takes the others with it, and the last checkpoint goes on."""
    for rank in ["first", "last"]:
        out = f"killed-{rank}"
        process = begun(folder, RANKS[-1], out)
        others = members(process)
        assert len(others) == RANKS[-1], others
        os.kill(others[0 if rank == "first" else -1], signal.SIGKILL)
        _, stderr = process.communicate(timeout=LIMIT)
        assert process.returncode != 0, stderr
        # Open MPI's `mpiexec` does not wait for those whom it has killed.
        begin = time.monotonic()
        while any(Path(f"/proc/{pid}").exists() for pid in others):
            assert time.monotonic() - begin < LIMIT, "a rank lives on"
            time.sleep(0.02)
        assert not (folder / out / "result.json").exists()
        done = run(folder, RANKS[0], "resume", out, "--threads", 1, "--accept")
        assert done.returncode == 0, done.stderr
        compare(folder / "whole", folder / out, f"the {rank} rank was killed, resumed")


def failures(folder):
    """What cannot be done is said once, with the exit code of one process."""
    cases = [
        (["--problem", "nosuch.toml"], 2, "nosuch.toml"),
        (["--problem", "heat.toml", "--out", "whole"], 2, "exists already"),
        (["--problem", "heat.toml", "--nosuch"], 2, "unexpected argument"),
        (["resume", "whole"], 2, "has ended"),
        (["--problem", "heat.toml", "--device", "libtorch"], 2, "--device libtorch"),
    ]
    for arguments, code, words in cases:
        done = run(folder, RANKS[-1], *arguments)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stderr}"
        assert done.stderr.count(words) == 1, f"{arguments}: {done.stderr}"
        print(f"{' '.join(arguments)}: said once, exit code {code}")
    # The first rank has something to compute with the others, who have not.
    apart = [*command(1, ["--problem", "heat.toml", "--out", "apart"]), ":", *command(RANKS[0], ["problems"])[1:]]
    done = subprocess.run(apart, cwd=folder, capture_output=True, text=True, env=ENVIRONMENT, timeout=LIMIT, check=False)
    assert done.returncode == 2 and done.stderr.count("different command lines") == 1, done.stderr
    print("different command lines: said once, exit code 2")
    done = run(folder, RANKS[-1], "problems")
    assert done.returncode == 0 and done.stdout == run(folder, 0, "problems").stdout
    print("problems: listed once")


with tempfile.TemporaryDirectory() as name:
    place = Path(name)
    (place / "heat.toml").write_text(HEAT)
    (place / "wide.toml").write_text(HEAT.replace("width = 16", "width = 32"))
    (place / "decay.toml").write_text(DECAY)
    (place / "plate.toml").write_text(PLATE)
    equal_bits(place)
    signals(place)
    death(place)
    failures(place)
