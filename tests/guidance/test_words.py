"""Words that count: paper A's two ways to put relevance together, which words are meant, and which neglected."""

import math

import pytest
import torch

from guidance.objectives.word_relevance import (
    WordReading,
    neglected,
    read_prompt,
    scaled,
    token_shares,
    word_heights,
    word_masks,
    word_relevance,
)

# Six tokens, after a start token and before an end token whose relevance is nobody's.
RELEVANCE = torch.tensor([9.0, 0.1, 0.1, 0.1, 0.1, 0.4, 0.2, 7.0])
SINGLE = torch.eye(8, dtype=torch.bool)[1:7]  # every word a token


def of(form, weights, tokens=SINGLE, relevance=RELEVANCE):
    return float(word_relevance(token_shares(relevance, tokens), tokens, torch.tensor(weights), form))


def test_the_papers_example():
    """r = .1, .1, .1, .1, .4, .2, and the last two words chosen."""
    assert of("mean", [0.0, 0, 0, 0, 1, 1]) == pytest.approx(0.30)
    assert of("neglected", [0.0, 0, 0, 0, 1, 1]) == pytest.approx(0.75)


def test_a_word_of_several_tokens():
    """Editing takes the mean over tokens, the rescue the largest of each word."""
    tokens = torch.stack([*SINGLE[:4], SINGLE[4] | SINGLE[5]])
    weights = [0.0, 0, 0, 1, 0.5]
    expected = (0.1 + 0.5 * 0.4 + 0.5 * 0.2) / 3
    assert of("mean", weights, tokens) == pytest.approx(expected)
    assert of("neglected", weights, tokens) == pytest.approx((0.1 / 0.4 + 0.5 * 1.0) / 2)


@pytest.mark.parametrize("form", ["mean", "neglected"])
def test_nothing_chosen_and_nothing_relevant_are_0(form):
    assert of(form, [0.0] * 6) == 0
    assert of(form, [1.0] * 6, relevance=torch.zeros(8)) == 0


def test_all_words_alike_is_the_mean_of_all_tokens():
    assert of("mean", [1.0] * 6) == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((0, 1, 0), (0, 1, 0)),
        ((0.2, 0.6, 1.0), (0, 0.5, 1)),
        ((0.3, 0.3, 0.3), (1, 1, 1)),  # the paper's code divides 0 by 0 here
        ((0, 0), (0, 0)),
        ((0.4,), (1,)),
    ],
)
def test_weights_are_scaled_where_they_differ(weights, expected):
    assert scaled(weights) == pytest.approx(expected)


def test_every_word_of_that_name_is_meant(clips):
    read = read_prompt(clips["vit"], "A red cat, a Red boat", ["red"])
    assert [word.text for word in read.words] == ["a", "red", "cat", ",", "a", "red", "boat"]
    assert read.weights == (0, 1, 0, 0, 0, 1, 0)


def test_words_in_a_row_mean_one_of_them(clips):
    assert read_prompt(clips["vit"], "a red cat, a red boat", ["red boat"]).weights == (0, 0, 0, 0, 0, 1, 1)
    weighed = read_prompt(clips["vit"], "a red cat", {"red": 0.5, "red cat": 0.25, "a": 0.0})
    assert weighed.weights == (0, 1, 0.5)  # the larger of both, and then scaled


def test_words_of_several_tokens_are_whole(clips):
    """A word that the tokenizer cuts up has a row with all of its tokens."""
    clip = clips["toy"]
    read = read_prompt(clip, "a zebra on the grass", ["zebra"])
    tokens, weights = word_masks([read, read_prompt(clip, "grass")], clip.context_length)
    assert tokens.shape == (2, 5, clip.context_length)
    assert tokens[0, 1].sum() > 1
    assert weights.tolist() == [[0, 1, 0, 0, 0], [0] * 5]
    assert tokens[1, 1:].sum() == 0
    assert tokens.sum(1).max() == 1  # no token is two words'


@pytest.mark.parametrize(
    ("prompt", "words", "message"),
    [
        ("", [], "the prompt is empty"),
        ("  \n ", [], "the prompt is empty"),
        (7, [], "the prompt is 7; allowed: text"),
        ("x" * 1001, [], "the prompt has 1001 characters; allowed: up to 1000"),
        ("a red cat", ["dog"], "'dog' is not in the prompt; allowed: a, red, cat"),
        ("a red cat", ["cat red"], "'cat red' is not in the prompt"),
        ("a red cat", "red", "the words are 'red'; allowed: a list"),
        ("a red cat", None, "the words are None; allowed: a list"),
        ("a red cat", [" "], "a word is ' '; allowed: words of the prompt"),
        ("a red cat", [3], "a word is 3; allowed: words of the prompt"),
        ("a red cat", [["red"]], "a word is of type list; allowed: words of the prompt"),
        ("a red cat", {"red": math.nan}, "the weight of 'red' is nan; allowed: a number from 0 to 1"),
        ("a red cat", {"red": 2}, "the weight of 'red' is 2; allowed: a number from 0 to 1"),
        ("a red cat", {"red": "much"}, "the weight of 'red' is 'much'; allowed: a number"),
        ("a cat " * 30 + "dog", ["dog"], "'dog' is not in the prompt"),  # beyond what the model reads
    ],
)
def test_what_is_refused(clips, prompt, words, message):
    with pytest.raises(ValueError, match=message):
        read_prompt(clips["vit"], prompt, words)


def reading(**heights):
    return [WordReading(name, height / 3, height) for name, height in heights.items()]


def test_neglected_words():
    words = reading(a=0.1, photo=0.69, of=0.2, strawberry=1.0, muffin=0.3)
    assert neglected(words) == ("photo", "muffin")
    assert neglected(words, threshold=0.5) == ("muffin",)
    assert neglected(words, threshold=0) == ()
    assert neglected([]) == ()


def test_words_are_compared_with_the_strongest_content_word():
    """A strong "a" makes nothing look weak."""
    assert neglected(reading(a=1.0, red=0.5, cat=0.4)) == ()
    assert neglected(reading(a=1.0, red=0.5, cat=0.3)) == ("cat",)
    assert neglected(reading(a=1.0, red=0.0, cat=0.0)) == ()  # nothing to fall behind
    assert neglected(reading(the=1.0, of=0.1)) == ()


def test_a_word_that_stands_twice_is_seen_where_either_is():
    words = [WordReading("red", 0.1, 0.2), WordReading("red", 0.3, 0.6), WordReading("cat", 0.3, 1.0)]
    assert neglected(words, threshold=0.5) == ()
    assert neglected(words) == ("red",)
    with pytest.raises(ValueError, match="threshold is nan"):
        neglected(words, threshold=math.nan)


def test_heights_are_of_the_largest_token():
    heights = word_heights(token_shares(RELEVANCE, SINGLE), SINGLE)
    torch.testing.assert_close(heights, torch.tensor([0.25, 0.25, 0.25, 0.25, 1.0, 0.5]))
