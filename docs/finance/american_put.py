#!/usr/bin/env python3
"""Writes american-put.csv: the price of an American put at points of asset price S and time to expiry tau.

    python3 american_put.py > american-put.csv      (needs NumPy)

The boundary B of exercise solves Kim's integral equation (1990), in the form of a fixed point that Andersen, Lake and
Offengenden (2016, SSRN 2547027) iterate: ln(B/K)^2 is a polynomial in sqrt(tau) through Chebyshev's points, and integrals
are Gauss and Legendre's in a variable in which they are smooth.
The price is the European one and the integral of what exercise brings in.
`python3 american_put.py --check` says what other resolutions, a binomial tree, and the conditions at the boundary say of it.
"""
import sys
from math import erf, exp, log, pi, sqrt

import numpy as np

K, R, SIGMA, END = 100.0, 0.05, 0.2, 1.0
Phi = np.vectorize(lambda z: 0.5 * (1 + erf(z / sqrt(2))))


def phi(z):
    return np.exp(-z * z / 2) / sqrt(2 * pi)


def d(z, tau, sign):
    return (np.log(z) + (R + sign * SIGMA**2 / 2) * tau) / (SIGMA * np.sqrt(tau))


class Put:
    def __init__(self, nodes=64, quadrature=401, rounds=60):
        """`nodes` of Chebyshev, `quadrature` nodes of each integral."""
        self.n = nodes
        # x = sqrt(tau/END), at (1 + cos)/2; B(0) = K.
        self.x = (1 + np.cos(pi * np.arange(nodes + 1) / nodes)) / 2
        y, w = np.polynomial.legendre.leggauss(quadrature)
        # u = tau - v, v = tau*((1 + y)/2)^2: the integrands have roots of v.
        self.v, self.w = ((1 + y) / 2) ** 2, w * (1 + y) / 2
        self.h = np.zeros(nodes + 1)  # (ln B/K)^2
        self.h[:-1] = (0.3 * self.x[:-1]) ** 2
        for _ in range(rounds):
            new = [log(self.step(x * x * END) / K) ** 2 for x in self.x[:-1]] + [0.0]
            self.change = max(abs(np.array(new) - self.h))
            self.h = np.array(new)

    def boundary(self, tau):
        """By the barycentric formula."""
        x = np.sqrt(np.maximum(np.atleast_1d(tau), 0) / END)
        weights = (-1.0) ** np.arange(self.n + 1)
        weights[0] /= 2
        weights[-1] /= 2
        gap = x[:, None] - self.x[None]
        at = np.abs(gap) < 1e-15
        gap[at] = 1
        q = weights / gap
        value = (q @ self.h) / q.sum(axis=1)
        value[at.any(axis=1)] = self.h[at.argmax(axis=1)[at.any(axis=1)]]
        return K * np.exp(-np.sqrt(np.maximum(value, 0)))

    def step(self, tau):
        B = self.boundary(tau)[0]
        v = tau * self.v
        z = B / self.boundary(tau - v)
        root = SIGMA * np.sqrt(v)
        # Of the integrals over u = tau - v.
        first = R * tau * np.sum(self.w * np.exp(-R * v) * phi(d(z, v, -1)) / root)
        spread = SIGMA * sqrt(tau)
        above = exp(-R * tau) * phi(d(B / K, tau, -1)) / spread
        below = Phi(d(B / K, tau, 1)) + phi(d(B / K, tau, 1)) / spread
        return K * (above + first) / below

    def price(self, S, tau):
        if tau <= 0:
            return max(K - S, 0.0)
        if S <= self.boundary(tau)[0]:
            return K - S
        european = K * exp(-R * tau) * Phi(-d(S / K, tau, -1)) - S * Phi(-d(S / K, tau, 1))
        v = tau * self.v
        z = S / self.boundary(tau - v)
        return float(european + R * K * tau * np.sum(self.w * np.exp(-R * v) * Phi(-d(z, v, -1))))


def binomial(S, steps):
    up = exp(SIGMA * sqrt(END / steps))
    discount = exp(-R * END / steps)
    p = (exp(R * END / steps) - 1 / up) / (up - 1 / up)
    prices = S * up ** (2.0 * np.arange(steps + 1) - steps)
    value = np.maximum(K - prices, 0)
    for _ in range(steps):
        prices = prices[1:] / up
        value = np.maximum(K - prices, discount * (p * value[1:] + (1 - p) * value[:-1]))
    return value[0]


def points():
    return [(S, tau) for tau in np.linspace(0, END, 41) for S in np.linspace(0, 2 * K, 101)]


def main():
    put = Put()
    if "--check" in sys.argv:
        print("last change of the iteration", put.change, "B(1) =", put.boundary(1.0)[0])
        for sizes in ((32, 201), (128, 801)):
            other = Put(*sizes)
            worst = max(abs(put.price(S, tau) - other.price(S, tau)) for S, tau in points())
            print("with", *sizes, "nodes instead, a price differs by at most", worst, "B(1) =", other.boundary(1.0)[0])
        for steps in (1000, 4000, 16000):
            print("binomial,", steps, "steps, at S = K:", binomial(K, steps), "here:", put.price(K, 1.0))
        return
    print("S,tau,V")
    for S, tau in points():
        print(f"{S:.17g},{tau:.17g},{put.price(S, tau):.17g}")


main()
