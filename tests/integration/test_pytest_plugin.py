"""The gate as tests in somebody else's repository."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from harness.evaluate import run
from harness.gate import GateConfig, gate
from harness.plan import Plan
from harness.run_files import read_run, write_run
from tests.records import make_run, samples, store, task_run
from tests.tiny import save_tiny_gpt2

pytest_plugins = ["pytester"]

ONES, ZEROS = [1.0] * 200, [0.0] * 200
FEW = [0.0] * 8 + [1.0] * 192
ACC = "margins: {acc: 0.05}\n"


@pytest.fixture(scope="module", autouse=True)
def imported(tmp_path_factory) -> None:
    """What is imported before pytester begins stays imported: scipy cannot be imported twice."""
    folder = tmp_path_factory.mktemp("runs")
    one, two = (store(folder / name, {"t": {"acc": FEW}}) for name in ("one", "two"))
    gate(one, two, GateConfig(margins={"acc": 0.05}))


@pytest.fixture
def repository(pytester) -> Path:
    """A repository with a released run, its margins, and tests of its own."""
    pytester.makepyfile(test_own="def test_own(): pass")
    folder = pytester.path
    values = {"released": ONES, "same": ONES, "worse": ZEROS, "unclear": FEW}
    for name, column in values.items():
        store(folder / "runs" / name, {"t": {"acc": column}, "u": {"acc": ONES}})
    store(folder / "runs" / "other", {"t": {"acc": ONES}, "u": {"acc": ONES}}, version=9.0)
    (folder / "gate.yaml").write_text(ACC)
    return folder


def selfcheck(candidate: str, *more: str, config: str = "gate.yaml") -> list[str]:
    line = ["--selfcheck-baseline", "runs/released", "--selfcheck-candidate", candidate]
    return [*line, "--selfcheck-config", config, *more]


def test_without_options_nothing_is_added(pytester, repository):
    pytester.runpytest().assert_outcomes(passed=1)


def test_a_test_per_task_and_metric_beside_their_own(pytester, repository):
    told = pytester.runpytest("-v", *selfcheck("runs/same"))
    told.assert_outcomes(passed=3)
    told.stdout.fnmatch_lines(["*selfcheck::t::acc PASSED*", "*selfcheck::u::acc PASSED*"])
    assert told.ret == 0


def test_a_loss_fails_with_the_reason_and_no_traceback(pytester, repository):
    told = pytester.runpytest(*selfcheck("runs/worse"))
    told.assert_outcomes(passed=2, failed=1)
    told.stdout.fnmatch_lines(["*t::acc: fail: the change, *is below -0.05*"])
    assert "Traceback" not in told.stdout.str() and "gate.py" not in told.stdout.str()


def test_inconclusive_is_a_visible_skip_or_a_failure_as_configured(pytester, repository):
    told = pytester.runpytest("-rs", *selfcheck("runs/unclear"))
    told.assert_outcomes(passed=2, skipped=1)
    told.stdout.fnmatch_lines(["SKIPPED*inconclusive*documents would settle it*"])
    (repository / "strict.yaml").write_text(ACC + "inconclusive: fail\n")
    told = pytester.runpytest(*selfcheck("runs/unclear", config="strict.yaml"))
    told.assert_outcomes(passed=2, failed=1)


def test_what_cannot_be_compared_fails_and_names_the_difference(pytester, repository):
    told = pytester.runpytest(*selfcheck("runs/other"))
    told.assert_outcomes(passed=1, failed=2)
    told.stdout.fnmatch_lines(["*not comparable: other task version: '1.0' and '9.0'*"])


def test_k_and_m_choose_among_the_checks(pytester, repository):
    pytester.runpytest("-k", "u", *selfcheck("runs/worse")).assert_outcomes(passed=1, deselected=2)
    told = pytester.runpytest("-m", "selfcheck", "--strict-markers", *selfcheck("runs/same"))
    told.assert_outcomes(passed=2, deselected=1)


def test_workers_of_xdist_agree(pytester, repository):
    told = pytester.runpytest("-n", "2", *selfcheck("runs/worse"))
    told.assert_outcomes(passed=2, failed=1)


def test_junit_holds_the_numbers(pytester, repository):
    pytester.runpytest("--junit-xml=out.xml", *selfcheck("runs/worse"))
    text = (repository / "out.xml").read_text()
    assert '<property name="difference" value="-1.0"' in text
    assert '<property name="status" value="fail"' in text


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (["--selfcheck-baseline", "runs/released"], "--selfcheck-candidate is missing"),
        (["--selfcheck-candidate", "runs/same"], "--selfcheck-baseline is missing"),
        (
            ["--selfcheck-baseline", "runs/nothing", "--selfcheck-candidate", "runs/same"],
            "run.json: cannot be read",
        ),
        (selfcheck("runs/same", config="none.yaml"), "none.yaml: cannot be read"),
        (selfcheck("runs/saem"), "there is no such run or checkpoint"),
        (selfcheck("./saem"), "there is no such run or checkpoint"),
        (["--selfcheck-config", "gate.yaml"], "--selfcheck-baseline is missing"),
        (selfcheck("runs/same", "--selfcheck-output", "kept"), "the candidate is a run"),
        (selfcheck("runs/same", "--selfcheck-config", "wrong.yaml"), "Did you mean 'acc'"),
    ],
)
def test_wrong_options_stop_before_any_test(pytester, repository, line, complaint):
    (repository / "wrong.yaml").write_text("margins: {ac: 0.05}")
    told = pytester.runpytest(*line)
    assert told.ret == pytest.ExitCode.USAGE_ERROR
    assert complaint in told.stderr.str() + told.stdout.str()


def test_a_run_damaged_meanwhile_fails_every_check_with_the_file(pytester, repository):
    file = repository / "runs" / "same" / "samples_t.jsonl"
    file.write_text(file.read_text()[:-50])
    told = pytester.runpytest(*selfcheck("runs/same"))
    told.assert_outcomes(passed=1, failed=2)
    told.stdout.fnmatch_lines(["*samples_t.jsonl, line 200*damaged*"])


def test_notes_are_told_with_a_failure(pytester, repository):
    store(repository / "runs" / "cut", {"t": {"acc": ZEROS}, "u": {"acc": ONES}}, prompts_cut=9)
    told = pytester.runpytest(*selfcheck("runs/cut"))
    told.stdout.fnmatch_lines(["*Captured notes call*", "*t: prompts lost their start in*"])


def test_a_failure_while_scoring_is_told_of_every_check_and_not_tried_again(
    pytester, repository, monkeypatch
):
    tries = []

    def crash(plan):
        tries.append(plan)
        raise RuntimeError("out of memory")

    monkeypatch.setattr("harness.evaluate.run", crash)
    monkeypatch.setattr("harness.selection.match_names", lambda *_: [])
    (repository / "model").mkdir()
    told = pytester.runpytest(*selfcheck("model"))
    told.assert_outcomes(passed=1, failed=2)
    told.stdout.fnmatch_lines(["*RuntimeError: out of memory*"])
    assert len(tries) == 1


def test_tasks_that_are_not_installed_stop_before_a_checkpoint_is_scored(pytester, repository):
    (repository / "model").mkdir()
    told = pytester.runpytest(*selfcheck("model"))
    assert told.ret == pytest.ExitCode.USAGE_ERROR
    assert "unknown task: got 't'" in told.stderr.str() + told.stdout.str()


TASK = "sample_truthfulness_mc1"


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Path:
    """A checkpoint with its run."""
    folder = tmp_path_factory.mktemp("released")
    save_tiny_gpt2(folder / "model", chat=True)
    plan = Plan(
        "hf",
        (TASK,),
        {"pretrained": str(folder / "model"), "dtype": "float32"},
        subset=40,
        subset_seed=3,
        batch_size=8,
        options={"apply_chat_template": True, "system_instruction": "Be true."},
    )
    write_run(run(plan), folder / "released")
    (folder / "gate.yaml").write_text("margins: {acc: 0.1}\n")
    return folder


@pytest.fixture
def scored(released, pytester) -> Path:
    """The same, and a copy of the checkpoint."""
    shutil.copytree(released, pytester.path, dirs_exist_ok=True)
    shutil.copytree(released / "model", pytester.path / "copy")
    return pytester.path


def gate_of(folder: Path, candidate: str, *more: str) -> list[str]:
    line = ["--selfcheck-baseline", str(folder / "released"), "--selfcheck-candidate"]
    return [*line, str(folder / candidate), "--selfcheck-config", str(folder / "gate.yaml"), *more]


def test_a_checkpoint_is_scored_as_the_baseline_was(pytester, scored):
    kept = scored / "kept"
    line = gate_of(scored, "copy", "--selfcheck-output", str(kept))
    pytester.runpytest_subprocess(*line).assert_outcomes(passed=1)
    ours, theirs = read_run(scored / "released"), read_run(kept)
    assert ours.tasks[TASK].metrics == theirs.tasks[TASK].metrics
    assert ours.scores(TASK).hashes == theirs.scores(TASK).hashes
    assert ours.record.model.fingerprint == theirs.record.model.fingerprint
    for name in ("apply_chat_template", "system_instruction", "subset", "subset_seed"):
        assert getattr(ours.record.settings, name) == getattr(theirs.record.settings, name)


def test_a_checkpoint_under_xdist_is_scored_once(pytester, scored):
    (scored / "gate.yaml").write_text("margins: {acc: 0.1, lift: 0.2, ties: 0.1}\n")
    kept = scored / "kept"
    line = gate_of(scored, "copy", "--selfcheck-output", str(kept), "-n", "2")
    pytester.runpytest_subprocess(*line).assert_outcomes(passed=3)
    assert read_run(kept).record.tasks[TASK].documents == 40


def diverge(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    weights["transformer.ln_f.weight"][:] = float("nan")
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})


def test_no_checkpoint_gets_the_scores_of_another(pytester, scored, monkeypatch):
    monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", "as if inside a worker")
    pytester.runpytest_subprocess(*gate_of(scored, "model")).assert_outcomes(passed=1)
    diverge(scored / "copy")
    pytester.runpytest_subprocess(*gate_of(scored, "copy")).assert_outcomes(failed=1)


def test_a_diverged_checkpoint_fails(pytester, scored):
    diverge(scored / "copy")
    told = pytester.runpytest_subprocess(*gate_of(scored, "copy"))
    told.assert_outcomes(failed=1)
    told.stdout.fnmatch_lines(["*acc: fail: the task failed in copy: *score is nan*"])


def test_a_checkpoint_that_cannot_be_loaded_fails_with_the_cause(pytester, scored):
    (scored / "copy" / "model.safetensors").write_bytes(b"no weights")
    told = pytester.runpytest_subprocess(*gate_of(scored, "copy"))
    told.assert_outcomes(failed=1)
    told.stdout.fnmatch_lines(["*cannot be loaded*"])


def test_a_baseline_that_was_no_checkpoint_cannot_score_one(pytester):
    tasks = {"t": task_run({"acc": ONES})}
    made = make_run(tasks, {"t": samples({"acc": ONES})}, backend="planted", args={})
    write_run(made, pytester.path / "planted")
    (pytester.path / "model").mkdir()
    line = ["--selfcheck-baseline", "planted", "--selfcheck-candidate", "model"]
    told = pytester.runpytest(*line)
    assert told.ret == pytest.ExitCode.USAGE_ERROR
    assert "was no checkpoint" in told.stderr.str()
