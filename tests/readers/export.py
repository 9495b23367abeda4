"""Evaluates what `pinn-solve export` writes, and compares it with `pinn-solve predict`.

Usage: python export.py PINN-SOLVE

C is compiled with gcc and clang without a warning; ONNX goes through ONNX Runtime; the page beside the weights is followed
to the letter; the JavaScript module runs in Node, where there is one.
"""

import ctypes
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

PROGRAM = Path(sys.argv[1]).resolve()

OSCILLATOR = """
title = "Oscillator"
[coordinates]
t = [0, 6]
[unknowns]
u = {}
[conditions.physics]
place = "interior"
residual = "u_tt + 4*u"
[conditions.start]
place = "t = 0"
residual = ["u - 1", "u_t"]
[training]
windows = 3
"""
# Heated as a table says, and held at what another one says, which the answer then needs.
HEATED = """
title = "A heated rod"
[coordinates]
x = [0, 1]
t = [0, 1]
[tables]
q = { file = "load.csv", of = ["t"] }
k = { file = "field.csv", of = ["x", "t"], outside = "hold" }
[unknowns]
u = "q(t) + x*(1 - x)*net + k(x, 2*t)"
[conditions.physics]
place = "interior"
residual = "u_t - 0.3*u_x - q(t)"
[conditions.start]
place = "t = 0"
residual = "u - q(0)"
"""
WAVES = """
title = "Waves"
[coordinates]
x = [0, 1]
t = [0, 1.5]
[unknowns]
u = {}
v = {}
[conditions.physics]
place = "interior"
residual = ["u_tt - u_xx", "v_t - v_xx + u"]
[conditions.start]
place = "t = 0"
residual = ["u - sin(pi*x)", "u_t", "v"]
[conditions.left]
place = "x = 0"
residual = ["u", "v"]
[conditions.right]
place = "x = 1"
residual = ["u", "v"]
[training]
windows = 3
"""
ERF = ["--activation", "0.5*erf(2*x) + softsign_2"]

HEAT = ["--problem", "heat", "--steps", "40"]


def changes(*settings):
    """Flags that set keys of [network]."""
    return [flag for setting in settings for flag in ("--set", f"network.{setting}")]


# Name, how it is trained, and what ONNX Runtime does not have in double precision of it.
RUNS = [
    ("burgers", ["--problem", "burgers", "--steps", "300"], None),
    ("black-scholes", ["--problem", "black-scholes", "--scale", "0.1", "--steps", "200"], "Phi"),
    ("beam", ["--problem", "beam", "--steps", "100"], None),
    ("heat-erf", ["--problem", "heat", "--steps", "100", *ERF], "erf"),
    ("resnet", [*HEAT, *changes("architecture='resnet'", "widths=[6, 8, 6]", "depth=3", "width=8", "linear-part=true")], None),
    ("modified-mlp", [*HEAT, *changes("architecture='modified-mlp'", "scale={ trainable = 'layer' }")], None),
    ("piratenet", [*HEAT, *changes("architecture='piratenet'", "scale={ trainable = 'neuron' }")], None),
    ("silu", [*HEAT, *changes("activation='silu'"), "--init", "xavier"], None),
    ("gelu", [*HEAT, *changes("activation='gelu'"), "--init", "xavier"], "Phi"),
    ("oscillator", ["--problem", "oscillator.toml", "--steps", "100"], None),
    ("waves", ["--problem", "waves.toml", "--steps", "60"], None),
    ("heated", ["--problem", "heated.toml", "--steps", "40"], "the table `q`"),
]


def run(folder, *arguments, check=True):
    command = [PROGRAM, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, check=check, capture_output=True, text=True)


def close(found, expected, bound, what):
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, f"{what}: {found.shape} instead of {expected.shape}"
    assert np.all(np.isfinite(expected)), f"{what}: what is expected is not finite"
    # A difference is measured by the size of the numbers where these are larger than 1.
    off = np.max(np.abs(found - expected)) / max(1, np.max(np.abs(expected)))
    assert off <= bound, f"{what}: off by {off:.1e}"
    print(f"{what}: off by {off:.1e}")


class Expected:
    """What `predict` says at random points: values, first and second derivatives."""

    def __init__(self, folder, name):
        text = (folder / name / "resolved.toml").read_text()
        table = text.split("[coordinates]")[1].split("\n[")[0]
        self.coordinates = re.findall(r"^(\w+) = ", table, re.M)
        ends = re.findall(r"^\w+ = \D*?\[?(-?[\d.e+-]+), *(-?[\d.e+-]+)\]?", table, re.M)
        low, high = np.array(ends, dtype=float).T
        table = text.split("[unknowns]")[1].split("\n[")[0]
        self.unknowns = re.findall(r"^(\w+) = ", table, re.M)
        rng = np.random.default_rng(7)
        self.points = low + (high - low) * rng.uniform(0.01, 0.99, (64, len(low)))
        np.savetxt(folder / "points.csv", self.points, delimiter=",", fmt="%.17g", header=",".join(self.coordinates), comments="")
        c, u = self.coordinates, self.unknowns
        asked = u + [f"{k}_{i}" for k in u for i in c] + [f"{k}_{i}{j}" for k in u for i in c for j in c]
        quantities = [word for name in asked for word in ("--quantity", name)]
        run(folder, "predict", name, "--points", "points.csv", "--to", "expected.npy", "--force", *quantities)
        n, m, d = len(self.points), len(u), len(c)
        values = np.load(folder / "expected.npy")[:, d:]
        self.values, first, second = np.split(values, [m, m + m * d], axis=1)
        self.first, self.second = first.reshape(n, m, d), second.reshape(n, m, d, d)

    def check(self, what, values, first=None, second=None, bound=1e-13):
        close(values, self.values, bound, what)
        if first is not None:
            close(first, self.first, 1e-10, f"{what}, first derivatives")
            close(second, self.second, 1e-10, f"{what}, second derivatives")


