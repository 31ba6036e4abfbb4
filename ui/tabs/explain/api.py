"""The endpoint /explain."""

from __future__ import annotations

from typing import Any

from ui.models import clip_jobs
from ui.shared.answering import answering
from ui.shared.errors import told
from ui.shared.inputs import parse_prompts
from ui.shared.pictures import Picture


@told
def explain(image: str | None, prompts: str, model: str, method: str) -> list[dict[str, Any]]:
    """Explain a picture with CLIP: where it matches each prompt, and which words of the prompt count.

    Args:
        image: The picture: JPEG, PNG, WebP, GIF, BMP or TIFF, at most 50 megapixels.
        prompts: What to look for, one prompt per line, at most 12.
        model: "automatic", which is the best one here for the picture, or a name from /models. One that has to be
            downloaded is refused until it has been chosen on the page.
        method: A method's name from /models, for example "itsm" or "relevance".

    Returns:
        One object per prompt: model (that answered), prompt, score (cosine), probability (softmax among the prompts),
        map (rows of raw values at grid size), words (word and relevance, which sum to 1) and notes.
    """
    asked = parse_prompts(prompts)
    picture = Picture(path=image)
    name = answering(model, picture).name
    found = clip_jobs.explain_picture(name, picture.open(), asked, [method])
    return [
        {
            "model": name,
            "prompt": e.prompt,
            "score": e.score,
            "probability": e.probability,
            "map": e.heatmap.tolist(),
            "words": [{"word": word, "relevance": share} for word, share in e.tokens],
            "notes": list(e.notes),
        }
        for e in found[method]
    ]
