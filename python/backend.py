"""How `pip` builds the package: maturin, and the command line's program beside the extension.

Cargo builds both of the same compiled library. A wheel of maturin's holds one of them; the other one goes into it as a script.
"""

import os
import shutil
import subprocess
import sys

import maturin
from maturin import (  # noqa: F401
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

PROGRAM = "pinn-solve.exe" if sys.platform == "win32" else "pinn-solve"
# pyproject.toml names its parent, which maturin wants to see whatever it is asked for.
SCRIPTS = os.path.join("target", "wheel-data", "scripts")
os.makedirs(SCRIPTS, exist_ok=True)


def build_wheel(*arguments, **settings):
    add_program()
    return maturin.build_wheel(*arguments, **settings)


def build_editable(*arguments, **settings):
    add_program()
    return maturin.build_editable(*arguments, **settings)


def add_program():
    """Builds the program and puts it where pyproject.toml says that the wheel's data are."""
    # Both packages at once, so that Cargo gives what they share the same features and compiles it once.
    extension = {**os.environ, "PYO3_BUILD_EXTENSION_MODULE": "1"}
    packages = ["--package", "pinn-solve", "--package", "pinn-python"]
    subprocess.run(["cargo", "build", "--release", "--lib", "--bin", PROGRAM.removesuffix(".exe"), *packages],
                   env=extension, check=True)  # fmt: skip
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    shutil.copy2(os.path.join(target, "release", PROGRAM), SCRIPTS)
