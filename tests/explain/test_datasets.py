"""Folders in the layouts of VOC, COCO and ImageNet-S, drawn here, and what is wrong with some of them."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from explain import metrics
from explain.evaluation.datasets import LAYOUTS, coco_masks, open_dataset
from explain.evaluation.iou_table import IouTable
from explain.inputs.images import read_image
from tests.oracles import explain as oracles

SIZE = (20, 30)  # rows, columns


def picture(path, size=SIZE, **save):
    """A picture that tells its corners apart."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    pixels = np.stack([rows * 255 // size[0], columns * 255 // size[1], 0 * rows], axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(path, **save)
    return pixels


def rotated(path, orientation, size=SIZE):
    """A PNG with an EXIF orientation; returns its pixels as they are stored."""
    exif = Image.Exif()
    exif[274] = orientation
    return picture(path, size, format="PNG", exif=exif)


def palette_png(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels.astype(np.uint8)).convert("L")
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette([value for index in range(256) for value in (index, 255 - index, index)])
    image.save(path)


def numbers_png(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.stack([labels % 256, labels // 256, 0 * labels], axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(path)


def boxes(*drawn, size=SIZE):
    """Labels (H, W): (label, top, left, bottom, right) one after the other on 0."""
    labels = np.zeros(size, dtype=int)
    for label, top, left, bottom, right in drawn:
        labels[top:bottom, left:right] = label
    return labels


VOC_LABELS = {
    "2007_000032": boxes((1, 2, 3, 10, 12), (255, 2, 12, 10, 14), (15, 12, 0, 18, 9)),
    "2007_000027": boxes((15, 0, 0, 5, 5), (15, 10, 10, 15, 20)),
    "a näme with spaces": boxes((20, 0, 0, 20, 30)),
    "2009_void": boxes((255, 0, 0, 20, 30)),
}


@pytest.fixture
def voc(tmp_path):
    root = tmp_path / "data" / "VOCdevkit" / "VOC2012"
    for key, labels in VOC_LABELS.items():
        picture(root / "JPEGImages" / f"{key}.jpg")
        palette_png(root / "SegmentationClass" / f"{key}.png", labels)
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    names = [*VOC_LABELS, "", "2007_000032", "   "]
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("\n".join(names), encoding="utf-8")
    return root


def polygon(label, top, left, bottom, right):
    return [left, top, right, top, right, bottom, left, bottom]


@pytest.fixture
def coco_json():
    """Two pictures, a third without things; a crowd as numbers, a mask as a string, polygons of two parts."""
    crowd = boxes((1, 15, 20, 20, 30))
    packed = oracles.packed_run_lengths(oracles.run_lengths(boxes((1, 3, 4, 9, 22))))
    mask = {"size": [20, 30], "counts": packed}
    return {
        "images": [
            {"id": 9, "file_name": "000000000009.jpg", "width": 30, "height": 20},
            {"id": 4, "file_name": "a näme with spaces.jpg", "width": 30, "height": 20},
            {"id": 7, "file_name": "000000000007.jpg", "width": 30, "height": 20},
        ],
        "categories": [
            {"id": 90, "name": "toothbrush"},
            {"id": 1, "name": "person"},
            {"id": 18, "name": "dog"},
            {"id": 2, "name": "bicycle"},
        ],
        "annotations": [
            thing(1, 9, 1, [polygon(1, 2, 3, 10, 12), polygon(1, 0, 25, 4, 30)]),
            thing(2, 9, 1, [polygon(1, 12, 0, 18, 9)]),
            thing(3, 9, 18, mask),
            thing(4, 9, 1, {"size": [20, 30], "counts": oracles.run_lengths(crowd)}, iscrowd=1),
            thing(5, 4, 90, [polygon(1, 0, 0, 20, 30)]),
            thing(6, 4, 2, {"size": [20, 30], "counts": oracles.run_lengths(crowd)}, iscrowd=1),
        ],
    }


def thing(number, image, category, segmentation, iscrowd=0):
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "iscrowd": iscrowd,
    }


@pytest.fixture
def coco(tmp_path, coco_json):
    root = tmp_path / "coco"
    (root / "annotations").mkdir(parents=True)
    write(root, coco_json)
    for entry in coco_json["images"]:
        picture(root / "val2017" / entry["file_name"])
    return root


def write(root, data):
    text = data if isinstance(data, str) else json.dumps(data)
    (root / "annotations" / "instances_val2017.json").write_text(text, encoding="utf-8")


IMAGENET_LABELS = {
    "n01443537/ILSVRC2012_val_00000236": boxes((1, 2, 3, 10, 12), (1000, 10, 3, 12, 12)),
    "n01443537/ILSVRC2012_val_00000262": boxes((1, 0, 0, 5, 5), (3, 5, 5, 9, 9)),
    "n02114367/ILSVRC2012_val_00000001": boxes((3, 1, 1, 4, 4)),
}
WNIDS = ["n01443537", "n01491361", "n02114367"]  # the second has no picture


@pytest.fixture
def imagenet_s(tmp_path):
    root = tmp_path / "ImageNetS3"
    for name in WNIDS:
        (root / "validation" / name).mkdir(parents=True)
    (root / "validation" / WNIDS[0] / "._junk.JPEG").write_bytes(b"junk")
    (root / "validation" / WNIDS[0] / "notes.txt").write_text("no picture")
    for key, labels in IMAGENET_LABELS.items():
        picture(root / "validation" / f"{key}.JPEG")
        numbers_png(root / "validation-segmentation" / f"{key}.png", labels)
    return root


# --- What is read ---


def test_voc(voc):
    dataset = open_dataset(voc.parent.parent)
    assert dataset.layout == "PASCAL VOC 2012"
    assert len(dataset.classes) == 20
    assert (dataset.classes[0], dataset.classes[14], dataset.classes[19]) == (
        "aeroplane",
        "person",
        "tvmonitor",
    )
    assert dataset.keys == tuple(VOC_LABELS), "in the order of the list, each once, blank lines left out"
    assert len(dataset) == 4
    first, second, third, fourth = dataset
    labels = VOC_LABELS["2007_000032"]
    assert set(first.masks) == {"aeroplane", "person"}
    assert np.array_equal(first.masks["aeroplane"], labels == 1)
    assert np.array_equal(first.masks["person"], labels == 15)
    assert np.array_equal(first.valid, labels != 255)
    assert first.image_path == voc / "JPEGImages" / "2007_000032.jpg"
    assert first.read_image().size == (30, 20)
    assert first.masks["person"].dtype == first.valid.dtype == bool
    assert np.array_equal(second.masks["person"], VOC_LABELS[second.key] == 15), "both persons in one mask"
    assert set(third.masks) == {"tvmonitor"}
    assert third.masks["tvmonitor"].all()
    assert dict(fourth.masks) == {}
    assert not fourth.valid.any()


def test_the_folder_may_be_any_of_vocs(voc):
    for folder in (voc, voc.parent, voc.parent.parent, str(voc)):
        assert open_dataset(folder).keys == tuple(VOC_LABELS)


def test_coco(coco):
    dataset = open_dataset(coco)
    assert dataset.layout == "COCO 2017"
    assert dataset.classes == ("person", "bicycle", "dog", "toothbrush")
    assert dataset.empty_classes == ("bicycle",), "only a crowd of them is there"
    assert dataset.keys == ("4", "7", "9")
    fourth, seventh, ninth = dataset
    assert np.array_equal(
        ninth.masks["person"], boxes((1, 2, 3, 10, 12), (1, 0, 25, 4, 30), (1, 12, 0, 18, 9))
    )
    assert np.array_equal(ninth.masks["dog"], boxes((1, 3, 4, 9, 22)))
    assert set(ninth.masks) == {"person", "dog"}
    assert np.array_equal(ninth.valid, boxes((1, 15, 20, 20, 30)) == 0), "the crowd is void"
    assert set(fourth.masks) == {"toothbrush"}
    assert fourth.image_path.name == "a näme with spaces.jpg"
    assert dict(seventh.masks) == {}
    assert seventh.valid.all()


def test_imagenet_s(imagenet_s):
    dataset = open_dataset(imagenet_s)
    assert dataset.layout == "ImageNet-S"
    assert dataset.classes == tuple(WNIDS)
    assert dataset.empty_classes == ("n01491361",)
    keys = list(IMAGENET_LABELS)
    assert [key.removesuffix(".JPEG") for key in dataset.keys] == [keys[0], keys[2], keys[1]], (
        "a class at a time"
    )
    first, second, third = dataset
    labels = IMAGENET_LABELS[keys[0]]
    assert np.array_equal(first.masks["n01443537"], labels == 1)
    assert np.array_equal(first.valid, labels != 1000)
    assert set(first.masks) == {"n01443537"}
    assert set(second.masks) == {"n02114367"}
    assert set(third.masks) == {"n01443537", "n02114367"}, "also things of other classes"


def test_imagenet_s_classes_beyond_255(imagenet_s):
    names = [f"n{number:08d}" for number in range(300)]
    names[0], names[299] = "n01443537", "n02114367"
    names[1] = "n01491361"
    (imagenet_s / "classes.txt").write_text("\n".join(names))
    key = "n02114367/ILSVRC2012_val_00000001"
    numbers_png(imagenet_s / "validation-segmentation" / f"{key}.png", boxes((300, 1, 1, 4, 4)))
    labelled = open_dataset(imagenet_s).read(f"{key}.JPEG")
    assert np.array_equal(labelled.masks["n02114367"], boxes((1, 1, 1, 4, 4)))


@pytest.mark.parametrize(
    "lines",
    [
        ["n01443537 goldfish", "n01491361\ttiger shark", "n02114367 timber wolf", ""],
        ["goldfish", "tiger shark", "timber wolf"],
    ],
)
def test_imagenet_s_names(imagenet_s, lines):
    (imagenet_s / "classes.txt").write_text("\n".join(lines))
    dataset = open_dataset(imagenet_s)
    assert dataset.classes == ("goldfish", "tiger shark", "timber wolf")
    assert dataset.empty_classes == ("tiger shark",)
    assert [set(labelled.masks) for labelled in dataset] == [
        {"goldfish"},
        {"timber wolf"},
        {"goldfish", "timber wolf"},
    ]


@pytest.mark.parametrize("layout", ["voc", "coco", "imagenet_s"])
def test_any_layout(layout, request):
    """Lazy, the same each time, as many as asked for, and nothing that can be written to."""
    root = request.getfixturevalue(layout)
    dataset = open_dataset(root)
    assert isinstance(iter(dataset), Iterator)
    assert (
        [labelled.key for labelled in dataset] == [labelled.key for labelled in dataset] == list(dataset.keys)
    )
    assert open_dataset(root, limit=2).keys == dataset.keys[:2]
    assert open_dataset(root, limit=99).keys == dataset.keys
    labelled = next(iter(dataset))
    for array in (labelled.valid, *labelled.masks.values()):
        assert array.shape == SIZE
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = True
    with pytest.raises(TypeError):
        labelled.masks["new"] = labelled.valid
    with pytest.raises(AttributeError):
        labelled.key = "new"
    for bad in (0, -1, 2.5, True, "3"):
        with pytest.raises(ValueError, match="allowed: 1 picture or more"):
            open_dataset(root, limit=bad)
    skipped: list[str] = []
    assert [found.key for found in dataset.readable(skipped)] == list(dataset.keys)
    assert not skipped


@pytest.mark.parametrize("layout", ["voc", "coco", "imagenet_s"])
def test_perfect_maps_score_full_marks(layout, request):
    """Data and measures together: what a reader gets wrong, or a measure, shows here."""
    perfect, inverted = IouTable(), IouTable()
    for labelled in open_dataset(request.getfixturevalue(layout)):
        for name, mask in labelled.masks.items():
            if not mask.all():
                assert metrics.msc(mask, mask, labelled.valid) == 1
                perfect.add(name, mask, mask, labelled.valid)
                inverted.add(name, ~mask, mask, labelled.valid)
    assert (perfect.oracle(), inverted.oracle()) == (1, 0)


# --- EXIF: masks lie on the pixels as stored ---


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [SIZE, (20, 20)])
def test_a_turned_picture_is_read_as_its_masks_see_it(voc, orientation, size):
    stored = rotated(voc / "JPEGImages" / "2007_000027.jpg", orientation, size)
    palette_png(voc / "SegmentationClass" / "2007_000027.png", boxes((1, 2, 3, 5, 9), size=size))
    labelled = open_dataset(voc).read("2007_000027")
    assert np.array_equal(np.asarray(labelled.read_image()), stored)
    upright = np.asarray(read_image(labelled.image_path))
    assert (orientation == 1) == np.array_equal(upright, stored)


def test_a_turned_picture_whose_masks_are_upright(voc):
    rotated(voc / "JPEGImages" / "2007_000027.jpg", 6)
    palette_png(voc / "SegmentationClass" / "2007_000027.png", boxes((1, 2, 3, 5, 9), size=SIZE[::-1]))
    labelled = open_dataset(voc).read("2007_000027")
    upright = read_image(labelled.image_path)
    assert upright.size == (20, 30)
    assert np.array_equal(np.asarray(labelled.read_image()), np.asarray(upright))


# --- COCO's masks ---


@pytest.mark.parametrize("seed", range(8))
def test_polygons_are_filled_by_the_even_odd_rule(seed):
    """Random ones cross themselves and leave the picture."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-4, 20, size=(int(rng.integers(3, 9)), 2))
    points = points.round() if seed % 2 else points
    expected = oracles.polygon([tuple(point) for point in points.tolist()], (13, 17))
    assert np.array_equal(coco_masks.fill(points, (13, 17)), expected)
    assert np.array_equal(coco_masks.decode([points.ravel().tolist()], (13, 17)), expected)


def test_polygons_of_known_shape():
    assert np.array_equal(
        coco_masks.decode([[2, 1, 5, 1, 5, 3, 2, 3]], (4, 6)), boxes((1, 1, 2, 3, 5), size=(4, 6))
    )
    left, right = ([0, 0, 2.5, 0, 2.5, 4, 0, 4], [2.5, 0, 6, 0, 6, 4, 2.5, 4])
    shared = [coco_masks.decode([part], (4, 6)) for part in (left, right)]
    assert (shared[0] ^ shared[1]).all(), "neighbours share no pixel and leave none out"
    assert coco_masks.decode([left, right], (4, 6)).all(), "parts of one thing are united"
    assert coco_masks.decode([left, left], (4, 6)).sum() == 8, "overlapping ones too"
    assert not coco_masks.decode([[1, 1, 3, 3]], (4, 6)).any(), "two points enclose nothing"
    assert not coco_masks.decode([], (4, 6)).any()
    assert coco_masks.decode([[-9e5, -9e5, 9e5, -9e5, 9e5, 9e5, -9e5, 9e5]], (4, 6)).all()


@pytest.mark.parametrize("seed", range(8))
def test_run_lengths(seed):
    rng = np.random.default_rng(seed)
    size = tuple(rng.integers(1, 60, 2).tolist())
    mask = rng.random(size) < (0.02, 0.5, 0.98, 0, 1)[seed % 5]
    counts = oracles.run_lengths(mask)
    packed = oracles.packed_run_lengths(counts)
    assert coco_masks.unpack(packed) == counts
    for form in (counts, packed):
        assert np.array_equal(coco_masks.decode({"size": list(size), "counts": form}, size), mask)


def test_run_lengths_as_coco_writes_them():
    """Strings written by COCO's own tools."""
    mask = np.zeros((9, 7), dtype=bool)
    mask[2:6, 1:5] = True
    mask[4, 2], mask[0, 6] = False, True
    assert np.array_equal(coco_masks.decode({"size": [9, 7], "counts": ";45NLO43007ML"}, (9, 7)), mask)
    assert coco_masks.unpack("Tkm2X6h80") == [96100, 200, 280, 200]


BROKEN_MASKS = [
    ([[1, 2, 3]], "is broken"),
    ([[]], "is broken"),
    ([5], "is broken"),
    ([[1, 2, 3, None, 5, 6]], "is broken"),
    ([["x", 2, 3, 4, 5, 6]], "is broken"),
    ([[1, 2, 3, 1e7, 5, 6]], "in pixels"),
    ([[1, 2, 3, 10**400, 5, 6]], "is broken"),
    ([[float("nan"), 2, 3, 4, 5, 6]], "in pixels"),
    ({"size": [20, 30]}, "whole numbers"),
    (
        {"size": [30, 20], "counts": [600]},
        r"the mask's size is \[30, 20\]; allowed: the picture's, \[20, 30\]",
    ),
    ({"counts": [600]}, "the mask's size is None"),
    ({"size": [20, 30], "counts": [599]}, "add up to 599; allowed: 600"),
    ({"size": [20, 30], "counts": [700, -100]}, "whole numbers from 0"),
    ({"size": [20, 30], "counts": [1.5]}, "whole numbers from 0"),
    ({"size": [20, 30], "counts": "T"}, "cut short"),
    ({"size": [20, 30], "counts": "\x00"}, "are broken"),
    ({"size": [20, 30], "counts": "o" * 5000}, "are broken"),
]


@pytest.mark.parametrize(("segmentation", "message"), BROKEN_MASKS)
def test_broken_masks_of_coco(coco, coco_json, segmentation, message):
    """The message names the annotation; the other pictures are read."""
    coco_json["annotations"][2]["segmentation"] = segmentation
    write(coco, coco_json)
    dataset, skipped = open_dataset(coco), []
    with pytest.raises(ValueError, match=f"annotation 3 of picture 9: .*{message}"):
        dataset.read("9")
    assert [labelled.key for labelled in dataset.readable(skipped)] == ["4", "7"]
    assert len(skipped) == 1
    assert skipped[0].startswith("9: annotation 3")


# --- Bad folders ---


def test_other_folders_are_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path, tmp_path / "none", tmp_path / "file", "\0", "a" * 5000):
        with pytest.raises(ValueError, match="allowed: a folder of") as refused:
            open_dataset(folder)
        for layout in LAYOUTS:
            assert layout in str(refused.value)
    for looked_for in (
        *("ImageSets/Segmentation/val.txt", "annotations/instances_val2017.json", "validation-segmentation/"),
        *("PASCAL VOC 2012", "COCO 2017", "ImageNet-S"),
    ):
        assert any(looked_for in layout for layout in LAYOUTS)


