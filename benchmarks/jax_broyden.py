"""Self-scaled Broyden in JAX on one of the problems of contests.py: `python jax_broyden.py PROBLEM SEED REFERENCE`.

The network, ansatz, points and steps are those of pinn-solve's recipe, in double precision; the method is that of Urbán,
Stefanou and Pons (arXiv 2405.04230) with a strong Wolfe search, all of a hundred steps one compiled function.
Derivatives are carried forward through the network (jets), those of features and ansatz are computed once for all steps
between two draws of points, and H is gone over twice a step: the fastest form that was found.
Prints a line of JSON with step, seconds and relative L2 error every hundred steps; compiling and measuring are not in the
seconds. REFERENCE is a solution.csv of pinn-solve, whose points and reference values the error is measured with.
"""

import json
import os
import sys
import time

# All cores that the process may use.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=true")

import jax
import jax.numpy as jnp
import numpy

from contests import CONTESTS, INTERIOR
from peers import jets_of_layer
from problems import closure

jax.config.update("jax_enable_x64", True)

EVERY = 100
C1, C2, TRIALS = 1e-4, 0.9, 25


def derivative(f, which):
    """The derivative of a function of a point along the coordinates in `which`."""
    for coordinate in which:
        f = along(f, int(coordinate))
    return f


def along(f, coordinate):
    return lambda x: jax.jvp(f, (x,), (jnp.zeros_like(x).at[coordinate].set(1.0),))[1]


class Condition:
    """A condition's formulas; what it knows of points is a dictionary of arrays, so that points can be exchanged."""

    def __init__(self, contest, place, count, weight, wanted, residuals):
        self.contest, self.place, self.count, self.weight = contest, place, count, weight
        self.wanted, self.residuals = wanted, residuals
        self.channels = closure(wanted)
        self.periodic = place != INTERIOR and place[0] == "periodic"
        self.prepare = jax.jit(self._prepare)

    def draw(self, rng):
        lower, upper = numpy.array(self.contest.domain, float).T
        points = lower + (upper - lower) * latin(rng, self.count, len(lower))
        if self.place == INTERIOR:
            return points
        if not self.periodic:
            points[:, self.place[0]] = self.place[1]
            return points
        other = points.copy()
        points[:, self.place[1]], other[:, self.place[1]] = lower[self.place[1]], upper[self.place[1]]
        return numpy.concatenate([points, other])

    def _prepare(self, points):
        """Derivatives of features and ansatz at points."""
        contest, count = self.contest, len(self.contest.unknowns)
        inputs = lambda x: jnp.stack(contest.inputs(list(x), jnp))
        parts = lambda x: jnp.stack([jnp.stack(part) for part in contest.parts(list(x), jnp)])
        at = lambda f, d: jax.vmap(derivative(f, d))(points)
        return {
            "points": points,
            "features": jnp.stack([at(inputs, d) for d in self.channels]),
            "parts": jnp.stack([at(parts, d).reshape(len(points), count, 2) for d in self.channels]),
        }

    def at(self, layers, data):
        """Residuals at points, as a list of arrays."""
        channels, h = self.channels, data["features"]
        for weights, biases in layers[:-1]:
            z = h @ weights.T
            y = jnp.tanh(z[0] + biases)
            h = jets_of_layer(z, y, channels, jnp.stack) if len(h) > 1 else y[None]
        weights, biases = layers[-1]
        net = h @ weights.T
        net = net.at[0].add(biases)
        place = {d: i for i, d in enumerate(channels)}
        u = []
        for k in range(len(self.contest.unknowns)):
            a, b = data["parts"][..., k, 0], data["parts"][..., k, 1]
            values = {}
            for d in self.wanted:
                total = a[place[d]]
                # Leibniz: some of the derivatives fall on the factor, the others on the network.
                for chosen in range(2 ** len(d)):
                    on_net = "".join(x for i, x in enumerate(d) if chosen >> i & 1)
                    on_factor = "".join(x for i, x in enumerate(d) if not chosen >> i & 1)
                    total = total + b[place[on_factor]] * net[place[on_net], :, k]
                if self.periodic:
                    half = len(total) // 2
                    total = total[half:] - total[:half]
                values[d] = total
            u.append(values)
        return self.residuals(u, list(data["points"].T), jnp)

    def loss(self, layers, data):
        return self.weight * sum((r * r).mean() for r in self.at(layers, data))


def latin(rng, count, dimensions):
    """A Latin hypercube."""
    order = numpy.stack([rng.permutation(count) for _ in range(dimensions)], 1)
    return (order + rng.random((count, dimensions))) / count


