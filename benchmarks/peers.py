"""One peer of the benchmark: `python peers.py PEER THREADS`, told what to do in lines of JSON on its standard input.

{"problem", "depth", "width", "dtype", "file"} sets a case up from the weights and points in the safetensors file, and
answers with the seconds that compiling took and with the losses before each of a few Adam steps.
{"steps": n} answers with the milliseconds of n further steps.
Every peer runs the network, the points, the precision and the optimizer of pinn-solve, in the best form that its users
can write: nested derivatives share all they can, jets take one matrix product a layer, conditions on values are one batch.
"""

import json
import os
import sys
import time

import numpy
from safetensors.numpy import load_file

from problems import PROBLEMS, chain_rule, closure, tanh_slopes

LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
FIRST_STEPS = 4


class Case:
    """Weights, and conditions joined to one batch for each set of derivatives."""

    def __init__(self, order):
        problem = PROBLEMS[order["problem"]]
        tensors = load_file(order["file"])
        self.problem, self.tensors = problem, tensors
        self.dtype = {"f32": "float32", "f64": "float64"}[order["dtype"]]
        self.domain = problem["domain"]
        sizes = [len(self.domain)] + [order["width"]] * order["depth"] + [1]
        theta, self.layers = tensors["theta"], []
        for inputs, outputs in zip(sizes, sizes[1:]):
            weights, theta = theta[: inputs * outputs], theta[inputs * outputs :]
            biases, theta = theta[:outputs], theta[outputs:]
            self.layers.append((weights.reshape(outputs, inputs), biases))
        self.batches = {}
        for name, (derivatives, residuals) in problem["conditions"].items():
            condition = (tensors[name], residuals, float(tensors[f"weight {name}"][0]))
            self.batches.setdefault(tuple(derivatives), []).append(condition)

    def features(self, columns):
        """Coordinates mapped to [-1, 1]."""
        return [(2 * x - (lower + upper)) / (upper - lower) for x, (lower, upper) in zip(columns, self.domain)]

    def jets(self, channels, points):
        """Channels of the features: channels x points x inputs."""
        features = numpy.zeros((len(channels), len(points), len(self.domain)))
        features[0] = numpy.stack(self.features(points.T), 1)
        for channel, derivative in enumerate(channels):
            if len(derivative) == 1:
                lower, upper = self.domain[int(derivative)]
                features[channel, :, int(derivative)] = 2 / (upper - lower)
        return features

    def loss(self, derivatives_at, m):
        """The loss where `derivatives_at(batch)` gives the derivatives and coordinates of a batch."""
        total = 0.0
        for batch, conditions in enumerate(self.batches.values()):
            u, coordinates = derivatives_at(batch)
            first = 0
            for points, residuals, weight in conditions:
                here = slice(first, first + len(points))
                first += len(points)
                u_here = {key: value[here] for key, value in u.items()}
                for residual in residuals(u_here, [x[here] for x in coordinates], m):
                    total = total + weight * (residual * residual).mean()
        return total

    def points(self, batch):
        return numpy.concatenate([points for points, _, _ in list(self.batches.values())[batch]])

    def wanted(self, batch):
        return list(self.batches)[batch]


def jets_of_layer(z, y, channels, stack):
    """All channels of tanh(z) from those of z, where y = tanh(z[0])."""
    slopes = tanh_slopes(y, max(map(len, channels)))
    place = {derivative: i for i, derivative in enumerate(channels)}
    out = [y]
    for derivative in channels[1:]:
        total = 0.0
        for factors, coefficient in chain_rule(derivative).items():
            term = slopes[len(factors) - 1] if coefficient == 1 else coefficient * slopes[len(factors) - 1]
            for factor in factors:
                term = term * z[place[factor]]
            total = total + term
        out.append(total)
    return stack(out)


