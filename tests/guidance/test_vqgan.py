"""VQGAN: the optimisation of paper A against its formulas, one picture at a time."""

import gc
import math
import weakref

import pytest
import torch

from guidance.generators.memory import GenerationOutOfMemory
from guidance.generators.sampling import Sampling
from guidance.generators.vqgan import VQGAN, open_vqgan
from tests import tiny_generators
from tests.tiny_generators import PROMPTS, SEEDS, redness, run

SIZE = (16, 12)
QUICK = Sampling(steps=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_generators.save_vqgan(tmp_path_factory.mktemp("generators") / "vqgan")


@pytest.fixture(scope="module")
def vqgan(folder):
    return open_vqgan(folder, size=SIZE)


def codebook(vqgan):
    return vqgan.model.quantize.embedding.weight.detach()


def oracle(vqgan, z, steps, guide, rate=0.1):
    """One picture (1, D, h, w) by Adam (Kingma, Ba 2015, algorithm 1), written out. The guide is linear: it has the
    same gradient wherever it is asked.
    """
    codes = codebook(vqgan)
    low, high = (edge.view(1, -1, 1, 1) for edge in (codes.min(0).values, codes.max(0).values))
    first = second = torch.zeros_like(z)
    for step in range(1, steps + 1):
        places = z.permute(0, 2, 3, 1)
        nearest = (places.unsqueeze(-2) - codes).square().sum(-1).argmin(-1)
        q = codes[nearest].permute(0, 3, 1, 2).clone().requires_grad_()
        raw = vqgan.model.decoder(vqgan.model.post_quant_conv(q)) / 2 + 0.5
        (wanted,) = torch.autograd.grad(guide(raw, step - 1).sum(), raw, retain_graph=True)
        burnt = ((raw > 1) & (wanted < 0)) | ((raw < 0) & (wanted > 0))  # a step down would lead further out
        (gradient,) = torch.autograd.grad(raw, q, wanted * ~burnt)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        z = z - rate * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
        z = torch.maximum(torch.minimum(z, high), low)
    return z


@pytest.mark.parametrize("start", ["codes", "uniform"])
def test_latents_are_the_formulas(vqgan, start):
    sampling = Sampling(steps=4, start=start)
    begun = vqgan.begin(PROMPTS, SEEDS, sampling).latents
    process, steps = run(vqgan, sampling, redness)
    for i in range(2):
        expected = oracle(vqgan, begun[i : i + 1], 4, redness)
        torch.testing.assert_close(process.latents[i : i + 1], expected, rtol=1e-4, atol=1e-4)
        assert (expected - begun[i : i + 1]).abs().max() > 0.1
    assert [step.index for step in steps] == [0, 1, 2, 3]
    torch.testing.assert_close(steps[2].losses, redness(steps[2].preview, 2))


def test_the_two_starts(vqgan):
    codes, uniform = (
        vqgan.begin(PROMPTS, SEEDS, Sampling(start=start, size=(64, 64))).latents
        for start in ("codes", "uniform")
    )
    same = (codes.permute(0, 2, 3, 1).unsqueeze(-2) == codebook(vqgan)).all(-1)  # (2, 16, 16, 32)
    assert same.any(-1).all()
    assert same.flatten(0, 2).any(0).all()  # every code has a place
    assert codes.shape == uniform.shape == (2, 4, 16, 16)
    assert 0 <= uniform.min() < 0.1
    assert 1.9 < uniform.max() < 2
    assert not torch.equal(codes[0], codes[1])


def test_latents_stay_within_the_codebook(vqgan):
    process, _ = run(vqgan, Sampling(steps=2, start="uniform", learning_rate=10.0), redness)
    codes = codebook(vqgan)
    latents = process.latents.permute(0, 2, 3, 1).flatten(0, 2)
    assert (latents <= codes.max(0).values).all()
    assert (latents >= codes.min(0).values).all()
    at_an_edge = (latents == codes.max(0).values) | (latents == codes.min(0).values)
    assert at_an_edge.float().mean() > 0.5


def test_a_guide_moves_the_colour(vqgan):
    process, steps = run(vqgan, Sampling(steps=15), redness)
    assert (redness(process.finish(), 0) < steps[0].losses - 0.01).all()
    assert process.finish().shape == (2, 3, *SIZE)
    assert process.finish().dtype == torch.float32


def test_a_batch_is_its_singles(vqgan):
    both, _ = run(vqgan, QUICK, redness)
    for i in range(2):
        single, _ = run(vqgan, QUICK, redness, prompts=PROMPTS[i : i + 1], seeds=SEEDS[i : i + 1])
        torch.testing.assert_close(both.latents[i : i + 1], single.latents, rtol=1e-5, atol=1e-5)


def test_a_step_that_is_not_finite_is_as_if_it_had_not_been(vqgan):
    """For one picture, its moments included; the other goes on."""

    def spoilt(images, number):
        losses = redness(images, number)
        return losses * torch.tensor([math.nan, 1.0]) if number in (1, 2) else losses

    process, steps = run(vqgan, Sampling(steps=5), spoilt)
    assert [step.skipped.tolist() for step in steps] == [[number in (1, 2), False] for number in range(5)]
    healthy, _ = run(vqgan, Sampling(steps=5), redness)
    shorter, _ = run(vqgan, Sampling(steps=3), redness)
    assert torch.equal(process.latents[1], healthy.latents[1])
    assert torch.equal(process.latents[0], shorter.latents[0])


def test_the_span_of_the_decoder(vqgan):
    """The same model, said to decode to 0 and 1 in place of -1 and 1."""
    latents = torch.zeros(1, 4, 4, 3)
    raw = vqgan.model.decode(latents).sample
    with torch.no_grad():
        torch.testing.assert_close(vqgan.images(latents), (raw / 2 + 0.5).clamp(0, 1))
        other = VQGAN("other", vqgan.model, SIZE, span=(0.0, 1.0))
        torch.testing.assert_close(other.images(latents), raw.clamp(0, 1))
    with pytest.raises(ValueError, match=r"span is .1, 0.; allowed: two numbers, black below white"):
        VQGAN("other", vqgan.model, SIZE, span=(1, 0))


def test_nothing_is_left_behind(vqgan):
    seen = []

    def guide(images, number):
        seen.append(weakref.ref(images))
        return redness(images, number)

    process = vqgan.begin(PROMPTS, SEEDS, QUICK)
    random = torch.get_rng_state()
    step = process.advance(guide)
    assert torch.equal(torch.get_rng_state(), random)
    gc.collect()
    assert seen[0]() is None
    assert all(p.grad is None and not p.requires_grad for p in vqgan.model.parameters())
    assert not any(x.requires_grad for x in (process.latents, step.preview, step.losses))
    assert not vqgan.model.training
    assert torch.is_grad_enabled()


def test_pictures_there_and_back(vqgan):
    """As the model's own forward pass, whatever the numbers that it has for black and white."""
    images = torch.rand(2, 3, *SIZE)
    for low, high in ((-1.0, 1.0), (0.0, 1.0)):
        other = VQGAN("other", vqgan.model, SIZE, (low, high))
        with torch.no_grad():
            expected = (vqgan.model(low + images * (high - low)).sample - low) / (high - low)
        assert torch.allclose(other.images(other.latents(images)), expected.clamp(0, 1), atol=1e-6)


def test_out_of_memory(vqgan):
    process = vqgan.begin(PROMPTS, SEEDS, QUICK)

    def guide(images, number):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(
        GenerationOutOfMemory, match=r"2 pictures at once of 12 x 16 did not fit.*fewer views"
    ):
        process.advance(guide)
    with pytest.raises(RuntimeError, match="memory ran out"):
        process.advance(redness)


def test_what_is_refused(vqgan, folder, tmp_path):
    process = vqgan.begin(PROMPTS, SEEDS, Sampling(steps=1))
    with pytest.raises(ValueError, match="nothing to optimise"):
        process.advance()
    with pytest.raises(RuntimeError, match="0 of 1 steps are done"):
        process.finish()
    process.advance(redness)
    with pytest.raises(RuntimeError, match="all 1 steps"):
        process.advance(redness)
    with pytest.raises(
        ValueError, match="height is 30; allowed: multiples of 4, and the nearest is 28 or 32"
    ):
        vqgan.begin(PROMPTS, SEEDS, Sampling(size=(30, 32)))
    with pytest.raises(ValueError, match="2 prompts and 1 seeds"):
        vqgan.begin(PROMPTS, [1], QUICK)
    with pytest.raises(ValueError, match="'nothing' is no folder of a VQModel"):
        open_vqgan(tmp_path / "nothing")


def test_a_model_in_a_subfolder(vqgan, folder):
    found = open_vqgan(folder.parent, subfolder="vqgan", name="amused", size=SIZE, span=(0, 1))
    assert (found.name, found.size, found.grid) == ("amused", SIZE, 4)
    assert torch.equal(codebook(found), codebook(vqgan))
