"""Boxes, masks, targets and layouts: exact areas, and every kind of bad input."""

import json
import math
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from guidance.layout import parsing
from guidance.layout.parsing import Box, Layout, Region, Target, parse_box, parse_boxes, targets
from tests.oracles import guidance as oracle

BALL = Box("red ball", 0.1, 0.1, 0.45, 0.5)


def png(pixels, mode, **options):
    """An image in memory, as a file would hold it."""
    file = BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8), mode).save(file, "PNG", **options)
    return file.getvalue()


def place(**changes):
    """A box as JSON has it."""
    return {"phrase": "red ball", "left": 0.1, "top": 0.2, "right": 0.5, "bottom": 0.6, **changes}


# --- masks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edges",
    [
        [(0.1, 0.2, 0.55, 0.7)],
        [(0.0, 0.0, 1.0, 1.0)],
        [(0.05, 0.05, 0.3, 0.3), (0.2, 0.15, 0.6, 0.95)],  # overlapping
        [(0.1, 0.1, 0.2, 0.2), (0.1, 0.1, 0.2, 0.2)],  # identical
        [(0.4, 0.4, 0.45, 0.45)],  # below one pixel
    ],
)
@pytest.mark.parametrize("size", [(5, 4), (1, 1), (8, 3)])
def test_a_mask_is_the_area_of_the_union(edges, size):
    target = Target("thing", tuple(Box("thing", *each) for each in edges))
    mask = target.mask(*size)
    assert mask.dtype == np.float32
    assert mask.shape == size
    fine = 60 if size != (1, 1) else 200
    np.testing.assert_allclose(mask, oracle.coverage(edges, *size, fine=fine), atol=1.5 / fine)


def test_a_mask_keeps_its_area_at_every_size():
    target = Target("thing", (Box("thing", 0.11, 0.07, 0.47, 0.93), Box("thing", 0.3, 0.5, 0.9, 0.6)))
    area = 0.36 * 0.86 + 0.6 * 0.1 - 0.17 * 0.1
    assert target.share == pytest.approx(area, abs=1e-7)
    for size in ((1, 1), (7, 7), (64, 48), (224, 224), (333, 5)):
        assert target.mask(*size).mean(dtype=np.float64) == pytest.approx(area, abs=1e-6)


def test_the_share_of_paper_a_s_box():
    assert Target("road", (Box("road", 0, 200 / 256, 1, 1),)).share == pytest.approx(0.21875)


def test_regions_at_any_size_and_beside_boxes():
    disc = np.zeros((10, 20))
    disc[2:6, 4:12] = 1
    region = Region("sun", disc)
    alone = Target("sun", (), (region,))
    assert alone.share == pytest.approx(32 / 200)
    np.testing.assert_array_equal(alone.mask(10, 20), disc)
    small = alone.mask(5, 5)
    expected = disc.reshape(5, 2, 5, 4).mean((1, 3))
    np.testing.assert_allclose(small, expected, atol=1e-6)
    np.testing.assert_array_equal(alone.mask(20, 40), disc.repeat(2, 0).repeat(2, 1))
    both = Target("sun", (Box("sun", 0.5, 0.5, 1, 1),), (region,))
    overlap = disc[5:, 10:].sum() / disc.size
    assert both.share == pytest.approx(32 / 200 + 0.25 - overlap, abs=1e-6)
    disc[:] = 1
    assert region.mask.mean() < 1  # a copy
    with pytest.raises(ValueError, match="read-only"):
        region.mask[0, 0] = 1


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((4, 4)), "is empty"),
        (np.ones((4, 4, 3)), r"is \(4, 4, 3\); allowed: \(height, width\)"),
        (np.ones((0, 4)), "allowed: .height, width"),
        (np.full((4, 4), 255.0), "0 to 1"),
        (np.full((4, 4), np.nan), "0 to 1"),
        (np.full((4, 4), -0.1), "0 to 1"),
    ],
)
def test_bad_regions(mask, message):
    with pytest.raises(ValueError, match=message):
        Region("sun", mask)


