"""Sentences of the Generate tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ui.tabs.generate.run import Run

GENERATE_EXPLAINER = """
- A generator turns noise into a picture, step by step. CLIP looks at what the picture is going to be: each box should
  **resemble its words**, and CLIP's map of these words should stay **inside the box**. It pulls the picture that way.
- With **Quick look** and **Best**, diffusion models (all but the VQGANs) do more. They draw in each box from the box's
  own words. And they try several noises: each box goes on with the one that CLIP likes best there.
- **How alike** (similarity) is the cosine of picture and words. **Inside its box** (D) grows with how much of the
  bright part of the map lies in the box, but is not a share of it. Both are what the guiding model itself believes:
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


def run_status(run: Run, stopped: bool) -> str:
    """Returns the text beside the headline of a run, which counts its steps itself."""
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