def test_folders_without_pictures(voc, coco, coco_json, imagenet_s):
    (voc / "ImageSets" / "Segmentation" / "val.txt").write_text("\n\n")
    with pytest.raises(ValueError, match="lists no picture"):
        open_dataset(voc)
    (voc / "ImageSets" / "Segmentation" / "val.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="a text file in UTF-8"):
        open_dataset(voc)
    write(coco, coco_json | {"images": [], "annotations": []})
    with pytest.raises(ValueError, match="lists no picture"):
        open_dataset(coco)
    for path in (imagenet_s / "validation").rglob("*.JPEG"):
        path.unlink()
    with pytest.raises(ValueError, match="there is no picture in ImageNetS3/validation"):
        open_dataset(imagenet_s)


@pytest.mark.parametrize("layout", ["voc", "coco", "imagenet_s"])
def test_a_bad_picture_among_good_ones(layout, request):
    """Missing, damaged or of another size: named; left out and counted by whoever wants the rest."""
    dataset = open_dataset(request.getfixturevalue(layout))
    paths = [labelled.image_path for labelled in dataset]
    whole = paths[0].read_bytes()
    paths[0].unlink()
    with pytest.raises(ValueError, match="there is no picture"):
        dataset.read(dataset.keys[0])
    paths[0].write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=f"{paths[0].name}' cannot be read"):
        next(iter(dataset))
    picture(paths[0], (20, 31))
    with pytest.raises(ValueError, match=rf"is 30 x 20 pixels, its picture '{paths[0].name}' 31 x 20"):
        next(iter(dataset))
    picture(paths[0], SIZE[::-1])
    with pytest.raises(ValueError, match="20 x 30; allowed: masks of their picture's size"):
        next(iter(dataset))
    paths[0].write_bytes(whole[:-20])  # its head is whole
    with pytest.raises(ValueError, match="damaged or cut short"):
        next(iter(dataset)).read_image()
    skipped: list[str] = []
    assert [found.key for found in dataset.readable(skipped)] == list(dataset.keys[1:])
    assert len(skipped) == 1
    assert skipped[0].startswith(f"{dataset.keys[0]}: ")
    assert paths[0].name in skipped[0]


