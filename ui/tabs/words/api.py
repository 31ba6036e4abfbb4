"""The endpoint /words."""

from __future__ import annotations

from typing import Any

from ui.shared.answering import answering
from ui.shared.errors import told
from ui.shared.pictures import Picture
from ui.tabs.words.question import WordsAsked, ask


@told
def words(image: str | None, labels: str, phrasings: str, model: str) -> dict[str, Any]:
    """Ask CLIP in many phrasings which label fits a picture: does the answer stay, and which words does it use?

    Args:
        image: The picture: JPEG, PNG, WebP, GIF, BMP or TIFF, at most 50 megapixels.
        labels: What may be in the picture, one per line or with commas, at most 12.
        phrasings: One per line, at most 32, with {} where the label goes, for example "a photo of a {}".
        model: "automatic", which is the best one here for the picture, or a name from /models. One that has to be
            downloaded is refused until it has been chosen on the page.

    Returns:
        labels, phrasings, and texts: a row per phrasing and a column per label, each with its prompt, score (cosine),
        probability (softmax among the labels) and words (relevance as a share of the strongest content word's,
        content, named: of the label, neglected: below the threshold, drop: what the cosine loses without it, or null).
        decisions: the label of each phrasing; ensemble and decided: probabilities and label of all phrasings together;
        flips: numbers of the phrasings that decide otherwise; instability: the share of pairs that disagree; notes.
    """
    from explain.stability.report import as_record

    picture = Picture(path=image)
    return as_record(ask(WordsAsked(picture, labels, phrasings, answering(model, picture).name)).found)
