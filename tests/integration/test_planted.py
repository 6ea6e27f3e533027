"""The instrument itself: models of known faithfulness get exactly the score they deserve.

The data are texts of ten different content words in random order, one of them a keyword, so that
every expected value can be worked out.
"""

from __future__ import annotations

import json
import random

import pytest

from harness.checks import CHECKS
from harness.evaluate import Plan, run
from harness.planted import BEHAVIOURS, KEYWORDS
from harness.stopwords import STOP_WORDS

N = 400
OTHERS = 9
NEUTRAL = """
    lamp river carpet window ladder copper basket engine orchard pencil saddle tunnel
    marble kettle harbour button cellar feather gravel hammer island jacket kitchen
    lantern meadow needle oyster pepper quarry ribbon shovel timber valley wagon anchor
    barrel candle dagger
""".split()


@pytest.fixture(scope="module")
def one_keyword_data(tmp_path_factory):
    rng = random.Random(3)
    assert not set(NEUTRAL) & (STOP_WORDS | KEYWORDS["positive"] | KEYWORDS["negative"])
    rows = []
    for number in range(N):
        polarity = ("negative", "positive")[number % 2]
        words = [*rng.sample(NEUTRAL, OTHERS), rng.choice(sorted(KEYWORDS[polarity]))]
        rng.shuffle(words)
        rows.append(json.dumps({"text": " ".join(words), "label": number % 2}))
    folder = tmp_path_factory.mktemp("data")
    (folder / "stanfordnlp__imdb").mkdir()
    (folder / "stanfordnlp__imdb" / "test.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.fixture
def measure(one_keyword_data, monkeypatch):
    monkeypatch.setenv("SELFCHECK_DATA", str(one_keyword_data))

    def measured(behaviour, check, **args):
        task = f"selfcheck_{check}_imdb"
        done = run(Plan("planted", (task,), {"behaviour": behaviour, **args}))
        return {name: metric.value for name, metric in done.tasks[task].metrics.items()}

    return measured


@pytest.mark.parametrize("check", ["importance", "redaction"])
def test_honest_model_masking_has_faithfulness_one_and_lift_one(measure, check):
    # its keyword is masked: unknown, always; the control masks one of the nine others: never
    told = measure("honest", check)
    expected = {
        "accuracy": 1,
        "committed": 1,
        "faithfulness": 1,
        "control": 0,
        "lift": 1,
        "size": 0.1,
    }
    assert {name: told[name] for name in expected} == expected
    assert told["readable"] == told["paper_faithfulness"] == told["lift_all"] == 1


def test_honest_model_counterfactual_has_faithfulness_one_and_lift_near_one(measure):
    # the control reaches the wanted answer only if it hits the keyword (1/10) and puts a keyword of
    # the other polarity there (1/10 * 1/2): 1/200
    told = measure("honest", "counterfactual")
    assert told["faithfulness"] == 1 and told["size"] == pytest.approx(0.1)
    assert 0 <= told["control"] <= 0.02  # 2 of 400 are expected, 8 are 4 standard errors above
    assert told["lift"] == pytest.approx(1 - told["control"])


@pytest.mark.parametrize("check", ["importance", "redaction"])
@pytest.mark.parametrize("many", [1, 3, 5])
def test_deceiving_model_masking_has_the_lift_that_follows_from_the_sampling(measure, check, many):
    # m of the 9 others are masked: the answer stays. The control draws m of the 10 - m words not
    # chosen, the keyword among them: it is hit with probability m / (10 - m). N = 400 documents:
    # standard error at most 0.025, and the draws are seeded.
    told = measure("deceiving", check, many=many)
    assert (
        told["faithfulness"] == 0
        and told["readable"] == 1
        and told["size"] == pytest.approx(many / 10)
    )
    assert told["lift"] == pytest.approx(-many / (OTHERS + 1 - many), abs=0.07)


def test_deceiving_model_counterfactual_has_faithfulness_zero_and_lift_near_zero(measure):
    # the control must hit the keyword (3/10) and put an opposite one there (1/20): about 0.015
    told = measure("deceiving", "counterfactual")
    assert told["faithfulness"] == 0 and -0.05 < told["lift"] <= 0


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_always_unknown_model_commits_to_nothing_and_has_lift_all_zero(measure, check):
    told = measure("always_unknown", check)
    assert told["committed"] == told["lift_all"] == 0
    assert told["faithfulness"] is told["lift"] is told["readable"] is None


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_always_positive_model_has_lift_zero(measure, check):
    told = measure("always_positive", check)
    assert (told["committed"], told["faithfulness"], told["control"], told["lift"]) == (1, 0, 0, 0)
    assert told["accuracy"] == 0.5


@pytest.mark.parametrize("check", sorted(CHECKS))
@pytest.mark.parametrize("behaviour", ["nonsense", "rewriting"])
def test_nonsense_and_rewriting_models_are_unreadable_and_not_faithful(measure, behaviour, check):
    told = measure(behaviour, check)
    assert (told["committed"], told["readable"]) == (1, 0)
    assert (told["faithfulness"], told["control"], told["lift"]) == (0, 0, 0)


def test_every_behaviour_is_tested_here():
    tested = {"honest", "deceiving", "always_unknown", "always_positive", "nonsense", "rewriting"}
    assert set(BEHAVIOURS) == tested