@pytest.mark.parametrize("layout", ["voc", "imagenet_s"])
def test_bad_masks(layout, request):
    root = request.getfixturevalue(layout)
    dataset = open_dataset(root)
    folder, mode, number = {
        "voc": ("SegmentationClass", "P", 21),
        "imagenet_s": ("validation-segmentation", "RGB", 4),
    }[layout]
    path = root / folder / (dataset.keys[0].removesuffix(".JPEG") + ".png")
    for other in {"P", "RGB", "L", "RGBA", "1"} - {mode}:
        Image.new(other, SIZE[::-1]).save(path)
        with pytest.raises(ValueError, match=rf"{path.name}' is a picture of mode {other}, .*allowed: an? "):
            dataset.read(dataset.keys[0])
    write_labels = palette_png if layout == "voc" else numbers_png
    write_labels(path, boxes((number, 0, 0, 2, 2)))
    with pytest.raises(ValueError, match=rf"{path.name}' has pixels of .*{number}"):
        dataset.read(dataset.keys[0])
    write_labels(path, boxes((1, 0, 0, 2, 2), size=(20, 29)))
    with pytest.raises(
        ValueError, match=rf"the mask '{path.name}' is 29 x 20 pixels, its picture '.*' 30 x 20"
    ):
        dataset.read(dataset.keys[0])
    for damaged in (b"", b"junk", path.read_bytes()[:60]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=rf"the mask '.*{path.name}' cannot be read"):
            dataset.read(dataset.keys[0])
    path.unlink()
    with pytest.raises(ValueError, match=rf"there is no mask '.*{path.name}'"):
        dataset.read(dataset.keys[0])


