"""What a slow network costs two ranks of MPI: a step of training where packets take milliseconds from one to the other.

Usage, as root: python3 benchmarks/delay.py PINN-SOLVE [MILLISECONDS ...]

PINN-SOLVE is a build with `--features mpi`, mpiexec that of MPICH. The ranks are in two network namespaces, connected by a
tunnel (/dev/net/tun), whose ends this program holds: it hands every packet over once its time has come. So no `netem` is needed.
"""

import ctypes
import fcntl
import multiprocessing
import os
import select
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

import scaling

SPACES = {"pinn-a": "10.9.0.1", "pinn-b": "10.9.0.2"}
DELAYS = [float(ms) for ms in sys.argv[2:]] or [0.0, 1.0, 5.0]
NEW_NETWORK, SET_TUNNEL, TUNNEL, NO_HEADER = 0x40000000, 0x400454CA, 0x1, 0x1000
LAUNCH = """#!/bin/sh
# What hydra calls in place of ssh: options, a host, a command.
while [ "${1#-}" != "$1" ]; do shift; done
case $1 in 10.9.0.1) space=pinn-a ;; *) space=pinn-b ;; esac
shift
exec ip netns exec $space sh -c "$*"
"""


def tunnel(space, address):
    """The end of a new network device in the namespace `space`, which this process enters."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{space}") as entry:
        if libc.setns(entry.fileno(), NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {space}")
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, SET_TUNNEL, struct.pack("16sH", b"wan", TUNNEL | NO_HEADER))
    for words in ["link set lo up", f"addr add {address}/24 dev wan", "link set wan up"]:
        subprocess.run(["ip", *words.split()], check=True)
    return end


def relay(delay, ready):
    """Hands packets over, `delay` seconds after they came."""
    ends = [tunnel(*space) for space in SPACES.items()]
    waiting = [deque() for _ in ends]
    ready.set()
    while True:
        due = min((queue[0][0] for queue in waiting if queue), default=None)
        left = None if due is None else max(0.0, due - time.monotonic())
        for end in select.select(ends, [], [], left)[0]:
            came = time.monotonic()
            try:
                while True:
                    waiting[1 - ends.index(end)].append((came + delay, os.read(end, 1 << 16)))
            except BlockingIOError:
                pass
        for end, queue in zip(ends, waiting):
            while queue and queue[0][0] <= time.monotonic():
                os.write(end, queue.popleft()[1])


def main():
    with tempfile.TemporaryDirectory() as name:
        launcher = Path(name) / "launch"
        launcher.write_text(LAUNCH)
        launcher.chmod(0o755)
        here, there = SPACES.values()
        mpi = ["ip", "netns", "exec", "pinn-a", "mpiexec", "-launcher", "ssh", "-launcher-exec", str(launcher)]
        mpi += ["-hosts", f"{here},{there}", "-localhost", here, "-iface", "wan"]
        # Runs in turns, each with a network of its own; one rank, which needs none, beside them.
        found = {"1 rank": []} | {f"2 ranks, {ms:g} ms": [] for ms in DELAYS}
        for _ in range(scaling.TURNS):
            found["1 rank"].append(scaling.step_ms(scaling.mpi(1), scaling.STRONG))
            for ms in DELAYS:
                for space in SPACES:
                    subprocess.run(["ip", "netns", "add", space], check=True)
                ready = multiprocessing.Event()
                network = multiprocessing.Process(target=relay, args=(ms / 1e3, ready), daemon=True)
                network.start()
                try:
                    if not ready.wait(10):
                        sys.exit("there is no tunnel here: network namespaces and /dev/net/tun are needed, and root")
                    found[f"2 ranks, {ms:g} ms"].append(scaling.step_ms([*mpi, "-n", "2"], scaling.STRONG))
                finally:
                    network.kill()
                    network.join()
                    for space in SPACES:
                        subprocess.run(["ip", "netns", "del", space], check=False)
        rows = {case: (scaling.median(times), min(times), max(times)) for case, times in found.items()}
        scaling.show(f"{scaling.STRONG} points, delay each way", rows)


main()
