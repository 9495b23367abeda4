// The fused engine as a CUDA kernel: jets forward through all layers and back, a chunk of points at a time.
//
// A block of threads carries a chunk of B points with all their C channels through the network and back before it takes
// the next one. Arrays are rows of neurons, `STRIDE` numbers each: channel c of point p is number c·B + p.
// Loops go from `threadIdx.x` by `blockDim.x` between barriers, so the same text is right for a single thread, as which
// the tests compile it.
// Chunks are dealt to blocks by their numbers and every sum has one order: the same bits each time, without atomics.
//
// What this text needs, `text.rs` prints before it: the type R; C, B, SITES, STRIDE, TP, TN, THREADS, KT, NT, SCALES,
// SCALES, RAW, ROOTS, COLUMNS, COEFFICIENTS, WIDTH, ON_CHIP, GRADIENT.
// And after `struct Step`: `value`, `slopes`, `chain`, `chain_back`, `product_rule`, `product_rule_back` and `site`.

#define INLINE __device__ __forceinline__
// Numbers of 16 bytes.
#define V (16 / int(sizeof(R)))

template <int N>
struct alignas(sizeof(R) * N < 16 ? sizeof(R) * N : 16) Pack {
    R v[N];
};

template <int N>
INLINE Pack<N> get(const R* from) {
    return *reinterpret_cast<const Pack<N>*>(from);
}

template <int N>
INLINE void put(R* to, const R* x) {
    Pack<N> pack;
#pragma unroll
    for (int i = 0; i < N; i++) pack.v[i] = x[i];
    *reinterpret_cast<Pack<N>*>(to) = pack;
}

// The chunk that a block works on, and where it keeps what it computes.
struct Chunk {
    const R* inputs;
    const R* scales;
    R* arrays;
    R* bars;
    const Array* sizes;
};

// All channels of one neuron at point p, from its row.
INLINE void load(const R* row, int p, R* x) {
#pragma unroll
    for (int c = 0; c < C; c++) x[c] = row[c * B + p];
}

INLINE void store(R* row, int p, const R* x) {
#pragma unroll
    for (int c = 0; c < C; c++) row[c * B + p] = x[c];
}

// What depends on the point in the chain rule.
INLINE void scales_at(const Chunk& chunk, int p, R* q) {
#pragma unroll
    for (int k = 0; k < SCALES; k++) q[k] = chunk.scales[k * B + p];
}

// y = f(z) on all channels; leaves the slopes.
INLINE void activate(const Chunk& chunk, int part, int p, const R* z, R* y, R* s, R* q) {
    y[0] = value(part, z[0]);
    slopes(part, z[0], y[0], s);
    scales_at(chunk, p, q);
    chain(s, q, z, y);
}

// All channels of a neuron of an array that a step has made.
INLINE void array_value(const Chunk& chunk, int array, int n, int p, R* y) {
    const Array size = chunk.sizes[array];
    const R* row = chunk.arrays + (long long)(size.first + n) * STRIDE;
    if (size.part < 0) {
        load(row, p, y);
    } else {
        R z[C], s[5], q[SCALES + 1];
        load(row, p, z);
        activate(chunk, size.part, p, z, y, s, q);
    }
}

INLINE R* row_of(const Chunk& chunk, R* rows, int array, int n) {
    return rows + (long long)(chunk.sizes[array].first + n) * STRIDE;
}

// Brings what a layer reads into x: features from where the host has put them, or an array.
INLINE void fetch(const Chunk& chunk, const Step& step, R* x) {
    if (step.features >= 0) {
        const R* from = chunk.inputs + (long long)step.features * STRIDE;
        for (int i = threadIdx.x; i < step.ins * STRIDE; i += blockDim.x) x[i] = from[i];
    } else {
        for (int i = threadIdx.x; i < step.ins * B; i += blockDim.x) {
            R y[C];
            array_value(chunk, step.a, i / B, i % B, y);
            store(x + (i / B) * STRIDE, i % B, y);
        }
    }
}

// Copies 16 bytes into shared memory without waiting for them, where there is something to wait for.
INLINE void copy_16(R* to, const R* from) {
#if defined(__CUDA_ARCH__)
    const unsigned place = unsigned(__cvta_generic_to_shared(to));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(place), "l"(from) : "memory");
#else
    put<V>(to, from);
#endif
}

