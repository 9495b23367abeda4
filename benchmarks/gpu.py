#!/usr/bin/env python3
"""Times one Adam step of PyTorch (compiled) and JAX on a GPU: `python3 benchmarks/gpu.py [SECONDS]`.

The networks and numbers of points are those of the table in docs/results/gpu.md, and the steps are those of peers.py,
jets by hand, which took the least time on processors.
Weights and points are drawn here: times do not depend on them.
Products are in full precision: TF32, which JAX takes by default on such GPUs, is off.
It needs PyTorch, JAX, numpy and safetensors for the GPU, and installs nothing.
"""

import fcntl
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

CASES = [
    (50, 64, 2_000, "f32"),
    (50, 64, 2_000, "f64"),
    (50, 64, 100_000, "f32"),
    (50, 64, 100_000, "f64"),
    (4, 64, 100_000, "f32"),
    (3, 20, 100_000, "f32"),
    (50, 64, 1_000_000, "f32"),
]
PEERS = ("pytorch-compile-jets", "pytorch-jets", "jax-jets")
CONDITIONS = {"initial": 200, "left": 100, "right": 100}


def one(peer, depth, width, points, precision):
    """A line with a peer's times, in a process of its own."""
    import numpy
    from safetensors.numpy import save_file

    random = numpy.random.default_rng(0)
    theta = []
    sizes = [2] + [width] * depth + [1]
    for inputs, outputs in zip(sizes, sizes[1:]):
        theta += [random.normal(0, (2 / (inputs + outputs)) ** 0.5, inputs * outputs), numpy.zeros(outputs)]
    tensors = {"theta": numpy.concatenate(theta)}
    for name, count in {"physics": points, **CONDITIONS}.items():
        tensors[name] = random.uniform([-1, 0], [1, 1], (count, 2))
        tensors[f"weight {name}"] = numpy.ones(1)
    file = os.path.join(tempfile.mkdtemp(), "case.safetensors")
    save_file(tensors, file)
    import peers

    case = peers.Case(
        {"problem": "burgers-soft", "depth": depth, "width": width, "dtype": precision, "file": file}
    )
    make, form = peers.PEERS[peer]
    if peer.startswith("pytorch"):
        os.environ["PEERS_DEVICE"] = "cuda"
    else:
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")
    # Peers compile side by side, and step one at a time; the largest case has the device for itself.
    turn = open(os.path.join(tempfile.gettempdir(), "pinn-solve-gpu.lock"), "w")
    alone = points >= 1_000_000
    if alone:
        fcntl.flock(turn, fcntl.LOCK_EX)
    step, seconds = make(case, form, 4)
    if not alone:
        fcntl.flock(turn, fcntl.LOCK_EX)
    for _ in range(4):
        step()
    times = []
    start = time.perf_counter()
    while len(times) < 5 or (len(times) < 200 and time.perf_counter() - start < 2):
        begin = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - begin))
    print(json.dumps({"median_ms": statistics.median(times), "min_ms": min(times), "compile_s": seconds}))


def main():
    if len(sys.argv) > 2:
        one(sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5])
        return
    limit = float(sys.argv[1]) if len(sys.argv) == 2 else 600

    def run(job):
        (depth, width, points, precision), peer = job
        command = [sys.executable, __file__, peer, *map(str, (depth, width, points)), precision]
        environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=environment)
            lines = ran.stdout.splitlines() or [l for l in ran.stderr.splitlines() if "rror" in l]
            answer = (lines or ["nothing"])[-1][:300]
        except subprocess.TimeoutExpired:
            answer = f"not done after {limit:.0f} s"
        print(f"{peer} {depth}x{width}, {points} points, {precision}: {answer}", flush=True)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(run, [(case, peer) for case in CASES for peer in PEERS]))


if __name__ == "__main__":
    main()
