"""Sentences of the Explain tab."""

from __future__ import annotations

from ui.shared.text import SIMILARITY

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
- A map shows what one model did with one picture. It does not prove where the thing is, nor why the world is so.
"""
WHERE = (
    "Then every map says how much of it is in your box, and whether its brightest point is. A box that is named like a "
    "prompt counts for that prompt; boxes without a name count for all others."
)
NEARLY_EQUAL = 2.0  # contrast points, out of 100, that are not worth a claim


def contrast(method: str, msc: float, name: str, rest: str, turned: bool) -> str:
    """Says what the map does on the subject against the rest, from its mean score contrast (-100 to 100)."""
    if method == SIMILARITY and not turned:
        if abs(msc) < NEARLY_EQUAL:
            return f"Here CLIP scores {rest} about as high as {name}."
        return f"Here CLIP scores {rest} {'lower' if msc > 0 else 'higher'} than {name}."
    map_name = "The reversed map" if turned else "This map"
    if abs(msc) < NEARLY_EQUAL:
        return f"{map_name} is about as bright on {rest} as on {name}."
    brighter, other = (name, rest) if msc > 0 else (rest, name)
    return f"{map_name} is brighter on {brighter} than on {other}."


def status(prompts: int, answered_by: str, seconds: float) -> str:
    """One line under the picture after an answer."""
    took = f"in {seconds:.1f} seconds" if seconds >= 0.1 else "at once"
    return f"{prompts} {'prompt' if prompts == 1 else 'prompts'} explained {took} by {answered_by}."
