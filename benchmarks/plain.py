"""DeepXDE on ten of the plain problem files: `python plain.py FOLDER [--only 01 ...] [--seed 0] [--threads 1]`.

FOLDER holds the files and, in `ref`, their reference values (as docs/results/autopilot.md has them).
Every problem is written as DeepXDE's documentation writes such problems, and trained by its usual recipe, the same for all:
3 x 32 tanh, Glorot normal, 2,000 points inside and 200 at the conditions, 10,000 Adam steps at 1e-3, then L-BFGS until it stops, in single
precision.
Prints a row of Markdown for each: the greatest relative L2 error over the unknowns, and the seconds of training.
Needs `deepxde` and one of its backends, which DDE_BACKEND names.
"""

import argparse
import os
import time
from pathlib import Path

import numpy

PARSER = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
PARSER.add_argument("folder", type=Path)
PARSER.add_argument("--only", nargs="*", default=[])
PARSER.add_argument("--seed", type=int, default=0)
PARSER.add_argument("--threads", type=int, default=1)
OPTIONS = PARSER.parse_args()
for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[variable] = str(OPTIONS.threads)
os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde  # noqa: E402

PI = numpy.pi


def d(u, x, j=0, k=0):
    """The first derivative of unknown `k` along coordinate `j`."""
    return dde.grad.jacobian(u, x, i=k, j=j)


def dd(u, x, j=0, k=0):
    """The second derivative."""
    return dde.grad.hessian(u, x, component=k if u.shape[1] > 1 else 0, i=j, j=j)


def at(axis, value):
    return lambda x, on_boundary: on_boundary and dde.utils.isclose(x[axis], value)


def always(value):
    # DeepXDE counts the arguments of what it is given.
    return lambda x: value + 0 * x[:, 0:1]


def starts(domain, values):
    """Initial values of ordinary differential equations."""
    return [dde.icbc.IC(domain, always(v), lambda _, initial: initial, component=k) for k, v in enumerate(values)]


def given(domain, exact):
    """Values on all of the boundary."""
    return dde.icbc.DirichletBC(domain, exact, lambda _, on_boundary: on_boundary)


def ordinary(end, residual, values):
    domain = dde.geometry.TimeDomain(0, end)
    return dde.data.PDE(domain, residual, starts(domain, values), num_domain=2000, num_boundary=2), len(values)


def plane(domain, residual, conditions):
    return dde.data.PDE(domain, residual, conditions, num_domain=2000, num_boundary=200), 1


def evolution(space, end, residual, conditions):
    domain = dde.geometry.GeometryXTime(space, dde.geometry.TimeDomain(0, end))
    return dde.data.TimePDE(domain, residual, conditions(domain), num_domain=2000, num_boundary=200, num_initial=200), 1


def lotka_volterra():
    return ordinary(
        10,
        lambda t, y: [
            d(y, t, k=0) - (2 * y[:, 0:1] - 0.04 * y[:, 0:1] * y[:, 1:2]),
            d(y, t, k=1) - (0.02 * y[:, 0:1] * y[:, 1:2] - 1.06 * y[:, 1:2]),
        ],
        [100, 15],
    )


def sir():
    return ordinary(
        60,
        lambda t, y: [
            d(y, t, k=0) + 0.8 * y[:, 1:2] * y[:, 0:1],
            d(y, t, k=1) - 0.8 * y[:, 1:2] * y[:, 0:1] + y[:, 1:2] / 4,
            d(y, t, k=2) - y[:, 1:2] / 4,
        ],
        [0.995, 0.005, 0],
    )


def line():
    domain = dde.geometry.Interval(0, 1e6)
    ends = given(domain, lambda x: x / 1e6)
    return dde.data.PDE(domain, lambda x, y: dd(y, x), ends, num_domain=2000, num_boundary=2), 1


def beam():
    domain = dde.geometry.Interval(0, 1)

    def slope(x, u, _):
        return d(u, x)

    ends = [given(domain, lambda x: 0 * x)]
    ends += [dde.icbc.OperatorBC(domain, slope, lambda _, on_boundary: on_boundary)]
    return dde.data.PDE(domain, lambda x, u: dd(dd(u, x), x) + 1, ends, num_domain=2000, num_boundary=2), 1


def poisson_variable():
    domain = dde.geometry.Rectangle([0, 0], [1, 1])

    def residual(x, u):
        c = 1 + x[:, 0:1] + x[:, 1:2]
        return c * (dd(u, x, 0) + dd(u, x, 1)) + d(u, x, 0) + d(u, x, 1) + 1

    return plane(domain, residual, given(domain, lambda x: 0 * x[:, 0:1]))


def helmholtz():
    domain = dde.geometry.Rectangle([0, 0], [1, 4])
    conditions = [
        dde.icbc.NeumannBC(domain, lambda x: 0 * x[:, 0:1], lambda x, on: on and (x[0] < 1e-9 or x[0] > 1 - 1e-9)),
        dde.icbc.DirichletBC(domain, lambda x: 0 * x[:, 0:1] + 1, at(1, 0)),
        dde.icbc.NeumannBC(domain, lambda x: 0 * x[:, 0:1], at(1, 0)),
    ]
    return plane(domain, lambda x, u: dd(u, x, 0) + dd(u, x, 1) + (2 * PI) ** 2 * u, conditions)


