"""Things drawn from their own phrases in their own places, and noises that are tried before a run."""

import math
from dataclasses import replace

import pytest
import torch

from guidance.generators.diffusion.denoiser import denoiser
from guidance.generators.diffusion.regions import place_masks, regions
from guidance.generators.diffusion.schedulers import (
    PREDICTION_TYPES,
    SCHEDULERS,
    fresh_scheduler,
    noise_level,
    predicted_x0,
    step_with,
    timesteps_from,
)
from guidance.generators.sampling import Sampling
from guidance.layout.parsing import Box, targets
from guidance.layout.places import Layout
from tests.tiny_generators import MODES, PROMPTS, QUICK, SEEDS, STEPS, redness, run

# DPM-Solver and Euler turn tensors into arrays in a way that numpy 2 grumbles about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
LAYOUTS = [
    Layout(PROMPTS[0], targets([Box("a boat", *LEFT), Box("red", 0.25, 0.0, 0.75, 0.5)])),
    Layout(PROMPTS[1], targets([Box("the sky", *RIGHT)])),
]
FULL = Layout("a boat and the sky", targets([Box("a boat", *LEFT), Box("the sky", *RIGHT)]))
REGIONS = Sampling(**QUICK, weight=1e-6, regions_to=1.0)  # nothing is pulled


def made(model, sampling, layouts, prompts=PROMPTS, seeds=SEEDS, guide=redness):
    process = model.begin(prompts, seeds, sampling, layouts)
    for _ in range(process.total):
        process.advance(guide)
    return process.latents


def finished(model, sampling):
    process = model.begin(PROMPTS, SEEDS, sampling, LAYOUTS)
    for _ in range(process.total):
        process.advance(redness)
    return process.finish()


@pytest.mark.parametrize("prediction_type", PREDICTION_TYPES)
@pytest.mark.parametrize("scheduler", ["ddim", "euler"])
@pytest.mark.parametrize("blank", [False, True])
def test_each_place_is_what_its_own_phrase_makes_of_it(shelf, scheduler, prediction_type, blank):
    """By loops over pictures, targets and cells; what is blank has the mean colour of the rest, and no noise."""
    model = shelf.model(scheduler=scheduler, prediction_type=prediction_type)
    process = model.begin(PROMPTS, SEEDS, Sampling(**QUICK, regions_to=1.0), LAYOUTS)
    clock, latents = process._scheduler, process.latents
    step, sampling = clock.timesteps[0], Sampling(**QUICK)
    level = noise_level(clock, step)
    whole = denoiser(model.pipe, PROMPTS, sampling)
    found = regions(model.pipe, LAYOUTS, whole, sampling, (4, 4))
    x0 = predicted_x0(clock, level, latents, whole(clock, latents, step))
    fused = found.fused(clock, level, latents, step, x0, blank)
    for b, layout in enumerate(LAYOUTS):
        masks = [torch.from_numpy(target.mask(4, 4)) >= 0.5 for target in layout.targets]
        sums, counts = torch.zeros_like(x0[b]), sum(mask.int() for mask in masks)
        outside = [(y, x) for y in range(4) for x in range(4) if not counts[y, x]]
        colour = sum(x0[b, :, y, x] for y, x in outside) / len(outside)
        for target, mask in zip(layout.targets, masks, strict=True):
            seen = latents[b : b + 1].clone()
            for y in range(4):
                for x in range(4):
                    if blank and not mask[y, x]:
                        seen[0, :, y, x] = level.alpha * colour / level.scale
            own = denoiser(model.pipe, [target.phrase], sampling)
            sums += predicted_x0(clock, level, seen, own(clock, seen, step))[0] * mask
        expected = torch.where(counts > 0, sums / counts.clamp(min=1), x0[b])
        assert torch.allclose(fused[b], expected, atol=1e-4)
    assert not torch.allclose(fused, x0, atol=1e-3)


def test_a_place_that_is_the_whole_picture_with_its_prompt_changes_nothing(shelf):
    layouts = [Layout(prompt, targets([Box(prompt, 0, 0, 1, 1)])) for prompt in PROMPTS]
    plain = made(shelf.model(), Sampling(steps=STEPS), (), guide=None)
    assert torch.allclose(made(shelf.model(), REGIONS, layouts), plain, atol=1e-3)


def test_places_matter_only_where_they_are_asked_for(shelf):
    plain = made(shelf.model(), Sampling(steps=STEPS), (), guide=None)
    settings = {**QUICK, "regions_to": 1.0, "blank_to": 0.5, "rest_scale": 2.0}
    for changes in ({"weight": 0.0}, {"regions_to": 0.0, "mode": "off"}):
        assert torch.equal(made(shelf.model(), Sampling(**settings | changes), LAYOUTS), plain)
    assert torch.equal(made(shelf.model(), Sampling(**settings).alone, LAYOUTS, guide=None), plain)
    unpulled = made(shelf.model(), Sampling(**settings, mode="off"), LAYOUTS, guide=None)
    assert not torch.allclose(unpulled, plain, atol=1e-2)  # places need no guide
    pulled = made(shelf.model(), Sampling(**settings, weight=1e-6), LAYOUTS)
    assert torch.allclose(pulled, unpulled, atol=1e-3)
    without = [Layout(prompt) for prompt in PROMPTS]
    assert torch.allclose(made(shelf.model(), REGIONS, without), plain, atol=1e-3)
    assert not torch.allclose(made(shelf.model(), REGIONS, LAYOUTS), plain, atol=1e-2)


