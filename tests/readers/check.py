"""Opens what `pinn-solve predict` writes with the programs that will read it, and checks the numbers.

Usage: python check.py PINN-SOLVE

Trains the built-in problem `heat`, u = exp(-alpha pi^2 t) sin(pi x) with alpha = 0.1, and asks it in every format; then
takes meshes as meshio and pyvista write them through `--points`.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import meshio
import numpy as np
import pyvista as pv

PROGRAM = Path(sys.argv[1]).resolve()
ALPHA = 0.1
# What the network may be off; it is trained to 1e-8 or so.
CLOSE = 1e-6


def u(x, t):
    return np.exp(-ALPHA * np.pi**2 * t) * np.sin(np.pi * x)


def run(folder, *arguments, **options):
    command = [PROGRAM, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, **options)


def close(found, expected, what):
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, f"{what}: {found.shape} instead of {expected.shape}"
    off = np.max(np.abs(found - expected))
    assert off < CLOSE, f"{what}: off by {off}"
    print(f"{what}: {found.shape}, off by {off:.1e}")


def tables(folder):
    """A grid as a table, for NumPy and for anybody."""
    grid = ["--grid", "x=5,t=0:1:3"]
    x, t = np.linspace(0, 1, 5), np.linspace(0, 1, 3)
    xs, ts = (a.ravel() for a in np.meshgrid(x, t, indexing="ij"))

    run(folder, "predict", "run", *grid, "--to", "field.npz")
    with np.load(folder / "field.npz") as field:
        close(field["x"], x, "npz x")
        close(field["t"], t, "npz t")
        close(field["u"], u(x[:, None], t[None, :]), "npz u")

    run(folder, "predict", "run", *grid, "--quantity", "u", "--quantity", "rate = u_t", "--to", "field.npy")
    rows = np.load(folder / "field.npy")
    close(rows[:, :3], np.stack([xs, ts, u(xs, ts)], axis=1), "npy x, t, u")
    assert np.max(np.abs(rows[:, 3] + ALPHA * np.pi**2 * rows[:, 2])) < 1e-5

    text = run(folder, "predict", "run", *grid).stdout
    records = list(csv.DictReader(text.splitlines()))
    close([float(record["u"]) for record in records], u(xs, ts), "csv u")

    run(folder, "predict", "run", *grid, "--to", "field.json")
    records = json.loads((folder / "field.json").read_text())
    close([record["u"] for record in records], u(xs, ts), "json u")

    # And back: an array, and a CSV file through standard input.
    np.save(folder / "points.npy", np.stack([xs, ts], axis=1).astype(np.float32))
    run(folder, "predict", "run", "--points", "points.npy", "--to", "again.npy")
    close(np.load(folder / "again.npy")[:, 2], u(xs, ts), "npy to npy")
    text = run(folder, "predict", "run", "--points", "-", input="t,x\n0.5,0.25\n").stdout
    close([float(text.splitlines()[1].split(",")[2])], [u(0.25, 0.5)], "standard input")


def grids(folder):
    """A grid for ParaView, at one time and as a series."""
    x = np.linspace(0, 1, 9)
    run(folder, "predict", "run", "--grid", "x=9", "--at", "t=0.5", "--quantity", "u", "--quantity", "u_x", "--to", "field.vti")
    image = pv.read(folder / "field.vti")
    assert image.dimensions == (9, 1, 1), image.dimensions
    close(image.points[:, 0], x, "vti points")
    close(image["u"], u(x, 0.5), "vti u")
    assert float(image.field_data["TimeValue"][0]) == 0.5
    assert image.active_scalars_name == "u"

    run(folder, "predict", "run", "--grid", "x=9,t=0:1:3", "--to", "series.pvd")
    series = pv.get_reader(folder / "series.pvd")
    assert list(series.time_values) == [0, 0.5, 1], series.time_values
    for time in series.time_values:
        series.set_active_time_value(time)
        close(series.read()[0]["u"], u(x, time), f"pvd u at {time}")


def meshes(folder):
    """Meshes of other programs come back with their cells and our values."""
    # Heat has x alone, so the cells lie on a line; a mesh that extends further is refused.
    points = np.array([[0, 0, 0], [0.5, 0, 0], [0.6, 0, 0], [0.1, 0, 0], [0.75, 0, 0]], dtype=float)
    cells = [("quad", [[0, 1, 2, 3]]), ("triangle", [[1, 4, 2]])]
    x = points[:, 0]

    def check(name, mesh_file):
        run(folder, "predict", "run", "--points", mesh_file, "--at", "t=0.25", "--to", "out.vtu", "--force")
        out = meshio.read(folder / "out.vtu")
        close(out.points, points, f"{name}: points")
        close(out.point_data["u"].ravel(), u(x, 0.25), f"{name}: u")
        for kind, connectivity in cells:
            found = [block.data.tolist() for block in out.cells if block.type == kind]
            assert found == [connectivity], f"{name}: {found} are not the cells {kind}"
        grid = pv.read(folder / "out.vtu")
        close(grid["u"], u(x, 0.25), f"{name}: u for pyvista")
        assert grid.n_cells == 2

    mesh = meshio.Mesh(points, cells)
    for name, options in {
        "meshio vtu, zlib": {},
        "meshio vtu, not compressed": {"compression": None},
        "meshio vtu, text": {"binary": False},
    }.items():
        mesh.write(folder / "mesh.vtu", **options)
        check(name, "mesh.vtu")
    for name, options in {
        "meshio vtk 5.1": {"file_format": "vtk51"},
        "meshio vtk 4.2": {"file_format": "vtk42"},
        "meshio vtk 4.2, text": {"file_format": "vtk42", "binary": False},
        "meshio vtk 5.1, text": {"file_format": "vtk51", "binary": False},
    }.items():
        mesh.write(folder / "mesh.vtk", **options)
        check(name, "mesh.vtk")

    grid = pv.from_meshio(mesh)
    for name, options in {"pyvista": {}, "pyvista, text": {"binary": False}}.items():
        for ending in ["vtu", "vtk"]:
            grid.save(folder / f"mesh.{ending}", **options)
            check(f"{name} {ending}", f"mesh.{ending}")

    # Every way in which VTK, and ParaView with it, writes arrays.
    from vtkmodules.vtkIOXML import vtkXMLUnstructuredGridWriter

    for mode in ["Appended", "Binary", "Ascii"]:
        for compress in [True, False]:
            for encode in [True, False] if mode == "Appended" else [True]:
                for big in [True, False]:
                    writer = vtkXMLUnstructuredGridWriter()
                    writer.SetFileName(str(folder / "mesh.vtu"))
                    writer.SetInputData(grid)
                    getattr(writer, f"SetDataModeTo{mode}")()
                    if not compress:
                        writer.SetCompressorTypeToNone()
                    writer.SetEncodeAppendedData(encode)
                    writer.SetByteOrderToBigEndian() if big else writer.SetByteOrderToLittleEndian()
                    writer.Write()
                    check(f"VTK {mode}, compressed {compress}, encoded {encode}, big-endian {big}", "mesh.vtu")

    # Points alone.
    run(folder, "predict", "run", "--at", "x=0.25,t=0", "--at", "x=0.5,t=1", "--to", "points.vtu")
    cloud = pv.read(folder / "points.vtu")
    close(cloud["u"], u(np.array([0.25, 0.5]), np.array([0.0, 1.0])), "points as vtu")
    close(cloud["t"], [0.0, 1.0], "their times")
    close(cloud.points[:, 0], [0.25, 0.5], "their places")


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        run(folder, "--problem", "heat", "--out", "run", "--no-plots", "--quiet")
        tables(folder)
        grids(folder)
        meshes(folder)
    print("all files were read as they should be")


if __name__ == "__main__":
    main()