// Waits for this thread's copies.
INLINE void copies_done() {
#if defined(__CUDA_ARCH__)
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// A matrix of parameters: inner rows of `ld` numbers, of which `outer` are used.
struct Matrix {
    const R* w;
    int ld, inner, outer;
};

// Shared memory for matrices: the one that is read, and the one that comes next, on its way.
struct Stage {
    R* buffer;
    const R* coming;
    int which;
};

// Does a matrix fit the stage as a whole, and does the block take all of its product at once?
INLINE bool fits(const Matrix& m) {
    return m.inner <= KT && (m.outer + TN - 1) / TN * (B / TP) <= int(blockDim.x);
}

// Starts bringing a matrix into a buffer.
INLINE void bring(const Matrix& m, R* to) {
    const int packs = (m.outer + V - 1) / V;
    for (int i = threadIdx.x; i < m.inner * packs; i += blockDim.x)
        copy_16(to + i / packs * NT + i % packs * V, m.w + (long long)(i / packs) * m.ld + i % packs * V);
}

// The matrix m times x (inner rows of jets).
//
// A thread has TN neurons at TP points with all channels; `done(n, p, sums, kept)` gets them neuron by neuron, with the same
// places of `kept`, whose rows are read before the sums begin, so that waiting for them costs nothing.
// The matrix `next`, if there is one, is brought meanwhile.
template <bool KEPT, class Done>
INLINE void product(const R* x, const Matrix& m, const Matrix& next, Stage& stages, const R* kept, const Done& done) {
    constexpr int groups_p = B / TP;
    const R* w = m.w;
    const int ld = m.ld, inner = m.inner, outer = m.outer;
    const bool whole = fits(m);
    if (whole) {
        const bool comes = stages.coming == w;
        stages.which ^= 1;
        if (!comes) {
            __syncthreads();
            bring(m, stages.buffer + stages.which * KT * NT);
        }
    }
    copies_done();
    stages.coming = nullptr;
    R* stage = stages.buffer + stages.which * KT * NT;
    const int groups_n = (outer + TN - 1) / TN;
    for (int first = 0; first < groups_n * groups_p; first += blockDim.x) {
        const int tile = first + threadIdx.x;
        const int from = first / groups_p;
        const int last = (first + int(blockDim.x) - 1) / groups_p + 1;
        const int span = (last < groups_n ? last : groups_n) - from;
        const bool mine = tile < groups_n * groups_p;
        const int p = tile % groups_p * TP, n = tile / groups_p * TN;
        R sum[TN][C][TP];
#pragma unroll
        for (int j = 0; j < TN; j++)
#pragma unroll
            for (int c = 0; c < C; c++)
#pragma unroll
                for (int i = 0; i < TP; i++) sum[j][c][i] = R(0);
        Pack<TP> before[KEPT ? TN : 1][C];
        if (KEPT && mine) {
#pragma unroll
            for (int j = 0; j < TN; j++) {
                const R* row = kept + (long long)(n + j < outer ? n + j : outer - 1) * STRIDE + p;
#pragma unroll
                for (int c = 0; c < C; c++) before[j][c] = get<TP>(row + c * B);
            }
        }
        for (int k0 = 0; k0 < inner; k0 += KT) {
            const int depth = inner - k0 < KT ? inner - k0 : KT;
            __syncthreads();
            if (whole) {
                if (next.w && fits(next)) {
                    bring(next, stages.buffer + (stages.which ^ 1) * KT * NT);
                    stages.coming = next.w;
                }
            } else {
                for (int i = threadIdx.x; i < depth * span; i += blockDim.x) {
                    const Pack<TN> weights = get<TN>(w + (long long)(k0 + i / span) * ld + (from + i % span) * TN);
                    put<TN>(stage + (i / span) * NT + i % span * TN, weights.v);
                }
                __syncthreads();
            }
            if (mine) {
                const R* ws = stage + n - from * TN;
                const R* xs = x + (long long)k0 * STRIDE + p;
#pragma unroll 2
                for (int k = 0; k < depth; k++) {
                    const Pack<TN> b = get<TN>(ws + k * NT);
#pragma unroll
                    for (int c = 0; c < C; c++) {
                        const Pack<TP> a = get<TP>(xs + k * STRIDE + c * B);
#pragma unroll
                        for (int j = 0; j < TN; j++)
#pragma unroll
                            for (int i = 0; i < TP; i++) sum[j][c][i] += a.v[i] * b.v[j];
                    }
                }
            }
        }
        if (mine) {
#pragma unroll
            for (int j = 0; j < TN; j++)
                if (n + j < outer) done(n + j, p, sum[j], before[KEPT ? j : 0]);
        }
    }
}

// Adds Σ d⊗x over all channels and points to a layer's weights, and Σ d over the points' values to its biases.
INLINE void weight_gradient(const R* d, const R* x, int outs, int ins, R* weights, R* biases, bool fresh) {
    const int groups_k = (ins + 3) / 4, groups_o = (outs + 3) / 4;
    for (int tile = threadIdx.x; tile < groups_k * groups_o; tile += blockDim.x) {
        const int tk = tile % groups_k, to = tile / groups_k * 4;
        const R* xs[4];
        const R* ds[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int k = tk + i * groups_k, o = to + i;
            xs[i] = x + (k < ins ? k : ins - 1) * STRIDE;
            ds[i] = d + (o < outs ? o : outs - 1) * STRIDE;
        }
        // What is there already is read before the sums begin, so that waiting for it costs nothing.
        R sum[4][4], bias[4], old[4][4], old_bias[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int o = to + i < outs ? to + i : outs - 1;
            bias[i] = R(0);
            old_bias[i] = fresh || tk > 0 ? R(0) : biases[o];
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const int k = tk + j * groups_k;
                sum[i][j] = R(0);
                old[i][j] = fresh ? R(0) : weights[(long long)o * ins + (k < ins ? k : ins - 1)];
            }
        }
        for (int r = 0; r < C * B; r += V) {
            Pack<V> a[4], b[4];
#pragma unroll
            for (int i = 0; i < 4; i++) {
                a[i] = get<V>(ds[i] + r);
                b[i] = get<V>(xs[i] + r);
            }
#pragma unroll
            for (int v = 0; v < V; v++)
#pragma unroll
                for (int i = 0; i < 4; i++)
#pragma unroll
                    for (int j = 0; j < 4; j++) sum[i][j] += a[i].v[v] * b[j].v[v];
            if (tk == 0 && r < B) {
#pragma unroll
                for (int i = 0; i < 4; i++)
#pragma unroll
                    for (int v = 0; v < V; v++) bias[i] += a[i].v[v];
            }
        }
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if (to + i >= outs) continue;
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const int k = tk + j * groups_k;
                if (k < ins) weights[(long long)(to + i) * ins + k] = old[i][j] + sum[i][j];
            }
            if (tk == 0) biases[to + i] = old_bias[i] + bias[i];
        }
    }
}

