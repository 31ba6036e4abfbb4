"""COCO 2017, validation set (Lin et al. 2014, arXiv 1405.0312): masks of things from their json file."""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from explain.evaluation.datasets import coco_masks
from explain.evaluation.datasets.labelled import Dataset, Labelled, label
from explain.inputs.folders import inside, plain
from explain.inputs.images import MAX_PIXELS

LAYOUT = "COCO 2017 (annotations/instances_val2017.json and val2017/)"
_JSON = "annotations/instances_val2017.json"
_PARTS: dict[str, dict[str, tuple[type, ...]]] = {  # what is used of each list's entries, and its types
    "images": {"id": (int,), "file_name": (str,), "width": (int,), "height": (int,)},
    "categories": {"id": (int,), "name": (str,)},
    "annotations": {"id": (int,), "image_id": (int,), "category_id": (int,), "segmentation": (list, dict)},
}


def find(folder: Path) -> Path | None:
    """The folder itself, if it has the layout."""
    return folder if (folder / _JSON).is_file() and (folder / "val2017").is_dir() else None


def read(root: Path, limit: int | None) -> Dataset:
    """In the order of the pictures' ids. A picture without things has no masks."""
    lists = _checked(_parsed(root / _JSON))
    names = {
        entry["id"]: entry["name"] for entry in sorted(lists["categories"], key=lambda entry: entry["id"])
    }
    images = {str(entry["id"]): entry for entry in sorted(lists["images"], key=lambda entry: entry["id"])}
    things: dict[str, list[dict]] = defaultdict(list)
    for entry in lists["annotations"]:
        if str(entry["image_id"]) not in images or entry["category_id"] not in names:
            raise ValueError(
                f"annotation {entry['id']} is of picture {entry['image_id']} and category {entry['category_id']}; "
                f"allowed: those that {_JSON} lists"
            )
        things[str(entry["image_id"])].append(entry)
    if not images:
        raise ValueError(f"{_JSON} lists no picture; allowed: 1 or more")
    seen = {names[entry["category_id"]] for entry in lists["annotations"] if not entry.get("iscrowd")}
    classes = tuple(dict.fromkeys(names.values()))
    return Dataset(
        "COCO 2017",
        classes,
        tuple(name for name in classes if name not in seen),
        tuple(images)[:limit],
        lambda key: _labelled(root, images[key], things.get(key, []), names),
    )


def _labelled(root: Path, image: dict, things: list[dict], names: dict[int, str]) -> Labelled:
    """The masks of one picture. A crowd region is void: what in it is a thing and what is not, nobody drew."""
    size = (image["height"], image["width"])
    masks: dict[str, np.ndarray] = {}
    valid = np.ones(size, dtype=bool)
    for entry in things:
        try:
            drawn = coco_masks.decode(entry["segmentation"], size)
        except ValueError as error:
            raise ValueError(f"annotation {entry['id']} of picture {image['id']}: {error}") from error
        if entry.get("iscrowd"):
            valid &= ~drawn
        elif drawn.any():
            name = names[entry["category_id"]]
            masks[name] = masks[name] | drawn if name in masks else drawn
    path = inside(root / "val2017", image["file_name"])
    return label(path, masks, valid, str(image["id"]), f"picture {image['id']} of {_JSON}")


def _parsed(path: Path) -> object:
    try:
        with path.open(encoding="utf-8-sig") as file:
            return json.load(file)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{_JSON} is broken at line {error.lineno}, column {error.colno}: {error.msg}; allowed: json"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{_JSON} cannot be read; allowed: json in UTF-8") from error


def _checked(data: object) -> dict[str, list[dict]]:
    """The lists that are used, each entry with what is used of it. ValueError where any is not as it should."""
    found = {}
    for part, fields in _PARTS.items():
        entries = data.get(part) if isinstance(data, dict) else None
        if not isinstance(entries, list):
            raise ValueError(f"{_JSON} has no list {part!r}; allowed: lists {', '.join(_PARTS)}")
        for entry in entries:
            for name, types in fields.items():
                value = entry.get(name) if isinstance(entry, dict) else None
                if not isinstance(value, types) or isinstance(value, bool):
                    allowed = " or ".join(kind.__name__ for kind in types)
                    raise ValueError(
                        f"{_JSON}: in {part!r}, {name!r} is {str(value)[:80]!r}; allowed: {allowed}"
                    )
        found[part] = entries
        ids = [entry["id"] for entry in entries]
        if len(set(ids)) != len(ids):
            raise ValueError(f"{_JSON}: in {part!r}, an id is there twice; allowed: one entry for each id")
    for entry in found["images"]:
        plain(entry["file_name"], _JSON)
        if min(entry["width"], entry["height"]) < 1 or entry["width"] * entry["height"] > MAX_PIXELS:
            raise ValueError(
                f"{_JSON}: picture {entry['id']} is {entry['width']} x {entry['height']}; "
                f"allowed: 1 pixel to {MAX_PIXELS // 1_000_000} megapixels"
            )
    return found
