"""`python -m guidance evaluate` with generators and a detector of which all is known, so that every number is, too."""

import json
from dataclasses import replace
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from explain import explain_image, read_image
from explain.evaluation.maps import interval
from guidance.__main__ import main
from guidance.commands import evaluate
from guidance.evaluation import bootstrap
from guidance.evaluation.boxes import conditions, sources, tallies
from guidance.evaluation.boxes.report import run
from guidance.evaluation.boxes.run import Plan
from guidance.evaluation.boxes.text import as_text
from guidance.evaluation.boxes.witness import Witness, peak
from guidance.evaluation.world import as_layout, open_world
from guidance.generators.base import Advance
from guidance.generators.vqgan import VQGAN
from guidance.presets import PRESETS
from toyland import judging
from toyland.art import COLOURS, KINDS
from toyland.detector.finding import find
from toyland.detector.model import GRID, centres
from toyland.layouts import DrawnLayout, exchanged, mirrored, sample_layouts

PIXELS = 64
BEST = PRESETS["diffusion"]["best"]
OWN_STEPS = BEST.sampling.steps
BEST = replace(BEST, sampling=replace(BEST.sampling, steps=1), objective=replace(BEST.objective, views=1))
KIND_LIST, COLOUR_LIST = list(KINDS), list(COLOURS)
CODES = {
    f"{colour} {kind}": ((k + 1) * 10, (c + 1) * 30, 255)
    for k, kind in enumerate(KIND_LIST)
    for c, colour in enumerate(COLOUR_LIST)
}
KNOWN = set(CODES.values())


def painted(things):
    """A picture of rectangles, each in the code of its phrase."""
    image = torch.zeros(3, PIXELS, PIXELS)
    for phrase, (left, top, right, low) in things:
        rows, columns = (slice(round(a * PIXELS), round(b * PIXELS)) for a, b in ((top, low), (left, right)))
        image[:, rows, columns] = torch.tensor(CODES[phrase]).view(3, 1, 1) / 255
    return image


