"""Pictures and prompts optimised with explanations: every object in its box, every word used. In a few lines:

    from explain import load
    from guidance import Box, Layout, find_preset, generate, open_generator, targets

    generator = open_generator("toy-sd")
    preset = find_preset("fast", generator)
    layout = Layout("a red cat on the grass", targets([Box("red cat", 0.1, 0.3, 0.5, 0.8)]))
    for step in generate(generator, load("toy-vit"), layout, 0, preset.sampling, preset.objective):
        print(step.index, step.losses)

It knows `explain` and nothing of any page. Errors in what is given are ValueErrors that say what is allowed. The
folders: layout/ says where objects go, objectives/ how far a picture is from that, generators/ make pictures, editing/
changes them, tuning/ learns prompts, evaluation/ measures what came of it, commands/ are the command lines.
"""

from typing import TYPE_CHECKING

from explain.faces import lazily

if TYPE_CHECKING:
    from guidance.commands.classify import classify
    from guidance.editing.edit import EditStep, edit
    from guidance.editing.settings import EditSettings, find_edit
    from guidance.generating import Step, generate
    from guidance.generators.catalogue import GENERATORS
    from guidance.generators.loading import open_generator
    from guidance.generators.sampling import Sampling
    from guidance.layout.places import Box, Layout, Region, Target, targets
    from guidance.objectives.settings import ObjectiveSettings
    from guidance.objectives.word_relevance import neglected
    from guidance.presets import PRESETS, Preset, find_preset
    from guidance.records import read_record, save_gif, save_png
    from guidance.rescuing import BoxesAndWords, RescueStep, rescue
    from guidance.tuning.examples import GivenExamples
    from guidance.tuning.lesson import lesson
    from guidance.tuning.prompt_learner import ContextSettings, PromptLearner
    from guidance.tuning.saved import load_context, save_context
    from guidance.tuning.settings import TuningSettings, Variant

__all__ = [
    "GENERATORS",
    "PRESETS",
    "Box",
    "BoxesAndWords",
    "ContextSettings",
    "EditSettings",
    "EditStep",
    "GivenExamples",
    "Layout",
    "ObjectiveSettings",
    "Preset",
    "PromptLearner",
    "Region",
    "RescueStep",
    "Sampling",
    "Step",
    "Target",
    "TuningSettings",
    "Variant",
    "classify",
    "edit",
    "find_edit",
    "find_preset",
    "generate",
    "lesson",
    "load_context",
    "neglected",
    "open_generator",
    "read_record",
    "rescue",
    "save_context",
    "save_gif",
    "save_png",
    "targets",
]

_HOMES = {
    "generators.catalogue": ("GENERATORS",),
    "editing.settings": ("EditSettings", "find_edit"),
    "editing.edit": ("EditStep", "edit"),
    "generating": ("Step", "generate"),
    "generators.loading": ("open_generator",),
    "layout.places": ("Box", "Layout", "Region", "Target", "targets"),
    "presets": ("PRESETS", "Preset", "find_preset"),
    "tuning.prompt_learner": ("ContextSettings", "PromptLearner"),
    "records": ("read_record", "save_gif", "save_png"),
    "rescuing": ("BoxesAndWords", "RescueStep", "rescue"),
    "generators.sampling": ("Sampling",),
    "objectives.settings": ("ObjectiveSettings",),
    "commands.classify": ("classify",),
    "tuning.examples": ("GivenExamples",),
    "tuning.lesson": ("lesson",),
    "tuning.saved": ("load_context", "save_context"),
    "tuning.settings": ("TuningSettings", "Variant"),
    "objectives.word_relevance": ("neglected",),
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazily(__name__, _HOMES)
