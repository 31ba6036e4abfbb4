"""python -m explain: figures, JSON, and one line on stderr with exit code 2 for anything wrong."""

import json
import subprocess
import sys

import pytest
from PIL import Image

import explain
from explain.__main__ import main


@pytest.fixture
def photo(picture, tmp_path):
    path = tmp_path / "photo.png"
    picture.save(path)
    return str(path)


def test_json_and_figure(photo, directories, tmp_path, capsys):
    out = tmp_path / "out.png"
    arguments = [photo, "a red cat", "the sky", "--method", "relevance", "--model", str(directories["toy"])]
    assert main([*arguments, "--device", "cpu", "-o", str(out), "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert captured.err == ""
    assert [e["prompt"] for e in found] == ["a red cat", "the sky"]
    assert set(found[0]) == {
        "model",
        "method",
        "prompt",
        "score",
        "probability",
        "heatmap",
        "tokens",
        "notes",
    }
    assert len(found[0]["heatmap"]) == 4
    with Image.open(out) as image:
        assert image.width > 1000


def test_plain_output(photo, directories, capsys):
    assert main([photo, "a red unicorn", "--model", str(directories["toy"]), "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("a red unicorn: cosine ")
    assert "unicorn" in lines[0].split("words: ")[1]
    assert lines[1] == "  note: never seen in training: 'unicorn'"


def test_a_model_is_named_as_load_takes_it(photo, directories, monkeypatch):
    """One place decides what is a name and what a directory."""
    asked = []
    monkeypatch.setattr("explain.__main__.load", lambda model, *rest, **named: asked.append(model) or 1 / 0)
    for model in ("toy-vit", str(directories["toy"])):
        with pytest.raises(ZeroDivisionError):
            main([photo, "sky", "--model", model])
        assert asked.pop() is model


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"picture": "missing.png"}, "there is no file 'missing.png'"),
        ({"prompt": " "}, "prompt 1 is empty"),
        ({"--method": "cam"}, "unknown method 'cam'; allowed: itsm"),
        ({"--model": "nothing"}, "unknown model 'nothing'; allowed: toy-vit"),
        ({"--device": "gpu"}, "unknown device 'gpu'; allowed: auto"),
        ({"--colormap": "jet", "-o": "x.png"}, "unknown colour map 'jet'; allowed: viridis"),
        ({"-o": "no/such/folder/x.png"}, "No such file or directory"),
        ({"-o": "x.docx"}, "Format 'docx' is not supported"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    photo, directories, change, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    options = {"--model": str(directories["vit"]), "--device": "cpu", **change}
    positional = [options.pop("picture", photo), options.pop("prompt", "sky")]
    assert main(positional + [part for pair in options.items() for part in pair]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("explain: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_as_a_module(photo, directories):
    """A real process, warnings as errors."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "explain",
        photo,
        "sky",
        "--model",
        str(directories["toy"]),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "cosine" in run.stdout
    assert run.stderr == ""


def test_six_lines_of_library_use(photo, directories, tmp_path, monkeypatch):
    """The example in the package's docstring runs as it stands, with another model's directory."""
    monkeypatch.chdir(tmp_path)
    lines = [line[4:] for line in explain.__doc__.splitlines() if line.startswith("    ")]
    code = "\n".join(lines).replace('"toy-vit"', repr(str(directories["toy"]))).replace("photo.jpg", photo)
    exec(compile(code, "example", "exec"), {})
    assert (tmp_path / "a red car.png").is_file()
    assert len([line for line in lines if line.strip()]) == 6
