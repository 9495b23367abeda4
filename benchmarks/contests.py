"""The ten problems of whole.py, as the peers need them: the equations, and the network, ansatz and points of pinn-solve.

A condition is (place, points, weight, derivatives, residuals); its place is the interior or a coordinate with its value, or
"periodic" with a coordinate, whose points come in pairs.
Derivatives are strings of coordinate digits, as in problems.py: "" is an unknown, "0" its derivative along coordinate 0.
Residuals map u (for each unknown a dictionary of derivatives; for pairs the differences), c (the coordinates) and m (torch or
jax.numpy) to a list of arrays.
Features and ansatz map c and m to lists: an unknown is A + B·network.
"""

from dataclasses import dataclass, field
from math import pi
from typing import Callable

from problems import NU, RATE, SIGMA, STRIKE, call, cosines, erf, normal


@dataclass
class Demo:
    """A demonstration of DeepXDE's documentation."""

    hidden: tuple = (20, 20, 20)
    # Points inside, and on all places of conditions together.
    interior: int = 2540
    boundary: int = 240
    # Steps of Adam at 1e-3; L-BFGS follows, or does not.
    adam: int = 15000
    lbfgs: bool = True
    activation: str = "tanh"
    initializer: str = "Glorot normal"
    # Of coordinates and network, where conditions hold by construction.
    transform: Callable = None


@dataclass
class Contest:
    """A problem, and how pinn-solve's recipe trains it."""

    domain: list
    conditions: dict
    # Hidden layers of the network and neurons in each.
    depth: int
    width: int
    # Steps of Adam and of self-scaled Broyden, and Adam's rate.
    adam: int
    broyden: int
    rate: float = 1e-3
    unknowns: tuple = ("u",)
    features: Callable = None
    ansatz: Callable = None
    # Steps after which half of the interior points are drawn anew; 0: never.
    resample: int = 500
    # What the ansatz and the features hold, which others train.
    held: dict = field(default_factory=dict)
    demo: Demo = field(default_factory=Demo)

    def inputs(self, c, m):
        if self.features:
            return self.features(c, m)
        return [(2 * x - (lower + upper)) / (upper - lower) for x, (lower, upper) in zip(c, self.domain)]

    def all(self):
        """All conditions, those that the ansatz holds, too."""
        return [*self.conditions.values(), *self.held.values()]

    def parts(self, c, m):
        """[(A, B)] of every unknown."""
        if self.ansatz:
            return self.ansatz(c, m)
        return [(0 * c[0], 1 + 0 * c[0]) for _ in self.unknowns]


def _never_zero(t, m):
    return m.clip(t, 1e-300, None)


INTERIOR = "interior"


def _burgers():
    return Contest(
        domain=[(-1, 1), (0, 1)],
        features=lambda c, m: [m.sin(pi * c[0]), m.cos(pi * c[0]), 2 * c[1] - 1],
        ansatz=lambda c, m: [(-m.sin(pi * c[0]), c[1])],
        conditions={
            "physics": (
                INTERIOR,
                10000,
                1,
                ["", "0", "1", "00"],
                lambda u, c, m: [u[0]["1"] + u[0][""] * u[0]["0"] - NU * u[0]["00"]],
            )
        },
        held={
            "initial": ((1, 0), 0, 1, [""], lambda u, c, m: [u[0][""] + m.sin(pi * c[0])]),
            "left": ((0, -1), 0, 1, [""], lambda u, c, m: [u[0][""]]),
            "right": ((0, 1), 0, 1, [""], lambda u, c, m: [u[0][""]]),
        },
        depth=4,
        width=24,
        adam=300,
        rate=2e-3,
        broyden=24000,
    )


def _allen_cahn():
    d = 1e-4

    def bump(x, t, m):
        return m.exp(-((1 - abs(x)) ** 2) / (4 * d * _never_zero(t, m)))

    def start(x, t, m):
        root = m.sqrt(4 * d * _never_zero(t, m))
        kink = 2 * (1 - abs(x)) * (erf((1 - abs(x)) / root, m) - 1) + 2 * root / pi**0.5 * bump(x, t, m)
        return x**2 * m.cos(pi * x) + kink

    return Contest(
        domain=[(-1, 1), (0, 1)],
        features=lambda c, m: [m.cos(pi * c[0]), m.cos(2 * pi * c[0]), 2 * c[1] - 1, bump(*c, m)],
        ansatz=lambda c, m: [(start(*c, m), c[1])],
        conditions={
            "physics": (
                INTERIOR,
                5000,
                1,
                ["", "1", "00"],
                lambda u, c, m: [u[0]["1"] - d * u[0]["00"] - 5 * (u[0][""] - u[0][""] ** 3)],
            )
        },
        depth=3,
        width=24,
        adam=1000,
        rate=2e-3,
        broyden=20000,
        demo=Demo(
            interior=8000,
            adam=40000,
            transform=lambda c, y, m: c[0] ** 2 * m.cos(pi * c[0]) + c[1] * (1 - c[0] ** 2) * y,
        ),
    )


