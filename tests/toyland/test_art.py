"""The drawn things and places: the same picture at any size, told apart by kind and by colour."""

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from toyland.art import CATEGORIES, COLOURS, KINDS, PLACES, draw_place, draw_thing

SIZE = 64


def _array(picture: Image.Image) -> np.ndarray:
    """Pixels as float (height, width, channels) in [0, 1]."""
    return np.asarray(picture, dtype=np.float64) / 255


def _over_grey(kind: str, colour: str, pixels: int) -> np.ndarray:
    """A thing on grey, (pixels, pixels, 3) in [0, 1]."""
    rgba = _array(draw_thing(kind, colour, pixels))
    return rgba[..., :3] * rgba[..., 3:] + 0.5 * (1 - rgba[..., 3:])


def test_there_are_enough_of_everything():
    assert len(KINDS) >= 24
    assert len(COLOURS) == 8
    assert len(PLACES) == 8
    for category in CATEGORIES:
        assert sum(kind.category == category for kind in KINDS.values()) >= 4
    words = [*KINDS, *COLOURS, *PLACES]
    assert len(set(words)) == len(words)
    assert all(word.isalpha() and word.islower() for word in words)


@pytest.mark.parametrize("kind", KINDS)
def test_a_thing_is_deterministic_centred_and_fills_the_square(kind):
    picture = draw_thing(kind, "red", SIZE)
    assert picture.mode == "RGBA"
    assert picture.size == (SIZE, SIZE)
    assert picture.tobytes() == draw_thing(kind, "red", SIZE).tobytes()
    for pixels in (20, SIZE, 200):
        alpha = np.asarray(draw_thing(kind, "blue", pixels))[..., 3]
        left, top, right, bottom = Image.fromarray(alpha).getbbox()
        assert 0.93 * pixels - 1 <= max(right - left, bottom - top) <= 0.97 * pixels + 2
        assert abs(left + right - pixels) <= 2
        assert abs(top + bottom - pixels) <= 2
        assert alpha.max() == 255
        assert alpha[0, 0] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_alpha_is_the_silhouette_and_does_not_depend_on_the_colour(kind):
    alphas = [np.asarray(draw_thing(kind, colour, SIZE))[..., 3] for colour in COLOURS]
    assert all((alpha == alphas[0]).all() for alpha in alphas)
    assert 0.15 < (alphas[0] > 127).mean() < 0.9
    rgba = _array(draw_thing(kind, "white", 256))
    edge = (rgba[..., 3] > 0) & (rgba[..., 3] < 1)
    assert rgba[edge][:, :3].max() < 0.35  # a dark outline all round


@pytest.mark.parametrize("kind", KINDS)
def test_a_thing_is_the_same_at_any_size(kind):
    large = draw_thing(kind, "orange", 256)
    for pixels in (128, 64, 32):
        shrunk = _array(large.resize((pixels, pixels), Image.Resampling.BOX))
        drawn = _array(draw_thing(kind, "orange", pixels))
        assert np.abs(shrunk - drawn)[..., 3].mean() < 0.02
        seen = np.abs(shrunk[..., :3] - drawn[..., :3]) * np.minimum(shrunk[..., 3:], drawn[..., 3:])
        assert seen.mean() < 0.03


@pytest.mark.parametrize("kind", KINDS)
def test_the_colour_fills_the_body(kind):
    red, blue = (_array(draw_thing(kind, colour, 128)) for colour in ("red", "blue"))
    inside = red[..., 3] > 0.5
    coloured = np.abs(red - blue)[..., :3].max(-1) > 0.25
    assert coloured[inside].mean() >= 0.6


@pytest.mark.parametrize("pixels", [16, 20, 28])
def test_kinds_are_told_apart(pixels):
    alphas = {kind: _array(draw_thing(kind, "red", pixels))[..., 3] for kind in KINDS}
    for one, other in combinations(KINDS, 2):
        shared = np.minimum(alphas[one], alphas[other]).sum() / np.maximum(alphas[one], alphas[other]).sum()
        assert shared < 0.87, f"the silhouettes of {one} and {other} overlap by {shared:.2f}"
        flipped = np.abs(alphas[one] - alphas[other][:, ::-1]).mean()
        pictures = np.abs(_over_grey(one, "red", pixels) - _over_grey(other, "red", pixels)).mean()
        assert min(flipped, pictures) > 0.055, f"{one} and {other} look alike"


@pytest.mark.parametrize("kind", KINDS)
def test_colours_are_told_apart_when_small(kind):
    means = {colour: _over_grey(kind, colour, 16).mean((0, 1)) for colour in COLOURS}
    for one, other in combinations(COLOURS, 2):
        assert np.abs(means[one] - means[other]).max() > 0.04, f"{one} and {other} {kind} look alike"


@pytest.mark.parametrize("place", PLACES)
def test_a_place_is_deterministic_and_the_same_at_any_size(place):
    large = draw_place(place, 5, 256)
    assert large.mode == "RGB"
    assert large.tobytes() == draw_place(place, 5, 256).tobytes()
    for pixels in (128, 64):
        shrunk = _array(large.resize((pixels, pixels), Image.Resampling.BOX))
        assert np.abs(shrunk - _array(draw_place(place, 5, pixels))).mean() < 0.015
    assert large.tobytes() != draw_place(place, 6, 256).tobytes()


def test_places_are_told_apart_whatever_the_variant():
    means = {place: [_array(draw_place(place, v, 32)).mean((0, 1)) for v in range(6)] for place in PLACES}
    for one, other in combinations(PLACES, 2):
        gap = min(np.abs(a - b).max() for a in means[one] for b in means[other])
        assert gap > 0.05, f"{one} and {other} look alike"


@pytest.mark.parametrize("place", PLACES)
def test_things_stand_out_on_a_place(place):
    ground = _array(draw_place(place, 1, SIZE))
    for kind in ("cat", "star", "boat"):
        for colour in COLOURS:
            rgba = _array(draw_thing(kind, colour, SIZE))
            inside = rgba[..., 3] > 0.5
            assert np.abs(rgba[..., :3] - ground)[inside].max(-1).mean() > 0.17, (
                f"a {colour} {kind} is lost on {place}"
            )


def test_unknown_names_are_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"'unicorn'.*cat"):
        draw_thing("unicorn", "red", 64)
    with pytest.raises(ValueError, match=r"'mauve'.*purple"):
        draw_thing("cat", "mauve", 64)
    with pytest.raises(ValueError, match=r"'moon'.*grass"):
        draw_place("moon", 0, 64)
    with pytest.raises(ValueError, match="pixels is 0"):
        draw_thing("cat", "red", 0)
    with pytest.raises(ValueError, match="pixels is 0"):
        draw_place("sand", 0, 0)
