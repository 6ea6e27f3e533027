"""What makes a question no follow-up: it offers two answers, or it points at what is not there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.parsing.question_blocks import ASKING, AUXILIARIES
from harness.words import split_words


def _pairs(listed: str) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(pair.split("/")) for pair in listed.split())


_COMPARED = _pairs(
    "heavier/lighter bigger/smaller larger/smaller greater/smaller greater/less greater/lesser"
    " taller/shorter longer/shorter higher/lower faster/slower quicker/slower hotter/colder"
    " hotter/cooler warmer/colder warmer/cooler older/younger older/newer stronger/weaker"
    " harder/softer harder/easier wider/narrower thicker/thinner deeper/shallower denser/lighter"
    " brighter/darker brighter/dimmer lighter/darker richer/poorer earlier/later better/worse"
    " more/less more/fewer cheaper/dearer closer/farther nearer/farther closer/further wetter/drier"
    " louder/quieter safer/riskier before/after above/below true/false right/wrong yes/no"
    " sooner/later more/equal"
)
"""One of two such words is true, or neither; never is the question whether any of them is."""
_OPPOSITE = _pairs(
    "float/sink hot/cold warm/cold warm/cool hot/cool big/small large/small tall/short long/short"
    " high/low fast/slow old/young old/new strong/weak hard/soft hard/easy easy/difficult"
    " light/dark light/heavy good/bad rise/fall rise/sink increase/decrease"
    " expand/contract expand/shrink"
    " grow/shrink win/lose alive/dead living/dead male/female over/under left/right inside/outside"
    " up/down positive/negative even/odd safe/dangerous safe/unsafe open/closed wet/dry"
    " solid/liquid rough/smooth loud/quiet rich/poor correct/incorrect sweet/sour attract/repel"
    " gain/lose"
    " absorb/release absorb/emit absorb/reflect help/harm help/hinder help/hurt raw/cooked"
    " natural/artificial legal/illegal possible/impossible live/die"
)
"""With these "Can X ... hot or cold ..." may still ask whether any of them."""
_UNSURE = frozenset("can could may might whether if".split())
_FILLERS = 2
"""So many words may stand after the "or" ("float or does it sink")."""
_ARTICLES = r"(?:an?|the)"
_BE = r"(?:is|are|was|were)"
_WHICH_OF_TWO = re.compile(
    rf"{_BE} (?:(?:it|he|she|they|this|that|these|those) (?:{_ARTICLES} )?[\w'-]+"
    rf" or (?:{_ARTICLES} )?[\w'-]+"
    rf"|(?:{_ARTICLES} )?[\w'-]+(?: [\w'-]+)? an? [\w'-]+ or an? [\w'-]+)"
)

_TEXT = r"(?:explanation|passage|paragraph|excerpt|reasoning|rationale)"
_PERSON = r"(?:answer|question|person|author|speaker|writer|narrator|respondent|statement|claim)"
_BE_OR_DO = (
    r"(?:is|are|was|were|do|does|did|can|could|will|would|shall|should|may|might|must|has|have|had)"
)
_OF_ITS_OWN = r"(?! (?:who|whose|that|which|with|in|on|at|of|to|for|from|by|\w+ing)\b)"
# "the author Jane Austen" is named; "the answer No" is not.
_NAMELESS = r"(?-i:(?! [A-Z](?!(?:es|o|rue|alse)\b)))"
_POINTS_AWAY = re.compile(
    r"\b(?:the|this|that|your|given|provided|previous|preceding|original|first|initial|above)"
    rf" {_TEXT}\b"
    r"|\b(?:previous|preceding|original|initial|first|last|earlier|above) (?:question|answer)s?\b"
    r"|\b(?:text|question|answer|statement|sentence|information|example) (?:given |provided )?"
    r"(?:above|earlier)\b"
    r"|\b(?:according to|based on|in|from|by) (?:the|this|that) (?:given |provided |above )?"
    r"(?:text|author|article|information|context|statement|question|answer|speaker|person)\b"
    + _OF_ITS_OWN
    + r"|\b(?:mentioned|described|stated|explained|given|discussed|said) (?:above|earlier|before)\b"
    rf"|\b(?:does|did|would) the (?:{_TEXT}|text)\b"
    rf"|\b{_BE_OR_DO}(?:n['’]t)? (?:the|this|that) (?:correct |right |final |same )?{_PERSON}\b"
    + _OF_ITS_OWN
    + _NAMELESS
    + r"|\b(?:answer to|asked in) (?:the|this|that) question\b"
    r"|\bthe (?:correct |right |final )?answer\s*\?",
    re.IGNORECASE,
)

_POINTERS = frozenset("it they he she this that these those its their his her".split())
_ANY_OF = re.compile(
    rf"{_BE_OR_DO} (?:all|both|any|some|most|none|one|each|either|neither|many)"
    r" of (?:them|these|those|which)\b"
)
_PASSED_OVER = frozenset(
    "be been become get ever usually always often generally normally typically still also really"
    " actually not more less most very quite so always sometimes likely".split()
)
_WEATHER = frozenset("rain rains rained raining snow snows snowed snowing hail thunder".split())
_TAKES = frozenset("take takes taken matter seem appear follow make cost help hurt".split())
_WHEN_IT_IS = frozenset(
    "hot cold warm cool dark sunny rainy windy cloudy foggy humid freezing hotter colder warmer"
    " cooler darker day daytime night nighttime winter summer spring autumn midnight noon late"
    " early light dry wet quiet busy".split()
)
_PLACED = frozenset(
    "in on at during near under inside outside when before after around throughout than".split()
)
_TO_DO = frozenset(
    "possible impossible safe unsafe safer dangerous legal illegal easy easier hard harder"
    " difficult common uncommon rare normal necessary unnecessary important better best good bad"
    " wise usual"
    " unusual wrong right true okay ok fair reasonable healthy healthier unhealthy feasible"
    " practical advisable recommended customary polite rude ethical allowed permitted forbidden"
    " acceptable"
    " accurate correct useful cheaper faster quicker slower worth".split()
)


def offers_answers(question: str) -> bool:
    """Say whether a question asks which of two opposites holds: "Does a pear float or sink?"."""
    keys = [word.key for word in split_words(question)]
    if _WHICH_OF_TWO.fullmatch(" ".join(keys)):
        return True
    return any(
        key == "or" and place and _opposed(keys, place, bool(_UNSURE & set(keys[:place])))
        for place, key in enumerate(keys)
    )


def stands_alone(question: str) -> bool:
    """Say whether a question names what it asks about: no "it", "the author" or "the passage"."""
    if _POINTS_AWAY.search(question):
        return False
    keys = [word.key for word in split_words(question)]
    if _ANY_OF.match(" ".join(keys)):
        return False
    if keys and keys[0] in ASKING and keys[1:2] and keys[1] in AUXILIARIES:
        return not (keys[2:3] and keys[2] in {"he", "she", "they"})
    if len(keys) < 2 or keys[0] not in AUXILIARIES or keys[1] not in _POINTERS:
        return True
    if keys[1] in {"that", "those"} and keys[2:3] in (["who"], ["which"]):
        return True
    return keys[1] == "it" and _is_impersonal(keys[0], keys[2:])


def _opposed(keys: Sequence[str], place: int, unsure: bool) -> bool:
    """Say whether the words beside an "or" exclude each other."""
    known = _COMPARED if unsure else _COMPARED | _OPPOSITE
    if {"whether", "if"} & set(keys[:place]):
        return False
    return any(
        frozenset((one, other)) in known
        for key in keys[place + 1 : place + 2 + _FILLERS]
        for one in _forms(keys[place - 1])
        for other in _forms(key)
    )


def _forms(key: str) -> tuple[str, ...]:
    return (key, key.removesuffix("s"), key.removesuffix("es"), key.removesuffix("ing"))


def _is_impersonal(auxiliary: str, rest: Sequence[str]) -> bool:
    """Say whether an "it" stands for nothing: "is it safe to", "does it rain", "is it hot in"."""
    after = list(rest)
    while after and after[0] in _PASSED_OVER:
        del after[0]
    if not after:
        return False
    word, following = after[0], after[1:6]
    if word in _WEATHER:
        return True
    if word in _TAKES:
        return word in {"take", "takes", "taken", "matter"} or bool({"to", "that"} & set(following))
    if word in _WHEN_IT_IS and following and following[0] in _PLACED:
        return True
    if word in _TO_DO and {"to", "for"} & set(following):
        return True
    cleft = word in {"the", "because"} or word in _PLACED
    claimed = following[:1] == ["that"] and not auxiliary.startswith("do")
    return claimed or following[:1] in (["if"], ["when"]) or (cleft and "that" in following)
