"""A steered run: when it is steered, what it leaves behind, what one picture does to another, and what it refuses."""

import gc
import math
import threading
import weakref

import pytest
import torch

from guidance.generators.diffusion.model import LatentDiffusion, open_diffusion
from guidance.generators.diffusion.process import CANDIDATES
from guidance.generators.memory import GenerationOutOfMemory
from guidance.generators.sampling import Sampling
from guidance.seeding import generator_of
from tests.tiny_generators import MODES, PROMPTS, QUICK, SEEDS, STEPS, redness, run

# DPM-Solver and Euler turn tensors into arrays in a way that numpy 2 grumbles about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

# Weight 0, and other ways to guide nothing


@pytest.mark.parametrize(
    ("scheduler", "mode"),
    [("ddim", "x0"), ("lcm", "x0"), ("euler", "x0"), ("pndm", "x0"), ("ddim", "latent"), ("dpm++", "latent")],
)
def test_weight_0_is_unguided_to_the_bit(shelf, mode, scheduler):
    model, travel = shelf.model(scheduler=scheduler), 0 if scheduler == "pndm" else 2
    guided, steps = run(model, Sampling(mode=mode, weight=0, time_travel=travel, **QUICK), redness)
    unguided, _ = run(model, Sampling(steps=STEPS))
    assert torch.equal(guided.latents, unguided.latents)
    assert all(step.losses.shape == (2,) for step in steps)  # the guide was asked all the same


def test_mode_off_asks_no_guide(shelf):
    guided, steps = run(shelf.model(), Sampling(mode="off", **QUICK), None)
    asked, _ = run(shelf.model(), Sampling(mode="off", **QUICK), lambda images, number: 1 / 0)
    assert torch.equal(guided.latents, asked.latents)
    assert steps[0].losses is None


def test_a_gradient_of_0_moves_nothing(shelf):
    still, _ = run(shelf.model(), Sampling(**QUICK), lambda images, _: (0 * images).sum((1, 2, 3)))
    unguided, _ = run(shelf.model(), Sampling(steps=STEPS))
    assert torch.equal(still.latents, unguided.latents)


def test_which_steps_are_guided(shelf):
    asked = []

    def guide(images, number):
        asked.append(number)
        return redness(images, number)

    for changes, expected in [
        ({"guide_to": 0.5}, [0, 1]),
        ({"guide_from": 0.25, "guide_to": 1.0, "guide_every": 2}, [1, 3]),
    ]:
        asked.clear()
        _, steps = run(shelf.model(), Sampling(**{"steps": 4, **changes}), guide)
        assert asked == expected
        assert [step.index for step in steps if step.losses is not None] == expected


def test_every_evaluation_has_a_number_of_its_own(shelf):
    asked = []

    def guide(images, number):
        asked.append(number)
        return redness(images, number)

    run(shelf.model(), Sampling(inner_steps=2, time_travel=1, **QUICK), guide)
    assert asked == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]  # the last step is not travelled
    asked.clear()
    run(shelf.model(), Sampling(weight=0, inner_steps=2, time_travel=1, **QUICK), guide)
    assert asked == [0, 1, 4, 5, 8, 9]


# Candidates


def naming(winner):
    """A guide that likes one candidate of every picture best: the one of this number."""
    calls = []

    def guide(images, number):
        calls.append(number)
        return (0 * images).sum((1, 2, 3)) + float(len(calls) != winner + 1)

    return guide


def searched(model, candidates, winner, **changes):
    sampling = Sampling(steps=8, weight=1e-6, candidates=candidates, **changes)
    process, guide = model.begin(PROMPTS, SEEDS, sampling), naming(winner)
    while process._search is not None:
        process.advance(guide)
    return process


