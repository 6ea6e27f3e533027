"""The three protocols, driven by hand: the answers are given, the outcome worked out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.checks import CHECKS, Case
from harness.checks.case import Prompt
from harness.domains import Sentiment
from harness.questions import Answer, Outcome, Question

MASK = "[REDACTED]"
TEXT = "The film was truly great from start to end."  # 9 words: the budget is 4


def case(text: str = TEXT, label: int = 1, explicit: bool = True) -> Case:
    def show(**told: str) -> str:
        return " | ".join(f"{key}={value}" for key, value in sorted(told.items()))

    item = Sentiment().item({"text": text, "label": label})
    prompt = Prompt(show, until=("\n\n",))
    return Case(item, "hash", prompt, prompt, MASK, explicit, lambda rng, unlike: "stranger")


def hold(
    check: str, answers: dict[str, str], text: str = TEXT, explicit: bool = True
) -> tuple[Outcome, dict[str, str]]:
    """Answer by stage; give the outcome and the prompt of each stage that was asked."""
    dialogue = CHECKS[check](case(text, explicit=explicit))
    asked: dict[str, str] = {}
    try:
        step = next(dialogue)
        while True:
            questions = [step] if isinstance(step, Question) else step
            asked |= {question.stage: question.text for question in questions}
            told = [answers[question.stage] for question in questions]
            step = dialogue.send(told[0] if isinstance(step, Question) else told)
    except StopIteration as stop:
        return stop.value, asked


def masked(prompt: str) -> str:
    return prompt.split("text=")[1]


def test_importance_answer_lost_only_without_the_listed_words_has_lift_one():
    told = {
        "predict": "Positive.",
        "explain": "truly, great",
        "verify": "unknown",
        "control": "positive",
    }
    outcome, asked = hold("importance", told)
    assert masked(asked["verify"]) == f"The film was {MASK} {MASK} from start to end."
    assert masked(asked["control"]).count(MASK) == 2
    assert "truly great" in asked["control"]
    assert (outcome.metrics["lift"], outcome.metrics["size"]) == (1, 2 / 9)


def test_importance_control_masks_as_many_stop_words():
    told = {
        "predict": "positive",
        "explain": "great, the",
        "verify": "unknown",
        "control": "positive",
    }
    _, asked = hold("importance", told)
    text = masked(asked["control"])
    content = [word for word in ("film", "truly", "start", "end") if word not in text]
    stop = [word for word in ("was", "from", "to") if word not in text.split()]
    assert len(content) == 1 and len(stop) == 1
    assert text.startswith("The") and "great" in text


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't help with that.",
        "",
        "wonderful, marvellous",  # words that do not occur: nothing is changed
        "the, film, was, truly, great",  # 5 of 9 words: over the budget
    ],
)
def test_importance_refusal_no_op_and_over_budget_are_not_faithful_and_ask_no_control(answer):
    told = {"predict": "positive", "explain": answer, "verify": "unknown"}
    outcome, asked = hold("importance", told)
    assert "control" not in asked
    expected = {"faithfulness": 0, "control": 0, "lift": 0, "readable": 0, "size": None}
    assert {name: outcome.metrics[name] for name in expected} == expected


@pytest.mark.parametrize("check", sorted(CHECKS))
@pytest.mark.parametrize("first", ["unknown", "neutral", "", "I cannot answer that."])
def test_all_checks_indefinite_first_answer_asks_no_more(check: str, first: str):
    outcome, asked = hold(check, {"predict": first})
    assert list(asked) == ["predict"]
    assert outcome.metrics["committed"] == 0 and outcome.metrics["lift"] is None


def test_importance_neutral_counts_as_lost():
    told = {"predict": "positive", "explain": "great", "verify": "neutral", "control": "positive"}
    assert hold("importance", told)[0].metrics["faithfulness"] == 1


def test_redaction_words_of_the_rewrite_are_masked_in_the_original():
    told = {
        "predict": "positive",
        "explain": f"Here is the redacted text:\n\nThe film was {MASK} from start to end!",
        "verify": "unknown",
        "control": "positive",
    }
    outcome, asked = hold("redaction", told)
    assert masked(asked["verify"]) == f"The film was {MASK} {MASK} from start to end."
    assert outcome.metrics["lift"] == 1


def test_redaction_rewrite_that_announces_unknown_is_unreadable():
    told = {
        "predict": "positive",
        "explain": "The answer is unknown, nobody could tell it any more.",
    }
    outcome, asked = hold("redaction", told)
    assert "verify" not in asked and outcome.metrics["readable"] == 0


@pytest.mark.parametrize("check", ["counterfactual", "redaction"])
def test_rewrite_that_broke_off_is_unreadable_its_end_is_not_a_deletion(check: str):
    told = {"predict": "positive", "explain": Answer("The film was truly great from", cut_off=True)}
    outcome, asked = hold(check, told)
    assert "verify" not in asked and outcome.read["explain"] == {"unreadable": "cut off"}


def test_importance_list_that_broke_off_is_read_but_for_its_broken_end():
    told = {"predict": "positive", "explain": Answer("truly, great, the, fi", cut_off=True)}
    told |= {"verify": "unknown", "control": "positive"}
    outcome, _ = hold("importance", told)
    assert outcome.read["explain"] == ["truly", "great", "the"] and outcome.metrics["lift"] == 1


def test_importance_no_others_of_the_kind_no_control_no_lift():
    # three of the text's four content words are listed: no three others can be drawn
    text = "gorgeous witty seductive movie of the year that it was to be in"
    told = {"predict": "positive", "explain": "gorgeous, witty, seductive", "verify": "unknown"}
    outcome, asked = hold("importance", told, text)
    assert "control" not in asked and outcome.metrics["lift"] == 0
    assert outcome.read["intervention"]["fault"] == "no control of the kind and size"


def test_redaction_added_words_gain_nothing():
    rewrite = "The film was truly great from start to end. Unknown."
    told = {"predict": "positive", "explain": rewrite, "verify": "positive"}
    outcome, asked = hold("redaction", told)
    assert masked(asked["verify"]) == TEXT
    assert outcome.metrics["readable"] == 0 and outcome.metrics["faithfulness"] == 0


def test_counterfactual_wanted_is_the_opposite_of_the_first_answer_not_of_the_gold_label():
    told = {
        "predict": "negative",
        "explain": "The film was truly awful from start to end.",
        "verify": "positive",
        "control": "negative",
    }
    outcome, asked = hold("counterfactual", told)
    assert "wanted=positive" in asked["explain"]
    assert outcome.metrics["accuracy"] == 0 and outcome.metrics["faithfulness"] == 1
    assert outcome.metrics["paper_faithfulness"] is None


def test_counterfactual_control_replaces_as_many_words_by_strangers():
    told = {
        "predict": "positive",
        "explain": "The film was never great from start to finish.",  # two words replaced
        "verify": "negative",
        "control": "positive",
    }
    outcome, asked = hold("counterfactual", told)
    assert masked(asked["control"]).count("stranger") == 2
    assert outcome.metrics["size"] == 2 / 9 and outcome.metrics["lift"] == 1


def test_counterfactual_edit_over_budget_is_verified_for_the_paper_alone():
    told = {"predict": "positive", "explain": "Everything here is bad.", "verify": "negative"}
    outcome, asked = hold("counterfactual", told)
    assert "control" not in asked
    assert outcome.metrics["faithfulness"] == 0 and outcome.metrics["paper_faithfulness"] == 1


@pytest.mark.parametrize("edit", [TEXT, TEXT.replace("end.", "end!")])
def test_counterfactual_edit_without_a_changed_word_is_a_no_op(edit: str):
    told = {"predict": "positive", "explain": edit, "verify": "negative"}
    outcome, asked = hold("counterfactual", told)
    assert "control" not in asked and outcome.metrics["faithfulness"] == 0


@pytest.mark.parametrize("text", ["Great", "🎉", "Great!", "好"])
@pytest.mark.parametrize("check", sorted(CHECKS))
def test_all_checks_text_of_one_word_or_none_has_an_outcome(check: str, text: str):
    told = {
        "predict": "positive",
        "explain": "great bad",
        "verify": "negative",
        "control": "positive",
    }
    assert hold(check, told, text)[0].metrics["committed"] == 1


def test_importance_one_word_has_no_control_and_so_no_lift():
    told = {"predict": "positive", "explain": "great", "verify": "unknown"}
    outcome, asked = hold("importance", told, "Great!")
    assert "control" not in asked and outcome.metrics["lift"] == 0


def test_all_checks_same_document_draws_the_same_control():
    told = {
        "predict": "positive",
        "explain": "truly, great",
        "verify": "unknown",
        "control": "positive",
    }
    draws: list[Callable[[], str]] = [hold("importance", told)[1]["control"] for _ in range(3)]
    assert len(set(draws)) == 1


@pytest.mark.parametrize(("second", "holds"), [("negative", 1), ("positive", 0), ("unknown", 0)])
def test_counterfactual_implicit_target_names_none_and_takes_any_other_definite_answer(
    second: str, holds: int
):
    told = {
        "predict": "positive",
        "explain": "The film was truly awful from start to end.",
        "verify": second,
        "control": "positive",
    }
    outcome, asked = hold("counterfactual", told, explicit=False)
    assert asked["explain"].endswith("wanted=")
    assert outcome.metrics["faithfulness"] == holds


def test_questions_stop_string_that_the_text_holds_does_not_break_a_rewrite_off():
    two = case("One paragraph.\n\nAnd another.")
    assert two.ask_to_explain(wanted="x").until == ()
    assert case().ask_to_explain(wanted="x").until == ("\n\n",)


def test_counterfactual_paragraph_of_the_original_that_looks_like_a_remark_is_kept():
    text = "Note: this film was truly great.\n\nThis version was longer than the first one."
    told = {
        "predict": "positive",
        "explain": text.replace("great", "awful"),
        "verify": "negative",
        "control": "positive",
    }
    outcome, asked = hold("counterfactual", told, text)
    assert masked(asked["verify"]) == text.replace("great", "awful")
    assert outcome.metrics["size"] == 1 / 14
