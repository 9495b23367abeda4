"""The problems that are timed, as the peers need them; the same as in ../problems/*.toml.

A condition is (derivatives, residuals); weights come with the points.
A derivative is a string of coordinate digits: "" is u, "0" is its derivative along coordinate 0, "00" the second one.
Residuals map u (a dictionary of derivatives), c (the coordinates) and m (torch or jax.numpy) to a list of arrays.
"""

from math import pi

NU = 0.01 / pi
SIGMA, RATE, STRIKE = 0.2, 0.05, 0.5


def erf(x, m):
    """The error function of m, which is torch or jax.numpy."""
    return (m.special.erf if hasattr(m, "special") else __import__("jax").scipy.special.erf)(x)


def normal(x, m):
    """The distribution function of the normal distribution."""
    return 0.5 * (1 + erf(x / 2**0.5, m))


def call(c, m):
    """The price of a European call on the side S = 1."""
    share, t = c
    spread = SIGMA * m.sqrt(t)
    d1 = (m.log(share / STRIKE) + (RATE + SIGMA**2 / 2) * t) / spread
    return share * normal(d1, m) - STRIKE * m.exp(-RATE * t) * normal(d1 - spread, m)


def cosines(c, m):
    return sum(m.cos(pi * x) for x in c)


_FACES = {
    f"{side}{i + 1}": ([""], lambda u, c, m: [u[""] - cosines(c, m)])
    for i in range(5)
    for side in ("lower", "upper")
}

PROBLEMS = {
    "burgers-soft": {
        "domain": [(-1, 1), (0, 1)],
        "conditions": {
            "physics": (
                ["", "0", "1", "00"],
                lambda u, c, m: [u["1"] + u[""] * u["0"] - NU * u["00"]],
            ),
            "initial": ([""], lambda u, c, m: [u[""] + m.sin(pi * c[0])]),
            "left": ([""], lambda u, c, m: [u[""]]),
            "right": ([""], lambda u, c, m: [u[""]]),
        },
    },
    "black-scholes-soft": {
        "domain": [(0, 1), (0, 1)],
        "conditions": {
            "physics": (
                ["", "0", "1", "00"],
                lambda u, c, m: [
                    u["1"] - SIGMA**2 / 2 * c[0] ** 2 * u["00"] - RATE * c[0] * u["0"] + RATE * u[""]
                ],
            ),
            "payoff": ([""], lambda u, c, m: [u[""] - m.clip(c[0] - STRIKE, 0, None)]),
            "worthless": ([""], lambda u, c, m: [u[""]]),
            "deep": ([""], lambda u, c, m: [u[""] - call(c, m)]),
        },
    },
    "beam": {
        "domain": [(0, pi), (0, pi)],
        "conditions": {
            "physics": (["11", "0000"], lambda u, c, m: [u["11"] + u["0000"]]),
            "initial": (["", "1"], lambda u, c, m: [u[""] - m.sin(c[0]), u["1"]]),
            "left": (["", "00"], lambda u, c, m: [u[""], u["00"]]),
            "right": (["", "00"], lambda u, c, m: [u[""], u["00"]]),
        },
    },
    "poisson-5d": {
        "domain": [(0, 1)] * 5,
        "conditions": {
            "physics": (
                ["00", "11", "22", "33", "44"],
                lambda u, c, m: [sum(u[2 * str(i)] for i in range(5)) + pi**2 * cosines(c, m)],
            ),
            **_FACES,
        },
    },
}


def closure(wanted):
    """All derivatives below the wanted ones, lower orders first; "01" and "10" are one."""
    done, open_ = {""}, ["".join(sorted(d)) for d in wanted]
    while open_:
        derivative = open_.pop()
        if derivative not in done:
            done.add(derivative)
            open_ += [derivative[:i] + derivative[i + 1 :] for i in range(len(derivative))]
    return sorted(done, key=lambda d: (len(d), d))


def chain_rule(derivative):
    """Faa di Bruno's formula: {(factors): coefficient}, to be multiplied by the slope of as many orders."""
    partitions = [[]]
    for coordinate in derivative:
        partitions = [
            groups[:i] + ([groups[i] + coordinate] if i < len(groups) else [coordinate]) + groups[i + 1 :]
            for groups in partitions
            for i in range(len(groups) + 1)
        ]
    counted = {}
    for groups in partitions:
        key = tuple(sorted(groups))
        counted[key] = counted.get(key, 0) + 1
    return counted


def tanh_slopes(y, count):
    """The first `count` derivatives of tanh, where y is its value."""
    s = 1 - y * y
    slopes = [
        lambda: s,
        lambda: -2 * y * s,
        lambda: s * (6 * y * y - 2),
        lambda: s * y * (16 - 24 * y * y),
    ]
    return [slope() for slope in slopes[:count]]