def test_the_rest_of_the_picture_is_led_away_from_the_phrases(shelf):
    """As by the pipeline with the phrases as its negative prompt: after one step, outside all places."""
    model, sampling = shelf.model(), replace(REGIONS, rest_scale=2.0)
    for negative, expected in (("", "a boat, red"), ("rain", "a boat, red, rain")):
        process = model.begin(
            PROMPTS[:1], SEEDS[:1], replace(sampling, negative_prompt=negative), LAYOUTS[:1]
        )
        clock, latents = process._scheduler, process.latents
        step = clock.timesteps[0]
        wanted = denoiser(model.pipe, PROMPTS[:1], Sampling(guidance_scale=2.0, negative_prompt=expected))
        x0 = predicted_x0(clock, noise_level(clock, step), latents, wanted(clock, latents, step))
        outside = (place_masks(LAYOUTS[0], (4, 4)).sum(0) == 0).expand_as(x0[0])
        found = process._predictor(clock, latents, step, 0).x0
        assert torch.allclose(found[0][outside], x0[0][outside], atol=1e-5)
        elsewhere = process._predictor.denoiser(clock, latents, step)
        assert not torch.allclose(elsewhere, wanted(clock, latents, step), atol=1e-3)
    assert not torch.allclose(made(model, sampling, LAYOUTS), made(model, REGIONS, LAYOUTS), atol=1e-3)


@pytest.mark.parametrize("guidance_scale", [0.0, 7.5])
def test_without_places_there_is_no_rest(shelf, guidance_scale):
    """In company that has some. And a model without classifier-free guidance cannot be led away."""
    sampling = replace(REGIONS, guidance_scale=guidance_scale)
    led = replace(sampling, rest_scale=2.0)
    layouts = [LAYOUTS[0], Layout(PROMPTS[1])]
    with_rest, without = (made(shelf.model(), each, layouts) for each in (led, sampling))
    assert torch.allclose(with_rest[1], without[1], atol=1e-5)
    assert torch.equal(with_rest[0], without[0]) == (guidance_scale == 0)


@pytest.mark.parametrize("model", [{}, {"scheduler": "lcm", "time_cond": 32}], ids=["ddim", "distilled"])
@pytest.mark.parametrize("candidates", [1, 6])
def test_a_picture_is_the_same_in_any_company(shelf, model, candidates):
    """Some with much in no place, one with nothing."""
    sampling = Sampling(
        **QUICK, weight=1e-6, regions_to=0.7, blank_to=0.4, rest_scale=3.0, candidates=candidates
    )
    given = [[*LAYOUTS, FULL], [*PROMPTS, FULL.prompt], [*SEEDS, 5]]
    together = made(shelf.model(**model), sampling, *given)
    for place in range(3):
        alone = made(shelf.model(**model), sampling, *([each[place]] for each in given))
        assert torch.allclose(alone[0], together[place], atol=1e-4)


def test_many_places_take_no_more_memory_than_some(shelf, monkeypatch):
    boxes = [Box(f"red {number}", 0, 0, 0.2 + 0.05 * number, 0.5) for number in range(12)]
    layout = Layout(PROMPTS[0], targets(boxes))
    model, asked = shelf.model(), []
    forward = type(model.pipe.unet).forward

    def counted(unet, sample, *rest, **named):
        asked.append(len(sample))
        return forward(unet, sample, *rest, **named)

    monkeypatch.setattr(type(model.pipe.unet), "forward", counted)
    sampling = Sampling(**QUICK, weight=1e-6, regions_to=1.0, candidates=4)
    made(model, sampling, [layout], PROMPTS[:1], SEEDS[:1])
    assert max(asked) == 16  # eight places, with prompt and without


@pytest.mark.parametrize(
    ("steps", "share", "expected"), [(1, 0.5, 1), (5, 0.5, 3), (9, 0.5, 5), (20, 0.7, 14)]
)
def test_shares_of_the_steps_are_those_of_the_guide(shelf, steps, share, expected):
    sampling = Sampling(steps=steps, regions_to=share, blank_to=share, guide_to=share)
    process = shelf.model().begin(PROMPTS, SEEDS, sampling, LAYOUTS)
    asked = []
    process._predictor.regions.__dict__["fused"] = lambda *given: asked.append(given[-1]) or given[-2]
    for _ in range(process.total):
        process.advance(redness)
    assert asked == [True] * expected
    assert sum(sampling.guides(index, steps) for index in range(steps)) == expected


