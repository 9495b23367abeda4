#!/usr/bin/env bash
# Installs libtorch 2.9.0, CPU only, from the PyPI wheels into a folder (default: .libtorch, which git ignores), and
# prints the two variables that `cargo build --features libtorch` and the program need.
# Safe to run twice; nothing else on the machine changes. Needs python3 with pip.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-$PWD/.libtorch}
version=2.9.0

if [ ! -e "$folder/complete-$version" ]; then
    rm -rf "$folder"
    mkdir -p "$folder/wheels" "$folder/site"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        -d "$folder/wheels" "torch==$version" nvidia-cuda-runtime-cu12 nvidia-cuda-cupti-cu12 >&2
    for wheel in "$folder"/wheels/*.whl; do
        python3 -m zipfile -e "$wheel" "$folder/site"
    done
    rm -rf "$folder/wheels"
    # The build links whatever is there: without the CUDA parts it is a CPU build that needs no CUDA libraries,
    # but for the two small ones that libtorch_cpu.so of this wheel names.
    rm -f "$folder"/site/torch/lib/libtorch_cuda*.so "$folder"/site/torch/lib/libc10_cuda.so
    find "$folder/site/nvidia" -name '*.so*' -exec cp -n {} "$folder/site/torch/lib/" \; 2>/dev/null || true
    touch "$folder/complete-$version"
fi
echo "export LIBTORCH=$folder/site/torch"
echo "export LD_LIBRARY_PATH=$folder/site/torch/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
