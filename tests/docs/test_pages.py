"""README, docs and model cards: what they name exists, what they quote is measured, and their Python runs."""

import io
import json
import re
import runpy
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import pytest

import explain
import guidance
import toyland
from explain.methods import METHODS, WORD_METHODS
from guidance.tuning.prompt_learner import PromptLearner
from guidance.tuning.saved import save_context

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "assets" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
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


def test_the_readme_is_short_and_shows_the_house():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 180
    for init in ROOT.glob("*/__init__.py"):
        assert f"{init.parent.name}/ " in text, init


def test_every_folder_of_the_library_is_named():
    """In the README's tree, and in its package's docstring."""
    tree = (ROOT / "README.md").read_text(encoding="utf-8").split("## How the code is laid out")[1]
    for package in ("explain", "guidance", "toyland", "ui"):
        for init in (ROOT / package).glob("*/__init__.py"):
            folder = f"{init.parent.name}/"
            assert folder in tree, init
            assert folder in (ROOT / package / "__init__.py").read_text(encoding="utf-8"), init
        for init in (ROOT / package).glob("*/*/__init__.py"):
            assert f"{init.parent.name}/" in tree, init


def test_no_folder_is_too_full_to_look_through():
    lists = {"methods": 20, "evaluation": 20, "art": 20}
    for package in ("explain", "guidance", "photographs", "toyland", "training", "ui"):
        for init in (ROOT / package).rglob("__init__.py"):
            modules = [path for path in init.parent.glob("*.py") if not path.name.startswith("__")]
            assert len(modules) <= lists.get(init.parent.name, 12), init.parent


def test_every_method_is_in_its_list():
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    missing = [name for name in (*METHODS, *WORD_METHODS) if f"`{name}`" not in text]
    assert missing == []


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with the files that the pages' Python reads."""
    folder = tmp_path_factory.mktemp("desk")
    toyland.draw_scene(toyland.sample_scene(3), 200).save(folder / "photo.jpg")
    toyland.draw_scene(toyland.sample_scene(4), 128).save(folder / "out.png")
    learner = PromptLearner(explain.load("toy-vit", device="cpu"), ["cat", "car"])
    save_context(folder / "prompt.safetensors", learner)
    return folder


def blocks(language: str) -> list[tuple[str, str]]:
    """Page and text of every block of code in README and docs."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        (str(page.relative_to(ROOT)), text)
        for page in pages
        for text in re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    ]


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_its_python_runs(page, code, desk, monkeypatch):
    monkeypatch.chdir(desk)
    exec(compile(code, page, "exec"), {})


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_its_python_uses_the_faces_of_the_packages(page, code):
    assert not re.findall(r"(?:from|import) (?:explain|guidance|toyland)\.", code)


@pytest.mark.parametrize("package", [explain, guidance, toyland])
def test_all_that_a_package_offers_is_there(package):
    assert [name for name in package.__all__ if not hasattr(package, name)] == []


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")  # other tests import what is run here
@pytest.mark.parametrize(("page", "code"), blocks("bash"))
def test_its_commands_take_what_they_are_given(page, code):
    """Every command is known, and every option that is named is one of its."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if "-m" not in words:
            continue
        module, *rest = words[words.index("-m") + 1 :]
        command = [word for word in rest[:2] if re.fullmatch("[a-z-]+", word)]
        help_text = help_of(module, tuple(command))
        missing = [word for word in rest if re.match("--?[a-z]", word) and word not in help_text]
        assert not missing, line


@cache
def help_of(module: str, command: tuple[str, ...]) -> str:
    """Reads what `python -m module command --help` prints, of the longest part of the command that it knows."""
    printed = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(printed),
        redirect_stderr(io.StringIO()),
    ):
        patch.setattr(sys, "argv", [module, *command, "--help"])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(module, run_name="__main__")
    if ended.value.code:
        assert command, f"python -m {module} has no help"
        return help_of(module, command[:-1])
    return printed.getvalue()


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
def test_the_results_quote_the_methods(name):
    """The table of measures is that of methods.json, and ECLIP is better than the similarity map."""
    report = json.loads((ROOT / "assets" / "models" / name / "methods.json").read_text())
    assert (report["model"], report["split"]) == (name, "test")
    assert report["pictures"] >= 1000
    text = (ROOT / "docs" / "results" / "which-method.md").read_text(encoding="utf-8")
    for row in report["rows"]:
        quoted = " | ".join(f"{row[key]:.1f}" for key in ("msc", "miou", "pointing"))
        assert re.search(rf"\| `?{row['method']}`? \|.*{re.escape(quoted)}", text), row["method"]
    assert report["against_itsm"]["eclip"]["low"] > 0


def test_the_results_on_photographs_quote_the_methods():
    report = json.loads((ROOT / "assets" / "models" / "photo" / "methods.json").read_text())
    assert (report["model"], report["data"], report["split"], report["pictures"]) == (
        "photo",
        "photographs",
        "test",
        166,
    )
    text = (ROOT / "docs" / "results" / "photographs.md").read_text(encoding="utf-8")
    for row in report["rows"]:
        quoted = " | ".join(f"{row[key]:.1f}" for key in ("msc", "miou", "pointing"))
        assert f"| {quoted} |" in text, row["method"]
    for name in ("eclip", "itsm_reversed"):
        found = {key: f"{value:+.1f}" for key, value in report["against_itsm"][name].items()}
        assert f"{found['difference']} points of IoU ({found['low']} to {found['high']})" in " ".join(
            text.split()
        )


def test_front_matter_names_the_tested_gradio_and_a_short_description():
    front = (ROOT / "README.md").read_text(encoding="utf-8").split("---")[1]
    assert "sdk: gradio" in front
    assert "app_file: app.py" in front
    assert len(re.search(r"short_description: (.*)", front)[1]) <= 60


def test_assets_are_small():
    files = [path for path in (ROOT / "assets").rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in files) < 10_000_000
    assert sum(path.stat().st_size for path in files) < 48_000_000


def test_docstrings_begin_with_what_a_thing_does():
    opening = re.compile(r'"""(What |The same|Of |Who )')
    packages = ("explain", "guidance", "photographs", "toyland", "training", "ui", "benchmarks")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()[:60]}"
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if opening.search(line)
    ]
    assert found == []