def poisson_source():
    domain = dde.geometry.Rectangle([-1, -1], [1, 1])

    def residual(x, u):
        a, b = x[:, 0:1], x[:, 1:2]
        return dd(u, x, 0) + dd(u, x, 1) + (2 + PI**2 * a * (1 - a)) * dde.backend.cos(PI * b)

    return plane(domain, residual, given(domain, lambda x: x[:, 0:1] * (1 - x[:, 0:1]) * numpy.cos(PI * x[:, 1:2])))


def cylinder_heat():
    def conditions(domain):
        return [
            dde.icbc.IC(domain, lambda x: 1 - x[:, 0:1] ** 2, lambda _, initial: initial),
            dde.icbc.NeumannBC(domain, lambda x: 0 * x[:, 0:1], at(0, 0)),
            dde.icbc.DirichletBC(domain, lambda x: 0 * x[:, 0:1], at(0, 1)),
        ]

    # Multiplied by the radius, which is zero on the axis.
    return evolution(
        dde.geometry.Interval(0, 1), 0.2, lambda x, u: x[:, 0:1] * (d(u, x, 1) - dd(u, x, 0)) - d(u, x, 0), conditions
    )


def fisher():
    def wave(x):
        return 1 / (1 + numpy.exp(x[:, 0:1] - 5 * x[:, 1:2])) ** 2

    def conditions(domain):
        return [given(domain, wave), dde.icbc.IC(domain, wave, lambda _, initial: initial)]

    return evolution(
        dde.geometry.Interval(0, 1), 1, lambda x, u: d(u, x, 1) - dd(u, x, 0) - 6 * u * (1 - u), conditions
    )


def overdamped():
    domain = dde.geometry.TimeDomain(0, 2)

    def speed(t, x, _):
        return d(x, t) + 3

    conditions = starts(domain, [0])
    conditions.append(dde.icbc.OperatorBC(domain, speed, at(0, 0)))
    return dde.data.PDE(domain, lambda t, x: dd(x, t) + 14 * d(x, t) + 49 * x, conditions, num_domain=2000, num_boundary=2), 1


def grid(*axes):
    return numpy.stack([a.ravel() for a in numpy.meshgrid(*axes, indexing="ij")], 1)


def table(folder, name, coordinates, unknowns):
    values = numpy.genfromtxt(folder / "ref" / name, delimiter=",", names=True)
    return [numpy.stack([values[c] for c in names], 1) for names in (coordinates, unknowns)]


def exactly(points, solution):
    return points, solution(points)


UNIT = numpy.linspace(0, 1, 101)
# Name of the file, how it is written, and where the answer is known.
CASES = {
    "01-lotka-volterra": (lotka_volterra, lambda f: table(f, "01.csv", ["t"], ["r", "p"])),
    "05-sir": (sir, lambda f: table(f, "05.csv", ["t"], ["S", "I", "R"])),
    "08b-line-0-1e6": (line, lambda _: exactly(grid(1e6 * UNIT), lambda x: x / 1e6)),
    "12-beam-clamped": (beam, lambda _: exactly(grid(UNIT), lambda x: -(x**4 - 2 * x**3 + x**2) / 24)),
    "19-poisson-variable": (poisson_variable, lambda f: table(f, "19.csv", ["x", "y"], ["u"])),
    "29-helmholtz-2d": (helmholtz, lambda _: exactly(grid(UNIT, 4 * UNIT), lambda x: numpy.cos(2 * PI * x[:, 1:2]))),
    "30-poisson-source": (
        poisson_source,
        lambda _: exactly(
            grid(2 * UNIT - 1, 2 * UNIT - 1), lambda x: x[:, 0:1] * (1 - x[:, 0:1]) * numpy.cos(PI * x[:, 1:2])
        ),
    ),
    "47-cylinder-heat": (cylinder_heat, lambda f: table(f, "47.csv", ["r", "t"], ["T"])),
    "55-fisher-kpp": (
        fisher,
        lambda _: exactly(grid(UNIT, UNIT), lambda x: 1 / (1 + numpy.exp(x[:, 0:1] - 5 * x[:, 1:2])) ** 2),
    ),
    "63-overdamped": (overdamped, lambda _: exactly(grid(2 * UNIT), lambda t: -3 * t * numpy.exp(-7 * t))),
}


def solve(name):
    dde.config.set_random_seed(OPTIONS.seed)
    write, reference = CASES[name]
    points, exact = reference(OPTIONS.folder)
    data, unknowns = write()
    network = dde.nn.FNN([points.shape[1]] + [32] * 3 + [unknowns], "tanh", "Glorot normal")
    model = dde.Model(data, network)
    begun = time.perf_counter()
    model.compile("adam", lr=1e-3, verbose=0)
    model.train(iterations=10000, display_every=10**9, verbose=0)
    model.compile("L-BFGS", verbose=0)
    model.train(display_every=10**9, verbose=0)
    seconds = time.perf_counter() - begun
    found = model.predict(points.astype("float32"))
    errors = numpy.linalg.norm(found - exact, axis=0) / numpy.linalg.norm(exact, axis=0)
    return max(errors), seconds


if __name__ == "__main__":
    print("| problem | error | seconds |\n|---|---|---|", flush=True)
    for name in CASES:
        if not OPTIONS.only or any(name.startswith(start) for start in OPTIONS.only):
            error, seconds = solve(name)
            print(f"| {name} | {error:.1e} | {seconds:.0f} |", flush=True)