# --- masks from pictures -----------------------------------------------------------------------------------


def test_a_region_from_a_picture():
    pixels = np.zeros((6, 8))
    pixels[1:3, 2:5] = 255
    found = parsing.read_region("sun", png(pixels, "L"))
    np.testing.assert_array_equal(found.mask, pixels / 255)
    found = parsing.read_region("sun", Image.fromarray(pixels.astype(np.uint8)).convert("1"))
    np.testing.assert_array_equal(found.mask, pixels / 255)
    rgb = np.repeat(pixels[..., None], 3, -1)
    np.testing.assert_allclose(parsing.read_region("sun", png(rgb, "RGB")).mask, pixels / 255, atol=1e-6)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_what_is_transparent_is_outside(mode, tmp_path):
    """White everywhere, half of it transparent, a quarter half so: paper A's code ignored alpha."""
    alpha = np.full((8, 8), 255)
    alpha[:, :4] = 0
    alpha[:2, 4:] = 128
    if mode == "P":
        image = Image.fromarray((alpha // 100).astype(np.uint8), "P")
        image.putpalette([255] * 9)
        image.info["transparency"] = bytes([0, 128, 255])
    else:
        channels = [np.full((8, 8), 255)] * (len(mode) - 1) + [alpha]
        image = Image.fromarray(np.stack(channels, -1).astype(np.uint8), mode)
    path = tmp_path / "mask.png"
    image.save(path)
    for source in (path, str(path), path.read_bytes(), Image.open(path)):
        np.testing.assert_allclose(parsing.read_region("sun", source).mask, alpha / 255, atol=1 / 255)


def test_a_mask_of_16_bits_and_a_large_one():
    sixteen = Image.fromarray((np.eye(8) * 65535).astype(np.uint16))
    np.testing.assert_allclose(parsing.read_region("sun", sixteen).mask, np.eye(8), atol=0.01)
    large = np.zeros((1500, 3000), dtype=np.uint8)
    large[:, :1500] = 255
    found = parsing.read_region("sun", png(large, "L")).mask
    assert max(found.shape) == 1024
    assert found.mean() == pytest.approx(0.5, abs=1e-3)


def test_a_mask_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    pixels = np.zeros((4, 8, 2), dtype=np.uint8)
    pixels[0] = 255
    found = parsing.read_region("sun", png(pixels, "LA", exif=exif)).mask
    assert found.shape == (8, 4)
    assert found[:, 3].min() == 1
    assert found[:, :3].max() == 0


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "not a picture"),
        (b"\x89PNG not really", "not a picture|damaged"),
        ("no/such/file.png", "no file"),
        (3, "must be a path or a file"),
        (Image.new("L", (4, 4)), "white is inside, black and transparent outside"),
        (Image.new("RGBA", (4, 4), (255, 255, 255, 0)), "white is inside"),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 255)), "white is inside"),
    ],
)
def test_pictures_that_are_no_masks(source, message):
    with pytest.raises(ValueError, match=message):
        parsing.read_region("sun", source)


# --- boxes as text -----------------------------------------------------------------------------------------


def test_a_box_as_text():
    box, notes = parse_box("red ball: 0.1, 0.1, 0.45, 0.5")
    assert box == BALL
    assert notes == ()
    assert parse_box(" red  ball :.1,1e-1 , 0.45,0.5 ")[0] == BALL


