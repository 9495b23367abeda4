"""Reference solutions by spectral methods, for benchmarks whose answers have no closed form."""

from math import pi

import numpy


def schrodinger(points=1024, steps=4000, times=51):
    """The nonlinear Schrödinger equation i h_t + h_xx/2 + |h|² h = 0 from 2 sech x, periodic on [-5, 5], to t = π/2.

    Positions, times and h there (times x positions): Fourier modes in x, a splitting of fourth order in t (Yoshida 1990).
    """
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


def exponential_runge_kutta(v, linear, rate, step, steps, times):
    """v and what it becomes by v' = linear·v + rate(v), at `times` times that are equally far apart (times x modes).

    Cox and Matthews's method of fourth order (2002), its coefficients by contour integrals (Kassam and Trefethen 2005).
    """
    linear = step * linear
    ring = linear[:, None] + numpy.exp(2j * pi * (numpy.arange(64) + 0.5) / 64)
    mean = lambda f: step * f(ring).mean(axis=1).real
    half, whole = numpy.exp(linear / 2), numpy.exp(linear)
    q = mean(lambda z: (numpy.exp(z / 2) - 1) / z)
    a = mean(lambda z: (-4 - z + numpy.exp(z) * (4 - 3 * z + z**2)) / z**3)
    b = mean(lambda z: (2 + z + numpy.exp(z) * (z - 2)) / z**3)
    c = mean(lambda z: (-4 - 3 * z - z**2 + numpy.exp(z) * (4 - z)) / z**3)
    shown = [v]
    for k in range(steps):
        n0 = rate(v)
        first = half * v + q * n0
        n1 = rate(first)
        second = half * v + q * n1
        n2 = rate(second)
        n3 = rate(half * first + q * (2 * n2 - n0))
        v = whole * v + a * n0 + 2 * b * (n1 + n2) + c * n3
        if (k + 1) % (steps // (times - 1)) == 0:
            shown.append(v)
    return shown


def kuramoto_sivashinsky(points=512, steps=50_000, times=51, end=0.5):
    """u_t + α u u_x + β u_xx + γ u_xxxx = 0 from cos x (1 + sin x), periodic on [0, 2π], α = 100/16, β = 100/16², γ = 100/16⁴.

    Positions, times and u there (times x positions): Fourier modes in x, products without aliasing.
    """
    alpha, beta, gamma = 100 / 16, 100 / 16**2, 100 / 16**4
    x = 2 * pi * numpy.arange(points) / points
    modes = numpy.fft.rfftfreq(points, 1 / points)
    kept = modes <= points / 3

    def rate(v):
        return -0.5j * alpha * modes * kept * numpy.fft.rfft(numpy.fft.irfft(v * kept, points) ** 2)

    v = numpy.fft.rfft(numpy.cos(x) * (1 + numpy.sin(x)))
    shown = exponential_runge_kutta(v, beta * modes**2 - gamma * modes**4, rate, end / steps, steps, times)
    return x, numpy.linspace(0, end, times), numpy.array([numpy.fft.irfft(v, points) for v in shown])


def allen_cahn(points=16_000, steps=2_000, times=101, d=1e-4, r=5.0):
    """u_t = d u_xx + r (u - u³) from x² cos πx, periodic on [-1, 1], to t = 1.

    Positions, times and u there (times x positions): Fourier modes in x, at first those of x² cos πx itself, not of its
    values at the points, as their sum falls only as 1/n² where the ends meet in a kink.
    """
    x = -1 + 2 * numpy.arange(points) / points
    modes = numpy.arange(points // 2 + 1)

    def of_square(n):
        """∫ x² cos nπx over [-1, 1]."""
        n = abs(n)
        return numpy.where(n == 0, 2 / 3, 4 * (-1.0) ** n / (numpy.maximum(n, 1) * pi) ** 2)

    def rate(v):
        u = numpy.fft.irfft(v, points)
        return numpy.fft.rfft(r * (u - u**3))

    v = points / 4 * (-1.0) ** modes * (of_square(modes + 1) + of_square(modes - 1)) + 0j
    v[-1] = 0
    shown = exponential_runge_kutta(v, -d * (pi * modes) ** 2, rate, 1 / steps, steps, times)
    u = numpy.array([numpy.fft.irfft(v, points) for v in shown])
    u[0] = x**2 * numpy.cos(pi * x)
    return x, numpy.linspace(0, 1, times), u


def chebyshev(n):
    """Points from 1 to 0, the matrix of derivatives there, barycentric weights."""
    k = numpy.arange(n + 1)
    x = numpy.cos(pi * k / n)
    weights = (-1.0) ** k
    weights[[0, -1]] /= 2
    apart = x[:, None] - x + numpy.eye(n + 1)
    d = weights / weights[:, None] / apart
    d -= numpy.diag(d.sum(axis=1))
    return (1 + x) / 2, 2 * d, weights


def interpolation(x, weights, to):
    """The matrix that takes values at Chebyshev points to other points, none of them a Chebyshev point."""
    parts = weights / (to[:, None] - x)
    return parts / parts.sum(axis=1, keepdims=True)


def corner(x, y):
    """u, v, ω_x, ω_y of Stokes' flow where a lid of speed 1, along y = 1, meets a wall that rests, x = 0.

    ψ = r f(θ) with ψ_y = u, -ψ_x = v; r and θ about the corner, θ = 0 on the lid.
    """
    down = 1 - y
    r, angle = numpy.hypot(x, down), numpy.arctan2(down, x)
    c = 1 / (pi**2 / 4 - 1)
    b, d = -c * pi**2 / 4, c * pi / 2
    cos, sin = numpy.cos(angle), numpy.sin(angle)
    f = b * sin + c * angle * cos + d * angle * sin
    slope = (b + c + d * angle) * cos + (d - c * angle) * sin
    along_x, along_down = f * cos - slope * sin, f * sin + slope * cos
    # Δψ = (f + f″)/r = (2d cos - 2c sin)/r.
    bent, bent_slope = 2 * (d * cos - c * sin), -2 * (d * sin + c * cos)
    omega_x = -(bent * cos + bent_slope * sin) / r**2
    omega_down = -(bent * sin - bent_slope * cos) / r**2
    return -along_down, -along_x, omega_x, -omega_down, r * f


def cavity(n=64, reynolds=100.0, to=numpy.arange(1, 40) / 40):
    """u and v of the flow in a square under a lid of speed 1, at points x by y (rows are x).

    The stream function ψ solves ψ_y Δψ_x - ψ_x Δψ_y = Δ²ψ/Re; both corners' singular parts, of Stokes' flow, are split off,
    as Botella and Peyret (1998) do, and the rest is a polynomial of degree n each way, found by collocation and Newton's method.
    """
    x, d, weights = chebyshev(n)
    one = numpy.eye(n + 1)
    dx, dy = numpy.kron(d, one), numpy.kron(one, d)
    second = d @ d
    laplace = numpy.kron(second, one) + numpy.kron(one, second)
    px, py = (grid.ravel() for grid in numpy.meshgrid(x, x, indexing="ij"))

    def singular(px, py):
        left, right = corner(px, py), corner(1 - px, py)
        # Mirrored, ψ keeps its sign: derivatives along x change theirs.
        return [left[0] + right[0], left[1] - right[1], left[2] - right[2], left[3] + right[3], left[4] + right[4]]

    with numpy.errstate(all="ignore"):
        su, sv, sx, sy, stream = singular(px, py)
    i, j = (index.ravel() for index in numpy.meshgrid(range(n + 1), range(n + 1), indexing="ij"))
    edge = (i == 0) | (i == n) | (j == 0) | (j == n)
    beside_x = ~edge & ((i == 1) | (i == n - 1))
    beside_y = ~edge & ~beside_x & ((j == 1) | (j == n - 1))
    inside = ~edge & ~beside_x & ~beside_y
    rows = numpy.arange((n + 1) ** 2).reshape(n + 1, n + 1)
    wall_x = numpy.where(i == 1, rows[0][j], rows[n][j])[beside_x]
    wall_y = numpy.where(j == 1, rows[i, 0], rows[i, n])[beside_y]
    lid = (py == 1).astype(float)
    fixed = numpy.zeros(px.size)
    fixed[edge] = -numpy.nan_to_num(stream[edge])
    fixed[beside_x] = sv[wall_x]
    fixed[beside_y] = (lid - su)[wall_y]
    third_x, third_y = dx[inside] @ laplace, dy[inside] @ laplace
    fourth = laplace[inside] @ laplace
    matrix = numpy.zeros((px.size, px.size))
    matrix[edge] = numpy.eye(px.size)[edge]
    matrix[beside_x] = dx[wall_x]
    matrix[beside_y] = dy[wall_y]
    psi = numpy.zeros(px.size)
    for step in range(12):
        u, v = dy[inside] @ psi + su[inside], -(dx[inside] @ psi) + sv[inside]
        ox, oy = third_x @ psi + sx[inside], third_y @ psi + sy[inside]
        residual = matrix @ psi - fixed
        residual[inside] = fourth @ psi / reynolds - (u * ox + v * oy)
        matrix[inside] = fourth / reynolds - (
            ox[:, None] * dy[inside] - oy[:, None] * dx[inside] + u[:, None] * third_x + v[:, None] * third_y
        )
        change = numpy.linalg.solve(matrix, residual)
        psi -= change
        if abs(change).max() < 1e-11:
            break
    else:
        raise ArithmeticError("Newton's method did not converge")
    at = interpolation(x, weights, to)
    grid = psi.reshape(n + 1, n + 1)
    tx, ty = numpy.meshgrid(to, to, indexing="ij")
    singular_u, singular_v, *_ = singular(tx, ty)
    return at @ (grid @ d.T) @ at.T + singular_u, -(at @ (d @ grid) @ at.T) + singular_v
