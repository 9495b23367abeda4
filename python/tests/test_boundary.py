"""Whatever comes in either has an answer or raises: never a panic, never numbers that look right and are not."""

import numpy as np
import pytest
from conftest import DECAY
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import pinn_solve as ps

QUICK = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
EXPECTED = (ValueError, TypeError)

ANY_ARRAY = arrays.arrays(
    dtype=st.one_of(arrays.scalar_dtypes(), arrays.array_dtypes(max_size=2)),
    shape=arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
)


def plain(values):
    """What the values are as doubles, if each of them is one."""
    array = np.asarray(values)
    return array.astype(np.float64) if array.dtype.kind in "fiub" else None


@QUICK
@given(points=ANY_ARRAY)
@pytest.mark.filterwarnings("ignore")
def test_any_array_of_points(waves, points):
    try:
        u, v = waves.predict(points, ["u", "v"])
    except EXPECTED as error:
        doubles = plain(points)
        fits = doubles is not None and doubles.ndim == 2 and doubles.shape[1] == 2 and np.isfinite(doubles).all()
        assert not fits and str(error)
        return
    rows = np.ascontiguousarray(plain(points))
    assert u.shape == v.shape == (len(rows),)
    assert np.array_equal(np.stack([u, v], 1), waves.predict(rows), equal_nan=True)


@QUICK
@given(
    data=st.data(),
    count=st.integers(0, 6),
    dtype=st.sampled_from([">f8", "<f8", "f4", "f2", "i1", "u8", "?", "g"]),
    order=st.sampled_from("CF"),
    step=st.sampled_from([1, 2, -1, -3]),
)
def test_layouts_and_types_change_nothing(waves, data, count, dtype, order, step):
    base = data.draw(arrays.arrays(np.int8, (4 * count, 2), elements=st.integers(0, 1)))
    points = np.asarray(base, dtype=dtype, order=order)[::step]
    expected = waves.predict(np.array(points.tolist(), dtype=float).reshape(-1, 2) * [1, 0.5], "u_xx - v_x")
    found = waves.predict(points * np.array([1, 0.5], dtype="f4"), "u_xx - v_x")
    assert np.array_equal(found, expected)


def test_unaligned_and_read_only_arrays(waves, rng):
    points = rng.random((5, 2)) * [1, 0.5]
    room = np.zeros(5 * 2 * 8 + 1, dtype=np.uint8)
    unaligned = room[1:].view(np.float64).reshape(5, 2)
    unaligned[:] = points
    points.setflags(write=False)
    assert not unaligned.flags.aligned
    assert np.array_equal(waves.predict(unaligned), waves.predict(points))
    objective = ps.check(DECAY).objective(threads=1)
    theta = objective.initial
    room = np.zeros(8 * len(theta) + 3, dtype=np.uint8)
    odd = room[3:].view(np.float64)
    odd[:] = theta
    for other in (odd, np.repeat(theta, 2)[::2], theta[::-1].copy()[::-1], theta.astype(">f8"), list(theta)):
        assert objective(other)[0] == objective(theta)[0]


def test_columns_are_broadcast(waves, rng):
    x, t = rng.random(4), rng.random((3, 1)) * 0.5
    grid = waves.predict({"x": x, "t": t}, "u")
    rows = np.stack([a.ravel() for a in np.broadcast_arrays(x, t)], 1)
    assert grid.shape == (3, 4) and np.array_equal(grid.ravel(), waves.predict(rows, "u"))
    assert waves.predict({"x": 0.5, "t": 0.1}).shape == (2,)
    assert waves.predict({"t": t[:0, 0], "x": t[:0, 0]}).shape == (0, 2)
    physics = waves.predict(rows, "physics")
    assert physics.shape == (12, 2)
    direct = waves.predict(rows, ["u_t - 0.1*u_xx", "v - u_x"])
    assert np.allclose(physics, np.stack(direct, 1), rtol=1e-9, atol=1e-12)
    for wrong in ({"x": x}, {"x": x, "t": t, "y": x}, {"x": x, "t": x[:2]}, {"x": "a", "t": 0}, {"x": np.nan, "t": 0}, {}):
        with pytest.raises((ValueError, TypeError)):
            waves.predict(wrong)


