"""Runs of diffusion that begin with a picture: as diffusers' image to image, and with what is to stay."""

import math

import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from torch.testing import assert_close

from guidance.generators.diffusion.change_mask import change_mask, one_place
from guidance.generators.diffusion.schedulers import fresh_scheduler, noise_level
from guidance.generators.diffusion.source import Source, inverted_noise
from guidance.generators.sampling import Sampling
from guidance.layout.places import Box, Layout, targets
from tests.tiny_generators import MODES, PROMPTS, SEEDS, redness

# DPM-Solver and Euler turn tensors into arrays in a way that numpy 2 grumbles about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STEPS = 5
HALF = torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(2, 1, 4, 4)  # the left may change
# These tiny schedulers end a thousandth before all noise is gone, or do not.
LEFT = {"ddim": 0.12, "pndm": 0.12, "lcm": 1e-3, "euler": 1e-3, "dpm++": 1e-3}
QUICK = {"steps": STEPS, "guide_to": 1.0}


def clean(seed=0):
    return torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(seed))


def run(model, source, guide=None, **changes):
    sampling = Sampling(**{"steps": STEPS, **changes})
    process = model.begin(PROMPTS, SEEDS, sampling, source=source)
    steps = [process.advance(guide) for _ in range(process.total)]
    return process, steps


def theirs(folder, latents, strength):
    """Latents by diffusers' own loop, which takes latents for pictures."""
    pipe = StableDiffusionImg2ImgPipeline.from_pretrained(
        folder, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )
    pipe.set_progress_bar_config(disable=True)
    noise = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    call = {"output_type": "latent", "num_inference_steps": STEPS, "strength": strength}
    return pipe(PROMPTS, image=latents, generator=noise, **call).images


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "dpm++"])
@pytest.mark.parametrize("strength", [0.3, 0.6, 1.0])
def test_without_a_guide_it_is_image_to_image_to_the_bit(shelf, scheduler, strength):
    process, steps = run(shelf.model(scheduler=scheduler), Source(clean(), strength))
    assert torch.equal(process.latents, theirs(shelf.folder(scheduler=scheduler), clean(), strength))
    assert len(steps) == int(STEPS * strength)
    assert [step.index for step in steps] == list(range(len(steps)))


@pytest.mark.parametrize("mode", MODES)
def test_weight_0_is_unguided_to_the_bit(shelf, mode):
    for masks in (None, HALF):
        source = Source(clean(), 0.6, masks)
        guided, steps = run(shelf.model(), source, redness, mode=mode, weight=0, guide_to=1.0)
        unguided, _ = run(shelf.model(), source)
        assert torch.equal(guided.latents, unguided.latents)
        assert all(step.losses is not None for step in steps)


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "pndm", "dpm++"])
@pytest.mark.parametrize("strength", [0.4, 0.6, 0.8, 1.0])
@pytest.mark.parametrize("judged_at", [0.1, 0.5, 0.9])
def test_candidates_come_to_the_noise_level_where_the_run_goes_on(shelf, scheduler, strength, judged_at):
    """Of a picture that stays, what is predicted is the picture: its noise is the same at every level."""
    source = Source(clean(), strength, torch.zeros(2, 1, 4, 4))
    sampling = Sampling(steps=STEPS, candidates=2, judged_at=judged_at, weight=1e-6)
    process = shelf.model(scheduler=scheduler).begin(PROMPTS, SEEDS, sampling, source=source)
    begun = process.latents
    fresh = fresh_scheduler(process._scheduler, STEPS, torch.device("cpu"))
    before = noise_level(fresh, fresh.timesteps[source.left_out(STEPS)])
    told = iter([torch.zeros(2), torch.ones(2)])  # the first is best
    while process._search is not None:
        process.advance(lambda images, number: next(told) + 0 * images.sum((1, 2, 3)))
    if not len(process._timesteps):
        return assert_close(process.latents, clean(), atol=LEFT[scheduler], rtol=0)
    after = noise_level(fresh, process._timesteps[0])
    assert after.sigma < before.sigma
    noises = [
        (level.scale * latents - level.alpha * clean()) / level.sigma
        for level, latents in ((before, begun), (after, process.latents))
    ]
    return assert_close(*noises, atol=1e-3, rtol=0)


def test_a_run_makes_one_step_at_least(shelf):
    assert [Source(clean(), strength).left_out(10) for strength in (0.01, 0.1, 0.55, 1.0)] == [9, 9, 5, 0]
    _, steps = run(shelf.model(), Source(clean(), 0.01))
    assert len(steps) == 1


