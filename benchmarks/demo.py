"""DeepXDE's own demonstration of Burgers' equation: `python demo.py PRECISION SEED THREADS REFERENCE`.

The recipe of its documentation: 3 x 20 tanh, Glorot normal, 2,540 + 80 + 160 points, 15,000 Adam steps at 1e-3, then
L-BFGS until it stops.
Prints a line of JSON with step, seconds and relative L2 error now and then; measuring is not in the seconds.
REFERENCE is a solution.csv of pinn-solve, whose points and reference values the error is measured with.
"""

import json
import os
import sys
import time

import numpy

EVERY = 100


def main(precision, seed, threads, reference):
    os.environ["DDE_BACKEND"] = "pytorch"
    import deepxde as dde
    import torch
    from deepxde.optimizers.config import LBFGS_options

    torch.set_num_threads(threads)
    dde.config.set_random_seed(seed)
    dde.config.set_default_float(precision)
    # How many iterations lie between two calls of the watch below; the iterations are the same ones.
    LBFGS_options["iter_per_step"] = LBFGS_options["fun_per_step"] = EVERY

    table = numpy.genfromtxt(reference, delimiter=",", names=True)
    points = numpy.stack([table["x"], table["t"]], 1).astype(precision)
    exact = table["u_reference"]

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
            found = self.model.predict(points)[:, 0]
            error = numpy.linalg.norm(found - exact) / numpy.linalg.norm(exact)
            line = {"step": int(step), "seconds": start - self.begun - self.measuring, "error": float(error)}
            print(json.dumps(line), flush=True)
            self.measuring += time.perf_counter() - start

    def residual(x, u):
        slope = dde.grad.jacobian(u, x, i=0, j=0)
        change = dde.grad.jacobian(u, x, i=0, j=1)
        return change + u * slope - 0.01 / numpy.pi * dde.grad.hessian(u, x, i=0, j=0)

    domain = dde.geometry.GeometryXTime(dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(0, 0.99))
    boundary = dde.icbc.DirichletBC(domain, lambda x: 0, lambda _, on_boundary: on_boundary)
    initial = dde.icbc.IC(domain, lambda x: -numpy.sin(numpy.pi * x[:, 0:1]), lambda _, on_initial: on_initial)
    data = dde.data.TimePDE(
        domain, residual, [boundary, initial], num_domain=2540, num_boundary=80, num_initial=160
    )
    model = dde.Model(data, dde.nn.FNN([2] + [20] * 3 + [1], "tanh", "Glorot normal"))
    watch = Watch()
    model.compile("adam", lr=1e-3, verbose=0)
    model.train(iterations=15000, display_every=10**9, callbacks=[watch], verbose=0)
    model.compile("L-BFGS", verbose=0)
    model.train(display_every=10**9, callbacks=[watch], verbose=0)
    watch.next = 0
    watch.on_epoch_end()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