// Puts or adds an adjoint to that of an array.
INLINE void give(const Chunk& chunk, int array, int n, int p, bool fresh, const R* x) {
    R* row = row_of(chunk, chunk.bars, array, n);
#pragma unroll
    for (int c = 0; c < C; c++) row[c * B + p] = fresh ? x[c] : row[c * B + p] + x[c];
}

// A step that is no layer, at one neuron and point.
INLINE void combine(const Chunk& chunk, const Step& step, const R* numbers, int n, int p, R* y) {
    R a[C];
    array_value(chunk, step.a, n, p, a);
    if (step.op == SCALE) {
        const R s = numbers[step.count == 1 ? 0 : n];
#pragma unroll
        for (int c = 0; c < C; c++) y[c] = s * a[c];
        return;
    }
    R b[C];
    array_value(chunk, step.b, n, p, b);
    if (step.op == ADD) {
#pragma unroll
        for (int c = 0; c < C; c++) y[c] = a[c] + b[c];
        return;
    }
#pragma unroll
    for (int c = 0; c < C; c++) {
        a[c] -= b[c];
        y[c] = b[c];
    }
    if (step.op == MIX) {
#pragma unroll
        for (int c = 0; c < C; c++) y[c] += numbers[0] * a[c];
        return;
    }
    R g[C], q[SCALES + 1];
    array_value(chunk, step.gate, n, p, g);
    scales_at(chunk, p, q);
    product_rule(q, g, a, y);
}

