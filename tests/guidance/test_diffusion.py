"""Latent diffusion: to the bit what diffusers' pipelines make without a guide, and the formulas with one."""

import pytest
import torch
from diffusers import LatentConsistencyModelPipeline, StableDiffusionPipeline

from guidance.generators import decoding
from guidance.generators.diffusion import schedulers
from guidance.generators.diffusion.model import open_diffusion
from guidance.generators.sampling import Sampling
from tests import tiny_generators
from tests.tiny_generators import MODES, PROMPTS, QUICK, SEEDS, STEPS, redness, run

# DPM-Solver and Euler turn tensors into arrays in a way that numpy 2 grumbles about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def theirs(folder, steps=STEPS, kind=StableDiffusionPipeline, dtype=torch.float32, seeds=SEEDS, **call):
    """Latents by diffusers' own loop, with a pipeline that nothing of ours has touched."""
    call = {"output_type": "latent", **call}
    pipe = kind.from_pretrained(
        folder, safety_checker=None, feature_extractor=None, requires_safety_checker=False, dtype=dtype
    )
    pipe.set_progress_bar_config(disable=True)
    noise = [torch.Generator().manual_seed(seed) for seed in seeds]
    return pipe(PROMPTS[: len(seeds)], num_inference_steps=steps, generator=noise, **call).images


# Without a guide


@pytest.mark.parametrize(
    ("scheduler", "scale"), [(name, 7.5) for name in schedulers.SCHEDULERS] + [("ddim", 1.0), ("lcm", 1.0)]
)
def test_latents_are_the_pipelines_to_the_bit(shelf, scheduler, scale):
    process, steps = run(shelf.model(scheduler=scheduler), Sampling(steps=STEPS, guidance_scale=scale))
    assert torch.equal(process.latents, theirs(shelf.folder(scheduler=scheduler), guidance_scale=scale))
    assert process.latents.shape == (2, 4, 4, 4)
    assert all(step.losses is None and not step.skipped.any() for step in steps)
    assert [step.index for step in steps] == list(range(process.total))


@pytest.mark.parametrize("kind", ["v_prediction", "sample"])
def test_so_they_are_for_other_prediction_types(shelf, kind):
    process, _ = run(shelf.model(prediction_type=kind), Sampling(steps=STEPS))
    assert torch.equal(process.latents, theirs(shelf.folder(prediction_type=kind)))


def test_so_they_are_for_a_negative_prompt_and_another_size(shelf):
    process, _ = run(shelf.model(), Sampling(steps=STEPS, size=(40, 24), negative_prompt="red"))
    expected = theirs(shelf.folder(), height=40, width=24, negative_prompt=["red"] * 2)
    assert torch.equal(process.latents, expected)
    assert expected.shape == (2, 4, 5, 3)


@pytest.mark.parametrize("kind", [StableDiffusionPipeline, LatentConsistencyModelPipeline])
def test_so_they_are_for_a_model_that_takes_its_guidance_scale(shelf, kind):
    changes = {"scheduler": "lcm", "time_cond": 32}
    process, _ = run(shelf.model(**changes), Sampling(steps=STEPS, guidance_scale=8))
    assert torch.equal(process.latents, theirs(shelf.folder(**changes), kind=kind, guidance_scale=8))
    weaker, _ = run(shelf.model(**changes), Sampling(steps=STEPS, guidance_scale=2))
    assert not torch.equal(process.latents, weaker.latents)


def test_so_they_are_in_half_precision(shelf):
    model = open_diffusion(shelf.folder(), dtype=torch.bfloat16)
    process, steps = run(model, Sampling(steps=2))
    assert torch.equal(process.latents, theirs(shelf.folder(), steps=2, dtype=torch.bfloat16))
    assert process.latents.dtype == torch.bfloat16
    assert steps[0].preview.dtype == process.finish().dtype == torch.float32


def test_pictures_are_the_pipelines_at_four_pixels_a_cell(shelf):
    """The shape of a small model of 64 pixels: 16 cells of 4."""
    changes = {"cell": 4, "sample_size": 16}
    model = shelf.model(**changes)
    assert (model.size, model.grid) == ((64, 64), 4)
    process, steps = run(model, Sampling(steps=2))
    assert torch.equal(process.finish(), theirs(shelf.folder(**changes), steps=2, output_type="pt"))
    assert steps[0].preview.shape == (2, 3, 64, 64)


def test_runs_share_no_state(shelf):
    """Two runs by turns, of a scheduler that remembers, are those made one after the other."""
    model, sampling = shelf.model(scheduler="dpm++"), Sampling(steps=STEPS)
    alone = [run(model, sampling, seeds=seeds)[0].latents for seeds in ([1, 2], [3, 4])]
    first, second = (model.begin(PROMPTS, seeds, sampling) for seeds in ([1, 2], [3, 4]))
    for _ in range(STEPS):
        first.advance()
        second.advance()
    assert torch.equal(first.latents, alone[0])
    assert torch.equal(second.latents, alone[1])


