"""The loss as a function, for other people's optimizers."""

import numpy as np
import pytest
from conftest import DECAY

import pinn_solve as ps


@pytest.fixture(scope="module")
def objective():
    return ps.check(DECAY).objective(threads=1)


@pytest.fixture(scope="module")
def theta(objective):
    return objective.initial + 0.1 * np.random.default_rng(0).standard_normal(objective.size)


def test_the_gradient_is_the_losss(objective, theta, rng):
    loss, gradient = objective(theta)
    assert loss == objective.loss(theta)
    direction = rng.standard_normal(objective.size)
    h = 1e-6
    slope = (objective.loss(theta + h * direction) - objective.loss(theta - h * direction)) / (2 * h)
    assert gradient @ direction == pytest.approx(slope, rel=1e-6)


def test_the_loss_is_the_sum_of_squares(objective, theta, rng):
    loss, gradient = objective(theta)
    residuals = objective.residuals(theta)
    assert residuals @ residuals == pytest.approx(loss, rel=1e-12)
    terms = objective.terms(theta)
    assert list(terms) == objective.conditions == ["physics", "start"]
    assert sum(terms.values()) == pytest.approx(loss, rel=1e-12)
    direction = rng.standard_normal(objective.size)
    product = objective.jvp(theta, direction)
    assert product.shape == residuals.shape
    h = 1e-6
    change = (objective.residuals(theta + h * direction) - objective.residuals(theta - h * direction)) / (2 * h)
    assert np.allclose(product, change, rtol=1e-5, atol=1e-7 * np.abs(product).max())
    assert 2 * residuals @ product == pytest.approx(gradient @ direction, rel=1e-9)
    assert direction @ objective.gauss_newton(theta, direction) == pytest.approx(product @ product, rel=1e-9)


def test_it_is_the_loss_of_training():
    with pytest.warns(ps.NotSolvedWarning):
        run = ps.solve(DECAY, steps=1, threads=1)
    objective = ps.check(DECAY).objective(threads=2)
    loss, gradient = objective(objective.initial)
    assert run.history["loss"][0] == loss
    assert run.history["gradient_norm"][0] == pytest.approx(np.linalg.norm(gradient), rel=1e-14)


def test_redraws_are_other_points(theta):
    problem = ps.check(DECAY)
    first, second = (problem.objective(threads=1, round=k).loss(theta) for k in (0, 1))
    assert first != second and first == problem.objective(threads=1).loss(theta)


def test_scipy_minimizes_it():
    optimize = pytest.importorskip("scipy.optimize")
    problem = ps.check(DECAY)
    objective = problem.objective(threads=1)
    found = optimize.minimize(objective, objective.initial, jac=True, method="BFGS", options={"maxiter": 150})
    network = problem.network(found.x)
    assert found.fun < 1e-4 and network.error < 1e-2
    assert network.verdict in ("solved", "doubtful", "not solved") and network.loss == pytest.approx(found.fun, rel=1e-9)


def test_windows_have_none():
    conditions = [ps.Condition("interior", "u_t + u"), ps.Condition("t = 0", "u - 1")]
    problem = ps.Problem({"t": (0, 1)}, "u", conditions, network={"depth": 1, "width": 4}, training={"windows": 2})
    with pytest.raises(ps.ProblemError, match="windows"):
        problem.objective()
    network = problem.network(np.zeros(problem.size))
    assert network.predict([0.1, 0.9]).shape == (2,)


def test_pytorch_differentiates_it(objective):
    torch = pytest.importorskip("torch")

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx, theta):
            loss, gradient = objective(theta.detach().numpy())
            ctx.save_for_backward(torch.from_numpy(gradient))
            return torch.tensor(loss, dtype=torch.float64)

        @staticmethod
        def backward(ctx, slope):
            (gradient,) = ctx.saved_tensors
            return slope * gradient

    theta = torch.from_numpy(objective.initial).requires_grad_()
    loss = 2 * Loss.apply(theta)
    loss.backward()
    assert np.array_equal(theta.grad.numpy(), 2 * objective(objective.initial)[1])


def test_jax_differentiates_it(objective):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    shapes = (jax.ShapeDtypeStruct((), float), jax.ShapeDtypeStruct((objective.size,), float))

    def both(theta):
        return jax.pure_callback(lambda at: tuple(map(np.asarray, objective(np.asarray(at)))), shapes, theta)

    @jax.custom_vjp
    def loss(theta):
        return both(theta)[0]

    loss.defvjp(both, lambda gradient, slope: (slope * gradient,))
    gradient = jax.jit(jax.grad(loss))(objective.initial)
    assert np.allclose(gradient, objective(objective.initial)[1], rtol=1e-12)