def _kdv():
    def soliton(x, t, m):
        return 1 / m.cosh(2**0.5 / 2 * (x - 2 * t + 1)) ** 2

    def slope(x, t, m):
        z = 2**0.5 / 2 * (x - 2 * t + 1)
        return -(2**0.5) * m.tanh(z) / m.cosh(z) ** 2

    return Contest(
        domain=[(-5, 5), (0, 1)],
        ansatz=lambda c, m: [(soliton(c[0], 0 * c[1], m), c[1])],
        conditions={
            "physics": (
                INTERIOR,
                3000,
                1,
                ["", "0", "1", "000"],
                lambda u, c, m: [u[0]["1"] + 6 * u[0][""] * u[0]["0"] + u[0]["000"]],
            ),
            "left": ((0, -5), 100, 10, [""], lambda u, c, m: [u[0][""] - soliton(*c, m)]),
            "right": (
                (0, 5),
                100,
                10,
                ["", "0"],
                lambda u, c, m: [u[0][""] - soliton(*c, m), u[0]["0"] - slope(*c, m)],
            ),
        },
        held={"initial": ((1, 0), 0, 1, [""], lambda u, c, m: [u[0][""] - soliton(*c, m)])},
        depth=3,
        width=24,
        adam=300,
        broyden=5000,
    )


def _wave():
    return Contest(
        domain=[(0, 1), (0, 1)],
        conditions={
            "physics": (INTERIOR, 1000, 1, ["00", "11"], lambda u, c, m: [u[0]["11"] - u[0]["00"]]),
            "initial": ((1, 0), 100, 10, ["", "1"], lambda u, c, m: [u[0][""] - m.sin(pi * c[0]), u[0]["1"]]),
            "left": ((0, 0), 100, 1, [""], lambda u, c, m: [u[0][""]]),
            "right": ((0, 1), 100, 1, [""], lambda u, c, m: [u[0][""]]),
        },
        depth=3,
        width=24,
        adam=300,
        broyden=4000,
        demo=Demo((100, 100, 100), 360, 720, 10000, lbfgs=False),
    )


def _schrodinger():
    def size(u):
        return u[0][""] ** 2 + u[1][""] ** 2

    return Contest(
        domain=[(-5, 5), (0, pi / 2)],
        unknowns=("u", "v"),
        features=lambda c, m: [
            0.2 * c[0],
            4 / pi * c[1] - 1,
            m.sin(7.1 * 0.2 * c[0]),
            m.cos(7.1 * 0.2 * c[0]),
        ],
        ansatz=lambda c, m: [(2 / m.cosh(c[0]), m.tanh(30 / pi * c[1])), (0 * c[0], m.tanh(30 / pi * c[1]))],
        conditions={
            "physics": (
                INTERIOR,
                2000,
                1 / 16,
                ["", "1", "00"],
                lambda u, c, m: [
                    u[0]["1"] + u[1]["00"] / 2 + size(u) * u[1][""],
                    u[1]["1"] - u[0]["00"] / 2 - size(u) * u[0][""],
                ],
            ),
            "around": (
                ("periodic", 0),
                100,
                1,
                ["", "0"],
                lambda u, c, m: [u[0][""], u[0]["0"] / 4, u[1][""], u[1]["0"] / 2],
            ),
        },
        depth=3,
        width=24,
        adam=300,
        broyden=12000,
        held={"start": ((1, 0), 0, 1, [""], lambda u, c, m: [u[0][""] - 2 / m.cosh(c[0]), u[1][""]])},
        demo=Demo((100, 100, 100, 100), 10000, 220, 1000),
    )


def _helmholtz():
    k = 4 * pi
    return Contest(
        domain=[(0, 1), (0, 1)],
        features=lambda c, m: [
            2 * c[0] - 1,
            2 * c[1] - 1,
            *(f(6.3 * (2 * x - 1)) for x in c for f in (m.sin, m.cos)),
        ],
        ansatz=lambda c, m: [(0 * c[0], 8 * c[0] * (1 - c[0]) * c[1] * (1 - c[1]))],
        conditions={
            "physics": (
                INTERIOR,
                2000,
                1 / 128**2,
                ["", "00", "11"],
                lambda u, c, m: [
                    u[0]["00"] + u[0]["11"] + k**2 * u[0][""] + k**2 * m.sin(k * c[0]) * m.sin(k * c[1])
                ],
            )
        },
        depth=3,
        width=24,
        adam=300,
        broyden=12000,
        demo=Demo(
            (150, 150, 150),
            400,
            80,
            5000,
            lbfgs=False,
            activation="sin",
            initializer="Glorot uniform",
            transform=lambda c, y, m: c[0] * (1 - c[0]) * c[1] * (1 - c[1]) * y,
        ),
    )