def test_the_preview_is_what_the_scheduler_takes_for_finished(shelf):
    model = shelf.model()
    process = model.begin(PROMPTS, SEEDS, Sampling(steps=STEPS))
    before, scheduler, timestep = process.latents, process._scheduler, process._scheduler.timesteps[0]
    seen = process.advance().preview
    output = process._predictor.denoiser(scheduler, before, timestep)
    x0 = scheduler.step(output, timestep, before).pred_original_sample
    images = model.pipe.vae.decode(x0 / model.pipe.vae.config.scaling_factor).sample
    torch.testing.assert_close(seen, (images / 2 + 0.5).clamp(0, 1).detach())


def test_seeds_alone_make_the_noise(shelf):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, _ = run(shelf.model(scheduler="lcm"), Sampling(steps=2))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    again, _ = run(shelf.model(scheduler="lcm"), Sampling(steps=2))
    other, _ = run(shelf.model(scheduler="lcm"), Sampling(steps=2), seeds=[3, 4])
    assert torch.equal(first.latents, again.latents)
    torch.testing.assert_close(first.latents[0], other.latents[0])
    assert (first.latents[1] - other.latents[1]).abs().max() > 0.1


# With a guide: the formulas


def oracle(model, prompt, seed, sampling, guide):
    """One picture by DDIM (Song et al. 2021, eq. 12), guided, from the formulas. Epsilon prediction alone."""
    pipe = model.pipe
    with torch.no_grad():
        texts = [
            pipe.text_encoder(
                pipe.tokenizer(text, padding="max_length", truncation=True, return_tensors="pt").input_ids
            )[0]
            for text in ("", prompt)
        ]

    def epsilon(x, t):
        without, with_prompt = (pipe.unet(x, t, text).sample for text in texts)
        return without + sampling.guidance_scale * (with_prompt - without)

    def images(x0):
        """Clamped; of the clamped ones, those that redness wants back in the range keep their gradient."""
        raw = pipe.vae.decode(x0 / pipe.vae.config.scaling_factor).sample / 2 + 0.5
        further_out = torch.cat([raw[:, :1] > 1, raw[:, 1:] < 0], 1)
        return torch.where(further_out, raw.detach(), raw + (raw.clamp(0, 1) - raw).detach())

    def better(x, look):
        leaf = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(guide(look(leaf), 0).sum(), leaf)
        length = x.square().mean().sqrt() / gradient.square().mean().sqrt()
        return (x - sampling.weight * sampling.norm * length * gradient).detach()

    x = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(seed))
    cumulative = pipe.scheduler.alphas_cumprod
    stride = 1000 // sampling.steps
    for t in [stride * i + 1 for i in reversed(range(sampling.steps))]:
        a = cumulative[t]
        a_next = cumulative[max(0, t - stride)]

        def x0_of(x, t=t, a=a):
            return (x - (1 - a).sqrt() * epsilon(x, t)) / a.sqrt()

        if sampling.mode == "latent":
            x = better(x, lambda x, x0_of=x0_of: images(x0_of(x)))
        x0 = x0_of(x).detach()
        if sampling.mode == "x0":
            x0 = better(x0, images)
        e = (x - a.sqrt() * x0) / (1 - a).sqrt()
        x = a_next.sqrt() * x0 + (1 - a_next).sqrt() * e
    return x


@pytest.mark.parametrize("mode", MODES)
def test_guided_latents_are_the_formulas(shelf, mode):
    sampling = Sampling(mode=mode, norm=0.2, weight=0.5, guidance_scale=3.0, **QUICK)
    process, _ = run(shelf.model(), sampling, redness)
    unguided, _ = run(shelf.model(), Sampling(steps=STEPS, guidance_scale=3.0))
    for i in range(2):
        expected = oracle(shelf.model(), PROMPTS[i], SEEDS[i], sampling, redness)
        torch.testing.assert_close(process.latents[i : i + 1], expected, rtol=1e-3, atol=1e-3)
        assert (process.latents[i] - unguided.latents[i]).abs().max() > 0.05


def converted(scheduler, output, timestep, latents):
    """x0 as the scheduler itself finds it in a model's output."""
    if hasattr(scheduler, "convert_model_output"):
        scheduler._init_step_index(timestep)
        return scheduler.convert_model_output(output, sample=latents)
    if isinstance(scheduler, schedulers.SCHEDULERS["euler"]):
        scheduler.scale_model_input(latents, timestep)
    return scheduler.step(output, timestep, latents).pred_original_sample