def torch_step(case, form, threads):
    """(step, seconds of compiling) in PyTorch; `form` is nested, jets or compiled."""
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    dtype = getattr(torch, case.dtype)
    # The processor, but for gpu.py.
    device = os.environ.get("PEERS_DEVICE", "cpu")
    tensor = lambda x, **more: torch.tensor(x, dtype=dtype, device=device, **more)
    parameters = [[tensor(x, requires_grad=True) for x in layer] for layer in case.layers]
    optimizer = torch.optim.Adam(
        [x for layer in parameters for x in layer],
        lr=LEARNING_RATE,
        betas=(BETA1, BETA2),
        eps=EPSILON,
        fused=True,
    )
    columns = [
        [tensor(x, requires_grad=form == "nested") for x in case.points(batch).T]
        for batch in range(len(case.batches))
    ]

    def nested(batch):
        inputs = columns[batch]
        h = torch.stack(case.features(inputs), 1)
        for weights, biases in parameters[:-1]:
            h = torch.tanh(torch.nn.functional.linear(h, weights, biases))
        weights, biases = parameters[-1]
        u = {"": torch.nn.functional.linear(h, weights, biases)[:, 0]}
        channels = closure(case.wanted(batch))
        for derivative in channels:
            further = [d for d in channels if len(d) > len(derivative) and d[:-1] == derivative]
            if further:
                along = [inputs[int(d[-1])] for d in further]
                grads = torch.autograd.grad(
                    u[derivative], along, torch.ones_like(u[derivative]), create_graph=True
                )
                u.update(zip(further, grads))
        return u, inputs

    channels = [closure(case.wanted(batch)) for batch in range(len(case.batches))]
    features = [
        tensor(case.jets(channels[batch], case.points(batch)))
        for batch in range(len(case.batches))
    ]

    def jets(batch):
        h = features[batch]
        for weights, biases in parameters[:-1]:
            z = torch.nn.functional.linear(h, weights)
            y = torch.tanh(z[0] + biases)
            h = jets_of_layer(z, y, channels[batch], torch.stack) if len(h) > 1 else y[None]
        weights, biases = parameters[-1]
        out = torch.nn.functional.linear(h, weights)[..., 0]
        u = {d: out[i] for i, d in enumerate(channels[batch])}
        u[""] = u[""] + biases
        return u, columns[batch]

    loss_of = lambda: case.loss(nested if form == "nested" else jets, torch)
    if form == "compiled":
        torch._dynamo.reset()
        loss_of = torch.compile(loss_of, fullgraph=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of()
        loss.backward()
        optimizer.step()
        return loss.item()

    start = time.perf_counter()
    if form == "compiled":
        loss_of().backward()
    return step, time.perf_counter() - start


def jax_step(case, form, threads):
    """(step, seconds of compiling) in JAX under jit; `form` is nested or jets."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", case.dtype == "float64")
    number = getattr(jnp, case.dtype)
    parameters = [tuple(jnp.asarray(x, number) for x in layer) for layer in case.layers]
    points = [jnp.asarray(case.points(batch), number) for batch in range(len(case.batches))]
    channels = [closure(case.wanted(batch)) for batch in range(len(case.batches))]
    features = [
        jnp.asarray(case.jets(channels[batch], case.points(batch)), number) for batch in range(len(case.batches))
    ]

    def nested(parameters, points, batch):
        def value(*coordinates):
            h = jnp.stack(case.features(coordinates))
            for weights, biases in parameters[:-1]:
                h = jnp.tanh(weights @ h + biases)
            weights, biases = parameters[-1]
            return (weights @ h + biases)[0]

        functions = {"": value}
        for derivative in channels[batch][1:]:
            functions[derivative] = jax.grad(functions[derivative[:-1]], int(derivative[-1]))
        coordinates = list(points[batch].T)
        return {d: jax.vmap(functions[d])(*coordinates) for d in case.wanted(batch)}, coordinates

    def jets(parameters, points, batch):
        h = features[batch]
        for weights, biases in parameters[:-1]:
            z = h @ weights.T
            y = jnp.tanh(z[0] + biases)
            h = jets_of_layer(z, y, channels[batch], jnp.stack) if len(h) > 1 else y[None]
        weights, biases = parameters[-1]
        out = (h @ weights.T)[..., 0]
        u = {d: out[i] for i, d in enumerate(channels[batch])}
        u[""] = u[""] + biases
        return u, list(points[batch].T)

    derivatives_at = nested if form == "nested" else jets

    def update(state, points):
        parameters, first, second, count = state
        loss_of = lambda p: case.loss(lambda batch: derivatives_at(p, points, batch), jnp)
        loss, gradient = jax.value_and_grad(loss_of)(parameters)
        count = count + 1
        tree = jax.tree_util.tree_map
        first = tree(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradient)
        second = tree(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradient)
        rate = LEARNING_RATE / (1 - BETA1**count)
        root = jnp.sqrt(1 - BETA2**count)
        move = lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + EPSILON)
        return (tree(move, parameters, first, second), first, second, count), loss

    zeros = lambda: jax.tree_util.tree_map(jnp.zeros_like, parameters)
    state = [(parameters, zeros(), zeros(), jnp.zeros((), number))]
    start = time.perf_counter()
    compiled = jax.jit(update, donate_argnums=0).lower(state[0], points).compile()
    seconds = time.perf_counter() - start

    def step():
        state[0], loss = compiled(state[0], points)
        # The loss is ready long before the parameters are.
        jax.block_until_ready(state[0])
        return float(loss)

    return step, seconds


def deepxde_derivative(which, x, y, k=0):
    """A derivative of output k by DeepXDE."""
    import deepxde as dde

    if not which:
        return y[:, k : k + 1]
    if len(which) == 1:
        return dde.grad.jacobian(y, x, i=k, j=int(which))
    i, j = int(which[-2]), int(which[-1])
    if len(which) == 2:
        return dde.grad.hessian(y, x, component=k, i=i, j=j)
    return dde.grad.hessian(deepxde_derivative(which[:-2], x, y, k), x, i=i, j=j)


def deepxde_step(case, form, threads):
    """(step, 0) in DeepXDE on PyTorch: its own network, data and training step."""
    import deepxde as dde
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    dde.config.set_default_float(case.dtype)
    lower, upper = zip(*case.domain)
    geometry = dde.geometry.Hypercube(list(lower), list(upper))

    def operator(derivatives, residuals):
        def compute(x, y):
            u = {d: deepxde_derivative(d, x, y) for d in derivatives}
            return residuals(u, [x[:, i : i + 1] for i in range(x.shape[1])], torch)

        return compute

    conditions, weights = [], []
    for name, (derivatives, residuals) in case.problem["conditions"].items():
        points = case.tensors[name].astype(case.dtype)
        weight = float(case.tensors[f"weight {name}"][0])
        if name == "physics":
            physics, interior = operator(derivatives, residuals), points
            weights.insert(0, weight)
            continue
        columns = [torch.tensor(x[:, None]) for x in points.T]
        if derivatives == [""]:
            # What the residual subtracts from u is the value that DeepXDE compares with.
            zero = {"": torch.zeros(len(points), 1)}
            values = -residuals(zero, columns, torch)[0].numpy()
            conditions.append(dde.icbc.PointSetBC(points, values))
            weights.append(weight)
        else:
            count = len(residuals({d: columns[0] for d in derivatives}, columns, torch))
            for which in range(count):
                one = operator(derivatives, lambda u, c, m, w=which, r=residuals: [r(u, c, m)[w]])
                zeros = numpy.zeros((len(points), 1))
                conditions.append(dde.icbc.PointSetOperatorBC(points, zeros, lambda x, y, _, f=one: f(x, y)[0]))
                weights.append(weight)
    data = dde.data.PDE(geometry, physics, conditions, num_domain=0, num_boundary=0, anchors=interior)
    sizes = [len(case.domain)] + [len(b) for _, b in case.layers]
    net = dde.nn.FNN(sizes, "tanh", "Glorot normal")
    net.apply_feature_transform(lambda x: torch.stack(case.features(list(x.T)), 1))
    with torch.no_grad():
        for linear, (w, b) in zip(net.linears, case.layers):
            linear.weight.copy_(torch.tensor(w))
            linear.bias.copy_(torch.tensor(b))
    model = dde.Model(data, net)
    model.compile("adam", lr=LEARNING_RATE, loss_weights=weights, verbose=0)
    model.train_state.set_data_train(*data.train_next_batch())
    state = model.train_state

    def step():
        model.train_step(state.X_train, state.y_train, state.train_aux_vars)

    # DeepXDE's step does not return the loss.
    step.loss = lambda: float(
        model.outputs_losses_train(state.X_train, state.y_train, state.train_aux_vars)[1].sum()
    )
    return step, 0.0


PEERS = {
    "pytorch-nested": (torch_step, "nested"),
    "pytorch-jets": (torch_step, "jets"),
    "pytorch-compile-jets": (torch_step, "compiled"),
    "jax-nested": (jax_step, "nested"),
    "jax-jets": (jax_step, "jets"),
    "deepxde": (deepxde_step, None),
}


def main():
    peer, threads = sys.argv[1], int(sys.argv[2])
    make, form = PEERS[peer]
    os.environ.setdefault("DDE_BACKEND", "pytorch")
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    # Libraries that print must not print into the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    step = None
    for line in sys.stdin:
        order = json.loads(line)
        if "steps" in order:
            times = []
            for _ in range(order["steps"]):
                start = time.perf_counter()
                step()
                times.append(1e3 * (time.perf_counter() - start))
            answer = {"ms": times}
        else:
            step = None
            try:
                step, seconds = make(Case(order), form, threads)
                losses = []
                for _ in range(FIRST_STEPS):
                    before = step.loss() if hasattr(step, "loss") else None
                    after = step()
                    losses.append(after if before is None else before)
                answer = {"compile_s": seconds, "losses": losses}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