@pytest.mark.parametrize(
    "phrase", ["sign: stop", 'a "quoted" word', "l'église", "🦊", "عربى", "{phrase}", "<b>", "a, b, c"]
)
def test_phrases_may_hold_anything(phrase):
    box, _ = parse_box(f"{phrase}: 0, 0, 1, 1")
    assert box.phrase == phrase
    assert parse_boxes(parsing.as_json([box])) == ((box,), ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "allowed: 'phrase: left, top, right, bottom'"),
        ("red ball", "'red ball'; allowed: 'phrase: left, top, right, bottom'"),
        ("red ball 0.1, 0.1, 0.5, 0.5", "allowed: 'phrase: left"),
        (": 0.1, 0.1, 0.5, 0.5", "allowed: 'phrase: left"),
        ("red ball: 0.1, 0.1, 0.5", "allowed: 'phrase: left"),
        ("red ball: 0,1, 0,1, 0,5, 0,5", "allowed: 'phrase: left"),
        ("red ball: 0.1, x, 0.5, 0.5", "top is 'x'; allowed: a number"),
        ("red ball: 0.1, , 0.5, 0.5", "top is ''; allowed: a number"),
        ("red ball: 0.1, 0_1, 0.5, 0.5", "top is '0_1'; allowed: a number"),
        ("red ball: 0.1, nan, 0.5, 0.5", "top is 'nan'; allowed: a number"),
        ("red ball: 0.1, 0.1, inf, 0.5", "right is 'inf'; allowed: a number"),
        ("red ball: 0.5, 0.1, 0.2, 0.5", "left 0.5 and right 0.2; allowed: left less than right"),
        ("red ball: 0.1, 0.5, 0.2, 0.5", "top 0.5 and bottom 0.5; allowed: top less than bottom"),
        (
            "red ball: 10, 20, 300, 256",
            "looks like pixels; allowed: fractions of the picture's width and height",
        ),
        ("red ball: 1.1, 0.2, 1.5, 0.5", "lies outside the picture; allowed: fractions"),
        ("red ball: 0.1, -0.5, 0.5, 0", "lies outside the picture"),
        ("red ball: 0.1, 0.1, 0.1004, 0.5", "too thin; allowed: at least 0.001"),
        ("red ball: -1, 0, 0.0005, 1", "too thin"),
        (f"{'a' * 201}: 0, 0, 1, 1", "the phrase has 201 characters; allowed: up to 200"),
        (f"{'a' * 100_000}: 0, 0, 1, 1", "allowed"),
        ("\u200b\u0007: 0, 0, 1, 1", "the phrase is empty; allowed: 1 to 200 characters"),
        (None, "a box is None; allowed: text like"),
        (3, "a box is 3; allowed: text like"),
    ],
)
def test_bad_boxes_as_text(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_box(text)
    assert len(str(caught.value)) < 300


def test_a_box_partly_outside_is_cut_and_this_is_said():
    box, notes = parse_box("red ball: -0.2, 0.5, 0.5, 1.3")
    assert box.edges == (0, 0.5, 0.5, 1)
    assert notes == ("the box of 'red ball' was cut at the picture's border: it is 0, 0.5, 0.5, 1",)
    with pytest.raises(ValueError, match="allowed: fractions"):
        Box("red ball", -0.2, 0.5, 0.5, 1)


# --- boxes as JSON -----------------------------------------------------------------------------------------


def test_boxes_as_json_go_round():
    given = (BALL, Box("sky", 0, 0, 1, 1 / 3), Box("red ball", 0.6, 0.6, 0.9, 0.9))
    text = parsing.as_json(given)
    assert parse_boxes(text) == (given, ())
    assert parse_boxes(json.loads(text)) == (given, ())
    assert parse_boxes("[]") == ((), ())
    assert parse_boxes([place(left=np.float32(0.25), top=0, bottom=1)])[0][0].edges == (0.25, 0, 0.5, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"left": "0.1"}, "left is '0.1'; allowed: a number from 0 to 1"),
        ({"left": True}, "left is True; allowed: a number"),
        ({"left": np.bool_(True)}, "left is of type bool; allowed: a number"),
        ({"left": None}, "left is None; allowed: a number"),
        ({"left": [0.1]}, "left is of type list; allowed: a number"),
        ({"left": math.nan}, "left is nan; allowed: a number"),
        ({"bottom": math.inf}, "bottom is inf; allowed: a number"),
        ({"bottom": 10**400}, "bottom is a number of 1329 bits; allowed"),
        ({"bottom": 1j}, "bottom is of type complex"),
        ({"phrase": ""}, "the phrase is empty"),
        ({"phrase": "  \n"}, "the phrase is empty"),
        ({"phrase": None}, "the phrase is None; allowed: text"),
        ({"phrase": 3}, "the phrase is 3; allowed: text"),
        ({"phrase": "word " * 60}, "the phrase has 299 characters; allowed: up to 200"),
        ({"phrase": "x" * 10_000_000}, "the phrase has 10000000 characters; allowed: up to 200"),
        ({"left": 40, "right": 80}, "looks like pixels"),
        ({"left": 0.5, "right": 0.1}, "allowed: left less than right"),
        ({"weight": 3}, "'weight' is unknown; allowed: phrase, left, top, right, bottom"),
    ],
)
def test_bad_boxes_in_a_list(changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_boxes([place(), place(**changes)])
    assert str(caught.value).startswith("box 2: ")


def test_missing_keys_are_named():
    for key in ("phrase", "left", "top", "right", "bottom"):
        item = place()
        del item[key]
        with pytest.raises(ValueError, match=f"box 1: '{key}' is missing; allowed: phrase, left"):
            parse_boxes([item])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "no JSON"),
        ("[{", "no JSON"),
        ("{'phrase': 1}", "no JSON"),
        ('{"phrase": "a"}', "of type dict; allowed: a list of boxes"),
        ("3", "the boxes are 3; allowed: a list"),
        ("null", "the boxes are None; allowed: a list"),
        ("[3]", "box 1: it is 3; allowed: an object with phrase"),
        ("[[0, 0, 1, 1]]", "box 1: it is of type list"),
        ("[" * 20_000, "no JSON"),
        ('[{"left": ' + "1" * 20_000 + "}]", "no JSON|missing"),
        ("[" + " " * 10_000_000 + "]", "the boxes are 10000002 characters of JSON; allowed: up to 100000"),
        (None, "the boxes are None; allowed: a list"),
        (b"[]", "of type bytes; allowed: a list"),
        ({}, "of type dict; allowed: a list"),
        ([place()] * 17, "17 boxes given; allowed: up to 16"),
        (json.dumps([place()] * 50), "50 boxes given; allowed: up to 16"),
    ],
)
def test_what_is_no_list_of_boxes(source, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_boxes(source)
    assert len(str(caught.value)) < 300


def test_json_s_nan_is_refused():
    with pytest.raises(ValueError, match="box 1: left is nan"):
        parse_boxes(json.dumps([place(left=math.nan)]))


# --- targets and layouts -----------------------------------------------------------------------------------


def test_boxes_of_one_phrase_are_one_target():
    sun = Region("sun", np.ones((2, 2)))
    second = Box(" red\tball ", 0.6, 0.6, 0.9, 0.9)
    found = targets([BALL, sun, second, Box("sun", 0, 0, 0.5, 0.5)])
    assert [target.phrase for target in found] == ["red ball", "sun"]
    assert found[0].boxes == (BALL, second)
    assert found[1].regions == (sun,)
    assert targets([]) == ()
    with pytest.raises(ValueError, match="17 boxes given"):
        targets([BALL] * 17)
    with pytest.raises(ValueError, match="'x' has no place"):
        Target("x")


def test_layouts():
    found = targets([BALL])
    assert Layout("  a scene ", list(found)).prompt == "a scene"
    assert Layout("", found).targets == found
    with pytest.raises(ValueError, match="twice; allowed: one target per phrase"):
        Layout("", (*found, *found))
    with pytest.raises(ValueError, match="the prompt is 3; allowed: text"):
        Layout(3, found)
    with pytest.raises(ValueError, match="the prompt has 1001 characters; allowed: up to 1000"):
        Layout("a" * 1001)


def test_boxes_that_are_small_for_a_grid():
    small = [Box("fly", 0.5, 0.5, 0.6, 0.9), Box("bee", 0.1, 0.1, 0.35, 0.3), Box("cow", 0.25, 0, 0.5, 0.25)]
    notes = parsing.grid_notes(small, (8, 8))
    assert len(notes) == 2
    assert "'fly' is smaller than one patch of the model's 8 × 8 grid" in notes[0]
    assert "'bee' is smaller than 2 × 2 patches" in notes[1]
