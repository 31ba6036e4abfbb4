"""Sentences that people read on the page, each from numbers or names; plain words, the paper's term in brackets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import toyland

if TYPE_CHECKING:
    import explain
    from explain import Method, WordMethod
    from explain.catalogue import Offered
    from ui.comparison import Comparison
    from ui.making import Run

AS_DRAWN, USUAL, UNUSUAL = "drawn", "usual", "unusual"  # the backgrounds of a drawn scene
BACKGROUNDS = {AS_DRAWN: "As drawn", USUAL: "Usual for it", UNUSUAL: "Unusual for it"}

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
WHERE = (
    "Then every map says how much of it is in your box, and whether its brightest point is. A box that is named like a "
    "prompt counts for that prompt; boxes without a name count for all others."
)
COMPARE_EXPLAINER = """
- **Contrast** (mSC) is the map's mean on the thing minus its mean off it, from −100 to 100: above 0 the thing is
  brighter than the rest. **Overlap** (IoU) compares the brightest part of the map with the thing, at the threshold that
  suits this map best. **Brightest point** says whether the highest spot is on the thing (the pointing game).
- They measure whether a map *finds the thing*. A map may do that and still not say what made the model's score; and a
  map that lights up the background may tell the truth about a model that looks there.
- **Random weights** is a test of the methods: a map that hardly changes when the model has learnt nothing cannot be
  about what it has learnt.
- One picture is an example. The README has the averages over a thousand, with their command.
- The time is the method's own. The model reads the picture once for all methods; only occlusion and gScoreCAM run it
  again.
"""
GENERATE_EXPLAINER = """
- A generator turns noise into a picture, step by step. CLIP looks at what the picture is going to be: each box should
  **resemble its words**, and CLIP's map of these words should stay **inside the box**. It pulls the picture that way.
- With **Quick look** and **Best**, diffusion models (all but the VQGANs) do more. They draw in each box from the box's
  own words. And they try several noises: each box goes on with the one that CLIP likes best there.
- **How alike** (similarity) is the cosine of picture and words. **Inside its box** (D) grows with how much of the
  bright part of the map lies in the box, but is no share of it. Both are what the guiding model itself believes:
  no proof. Look at the picture.
- The **same seed without guidance** is what the generator makes of the prompt alone. Compare the two.
- The **words** are coloured by how much the guiding model uses each of them when it looks at the finished picture.
- **Rescue neglected words** makes the picture again: beside the boxes, the words marked as neglected now count too.
  Their numbers may rise without the picture getting better. Compare the two.
- The built-in generators draw small scenes of Toyland, on any computer. Stable Diffusion wants a GPU.
- Things do not always come: the generator must be able to draw them, and CLIP must be able to tell them apart.
"""
# The picture beside the one that is made: its title, what it is in a sentence, and the title of the other one.
BESIDE_GUIDED = ("Same seed, no guidance", "without guidance", "With guidance")
BESIDE_RESCUED = ("Before: words neglected", "before the rescue", "Words rescued")
STORED_RUN = "Shown is a run that was made earlier. Draw boxes of your own, then press **Make the picture**."
NEARLY_EQUAL = 2.0  # contrast points, out of 100, that are not worth a claim
SIMILARITY = "itsm"  # the map of the score itself; the others show what the score depends on, or are reversed


AUTOMATIC_NOTE = (
    "Drawn scenes are answered by the Toyland ViT, photographs by the best model on this machine."
)


def model_note(entry: explain.Entry) -> str:
    """What the chosen model may be asked about."""
    return f"{entry.label}: {entry.note}"


def automatic_note(scenes: explain.Entry, photographs: explain.Entry) -> str:
    """Which models answer when none is chosen."""
    return f"Drawn scenes are answered by {scenes.label}, photographs by {photographs.label}."


def megabytes(entry: Offered) -> str:
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


def remarks(found: Comparison) -> list[str]:
    """What a reader must know before looking at the tiles: the experiments that are on, and what is not measured."""
    asked, lines = found.asked, []
    scene = asked.shown.scene
    if asked.random:
        lines.append(
            "This model has random weights: it has learnt nothing. A map that looks as it did before shows the "
            "picture's shapes, not what the model knows."
        )
    if asked.shuffled:
        mixed = asked.words != asked.prompt.strip()
        lines.append(
            f"Asked with the words in another order: “{asked.words}”. A map that stays the same does not depend on it."
            if mixed
            else "This prompt cannot be shuffled: it takes two different words."
        )
    if scene is not None and asked.background != AS_DRAWN:
        where = "where one would expect" if asked.background == USUAL else "where one would not expect"
        lines.append(
            f"The same things {toyland.place_phrase(scene.place)}, {where} them. "
            "A model that leans on the background answers differently."
        )
    if found.truth is None:
        lines.append(
            "Nothing in this scene goes by that name, so the maps cannot be measured."
            if scene is not None
            else "Where the thing really is is not known here: give a mask, and the maps are measured and ranked."
        )
    if found.first is not None:
        lines += [sentence(note) for note in found.first.notes]
    return lines


def duration(seconds: float) -> str:
    """A method's own time: "3 ms", "1.2 s"."""
    if seconds >= 0.9995:
        return f"{seconds:.1f} s"
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.0005 else "under 1 ms"


def compared(methods: int, model_label: str, seconds: float, finished: bool) -> str:
    """One line under the picture while and after the methods answer."""
    done = f"{methods} {'method' if methods == 1 else 'methods'}"
    if not finished:
        return f"{done} so far, {seconds:.1f} seconds, by {model_label}."
    return f"{done} compared in {seconds:.1f} seconds by {model_label}."


def status(prompts: int, answered_by: str, seconds: float) -> str:
    """One line under the picture after an answer."""
    took = f"in {seconds:.1f} seconds" if seconds >= 0.1 else "at once"
    return f"{prompts} {'prompt' if prompts == 1 else 'prompts'} explained {took} by {answered_by}."


def run_status(run: Run, stopped: bool) -> str:
    """What stands beside the headline of a run, which counts its steps itself."""
    step = run.last
    if step is None or run.finished:
        return ""
    if stopped:
        return f"At step {step.index} of {step.total}. What is there can still be looked at."
    return "Now the same seed without guidance." if step.finished and not run.recipe.words else ""


def made(run: Run, label: str) -> str:
    """One line under the button after a picture was made."""
    said = f"Made in {run.seconds:.1f} seconds by {label}, guided by {run.recipe.clip}."
    if run.recipe.words:
        return f"{said} Words that count beside the boxes: {', '.join(run.recipe.words)}."
    return said


def score(value: float) -> str:
    """A raw cosine, with a real minus sign."""
    return f"{value:.3f}".replace("-", "−")


def percent(share: float | None) -> str:
    """A share of 1 as whole percent, as dom.js says it: halves go up, something is never rounded to nothing, what is
    not known is a dash, and no line ends before the sign.
    """
    if share is None or not math.isfinite(share):
        return "–"
    return "under 1\xa0%" if 0 < share < 0.005 else f"{math.floor(100 * share + 0.5)}\xa0%"


def signed(value: float) -> str:
    """A contrast with its sign: "+23", "−18", "0"."""
    return f"{value:+.0f}".replace("-", "−") if round(value) else "0"


def sentence(text: str) -> str:
    """A library message as a sentence: capital first, full stop last."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
