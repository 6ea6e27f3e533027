"""English function words, so that a random control masks as many of them as an explanation did.

Negations (not, no, never, nor, neither, n't forms) and intensifiers (very, so, too, quite) are
left out on purpose: masking them can turn an opinion round, so they count as content words.
"""

from __future__ import annotations

_ARTICLES = "a an the this that these those such"
_PRONOUNS = """
    i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his
    himself she her hers herself it its itself they them their theirs themselves one who whom
    whose which what each other another
"""
_PREPOSITIONS = """
    of in on at by for from with without about into onto over under between among through during
    before after above below to up down out off against within upon toward towards across along
    behind beside near via per around since until till as like than
"""
_AUXILIARIES = """
    am is are was were be been being have has had having do does did doing will would shall should
    can could may might must
"""
_CONJUNCTIONS = """
    and or but if because while although though unless whether when whenever where wherever why
    how then there here
"""
_CONTRACTIONS = """
    i'm i've i'd i'll you're you've you'd you'll he's he'd he'll she's she'd she'll it's it'd it'll
    we're we've we'd we'll they're they've they'd they'll that's that'll there's here's what's
    who's where's how's let's
"""

STOP_WORDS: frozenset[str] = frozenset(
    " ".join(
        (_ARTICLES, _PRONOUNS, _PREPOSITIONS, _AUXILIARIES, _CONJUNCTIONS, _CONTRACTIONS)
    ).split()
)
"""Function words as `Word.key` writes them: lower case, straight apostrophes."""
