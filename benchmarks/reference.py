"""The nonlinear Schrödinger equation i h_t + h_xx/2 + |h|² h = 0 from 2 sech x, periodic on [-5, 5], to t = π/2."""

from math import pi

import numpy


def schrodinger(points=1024, steps=4000, times=51):
    """Positions, times and h there (times x positions): Fourier modes in x, a splitting of fourth order in t (Yoshida 1990)."""
    x = -5 + 10 * numpy.arange(points) / points
    h = 2 / numpy.cosh(x) + 0j
    modes = 2 * pi / 10 * numpy.fft.fftfreq(points, 1 / points)
    step = pi / 2 / steps
    cube = 2 ** (1 / 3)
    parts = [step / (2 - cube), -cube * step / (2 - cube), step / (2 - cube)]
    linear = {part: numpy.exp(-0.5j * modes**2 * part) for part in parts}
    shown = [h]
    for k in range(steps):
        for part in parts:
            h = h * numpy.exp(0.5j * part * abs(h) ** 2)
            h = numpy.fft.ifft(linear[part] * numpy.fft.fft(h))
            h = h * numpy.exp(0.5j * part * abs(h) ** 2)
        if (k + 1) % (steps // (times - 1)) == 0:
            shown.append(h)
    return x, numpy.linspace(0, pi / 2, times), numpy.array(shown)
