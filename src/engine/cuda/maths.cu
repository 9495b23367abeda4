// Functions that formulas and activations use beside those that CUDA has; as in `expr/graph.rs` and `simd/maths.rs`.

__device__ inline R sign_of(R a) { return a > R(0) ? R(1) : a < R(0) ? R(-1) : a + R(0); }

__device__ inline R step_of(R a) { return R(0.5) + R(0.5) * sign_of(a); }

// The standard normal distribution function.
__device__ inline R normal_of(R a) { return R(0.5) * erfc(R(-0.7071067811865476) * a); }

__device__ inline R smaller(R a, R b) { return b < a ? b : a; }

__device__ inline R greater(R a, R b) { return a < b ? b : a; }

// aⁿ
__device__ inline R power(R a, int n) {
    R result = R(1);
    for (int m = n < 0 ? -n : n; m > 0; m >>= 1) {
        if (m & 1) result *= a;
        a *= a;
    }
    return n < 0 ? R(1) / result : result;
}

// An adjoint times a slope; a zero adjoint adds nothing, whatever the slope.
__device__ inline R through(R bar, R slope) { return bar == R(0) ? R(0) : bar * slope; }

// x between −bound and bound; NaN stays NaN.
__device__ inline R limited(R x, R bound) { return x > bound ? bound : x < -bound ? -bound : x; }

__device__ inline R logistic(R x) {
    const R e = exp(-fabs(x));
    return (x < R(0) ? e : R(1)) / (R(1) + e);
}

// Derivatives of the logistic function, where its value is v.
__device__ inline void logistic_slopes(R v, R* s) {
    const R odd = R(1) - R(2) * v, first = v * (R(1) - v);
    s[0] = first;
    s[1] = first * odd;
    s[2] = first * (R(1) - R(6) * first);
    s[3] = first * odd * (R(1) - R(12) * first);
    s[4] = first * ((R(120) * first - R(30)) * first + R(1));
}

// 2·arctan(tanh(x/2)); for large |x| by the tangent's addition theorem.
__device__ inline R gudermannian(R x) {
    const R a = fabs(x), e = expm1(-a);
    const R angle = a < R(0.881373587019543) ? R(2) * atan(-e / (e + R(2)))
                                             : R(1.5707963267948966) - R(2) * atan(e + R(1));
    return copysign(angle, x);
}
