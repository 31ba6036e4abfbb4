"""The lists of models and methods on the page: what can be chosen, what cannot now, and why."""

from __future__ import annotations

from typing import Any

from explain.clip.catalogue import AUTOMATIC
from ui.components import choices
from ui.components.choice import Option, choice_value
from ui.shared import text
from ui.shared.links import NO_METHOD

BUILT_IN, DOWNLOADED = "Built in", "For photographs: downloaded when first used"
PAINTED = "Anything: downloaded when first used"
FIRST_LABELS = {
    AUTOMATIC: "Automatic, by the picture",
    "toy-sd": "Toyland diffusion (built in)",
    "toy-vit": "Toyland ViT (built in)",
    "itsm": "Image-Text Similarity Map",
    "relevance": "Relevance",
}
OFFLINE = "not on this machine, which is offline"


def plain(title: str, selected: str) -> dict[str, Any]:
    """A list of one, until the library, which knows the rest, has been loaded."""
    return choice_value(title, selected, {"": [Option(selected, FIRST_LABELS.get(selected, selected))]})


def models(selected: str) -> dict[str, Any]:
    """Every model of the catalogue; those that cannot be had now are greyed, with the reason."""
    import explain

    groups: dict[str, list[Option]] = {
        "": [Option(AUTOMATIC, FIRST_LABELS[AUTOMATIC])],
        BUILT_IN: [],
        DOWNLOADED: [],
    }
    for entry in explain.CATALOGUE.values():
        unavailable = explain.available(entry) is not None
        if entry.local:
            option = Option(entry.name, entry.label, "missing from this copy" if unavailable else None)
        else:
            label = f"{entry.label} ({text.megabytes(entry)})"
            option = Option(entry.name, label, OFFLINE if unavailable else None)
        groups[BUILT_IN if entry.local else DOWNLOADED].append(option)
    return choice_value("Model", selected, groups)


def methods(title: str, selected: str, model: str, with_none: bool = False) -> dict[str, Any]:
    """Every method; those that the model's kind of tower lacks are greyed."""
    import explain
    from explain.clip.catalogue import find
    from explain.methods import lacking

    lacks = {} if model == AUTOMATIC else lacking(find(model))
    options = [Option(m.name, m.label, lacks.get(m.name)) for m in explain.METHODS.values()]
    if with_none:
        options.insert(0, Option(NO_METHOD, "Nothing"))
    return choice_value(title, selected, {"": options})


def model_note(name: str) -> str:
    """Says what may be asked of this model; of "automatic", which models answer."""
    from explain import automatic
    from explain.clip.catalogue import find

    if name == AUTOMATIC:
        return text.automatic_note(
            *(find(c().model) for c in (automatic.for_scenes, automatic.for_photographs))
        )
    return text.model_note(find(name))


def selected(model: str, automatic: bool) -> str:
    """Returns the choice in the list of models after an answer of `model`."""
    return AUTOMATIC if automatic else model


def generators(selected: str) -> dict[str, Any]:
    """Every generator; those that cannot be had here and now are greyed, with the reason."""
    from guidance.generators.catalogue import GENERATORS
    from ui.models.generator_jobs import unavailable

    groups: dict[str, list[Option]] = {BUILT_IN: [], PAINTED: []}
    for entry in GENERATORS.values():
        label = entry.label if entry.local else f"{entry.label} ({text.megabytes(entry)})"
        groups[BUILT_IN if entry.local else PAINTED].append(Option(entry.name, label, unavailable(entry)))
    return choice_value("Generator", selected, groups)


def generator_note(name: str) -> str:
    """Says what the chosen generator is good for."""
    from guidance.generators.catalogue import find

    entry = find(name)
    return f"{entry.label}: {entry.note}"


def show_models(selected: str, default_model: str) -> tuple[dict[str, Any], str]:
    """The list of models, those that cannot be had now greyed, and what may be asked of the chosen one, or of the usual
    one where a link chose what does not exist.
    """
    from explain.clip.catalogue import AUTOMATIC, CATALOGUE

    model = selected if selected in CATALOGUE or selected == AUTOMATIC else default_model
    return choices.models(model), choices.model_note(model)