class Planted(torch.nn.Module):
    """A detector that reads the codes: exact to the pixel."""

    def forward(self, images):
        values = ((images + 1) / 2 * 255).round().int()
        shape = len(images), GRID, GRID
        kinds, colours = torch.full((shape[0], 24, *shape[1:]), -10.0), torch.zeros(shape[0], 8, *shape[1:])
        sides = torch.zeros(shape[0], 4, *shape[1:])
        x, y = (line.flatten() for line in centres())
        for row, image in enumerate(values):
            numbers = image[0] * 256 + image[1] + 65536 * (255 - image[2])
            for red, green in ((n // 256, n % 256) for n in numbers.unique().tolist() if n < 65536):
                k, c = red // 10 - 1, green // 30 - 1
                if (red, green, 255) not in KNOWN:
                    continue
                rows, columns = torch.nonzero(numbers == red * 256 + green, as_tuple=True)
                edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                left, top, right, low = (float(edge) / PIXELS for edge in edges)
                i, j = int((top + low) / 2 * GRID), int((left + right) / 2 * GRID)
                kinds[row, k, i, j], colours[row, c, i, j] = 5.0, 9.0
                sides[row, :, i, j] = torch.stack([x[j] - left, y[i] - top, right - x[j], low - y[i]])
        return kinds, colours, sides

    def features(self, images):
        mix = torch.randn(64, 3, 1, 1, generator=torch.Generator().manual_seed(0))
        return torch.nn.functional.conv2d(torch.nn.functional.avg_pool2d(images, 4), mix)


class Painter:
    """A generator that knows what it is asked: it paints what its guide wants, in the boxes, and without a guide what
    `alone(prompt, seed)` says. `spoil` changes what it paints for some objective. `fails`: at which `begin`.
    """

    name, kind, size = "painter", "diffusion", (PIXELS, PIXELS)

    def __init__(self, alone, spoil=lambda settings, things: things, fails=None):
        self.alone, self.spoil, self.fails = alone, spoil, fails
        self.begun = 0

    def begin(self, prompts, seeds, sampling, layouts=(), ways=None):
        self.begun += 1
        if self.begun == self.fails:
            raise KeyboardInterrupt
        return Painting(self, prompts, seeds)


class Painting:
    total = 1

    def __init__(self, painter, prompts, seeds):
        self.painter, self.given = painter, list(zip(prompts, seeds, strict=True))
        self.images = None

    def advance(self, guide=None):
        if guide is None:
            wanted = [self.painter.alone(*each) for each in self.given]
        else:
            wanted = [
                [(target.phrase, box.edges) for target in layout.targets for box in target.boxes]
                for layout in guide.objective.layouts
            ]
            wanted = [self.painter.spoil(guide.objective.settings, things) for things in wanted]
        self.images = torch.stack([painted(things) for things in wanted])
        return Advance(0, 1, self.images, None, torch.zeros(len(self.images), dtype=torch.bool))

    def finish(self):
        return self.images


@pytest.fixture(scope="module", autouse=True)
def drawn_once():
    """Scenes are drawn large to find their boxes: once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toyland.layouts.sample_layouts", lru_cache(sample_layouts))
        yield


@pytest.fixture(scope="module")
def layouts():
    return sample_layouts("test", 6)


@pytest.fixture(scope="module")
def every_other(layouts):
    """Paints a layout's things in their boxes with the first seed, and nothing with the second."""
    known = {one.prompt: list(zip(one.phrases, one.boxes, strict=True)) for one in layouts}
    return lambda prompt, seed: [] if seed % 2 else known.get(prompt, [])


def only_the_first(settings, things):
    """Guided by whole views alone, it leaves out all things but the first; by one legacy view, it paints nothing; by
    the similarity map, it fills 0.4 of each box.
    """
    if settings.legacy_single_view:
        return []
    if settings.heatmap == "itsm":
        return [
            (name, (left, top, left + 0.4 * (right - left), low)) for name, (left, top, right, low) in things
        ]
    return things if settings.masked_views else things[:1]


PLAN = Plan(layouts=6, seeds=2, batch=5)


def report_of(clips, painter, plan=PLAN, **more):
    judge = judging.Judge(Planted())
    return run(painter, clips["toy"], clips["resnet"], BEST, plan, judge=judge, **more)[0]


@pytest.fixture(scope="module")
def report(clips, every_other):
    return report_of(clips, Painter(every_other, only_the_first), replace(PLAN, real=True))


def row(report, name):
    return next(row for row in report["rows"] if row["condition"] == name)


def against(report, name, base):
    return next(one for one in report["against"] if (one["condition"], one["against"]) == (name, base))


def test_the_planted_detector_reads_what_is_painted(layouts):
    for one in layouts:
        things = list(zip(one.phrases, one.boxes, strict=True))
        found = find(Planted(), painted(things)[None])[0]
        assert {(each.colour, each.kind) for each in found} == set(zip(one.colours, one.kinds, strict=True))
        verdict = judging.verdict(found, judging.wanted(one))
        assert all(thing.hit_50 and thing.centre and thing.inside > 0.9 for thing in verdict.things)


# --- every number ---


def test_a_perfect_generator(report):
    found = row(report, "preset")
    for name in ("f1_50", "f1_30", "precision_50", "recall_50", "centre", "present", "centre_present"):
        assert (found[name], found[f"{name}_low"], found[f"{name}_high"]) == (1, 1, 1), name
    assert 0.93 < found["inside"] <= 1  # boxes are painted in whole pixels
    assert (found["pictures"], found["things"]) == (12, 24)


def test_half_of_the_pictures_without_a_guide(report):
    """Hits 12 of 24 wanted, with 12 found: F1 is 2/3 whatever layouts are drawn, and so is its ratio."""
    found = row(report, "unguided")
    assert (found["precision_50"], found["recall_50"], found["f1_50"]) == (1, 0.5, 0.6667)
    assert (found["centre"], found["centre_present"]) == (0.5, 1)
    one = against(report, "preset", "unguided")
    assert one["ratios"]["f1_50"] == {"ratio": 1.5, "ratio_low": 1.5, "ratio_high": 1.5}
    assert one["differences"]["centre"] == {"difference": 0.5, "difference_low": 0.5, "difference_high": 0.5}
    assert against(report, "legacy", "unguided")["ratios"]["f1_50"]["ratio"] == 0


def test_things_that_fill_less_than_half_of_their_box(report):
    found = row(report, "itsm")
    for name in ("f1", "precision", "recall"):
        assert (found[f"{name}_50"], found[f"{name}_30"]) == (0, 1)
    assert (found["centre"], found["present"]) == (1, 1)
    assert found["inside"] > 0.9


def test_paired_differences_between_conditions(report):
    """Whole views alone bring 1, 1/2, 1/3 of the things of layouts of 1, 2, 3: 12 of 24 pictures' things."""
    assert row(report, "whole")["centre"] == 0.5
    assert row(report, "masked")["centre"] == 1
    one = against(report, "paper_a", "whole")["differences"]["centre"]
    assert one["difference"] == 0.5
    assert one["difference_low"] < 0.5 < one["difference_high"]
    same = against(report, "paper_a", "masked")["differences"]["centre"]
    assert set(same.values()) == {0}


def test_by_the_number_of_boxes(report):
    found = {
        (one["condition"], one["boxes"]): (one["pictures"], one["recall_50"], one["f1_50"])
        for one in report["by_things"]
    }
    assert found["whole", 1] == (4, 1, 1)
    assert found["whole", 2] == (4, 0.5, 0.6667)
    assert found["whole", 3] == (4, 0.3333, 0.5)


def corners_iou(a, b):
    width, height = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    shared = max(width, 0) * max(height, 0)
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return shared / (sum(areas) - shared)


def test_the_control_is_the_preset_held_against_other_boxes(report, layouts):
    pairs = [
        (box, other)
        for one, two in zip(layouts, exchanged(layouts), strict=True)
        for box, other in zip(one.boxes, two.boxes, strict=True)
    ]
    hits = [corners_iou(*pair) >= 0.3 for pair in pairs]
    middles = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, other) for box, other in pairs]
    inside = [a <= x <= c and b <= y <= d for x, y, (a, b, c, d) in middles]
    found = row(report, "control")
    assert found["f1_30"] == pytest.approx(np.mean(hits), abs=1e-4)
    assert found["centre"] == pytest.approx(np.mean(inside), abs=1e-4)
    assert found["centre"] < 0.5
    assert found["present"] == 1
    assert "control" not in [one["condition"] for one in report["guiding_clip"]]