def test_points_that_are_not_finite_are_named(waves):
    with pytest.raises(ValueError, match=r"points\[1, 0\] is nan"):
        waves.predict([[0.5, 0.1], [np.nan, 0.1]])
    with pytest.raises(ValueError, match="is inf"):
        waves.predict([[0.5, np.inf]])


def test_points_outside_are_warned_of(decay):
    with pytest.warns(ps.OutsideWarning, match="1 of 2 points") as seen:
        assert np.isfinite(decay.predict([0.5, 1.5])).all()
    assert seen[0].filename == __file__


@QUICK
@given(text=st.one_of(st.text(max_size=40), st.text(alphabet="u_xt0123456789.+-*/^()= ,sinexp", max_size=30)))
@pytest.mark.filterwarnings("ignore")
def test_any_text_as_quantity(waves, text):
    try:
        values = waves.predict([[0.5, 0.1]], text)
    except EXPECTED as error:
        assert str(error)
        return
    assert values.shape in ((1,), (1, 2))


@QUICK
@given(theta=arrays.arrays(np.float64, st.integers(100, 110), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_any_theta(theta):
    objective = OBJECTIVE
    try:
        loss, gradient = objective(theta)
    except ValueError:
        assert len(theta) != objective.size
        return
    assert gradient.shape == theta.shape
    bad = not np.isfinite(theta).all()
    assert bad or loss >= 0 or np.isnan(loss)
    objective.residuals(theta), objective.jvp(theta, theta)


@QUICK
@given(value=ANY_ARRAY)
def test_any_array_as_theta(value):
    with pytest.raises(EXPECTED):
        OBJECTIVE(value)
    with pytest.raises(EXPECTED):
        ps.check(DECAY).network(value)


OBJECTIVE = ps.check(DECAY).objective(threads=1)

JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@QUICK
@given(where=st.sampled_from(["coordinates", "unknowns", "parameters", "definitions", "network", "training", "reference", "tables", "shapes", "domain"]), junk=JUNK)
def test_any_junk_in_a_problem(where, junk):
    parts = {"coordinates": {"x": (0, 1)}, "unknowns": "u", "conditions": [ps.Condition("interior", "u_x + u"), ps.Condition("x = 0", "u - 1")]}
    parts[where] = {"x": junk} if where == "coordinates" else junk
    try:
        ps.Problem(**parts)
    except (*EXPECTED, AttributeError) as error:
        # AttributeError is Python's own, for what is no mapping.
        assert str(error)


@QUICK
@given(text=st.text(max_size=60))
def test_any_text_as_problem(text):
    try:
        ps.Problem.parse(text)
    except EXPECTED as error:
        assert str(error)


def test_theta_of_another_length_or_not_finite():
    problem = ps.check(DECAY)
    theta = problem.objective(threads=1).initial
    for wrong in (theta[:-1], np.append(theta, 0), np.where(np.arange(len(theta)) == 3, np.nan, theta)):
        with pytest.raises(ps.ProblemError):
            problem.network(wrong)
    with pytest.raises(ValueError, match="no parameters|parameters"):
        OBJECTIVE.jvp(theta, theta[:-1])


def test_threads_and_rounds_out_of_range():
    for threads in (0, -1, 10**6):
        with pytest.raises((ps.ProblemError, OverflowError)):
            ps.check(DECAY).objective(threads=threads)
    with pytest.raises(ValueError):
        ps.check(DECAY).objective(round=-1)
    with pytest.raises(ValueError, match="grid"):
        ps.check("heat").network(ps.check("heat").objective(threads=1).initial).grid(10**6)