@pytest.mark.parametrize("scheduler", ["ddim", "lcm", "euler", "pndm", "dpm++"])
def test_what_may_not_change_stays(shelf, scheduler):
    source = Source(clean(), 0.8, HALF)
    process, _ = run(shelf.model(scheduler=scheduler), source, redness, guide_to=1.0)
    torch.testing.assert_close(process.latents[..., 2:], clean()[..., 2:], rtol=0, atol=LEFT[scheduler])
    assert (process.latents[..., :2] - clean()[..., :2]).abs().mean() > 0.1


def test_where_all_may_change_there_is_no_mask(shelf):
    free, _ = run(shelf.model(), Source(clean(), 0.6))
    masked, _ = run(shelf.model(), Source(clean(), 0.6, torch.ones(2, 1, 4, 4)))
    torch.testing.assert_close(free.latents, masked.latents)


def test_what_stays_is_as_in_blended_diffusion(shelf):
    """Noisy latents with those of the picture, at the same noise and the step's level, put in their place before every
    step, and the picture itself in the end."""
    model, noise = shelf.model(), clean(8)
    process, _ = run(model, Source(clean(), 0.8, HALF, noise))
    scheduler = type(model.pipe.scheduler).from_config(model.pipe.scheduler.config)
    scheduler.set_timesteps(STEPS)
    predict = model.begin(PROMPTS, SEEDS, Sampling(steps=STEPS))._predictor.denoiser
    timesteps = scheduler.timesteps[1:]
    latents = scheduler.add_noise(clean(), noise, timesteps[:1].repeat(2))
    for timestep in timesteps:
        known = scheduler.add_noise(clean(), noise, timestep.repeat(2))
        latents = torch.where(HALF > 0, latents, known)
        latents = scheduler.step(predict(scheduler, latents, timestep), timestep, latents).prev_sample
    torch.testing.assert_close(process.latents[..., :2], latents[..., :2], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("mode", MODES)
def test_a_batch_is_its_pictures_one_by_one(shelf, mode):
    model, changes = shelf.model(), {"mode": mode, "guide_to": 1.0, "candidates": 3}
    together, _ = run(model, Source(clean(), 0.8, HALF), redness, **changes)
    for b in range(2):
        source = Source(clean()[b : b + 1], 0.8, HALF[b : b + 1])
        sampling = Sampling(steps=STEPS, **changes)
        process = model.begin(PROMPTS[b : b + 1], SEEDS[b : b + 1], sampling, source=source)
        for _ in range(process.total):
            process.advance(redness)
        torch.testing.assert_close(process.latents[0], together.latents[b], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("scheduler", ["ddim", "euler"])
def test_the_first_candidate_is_the_run_without_a_search(shelf, scheduler):
    model, source = shelf.model(scheduler=scheduler), Source(clean(), 0.8)
    plain, _ = run(model, source)
    asked = []

    def first(images, number):
        asked.append(number)
        return (0 * images).sum((1, 2, 3)) + float(len(asked) > 1)

    process = model.begin(PROMPTS, SEEDS, Sampling(steps=STEPS, candidates=3, weight=1e-6), source=source)
    while process._search is not None:
        process.advance(first)
    while process._index < process.total:
        process.advance()
    torch.testing.assert_close(process.latents, plain.latents, rtol=1e-3, atol=1e-3)


def test_what_is_drawn_from_a_phrase_stays_within(shelf):
    layouts = [Layout(prompt, targets([Box("red boat", 0, 0, 0.5, 1)])) for prompt in PROMPTS]
    sampling = Sampling(steps=STEPS, regions_to=1.0, blank_to=0.5)
    process = shelf.model().begin(PROMPTS, SEEDS, sampling, layouts, source=Source(clean(), 0.8, HALF))
    for _ in range(process.total):
        process.advance()
    torch.testing.assert_close(process.latents[..., 2:], clean()[..., 2:], rtol=0, atol=LEFT["ddim"])
    other, _ = run(shelf.model(), Source(clean(), 0.8, HALF))
    assert not torch.allclose(process.latents[..., :2], other.latents[..., :2], atol=1e-2)


def test_latents_are_the_pipelines(shelf):
    """What its own encoder gives, without noise, and what its own decoder makes of that."""
    model, images = shelf.model(), torch.rand(2, 3, 32, 32)
    vae, scale = model.pipe.vae, model.pipe.vae.config.scaling_factor
    with torch.no_grad():
        expected = vae.encode(model.pipe.image_processor.preprocess(images)).latent_dist.mode() * scale
        there_and_back = (vae.decode(expected / scale).sample / 2 + 0.5).clamp(0, 1)
    assert torch.equal(model.latents(images), expected)
    assert torch.equal(model.images(expected), there_and_back)


def test_as_many_pictures_as_prompts(shelf):
    with pytest.raises(ValueError, match="2 prompts and 1 pictures"):
        shelf.model().begin(PROMPTS, SEEDS, Sampling(**QUICK), source=Source(clean()[:1]))


# Inversion


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "dpm++"])
@pytest.mark.parametrize("begun", [0, 2])
def test_inversion_comes_back(shelf, scheduler, begun):
    """With the same prompts and no guidance of any kind, and far better than from noise that is drawn."""
    model, steps = shelf.model(scheduler=scheduler), 30
    noise = inverted_noise(model.pipe, clean(), PROMPTS, steps, begun)
    found = {}
    for name, given in (("inverted", noise), ("drawn", None)):
        source = Source(clean(), (steps - begun) / steps + 1e-9, noise=given)
        process, _ = run(model, source, steps=steps, guidance_scale=1.0)
        found[name] = float((process.latents - clean()).square().mean().sqrt())
    # DPM-Solver takes steps of the second order forward, and all are of the first order back.
    assert found["inverted"] < (0.2 if scheduler == "dpm++" else 0.02)
    assert found["drawn"] > 0.3