def test_mirrored_boxes(report, layouts):
    middles = [(box[0] + box[2]) / 2 for one in layouts for box in one.boxes]
    cases = 2 * sum(abs(middle - 0.5) >= 0.15 for middle in middles)
    found = report["mirrored"]
    assert found["cases"] == found["both"] == cases > 0
    assert found["changed"] == found["followed"] == found["changed_present"] == 1
    assert row(report, "mirrored")["f1_50"] == 1


def test_a_generator_that_does_not_care_for_boxes(clips, layouts, every_other):
    """It paints every layout's own things in their own boxes, mirrored or not."""
    known = {frozenset(one.phrases): list(zip(one.phrases, one.boxes, strict=True)) for one in layouts}
    stubborn = Painter(every_other, lambda settings, things: known[frozenset(name for name, _ in things)])
    found = report_of(clips, stubborn, replace(PLAN, conditions=("mirrored",)))
    assert (found["mirrored"]["changed"], found["mirrored"]["followed"]) == (0, 0)
    assert [one["condition"] for one in found["rows"]] == ["preset", "mirrored"]
    assert row(found, "mirrored")["centre"] < row(found, "preset")["centre"] == 1
    assert "unguided" not in as_text(found).replace("painter", "")


def test_small_boxes_apart(report, layouts):
    """Of the 4x4 grid of the tiny model: smaller than half of the picture's height or width."""
    small = [box[2] - box[0] < 0.5 or box[3] - box[1] < 0.5 for one in layouts for box in one.boxes]
    found = {(one["condition"], one["boxes"]): one for one in report["by_size"]}
    assert found["preset", "small"]["things"] == 2 * sum(small)
    assert found.get(("preset", "large"), {"things": 0})["things"] == 2 * (len(small) - sum(small))
    assert found["preset", "small"]["recall_50"] == 1
    assert ("control", "small") not in found


