"""Holds `--device vulkan` against the fused engine: losses and gradients of every built-in problem over a few steps.

    python3 tests/vulkan/check.py target/release/pinn-solve

The program has to be built with `--features vulkan`. Both sides compute in single precision; losses and norms of gradients may
differ by 1e-4, relatively. A driver that computes on the processor will do (Debian's mesa-vulkan-drivers).
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SMALL = ["--precision", "f32", "--points", "30", "--set", "network.depth=2", "--set", "network.width=8"]
STEPS = ["--set", "training.stages=[{adam={steps=4}}]", "--set", "training.evaluate=0"]
QUIET = ["--quiet", "--no-plots", "--accept"]
TOLERANCE = 1e-4


def steps(program: str, problem: str, device: str, folder: Path) -> list[tuple[float, float]]:
    """Loss and norm of the gradient at every step."""
    command = [program, "--problem", problem, "--device", device, "--out", str(folder), *SMALL, *STEPS, *QUIET]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{problem} on {device} ended with {done.returncode}:\n{done.stderr}")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["loss"], line["gradient_norm"]) for line in lines if "loss" in line]


def main() -> None:
    program = str(Path(sys.argv[1]).resolve())
    devices = subprocess.run([program, "devices"], capture_output=True, text=True, check=True).stdout
    found = next(line for line in devices.splitlines() if line.startswith("vulkan"))
    print(found)
    if "ready" not in found:
        sys.exit("there is no Vulkan here")
    listed = subprocess.run([program, "problems"], capture_output=True, text=True, check=True).stdout
    problems = [line.split()[0] for line in listed.splitlines() if line[:1].isalpha()]
    with tempfile.TemporaryDirectory() as folder:
        for problem in problems:
            one, other = (steps(program, problem, device, Path(folder, f"{problem}-{device}")) for device in ("cpu", "vulkan"))
            if len(one) != 4 or len(other) != 4:
                sys.exit(f"{problem}: {len(one)} and {len(other)} steps instead of 4")
            off = max(abs(a - b) / abs(a) for x, y in zip(one, other) for a, b in zip(x, y))
            print(f"{problem}: {off:.1e}", flush=True)
            # Not `off > TOLERANCE`: what is no number is not close.
            if not off <= TOLERANCE:
                sys.exit(f"{problem}: losses or gradients differ by {off:.1e}, more than {TOLERANCE}")


main()
