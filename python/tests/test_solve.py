"""Problems in, runs out: the same numbers as the program, and what can be asked of them."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import warnings

import numpy as np
import pytest
from conftest import DECAY, WAVES

import pinn_solve as ps

PROGRAM = os.path.join(sysconfig.get_path("scripts"), "pinn-solve")


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What the program in the wheel makes of the same file."""
    home = tmp_path_factory.mktemp("program")
    (home / "problem.toml").write_text(DECAY)
    command = [PROGRAM, "problem.toml", "--seed", "3", "--threads", "2", "--no-plots", "--out", "run", "--json"]
    ended = subprocess.run(command, cwd=home, capture_output=True, text=True)
    assert ended.returncode in (0, 3), ended.stderr
    return home / "run", json.loads(ended.stdout)


def test_the_bits_are_those_of_the_program(printed):
    folder, result = printed
    run, theirs = ps.solve(DECAY, seed=3, threads=1), ps.load(folder)
    assert np.array_equal(run.theta, theirs.theta)
    own = {key: value for key, value in run.result.items() if key not in UNEQUAL}
    assert own == {key: value for key, value in result.items() if key not in UNEQUAL}
    assert run.error == result["unknowns"]["u"]["rel_l2"]
    assert np.array_equal(run.history["loss"], theirs.history["loss"])
    points = np.linspace(0, 1, 7)
    assert np.array_equal(run.predict(points), theirs.predict(points))


# What is the clock's or the machine's.
UNEQUAL = ("seconds", "step_ms", "threads", "device_detail", "peak_memory_bytes", "files")


def test_the_program_predicts_the_same(printed):
    folder, _ = printed
    command = [PROGRAM, "predict", "run", "--grid", "x=5", "--quantity", "u", "--quantity", "u_xx"]
    ended = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=True)
    rows = np.array([line.split(",") for line in ended.stdout.split()[1:]], dtype=float)
    u, u_xx = ps.load(folder).predict(rows[:, :1], ["u", "u_xx"])
    assert np.array_equal(np.stack([u, u_xx], 1), rows[:, 1:])


def test_a_run_says_what_it_is_worth(decay):
    assert decay.outcome == "done" and decay.steps > 40
    assert decay.verdict in ("solved", "doubtful") and decay.judge().word == decay.verdict
    points = np.linspace(0, 1, 1001)
    exact = np.exp(-2 * points)
    error = np.linalg.norm(decay.predict(points) - exact) / np.linalg.norm(exact)
    assert decay.error == pytest.approx(error, rel=1e-2) and decay.error < 1e-2
    assert decay.errors["u"].max_error >= decay.errors["u"].rms_error > 0
    history = decay.history
    assert {"step", "loss", "seconds", "stage", "gradient_norm", "terms.physics"} <= set(history)
    assert {len(column) for column in history.values()} == {len(history["step"])}
    assert history["step"][0] == 1 and history["step"].dtype.kind == "i" and history["stage"][0] == "adam"
    assert history["loss"][-1] < 1e-2 * history["loss"][0]
    assert decay.loss == pytest.approx(decay.terms["physics"] + decay.terms.get("start", 0))
    assert "Decay" in decay.title and "done" in repr(decay) and "%.2e" % decay.error in repr(decay)


def test_names_paths_and_texts_are_one_problem(tmp_path, decay):
    path = tmp_path / "problem.toml"
    path.write_text(DECAY)
    for problem in (path, str(path), ps.check(DECAY), ps.Problem.parse(DECAY), ps.Problem.read(path)):
        assert np.array_equal(ps.solve(problem, threads=2).theta, decay.theta)
    assert "heat" in ps.problems() and ps.check("heat").name == "heat"


def test_changes_are_those_of_the_flags():
    changed = ps.check(DECAY, seed=7, depth=3, width=5, points=33, steps=50, set={"parameters.k": 3})
    toml = changed.to_toml(resolved=True)
    assert "seed = 7" in toml and "width = 5" in toml and changed.parameters == {"k": 3.0}
    again = ps.Problem.parse(toml)
    assert again.to_toml(resolved=True) == toml
    assert changed.changed(set={"parameters.k": 4}).parameters == {"k": 4.0}
    for wrong in ({"sede": 1}, {"set": {"parameters.k": object()}}):
        with pytest.raises(TypeError):
            ps.check(DECAY, **wrong)
    for wrong in ({"lr": -1.0}, {"steps": -3}, {"points": 0}, {"points": 2**70}, {"depth": -1}, {"seed": 2**80}, {"scale": float("nan")}):
        with pytest.raises(ps.ProblemError):
            ps.check(DECAY, **wrong)