@pytest.mark.parametrize("scheduler", ["ddim", "lcm", "euler", "pndm", "dpm++"])
def test_the_most_promising_noise_goes_on(shelf, scheduler):
    model = shelf.model(scheduler=scheduler)
    found = [searched(model, 5, winner).latents for winner in range(5)]
    for number, one in enumerate(found):
        assert torch.equal(one, searched(model, 5, number).latents)
        assert all(not torch.allclose(one, other, atol=0.1) for other in found[:number])
    assert torch.allclose(found[1], searched(model, 2, 1).latents, atol=1e-4)  # whatever else is tried


@pytest.mark.parametrize("scheduler", ["ddim", "euler"])
@pytest.mark.parametrize("judged_at", [0.0, 0.3, 1.0])
def test_the_first_candidate_is_the_picture_without_guidance(shelf, scheduler, judged_at):
    """Where steps take no noise and remember nothing, the run that was searched for is the plain one."""
    model = shelf.model(scheduler=scheduler)
    plain, _ = run(model, Sampling(steps=8))
    process = searched(model, 4, 0, judged_at=judged_at)
    while process._index < process.total:
        process.advance()
    assert torch.allclose(process.latents, plain.latents, atol=1e-4)


def test_seeds_share_no_candidates():
    draws = {
        float(torch.rand(1, generator=generator_of(seed, number, CANDIDATES)))
        for seed in (*range(8), 2**63 - 1)
        for number in range(24)
    }
    assert len(draws) == 9 * 24


def test_pndm_is_guided_to_its_last_step_after_a_search(shelf):
    sampling = Sampling(steps=4, guide_to=1.0, candidates=2)
    _, steps = run(shelf.model(scheduler="pndm"), sampling, redness)
    assert [step.losses is None for step in steps] == [True] * 2 + [False] * (len(steps) - 2)


@pytest.mark.parametrize("steps", [1, 2])
def test_candidates_of_the_shortest_runs(shelf, steps):
    process, found = run(shelf.model(), Sampling(steps=steps, candidates=3, guide_to=1.0), redness)
    assert torch.isfinite(process.latents).all()
    assert len(found) == 2 + steps - 1


def test_a_picture_has_the_same_candidates_in_any_company(shelf):
    model, sampling = shelf.model(), Sampling(candidates=4, **QUICK)
    both, _ = run(model, sampling, redness)
    for place in range(len(SEEDS)):
        process = model.begin([PROMPTS[place]], [SEEDS[place]], sampling)
        for _ in range(process.total):
            process.advance(redness)
        assert torch.allclose(process.latents[0], both.latents[place], atol=1e-4)


def test_where_no_candidates_are_tried(shelf):
    unguided, _ = run(shelf.model(), Sampling(steps=STEPS))
    for changes in ({"weight": 0}, {"mode": "off"}):
        guided, _ = run(shelf.model(), Sampling(candidates=8, **QUICK, **changes), redness)
        assert torch.equal(guided.latents, unguided.latents)


def test_candidates_that_give_no_number_are_not_taken(shelf):
    calls = []

    def guide(images, number):
        calls.append(number)
        losses = redness(images, number)
        return losses * [1, math.nan, -math.inf, math.inf][len(calls) - 1] if len(calls) <= 4 else losses

    chosen, _ = run(shelf.model(), Sampling(candidates=4, weight=1e-6, **QUICK), guide)
    own, _ = run(shelf.model(), Sampling(steps=STEPS))
    assert torch.allclose(chosen.latents, own.latents, atol=1e-3)


# What must not happen


def spoilt(images, number):
    """Redness, but the first picture's loss is not a number in evaluation 1, and its gradient is not in 2."""
    losses = redness(images, number)
    if number == 1:
        losses = losses * torch.tensor([math.nan, 1.0])
    if number == 2:
        losses = losses + torch.stack([(images[0, 0, 0, 0] * 0).sqrt(), losses[1] * 0])
    return losses


