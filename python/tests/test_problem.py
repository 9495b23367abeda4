"""Problems built in Python are those that a file states."""

import warnings

import numpy as np
import pytest

import pinn_solve as ps


def test_a_problem_in_python_is_the_file(tmp_path):
    sympy = pytest.importorskip("sympy")
    x, t, nu = sympy.symbols("x t nu")
    u = sympy.Function("u")(x, t)
    problem = ps.Problem(
        coordinates={"x": (-1, 1), "t": {"domain": (0, 1), "unit": "s"}},
        unknowns={"u": {"unit": "m/s"}},
        conditions=[
            ps.Condition("interior", sympy.Eq(u.diff(t) + u * u.diff(x), nu * u.diff(x, 2)), name="physics", points=500),
            ps.Condition("t = 0", u + sympy.sin(sympy.pi * x)),
            ps.Condition(["x = -1", "x = 1"], "u", weight=2.0),
        ],
        name="shock",
        title='A "shock"\n',
        parameters={"nu": 0.01 / np.pi},
        definitions={"flux": u**2 / 2 - nu * u.diff(x)},
        contours={"front": u - 0.5},
        network={"depth": 2, "width": 8},
    )
    assert problem.name == "shock" and problem.unknowns == ["u"] and problem.parameters == {"nu": 0.01 / np.pi}
    assert [c[:3] for c in problem.coordinates] == [("x", -1, 1), ("t", 0, 1)]
    path = tmp_path / "shock.toml"
    text = problem.to_toml(path)
    assert path.read_text() == text and '[contours]\nfront = ' in text
    assert ps.Problem.read(path).to_toml(resolved=True) == problem.to_toml(resolved=True)
    with pytest.raises(FileExistsError):
        problem.to_toml(path)
    assert problem.decisions and "decided" in str(problem) and "physics" in str(problem)


def test_arrays_are_data_and_tables(tmp_path):
    times = np.linspace(0, 1, 9)
    problem = ps.Problem(
        {"t": (0, 1)},
        ["u"],
        [
            ps.Condition("interior", "u_t - q(t)"),
            ps.Condition("t = 0", "u"),
            ps.Condition(ps.Data(t=[0.25, 0.75], seen=[0.25**3, 0.75**3]), "u - seen"),
        ],
        tables={"q": ps.Table(3 * times**2, t=times)},
        network={"depth": 1, "width": 6},
        training={"stages": [{"ssbroyden": {"steps": 150}}]},
    )
    run = ps.solve(problem, threads=1)
    assert np.allclose(run.predict(times), times**3, atol=1e-2)
    assert run.predict([0.25], "data", data={"seen": [0.25**3]}) == pytest.approx(run.predict([0.25]) - 0.25**3)
    with pytest.raises(ps.ProblemError, match="seen"):
        run.predict([0.25], "data")
    problem.to_toml(tmp_path / "loaded.toml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "loaded.toml", "q.npz"]
    again = ps.solve(tmp_path / "loaded.toml", threads=1)
    assert np.array_equal(again.theta, run.theta)


def test_sympy_is_written_as_on_paper():
    sympy = pytest.importorskip("sympy")
    from pinn_solve.formulas import formula

    x, t, r, theta = sympy.symbols("x t r theta")
    u, w, q = sympy.Function("u")(x, t), sympy.Function("w")(r, theta), sympy.Function("q")
    cases = [
        (u.diff(x, x, t), "u_txx|u_xxt"),
        (w.diff(theta, 2), "w_theta_theta"),
        (sympy.sqrt(x) + sympy.log(x), "sqrt(x) + ln(x)|ln(x) + sqrt(x)"),
        (x**-2, "x^(-2)"),
        (sympy.Heaviside(x), "step(x)"),
        (sympy.E * x, "exp(1)*x|x*exp(1)"),
        (sympy.Eq(u, 2), "u - 2|-2 + u"),
        (q(x - t), "q(x - t)|q(-t + x)"),
        (sympy.Float("0.1"), "0.1"),
        (np.float64(0.1), "0.1"),
        (3, "3"),
    ]
    for expression, expected in cases:
        found = formula(expression, ["x", "t", "r", "theta"], ["q"])
        assert found in expected.split("|"), found
    for wrong in (sympy.I * x, sympy.oo, u.subs(t, 0), sympy.gamma(x), sympy.Integral(u, x), sympy.Eq(x, x), True, None, b"u", float("nan")):
        with pytest.raises((TypeError, ValueError)):
            formula(wrong, ["x", "t"])


def test_sympy_and_text_have_the_same_value(decay):
    sympy = pytest.importorskip("sympy")
    x = sympy.Symbol("x")
    u = sympy.Function("u")(x)
    at = np.linspace(0.1, 0.9, 5)
    expression = sympy.Max(u, x) * sympy.exp(-(x**2)) / (1 + x) ** sympy.Rational(3, 2) + sympy.atan2(x, 2) ** 2 - u.diff(x)
    text = "max(u, x)*exp(-x^2)/(1 + x)^1.5 + atan2(x, 2)^2 - u_x"
    assert np.allclose(decay.predict(at, expression), decay.predict(at, text), rtol=1e-13)


def test_conditions_have_names():
    conditions = [ps.Condition("interior", "u_x"), ps.Condition("x = 0", "u"), ps.Condition("x = 0", "u_x")]
    text = ps.Problem({"x": (0, 1)}, "u", conditions).text
    assert "[conditions.interior]" in text and "[conditions.x-0]" in text and "[conditions.x-0-2]" in text
    mapped = ps.Problem({"x": (0, 1)}, "u", {"a b": conditions[0], "start": conditions[1]}).text
    assert '[conditions."a b"]' in mapped
    with pytest.raises(ps.ProblemError, match="two conditions"):
        ps.Problem({"x": (0, 1)}, "u", [ps.Condition("interior", "u_x", name="a"), ps.Condition("x = 0", "u", name="a")])
    with pytest.raises(TypeError):
        ps.Problem({"x": (0, 1)}, "u", ["u_x"])


def test_shapes_are_settings():
    problem = ps.Problem(
        {"x": {}, "y": {}},
        "u",
        [ps.Condition("interior", "u_xx + u_yy + 1"), ps.Condition("wall", "u")],
        shapes={"plate": {"rectangle": {"from": [0, 0], "to": [2, 1]}}, "hole": {"disk": {"center": [0.5, 0.5], "radius": 0.2}}},
        domain={"region": "plate - hole"},
        network={"depth": 1, "width": 4},
        training={"stages": [{"adam": {"steps": 2}}]},
    )
    network = problem.network(problem.objective(threads=1).initial)
    with pytest.warns(ps.OutsideWarning):
        found = network.predict([[0.5, 0.5], [1.5, 0.5]])
    assert np.isnan(found[0]) and np.isfinite(found[1])
    with warnings.catch_warnings():
        # What a grid has outside of the shapes is no surprise.
        warnings.simplefilter("error")
        assert np.isnan(network._on("u", {"x": 41, "y": 21})[1]["u"][10, 10])
    area = network.integrate("1")
    assert area.value == pytest.approx(2 - 0.04 * np.pi, rel=1e-6)


def test_data_and_tables_have_shapes():
    for make in (
        lambda: ps.Data(),
        lambda: ps.Data(x=[1, 2], y=[1]),
        lambda: ps.Data(x=[[1]]),
        lambda: ps.Data(x=[np.nan]),
        lambda: ps.Table([1, 2], t=[1, 2, 3]),
        lambda: ps.Table([np.inf], t=[1]),
    ):
        with pytest.raises(ValueError):
            make()
