// What is done once a step for all conditions: laying out parameters, and adding the blocks' gradients.

// Parameters in the order in which the kernels read them; places without one hold 0.
extern "C" __global__ void pack(const Packing args) {
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < args.length; i += step)
        args.packed[i] = args.from[i] < 0 ? R(0) : R(args.theta[args.from[i]]);
}

// Adds the blocks' gradients in their order to what earlier conditions have left.
extern "C" __global__ void reduce(const Reduction args) {
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < args.parameters; i += step) {
        double sum = args.fresh ? 0.0 : args.total[i];
#pragma unroll 8
        for (long long g = 0; g < args.blocks; g++) sum += double(args.gradient[g * args.parameters + i]);
        args.total[i] = sum;
    }
    const long long first = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    for (long long k = first; k < args.coefficients; k += step) {
        double* place = args.total + args.parameters + k;
        double sum = args.fresh ? 0.0 : *place;
        for (long long g = 0; g < args.blocks; g++) sum += args.sums[g * (2 + args.coefficients) + 2 + k];
        *place = sum;
    }
}
