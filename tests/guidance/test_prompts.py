"""Prompts that are learnt: where their tokens stand, what the names' relevance is, and the loss on it."""

import pytest
import torch

from explain import towers
from explain.relevance.recursion import contribution
from guidance.tuning.losses import explanation_loss, name_relevance
from guidance.tuning.prompt_learner import ContextSettings, PromptLearner
from tests.conftest import random_images

NAMES = ["cat", "green house", "two_boats"]


@pytest.fixture(params=["vit", "resnet", "siglip", "toy"])
def double(request, doubles):
    return doubles[request.param]


def learner(clip, **changes):
    return PromptLearner(clip, NAMES, ContextSettings(**{"tokens": 4, **changes}))


@pytest.mark.parametrize(("position", "before"), [("end", 4), ("middle", 2), ("front", 0)])
def test_the_name_stands_in_its_place(double, position, before):
    found = learner(double, position=position)
    embeddings = found.embeddings()
    for c, name in enumerate(["cat", "green house", "two boats"]):
        sentence = f"a {name}." if before else f"{name}."
        ids = double.tokenize([sentence])[0]
        span = double.words([sentence])[0][1 if before else 0 :]
        named = found.name_tokens[c].nonzero().flatten().tolist()
        first = double.start_tokens + before
        assert named == list(range(first, first + len(named)))
        stop = span[-1].start if span[-1].text == "." else span[-1].stop
        assert torch.equal(found.texts[c, named], ids[span[0].start : stop])
        # Around it the context in its order, then the full stop, if the tokenizer knows one, and the end.
        places = [*range(double.start_tokens, first), *range(named[-1] + 1, named[-1] + 1 + 4 - before)]
        assert torch.equal(embeddings[c, places], found.context)
        rest = ids[stop : stop + 3]
        assert torch.equal(found.texts[c, named[-1] + 1 + 4 - before :][:3], rest)
        row = int(towers.pooled_rows(double.model, found.texts)[c])
        if int(towers.pooled_rows(double.model, ids[None])) < len(ids) - 1:
            assert row == int(towers.pooled_rows(double.model, ids[None])) + 4 - (
                span[0].start - double.start_tokens
            )


def test_a_context_of_a_phrasing_is_that_prompt(double):
    """With the name at the end, the prompts are those that anyone would write."""
    found = PromptLearner(double, ["cat", "boats"], ContextSettings(position="end", phrasing="a photo of a"))
    written = double.encode_texts(double.tokenize(["a photo of a cat.", "a photo of a boats."]))
    torch.testing.assert_close(found.features(), written, atol=1e-6, rtol=0)


def test_contexts_of_one_and_of_all(double):
    one, each = learner(double), learner(double, class_specific=True)
    assert one.context.shape == (4, one.context.shape[-1])
    assert each.context.shape == (3, *one.context.shape)
    again = learner(double)
    assert torch.equal(one.context, again.context)
    chosen = torch.tensor([2, 0])
    for made in (one, each):
        assert torch.equal(made.embeddings(chosen), made.embeddings()[chosen])
        torch.testing.assert_close(made.record(chosen).features, made.features()[chosen], atol=1e-6, rtol=0)


def slow_shares(clip, made, image, create_graph=False):
    """s (C,) of one image: one class after another, the recursion written out with whole matrices."""
    shares = []
    for c in range(len(made.names)):
        alone = made.record(torch.tensor([c]))
        score = clip.logit_scale * (alone.features[0] @ image)
        grads = torch.autograd.grad(score, alone.probs, create_graph=create_graph, retain_graph=True)
        size = alone.probs[0].shape[-1]
        rolled = torch.eye(size, dtype=score.dtype)
        for a, g in zip(alone.probs, grads, strict=True):
            rolled = rolled + contribution(a, g)[0] @ rolled
        row = rolled[alone.rows[0]][: int(alone.rows[0])]
        shares.append((row / row.sum())[made.name_tokens[c, : len(row)]].max())
    return torch.stack(shares)


@pytest.mark.parametrize("create_graph", [False, True])
def test_relevance_of_names_is_the_papers(double, create_graph):
    made = learner(double)
    features = double.encode_images(random_images(double, count=2).double())
    found = name_relevance(double, made.record(), features, made.name_tokens, create_graph)
    assert found.shape == (2, 3)
    assert 0 < found.min() <= found.max() < 1
    slow = torch.stack([slow_shares(double, made, one, create_graph) for one in features])
    torch.testing.assert_close(found, slow, atol=1e-10, rtol=1e-7)
    labels = torch.tensor([0, 2])
    gradient, expected = (
        torch.autograd.grad(explanation_loss(shares, labels), made.context)[0] for shares in (found, slow)
    )
    assert expected.abs().sum() > 0
    torch.testing.assert_close(gradient, expected, atol=1e-9, rtol=1e-5)


def test_the_loss_weighs_its_parts_as_the_paper_does():
    shares = torch.tensor([[0.4, 0.1, 0.2], [0.3, 0.6, 0.0]])
    # own classes 0 and 1: -(0.4 + 0.6) / 2 + (0.1 + 0.2 + 0.3 + 0.0) / 6
    assert explanation_loss(shares, torch.tensor([0, 1])).item() == pytest.approx(-0.5 + 0.1)


def test_what_is_no_list_of_classes(clips):
    clip = clips["vit"]
    for names, message in (
        (["cat"], "1 classes; allowed: 2 or more"),
        (["cat", " . "], "class 2 has no name"),
        (["a cat", "a_cat"], "two classes are called 'a cat'"),
        (["a cat", "A Cat"], "two classes are called 'A Cat'"),
        (["a cat", 3], "the name of class 2 is 3; allowed: text"),
        (["a cat", "\0\x1b"], "class 2 has no name"),
        (["boat " * 200, "cat"], "no words, or more than"),
        (["cat", "boat"], "16 of context leave room for 0"),
    ):
        with pytest.raises(ValueError, match=message):
            PromptLearner(clip, names)
    with pytest.raises(ValueError, match="allowed: end, middle, front"):
        ContextSettings(position="top")
    with pytest.raises(ValueError, match="tokens is 17"):
        ContextSettings(tokens=17)
    with pytest.raises(ValueError, match="allowed: 1 to 16"):
        PromptLearner(clip, NAMES, ContextSettings(phrasing="a photo of " * 10))


def test_learning_makes_names_count(double):
    """Steps down L_expl alone, along its full gradient: paper A's shorter one need not lead down."""
    made = learner(double)
    features = double.encode_images(random_images(double, count=3).double())
    labels = torch.arange(3)

    def loss():
        shares = name_relevance(double, made.record(), features, made.name_tokens, create_graph=True)
        return explanation_loss(shares, labels)

    first = loss().item()
    optimiser = torch.optim.SGD([made.context], lr=0.02)
    for _ in range(20):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    assert loss().item() < first - 1e-4