// Its reverse; what a trainable number gets at this neuron and point.
INLINE R combine_back(const Chunk& chunk, const Step& step, const R* numbers, int n, int p) {
    R bar[C], a[C], to_a[C];
    load(row_of(chunk, chunk.bars, step.to, n), p, bar);
    if (step.op == ADD) {
        give(chunk, step.a, n, p, step.fresh_a, bar);
        give(chunk, step.b, n, p, step.fresh_b, bar);
        return R(0);
    }
    array_value(chunk, step.a, n, p, a);
    R sum = R(0);
    if (step.op == SCALE) {
        const R s = numbers[step.count == 1 ? 0 : n];
#pragma unroll
        for (int c = 0; c < C; c++) {
            sum += bar[c] * a[c];
            to_a[c] = s * bar[c];
        }
        give(chunk, step.a, n, p, step.fresh_a, to_a);
        return sum;
    }
    R b[C], to_b[C];
    array_value(chunk, step.b, n, p, b);
#pragma unroll
    for (int c = 0; c < C; c++) a[c] -= b[c];
    if (step.op == MIX) {
#pragma unroll
        for (int c = 0; c < C; c++) {
            sum += bar[c] * a[c];
            to_a[c] = numbers[0] * bar[c];
            to_b[c] = bar[c] - to_a[c];
        }
    } else {
        R g[C], to_g[C], q[SCALES + 1];
        array_value(chunk, step.gate, n, p, g);
        scales_at(chunk, p, q);
#pragma unroll
        for (int c = 0; c < C; c++) to_a[c] = to_g[c] = R(0);
        product_rule_back(q, g, a, bar, to_g, to_a);
#pragma unroll
        for (int c = 0; c < C; c++) to_b[c] = bar[c] - to_a[c];
        give(chunk, step.gate, n, p, step.fresh_gate, to_g);
    }
    give(chunk, step.a, n, p, step.fresh_a, to_a);
    give(chunk, step.b, n, p, step.fresh_b, to_b);
    return sum;
}

// A layer's matrix for the way forward, and for the way back; none where nothing goes back.
INLINE Matrix matrix_forward(const Args& args, const Step& step) {
    return {step.op == DENSE ? args.packed + step.forward : nullptr, step.ld_forward, step.ins, step.outs};
}

INLINE Matrix matrix_back(const Args& args, const Step& step) {
    const bool there = step.op == DENSE && step.features < 0;
    return {there ? args.packed + step.back : nullptr, step.ld_back, step.outs, step.ins};
}

// A linear layer on the way back: from the adjoints d of what it makes to those of what it reads, and its gradient.
//
// True if what it reads is an activated layer whose adjoints now lie in e.
INLINE bool layer_back(const Chunk& chunk, const Step& step, const Matrix& next, const Args& args, const R* d, R* x,
                       R* e, Stage& stage, R* gradient, bool fresh) {
    const Matrix own = matrix_back(args, step);
    if (step.features >= 0) {
        fetch(chunk, step, x);
    } else if (step.fused) {
        const int part = chunk.sizes[step.a].part;
        const R* kept = row_of(chunk, chunk.arrays, step.a, 0);
        product<true>(d, own, next, stage, kept,
                      [&](int n, int p, const R (&bar)[C][TP], const Pack<TP> (&before)[C]) {
            R y[C][TP], z_bar[C][TP];
#pragma unroll
            for (int i = 0; i < TP; i++) {
                R z[C], yi[C], bar_i[C], z_bar_i[C], s[5], q[SCALES + 1];
#pragma unroll
                for (int c = 0; c < C; c++) {
                    z[c] = before[c].v[i];
                    bar_i[c] = bar[c][i];
                }
                activate(chunk, part, p + i, z, yi, s, q);
                chain_back(s, q, z, bar_i, z_bar_i);
#pragma unroll
                for (int c = 0; c < C; c++) {
                    y[c][i] = yi[c];
                    z_bar[c][i] = z_bar_i[c];
                }
            }
#pragma unroll
            for (int c = 0; c < C; c++) {
                put<TP>(x + n * STRIDE + c * B + p, y[c]);
                put<TP>(e + n * STRIDE + c * B + p, z_bar[c]);
            }
        });
    } else {
        product<false>(d, own, next, stage, nullptr,
                       [&](int n, int p, const R (&bar)[C][TP], const Pack<TP> (&)[C]) {
#pragma unroll
            for (int i = 0; i < TP; i++) {
                R bar_i[C];
#pragma unroll
                for (int c = 0; c < C; c++) bar_i[c] = bar[c][i];
                give(chunk, step.a, n, p + i, step.fresh_a, bar_i);
            }
        });
        fetch(chunk, step, x);
    }
    __syncthreads();
    weight_gradient(d, x, step.outs, step.ins, gradient + step.weights, gradient + step.biases, fresh);
    __syncthreads();
    return step.fused;
}