def test_real_pictures_and_distances_from_them(clips, every_other, monkeypatch):
    """Real pictures that are painted too: the preset's are the same, and the unguided ones are not."""

    def picture(self, pixels, take=0):
        values = painted(zip(self.phrases, self.boxes, strict=True))
        return Image.fromarray((values * 255).round().byte().permute(1, 2, 0).numpy())

    monkeypatch.setattr(DrawnLayout, "picture", picture)
    plan = replace(PLAN, real=True, conditions=("unguided", "preset"))
    found = report_of(clips, Painter(every_other), plan)
    for name in ("real", "preset"):
        assert row(found, name)["f1_50"] == 1
        assert row(found, name)["frechet"] == pytest.approx(0, abs=1e-4)
        assert row(found, name)["frechet_high"] == pytest.approx(0, abs=1e-4)
    assert row(found, "unguided")["frechet"] > 0.01 < found["frechet_of_other_layouts"]
    assert row(found, "unguided")["frechet_ratio"] == 1
    assert row(found, "preset")["frechet_ratio"] == pytest.approx(0, abs=1e-3)
    assert found["left_out"] == ["reconstructed: painter has no autoencoder"]
    assert found["dimensions"] == 1


def test_gates(report):
    found = {gate["gate"]: gate["met"] for gate in report["gates"]}
    assert found["centre in box, preset"] is True
    assert found["F1, preset / unguided"] is False  # 1.5
    assert found["F1, preset / unguided: lower end"] is True
    assert found["single things, unguided: kind and colour right"] is True
    assert found["things that change sides with mirrored boxes"] is True
    assert found["centre in box, paper A - whole views: lower end"] is True
    text = as_text(report)
    assert "Gate: F1, preset / unguided: 1.50 (at least 2.5): MISSED" in text
    assert "which guided and so is no evidence" in text
    assert "F1 × 1.50 (1.50 to 1.50)" in text


# --- what the CLIP models say ---


def test_the_witness_says_what_explain_says(clips, tmp_path):
    drawn = sample_layouts("validation", 3)
    clip = clips["resnet"]
    images = torch.stack(
        [sources.real(drawn, (64, 64), sources.Places(0, 1)).make(n, n + 1)[0][0] for n in range(3)]
    )
    witness = Witness(clip, [phrase for one in drawn for phrase in one.phrases])
    assert witness.method.name == "eclip"
    rows = witness.look(images, [as_layout(one) for one in drawn])
    for one, image, found in zip(drawn, images, rows, strict=True):
        Image.fromarray((image * 255).round().byte().permute(1, 2, 0).numpy()).save(tmp_path / "one.png")
        told = explain_image(clip, read_image(tmp_path / "one.png"), one.phrases, "eclip")
        for (cosine, x, y), expected in zip(found, told, strict=True):
            assert cosine == pytest.approx(expected.score, abs=1e-5)
            assert (x, y) == pytest.approx(peak(expected.heatmap, clip.size))


def test_the_peak_of_a_map():
    values = np.zeros((4, 4), np.float32)
    values[1, 3] = 2
    x, y = peak(values, (64, 64))
    assert (x, y) == pytest.approx((0.875, 0.375), abs=0.01)
    assert peak(np.ones((4, 4), np.float32), (64, 64)) == (-1, -1)


@pytest.mark.parametrize(("place", "hit"), [((0.2, 0.3), 1), ((0.2, 0.7), 0), ((-1.0, -1.0), 0)])
def test_pointing_is_a_peak_in_the_box(place, hit):
    thing = judging.ThingVerdict(True, True, True, True, 1.0, -1)
    record = {"witness": [[0.25, *place]], "own": [[0.5, 0.75, 1.0]]}
    drawn = [SimpleNamespace(boxes=[(0.1, 0.1, 0.5, 0.5)])]
    sums = tallies.tally([record], [judging.Verdict(3, (thing,))], drawn, sources.Places(0, 1))
    assert (sums["pointing"][0], sums["similarity"][0], sums["found"][0]) == (hit, 0.25, 3)
    assert [sums[f"own_{name}"][0] for name in ("similarity", "inside", "share")] == [0.5, 0.75, 1.0]


# --- intervals ---