@pytest.mark.parametrize("mode", MODES)
def test_a_move_that_is_not_finite_is_left_out_for_that_picture(shelf, mode):
    sampling = Sampling(mode=mode, **QUICK)
    process, steps = run(shelf.model(), sampling, spoilt)
    assert [step.skipped.tolist() for step in steps] == [[False, False], [True, False], [True, False]]
    healthy, _ = run(shelf.model(), sampling, redness)
    assert torch.equal(process.latents[1], healthy.latents[1])
    first, _ = run(
        shelf.model(), Sampling(**{**vars(sampling), "guide_to": 0.3}), redness
    )  # guides the first step alone
    assert torch.equal(process.latents[0], first.latents[0])


def test_what_was_skipped_before_a_step_was_taken_back_is_reported_too(shelf):
    sampling = Sampling(time_travel=1, **QUICK)
    _, steps = run(
        shelf.model(), sampling, spoilt
    )  # evaluations 0 and 1 are the first step's, 2 and 3 the second's
    assert [step.skipped.tolist() for step in steps] == [[True, False], [True, False], [False, False]]


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_left_behind(shelf, mode):
    """No gradient of a parameter, no graph, no setting of the model; grad mode as it was; and after errors too."""
    model, seen = shelf.model(), []
    process = model.begin(PROMPTS, SEEDS, Sampling(mode=mode, **QUICK))

    def guide(images, number):
        assert torch.is_grad_enabled()
        if mode == "latent":
            assert model.pipe.unet.is_gradient_checkpointing
        seen.append(weakref.ref(images))
        if number == 2:
            raise KeyError("a guide's own error")
        return redness(images, number)

    for _ in range(2):
        step = process.advance(guide)
    with pytest.raises(KeyError, match="own error"):
        process.advance(guide)
    assert torch.is_grad_enabled()
    assert not any(m.is_gradient_checkpointing for m in (model.pipe.unet, model.pipe.vae))
    for part in (model.pipe.unet, model.pipe.vae, model.pipe.text_encoder):
        assert not part.training
        assert all(p.grad is None and not p.requires_grad for p in part.parameters())
    gc.collect()
    assert not any(images() is not None for images in seen)
    kept = [x for x in vars(process).values() if isinstance(x, torch.Tensor)]
    assert kept
    assert not any(x.requires_grad for x in [*kept, step.preview, step.losses, step.skipped])


def test_a_dropped_run_frees_its_state(shelf):
    process, _ = run(shelf.model(), Sampling(**QUICK), redness)
    latents = weakref.ref(process.latents)
    del process
    gc.collect()
    assert latents() is None


def test_any_thread_may_make_a_step(shelf):
    process = shelf.model().begin(PROMPTS, SEEDS, Sampling(**QUICK))
    modes = []

    def step():
        process.advance(redness)
        modes.append(torch.is_grad_enabled())

    for _ in range(STEPS):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
    expected, _ = run(shelf.model(), Sampling(**QUICK), redness)
    assert torch.equal(process.latents, expected.latents)
    assert modes == [True] * STEPS


def test_out_of_memory_says_what_would_fit_and_frees(shelf):
    process = shelf.model().begin(PROMPTS, SEEDS, Sampling(mode="latent", **QUICK))
    process.advance(redness)
    latents, held = weakref.ref(process.latents), []

    def guide(images, number):
        large = images * 2
        held.append(weakref.ref(large))
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    with pytest.raises(GenerationOutOfMemory) as raised:
        process.advance(guide)
    for part in ("2 pictures", "32 x 32", "24 x 24", "'x0'", "fewer views", "fewer boxes", "preview decoder"):
        assert part in str(raised.value)
    assert raised.value.__context__ is None
    assert latents() is None
    assert held[0]() is None
    with pytest.raises(RuntimeError, match="memory ran out"):
        process.advance(redness)
    run(shelf.model(), Sampling(steps=1))  # the model lives on


def test_out_of_memory_while_candidates_are_tried_frees_them(shelf):
    process = shelf.model().begin(PROMPTS, SEEDS, Sampling(candidates=6, **QUICK))
    process.advance(redness)
    search = weakref.ref(process._search)

    def guide(images, number):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(GenerationOutOfMemory, match="a single candidate"):
        process.advance(guide)
    assert search() is None
    with pytest.raises(RuntimeError, match="memory ran out"):
        process.advance(redness)