def test_mistakes_have_a_place_and_a_hint():
    with pytest.raises(ps.ProblemError) as caught:
        ps.check(DECAY.replace("u_x + k*u", "u_x + kk*u").replace("u - 1", "u - sinn(x)"))
    error = caught.value
    lines = (DECAY.split("\n").index('residual = "u_x + k*u"') + 1, DECAY.split("\n").index('residual = "u - 1"') + 1)
    assert [item.line for item in error.diagnostics] == list(lines) and error.line == lines[0]
    assert error.column == len('residual = "u_x + ') + 1 and error.diagnostics[0].length == 2
    assert "kk" in error.message and error.hint and "k" in error.hint
    assert "kk" in str(error) and isinstance(error, ValueError)
    again = pickle.loads(pickle.dumps(error))
    assert again.diagnostics == error.diagnostics and str(again) == str(error)
    with pytest.raises(ps.ProblemError, match="burgers"):
        ps.solve("burger")
    with pytest.raises(ps.FileError, match="nowhere.toml"):
        ps.solve("nowhere.toml")
    with pytest.raises(ps.FileError, match="no run"):
        ps.load("python")
    with pytest.raises(ps.ProblemError) as caught:
        ps.check("")
    assert str(caught.value)


def test_a_folder_is_the_programs_and_is_not_overwritten(tmp_path, decay):
    folder = tmp_path / "run"
    run = ps.solve(DECAY, out=folder, threads=1)
    assert run.folder == str(folder) and (folder / "result.json").is_file()
    with pytest.raises(ps.FileError, match="exists already"):
        ps.solve(DECAY, out=folder)
    saved = decay.save(tmp_path / "copy")
    assert np.array_equal(saved.theta, run.theta)
    with pytest.raises(ps.FileError, match="exists already"):
        decay.save(tmp_path / "copy")


def test_a_temporary_folder_goes_with_its_run():
    with pytest.warns(ps.NotSolvedWarning):
        run = ps.solve(DECAY, steps=3, threads=1)
    folder = run.folder
    assert os.path.isdir(folder)
    del run
    assert not os.path.exists(os.path.dirname(folder))


def test_runs_and_problems_are_pickled(decay, waves):
    points = np.random.default_rng(1).random((9, 2)) * [1, 0.5]
    for run, at in ((decay, points[:, :1]), (waves, points)):
        again = pickle.loads(pickle.dumps(run))
        assert again.folder != run.folder and again.result == run.result
        assert np.array_equal(again.predict(at), run.predict(at), equal_nan=True)
        assert np.array_equal(again.history["loss"], run.history["loss"])
    problem = ps.check(DECAY, seed=5)
    assert pickle.loads(pickle.dumps(problem)).to_toml(resolved=True) == problem.to_toml(resolved=True)
    network = problem.network(problem.objective(threads=1).initial)
    assert np.array_equal(pickle.loads(pickle.dumps(network)).theta, network.theta)


def test_progress_is_told_and_may_stop_training():
    seen = []
    ps.solve(DECAY, threads=1, progress=lambda *told: seen.append(told))
    step, steps, stage, loss, error = seen[-1]
    assert step == steps and stage == "lbfgs" and loss > 0

    def fails(*told):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        ps.solve(DECAY, threads=1, progress=fails)
    with pytest.raises(TypeError):
        ps.solve(DECAY, progress=3)


