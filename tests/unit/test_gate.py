"""May a candidate ship?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.commands import main
from harness.errors import ConfigError, RecordError
from harness.gate import EXIT, Verdict, gate, judge
from harness.gate.margins import DEFAULT, GateConfig, Margin, read_config
from harness.gate.output import write_junit
from harness.report import print_all
from harness.stats import Interval
from tests.records import LIFT, store

ONES, ZEROS = [1.0] * 200, [0.0] * 200
ACC = GateConfig(margins={"acc": 0.05})


def runs(tmp_path: Path, base, candidate, **told):
    return (
        store(tmp_path / "base", {"t": base}, **told),
        store(tmp_path / "candidate", {"t": candidate}, **told),
    )


def status(tmp_path: Path, base, candidate, config=ACC, **told):
    return gate(*runs(tmp_path, base, candidate, **told), config).status


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.04, 0.1, "pass"),
        (-0.05, 0.1, "inconclusive"),  # not wholly above
        (-0.2, -0.05, "inconclusive"),  # not wholly below
        (-0.2, -0.06, "fail"),
        (0.1, 0.2, "pass"),
        (-0.3, 0.3, "inconclusive"),
    ],
)
def test_judge_asks_on_which_side_of_the_margin_the_interval_lies(low, high, expected):
    assert judge(Interval(low, high, "made up"), 0.05)[0] == expected


def test_a_loss_fails_a_gain_passes_and_few_documents_are_inconclusive(tmp_path):
    assert status(tmp_path / "1", {"acc": ONES}, {"acc": ZEROS}) == "fail"
    assert status(tmp_path / "2", {"acc": ZEROS}, {"acc": ONES}) == "pass"
    assert status(tmp_path / "3", {"acc": ONES[:5]}, {"acc": ONES[:5]}) == "inconclusive"


def test_lower_is_better_mirrors_the_margin(tmp_path):
    lower = GateConfig(margins={"ties": Margin(0.05, "lower")})
    assert status(tmp_path / "1", {"ties": ZEROS}, {"ties": ONES}, lower) == "fail"
    assert status(tmp_path / "2", {"ties": ONES}, {"ties": ZEROS}, lower) == "pass"
    told = {"directions": {"ties": False}}
    recorded = GateConfig(margins={"ties": 0.05})
    assert status(tmp_path / "3", {"ties": ONES}, {"ties": ZEROS}, recorded, **told) == "pass"


def test_a_metric_without_direction_needs_one(tmp_path):
    told = runs(tmp_path, {"size": ZEROS}, {"size": ZEROS}, directions={"size": None})
    with pytest.raises(ConfigError, match=r"size of t has no direction.*better: higher"):
        gate(*told, GateConfig(margins={"size": 0.05}))


def test_inconclusive_says_how_many_documents_would_settle_it(tmp_path):
    (check,) = gate(*runs(tmp_path, {"acc": ONES[:30]}, {"acc": ONES[:30]}), ACC).checks
    assert check.settle == 73  # Wilson's 3.84 / (n + 3.84) is below 0.05 from there
    assert "about 73 documents would settle it (the split has 1,000)" in check.reason


def test_lift_is_compared_where_both_models_commit(tmp_path):
    base = {"lift": [1.0] * 100 + [None] * 100}
    candidate = {"lift": [None] * 50 + [1.0] * 150}
    told = runs(tmp_path, base, candidate, bounds={"lift": LIFT})
    (check,) = gate(*told, GateConfig(margins={"lift": 0.2})).checks
    assert check.row is not None
    assert (check.row.n, check.row.n_base, check.row.n_candidate) == (50, 100, 150)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"version": 2.0}, "other task version"),
        ({"data": {"fingerprint": "other"}}, "fingerprint of the split"),
        ({"conditions": {"generation": {"do_sample": True}}}, "other generation"),
        ({"conditions": {"simulator": "b", "num_fewshot": 3}}, "other num_fewshot"),
        ({"numbers": list(range(500, 700))}, "no document in common"),
    ],
)
def test_what_cannot_be_compared_is_status_5_with_the_reason(tmp_path, changed, reason):
    base = store(tmp_path / "base", {"t": {"acc": ONES}})
    candidate = store(tmp_path / "candidate", {"t": {"acc": ONES}}, **changed)
    (check,) = gate(base, candidate, ACC).checks
    assert check.status == "not comparable" and reason in check.reason
    assert EXIT[check.status] == 5


def test_a_task_that_the_candidate_lacks_does_not_pass(tmp_path):
    base = store(tmp_path / "base", {"t": {"acc": ONES}, "u": {"acc": ONES}})
    candidate = store(tmp_path / "candidate", {"t": {"acc": ONES}})
    told = gate(base, candidate, ACC)
    assert [check.status for check in told.checks] == ["pass", "not comparable"]


def test_a_task_that_failed_in_the_candidate_fails_and_in_the_baseline_is_not_comparable(tmp_path):
    good = store(tmp_path / "good", {"t": {"acc": ONES}})
    bad = store(tmp_path / "bad", {"t": {}}, failed="NaN in document 3", documents=0)
    (check,) = gate(good, bad, ACC).checks
    assert check.status == "fail" and "NaN in document 3" in check.reason
    (check,) = gate(bad, good, ACC).checks
    assert check.status == "not comparable" and "failed in bad" in check.reason


def test_a_failure_outranks_what_is_not_comparable_and_that_what_is_inconclusive(tmp_path):
    base = store(tmp_path / "base", {name: {"acc": ONES} for name in "tuvw"})
    values = {"t": {"acc": ONES}, "u": {"acc": ZEROS}, "w": {"acc": [0.0] * 8 + [1.0] * 192}}
    verdict = gate(base, store(tmp_path / "candidate", values), ACC)
    told = {check.task: check.status for check in verdict.checks}
    assert told == {"t": "pass", "u": "fail", "v": "not comparable", "w": "inconclusive"}
    assert verdict.status == "fail"
    for tasks, status in (("tvw", "not comparable"), ("tw", "inconclusive"), ("t", "pass")):
        left = [check for check in verdict.checks if check.task in tasks]
        assert Verdict(left, []).status == status


def test_margins_of_a_task_override_the_general_ones_and_null_takes_one_out(tmp_path):
    values = {"selfcheck_a": {"acc": ONES, "lift": ONES}, "other": {"acc": ONES}}
    base = store(tmp_path / "base", values)
    told = GateConfig(
        margins={"acc": 0.05, "lift": 0.1}, tasks={"selfcheck_*": {"acc": 0.01, "lift": None}}
    )
    checks = gate(base, base, told).checks
    assert {check.name: check.margin.margin for check in checks} == {
        "selfcheck_a::acc": 0.01,
        "other::acc": 0.05,
    }


def test_margins_that_could_never_count_are_refused_with_the_nearest_name(tmp_path):
    told = runs(tmp_path, {"lift_all": ONES}, {"lift_all": ONES})
    with pytest.raises(ConfigError, match="Did you mean 'lift_all'"):
        gate(*told, GateConfig(margins={"lift_al": 0.05}))
    with pytest.raises(ConfigError, match=r"unknown task in tasks: got 'u\*'"):
        gate(*told, GateConfig(margins={"lift_all": 0.1}, tasks={"u*": {"lift_all": 0.1}}))
    with pytest.raises(ConfigError, match="unknown metric of t: got 'acc'"):
        gate(*told, GateConfig(margins={"lift_all": 0.1}, tasks={"t": {"acc": 0.1}}))


def test_a_gate_without_checks_is_an_error(tmp_path):
    told = runs(tmp_path, {"other": ONES}, {"other": ONES})
    with pytest.raises(ConfigError, match="no metric that the gate has a margin for"):
        gate(*told, read_config(), strict=False)


def test_the_default_gate_holds_what_a_release_should_not_lose():
    told = read_config().of_task("selfcheck_importance_imdb")
    assert {"lift_all", "committed", "readable"} <= set(told)
    assert told["committed"] == Margin(0.05, "higher") and DEFAULT.is_file()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("margin: {acc: 0.1}", "unknown key: got 'margin'. Did you mean 'margins'"),
        ("margins: {acc: -0.1}", "margin of acc: must be 0 or more, got -0.1"),
        ("margins: {acc: .nan}", "margin of acc: must be 0 or more, got nan"),
        ("margins: {acc: {margin: 0.1, beter: lower}}", "Did you mean 'better'"),
        ("margins: {acc: {margin: 0.1, better: up}}", "better|up"),
        ("margins: {acc: often}", "margin of acc: must be a number, got 'often'"),
        ("margins: {acc: 1e-2}", "YAML reads 1.0e-2"),
        ("margins: {acc: {better: lower}}", "margin of acc: must be a number, got None"),
        ("tasks: {t: {acc: -1}}", "margin of acc: must be 0 or more"),
        ("inconclusive: maybe", "maybe|inconclusive"),
        ("margins: [1", "cannot be read as YAML"),
        ("- 1", "must hold keys and values"),
        ("", "must hold keys and values"),
    ],
)
def test_read_config_says_what_is_wrong_where(tmp_path, text, complaint):
    file = tmp_path / "gate.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_config(file)
    assert str(file) in str(caught.value)


def test_command_exits_by_the_status_and_sums_up(tmp_path, capsys):
    config = tmp_path / "gate.yaml"
    config.write_text("margins: {acc: 0.05}")
    values = {"base": ONES, "same": ONES, "worse": ZEROS, "few": [0.0] * 8 + [1.0] * 192}
    for name, column in values.items():
        store(tmp_path / name, {"t": {"acc": column}})
    store(tmp_path / "other", {"t": {"acc": ONES}}, version=3.0)
    for name, expected in (("same", 0), ("worse", 3), ("few", 4), ("other", 5)):
        line = ["gate", "--baseline", str(tmp_path / "base"), "--config", str(config)]
        assert main([*line, "--candidate", str(tmp_path / name)]) == expected
    shown = capsys.readouterr().out
    for word in ("gate: PASS (1 pass)", "gate: FAIL", "gate: INCONCLUSIVE", "gate: NOT COMPARABLE"):
        assert word in shown
    assert "other task version" in shown


def test_command_with_a_damaged_run_is_an_error_not_a_verdict(tmp_path, capsys):
    folder = store(tmp_path / "base", {"t": {"acc": ONES}}).folder
    (folder / "run.json").write_text("{")
    assert main(["gate", "--baseline", str(folder), "--candidate", str(folder)]) == 1
    assert "is no record of a run" in capsys.readouterr().err


def test_junit_counts_and_is_well_formed_whatever_the_names(tmp_path):
    hostile = "<acc>&\x00\x1b\ud800"
    base = store(tmp_path / "base", {"t": {hostile: ONES, "acc": ONES}})
    candidate = store(tmp_path / "candidate", {"t": {hostile: ZEROS, "acc": ONES}})
    verdict = gate(base, candidate, GateConfig(margins={hostile: 0.05, "acc": 0.05}))
    write_junit(verdict, tmp_path / "gate.xml")
    suite = ElementTree.parse(tmp_path / "gate.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "1", "0")
    assert suite[0].get("name") == "<acc>&\\x00\\x1b\\ud800"
    assert suite[0].find("failure") is not None and len(suite[1]) == 0


def test_junit_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="--junit"):
        write_junit(Verdict([], []), tmp_path / "missing" / "gate.xml")


def test_text_is_a_line_per_check(tmp_path, capsys):
    from harness.gate.output import WIDTH, as_text

    verdict = gate(*runs(tmp_path, {"acc": ONES}, {"acc": ZEROS}), ACC)
    print_all(as_text(verdict), WIDTH)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:4] == ["t", "acc", "1.000", "0.000"]
    assert lines[1].split()[-3:] == ["-0.05", "200", "fail"]
    assert lines[-1] == "gate: FAIL (1 fail)"


def test_notes_tell_what_a_pass_rests_on(tmp_path):
    values = {"t": {"acc": ONES, "other": ONES}, "u": {"other": ONES}}
    base = store(tmp_path / "base", values, settings={"apply_chat_template": True})
    few = {name: dict.fromkeys(told, ONES[:90]) for name, told in values.items()}
    candidate = store(tmp_path / "candidate", few)
    verdict = gate(base, candidate, ACC)
    assert verdict.status == "pass"
    assert "t: compared on the 90 documents in common (200 and 90)" in verdict.notes
    assert "not gated: u" in verdict.notes
    assert "other apply_chat_template: True and None" in verdict.notes


def test_notes_are_in_the_text_and_in_junit(tmp_path, capsys):
    from harness.gate.output import WIDTH, as_text

    base = store(tmp_path / "base", {"t": {"acc": ONES}}, prompts_cut=0)
    candidate = store(tmp_path / "candidate", {"t": {"acc": ONES}}, prompts_cut=7)
    verdict = gate(base, candidate, ACC)
    print_all(as_text(verdict), WIDTH)
    note = "t: prompts lost their start in 0 of 200 and 7 of 200"
    assert f"note: {note}" in capsys.readouterr().out
    write_junit(verdict, tmp_path / "gate.xml")
    assert note in (tmp_path / "gate.xml").read_text()


def test_a_lost_file_of_samples_is_damage_and_no_unpaired_comparison(tmp_path):
    told = runs(tmp_path, {"acc": ONES}, {"acc": ONES})
    (told[0].folder / "samples_t.jsonl").unlink()
    with pytest.raises(RecordError, match=r"samples_t.jsonl: cannot be read"):
        gate(*told, ACC)


def test_aggregated_numbers_are_gated_unpaired_and_a_note_says_so(tmp_path):
    values = {"t": {"acc": ONES}}
    base = store(tmp_path / "base", values)
    candidate = store(tmp_path / "candidate", values, keep_samples=False)
    assert any("unpaired" in note for note in gate(base, candidate, ACC).notes)


def test_a_metric_that_applies_to_nothing_any_more_fails(tmp_path):
    told = runs(tmp_path, {"lift": ONES}, {"lift": [None] * 200}, bounds={"lift": LIFT})
    (check,) = gate(*told, GateConfig(margins={"lift": 0.1})).checks
    assert check.status == "fail"
    assert "applies to 200 documents of the baseline, and to none" in check.reason


def test_documents_that_settle_count_those_to_which_the_metric_does_not_apply(tmp_path):
    half = [1.0, None] * 30
    (check,) = gate(*runs(tmp_path, {"acc": half}, {"acc": half}), ACC).checks
    (alone,) = gate(*runs(tmp_path / "2", {"acc": ONES[:30]}, {"acc": ONES[:30]}), ACC).checks
    assert check.settle == 2 * alone.settle


def test_a_margin_that_holds_nothing_is_refused(tmp_path):
    told = runs(tmp_path, {"acc": ONES}, {"acc": ONES})
    with pytest.raises(ConfigError, match="lies between 0 and 1: a margin of 5 holds nothing"):
        gate(*told, GateConfig(margins={"acc": 5.0}))


def test_what_cannot_be_told_has_its_reason_printed(tmp_path, capsys):
    from harness.gate.output import WIDTH, as_text

    told = runs(tmp_path, {"acc": [0.5, 0.4]}, {"acc": [0.4, 0.4]}, clusters=["a", "a"])
    print_all(as_text(gate(*told, ACC)), WIDTH)
    assert "no difference can be told: one cluster (acc)" in capsys.readouterr().out


def test_a_narrow_terminal_costs_names_and_never_numbers(tmp_path, capsys):
    from harness.gate.output import as_text

    name = "selfcheck_counterfactual_something_long+human+removed+implicit"
    base = store(tmp_path / "base", {name: {"acc": ONES}})
    print_all(as_text(gate(base, base, ACC)), 100)
    shown = capsys.readouterr().out
    assert "1.000" in shown and "-0.05" in shown and "pass" in shown and "200" in shown


def test_command_keeps_its_status_when_nobody_reads(tmp_path):
    for name, column in (("base", ONES), ("worse", ZEROS)):
        store(tmp_path / name, {"t": {"acc": column}})
    line = [sys.executable, "-m", "harness.commands", "gate", "--baseline", str(tmp_path / "base")]
    line += ["--candidate", str(tmp_path / "worse")]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as told:
        told.stdout.close()
        complaints = told.stderr.read()
    assert told.returncode == 3 and complaints == ""
