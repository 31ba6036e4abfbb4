"""Scenes: deterministic, of their split, exact in their masks, true in their captions."""

import itertools
import json
import re
import time
from collections import Counter
from random import Random

import numpy as np
import pytest

import toyland
from toyland.art import COLOURS, KINDS, PLACES
from toyland.world.captions import relation
from toyland.world.scene import SPLITS, UNSEEN_PAIRS, USUAL_PLACES, Scene
from toyland.world.vocabulary import (
    CATEGORY_NOUNS,
    COLOUR_WORDS,
    COUNT_WORDS,
    NOUNS,
    PLACE_NOUNS,
    PLACE_PHRASES,
)


def scenes(split: str, count: int, things: int | None = None) -> list[Scene]:
    return [toyland.sample_scene(seed, split, things) for seed in range(count)]


def test_same_seed_same_scene_and_json_round_trip():
    for scene in scenes("balanced", 40):
        assert toyland.sample_scene(scene.seed, "balanced") == scene
        assert Scene.from_json(scene.to_json()) == scene
        assert json.loads(scene.to_json())["caption"] == scene.caption


def test_splits_are_disjoint_ranges():
    ranges = sorted((split.first, split.first + split.count) for split in SPLITS.values())
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ranges))


@pytest.mark.parametrize(
    ("seed", "split", "things"),
    [(-1, "train", None), (100_000, "test", None), (0, "tset", None), (0, "test", 5)],
)
def test_bad_scenes_are_refused(seed, split, things):
    with pytest.raises(ValueError, match=r"0 to|choose from|1 to 4"):
        toyland.sample_scene(seed, split, things)


def test_captions_without_colours_name_none():
    rng = Random(0)
    colours = re.compile(rf"\b({'|'.join(w for words in COLOUR_WORDS.values() for w in words)})\b")
    captions = [toyland.write_caption(scene, rng, colours=False) for scene in scenes("train", 1000)]
    assert not [caption for caption in captions if colours.search(caption)]
    assert any(" two " in f" {caption} " for caption in captions)


def test_unseen_pairs_are_never_trained_on_and_cover_every_kind_and_colour():
    assert Counter(kind for kind, _ in UNSEEN_PAIRS) == dict.fromkeys(KINDS, 1)
    assert Counter(colour for _, colour in UNSEEN_PAIRS) == dict.fromkeys(COLOURS, 3)
    pairs = {(t.kind, t.colour) for scene in scenes("train", 3000) for t in scene.things}
    assert not pairs & UNSEEN_PAIRS
    assert len(pairs) == len(KINDS) * len(COLOURS) - len(UNSEEN_PAIRS)
    assert {(t.kind, t.colour) for scene in scenes("test-unseen", 300) for t in scene.things} <= UNSEEN_PAIRS


def test_kinds_and_places_co_occur_in_training_and_not_in_the_balanced_split():
    def at_home(split: str) -> float:
        things = [(s.place, t.kind) for s in scenes(split, 1500) for t in s.things]
        return float(np.mean([place in USUAL_PLACES[kind] for place, kind in things]))

    chance = float(np.mean([len(places) / len(PLACES) for places in USUAL_PLACES.values()]))
    assert at_home("train") > 0.6
    assert abs(at_home("validation") - chance) < 0.05


def test_every_number_of_things_every_place_and_size_occurs():
    drawn = scenes("validation", 400)
    assert {len(scene.things) for scene in drawn} == {1, 2, 3, 4}
    assert {scene.place for scene in drawn} == set(PLACES)
    assert {thing.size for scene in drawn for thing in scene.things} == {"small", "large"}


@pytest.mark.parametrize("pixels", [64, 200])
def test_masks_are_exactly_the_pixels_a_thing_changes(pixels):
    """Take a thing away: only pixels of its soft outline may change, and every pixel of its mask's inside does."""
    for scene in scenes("balanced", 12):
        masks = toyland.scene_masks(scene, pixels)
        assert masks.shape == (len(scene.things), pixels, pixels)
        assert masks.sum(axis=0).max() <= 1
        full = np.asarray(toyland.draw_scene(scene, pixels)).astype(int)
        for i, mask in enumerate(masks):
            less = Scene(
                scene.seed, scene.split, scene.place, scene.variant, scene.things[:i] + scene.things[i + 1 :]
            )
            changed = (full != np.asarray(toyland.draw_scene(less, pixels)).astype(int)).any(axis=-1)
            assert changed[mask].mean() > 0.9  # a white thing on snow may share a colour here and there
            assert (changed & ~mask).sum() < 0.6 * mask.sum() ** 0.5 * 6  # an outline's worth of soft edge


def test_things_stay_visible_and_inside():
    for scene in scenes("train", 150):
        masks = toyland.scene_masks(scene, 64)
        assert masks.sum(axis=(1, 2)).min() >= 40
        for left, top, right, bottom in toyland.scene_boxes(scene):
            assert 0 <= left < right <= 1
            assert 0 <= top < bottom <= 1


def test_same_scene_at_two_resolutions():
    for scene in scenes("balanced", 8):
        small = np.asarray(toyland.draw_scene(scene, 64)).astype(float)
        large = np.asarray(toyland.draw_scene(scene, 512).resize((64, 64))).astype(float)
        assert np.abs(small - large).mean() < 12
        coarse, fine = toyland.scene_masks(scene, 64), toyland.scene_masks(scene, 512)
        overlap = coarse & fine[:, 4::8, 4::8]
        union = coarse | fine[:, 4::8, 4::8]
        assert (overlap.sum(axis=(1, 2)) / union.sum(axis=(1, 2))).min() > 0.7


