"""What the README and the model cards say exists, exists."""

import json
import re
from pathlib import Path

import pytest

from explain.methods import METHODS, WORD_METHODS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "assets" / "README.md",
    *sorted((ROOT / "assets" / "models").glob("*/README.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("http")]
    assert [link for link in links if link[0] != "#" and not (page.parent / link).exists()] == []
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {"#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert {link for link in links if link[0] == "#"} <= anchors
    assert "@@" not in text


def test_every_file_of_the_library_is_in_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for package in ("explain", "guidance", "photographs", "toyland", "training", "ui"):
        for path in sorted((ROOT / package).glob("*.py")):
            if not path.name.startswith("__"):
                assert f"`{path.name}`" in text, path


def test_every_method_is_in_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [name for name in (*METHODS, *WORD_METHODS) if f"`{name}`" not in text]
    assert missing == []


@pytest.mark.parametrize("name", ["toy-vit", "toy-rn"])
def test_cards_quote_the_evaluation(name):
    folder = ROOT / "assets" / "models" / name
    figures = json.loads((folder / "evaluation.json").read_text())
    assert (figures["model"], figures["split"]) == (name, "test")
    assert figures["scenes"] >= 2000
    card = (folder / "README.md").read_text(encoding="utf-8")
    for key, value in figures.items():
        if isinstance(value, float):
            assert re.search(rf"`{key}` \|.*\| {value:.3f} \|", card), key


def test_the_card_of_photo_quotes_its_evaluation():
    folder = ROOT / "assets" / "models" / "photo"
    figures = json.loads((folder / "evaluation.json").read_text())
    assert figures["model"] == "photo"
    card = (folder / "README.md").read_text(encoding="utf-8")
    for key in ("recall_at_1", "recall_at_5", "presence", "largest"):
        assert f"{figures[key]:.3f}" in card, key
    rows = {row["method"]: row for row in figures["maps"]}
    for key in ("msc", "pointing", "msc_person", "pointing_person"):
        assert f"{rows['itsm'][key]:.3f}" in card, key
    for key in ("msc_over_dot", "pointing_over_dot"):
        assert rows["itsm"][key][1] > 0  # better than a dot in the centre, beyond doubt
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 16_000_000


def test_the_detectors_card_quotes_its_evaluation():
    folder = ROOT / "assets" / "models" / "toy-detector"
    figures = json.loads((folder / "evaluation.json").read_text())
    assert (figures["split"], figures["scenes"]) == ("test", 1000)
    card = (folder / "README.md").read_text(encoding="utf-8")
    for name in ("precision", "recall", "f1"):
        values = [f"{figures[f'{name}_{overlap}']:.3f}" for overlap in (50, 75)]
        assert f"| {name.capitalize()} | {values[0]} | {values[1]} |".lower() in card.lower(), name
    assert figures["f1_50"] >= 0.9


def test_the_vqgans_card_quotes_its_evaluation():
    folder = ROOT / "assets" / "models" / "toy-vqgan"
    figures = json.loads((folder / "evaluation.json").read_text())
    assert (figures["split"], figures["scenes"]) == ("test", 1000)
    card = (folder / "README.md").read_text(encoding="utf-8")
    for name in ("precision", "recall", "f1"):
        for overlap in (50, 75):
            assert f"| {figures[f'{name}_{overlap}']:.3f} |" in card, name
    assert f"{figures['pixel_error']:.2f} of 255" in card
    assert figures["f1_50"] >= 0.75


def test_the_diffusions_card_quotes_its_evaluation():
    folder = ROOT / "assets" / "models" / "toy-sd"
    figures = json.loads((folder / "evaluation.json").read_text())
    assert (figures["split"], figures["layouts"]) == ("test", 300)
    card = (folder / "README.md").read_text(encoding="utf-8")
    for count in (1, 2, 3):
        quoted = f"| {count} | {figures[f'right_of_{count}']:.2f} | {figures[f'all_right_of_{count}']:.2f} |"
        assert quoted in card, count


@pytest.mark.parametrize("name", ["toy-vit", "toy-rn"])
def test_the_readme_quotes_the_methods(name):
    """The table of measures is that of methods.json, and ECLIP is better than the similarity map."""
    report = json.loads((ROOT / "assets" / "models" / name / "methods.json").read_text())
    assert (report["model"], report["split"]) == (name, "test")
    assert report["pictures"] >= 1000
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for row in report["rows"]:
        quoted = " | ".join(f"{row[key]:.1f}" for key in ("msc", "miou", "pointing"))
        assert re.search(rf"\| `?{row['method']}`? \|.*{re.escape(quoted)}", text), row["method"]
    assert report["against_itsm"]["eclip"]["low"] > 0


def test_front_matter_names_the_tested_gradio_and_a_short_description():
    front = (ROOT / "README.md").read_text(encoding="utf-8").split("---")[1]
    assert "sdk: gradio" in front
    assert "app_file: app.py" in front
    assert len(re.search(r"short_description: (.*)", front)[1]) <= 60


def test_assets_are_small():
    files = [path for path in (ROOT / "assets").rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in files) < 10_000_000
    assert sum(path.stat().st_size for path in files) < 48_000_000
