"""The run view's Python side: a template that no value reaches, and nothing heavy behind it."""

import re
import subprocess
import sys
from pathlib import Path

from ui.components.views import RunView

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "${alert(1)} {{value}} <img src=x onerror=alert(1)>"


def test_no_value_reaches_what_gradio_runs():
    view = RunView({"state": "empty", "status": HOSTILE}, render=False)
    config = view.get_config()
    assert config["html_template"] == '<div class="tl-run"></div>'
    for part in ("html_template", "css_template", "js_on_load"):
        assert "alert" not in config[part]
    assert "${" not in config["html_template"] + config["css_template"]
    assert "{{" not in config["html_template"] + config["css_template"]


def test_texts_are_set_as_text():
    script = RunView(render=False).js_on_load
    assert script.startswith("// What the components build their pages from")  # dom.js
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", script)


def test_the_parts_of_the_script_fit_together():
    script = RunView(render=False).js_on_load
    names = re.findall(r"^(?:const|let) (\w+) =", script, flags=re.MULTILINE)
    assert len(names) == len(set(names))


def test_without_a_value_it_waits_for_a_run():
    view = RunView(render=False)
    assert view.get_config()["value"] == {"state": "empty"}
    assert RunView({"state": "stopped"}, render=False).get_config()["value"] == {"state": "stopped"}


def test_api_info_is_the_value():
    assert RunView(render=False).api_info() == {"type": "object"}
    assert RunView(render=False).example_payload() == {"state": "empty"}


def test_the_style_sheet_holds_only_what_gradio_keeps():
    """Gradio drops @container, @layer and @supports, and splits selectors in @media at every comma."""
    style = (ROOT / "ui" / "static" / "run_view.css").read_text(encoding="utf-8")
    rules = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    assert set(re.findall(r"@(\w+)", rules)) <= {"media", "keyframes"}
    for media in re.findall(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)", rules):
        assert not re.search(r"\([^(){}]*,[^(){}]*\)\s*[{,.]", media)


def test_importing_it_brings_no_torch():
    code = "import ui.components.views, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