@pytest.mark.parametrize("pixels", [0, 7, 4000, -1])
def test_bad_sizes_are_refused(pixels):
    with pytest.raises(ValueError, match="choose 8 to 2048"):
        toyland.draw_scene(toyland.sample_scene(0), pixels)


def test_captions_are_true():
    """Every kind, colour, count and relation that a caption names is in the scene."""
    rng = Random(0)
    for scene in scenes("train", 1500):
        caption = toyland.write_caption(scene, rng)
        words = f" {caption.replace(',', ' ')} "
        for kind in KINDS.keys() - {t.kind for t in scene.things}:
            names = [form for noun in NOUNS[kind] for form in noun if form != "little cake"]
            assert not any(f" {name} " in words for name in names), (caption, kind)
        for colour in COLOURS.keys() - {t.colour for t in scene.things}:
            # "snow-white" and "a green lawn" name other things than their colour word says
            text = words.replace("a green lawn", "").replace("snow-white", "snowwhite")
            assert not any(f" {name} " in text for name in COLOUR_WORDS[colour][:1]), (caption, colour)
        largest = max(Counter((t.kind, t.colour) for t in scene.things).values())
        assert not any(f" {word} " in words for number, word in COUNT_WORDS.items() if number > largest), (
            caption
        )


def test_captions_vary_as_people_write():
    rng = Random(1)
    scene = toyland.sample_scene(3, "train", things=3)
    captions = {toyland.write_caption(scene, rng) for _ in range(300)}
    assert len(captions) > 200
    every = " ".join(toyland.write_caption(s, rng) for s in scenes("train", 3000))
    for phrase in ("to the left of", "above", "two", "animal", "kitten", "big", "in the snow", "that is"):
        assert phrase in every
    for nouns in NOUNS.values():
        assert nouns[0][0] in every
    assert all(any(p in every for p in (*PLACE_PHRASES[place], *PLACE_NOUNS[place])) for place in PLACES)


def test_relations_are_clear_cut_and_opposite():
    pairs = [s.things for s in scenes("train", 400, things=2) if len(s.things) == 2]
    said = [(relation(a, b), relation(b, a)) for a, b in pairs]
    opposite = {"left": "right", "right": "left", "above": "below", "below": "above", None: None}
    assert all(back == opposite[there] for there, back in said)
    assert {there for there, _ in said} == {"left", "right", "above", "below", None}


def test_match_things_reads_nouns_synonyms_categories_and_colours():
    cat = toyland.Thing("cat", "red", "small", 0.3, 0.3, 0.25)
    car = toyland.Thing("car", "blue", "large", 0.7, 0.7, 0.5)
    house = toyland.Thing("lighthouse", "white", "small", 0.2, 0.8, 0.25)
    scene = Scene(0, "balanced", "snow", 0, (cat, car, house))
    asked = {
        "a red cat": (0,),
        "A KITTEN": (0,),
        "the animal": (0,),
        "a blue cat": (),
        "a vehicle": (1,),
        "the cat and the car": (0, 1),
        "a house": (),  # a lighthouse is not a house
        "the beacon": (2,),
        "snow": (),
        "": (),
    }
    for prompt, things in asked.items():
        assert toyland.match_things(scene, prompt) == things, prompt
    assert toyland.match_place(scene, "a cat in the snow")
    assert not toyland.match_place(scene, "a cat on the grass")


def test_match_things_keeps_colours_with_their_nouns():
    things = [
        toyland.Thing(kind, colour, "small", 0.2 + 0.3 * i, 0.5, 0.25)
        for i, (kind, colour) in enumerate((("cat", "red"), ("cat", "blue"), ("car", "blue")))
    ]
    scene = Scene(0, "balanced", "grass", 0, tuple(things))
    assert toyland.match_things(scene, "a red cat and a blue car") == (0, 2)
    assert toyland.match_things(scene, "a blue cat to the left of a car") == (1, 2)
    assert toyland.match_things(scene, "the cats") == (0, 1)


@pytest.mark.parametrize("text", ["{}", "[]", "3", '{"things": [{}]}', "not json"])
def test_json_that_is_no_scene_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        Scene.from_json(text)


@pytest.mark.parametrize("seed", ["3", None, 1.5])
def test_seeds_are_whole_numbers(seed):
    with pytest.raises(ValueError, match="whole number"):
        toyland.sample_scene(seed)


def test_large_pictures_are_not_kept_in_memory():
    from toyland.world import drawing

    before = drawing._cached_sprite.cache_info().currsize, drawing._cached_place.cache_info().currsize
    for scene in scenes("balanced", 5):
        toyland.draw_scene(scene, 768)
    assert before == (
        drawing._cached_sprite.cache_info().currsize,
        drawing._cached_place.cache_info().currsize,
    )


def test_category_nouns_cover_every_category():
    assert {kind.category for kind in KINDS.values()} == set(CATEGORY_NOUNS)


def test_drawing_is_fast_once_sprites_are_cached():
    """At least 300 scenes a second at 64 pixels on one core; a third of it here, because test machines are shared."""
    drawn = scenes("train", 300)
    for scene in drawn:
        toyland.draw_scene(scene, 64)
    began = time.process_time()
    for scene in drawn:
        toyland.draw_scene(scene, 64)
    assert len(drawn) / (time.process_time() - began) > 100