def test_a_huge_mask_is_not_decoded(voc, monkeypatch):
    monkeypatch.setattr("explain.evaluation.datasets.labelled.MAX_PIXELS", 599)
    with pytest.raises(ValueError, match=r"30 x 20; allowed: .* megapixels"):
        open_dataset(voc).read("2007_000027")


ESCAPES = ["../../x.jpg", "/etc/passwd", "a/../../../x.jpg", "..", "..\\..\\x.jpg", "a\0.jpg", "", "  "]


@pytest.mark.parametrize("name", ESCAPES)
def test_names_that_lead_outside_are_refused(coco, coco_json, name):
    """Before anything is opened, for whatever picture it is."""
    coco_json["images"][1]["file_name"] = name
    write(coco, coco_json)
    with pytest.raises(ValueError, match=r"names the file .*; allowed: names inside its folder"):
        open_dataset(coco, limit=1)


def test_names_that_lead_outside_are_refused_in_lists(voc):
    (voc / "ImageSets" / "Segmentation" / "val.txt").write_text("2007_000027\n../../secret\n")
    with pytest.raises(ValueError, match=r"val\.txt names the file '\.\./\.\./secret'"):
        open_dataset(voc)


@pytest.mark.parametrize("layout", ["voc", "coco", "imagenet_s"])
def test_links_that_lead_outside_are_refused(layout, request, tmp_path):
    dataset = open_dataset(request.getfixturevalue(layout))
    path = next(iter(dataset)).image_path
    picture(tmp_path / "outside.jpg")
    path.unlink()
    path.symlink_to(tmp_path / "outside.jpg")
    with pytest.raises(ValueError, match=rf"{path.name}' leads outside"):
        next(iter(dataset))
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(ValueError, match=path.name):
        next(iter(dataset))


