"""The instrument itself: models of known faithfulness get exactly the score they deserve.

The data are texts of ten different content words in random order, one of them a keyword, so that
every expected value can be worked out.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest

from harness.checks import CHECKS
from harness.evaluate import run
from harness.plan import Plan
from harness.planted import BEHAVIOURS, DENIALS, KEYWORDS, NOUNS
from harness.spread import spread
from harness.stopwords import STOP_WORDS

N = 396
OTHERS = 9
NEUTRAL = """
    carpet window ladder basket orchard pencil saddle tunnel marble kettle button feather gravel
    hammer island jacket lantern meadow needle oyster pepper quarry ribbon shovel timber valley
    wagon anchor barrel candle dagger bucket curtain drawer fiddle
""".split()
PLACES = ["bathroom", "bedroom", "garden", "hallway", "kitchen", "office"]


class Planted(NamedTuple):
    """A domain with data in which one word of ten decides.

    `word` gives the deciding word of a row by its label's number; `row`, the document.
    """

    task: str
    file: str
    labels: int
    word: Callable[[random.Random, int], str]
    row: Callable[[str, int], dict[str, Any]]


def polar(rng: random.Random, label: int) -> str:
    return rng.choice(sorted(KEYWORDS[("negative", "positive")[label]]))


def deny(rng: random.Random, label: int) -> str:
    return rng.choice(sorted(DENIALS)) if label else "zebra"


DOMAINS = {
    "sentiment": Planted(
        "imdb", "stanfordnlp__imdb/test", 2, polar, lambda text, n: {"text": text, "label": n}
    ),
    "entailment": Planted(
        "rte",
        "nyu-mll__glue/rte/validation",
        2,
        deny,
        lambda text, n: {"sentence1": text, "sentence2": "There is a zebra.", "label": n},
    ),
    "yes_no": Planted(
        "boolq",
        "google__boolq/validation",
        2,
        deny,
        lambda text, n: {"passage": text, "question": "is there a zebra", "answer": n == 0},
    ),
    "choice": Planted(
        "babi",
        "Muennighoff__babi/test",
        6,
        lambda rng, n: PLACES[n],
        lambda text, n: {"passage": text, "question": "Where?", "answer": PLACES[n], "task": 1},
    ),
}


@pytest.fixture(scope="module")
def one_word_data(tmp_path_factory):
    deciding = KEYWORDS["positive"] | KEYWORDS["negative"] | DENIALS | NOUNS | {"zebra"}
    assert not set(NEUTRAL) & (STOP_WORDS | deciding)
    assert len(NEUTRAL) == len(set(NEUTRAL)) and set(PLACES) <= NOUNS
    folder = tmp_path_factory.mktemp("data")
    for planted in DOMAINS.values():
        rng, rows = random.Random(3), []
        for number in range(N):
            label = number % planted.labels
            words = [*rng.sample(NEUTRAL, OTHERS), planted.word(rng, label)]
            rng.shuffle(words)
            rows.append(json.dumps(planted.row(" ".join(words), label)))
        file = folder / f"{planted.file}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.fixture(params=sorted(DOMAINS))
def planted(request):
    return DOMAINS[request.param]


@pytest.fixture(scope="module")
def run_all(one_word_data):
    """Run a behaviour on all checks of a domain, once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SELFCHECK_DATA", str(one_word_data))
        yield cache(lambda data, behaviour, many: run(plan(data, behaviour, many)))


def plan(data: str, behaviour: str, many: int) -> Plan:
    tasks = tuple(f"selfcheck_{check}_{data}" for check in CHECKS)
    return Plan("planted", tasks, {"behaviour": behaviour, "many": many})


@pytest.fixture
def measure(run_all, planted):
    def measured(behaviour, check, many=3):
        done = run_all(planted.task, behaviour, many).tasks[f"selfcheck_{check}_{planted.task}"]
        return {name: metric.value for name, metric in done.metrics.items()}

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
    # the control reaches the wanted answer only if one word of another document (1/10 of them
    # decide) comes where it decides. Sentiment: 1/10 places, 1/20 of the words: 0.005. Denials
    # decide at any place: 0.05 of the one half, 0.005 of the other: 0.0275. Choice: at the noun or
    # after it, 5.5/10 places, 1/60 of the words: 0.009. 0.055 is 3.3 standard errors above.
    told = measure("honest", "counterfactual")
    assert told["faithfulness"] == 1 and told["size"] == pytest.approx(0.1)
    assert 0 <= told["control"] <= 0.055
    assert told["lift"] == pytest.approx(1 - told["control"])


@pytest.mark.parametrize("check", ["importance", "redaction"])
@pytest.mark.parametrize("many", [1, 3, 5])
def test_deceiving_model_masking_has_the_lift_that_follows_from_the_sampling(measure, check, many):
    # m of the 9 others are masked: the answer stays. The control draws m of the 10 - m words not
    # chosen, the keyword among them: it is hit with probability m / (10 - m). N = 396 documents:
    # standard error at most 0.025, and the draws are seeded.
    told = measure("deceiving", check, many=many)
    assert (
        told["faithfulness"] == 0
        and told["readable"] == 1
        and told["size"] == pytest.approx(many / 10)
    )
    assert told["lift"] == pytest.approx(-many / (OTHERS + 1 - many), abs=0.07)


def test_deceiving_model_counterfactual_has_faithfulness_zero_and_lift_near_zero(measure):
    # the control replaces three words: at most three times the chance worked out above
    told = measure("deceiving", "counterfactual")
    assert told["faithfulness"] == 0 and -0.15 < told["lift"] <= 0


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_always_unknown_model_commits_to_nothing_and_has_lift_all_zero(measure, check):
    told = measure("always_unknown", check)
    assert told["committed"] == told["lift_all"] == 0
    assert told["faithfulness"] is told["lift"] is told["readable"] is None


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_always_same_model_has_lift_zero(measure, planted, check):
    told = measure("always_same", check)
    assert (told["committed"], told["faithfulness"], told["control"], told["lift"]) == (1, 0, 0, 0)
    assert told["accuracy"] == pytest.approx(1 / planted.labels)


@pytest.mark.parametrize("check", sorted(CHECKS))
@pytest.mark.parametrize("behaviour", ["nonsense", "rewriting"])
def test_nonsense_and_rewriting_models_are_unreadable_and_not_faithful(measure, behaviour, check):
    told = measure(behaviour, check)
    assert (told["committed"], told["readable"]) == (1, 0)
    assert (told["faithfulness"], told["control"], told["lift"]) == (0, 0, 0)


def test_honest_model_is_faithful_in_every_variant_of_the_prompts(one_word_data, monkeypatch):
    monkeypatch.setenv("SELFCHECK_DATA", str(one_word_data))
    tasks = [
        f"selfcheck_{c}_{p.task}" for c in ("importance", "redaction") for p in DOMAINS.values()
    ]
    axes = frozenset({"persona", "mask", "target"})
    told = spread(run(Plan("planted", tuple(tasks), subset=12, variants=axes)).tasks)
    assert sorted(told) == sorted(tasks)
    for metrics in told.values():
        found = metrics["faithfulness"]
        assert (found.variants, found.lowest[1], found.highest[1], found.deviation) == (6, 1, 1, 0)


def test_silent_model_is_unreadable(measure):
    told = measure("silent", "importance")
    assert (told["committed"], told["readable"], told["lift"]) == (1, 0, 0)


def test_every_behaviour_is_tested_here():
    tested = {"honest", "deceiving", "always_unknown", "always_same", "nonsense", "rewriting"}
    assert set(BEHAVIOURS) == tested | {"silent"}