def test_a_mean_has_the_interval_of_explain():
    values = np.random.default_rng(1).random(17)
    columns = {"a": values, "one": np.ones(17)}
    found = bootstrap.spreads(columns, {"a": (("a",), ("one",))}, bootstrap.resampled(17))
    assert [found["a"], found["a_low"], found["a_high"]] == pytest.approx(interval(values), abs=1e-4)


def test_ratios_are_paired_and_of_sums():
    rng = np.random.default_rng(2)
    ours, theirs = ({"h": rng.integers(0, 4, 9), "n": rng.integers(1, 5, 9)} for _ in range(2))
    draws = np.random.default_rng(0).integers(0, 9, (2000, 9))
    slow = []
    for chosen in draws:
        one, two = (sum(each["h"][chosen]) / sum(each["n"][chosen]) for each in (ours, theirs))
        slow.append(one / two)
    found = bootstrap.ratio(ours, theirs, (("h",), ("n",)), bootstrap.resampled(9))
    expected = sum(ours["h"]) / sum(ours["n"]) / (sum(theirs["h"]) / sum(theirs["n"]))
    assert found["ratio"] == pytest.approx(expected, abs=1e-4)
    assert [found["ratio_low"], found["ratio_high"]] == pytest.approx(
        np.percentile(slow, [2.5, 97.5]), abs=1e-4
    )


def test_nothing_to_divide_by():
    quotient = (("h",), ("n",))
    ours, none = {"h": np.ones(4), "n": np.ones(4)}, {"h": np.zeros(4), "n": np.ones(4)}
    weights = bootstrap.resampled(4)
    assert bootstrap.ratio(ours, none, quotient, weights) == dict.fromkeys(
        ("ratio", "ratio_low", "ratio_high")
    )
    seldom = {"h": np.array([0, 0, 0, 1.0]), "n": np.ones(4)}
    found = bootstrap.ratio(ours, seldom, quotient, weights)
    assert found["ratio"] == 4
    assert found["ratio_high"] is None  # often none of the hits is drawn
    empty = {"h": np.zeros(4), "n": np.zeros(4)}
    assert bootstrap.spreads(empty, {"a": quotient}, weights)["a"] is None


# --- conditions ---


def test_conditions_differ_from_paper_a_in_one_thing(clips):
    found, left_out = conditions.conditions(BEST, clips["toy"])
    assert [one.name for one in found] == list(conditions.NAMES)
    assert not left_out
    by_name = {one.name: one for one in found}
    assert all(one.sampling == BEST.sampling for one in found if one.objective is not None)
    assert by_name["places"].sampling == replace(BEST.sampling, mode="off")
    assert not by_name["unguided"].sampling.weight
    paper = by_name["paper_a"].objective
    assert (paper.views, paper.view_strength) == (BEST.objective.views, BEST.objective.view_strength)
    assert replace(paper, views=16, view_strength=1.0) == PRESETS["diffusion"]["paper"].objective
    assert by_name["unguided"].objective is by_name["places"].objective is None
    assert by_name["masked"].objective == replace(paper, lambda0=0.0)
    assert by_name["whole"].objective == replace(paper, lambda0=0.0, masked_views=False)
    assert by_name["legacy"].objective == replace(paper, legacy_single_view=True)
    assert {by_name[name].objective.heatmap for name in ("itsm", "eclip")} == {"itsm", "eclip"}
    assert by_name["control"].made == by_name["preset"].made != by_name["mirrored"].made


def test_what_a_model_cannot_do_is_left_out_unless_asked_for(clips):
    bare = replace(clips["toy"], eclip=None)
    found, left_out = conditions.conditions(BEST, bare)
    assert "eclip" not in [one.name for one in found]
    assert left_out[0].startswith("eclip: nobody has trained ECLIP")
    with pytest.raises(ValueError, match="no condition 'eclip' here: nobody has"):
        conditions.conditions(BEST, bare, names=["eclip"])
    for preset, scene_alone in ((PRESETS["diffusion"]["paper"], False), (BEST, True)):
        found, left_out = conditions.conditions(preset, clips["toy"], scene_alone)
        assert "places" not in [one.name for one in found]
        assert left_out[0].startswith("places: this ")