def test_two_threads_solve_at_once(decay):
    found = {}

    def work(k):
        with warnings.catch_warnings():
            found[k] = ps.solve(DECAY, seed=k, threads=1).theta

    workers = [threading.Thread(target=work, args=(k,)) for k in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert np.array_equal(found[0], decay.theta)
    assert not np.array_equal(found[1], decay.theta)


def test_other_threads_run_while_it_trains():
    ticks, stop = [0], threading.Event()

    def tick():
        while not stop.wait(0.001):
            ticks[0] += 1

    ticker = threading.Thread(target=tick)
    ticker.start()
    ps.solve(DECAY, steps=2000, threads=1, progress=None)
    stop.set()
    ticker.join()
    assert ticks[0] > 10


INTERRUPTED = """
import os, signal, sys, threading
import pinn_solve as ps
# A shell that starts the tests in the background has them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
def told(step, *rest):
    if step >= 20 and not told.sent:
        told.sent = True
        os.kill(os.getpid(), signal.SIGINT)
told.sent = False
run = ps.solve(sys.argv[1], threads=1, progress=told, set={"training.stages": [{"adam": {"steps": 10**7}}]})
assert run.outcome == "interrupted" and 20 <= run.steps < 10**7, run
run.save(sys.argv[2])
print(run.steps)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent another way there")
def test_ctrl_c_gives_what_there_is(tmp_path):
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED, DECAY, tmp_path / "run"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) == ps.load(tmp_path / "run").steps


def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, decay):
    class Enough(Exception):
        pass

    def told(*_):
        raise Enough

    with pytest.raises(Enough):
        ps.solve(DECAY, out=tmp_path / "run", threads=1, progress=told)
    run = ps.load(tmp_path / "run", threads=1)
    # So few steps may be over before anybody is asked.
    if run.outcome == "interrupted":
        run.resume()
    assert run.outcome == "done" and np.array_equal(run.theta, decay.theta)
    with pytest.raises(ps.FileError, match="has ended"):
        run.resume()


def test_what_diverges_is_an_exception_with_its_run():
    text = DECAY.replace("u_x + k*u", "u_x + k*sqrt(-1 - u^2)")
    with pytest.raises(ps.DivergedError, match="diverged") as caught:
        ps.solve(text, threads=1)
    assert caught.value.run.outcome == "diverged"


def test_advice_and_verdicts_are_warnings():
    with pytest.warns(ps.AdviceWarning, match="unused"):
        run = ps.solve(DECAY.replace("k = 2", "k = 2\nunused = 1"), threads=1)
    assert run.outcome == "done"
    with pytest.warns(ps.NotSolvedWarning) as seen:
        ps.solve(WAVES, steps=2, threads=1)
    assert seen[-1].filename == __file__


def test_parameters_are_found():
    points = np.linspace(0, 1, 30)
    problem = ps.Problem(
        {"x": (0, 1)},
        "u",
        [
            ps.Condition("interior", "u_x + k*u", points=60),
            ps.Condition(ps.Data(x=points, seen=np.exp(-1.5 * points)), "u - seen", weight=10),
        ],
        parameters={"k": {"initial": 1.0, "true": 1.5}},
        network={"depth": 2, "width": 8},
        training={"stages": [{"ssbroyden": {"steps": 300}}]},
    )
    run = ps.solve(problem, threads=1)
    assert run.found["k"] == pytest.approx(1.5, abs=1e-3)
    assert run.standard_errors["k"] is not None and "parameters.k" in run.history
    assert pickle.loads(pickle.dumps(run)).found == run.found


def test_a_sweep_is_a_table(tmp_path):
    ended = []
    sweep = ps.sweep(
        DECAY, {"scale": [0.5, 1.0], "seed": range(2)}, out=tmp_path / "sweep", base={"network": {"width": 4}},
        threads=1, jobs=2, progress=lambda *told: ended.append(told),
    )  # fmt: skip
    assert len(sweep) == 4 and sorted(sweep.table["scale"]) == [0.5, 0.5, 1, 1] and len(ended) == 4
    assert np.isfinite(sweep.table["best_loss"]).all()
    run = sweep.load(sweep.names[0])
    assert run.result["width"] == 4 and run.verdict
    again = ps.sweep(DECAY, {"scale": [0.5, 1.0], "seed": range(2)}, out=tmp_path / "sweep", base={"network": {"width": 4}})
    assert len(again) == 4
    with pytest.raises(ps.FileError, match="another problem"):
        ps.sweep(DECAY + " ", {"scale": [0.5]}, out=tmp_path / "sweep")
    with pytest.raises(ps.ProblemError):
        ps.sweep(DECAY, {"sclae": [1, 2]}, out=tmp_path / "other")
    with pytest.raises(ValueError):
        ps.sweep(DECAY, {"scale": [1]}, out=tmp_path / "third", jobs=0)


def test_the_program_is_in_the_wheel():
    ended = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout.strip().endswith(ps.__version__)
    assert shutil.which("pinn-solve", path=os.path.dirname(PROGRAM))