extern "C" __global__ void __launch_bounds__(THREADS) run(const Args args) {
    extern __shared__ __align__(16) unsigned char memory[];
    constexpr int size = WIDTH * STRIDE;
    R* scratch = args.scratch + (long long)blockIdx.x * args.scratch_stride;
#if ON_CHIP
    R* x = reinterpret_cast<R*>(memory);
    R* buffer = x + (GRADIENT ? 3 : 2) * size + (GRADIENT ? 2 : 1) * RAW * STRIDE;
#else
    R* x = scratch;
    R* buffer = reinterpret_cast<R*>(memory);
    scratch += 3 * size + 2 * RAW * STRIDE;
#endif
    R* d = x + size;
    R* raw = d + size;
    double* squares = reinterpret_cast<double*>(buffer + 2 * KT * NT);
    R* coefficient_bars = reinterpret_cast<R*>(squares + SITES);
    const R* coefficients = args.packed + args.coefficients;
    double* sums = args.sums + (long long)blockIdx.x * (2 + COEFFICIENTS);
#if GRADIENT
    R* raw_bar = raw + RAW * STRIDE;
    R* e = raw_bar + RAW * STRIDE;
    R* gradient = args.gradient + (long long)blockIdx.x * args.parameters;
#endif
    Stage stage = {buffer, nullptr, 0};
    const Matrix none = {nullptr, 0, 0, 0};
    Chunk chunk;
    chunk.arrays = scratch;
    chunk.bars = scratch + args.array_rows * STRIDE;
    chunk.sizes = args.arrays;
    bool fresh = true;
    for (long long block = blockIdx.x; block < args.chunks; block += gridDim.x) {
        chunk.inputs = args.inputs + block * args.features * STRIDE;
        chunk.scales = args.scales + block * SCALES * B;
        int resident = -1;
        for (int k = 0; k < args.step_count; k++) {
            const Step step = args.steps[k];
            const bool keep = (GRADIENT && args.mode == 2) || step.keep;
            if (step.op == DENSE) {
                if (step.features >= 0 || resident != step.a) fetch(chunk, step, x);
                const R* biases = args.packed + step.bias;
                R* rows = row_of(chunk, chunk.arrays, step.to, 0);
                const Matrix next = k + 1 < args.step_count ? matrix_forward(args, args.steps[k + 1]) : none;
                product<false>(x, matrix_forward(args, step), next, stage, nullptr,
                        [&](int n, int p, R (&z)[C][TP], const Pack<TP> (&)[C]) {
                            const R bias = biases[n];
#pragma unroll
                            for (int i = 0; i < TP; i++) z[0][i] += bias;
                            if (keep) {
                                R* row = rows + (long long)n * STRIDE;
#pragma unroll
                                for (int c = 0; c < C; c++) put<TP>(row + c * B + p, z[c]);
                            }
                            if (step.activated) {
#pragma unroll
                                for (int i = 0; i < TP; i++) {
                                    R z_i[C], y[C], s[5], q[SCALES + 1];
#pragma unroll
                                    for (int c = 0; c < C; c++) z_i[c] = z[c][i];
                                    activate(chunk, step.part, p + i, z_i, y, s, q);
#pragma unroll
                                    for (int c = 0; c < C; c++) z[c][i] = y[c];
                                }
                            }
#pragma unroll
                            for (int c = 0; c < C; c++) put<TP>(d + n * STRIDE + c * B + p, z[c]);
                        });
            } else {
                const R* numbers = args.packed + step.number;
                for (int i = threadIdx.x; i < step.outs * B; i += blockDim.x) {
                    R y[C];
                    combine(chunk, step, numbers, i / B, i % B, y);
                    store(row_of(chunk, chunk.arrays, step.to, i / B), i % B, y);
                    store(d + (i / B) * STRIDE, i % B, y);
                }
            }
            __syncthreads();
            R* made = d;
            d = x;
            x = made;
            resident = step.to;
        }
        for (int k = 0; k < args.output_count; k++) {
            const Step step = args.steps[args.step_count + k];
            if (step.features >= 0 || resident != step.a) {
                __syncthreads();
                fetch(chunk, step, x);
                resident = step.features >= 0 ? -1 : step.a;
                __syncthreads();
            }
            for (int i = threadIdx.x; i < step.outs * C * B; i += blockDim.x) {
                const int o = i / (C * B), r = i % (C * B);
                const R* w = args.packed + step.back + o * step.ld_back;
                R sum = r < B ? args.packed[step.bias + o] : R(0);
                if (!step.first) sum += raw[(step.column + o) * STRIDE + r];
                for (int j = 0; j < step.ins; j++) sum += x[j * STRIDE + r] * w[j];
                raw[(step.column + o) * STRIDE + r] = sum;
            }
        }
#if GRADIENT
        if (args.mode == 2)
            for (int i = threadIdx.x; i < RAW * STRIDE; i += blockDim.x) raw_bar[i] = R(0);
#endif
        __syncthreads();
        const long long first = block * SITES;
        const int filled = args.sites - first < SITES ? int(args.sites - first) : SITES;
        for (int s = threadIdx.x; s < SITES; s += blockDim.x) {
            const bool there = s < filled;
            const R weight = !there ? R(0) : args.weights ? R(args.weights[first + s]) : R(1);
            R* values = args.mode == 0 && there ? args.values + (first + s) * ROOTS : nullptr;
            R square = R(0);
#if GRADIENT
            R* bars = args.mode == 2 && there ? raw_bar : nullptr;
#else
            R* bars = nullptr;
#endif
            site(raw, args.columns + block * COLUMNS * SITES, coefficients, s, R(2 * args.factor) * weight, values,
                 &square, bars, coefficient_bars);
            squares[s] = double(square);
        }
        __syncthreads();
        if (args.mode > 0) {
            if (threadIdx.x == 0) {
                double all = fresh ? 0.0 : sums[0], weighted = fresh ? 0.0 : sums[1];
                for (int s = 0; s < filled; s++) {
                    all += squares[s];
                    weighted += args.weights ? args.weights[first + s] * squares[s] : squares[s];
                }
                sums[0] = all;
                sums[1] = weighted;
            }
        }
#if GRADIENT
        if (args.mode == 2) {
            for (int k = threadIdx.x; k < COEFFICIENTS; k += blockDim.x) {
                double sum = fresh ? 0.0 : sums[2 + k];
                for (int s = 0; s < filled; s++) sum += double(coefficient_bars[k * SITES + s]);
                sums[2 + k] = sum;
            }
            bool ready = false;
            for (int k = args.output_count - 1; k >= 0; k--) {
                const Step step = args.steps[args.step_count + k];
                const bool last = k == 0 && args.step_count > 0;
                const Matrix next = last ? matrix_back(args, args.steps[args.step_count - 1]) : none;
                const R* bars = raw_bar + step.column * STRIDE;
                ready = layer_back(chunk, step, next, args, bars, x, e, stage, gradient, fresh);
            }
            for (int k = args.step_count - 1; k >= 0; k--) {
                const Step step = args.steps[k];
                if (step.op == DENSE) {
                    if (ready) {
                        R* made = e;
                        e = d;
                        d = made;
                    } else {
                        for (int i = threadIdx.x; i < step.outs * B; i += blockDim.x) {
                            const int n = i / B, p = i % B;
                            R bar[C];
                            load(row_of(chunk, chunk.bars, step.to, n), p, bar);
                            if (step.activated) {
                                R z[C], y[C], z_bar[C], s[5], q[SCALES + 1];
                                load(row_of(chunk, chunk.arrays, step.to, n), p, z);
                                activate(chunk, step.part, p, z, y, s, q);
                                chain_back(s, q, z, bar, z_bar);
                                store(d + n * STRIDE, p, z_bar);
                            } else {
                                store(d + n * STRIDE, p, bar);
                            }
                        }
                        __syncthreads();
                    }
                    const Matrix next = k > 0 ? matrix_back(args, args.steps[k - 1]) : none;
                    ready = layer_back(chunk, step, next, args, d, x, e, stage, gradient, fresh);
                } else {
                    const R* numbers = args.packed + step.number;
                    for (int i = threadIdx.x; i < step.outs * B; i += blockDim.x) {
                        const R part = combine_back(chunk, step, numbers, i / B, i % B);
                        if (step.count > 0) d[i] = part;
                    }
                    __syncthreads();
                    if (step.count > 0) {
                        for (int n = threadIdx.x; n < step.outs; n += blockDim.x) {
                            R sum = R(0);
                            for (int p = 0; p < B; p++) sum += d[n * B + p];
                            e[n] = sum;
                        }
                        __syncthreads();
                        for (int n = threadIdx.x; n < step.count; n += blockDim.x) {
                            R sum = e[n];
                            if (step.count == 1)
                                for (int o = 1; o < step.outs; o++) sum += e[o];
                            // A number that several steps multiply with gets something from each of them.
                            const bool first_here = fresh && step.fresh_number;
                            gradient[step.number_gradient + n] =
                                first_here ? sum : gradient[step.number_gradient + n] + sum;
                        }
                        __syncthreads();
                    }
                    ready = false;
                }
            }
        }
#endif
        fresh = false;
        __syncthreads();
    }
}
