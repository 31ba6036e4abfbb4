"""Content words, and which of them a model neglects.

Paiss, Chefer, Wolf, "No Token Left Behind", ECCV 2022 (arXiv 2204.04908): a noun is neglected whose relevance, the
largest of its tokens, is below 0.7 of the strongest token's.

Differs from the paper: there a tagger finds the nouns, and only nouns count; here every content word does, and is
compared with the strongest content word, so that a strong "a" makes nothing look weak. S is the logit, as for all
words in this package; the paper's search for neglected nouns takes the cosine, as `guidance` does.
"""

from __future__ import annotations

from collections.abc import Sequence

NEGLECTED = 0.7  # of the strongest content word

_ARTICLES = "a an the"
_PRONOUNS = (
    "i me my mine myself you your yours yourself yourselves he him his himself she her hers herself it its itself "
    "we us our ours ourselves they them their theirs themselves this that these those who whom whose which what "
    "something anything nothing everything someone anyone everyone somebody anybody nobody everybody"
)
_PREPOSITIONS = (
    "about above across after against along amid among around as at before behind below beneath beside besides "
    "between beyond by despite down during except for from in inside into like near next of off on onto opposite out "
    "outside over past per since than through throughout to toward towards under underneath until up upon via with "
    "within without"
)
_CONJUNCTIONS = (
    "and but or nor so yet because although though if unless while whereas whether when where why how"
)
_VERBS = (
    "am is are was were be been being do does did doing done have has had having can could may might must shall should "
    "will would i'm you're he's she's it's we're they're there's that's here's what's isn't aren't wasn't weren't "
    "don't doesn't didn't can't cannot couldn't won't wouldn't let's"
)
_OTHERS = (
    "not no yes all any both each either every few many more most much neither none other others own same several some "
    "such another here there then now just only also too very quite rather even else ever never always again"
)
FUNCTION_WORDS = frozenset(
    " ".join((_ARTICLES, _PRONOUNS, _PREPOSITIONS, _CONJUNCTIONS, _VERBS, _OTHERS)).split()
)


def is_content(word: str) -> bool:
    """Whether a word carries meaning of its own: has a letter or a digit, and is none of FUNCTION_WORDS.

    A look-up and no tagger: it sees the word alone, whatever it means where it stands ("like", "near"), numbers and
    words such as "photo" count, and so does every word of another language than English.
    """
    plain = word.casefold().replace("’", "'")
    return any(character.isalnum() for character in plain) and plain not in FUNCTION_WORDS


def shares_of_strongest(words: Sequence[str], relevance: Sequence[float]) -> list[float]:
    """Every word's relevance over that of the strongest content word, which has 1; all 0 where no content word has
    any. Function words and punctuation may have more than 1.
    """
    strongest = max((r for word, r in zip(words, relevance, strict=True) if is_content(word)), default=0.0)
    return [r / strongest if strongest > 0 else 0.0 for r in relevance]


def neglected(words: Sequence[str], relevance: Sequence[float], threshold: float = NEGLECTED) -> list[bool]:
    """Which words are content and below `threshold` of the strongest content word; none where no content word has any
    relevance, as there is nothing to fall behind.
    """
    shares = shares_of_strongest(words, relevance)
    some = any(is_content(word) and share > 0 for word, share in zip(words, shares, strict=True))
    return [
        some and is_content(word) and share < threshold for word, share in zip(words, shares, strict=True)
    ]
