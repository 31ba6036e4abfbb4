"""Where models live. ZeroGPU is played by a `spaces` that pickles what goes in and out, and lends in a forked call."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ui import device

ROOT = Path(__file__).resolve().parents[1]
FAKE_SPACES = """
import pickle, sys

assert "torch" not in sys.modules, "spaces must be imported before torch"
calls = []

def GPU(duration):
    def wrap(function):
        def lent(*arguments):
            calls.append(duration(*arguments))
            arguments = pickle.loads(pickle.dumps(arguments))
            return pickle.loads(pickle.dumps(function(*arguments)))
        return lent
    return wrap

def gradio_auto_wrap(function):
    return function
"""
ON_ZERO_GPU = """
from ui import device
import spaces, explain
from PIL import Image

loaded = []
load = explain.load
explain.load = lambda name, device, progress=None: loaded.append((name, device)) or load(name, "cpu", progress)
device.start("toy-vit")
assert ("toy-vit", "cuda") in loaded, loaded
found = device.explain_picture("toy-vit", Image.new("RGB", (90, 60), "red"), ["a cat", "a dog"], ["itsm"], print)
assert [e.prompt for e in found["itsm"]] == ["a cat", "a dog"]
assert spaces.calls and all(0 < seconds <= 60 for seconds in spaces.calls), spaces.calls
print("lent", spaces.calls)
"""


def run_python(code: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "spaces.py").write_text(FAKE_SPACES, encoding="utf-8")
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | {"PYTHONPATH": path} | environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_zero_gpu_lends_and_everything_is_pickled(tmp_path):
    done = run_python(ON_ZERO_GPU, tmp_path, SPACES_ZERO_GPU="true")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("lent [")


def test_elsewhere_spaces_is_not_asked(tmp_path):
    code = "import ui.device, sys; print('spaces' in sys.modules, 'torch' in sys.modules)"
    assert run_python(code, tmp_path, SPACES_ZERO_GPU="").stdout.split() == ["False", "False"]


def test_the_app_imports_no_torch(tmp_path):
    code = "import app, sys; print('torch' in sys.modules, 'explain' in sys.modules)"
    done = run_python(code, tmp_path)
    assert done.stdout.split()[-2:] == ["False", "False"], done.stderr


def test_the_environment_chooses_model_and_device(tmp_path):
    code = "from ui import device; print(device.DEFAULT_MODEL, device.DEVICE)"
    done = run_python(code, tmp_path, TOKENLIGHT_MODEL="toy-rn", TOKENLIGHT_DEVICE="cpu")
    assert done.stdout.split() == ["toy-rn", "cpu"]


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 3 GiB")]
)
def test_out_of_memory_is_told(error):
    with (
        pytest.raises(ValueError, match="not enough memory for toy-vit"),
        device._memory_in_plain_words("toy-vit"),
    ):
        raise error


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="a bug"), device._memory_in_plain_words("toy-vit"):
        raise RuntimeError("a bug")


def test_the_gpu_is_lent_briefly():
    assert device._seconds("toy-vit", None, ["a"], ["itsm"]) < 10
    assert device._seconds("toy-vit", None, ["a"] * 100, ["itsm", "relevance"]) == 60