class Training:
    """The network's parameters as a vector, the loss, and compiled steps."""

    def __init__(self, contest, seed):
        self.contest, self.rng = contest, numpy.random.default_rng(seed)
        self.conditions = [Condition(contest, *condition) for condition in contest.conditions.values()]
        middle = [(lower + upper) / 2 for lower, upper in contest.domain]
        inputs = len(contest.inputs([jnp.asarray(x) for x in middle], jnp))
        sizes = [inputs] + [contest.width] * contest.depth + [len(contest.unknowns)]
        self.shapes = list(zip(sizes[1:], sizes))
        parts = []
        for outputs, inputs in self.shapes:
            parts += [self.rng.normal(0, (2 / (inputs + outputs)) ** 0.5, outputs * inputs), numpy.zeros(outputs)]
        self.theta = jnp.asarray(numpy.concatenate(parts))
        self.draws = [condition.draw(self.rng) for condition in self.conditions]
        self.set_points()
        self.scores = jax.jit(lambda theta, data: sum(r * r for r in self.conditions[0].at(self.layers(theta), data)))

    def set_points(self):
        self.data = [condition.prepare(jnp.asarray(points)) for condition, points in zip(self.conditions, self.draws)]

    def layers(self, theta):
        layers, first = [], 0
        for outputs, inputs in self.shapes:
            middle, last = first + outputs * inputs, first + outputs * (inputs + 1)
            layers.append((theta[first:middle].reshape(outputs, inputs), theta[middle:last]))
            first = last
        return layers

    def loss(self, theta, data):
        layers = self.layers(theta)
        return sum(condition.loss(layers, own) for condition, own in zip(self.conditions, data))

    def redraw(self):
        """Draws points anew: half of those inside stay, the others come from candidates where the residual is large."""
        old = self.draws[0]
        self.draws = [condition.draw(self.rng) for condition in self.conditions]
        count = len(old) - len(old) // 2
        pool = numpy.concatenate([self.conditions[0].draw(self.rng) for _ in range(2)])
        norms = numpy.sqrt(numpy.asarray(self.scores(self.theta, self.conditions[0].prepare(jnp.asarray(pool)))))
        chances = norms / norms.mean() + 1
        chosen = self.rng.choice(len(pool), count, replace=False, p=chances / chances.sum())
        kept = self.rng.permutation(len(old))[: len(old) // 2]
        self.draws[0] = numpy.concatenate([old[kept], pool[chosen]])
        self.set_points()


def adam_steps(training, count):
    """A function of (θ, moments, step) and the points: `count` steps of Adam."""
    rate = training.contest.rate

    def step(state, _):
        theta, first, second, k, data = state
        gradient = jax.grad(training.loss)(theta, data)
        k = k + 1
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        move = first / (1 - 0.9**k) / (jnp.sqrt(second / (1 - 0.999**k)) + 1e-8)
        return (theta - rate * move, first, second, k, data), None

    def steps(state, data):
        return jax.lax.scan(step, (*state, data), None, count)[0][:4]

    return jax.jit(steps)


def search(value_and_gradient, theta, direction, gradient, value, first):
    """A step that satisfies the strong Wolfe conditions (Nocedal and Wright 2006, 3.5 and 3.6, cubic interpolation)."""
    slope = gradient @ direction

    def between(near, far):
        width = far[0] - near[0]
        d1 = near[2] + far[2] - 3 * (far[1] - near[1]) / width
        d2 = jnp.sqrt(d1 * d1 - near[2] * far[2])
        part = 1 - (far[2] + d2 - d1) / (far[2] - near[2] + 2 * d2)
        return near[0] + width * jnp.where(jnp.isfinite(part), jnp.clip(part, 0.1, 0.9), 0.1)

    def beyond(previous, near):
        root = near[0] - near[2] * (near[0] - previous[0]) / (near[2] - previous[2])
        return jnp.where(root > 0, jnp.clip(root, 2 * near[0], 10 * near[0]), 10 * near[0])

    def trial(state):
        step, near, far, bracketed, best, _, count = state
        v, g = value_and_gradient(theta + step * direction)
        here = jnp.array([step, v, g @ direction])
        finite = jnp.isfinite(v) & jnp.isfinite(here[2])
        low = v <= value + C1 * step * slope
        done = finite & low & (jnp.abs(here[2]) <= -C2 * slope)
        ends = ~finite | ~low | (here[2] >= 0) | (v > near[1])
        next_far = jnp.where(ends, here, far)
        next_near = jnp.where(ends, near, here)
        bracketed = bracketed | ends
        further = jnp.where(bracketed, between(next_near, next_far), beyond(near, next_near))
        better = finite & (v < best[1])
        best = jax.tree_util.tree_map(lambda new, old: jnp.where(better | done, new, old), (step, v, g), best)
        return further, next_near, next_far, bracketed, best, done, count + 1

    start = jnp.array([0.0, value, slope])
    state = (first, start, start, False, (0.0, value, gradient), False, 0)
    going = lambda state: ~state[5] & (state[6] < TRIALS)
    *_, best, _, _ = jax.lax.while_loop(going, trial, state)
    return best


def broyden_steps(training, count):
    """A function of (θ, loss, gradient, direction, H, length) and the points: `count` steps of self-scaled Broyden."""
    n = len(training.theta)

    def step(state, data):
        theta, value, gradient, direction, h, length = state
        both = lambda theta: jax.value_and_grad(training.loss)(theta, data)
        taken, new_value, new_gradient = search(both, theta, direction, gradient, value, length)
        s, y = taken * direction, new_gradient - gradient
        curvature = s @ y
        product = h @ new_gradient
        image = product + direction
        spread = y @ image
        b, hh = -taken * (s @ gradient) / curvature, spread / curvature
        a = jnp.maximum(hh * b - 1, 2.2e-16)
        c = jnp.sqrt(a / (1 + a))
        rho = jnp.minimum(1, hh * (1 - c))
        mix = jnp.maximum((rho - 1) / a, jnp.minimum(1 / rho, (1 - b) / b))
        sigma = 1 + a * mix
        bounded, root = jnp.minimum(1, 1 / b), jnp.abs(sigma) ** (-1 / (n - 1))
        tau = jnp.where(mix > 0, bounded * jnp.minimum(root, 1 / mix), jnp.minimum(bounded * root, sigma))
        phi = (1 - mix) / sigma
        of_steps = phi * spread / (tau * curvature**2) + 1 / curvature
        mixed, of_images = -phi / (tau * curvature), (phi - 1) / (tau * spread)
        fine = (curvature > 0) & (spread > 0) & jnp.isfinite(phi) & jnp.isfinite(tau) & (tau > 0)
        # One pass: H/τ plus two outer products.
        left = jnp.stack([of_steps * s + mixed * image, mixed * s + of_images * image])
        h = jnp.where(fine, h / tau + jnp.einsum("ki,kj->ij", left, jnp.stack([s, image])), h)
        updated = -product / tau - left.T @ jnp.stack([s @ new_gradient, image @ new_gradient])
        direction = jnp.where(fine, updated, -product)
        # The first trial of a search is where the last bottoms were.
        slopes = (new_gradient @ s) / (gradient @ s)
        bottom = jnp.where(slopes < 1, taken / (1 - slopes), 1.0)
        length = jnp.where(taken > 0, jnp.sqrt(length * jnp.clip(bottom, 0.1, 1.0)), length)
        return (theta + s, new_value, new_gradient, direction, h, length), None

    def steps(state, data):
        return jax.lax.scan(lambda state, _: step(state, data), state, None, count)[0]

    return jax.jit(steps, donate_argnums=0)


def main(name, seed, reference):
    contest = CONTESTS[name]()
    training = Training(contest, seed)
    table = numpy.genfromtxt(reference, delimiter=",", names=True)
    coordinates = table.dtype.names[: len(contest.domain)]
    points = jnp.asarray(numpy.stack([table[c] for c in coordinates], 1))
    exact = numpy.stack([table[f"{u}_reference"] for u in contest.unknowns], 1)
    values = Condition(contest, INTERIOR, 0, 1, [""], lambda u, c, m: [own[""] for own in u])
    shown = values.prepare(points)
    ask = jax.jit(lambda theta: jnp.stack(values.at(training.layers(theta), shown), 1))
    both = jax.jit(lambda theta, data: jax.value_and_grad(training.loss)(theta, data))
    seconds = 0.0

    def measure(step):
        found = numpy.asarray(ask(training.theta))
        error = max(
            numpy.linalg.norm(found[:, k] - exact[:, k]) / numpy.linalg.norm(exact[:, k])
            for k in range(exact.shape[1])
        )
        print(json.dumps({"step": step, "seconds": seconds, "error": float(error)}), flush=True)
        return error

    zeros = jnp.zeros_like(training.theta)
    state = (training.theta, zeros, zeros, 0.0)
    adam = adam_steps(training, EVERY).lower(state, training.data).compile() if contest.adam else None
    both(training.theta, training.data)
    training.scores(training.theta, training.data[0])
    n = len(training.theta)
    broyden = broyden_steps(training, EVERY)
    trial = (training.theta + 0, *both(training.theta, training.data), zeros + 0, jnp.eye(n), jnp.asarray(1.0))
    broyden = broyden.lower(trial, training.data).compile()
    measure(0)
    step = 0
    while step < contest.adam:
        start = time.perf_counter()
        state = jax.block_until_ready(adam(state, training.data))
        training.theta = state[0]
        seconds += time.perf_counter() - start
        step += EVERY
        measure(step)
    state = None
    while step < contest.adam + contest.broyden:
        start = time.perf_counter()
        redrawn = contest.resample and step % contest.resample == 0 and step > 0
        if redrawn:
            training.redraw()
        if state is None:
            value, gradient = both(training.theta, training.data)
            # A gradient's length is no step; the first one is short.
            factor = jnp.minimum(1, 1 / jnp.linalg.norm(gradient))
            state = (training.theta, value, gradient, -factor * gradient, factor * jnp.eye(n), jnp.asarray(1.0))
        elif redrawn:
            value, gradient = both(state[0], training.data)
            state = (state[0], value, gradient, -(state[4] @ gradient), *state[4:])
        before = float(state[1])
        state = jax.block_until_ready(broyden(state, training.data))
        training.theta = state[0] + 0
        seconds += time.perf_counter() - start
        step += EVERY
        error = measure(step)
        if not numpy.isfinite(error) or float(state[1]) == before:
            break


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
