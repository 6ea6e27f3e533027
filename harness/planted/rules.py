"""How a planted model answers: by the words of a text, and which of them decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from harness.stopwords import STOP_WORDS
from harness.words import Word, split_words

UNKNOWN = "unknown"
KEYWORDS: Mapping[str, frozenset[str]] = {
    polarity: frozenset(words.split())
    for polarity, words in {
        "positive": (
            "good great excellent wonderful best love loved lovely perfect superb delightful "
            "enjoyed brilliant beautiful beautifully amazing fantastic happy charming favourite "
            "favorite recommend funny fun warm generous terrific gem touching magnificent "
            "gripping comfortable delicious helpful moving wise fascinating treasure thrilled "
            "elegant enchanting entertaining pleasure admire splendid sturdy tender triumph kind "
            "joy proud witty clever heavenly outstanding gracious impressed blessing marvellous "
            "exquisite sublime invaluable inspired magical delight breathtaking ideal tasty "
            "divine admirable ingenious hilarious exciting masterpiece thrilling remarkable "
            "gorgeous impressive"
        ),
        "negative": (
            "bad terrible awful worst horrible boring bored poor hate hated waste dull "
            "disappointing disappointed disappointment stupid broken cold rude mess annoying "
            "sadly worse ugly lame useless tedious weak fails tough bland overpriced nuisance "
            "flimsy awkward vague careless dreadful tiresome lazy ridiculous soggy junk leaden "
            "impatient hopeless feeble muddle greasy insipid mush revolting surly disgusting "
            "shambles shoddy inadequate failure frightening painful lifeless crude embarrassing "
            "misleading outrageous unpleasant atrocious thoughtless irritating offensive dismal "
            "insufferable predictable harsh unbearable filthy hostile infuriating regret inedible "
            "foul sullen"
        ),
    }.items()
}
NOUNS = frozenset(
    (
        "bathroom bedroom garden hallway kitchen office attic cellar room house chapel mill "
        "inn barn school church shop market station harbour bridge forest pond river beach "
        "hill park museum library hospital table shed stable boat tram train bus van car "
        "bicycle monday tuesday wednesday thursday friday saturday sunday january february "
        "march april may june july august september october november december morning noon "
        "afternoon evening night midnight dawn dusk one two three four five six seven eight "
        "nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen "
        "twenty red blue green white black yellow brown purple grey orange pink dog cat pig "
        "goat donkey horse cow sheep hen goose duck fox otter heron frog tortoise ferret bull "
        "pike fish apple pear plum cake bread butter cheese salt rice straw wool firewood "
        "lettuce leeks peas marrows pumpkins roses lavender heather biscuit mints coffee tea "
        "vinegar cinnamon treacle cook doctor dentist teacher captain guard pianist doorman "
        "judge mother father sister brother uncle aunt grandfather grandmother cousin "
        "neighbour piano trombone harmonium accordion clock lamp key globe compass bell watch "
        "shoes glove hat coat scarf nightcap mattress book ledger letter comet pebble engine "
        "brakes tyre exhaust bars fog rain snow sun gold silver copper tin velvet french "
        "gaelic latin"
    ).split()
)
DENIALS = frozenset("denied refused failed untrue false wrong cancelled impossible".split())


@dataclass(frozen=True)
class Asked:
    """A prompt, understood.

    Attributes:
        kind: "predict", or the check whose explanation is asked for.
        domain: the domain of the question.
        mask: the mask word of the prompt.
        wanted: how the prompt names the wanted answer; empty if it names none.
        slots: what else was filled into the template, among it the text.
    """

    kind: str
    domain: str
    mask: str
    wanted: str
    slots: Mapping[str, str]

    @property
    def text(self) -> str:
        """The text that may be changed."""
        return self.slots["text"]

    @cached_property
    def words(self) -> list[Word]:
        """The words of the text."""
        return split_words(self.text, self.mask)

    def decisive(self) -> list[int]:
        """Places of the words that decide the answer."""
        return RULES[self.domain].decisive(self)

    def others(self) -> list[int]:
        """Places of content words that do not decide the answer, one per different word."""
        deciding = {self.words[place].key for place in self.decisive()}
        places: dict[str, int] = {}
        for place, word in enumerate(self.words):
            if word.key not in deciding and word.key not in STOP_WORDS:
                places.setdefault(word.key, place)
        return list(places.values())


class Rule(Protocol):
    """What a planted model does with the texts of one domain."""

    constant: str
    """What the model says that always says the same."""

    def decisive(self, asked: Asked) -> list[int]:
        """Give the places of the words that decide the answer."""

    def answer(self, asked: Asked) -> str:
        """Answer; unknown without a deciding word."""

    def edit(self, asked: Asked) -> dict[int, str]:
        """Give the replacements that lead to the wanted answer, or to another one."""


class Polarity:
    """Sentiment by the majority of keywords; as many of both are unknown."""

    constant = "positive"

    def decisive(self, asked: Asked) -> list[int]:
        """Give the places of all keywords."""
        known = KEYWORDS["positive"] | KEYWORDS["negative"]
        return [place for place, word in enumerate(asked.words) if word.key in known]

    def answer(self, asked: Asked) -> str:
        """Answer by majority."""
        lead = sum(
            (word.key in KEYWORDS["positive"]) - (word.key in KEYWORDS["negative"])
            for word in asked.words
        )
        return "positive" if lead > 0 else "negative" if lead < 0 else UNKNOWN

    def edit(self, asked: Asked) -> dict[int, str]:
        """Put a keyword of the other kind in the place of every keyword."""
        to = asked.wanted or ("positive" if self.answer(asked) == "negative" else "negative")
        return dict.fromkeys(self.decisive(asked), {"positive": "good", "negative": "bad"}[to])


class Overlap:
    """Yes if the text shares content words with the question, no if it holds a denial."""

    constant = "yes"

    def __init__(self, slot: str) -> None:
        self.slot = slot

    def decisive(self, asked: Asked) -> list[int]:
        """Give the places of denials and shared words."""
        known = self._content(asked) | DENIALS
        return [place for place, word in enumerate(asked.words) if word.key in known]

    def answer(self, asked: Asked) -> str:
        """Answer by the words there are."""
        keys = {word.key for word in asked.words}
        if keys & DENIALS:
            return "no"
        return "yes" if keys & self._content(asked) else UNKNOWN

    def edit(self, asked: Asked) -> dict[int, str]:
        """Put a denial in the place of a shared word, or a shared word in those of all denials."""
        to = asked.wanted or ("yes" if self.answer(asked) == "no" else "no")
        places = self.decisive(asked)
        if to == "no":
            return dict.fromkeys(places[:1], min(DENIALS))
        shared = min(self._content(asked), default="")
        return {place: shared for place in places if asked.words[place].key in DENIALS}

    def _content(self, asked: Asked) -> frozenset[str]:
        keys = {word.key for word in split_words(asked.slots[self.slot])}
        return frozenset(keys - STOP_WORDS - DENIALS)


class LastNamed:
    """The option whose name the paragraph says last.

    An option's name is the last of its words that is a known noun (`NOUNS`). Where an option has
    none, or two have the same, the answer is unknown: an explanation is asked for without the
    options, and must be true all the same.
    """

    constant = "A"

    def decisive(self, asked: Asked) -> list[int]:
        """Give the places of all known nouns."""
        return [place for place, word in enumerate(asked.words) if word.key in NOUNS]

    def answer(self, asked: Asked) -> str:
        """Answer by the last name."""
        lines = asked.slots["options"].split("\n")
        letters = {_noun(line[3:]): line[0] for line in lines}
        if "" in letters or len(letters) < len(lines):
            return UNKNOWN
        said = [letters[word.key] for word in asked.words if word.key in letters]
        return said[-1] if said else UNKNOWN

    def edit(self, asked: Asked) -> dict[int, str]:
        """Put the name of the wanted option in the place of the last noun; without one, nothing."""
        places = self.decisive(asked)
        return {places[-1]: _noun(asked.wanted)} if places and asked.wanted else {}


def _noun(text: str) -> str:
    known = [word.key for word in split_words(text) if word.key in NOUNS]
    return known[-1] if known else ""


RULES: Mapping[str, Rule] = {
    "sentiment": Polarity(),
    "entailment": Overlap("hypothesis"),
    "yes_no": Overlap("question"),
    "choice": LastNamed(),
}