def test_a_step_of_inversion_is_taken_back_by_ddim(shelf):
    """From the noisier latents that are found, DDIM's step leads to those that it began with."""
    model, steps = shelf.model(), 4
    noise = inverted_noise(model.pipe, clean(), PROMPTS, steps, begun=3)
    scheduler = type(model.pipe.scheduler).from_config(
        {**model.pipe.scheduler.config, "set_alpha_to_one": True}
    )
    scheduler.set_timesteps(steps)
    timestep = scheduler.timesteps[3]
    noisy = scheduler.add_noise(clean(), noise, timestep.repeat(2))
    sampling = Sampling(guidance_scale=1.0, steps=steps)
    denoise = model.begin(PROMPTS, SEEDS, sampling)._predictor.denoiser
    back = scheduler.step(denoise(scheduler, noisy, timestep), timestep, noisy).prev_sample
    torch.testing.assert_close(back, clean(), rtol=0, atol=1e-3)


# Where to change


def test_the_mask_is_where_predictions_differ(shelf, monkeypatch):
    """A model that sees a difference in one cell: that cell and its neighbours."""

    def told(pipe, prompts, sampling):
        def output(scheduler, latents, timestep):
            found = latents.clone()
            found[:, :, 1, 3] += 5.0 * (prompts[0] == "new")
            return found

        return output

    monkeypatch.setattr("guidance.generators.diffusion.change_mask.denoiser", told)
    mask = change_mask(shelf.model().pipe, clean()[:1], "new", "old", seed=3)
    expected = torch.zeros(4, 4)
    expected[0:3, 2:4] = 1
    assert torch.equal(mask[0, 0], expected)
    same = change_mask(shelf.model().pipe, clean()[:1], "old", "old", seed=3)
    assert same.min() == 1  # no difference: nothing to go by
    monkeypatch.setattr(
        "guidance.generators.diffusion.change_mask.denoiser",
        lambda *_: lambda s, latents, t: latents * math.nan,
    )
    assert change_mask(shelf.model().pipe, clean()[:1], "new", "old", seed=3).min() == 1


def test_one_place_of_several():
    """The one that differs most in all, not at most; corners hold together."""
    found = torch.tensor([[1, 0, 0, 0, 1], [0, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 0, 0, 1, 0]]).bool()[
        None, None
    ]
    values = torch.ones(4, 5)[None, None]
    values[0, 0, 3, 0] = 1.9
    values[0, 0, 0, 4] = 1.5
    assert one_place(found, values)[0, 0].nonzero().tolist() == [[0, 4], [1, 4]]
    values[0, 0, 1, 1] = 2.0
    assert one_place(found, values)[0, 0].nonzero().tolist() == [[0, 0], [1, 1]]
    everything = torch.ones(1, 1, 3, 4, dtype=torch.bool)
    assert one_place(everything, torch.rand(1, 1, 3, 4)).all()


def test_masks_repeat_and_depend_on_the_words(shelf):
    pipe = shelf.model().pipe
    masks = [
        change_mask(pipe, clean()[:1], prompt, "", seed, threshold)
        for prompt, seed, threshold in (
            ("a red boat", 1, 0.7),
            ("a red boat", 1, 0.7),
            ("a red boat", 1, 1.0),
            ("a red boat", 1, 0.0),
        )
    ]
    assert torch.equal(masks[0], masks[1])
    assert set(masks[0].unique().tolist()) <= {0.0, 1.0}
    assert masks[2].max() == masks[3].min() == 1  # never empty; all of the picture
    assert masks[2].sum() <= 9  # one cell and its neighbours
