"""Which model answers: the one that a visitor chose, or the one that fits the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explain.clip.catalogue import AUTOMATIC
from ui.models import clip_jobs
from ui.shared.pictures import Picture
from ui.shared.text import model_label


@dataclass(frozen=True)
class Answering:
    """The name of a model of the catalogue, and why it was chosen where nobody chose it."""

    name: str
    reason: str = ""

    @property
    def automatic(self) -> bool:
        return bool(self.reason)

    @property
    def said(self) -> str:
        """The model for people, with the reason: "Toyland ViT (built in): this is a scene of Toyland"."""
        return f"{model_label(self.name)}: {self.reason}" if self.reason else model_label(self.name)


def answering(asked: str, picture: Picture) -> Answering:
    """Resolves `asked`, a model's name or "automatic", for a picture. A drawn scene needs no look at it."""
    if asked != AUTOMATIC:
        return Answering(asked)
    chosen = clip_jobs.model_of_scenes() if picture.scene is not None else clip_jobs.model_of(picture.open())
    return Answering(chosen.model, chosen.reason)


def answering_about(asked: str, files: Sequence[str]) -> Answering:
    """Resolves `asked` for several files: the first decides; without any, the model of drawn scenes."""
    if asked == AUTOMATIC and not files:
        return Answering(clip_jobs.model_of_scenes().model)
    return answering(asked, Picture(path=files[0] if files else None))