def test_steps_and_finish_have_their_time(shelf):
    process = shelf.model().begin(PROMPTS, SEEDS, Sampling(steps=1))
    with pytest.raises(RuntimeError, match="0 of 1 steps are done"):
        process.finish()
    process.advance()
    with pytest.raises(RuntimeError, match="all 1 steps"):
        process.advance()
    assert process.finish().shape == (2, 3, 32, 32)
    assert torch.equal(process.finish(), process.finish())


# Bad input


@pytest.mark.parametrize(
    ("guide", "message"),
    [
        (lambda images, number: images.mean(), "one per image, 2"),
        (lambda images, number: torch.zeros(2), "do not depend on the images"),
    ],
)
def test_guides_that_are_none(shelf, guide, message):
    process = shelf.model().begin(PROMPTS, SEEDS, Sampling(**QUICK))
    with pytest.raises(ValueError, match=message):
        process.advance(guide)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": (37, 32)}, "height is 37; allowed: multiples of 8, and the nearest is 32 or 40"),
        ({"size": (32, 5)}, "width is 5; allowed: a whole number from 8 to 2048"),
        ({"size": (32, math.nan)}, "width is nan"),
        ({"size": 64}, "size is 64; allowed: .height, width."),
        ({"steps": 1000}, "steps is 1000; allowed with this model's scheduler: 1 to 999"),
        ({"negative_prompt": "red", "guidance_scale": 1}, "guidance_scale is not above 1"),
    ],
)
def test_settings_that_the_model_does_not_have(shelf, changes, message):
    with pytest.raises(ValueError, match=message):
        shelf.model().begin(PROMPTS, SEEDS, Sampling(**changes))


def test_settings_that_other_models_do_not_have(shelf):
    distilled = shelf.model(scheduler="lcm", time_cond=32)
    with pytest.raises(ValueError, match="steps is 51; allowed with this model's scheduler: 1 to 50"):
        distilled.begin(PROMPTS, SEEDS, Sampling(steps=51))
    with pytest.raises(ValueError, match="distilled with its guidance"):
        distilled.begin(PROMPTS, SEEDS, Sampling(negative_prompt="red"))
    with pytest.raises(ValueError, match="time_travel is 1; allowed with PNDM: 0"):
        shelf.model(scheduler="pndm").begin(PROMPTS, SEEDS, Sampling(time_travel=1))
    turns = LatentDiffusion("tiny", shelf.model().pipe, None, offloaded=True)
    with pytest.raises(ValueError, match="mode is 'latent'"):
        turns.begin(PROMPTS, SEEDS, Sampling(mode="latent"))


def test_folders_that_hold_none(shelf, preview, tmp_path):
    with pytest.raises(ValueError, match="'nothing' is no folder of a StableDiffusionPipeline"):
        open_diffusion(tmp_path / "nothing")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "model_index.json").write_text("{}")
    with pytest.raises(ValueError, match="'bare' has no weights; allowed: safetensors"):
        open_diffusion(tmp_path / "bare")
    (tmp_path / "bare" / "x.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="'bare' cannot be opened") as raised:
        open_diffusion(tmp_path / "bare")
    assert str(tmp_path) not in str(raised.value)
    with pytest.raises(ValueError, match="scheduler is 'heun'; allowed: ddim, lcm"):
        open_diffusion(shelf.folder(), scheduler="heun")
    with pytest.raises(ValueError, match="preview decoder is for other latents"):
        open_diffusion(shelf.folder(cell=4, sample_size=16), preview=preview)


def test_another_scheduler_can_be_asked_for(shelf):
    process, _ = run(open_diffusion(shelf.folder(scheduler="pndm"), scheduler="ddim"), Sampling(steps=2))
    expected, _ = run(shelf.model(), Sampling(steps=2))
    assert torch.equal(process.latents, expected.latents)
