"""Small problems that train in a fraction of a second, each solved once."""

import numpy as np
import pytest

import pinn_solve as ps

DECAY = """
title = "Decay"
[coordinates]
x = [0, 1]
[parameters]
k = 2
[unknowns]
u = {}
[conditions.physics]
place = "interior"
residual = "u_x + k*u"
points = 60
[conditions.start]
place = "x = 0"
residual = "u - 1"
[reference]
solution = { u = "exp(-k*x)" }
[network]
depth = 2
width = 8
[training]
stages = [{ adam = { steps = 40 } }, { lbfgs = { steps = 60 } }]
"""

WAVES = """
[coordinates]
x = { domain = [0, 1], unit = "m" }
t = [0, 0.5]
[unknowns]
u = { unit = "K" }
v = {}
[conditions.physics]
place = "interior"
residual = ["u_t - 0.1*u_xx", "v - u_x"]
points = 100
[conditions.start]
place = "t = 0"
residual = "u - sin(pi*x)"
[conditions.ends]
place = ["x = 0", "x = 1"]
residual = "u"
[network]
depth = 2
width = 8
[training]
stages = [{ adam = { steps = 30 } }]
"""


@pytest.fixture(scope="session")
def decay() -> ps.Run:
    return ps.solve(DECAY, threads=1)


@pytest.fixture(scope="session")
def waves() -> ps.Run:
    with pytest.warns(ps.NotSolvedWarning):
        return ps.solve(WAVES, threads=1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
