"""Sentences of the Edit tab, from numbers; plain words, the paper's term in brackets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ui.tabs.edit.run import EditRun

EXPLAINER = """
- You say what the **whole** picture should show. Where both texts say the same, nothing should change.
- **Draw anew** (diffusion) adds noise to the picture, and a diffusion model takes it away by your text; the guiding
  CLIP chooses among several noises and pulls the picture. **Nudge the picture** (latents) moves the numbers that the
  picture is decoded from, step by step, by what CLIP says alone, as in the paper: whole things seldom come.
- **Words that count**: the picture is asked to make CLIP *use* these words, not only to resemble the whole text. How
  strongly is **lambda**; at 0 they do not count. Both results are shown, from the same seed.
- **Similarity** is the cosine of picture and text. **Relevance** of a word is its share of CLIP's attention to the text
  that raises the similarity. Both are what the guiding model itself believes: no proof. Look at the picture.
- Outside a **box** all stays as it is, to the last bit, but for a soft edge. Without a box, the diffusion model looks
  for the place itself; it may find too much or too little.
- The picture is edited at the generator's size, which for the built-in ones is 64 pixels: drawn scenes of Toyland, no
  photographs. Stable Diffusion edits those, and wants a GPU.
"""
STORED_EDIT = "Shown is an edit that was made earlier. Change the text, then press **Edit the picture**."
WORDS_LABEL = "Words that must count: tap them"
NO_WORDS = "No words count, so there is nothing to compare with."


def status(run: EditRun, stopped: bool) -> str:
    """Returns the text beside the headline of an edit, which counts its steps itself."""
    last = run.last
    if last is None or run.finished:
        return ""
    if stopped:
        return f"At step {last.index} of {last.total}. What is there stays."
    return "Now the same without the words." if last.finished else ""


def edited(run: EditRun, label: str) -> str:
    """One line under the button after an edit."""
    done = f"Edited in {run.seconds:.1f} seconds by {label}, guided by {run.recipe.clip}."
    return done if run.without is not None else f"{done} {NO_WORDS}"