def test_a_vqgan_without_guidance_has_the_scene_alone(clips):
    from diffusers import VQModel

    torch.manual_seed(0)
    model = VQModel(block_out_channels=(8,), latent_channels=4, num_vq_embeddings=8, norm_num_groups=4)
    generator = VQGAN("tiny", model, size=(32, 32))
    plan = Plan(layouts=2, seeds=1, conditions=("unguided", "preset"), real=True)
    found = report_of(clips, generator, plan)
    alone = found["conditions"]["unguided"]["objective"]
    assert (alone["scene_weight"], alone["lambda0"], alone["coverage_weight"]) == (1, 0, 0)
    assert not alone["whole_views"]
    assert not alone["masked_views"]
    assert [one["condition"] for one in found["rows"]] == ["real", "reconstructed", "unguided", "preset"]
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        there_and_back = model(images * 2 - 1).sample / 2 + 0.5
    assert torch.allclose(sources.autoencoder(generator)(images), there_and_back.clamp(0, 1), atol=1e-5)


def test_reconstruction_by_a_vae(shelf):
    generator = shelf.model()
    vae = generator.pipe.vae
    vae.register_to_config(scaling_factor=0.3, shift_factor=0.2)
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        there_and_back = vae(images * 2 - 1).sample / 2 + 0.5
    assert torch.allclose(sources.autoencoder(generator)(images), there_and_back.clamp(0, 1), atol=1e-5)


# --- long runs ---

SOME = replace(PLAN, conditions=("unguided", "whole", "control", "mirrored"))
FEW = Plan(layouts=2, seeds=2, conditions=("unguided",))


def without_time(report):
    report = json.loads(json.dumps(report))
    report.pop("seconds")
    for each in report["rows"]:
        each.pop("seconds_per_picture")
    return report


def test_a_resumed_run_is_an_uninterrupted_one(clips, every_other, tmp_path):
    whole = Painter(every_other, only_the_first)
    expected = report_of(clips, whole, SOME)
    assert whole.begun == 4 * 3  # the control has the preset's pictures; 12 pictures are three batches
    with pytest.raises(KeyboardInterrupt):
        report_of(clips, Painter(every_other, only_the_first, fails=6), SOME, folder=tmp_path)
    kept = {path: path.read_bytes() for path in tmp_path.rglob("pictures-*.json")}
    assert len(kept) == 3 + 3 + 2  # of real pictures, unguided ones, and two batches of the third
    said = []
    rest = Painter(every_other, only_the_first)
    found = report_of(
        clips, rest, SOME, folder=tmp_path, progress=lambda what, done, total: said.append((what, done))
    )
    assert rest.begun == 12 - 5
    assert without_time(found) == without_time(expected)
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert said[:4] == [("real pictures", 12), ("unguided (1 of 5)", 12), ("whole (2 of 5)", 10)] + [
        ("whole (2 of 5)", 12)
    ]


@pytest.mark.parametrize(
    "changes", [{"plan": replace(FEW, first=1)}, {"plan": replace(FEW, seeds=1)}, {"preset": "steps"}]
)
def test_a_folder_of_another_run_is_refused(clips, every_other, tmp_path, changes):
    report_of(clips, Painter(every_other), FEW, folder=tmp_path)
    preset = replace(BEST, sampling=replace(BEST.sampling, steps=2)) if "preset" in changes else BEST
    plan = changes.get("plan", FEW)
    with pytest.raises(ValueError, match=r"holds another run: its (first|layouts|seeds|condition)"):
        run(
            Painter(every_other),
            clips["toy"],
            clips["resnet"],
            preset,
            plan,
            folder=tmp_path,
            judge=judging.Judge(Planted()),
        )


# --- the command ---


@pytest.fixture
def command(directories, every_other, monkeypatch, capsys):
    """Runs it with a painter and the planted detector; (exit code, stdout, stderr)."""
    given = {"painter": Painter(every_other, only_the_first)}
    monkeypatch.setattr("guidance.commands.options.open_generator", lambda name, device: given["painter"])
    monkeypatch.setattr(judging, "_loaded", lambda folder, device: Planted())
    models = ["--clip", str(directories["toy"]), "--witness", str(directories["resnet"]), "--device", "cpu"]

    def call(*more, fails=None):
        given["painter"].fails = fails
        code = main(["evaluate", *models, "--steps", "1", "--seeds", "2", *map(str, more)])
        return code, *capsys.readouterr()

    return call