@pytest.mark.parametrize("kind", schedulers.PREDICTION_TYPES)
@pytest.mark.parametrize("name", ["ddim", "dpm++", "euler"])
def test_the_scheduler_finds_the_moved_x0_in_the_output(name, kind):
    settings = {**tiny_generators.TRAINED, **tiny_generators.EXTRA[name]}
    base = schedulers.SCHEDULERS[name](prediction_type=kind, **settings)
    latents, output, change = torch.randn(3, 2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    change[1] = 0
    for index in range(5):
        fresh = [schedulers.fresh_scheduler(base, 5, torch.device("cpu")) for _ in range(3)]
        timestep = fresh[0].timesteps[index]
        level = schedulers.noise_level(fresh[0], timestep)
        x0 = schedulers.predicted_x0(fresh[0], level, latents, output)
        torch.testing.assert_close(x0, converted(fresh[1], output, timestep, latents), rtol=1e-4, atol=1e-4)
        other = schedulers.output_for(fresh[0], level, output, change)
        assert torch.equal(other[1], output[1])
        torch.testing.assert_close(
            converted(fresh[2], other, timestep, latents), x0 + change, rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("name", ["ddim", "lcm", "dpm++", "euler"])
def test_taking_a_step_back_gives_latents_of_the_noise_before_it(name):
    """Signal and variance are those that the scheduler's own add_noise gives."""
    settings = {**tiny_generators.TRAINED, **tiny_generators.EXTRA[name]}
    scheduler = schedulers.fresh_scheduler(schedulers.SCHEDULERS[name](**settings), 5, torch.device("cpu"))
    one, none = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)

    def added(signal, noise, timestep):
        return scheduler.add_noise(signal, noise, timestep.reshape(1))

    for before, after in zip(scheduler.timesteps[:-1], scheduler.timesteps[1:], strict=True):
        levels = schedulers.noise_level(scheduler, before), schedulers.noise_level(scheduler, after)
        signal = schedulers.renoised(added(one, none, after), *levels, none)
        kept = schedulers.renoised(added(none, one, after), *levels, none)
        fresh = schedulers.renoised(none, *levels, one)
        torch.testing.assert_close(signal, added(one, none, before))
        torch.testing.assert_close((kept**2 + fresh**2).sqrt(), added(none, one, before))


@pytest.mark.parametrize("scheduler", ["lcm", "dpm++"])
def test_time_travel_repeats_steps(shelf, scheduler):
    """It asks the UNet as often as it says, and stays on the path: latents of the size they have without it."""
    model, calls = shelf.model(scheduler=scheduler), []
    handle = model.pipe.unet.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        travelled, _ = run(model, Sampling(time_travel=2, norm=1e-6, **QUICK), redness)
        assert len(calls) == 3 * (STEPS - 1) + 1
    finally:
        handle.remove()
    plain, _ = run(model, Sampling(norm=1e-6, **QUICK), redness)
    assert (travelled.latents - plain.latents).abs().max() > 0.01
    assert 0.5 < travelled.latents.std() / plain.latents.std() < 2
    for noise, expected in zip(travelled._generators, plain._generators, strict=True):
        assert torch.equal(noise.get_state(), expected.get_state())  # what follows has the noise that it had


@pytest.mark.parametrize(
    ("scheduler", "mode"),
    [("ddim", "x0"), ("lcm", "x0"), ("pndm", "x0"), ("euler", "latent")],
)
def test_a_guide_moves_the_colour(shelf, mode, scheduler):
    model = shelf.model(scheduler=scheduler)
    sampling = Sampling(mode=mode, norm=0.3, guidance_scale=2.0, **QUICK)
    guided, steps = run(model, sampling, redness)
    unguided, _ = run(model, Sampling(steps=STEPS, guidance_scale=2.0))
    gained = redness(unguided.finish(), 0) - redness(guided.finish(), 0)
    assert (gained > 0.003).all(), gained
    assert not steps[0].skipped.any()
    torch.testing.assert_close(
        steps[1].losses, redness(steps[1].preview, 1)
    )  # the preview is what was judged


def test_inner_steps_move_it_further(shelf):
    once, more = (
        run(shelf.model(), Sampling(norm=0.05, inner_steps=count, guidance_scale=2.0, **QUICK), redness)[
            0
        ].finish()
        for count in (1, 3)
    )
    assert (redness(more, 0) < redness(once, 0)).all()


def test_a_batch_is_its_singles(shelf):
    for scheduler, mode, travel in [("lcm", "x0", 1), ("ddim", "latent", 0)]:
        model = shelf.model(scheduler=scheduler)
        settings = Sampling(steps=2, mode=mode, time_travel=travel, guidance_scale=3.0, guide_to=1.0)
        both, _ = run(model, settings, redness)
        for i in range(2):
            single, _ = run(model, settings, redness, prompts=PROMPTS[i : i + 1], seeds=SEEDS[i : i + 1])
            torch.testing.assert_close(both.latents[i : i + 1], single.latents, rtol=1e-5, atol=1e-4)


def test_a_preview_decoder_guides_and_the_full_one_finishes(shelf, preview):
    model = open_diffusion(shelf.folder(), preview=preview)
    process, steps = run(model, Sampling(norm=0.3, **QUICK), redness)
    _, plain = run(model, Sampling(steps=STEPS))
    assert (redness(steps[-1].preview, 0) < redness(plain[-1].preview, 0)).all()
    latents = process.latents / model.pipe.vae.config.scaling_factor
    expected = (model.pipe.vae.decode(latents).sample / 2 + 0.5).clamp(0, 1)
    assert torch.equal(process.finish(), expected)
    small = (model.preview.decode(process.latents).sample / 2 + 0.5).clamp(0, 1)
    assert (small - expected).abs().max() > 0.01  # so it is another decoder, whose scale is 1
    assert torch.equal(decoding.decoded(model.preview, process.latents), small)