def c(folder, name, expected):
    run(folder, "export", name, "--to", f"{name}.c")
    word = re.search(r"void (\w+)\(", (folder / f"{name}.h").read_text()).group(1)
    doubles = lambda array: array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
    for compiler in ["gcc", "clang"]:
        library = folder / f"{name}-{compiler}.so"
        flags = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O2", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, f"{name}.c", "-o", library, "-lm"], cwd=folder, check=True)
        functions = ctypes.CDLL(str(library))
        values, first, second = (np.full_like(a, np.nan) for a in (expected.values, expected.first, expected.second))
        again = np.empty_like(values)
        for k, point in enumerate(expected.points):
            functions[word](doubles(point), doubles(again[k]))
            functions[f"{word}_derivatives"](doubles(point), doubles(values[k]), doubles(first[k]), doubles(second[k]))
        expected.check(f"{name}, {compiler}", values, first, second)
        close(again, expected.values, 1e-13, f"{name}, {compiler}, values alone")


def through_onnx(folder, name, expected, lacking):
    if lacking and "table" in lacking:
        refused = run(folder, "export", name, "--to", f"{name}.onnx", check=False)
        assert refused.returncode == 2 and f"needs {lacking}," in refused.stderr, refused
        return
    if lacking:
        refused = run(folder, "export", name, "--to", f"{name}.onnx", check=False)
        assert refused.returncode == 2 and f"needs {lacking}," in refused.stderr, refused
        assert not (folder / f"{name}.onnx").exists()
    for single in [True] if lacking else [False, True]:
        run(folder, "export", name, "--to", f"{name}.onnx", "--force", *(["--f32"] if single else []))
        model = onnx.load(folder / f"{name}.onnx")
        onnx.checker.check_model(model, full_check=True)
        session = onnxruntime.InferenceSession(folder / f"{name}.onnx", providers=["CPUExecutionProvider"])
        points = expected.points.astype(np.float32 if single else float)
        [found] = session.run(None, {"coordinates": points})
        close(found, expected.values, 2e-4 if single else 1e-12, f"{name}, ONNX{' in single precision' if single else ''}")


def through_numpy(folder, name, expected):
    run(folder, "export", name, "--to", f"{name}.safetensors")
    code = re.search(r"```python\n(.*?)```", (folder / f"{name}.md").read_text(), re.S).group(1)
    namespace = {}
    exec(code.replace(f'"{name}.safetensors"', repr(str(folder / f"{name}.safetensors"))), namespace)
    expected.check(f"{name}, NumPy", namespace["evaluate"](expected.points))


def through_javascript(folder, name, expected):
    run(folder, "export", name, "--to", f"{name}.js")
    if not shutil.which("node"):
        print(f"{name}, JavaScript: there is no Node here")
        return
    script = f"""
        import {{ evaluate, derivatives }} from "./{name}.mjs";
        const points = {json.dumps(expected.points.tolist())};
        console.log(JSON.stringify([points.map(evaluate), points.map(derivatives)]));
    """
    shutil.copy(folder / f"{name}.js", folder / f"{name}.mjs")
    (folder / "ask.mjs").write_text(script)
    text = subprocess.run(["node", "ask.mjs"], cwd=folder, check=True, capture_output=True, text=True).stdout
    values, all = json.loads(text)
    close(values, expected.values, 1e-13, f"{name}, JavaScript, values alone")
    first, second = ([each[part] for each in all] for part in ("first", "second"))
    expected.check(f"{name}, JavaScript", [each["values"] for each in all], first, second)


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "oscillator.toml").write_text(OSCILLATOR)
        (folder / "waves.toml").write_text(WAVES)
        (folder / "heated.toml").write_text(HEATED)
        t = np.linspace(0, 1, 12) ** 1.3
        rows = [f"{a},{np.sin(3 * a) + a}" for a in t]
        (folder / "load.csv").write_text("t (s),q [W]\n" + "\n".join(rows) + "\n")
        rows = [f"{a},{b},{np.cos(a - b)}" for a in np.linspace(0, 1, 5) for b in np.linspace(0, 1.5, 7)]
        (folder / "field.csv").write_text("x,t,k\n" + "\n".join(rows) + "\n")
        for name, arguments, lacking in RUNS:
            run(folder, *arguments, "--out", name, "--no-plots", "--quiet", "--accept")
            expected = Expected(folder, name)
            c(folder, name, expected)
            through_onnx(folder, name, expected, lacking)
            through_numpy(folder, name, expected)
            through_javascript(folder, name, expected)
    print("everything that was exported says what it should")


if __name__ == "__main__":
    main()
