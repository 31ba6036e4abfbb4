"""Settings of a layout's objective, and the names of its parts."""

from __future__ import annotations

from dataclasses import dataclass

from guidance.checks import shown, text, whole, within
from guidance.objectives import losses

MAX_VIEWS = 64
MOST = 1000.0  # of any weight
_BOUNDS = {
    "lambda0": (0.0, MOST),
    "threshold": (0.0, 1.0),
    "sharpness": (0.1, MOST),
    "coverage_weight": (0.0, MOST),
    "scene_weight": (0.0, MOST),
    "view_strength": (0.0, 1.0),
}
_SWITCHES = ("whole_views", "masked_views", "legacy_single_view")


@dataclass(frozen=True)
class ObjectiveSettings:
    """All choices; as they are, those of paper A (Paiss et al. 2022, arXiv 2204.04908), whose own numbers they are.

    `heatmap`: the map that is asked to be in the box, a name in `heatmaps.HEATMAPS`. `lambda0` weighs it; 0 switches it
    off. `threshold` and `sharpness` are t and T. `whole_views`, `masked_views`: whether whole views, and views of the
    target's place alone, are compared with the target's phrase as it stands in `template`. `views`: how many, of
    `view_strength` in [0, 1]; `legacy_single_view`: copies of one, as the released code did. Ours and off:
    `coverage_weight` (see `losses.mask_coverage`), and `scene_weight`, of the layout's prompt beside the whole views.
    """

    heatmap: str = "relevance"
    lambda0: float = losses.LAMBDA
    threshold: float = losses.THRESHOLD
    sharpness: float = losses.SHARPNESS
    whole_views: bool = True
    masked_views: bool = True
    coverage_weight: float = 0.0
    scene_weight: float = 0.0
    template: str = "a photo of {phrase}"
    views: int = 16
    view_strength: float = 1.0
    legacy_single_view: bool = False

    def __post_init__(self) -> None:
        for name, bounds in _BOUNDS.items():
            object.__setattr__(self, name, within(name, getattr(self, name), *bounds))
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} is {shown(getattr(self, name))}; allowed: True, False")
        object.__setattr__(self, "views", whole("views", self.views, 1, MAX_VIEWS))
        object.__setattr__(self, "template", text("template", self.template, 200))
        if "{phrase}" not in self.template:
            raise ValueError(f"template is {shown(self.template)}; allowed: a text with {{phrase}} in it")
        if not (self.guides_targets or self.scene_weight):
            raise ValueError(
                "nothing is asked of the picture: whole_views and masked_views are off, and lambda0, "
                "coverage_weight and scene_weight are 0; allowed: at least one of them"
            )

    @property
    def guides_targets(self) -> bool:
        """Whether anything is asked of the targets."""
        return bool(self.whole_views or self.masked_views or self.needs_map)

    @property
    def needs_map(self) -> bool:
        """Whether the loss looks at the map."""
        return bool(self.lambda0 or self.coverage_weight)

    def prompt(self, phrase: str) -> str:
        """The prompt of a target."""
        return self.template.replace("{phrase}", phrase)
