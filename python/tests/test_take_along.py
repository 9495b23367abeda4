"""Networks in other packages; what is not installed is said clearly."""

import pickle
import sys

import numpy as np
import pytest

import pinn_solve as ps


@pytest.fixture
def points(rng):
    return rng.random((20, 2)) * [1, 0.5]


def test_files(waves, tmp_path):
    written = waves.export(tmp_path / "waves.c")
    assert sorted(path[-2:] for path in written) == [".c", ".h"]
    with pytest.raises(FileExistsError):
        waves.export(tmp_path / "waves.c")
    waves.export(tmp_path / "waves.c", overwrite=True)
    with pytest.raises(ps.ProblemError, match="ending"):
        waves.export(tmp_path / "waves.xyz")
    with pytest.raises(ps.ProblemError, match="precision"):
        waves.export(tmp_path / "waves.js", single=True)
    assert len(waves.to_onnx()) > len(waves.to_onnx(single=True)) > 100


def test_onnx(waves, points):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(waves.to_onnx(), providers=["CPUExecutionProvider"])
    [found] = session.run(None, {session.get_inputs()[0].name: points})
    assert np.allclose(found, waves.predict(points), rtol=1e-12, atol=1e-14)


def test_torch(waves, points):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    module = waves.to_torch()
    at = torch.from_numpy(points).requires_grad_()
    found = module(at)
    assert np.allclose(found.detach(), waves.predict(points), rtol=1e-12, atol=1e-14)
    # PyTorch's derivatives to the points are the program's own, and those to the parameters are differences.
    (slopes,) = torch.autograd.grad(found[:, 0].sum(), at, create_graph=True)
    (curves,) = torch.autograd.grad(slopes[:, 0].sum(), at)
    u_x, u_t, u_xx = waves.predict(points, ["u_x", "u_t", "u_xx"])
    assert np.allclose(slopes.detach(), np.stack([u_x, u_t], axis=1), rtol=1e-10, atol=1e-12)
    assert np.allclose(curves[:, 0], u_xx, rtol=1e-9, atol=1e-11)
    weights = next(p for p in module.parameters() if p.ndim == 2)
    (gradient,) = torch.autograd.grad(module(torch.from_numpy(points)).sum(), weights)
    with torch.no_grad():
        values = []
        for change in (1e-6, -2e-6):
            weights[0, 0] += change
            values.append(float(module(torch.from_numpy(points)).sum()))
    assert float(gradient[0, 0]) == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-6, abs=1e-8)
    assert waves.to_torch(single=True)(at.float()).dtype == torch.float32
    assert pickle.loads(pickle.dumps(module))(at).equal(module(at))


def test_torch_has_what_onnx_runtime_lacks(points):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    run = ps.solve("heat", activation="erf", depth=2, width=8, steps=5, seed=1)
    with pytest.raises(ps.ProblemError, match="erf"):
        run.to_onnx()
    assert np.allclose(run.to_torch()(torch.from_numpy(points))[:, 0].detach(), run.predict(points), rtol=1e-12, atol=1e-14)


def test_xarray(waves):
    pytest.importorskip("xarray")
    data = waves.to_xarray(["u", "u_x"], {"x": 5, "t": [0.1, 0.2]})
    assert data["u"].dims == ("x", "t") and data["u"].shape == (5, 2) and data["u"].units == "K" and data["x"].units == "m"
    assert float(data["u_x"][1, 1]) == waves.predict({"x": 0.25, "t": 0.2}, "u_x")


def test_pyvista(waves):
    pytest.importorskip("pyvista")
    mesh = waves.to_pyvista("u", {"x": 5, "t": 3})
    assert mesh.dimensions == (5, 3, 1)
    assert np.array_equal(mesh.point_data["u"], waves.predict(mesh.points[:, :2].astype(float), "u"))
    assert waves.to_pyvista().dimensions[1:] == (1, 1), "at the end of time"


def test_figures(decay, waves, tmp_path):
    pytest.importorskip("matplotlib")
    for name, figure in {"decay": decay.plot(), "waves": waves.plot(["u", "v", "u_xx"], at={"t": 0.1}), "both": waves.plot()}.items():
        path = tmp_path / f"{name}.png"
        figure.savefig(path)
        assert path.stat().st_size > 5000
        # What notebooks ask for.
        assert figure._repr_png_().startswith(b"\x89PNG")
    titles = [axes.get_title() for axes in waves.plot("u", at={"t": 0.1}).axes]
    assert titles[0] == "u [K] at t = 0.1" and "training" in titles
    with pytest.raises(ValueError, match="coordinate"):
        decay.plot(at={"y": 1})


def test_grids_are_refused_clearly(waves):
    for wrong in (0, 10**9, {"y": 3}, {"x": []}, {"x": [np.nan]}, {"x": [[1.0]]}):
        with pytest.raises(ValueError):
            waves.grid(wrong)
    assert {name: len(axis) for name, axis in waves.grid({"x": 3, "t": 0.5}).items()} == {"x": 3, "t": 1}


@pytest.mark.parametrize("module, ask", [("xarray", "to_xarray"), ("pyvista", "to_pyvista"), ("torch", "to_torch"), ("matplotlib", "plot")])
def test_what_is_missing_is_named(waves, monkeypatch, module, ask):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=f"pip install {module}"):
        getattr(waves, ask)()


def test_integrals(decay):
    assert decay.integrate("u").value == pytest.approx((1 - np.exp(-2)) / 2, abs=1e-2)
    with pytest.raises(ps.ProblemError):
        decay.integrate("u", "nowhere")