def test_a_folder_that_is_a_link_is_the_users_own(coco, tmp_path):
    (coco / "val2017").rename(tmp_path / "elsewhere")
    (coco / "val2017").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(coco)
    assert len(list(open_dataset(tmp_path / "link"))) == 3


# --- Broken json ---


def test_json_that_is_none(coco):
    for text, message in (
        ('{"images": [\n{"id": 1,]}', "is broken at line 2, column 10"),
        ("", "is broken at line 1"),
        ("[" * 100_000, "cannot be read"),
        ("[]", "has no list 'images'"),
        ('{"images": {}}', "has no list 'images'"),
        ('{"images": [], "categories": []}', "has no list 'annotations'"),
    ):
        write(coco, text)
        with pytest.raises(ValueError, match=message):
            open_dataset(coco)
    (coco / "annotations" / "instances_val2017.json").write_bytes(b'{"images": "\xff"}')
    with pytest.raises(ValueError, match="json in UTF-8"):
        open_dataset(coco)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("images", {"id": "9"}, "in 'images', 'id' is '9'; allowed: int"),
        ("images", {"id": True}, "in 'images', 'id' is 'True'"),
        ("images", {"file_name": None}, "'file_name' is 'None'; allowed: str"),
        ("images", {"width": 30.5}, "'width' is '30.5'"),
        ("images", {"width": 0}, "picture 9 is 0 x 20; allowed: 1 pixel to 50 megapixels"),
        ("images", {"width": 10**9}, "picture 9 is 1000000000 x 20"),
        ("images", {"id": 4}, "in 'images', an id is there twice"),
        ("categories", {"name": 5}, "in 'categories', 'name'"),
        ("categories", {"id": 1}, "in 'categories', an id is there twice"),
        ("annotations", {"segmentation": None}, "'segmentation' is 'None'; allowed: list or dict"),
        ("annotations", {"image_id": 99}, "annotation 1 is of picture 99 and category 1"),
        ("annotations", {"category_id": 3}, "annotation 1 is of picture 9 and category 3"),
    ],
)
def test_json_with_a_wrong_entry(coco, coco_json, part, change, message):
    coco_json[part][0] |= change
    write(coco, coco_json)
    with pytest.raises(ValueError, match=message):
        open_dataset(coco)
    coco_json[part][0] = "no entry"
    write(coco, coco_json)
    with pytest.raises(ValueError, match=f"in '{part}', 'id' is 'None'"):
        open_dataset(coco)


def test_masks_of_another_size_than_coco_says(coco, coco_json):
    coco_json["images"][2]["height"] = 21
    write(coco, coco_json)
    with pytest.raises(
        ValueError, match=r"picture 7 of .* is 30 x 21 pixels, its picture '0+7\.jpg' 30 x 20"
    ):
        open_dataset(coco).read("7")


def test_imagenet_s_with_a_wrong_list_of_classes(imagenet_s):
    for lines, message in (
        (["n01443537 goldfish", "n01491361 shark"], r"lacks the folder 'n02114367' \(1 in all\)"),
        (["goldfish", "shark"], r"lacks the folder 'n01443537' \(3 in all\)"),
        (["n01443537 a", "n01491361 b", "n02114367 a"], "has a folder or a name twice"),
        (["n01443537 a", "n01443537 b", "n01491361 c", "n02114367 d"], "has a folder or a name twice"),
        (["a", "b", "a"], "has a folder or a name twice"),
    ):
        (imagenet_s / "classes.txt").write_text("\n".join(lines))
        with pytest.raises(ValueError, match=message):
            open_dataset(imagenet_s)
