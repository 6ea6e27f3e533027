"""What is taken off a reply before it is read."""

import pytest

from harness.parsing.replies import (
    MAX_LENGTH,
    drop_chatter,
    drop_emphasis,
    drop_fences,
    drop_introduction,
    drop_invisible,
    drop_quotes,
    drop_thinking,
    is_refusal,
)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't assist with that request.",
        "I’m sorry, but I can’t fulfill this request.",
        "Sorry, I cannot do that.",
        "I am sorry but I am unable to edit the text.",
        "I apologize, but I cannot provide a rewrite.",
        "As an AI language model, I cannot redact text.",
        "As an AI, I don't have opinions on films.",
        "I'm just an AI, I cannot classify reviews.",
        "I am unable to determine which words matter.",
        "I can't help with that.",
        "I cannot help you with this.",
        "Unfortunately, I cannot complete this task.",
        "I must respectfully decline.",
        "No, I cannot comply.",
        "I'm sorry, but there is no text provided.",
        "I'm sorry, but you did not give me a paragraph.",
        "\"I'm sorry, but I can't assist with that.\"",
    ],
)
def test_is_refusal_declining_reply_is_one(text: str):
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I'm sorry I watched this.",
        "I'm sorry, but this movie was terrible.",
        "I'm sorry, but I can't recommend this movie.",
        "I'm sorry but there is nothing good about this film.",
        "I can't believe how good this was.",
        "I cannot help but love it.",
        "I can't help loving this film!",
        "I am unable to express how dull it was.",
        "As an AI thriller it cannot compete with the classics.",
        "Sorry, wrong number: a classic.",
        "Unfortunately, the ending is weak.",
        "It was fine. I'm sorry, but I can't assist with that.",
        "I don't have words.",
    ],
)
def test_is_refusal_review_is_none(text: str):
    assert not is_refusal(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"a b"', "a b"),
        ("“a b”", "a b"),
        ("‘a b’", "a b"),
        ("«a b»", "a b"),
        ("„a b“", "a b"),
        ('"“a b”"', "a b"),
        ('"""a b"""', "a b"),
        ("'It's fine'", "It's fine"),
        ("‘It’s fine’", "It’s fine"),
        ('"a" and "b"', '"a" and "b"'),
        ("“a” and “b”", "“a” and “b”"),
        ("'a', 'b'", "'a', 'b'"),
        ('"He said "yes" to me"', 'He said "yes" to me'),
        ('"a b', '"a b'),
        ('a "b"', 'a "b"'),
        ('"', '"'),
        ("“", "“"),
        ('""', ""),
    ],
)
def test_drop_quotes_only_those_around_the_whole_go(text: str, expected: str):
    assert drop_quotes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sure, here is the edited text: a", "a"),
        ("Sure! Here's the edited text:\n\na", "a"),
        ("Certainly!\n\na", "a"),
        ("The redacted paragraph is: a", "a"),
        ("Answer: a", "a"),
        ("Here are the words that matter most for the answer:\n- a", "- a"),
        ("I'd be happy to help! Here is the revised version:\na", "a"),
        ("The edited text with as few changes as possible: a", "a"),
        ("Here is the thing: a", "Here is the thing: a"),
        ("My father: a", "My father: a"),
        ("Great, the film: a", "Great, the film: a"),
        ("", ""),
    ],
)
def test_drop_introduction_only_the_models_own_words_go(text: str, expected: str):
    assert drop_introduction(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n\nNote: b", "a"),
        ("a\n\n(Note that I kept the rest.)", "a\n\n(Note that I kept the rest.)"),
        ('a\n\nI changed "x" to "y".\n\nMore.', "a"),
        ('I changed "x" to "y".\n\na', "a"),
        ("a\n\nb", "a\n\nb"),
        ("a\nExplanation: b", "a"),
        ("Note: a", "Note: a"),
        ("a\n\nI made it to the end.", "a\n\nI made it to the end."),
    ],
)
def test_drop_chatter_remarks_go_and_paragraphs_stay(text: str, expected: str):
    assert drop_chatter(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**a** *b* __c__ _d_ `e`", "a b c d e"),
        ("# a\n> b", "a\nb"),
        ("2 * 3 * 4, *** of ****", "2 * 3 * 4, *** of ****"),
        ("____, snake_case_name", "____, snake_case_name"),
    ],
)
def test_drop_emphasis_keeps_other_signs(text: str, expected: str):
    assert drop_emphasis(text) == expected


def test_drop_fences_single_block_is_the_answer():
    assert drop_fences("Here:\n```text\na\nb\n```\nDone.") == "a\nb"
    assert drop_fences("```\na\n```\n```\nb\n```") == "a\nb"
    assert drop_fences("```a```") == "a"


def test_drop_thinking_unfinished_leaves_nothing():
    assert drop_thinking("<think>a</think>b") == "b"
    assert drop_thinking("a</think>b") == "b"
    assert drop_thinking("<think>a") == ""


def test_drop_invisible_line_breaks_stay_and_length_is_cut():
    assert drop_invisible("a\u200bb\x00c\r\nd\u2028e\tf") == "abc\nd\ne\tf"
    assert len(drop_invisible("a" * (MAX_LENGTH + 5))) == MAX_LENGTH
