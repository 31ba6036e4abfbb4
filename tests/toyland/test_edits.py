"""Drawn edits: one thing changes and nothing else does, in words, in boxes and in pixels."""

import numpy as np
import pytest

from toyland.edits import CHANGES, sample_edits
from toyland.layouts import AREAS
from toyland.world.scene import UNSEEN_PAIRS

EDITS = sample_edits("validation", 48)


def things(scene):
    return [(thing.kind, thing.colour) for thing in scene.things]


@pytest.mark.parametrize("change", CHANGES)
def test_all_changes_are_as_many(change):
    found = [edit for edit in EDITS if edit.change == change]
    assert len(found) == 12
    sizes = [max(len(edit.before.things), len(edit.after.things)) for edit in found]
    assert sizes.count(2) == sizes.count(3) == 6


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: f"{edit.change}-{edit.before.seed}")
def test_one_thing_changes(edit):
    before, after = things(edit.before), things(edit.after)
    gone, new = ([one for one in a if one not in b] for a, b in ((before, after), (after, before)))
    assert [(one.kind, one.colour) for one in (edit.gone,) if one] == gone
    assert [(one.kind, one.colour) for one in (edit.wanted,) if one] == new
    assert (len(gone), len(new)) == {"add": (0, 1), "remove": (1, 0)}.get(edit.change, (1, 1))
    assert [(one.kind, one.colour) for one in edit.kept] == [one for one in before if one in after]
    assert len(edit.kept) >= 1
    assert len(set(before)) == len(before)
    assert len(set(after)) == len(after)
    assert not {*before, *after} & UNSEEN_PAIRS
    if edit.change == "recolour":
        assert edit.wanted.kind == edit.gone.kind
    if edit.change == "replace":
        assert edit.wanted.colour == edit.gone.colour


@pytest.mark.parametrize("edit", EDITS[:8], ids=lambda edit: edit.change)
def test_pixels_change_in_the_box_alone(edit):
    before, after = (np.asarray(picture, dtype=int) for picture in (edit.picture(128), edit.target(128)))
    rows, columns = np.nonzero(np.abs(before - after).max(-1))
    left, top, right, low = (128 * edge for edge in edit.box)
    assert len(rows) > 0
    assert columns.min() >= left - 2
    assert columns.max() <= right + 2
    assert rows.min() >= top - 2
    assert rows.max() <= low + 2
    assert AREAS[0] <= (right - left) * (low - top) / 128**2 <= 1


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: f"{edit.change}-{edit.before.seed}")
def test_words_are_of_the_prompt_and_say_what_changes(edit):
    assert set(edit.words) <= set(edit.prompt.replace(",", "").split())
    assert edit.prompt != edit.caption
    if edit.change == "recolour":
        assert edit.words == (edit.wanted.colour,)
        assert edit.words[0] not in edit.caption.split()
    if edit.change == "add":
        assert edit.words[0] == edit.wanted.colour


def test_numbers_are_edits():
    assert sample_edits("validation", 3, first=5) == EDITS[5:8]
    assert sample_edits("test", 1)[0].before.split == "test"


@pytest.mark.parametrize("given", [("train", 1, 0), ("test", 0, 0), ("test", 1, -1), ("test", 3, 10**6)])
def test_what_there_is_not(given):
    with pytest.raises(ValueError, match="edit"):
        sample_edits(*given)
