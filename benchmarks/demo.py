"""DeepXDE on one of the problems of contests.py: `python demo.py PROBLEM PRECISION SEED THREADS REFERENCE`.

Network, points and steps are those of the demonstration in its documentation, or, where it has none, of one like it: Adam at
1e-3, then L-BFGS until it stops; conditions as losses, or held by an output transform where the demonstration does that.
Prints a line of JSON with step, seconds and relative L2 error now and then; measuring is not in the seconds.
REFERENCE is a solution.csv of pinn-solve, whose points and reference values the error is measured with.
"""

import json
import os
import sys
import time

import numpy

from contests import CONTESTS, INTERIOR
from peers import deepxde_derivative

EVERY = 100


def main(name, precision, seed, threads, reference):
    os.environ["DDE_BACKEND"] = "pytorch"
    import deepxde as dde
    import torch
    from deepxde.optimizers.config import LBFGS_options

    torch.set_num_threads(threads)
    dde.config.set_random_seed(seed)
    dde.config.set_default_float(precision)
    # How many iterations lie between two calls of the watch below; the iterations are the same ones.
    LBFGS_options["iter_per_step"] = LBFGS_options["fun_per_step"] = EVERY

    contest = CONTESTS[name]()
    demo, unknowns = contest.demo, contest.unknowns
    table = numpy.genfromtxt(reference, delimiter=",", names=True)
    coordinates = table.dtype.names[: len(contest.domain)]
    points = numpy.stack([table[c] for c in coordinates], 1).astype(precision)
    exact = numpy.stack([table[f"{u}_reference"] for u in unknowns], 1)

    class Watch(dde.callbacks.Callback):
        """Measures the error, and leaves the time that this takes out."""

        def __init__(self):
            super().__init__()
            self.begun, self.measuring, self.next = time.perf_counter(), 0.0, 0

        def on_epoch_end(self):
            step = self.model.train_state.step
            if step < self.next:
                return
            self.next = step + EVERY
            start = time.perf_counter()
            off = self.model.predict(points) - exact
            error = max(numpy.linalg.norm(off, axis=0) / numpy.linalg.norm(exact, axis=0))
            line = {"step": int(step), "seconds": start - self.begun - self.measuring, "error": float(error)}
            print(json.dumps(line), flush=True)
            self.measuring += time.perf_counter() - start

    def operator(wanted, residuals):
        def compute(x, y):
            u = [{d: deepxde_derivative(d, x, y, k) for d in wanted} for k in range(len(unknowns))]
            return residuals(u, [x[:, i : i + 1] for i in range(x.shape[1])], torch)

        return compute

    rng = numpy.random.default_rng(seed)
    lower, upper = numpy.array(contest.domain, float).T
    draw = lambda count: lower + (upper - lower) * rng.random((count, len(lower)))
    physics = next(operator(wanted, residuals) for place, _, _, wanted, residuals in contest.all() if place == INTERIOR)
    conditions = []
    others = [condition for condition in contest.all() if condition[0] != INTERIOR]
    for place, _, _, wanted, residuals in [] if demo.transform else others:
        rows = draw(demo.boundary // len(others))
        if place[0] == "periodic":
            # Values at one face less those at the other: the library has a condition of its own for that.
            box = dde.geometry.Hypercube(list(lower), list(upper))
            on = lambda x, on_boundary, i=place[1]: numpy.isclose(x[i], lower[i]) or numpy.isclose(x[i], upper[i])
            for k in range(len(unknowns)):
                for order in (0, 1):
                    conditions.append(dde.icbc.PeriodicBC(box, place[1], on, derivative_order=order, component=k))
            continue
        rows[:, place[0]] = place[1]
        rows = rows.astype(precision)
        columns = [torch.tensor(x[:, None]) for x in rows.T]
        nothing = [{d: torch.zeros(len(rows), 1) for d in wanted} for _ in unknowns]
        for which in range(len(residuals(nothing, columns, torch))):
            one = lambda x, y, _, f=operator(wanted, residuals), w=which: f(x, y)[w]
            conditions.append(dde.icbc.PointSetOperatorBC(rows, numpy.zeros((len(rows), 1)), one))
    geometry = dde.geometry.Hypercube(list(lower), list(upper))
    boundary = demo.boundary if any(isinstance(c, dde.icbc.PeriodicBC) for c in conditions) else 0
    data = dde.data.PDE(geometry, physics, conditions, num_domain=demo.interior, num_boundary=boundary)
    sizes = [len(contest.domain), *demo.hidden, len(unknowns)]
    net = dde.nn.FNN(sizes, demo.activation, demo.initializer)
    if demo.transform:
        net.apply_output_transform(lambda x, y: demo.transform([x[:, i : i + 1] for i in range(x.shape[1])], y, torch))
    model = dde.Model(data, net)
    watch = Watch()
    model.compile("adam", lr=1e-3, verbose=0)
    model.train(iterations=demo.adam, display_every=10**9, callbacks=[watch], verbose=0)
    if demo.lbfgs:
        model.compile("L-BFGS", verbose=0)
        model.train(display_every=10**9, callbacks=[watch], verbose=0)
    watch.next = 0
    watch.on_epoch_end()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
