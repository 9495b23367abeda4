"""Finite-element references of problems in docs/shapes, with their own error.

    pip install scikit-fem gmsh scipy
    python benchmarks/fem.py four-holes poisson-boltzmann nut

Quadratic elements on curved triangles, or on tetrahedra, on a mesh and on one of half its width.
The finer solution is written; its difference to the coarser one, divided by 7 (third order), is said to be its error.
`nut` writes the surface of the part too, as nut.stl.
"""
import argparse
from pathlib import Path

import gmsh
import numpy as np
from skfem import (Basis, BilinearForm, ElementTetP2, ElementTriP2, FacetBasis, LinearForm, MeshTet, MeshTri, MeshTri2,
                   condense, solve)
from skfem.helpers import dot, grad

DATA = Path(__file__).resolve().parent.parent / "docs" / "shapes" / "data"
FOUR_HOLES = [(0.3, 0.3, 0.1), (-0.3, 0.3, 0.1), (-0.3, -0.3, 0.1), (0.3, -0.3, 0.1)]
CIRCLES = [(0.5, 0.5, 0.2), (0.4, -0.4, 0.4), (-0.2, -0.7, 0.1), (-0.6, 0.5, 0.3)]


def mesh(half, disks, width):
    """Curved triangles of the square [-half, half]² without the disks, small near them."""
    gmsh.initialize()
    gmsh.option.setNumber("General.Terminal", 0)
    gmsh.option.setNumber("Mesh.MeshSizeMax", width)
    gmsh.option.setNumber("Mesh.MeshSizeFromCurvature", int(6 / width**0.5))
    occ = gmsh.model.occ
    square = occ.addRectangle(-half, -half, 0, 2 * half, 2 * half)
    holes = [(2, occ.addDisk(x, y, 0, r, r)) for x, y, r in disks]
    occ.cut([(2, square)], holes)
    occ.synchronize()
    gmsh.model.mesh.generate(2)
    gmsh.model.mesh.setOrder(2)
    tags, points, _ = gmsh.model.mesh.getNodes()
    _, _, nodes = gmsh.model.mesh.getElements(2)
    gmsh_triangles = nodes[0].reshape(-1, 6).astype(int)
    used, inverse = np.unique(gmsh_triangles, return_inverse=True)
    place = {t: i for i, t in enumerate(tags)}
    points = points.reshape(-1, 3)[[place[t] for t in used], :2]
    gmsh.finalize()
    # gmsh numbers the middles of edges 01, 12, 20, as scikit-fem does with its doflocs.
    return triangles(points, inverse.reshape(-1, 6))


def triangles(points, six):
    """A quadratic mesh whose straight skeleton is made first, and whose edges are then bent."""
    corners, inverse = np.unique(six[:, :3], return_inverse=True)
    straight = MeshTri(points[corners].T.copy(), inverse.reshape(-1, 3).T.copy())
    bent = MeshTri2.from_mesh(straight)
    middle = {}
    for row in six:
        for (a, b), m in zip(((0, 1), (1, 2), (2, 0)), row[3:]):
            middle[tuple(sorted((row[a], row[b])))] = points[m]
    locations = bent.doflocs.copy()
    where = np.asarray(straight.facets)
    first = len(corners)
    for edge, (a, b) in enumerate(where.T):
        locations[:, first + edge] = middle[tuple(sorted((corners[a], corners[b])))]
    return MeshTri2(locations, bent.t)


def at(basis, u, points):
    """The solution at points, each of them in a triangle that is straight or nearly so."""
    straight = MeshTri(basis.mesh.p[:, :basis.mesh.nvertices], basis.mesh.t)
    cells = straight.element_finder()(*points)
    local = basis.mapping.invF(points[:, :, None], tind=cells)
    shapes = (basis.elem.gbasis(basis.mapping, local, k, tind=cells)[0].value[:, 0] for k in range(6))
    return sum(phi * u[basis.element_dofs[k, cells]] for k, phi in enumerate(shapes))


def solution(m, k, source, outside, inside, half):
    basis = Basis(m, ElementTriP2(), intorder=6)
    stiffness = BilinearForm(lambda u, v, w: dot(grad(u), grad(v)) + k**2 * u * v).assemble(basis)
    load = LinearForm(lambda v, w: source(w.x[0], w.x[1]) * v).assemble(basis)
    edge = basis.get_dofs().all()
    x = basis.doflocs[:, edge]
    square = np.max(np.abs(x), axis=0) > half - 1e-9
    u = basis.zeros()
    u[edge] = np.where(square, outside, inside)
    return basis, solve(*condense(stiffness, load, x=u, D=edge))