@pytest.mark.parametrize("mode", MODES)
def test_a_guide_pulls_where_places_are_drawn(shelf, mode):
    """In steps that ask for places, after a search."""
    settings = {"steps": 6, "mode": mode, "regions_to": 1.0, "rest_scale": 2.0, "candidates": 3}
    sampling = Sampling(**settings, norm=0.3, guide_to=1.0)
    pulled, still = (finished(shelf.model(), replace(sampling, weight=weight)) for weight in (1.0, 1e-6))
    assert (redness(pulled, 0) < 0.9 * redness(still, 0)).all()


def test_the_smallest_box_has_a_cell(shelf):
    layout = Layout("a boat", targets([Box("red", 0.3, 0.3, 0.35, 0.35)]))
    pipe, sampling = shelf.model().pipe, Sampling()
    found = regions(pipe, [layout], denoiser(pipe, [layout.prompt], sampling), sampling, (4, 4))
    assert found.masks.sum() == 1
    assert found.masks[0, 0, 1, 1] == 1


def test_the_rounds_of_a_search_are_steps_that_show_the_best_so_far(shelf):
    told = []

    def guide(images, number):
        losses = redness(images, number)
        told.append(losses.detach())
        return losses

    sampling = Sampling(steps=8, weight=1e-6, candidates=5, judged_at=0.25)
    process, steps = run(shelf.model(), sampling, guide)
    rounds = process.total - 6
    assert rounds == 3  # one candidate of each picture, then two at a time
    assert [step.index for step in steps] == list(range(process.total))
    assert all(step.losses is None for step in steps[:rounds])
    for number, step in enumerate(steps[:rounds], start=1):
        least = torch.stack(told[: 2 * number - 1]).amin(0)
        assert torch.allclose(redness(step.preview, 0), least, atol=1e-6)


class Wanted:
    """A guide that says of the targets of every picture, and of the rest, what it was told to say of each candidate in
    turn.
    """

    def __init__(self, losses):
        self.losses = iter(losses)

    def __call__(self, images, number):
        return (0 * images).sum((1, 2, 3))

    def of_targets(self, images):
        return torch.tensor(next(self.losses))


def test_each_place_is_taken_from_the_candidate_that_is_best_for_it(shelf):
    """Halfway, where nothing has mixed yet. A smaller place lies over a larger one; what is nan is never taken."""
    sampling = Sampling(**QUICK, weight=1e-6, candidates=3, judged_at=0.4)
    losses = [
        [[1.0, 5.0], [2.0, 0.0]],
        [[3.0, 0.0], [1.0, 0.0]],
        [[0.5, 9.0], [math.nan, 0.0]],
    ]
    halfway = []
    for number in range(3):  # each alone: the one that is best for all
        alone = [[[float(n != number)] * 2] * 2 for n in range(3)]
        halfway.append(after_search(shelf.model(), sampling, Wanted(alone)))
    found = after_search(shelf.model(), sampling, Wanted(losses))
    boat, red = place_masks(LAYOUTS[0], (4, 4))
    expected = torch.where(boat > 0, halfway[2][0], halfway[1][0])  # 3, of all places together, is least
    expected = torch.where(red > 0, halfway[1][0], expected)
    assert torch.equal(found[0], expected)
    assert torch.equal(found[1], halfway[1][1])
    assert not torch.equal(halfway[0][0], halfway[1][0])


def after_search(model, sampling, guide):
    process = model.begin(PROMPTS, SEEDS, sampling, LAYOUTS)
    while process._search is not None:
        process.advance(guide)
    return process.latents


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_run_that_begins_later_ends_where_it_should(shelf, scheduler):
    """With a model that knows the noise: wherever a scheduler begins, it ends at the picture. LCM brings new noise."""
    x0, noise = torch.randn(2, 1, 4, 8, 8).unbind()
    clock = shelf.model(scheduler=scheduler).pipe.scheduler
    for done in (0, 1, 4):
        fresh = fresh_scheduler(clock, 9, torch.device("cpu"))
        steps = timesteps_from(fresh, done)
        level = noise_level(fresh, steps[0])
        latents = (level.alpha * x0 + level.sigma * noise) / level.scale
        for step in steps:
            level = noise_level(fresh, step)
            output = (level.scale * latents - level.alpha * x0) / level.sigma if scheduler == "lcm" else noise
            latents = step_with(fresh, output, step, latents, [torch.Generator().manual_seed(0)])
        assert torch.allclose(latents, x0, atol=0.15), (done, (latents - x0).abs().max())


def test_a_search_needs_a_guide(shelf):
    process = shelf.model().begin(PROMPTS, SEEDS, Sampling(**QUICK, candidates=2))
    with pytest.raises(ValueError, match="candidates is 2; allowed without a guide to choose: 1"):
        process.advance()


def test_layouts_that_do_not_go_with_the_prompts(shelf):
    with pytest.raises(ValueError, match="2 prompts and 1 layouts"):
        shelf.model().begin(PROMPTS, SEEDS, Sampling(**QUICK), LAYOUTS[:1])
