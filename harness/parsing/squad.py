"""How SQuAD 2.0 judges an answer: the rules of its official script, `evaluate-v2.0.py`.

Source: Rajpurkar et al. 2018, arXiv:1806.03822.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Reduce an answer to what is compared: lower case, no punctuation, articles, extra spaces.

    >>> normalise("The  U.S.  Army, an ally")
    'us army ally'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """Say whether an answer is one of the right ones, once normalised: 1 or 0.

    Args:
        answer: what is judged; "": that there is no answer.
        golds: the right answers; none: there is no answer, and only an empty one is right.

    >>> exact_match("the Seine", ["Seine", "river Seine"]), exact_match("", [])
    (1.0, 1.0)
    """
    return float(normalise(answer) in _right(golds))


def token_f1(answer: str, golds: Sequence[str]) -> float:
    """Give the F1 of the words that an answer shares with the right one it is most like.

    Args:
        answer, golds: as in `exact_match`, which it equals where either has no words.

    Range: [0, 1]; higher is better.

    >>> token_f1("the river Seine", ["Seine"])  # precision 1/2, recall 1
    0.6666666666666666
    """
    return max(_f1(normalise(answer).split(), gold.split()) for gold in _right(golds))


def _right(golds: Sequence[str]) -> list[str]:
    """Normalise the right answers; as in the script, one without words is left out."""
    return [told for gold in golds if (told := normalise(gold))] or [""]


def _f1(answer: Sequence[str], gold: Sequence[str]) -> float:
    if not answer or not gold:
        return float(answer == gold)
    shared = sum((Counter(answer) & Counter(gold)).values())
    # 2PR / (P + R) with P = shared / answer words and R = shared / gold words
    return 2 * shared / (len(answer) + len(gold))
