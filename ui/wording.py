"""Sentences that people read on the page, each from numbers or names; plain words, the paper's term in brackets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import explain
    from explain import Method, WordMethod

TITLE = "Tokenlight"
TAGLINE = "See what CLIP looks at in a picture, and which of your words it uses."
EXPLAINER = """
- **Similarity** says how close CLIP puts the picture and the prompt (the cosine of two vectors). Its size means little
  alone: compare prompts. **The vote** does that: it divides 100 % among the prompts that you typed, and no others.
- **Where the picture resembles the words** compares every patch of the picture with the prompt. CLIP was trained on
  whole pictures, so the brightest patches need not be the thing itself: often they are the background. Reverse the map
  to see whether the thing was scored lowest.
- **What raises the score** follows the score back through the model's attention. It shows what the answer leaned on.
  The **words** are coloured the same way.
- In drawn scenes the place of every thing is known. **Contrast** is the map's mean on the thing minus its mean off it,
  on a scale of 100: above 0 the map is brighter on the thing.
- Every map has its own colours: its lowest value is dark and its highest bright, however small the difference.
- A map shows what one model did with one picture. It is no proof of where the thing is, nor of why the world is so.
"""
NEARLY_EQUAL = 2.0  # contrast points, out of 100, that are not worth a claim
SIMILARITY = "itsm"  # the map of the score itself; the others show what the score depends on, or are reversed


BUILT_IN_NOTE = "This built-in model knows only drawn scenes. For photographs choose ViT-B-16 (about 600 MB)."
OFFLINE_NOTE = "It is greyed now: it is not on this machine, and huggingface.co cannot be reached."


def model_note(entry: explain.Entry, photographs: explain.Entry, offline: bool) -> str:
    """What the chosen model may be asked about; `offline`: the model for photographs cannot be had now."""
    if not entry.local:
        return f"{entry.label}: {entry.note}"
    name, size = photographs.label.split(",")[0], megabytes(photographs)
    note = f"This built-in model knows only drawn scenes. For photographs choose {name} (about {size})."
    return f"{note} {OFFLINE_NOTE}" if offline else note


def megabytes(entry: explain.Entry) -> str:
    """A download's size, rounded as one would say it: "600 MB", "1.7 GB"."""
    if entry.megabytes >= 1000:
        return f"{entry.megabytes / 1000:.1f} GB"
    return f"{round(entry.megabytes, -1 if entry.megabytes >= 100 else 0):.0f} MB"


PLAIN_TITLES = {  # what a map shows, before the paper's term
    "itsm": "Where the picture resembles the words",
    "itsm_reversed": "Where the picture resembles the words least",
    "eclip": "Resemblance, trained to find things",
    "relevance": "What raises the score",
    "relevance_all": "What raises the score, through all layers",
    "gradcam": "What raises the score, the classic way",
    "gradeclip": "What each patch gives to the score",
    "legrad": "Which attention would raise the score",
    "gscorecam": "What scores when the rest is dimmed",
    "maskclip": "Resemblance, each patch alone",
    "sclip": "Resemblance, like patches together",
    "clearclip": "Resemblance of what the last layer adds",
    "naclip": "Resemblance, neighbours together",
    "surgery": "Resemblance on a second path",
    "attention": "Where the model looks, whatever the words",
    "rollout": "Where all layers look, whatever the words",
    "occlusion": "What the score loses when it is hidden",
}


def what_it_is(method: Method | WordMethod) -> str:
    """What a method is and what it cannot tell, in two sentences."""
    return f"{method.sentence} It cannot tell {method.limit[:1].lower()}{method.limit[1:]}"


def map_title(method: str, turned: bool) -> str:
    """What a map shows in plain words; "" for a method that has none yet."""
    title = PLAIN_TITLES.get(method, "")
    return f"Reversed: {title[:1].lower()}{title[1:]}" if turned else title


def contrast(method: str, msc: float, name: str, rest: str, turned: bool) -> str:
    """What the map does on the subject against the rest, computed from its mean score contrast (-100 to 100)."""
    if method == SIMILARITY and not turned:
        if abs(msc) < NEARLY_EQUAL:
            return f"Here CLIP scores {rest} about as high as {name}."
        return f"Here CLIP scores {rest} {'lower' if msc > 0 else 'higher'} than {name}."
    map_name = "The reversed map" if turned else "This map"
    if abs(msc) < NEARLY_EQUAL:
        return f"{map_name} is about as bright on {rest} as on {name}."
    brighter, other = (name, rest) if msc > 0 else (rest, name)
    return f"{map_name} is brighter on {brighter} than on {other}."


def status(prompts: int, model_label: str, seconds: float) -> str:
    """One line under the picture after an answer."""
    took = f"in {seconds:.1f} seconds" if seconds >= 0.1 else "at once"
    return f"{prompts} {'prompt' if prompts == 1 else 'prompts'} explained {took} by {model_label}."


def score(value: float) -> str:
    """A raw cosine, with a real minus sign."""
    return f"{value:.3f}".replace("-", "−")


def percent(share: float) -> str:
    """A share of 1 as whole percent, never rounding something to nothing."""
    return "under 1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")


def signed(value: float) -> str:
    """A contrast with its sign: "+23", "−18", "0"."""
    return f"{value:+.0f}".replace("-", "−") if round(value) else "0"


def sentence(text: str) -> str:
    """A library message as a sentence: capital first, full stop last."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