def reference(name, half, disks, k, source, outside, inside, width):
    axis = np.linspace(-half, half, 41)
    x, y = (a.ravel() for a in np.meshgrid(axis, axis, indexing="ij"))
    # Not in the bent triangles at the walls.
    keep = np.all([np.hypot(x - a, y - b) > r + width for a, b, r in disks], axis=0)
    points = np.stack([x[keep], y[keep]])
    values = []
    for h in (width, width / 2):
        basis, u = solution(mesh(half, disks, h), k, source, outside, inside, half)
        values.append(at(basis, u, points))
        print(f"{name}: {u.size} unknowns of width {h}", flush=True)
    coarse, fine = values
    print(f"{name}: own error {np.linalg.norm(fine - coarse) / np.linalg.norm(fine) / 7:.1e}, greatest {np.abs(fine - coarse).max() / 7:.1e}")
    DATA.mkdir(exist_ok=True)
    np.savetxt(DATA / f"{name}.csv", np.c_[points.T, fine], delimiter=",", header="x,y,u", comments="", fmt="%.9g")


def nut(width, dimension):
    """A nut: a hexagon with a bore of 48 edges, 0.5 high; its surface in few triangles, or its volume."""
    gmsh.initialize()
    gmsh.option.setNumber("General.Terminal", 0)
    gmsh.option.setNumber("Mesh.MeshSizeMax", width)
    occ = gmsh.model.occ

    def polygon(count, radius):
        angles = 2 * np.pi * np.arange(count) / count
        corners = [occ.addPoint(radius * np.cos(a), radius * np.sin(a), 0) for a in angles]
        edges = [occ.addLine(a, b) for a, b in zip(corners, corners[1:] + corners[:1])]
        return occ.addCurveLoop(edges)

    outside, bore = polygon(6, 1.0), polygon(48, 0.5)
    face = occ.addPlaneSurface([outside, bore])
    occ.extrude([(2, face)], 0, 0, 0.5)
    occ.synchronize()
    if dimension == 2:
        for _, volume in gmsh.model.getEntities(3):
            gmsh.model.mesh.setOutwardOrientation(volume)
    gmsh.model.mesh.generate(dimension)
    tags, points, _ = gmsh.model.mesh.getNodes()
    place = {t: i for i, t in enumerate(tags)}
    _, _, nodes = gmsh.model.mesh.getElements(dimension)
    elements = np.array([place[t] for t in nodes[0]]).reshape(-1, dimension + 1)
    if dimension == 2:
        gmsh.write(str(DATA / "nut.stl"))
    gmsh.finalize()
    used, inverse = np.unique(elements, return_inverse=True)
    return points.reshape(-1, 3)[used], inverse.reshape(elements.shape)


def heat_in_nut():
    """ΔT = 0, T = 1 in the bore, ∂T/∂n + 2 T = 0 on all other walls."""
    DATA.mkdir(exist_ok=True)
    nut(10.0, 2)
    rng = np.random.default_rng(0)
    x = rng.uniform([-1, -1, 0], [1, 1, 0.5], (20000, 3))
    inside = np.hypot(x[:, 0], x[:, 1]) > 0.53
    for a in np.pi / 6 + np.pi / 3 * np.arange(6):
        inside &= x[:, 0] * np.cos(a) + x[:, 1] * np.sin(a) < np.sqrt(0.75) - 0.01
    points = x[inside][:1000].T.copy()
    values = []
    for width in (0.1, 0.05):
        corners, tets = nut(width, 3)
        m = MeshTet(corners.T.copy(), tets.T.copy())
        basis = Basis(m, ElementTetP2())
        middle = m.p[:, m.facets].mean(axis=1)
        edge = m.boundary_facets()
        bore = edge[np.hypot(middle[0, edge], middle[1, edge]) < 0.6]
        # The bore's facets stand upright; those of top and bottom beside it do not reach its middle height.
        bore = bore[(middle[2, bore] > 1e-9) & (middle[2, bore] < 0.5 - 1e-9)]
        others = FacetBasis(m, ElementTetP2(), facets=np.setdiff1d(edge, bore))
        stiffness = BilinearForm(lambda u, v, w: dot(grad(u), grad(v))).assemble(basis)
        stiffness += BilinearForm(lambda u, v, w: 2 * u * v).assemble(others)
        fixed = basis.get_dofs(bore).all()
        u = basis.zeros()
        u[fixed] = 1
        u = solve(*condense(stiffness, basis.zeros(), x=u, D=fixed))
        values.append(basis.probes(points) @ u)
        print(f"nut: {u.size} unknowns of width {width}", flush=True)
    coarse, fine = values
    print(f"nut: own error {np.linalg.norm(fine - coarse) / np.linalg.norm(fine) / 7:.1e}, greatest {np.abs(fine - coarse).max() / 7:.1e}")
    np.savetxt(DATA / "nut.csv", np.c_[points.T, fine], delimiter=",", header="x,y,z,T", comments="", fmt="%.9g")


CASES = {
    "nut": heat_in_nut,
    "four-holes": lambda: reference("four-holes", 0.5, FOUR_HOLES, 0, lambda x, y: 0 * x, 1, 0, 0.01),
    "poisson-boltzmann": lambda: reference(
        "poisson-boltzmann", 1, CIRCLES, 8,
        lambda x, y: 10 * (17 + x**2 + y**2) * np.sin(np.pi * x) * np.sin(4 * np.pi * y), 0.2, 1, 0.02),
}

if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("names", nargs="*", default=list(CASES))
    for name in p.parse_args().names:
        CASES[name]()