def _poisson_2d():
    return Contest(
        domain=[(0, 1), (0, 1)],
        ansatz=lambda c, m: [(0 * c[0], c[0] * (1 - c[0]) * c[1] * (1 - c[1]))],
        conditions={
            "physics": (
                INTERIOR,
                1500,
                1,
                ["00", "11"],
                lambda u, c, m: [
                    u[0]["00"] + u[0]["11"] + 2 * pi**2 * m.sin(pi * c[0]) * m.sin(pi * c[1])
                ],
            )
        },
        depth=3,
        width=24,
        adam=0,
        broyden=1500,
        resample=0,
        held={
            f"face {i} {end}": ((i, end), 0, 1, [""], lambda u, c, m: [u[0][""]]) for i in range(2) for end in (0, 1)
        },
        demo=Demo((50, 50, 50, 50), 1200, 120, 50000, initializer="Glorot uniform"),
    )


def _poisson_5d():
    seconds = [2 * str(i) for i in range(5)]
    face = lambda u, c, m: [u[0][""] - cosines(c, m)]
    return Contest(
        domain=[(0, 1)] * 5,
        conditions={
            "physics": (
                INTERIOR,
                6000,
                1,
                seconds,
                lambda u, c, m: [sum(u[0][d] for d in seconds) + pi**2 * cosines(c, m)],
            ),
            **{f"face {i} {end}": ((i, end), 100, 1000, [""], face) for i in range(5) for end in (0, 1)},
        },
        depth=2,
        width=40,
        adam=300,
        broyden=12000,
        demo=Demo((50, 50, 50, 50), 2000, 1000),
    )


def _kovasznay():
    re = 40
    power = re / 2 - (re**2 / 4 + 4 * pi**2) ** 0.5

    def flow(x, y, m):
        u = 1 - m.exp(power * x) * m.cos(2 * pi * y)
        v = power / (2 * pi) * m.exp(power * x) * m.sin(2 * pi * y)
        return u, v, (1 - m.exp(2 * power * x)) / 2

    def wall(count):
        return lambda u, c, m: [u[i][""] - flow(*c, m)[i] for i in range(count)]

    return Contest(
        domain=[(-0.5, 1), (-0.5, 1.5)],
        unknowns=("u", "v", "p"),
        conditions={
            "physics": (
                INTERIOR,
                2000,
                1,
                ["", "0", "1", "00", "11"],
                lambda u, c, m: [
                    u[0][""] * u[0]["0"] + u[1][""] * u[0]["1"] + u[2]["0"] - (u[0]["00"] + u[0]["11"]) / re,
                    u[0][""] * u[1]["0"] + u[1][""] * u[1]["1"] + u[2]["1"] - (u[1]["00"] + u[1]["11"]) / re,
                    u[0]["0"] + u[1]["1"],
                ],
            ),
            "inlet": ((0, -0.5), 100, 1, [""], wall(2)),
            "outlet": ((0, 1), 100, 1, [""], wall(3)),
            "bottom": ((1, -0.5), 100, 1, [""], wall(2)),
            "top": ((1, 1.5), 100, 1, [""], wall(2)),
        },
        depth=4,
        width=32,
        adam=300,
        broyden=4000,
        demo=Demo((50, 50, 50, 50), 2601, 400, 30000),
    )


def _black_scholes():
    def spread(t, m):
        return SIGMA * STRIKE * m.sqrt(_never_zero(t, m))

    def start(s, t, m):
        z = (s - STRIKE) / spread(t, m)
        return (s - STRIKE) * normal(z, m) + spread(t, m) * m.exp(-(z**2) / 2) / (2 * pi) ** 0.5

    return Contest(
        domain=[(0, 1), (0, 1)],
        unknowns=("V",),
        features=lambda c, m: [
            2 * c[0] - 1,
            2 * c[1] - 1,
            2 * m.sqrt(_never_zero(c[1], m)) - 1,
            2 * normal((c[0] - STRIKE) / spread(c[1], m), m) - 1,
        ],
        ansatz=lambda c, m: [(start(*c, m), c[0] * c[1])],
        conditions={
            "physics": (
                INTERIOR,
                4000,
                1,
                ["", "0", "1", "00"],
                lambda u, c, m: [
                    u[0]["1"]
                    - SIGMA**2 / 2 * c[0] ** 2 * u[0]["00"]
                    - RATE * c[0] * u[0]["0"]
                    + RATE * u[0][""]
                ],
            ),
            "deep": ((0, 1), 100, 100, [""], lambda u, c, m: [u[0][""] - call(c, m)]),
        },
        held={
            "payoff": ((1, 0), 0, 1, [""], lambda u, c, m: [u[0][""] - m.clip(c[0] - STRIKE, 0, None)]),
            "worthless": ((0, 0), 0, 1, [""], lambda u, c, m: [u[0][""]]),
        },
        depth=3,
        width=24,
        adam=300,
        broyden=10000,
        demo=Demo((50, 50, 50, 50)),
    )


CONTESTS = {
    "burgers": _burgers,
    "allen-cahn": _allen_cahn,
    "kdv": _kdv,
    "wave": _wave,
    "schrodinger": _schrodinger,
    "helmholtz": _helmholtz,
    "poisson-2d": _poisson_2d,
    "poisson-5d": _poisson_5d,
    "kovasznay": _kovasznay,
    "black-scholes": _black_scholes,
}