def test_the_command_writes_all_it_finds(command, tmp_path):
    files = {name: tmp_path / name for name in ("report.json", "table.csv", "sheet")}
    code, out, err = command(
        *(
            "--layouts",
            6,
            "--conditions",
            "unguided",
            "control",
            "--json",
            "--json-file",
            files["report.json"],
        ),
        *("--csv", files["table.csv"], "--figures", files["sheet"]),
    )
    assert code == 0, err
    report = json.loads(out)
    assert report == json.loads(files["report.json"].read_text())
    assert (report["preset_steps"], report["sampling"]["steps"]) == (OWN_STEPS, 1)
    lines = files["table.csv"].read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["condition", "unguided", "preset", "control"]
    with Image.open(files["sheet"] / "pictures.png") as sheet:
        assert sheet.width > 4 * 160  # real pictures beside the three
        assert sheet.height > 6 * 160
    assert "unguided (1 of 3): 12 of 12" in err


def test_the_command_prints_a_table(command):
    code, out, _ = command("--layouts", 6, "--conditions", "unguided", "preset")
    assert code == 0
    assert f"1 steps (the preset has {OWN_STEPS}): 6 layouts × 2 seeds of toyland (test)" in out
    assert out.splitlines()[4].split()[:3] == ["unguided", "0.67", "0.67"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--layouts", "0"], "0 layouts say nothing"),
        (["--batch", "65"], "batch is 65; allowed: 1 to 64"),
        (["--seeds", "0"], "seeds is 0"),
        (["--conditions", "paper_b"], "unknown condition 'paper_b'; allowed: unguided, places"),
        (["--layouts", "4"], "only one of 4 layouts has 2 boxes"),
        (["--split", "train"], "no layouts of split 'train'"),
        (["--data", "json"], "'json' is no package that draws layouts"),
        (["--data", "os"], "'os' is no package that draws layouts"),
        (["--preset", "worst"], "unknown preset 'worst'"),
        (["--steps", "0"], "steps is 0"),
        (["--csv", "/nowhere/at/all.csv"], "cannot be written"),
        (["--work", __file__], "is a file"),
        (["--clip", "toy-rn", "--witness", "toy-rn"], "which guides; allowed: another model"),
    ],
)
def test_what_the_command_refuses(command, options, said):
    code, out, err = command(*options)
    assert code == 2
    assert not out
    assert err.startswith("guidance evaluate: ")
    assert said in err
    assert err.count("\n") == 1


def test_no_detector(command, monkeypatch, tmp_path):
    monkeypatch.undo()
    code = main(["evaluate", "--detector", str(tmp_path), "--device", "cpu"])
    assert code == 2


def test_an_interrupted_command_says_how_to_go_on(command, tmp_path):
    work = tmp_path / "work"
    given = ("--layouts", 6, "--conditions", "unguided", "--batch", 4, "--work", work, "--json")
    code, out, err = command(*given, fails=2)
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == f"guidance evaluate: interrupted; the same command goes on from {work}"
    code, out, _ = command(*given)
    assert code == 0
    assert row(json.loads(out), "unguided")["f1_50"] == 0.6667


def test_presets_and_sizes_of_a_run():
    def plan(*given):
        return evaluate._plan(evaluate._parser().parse_args(list(given)))

    assert (plan().layouts, plan().seeds) == (40, 2)
    assert plan("--preset", "paper").layouts == 30
    assert (plan("--full", "--preset", "paper").layouts, plan("--full").seeds) == (120, 4)
    vqgan = object.__new__(VQGAN)
    object.__setattr__(vqgan, "name", "toy-vqgan")
    for given, steps in ((["--preset", "paper"], 200), (["--preset", "paper", "--full"], 1000), ([], 300)):
        preset, whole = evaluate._preset(evaluate._parser().parse_args(given), vqgan)
        assert preset.sampling.steps == steps
        assert whole == PRESETS["vqgan"][preset.name].sampling.steps


def test_worlds_are_packages():
    world = open_world("toyland")
    one = world.layouts.sample_layouts("test", 2)[1]
    layout = as_layout(mirrored(one))
    assert layout.prompt == one.prompt
    assert [target.phrase for target in layout.targets] == list(one.phrases)
