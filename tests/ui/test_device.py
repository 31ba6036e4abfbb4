"""Where models live. ZeroGPU is played by a `spaces` that lends in a forked process and pickles what passes."""

import asyncio
import os
import socket
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

import app
import explain
from explain.clip import catalogue, weights
from ui.models import clip_jobs, device, downloads

ROOT = Path(__file__).resolve().parents[2]
FAKE_SPACES = """
import inspect, multiprocessing, pickle, sys

END = "no more steps"

assert "torch" not in sys.modules, "spaces must be imported before torch"
calls = []

def worker(function, arguments, answer):
    try:
        found = function(*pickle.loads(arguments))
        if inspect.isgeneratorfunction(function):
            for step in found:
                answer.send_bytes(pickle.dumps((True, step)))
            found = END
        answer.send_bytes(pickle.dumps((True, found)))
    except Exception as error:
        answer.send_bytes(pickle.dumps((False, error)))

def steps(function, duration, arguments):
    calls.append(duration(*arguments))
    fork = multiprocessing.get_context("fork")
    received, answer = fork.Pipe(duplex=False)
    process = fork.Process(target=worker, args=(function, pickle.dumps(arguments), answer))
    process.start()
    answer.close()
    while True:
        assert received.poll(120), "the worker hangs"
        good, found = pickle.loads(received.recv_bytes())
        if not good:
            raise found
        if found == END:
            return process.join()
        yield found
        if not inspect.isgeneratorfunction(function):
            return process.join()

def GPU(duration):
    def wrap(function):
        if inspect.isgeneratorfunction(function):
            return lambda *arguments: steps(function, duration, arguments)
        return lambda *arguments: list(steps(function, duration, arguments))[0]
    return wrap

def gradio_auto_wrap(function):
    return function
"""
ON_ZERO_GPU = """
from ui.models import clip_jobs as answers, device
import os, spaces, explain, torch
from explain import encodings
from explain.clip import loading, weights
from PIL import Image

torch.set_num_threads(1)  # threads of the parent do not live on in a fork
hub, loaded, encoded, downloaded = "ViT-B-16-openai", [], [], []
load, encode = explain.load, encodings.encode

def load_here(name, device):
    loaded.append((name, device))
    return load("toy-vit" if name == hub else name, "cpu")

explain.load = load_here
weights.cached = lambda repository, name: name if name in downloaded else None
weights.fetch = lambda repository, name, progress=None: downloaded.append(name)
explain.available = lambda entry: None
device.start("toy-vit")
assert ("toy-vit", "cuda") in loaded, loaded

def kept():
    return list(loaded), list(loading._loaded), list(downloaded)

before, image = kept(), Image.new("RGB", (90, 60), "red")
found = answers.explain_picture("toy-vit", image, ["a cat", "a dog"], ["itsm"])
assert [e.prompt for e in found["itsm"]] == ["a cat", "a dog"]
try:
    answers.explain_picture("toy-vit", image, ["a cat"], ["nonsense"])
    raise SystemExit("an error of the worker was lost")
except ValueError as error:
    assert "unknown method 'nonsense'" in str(error), error
try:
    answers.explain_picture(hub, image, ["a cat"], ["itsm"])
    raise SystemExit("a model was to be downloaded while the GPU was lent")
except explain.ModelUnavailable as error:
    assert "not on this machine yet" in str(error), error
assert kept() == before, "what a worker keeps does not come back"
assert len(spaces.calls) == 2, spaces.calls

before = kept()
streamed = list(answers.compare("toy-vit", image, "a cat", ["itsm", "rollout"], True))
assert [name for name, *_ in streamed] == ["depth", "itsm", "rollout"], streamed
assert kept() == before and len(spaces.calls) == 3

phrased = answers.explain_phrasings("toy-vit", image, ["cat", "boat"], ["a {}", "the {}"])
assert phrased.labels == ("cat", "boat") and len(phrased.decisions) == 2, phrased
assert kept() == before and 0 < spaces.calls.pop() <= 60

files = {colour: [f"{colour}{number}.png" for number in range(2)] for colour in ("red", "blue")}
for colour, each in files.items():
    for number, file in enumerate(each):
        Image.new("RGB", (60 + number, 40), colour).save(file)
steps = list(answers.learn("toy-vit", files, 1, 1.0, 2, 0))
assert steps[-1].reading and kept() == before and 0 < spaces.calls.pop() <= 120

device.fetch(hub)
assert downloaded, "models are downloaded in this process"
before = kept()
assert answers.explain_picture(hub, image, ["a cat"], ["itsm"])["itsm"][0].prompt == "a cat"
assert kept() == before
assert 0 < spaces.calls[0] < spaces.calls[3] <= 60, spaces.calls
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
    code = "import ui.models.device, sys; print('spaces' in sys.modules, 'torch' in sys.modules)"
    assert run_python(code, tmp_path, SPACES_ZERO_GPU="").stdout.split() == ["False", "False"]


def test_the_app_imports_no_torch(tmp_path):
    code = """
        import app, sys
        from ui.components import choices
        app.device.start = app.serve = lambda *arguments: None
        assert app.main([]) == 0
        print(sorted({"torch", "open_clip"} & set(sys.modules)))
    """
    done = run_python(code, tmp_path)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


def test_the_environment_chooses_model_and_device(tmp_path):
    code = "from ui.models import device; print(device.DEFAULT_MODEL, device.DEVICE)"
    done = run_python(code, tmp_path, TOKENLIGHT_MODEL="toy-rn", TOKENLIGHT_DEVICE="cpu")
    assert done.stdout.split() == ["toy-rn", "cpu"]
    done = run_python(code, tmp_path, TOKENLIGHT_MODEL="", TOKENLIGHT_DEVICE=" ")
    assert done.stdout.split() == ["automatic", "auto"]


@pytest.fixture
def hub(monkeypatch):
    """A hub that can be reached and has every file; returns what was downloaded. Nothing is on this machine."""
    downloaded = []

    def fetch(repository, name, progress=None):
        if progress is not None:
            progress(0.5, f"downloading {repository}")
        downloaded.append(name)

    monkeypatch.setattr(weights, "cached", lambda repository, name: name if name in downloaded else None)
    monkeypatch.setattr(weights, "fetch", fetch)
    monkeypatch.setattr(explain, "available", lambda entry: None)
    return downloaded


def test_files_are_fetched_once_and_only_those_that_are_missing(hub):
    hub.append("tokenizer.json")
    told = []
    device.fetch("ViT-B-16-SigLIP", lambda done, what: told.append(what))
    wanted = explain.CATALOGUE["ViT-B-16-SigLIP"].files
    assert sorted(hub) == sorted(wanted)
    assert len(told) == len(wanted) - 1
    device.fetch("ViT-B-16-SigLIP")
    assert len(hub) == len(wanted)


def test_a_built_in_model_is_not_fetched(hub):
    device.fetch("toy-vit")
    assert hub == []


def test_a_question_never_waits_for_a_download(hub):
    with pytest.raises(ValueError, match="not on this machine yet: choose it on the page"):
        clip_jobs.explain_picture("ViT-B-16-openai", Image.new("RGB", (9, 9)), ["a cat"], ["itsm"])
    assert hub == []


def test_unknown_models_are_not_fetched(hub):
    for name in ("typo", "../../etc", "https://huggingface.co/openai/clip"):
        with pytest.raises(ValueError, match="unknown model"):
            device.fetch(name)
    assert hub == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "/home/secret/hub"), "No space left on device"),
        (ConnectionError("/home/secret: reset"), "ConnectionError"),
        (explain.ModelUnavailable("wrong checksum"), "wrong checksum"),
    ],
)
def test_a_failed_download_is_told_without_our_folders(hub, monkeypatch, error, said):
    def fail(repository, name, progress=None):
        raise error

    monkeypatch.setattr(weights, "fetch", fail)
    with pytest.raises(explain.ModelUnavailable, match=said) as told:
        device.fetch("ViT-B-16-openai")
    assert "secret" not in str(told.value)


def test_a_model_out_of_reach_is_told(hub, monkeypatch):
    monkeypatch.setattr(explain, "available", catalogue.offline_message)
    with pytest.raises(explain.ModelUnavailable, match="need no download: toy-vit"):
        device.fetch("ViT-B-16-openai")


def wait_together(model: str, count: int, everybody: threading.Event) -> tuple[list[object], set[str]]:
    """What each visitor got, and what they were told meanwhile; in a thread, for a loop of its own. `everybody`: set
    when each has been told something.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _wait_together(model, count, everybody)).result()


async def _wait_together(model: str, count: int, everybody: threading.Event) -> tuple[list[object], set[str]]:
    told: list[set[str]] = [set() for _ in range(count)]

    def tell(number: int, done: float, what: str) -> None:
        told[number].add(f"{what} {done:.0%}")
        if all(told):
            everybody.set()

    waiting = (downloads.wait_for(model, partial(tell, number)) for number in range(count))
    return await asyncio.gather(*waiting, return_exceptions=True), set().union(*told)


def test_visitors_who_want_the_same_model_wait_for_one_download(monkeypatch):
    """More of them than a server has threads; the download goes on until they have all been told of it."""
    fetched, everybody = [], threading.Event()

    def fetch(model, progress):
        fetched.append(model)
        progress(0.4, "downloading")
        assert everybody.wait(600)

    monkeypatch.setattr(device, "fetch", fetch)
    clip_jobs, told = wait_together("ViT-B-16-openai", 300, everybody)
    assert clip_jobs == [None] * 300
    assert fetched == ["ViT-B-16-openai"]
    assert told == {"downloading 40%"}
    assert downloads._running == {}


def test_everybody_who_waits_is_told_of_a_failure_and_the_next_one_tries_again():
    for _ in range(2):
        clip_jobs, told = wait_together("typo", 3, threading.Event())
        assert all(isinstance(answer, ValueError) and "unknown model" in str(answer) for answer in clip_jobs)
        assert not told


@pytest.fixture
def not_served(monkeypatch):
    """The app without its last step; a start that gets this far fails the test."""

    def started(*arguments):
        raise AssertionError("the page was started")

    monkeypatch.setattr(device, "start", started)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "typo"], "unknown model 'typo'; allowed: toy-vit, toy-rn"),
        (["--model", ""], "unknown model ''; allowed: toy-vit"),
        (["--port", "70000"], "port is 70000; allowed: 1 to 65535"),
        (["--port", "0"], "port is 0; allowed: 1 to 65535"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
        (["--host", "a" * 300], "cannot listen on aaa"),
    ],
)
def test_a_wrong_start_is_one_line_and_exit_code_2(not_served, capsys, arguments, message):
    assert app.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"app.py: {message}")
    assert said.count("\n") == 1


def test_a_port_that_is_taken_is_told(not_served, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert app.main(["--host", "127.0.0.1", "--port", str(port)]) == 2
    assert f"cannot listen on 127.0.0.1 port {port}: " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:99", "CPU;"])
def test_a_wrong_device_is_told(not_served, capsys, monkeypatch, name):
    monkeypatch.setattr(device, "DEVICE", name)
    assert app.main([]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"app.py: TOKENLIGHT_DEVICE is {name!r}")
    assert "allowed: auto, cpu" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 3 GiB")]
)
def test_out_of_memory_is_told(error):
    with (
        pytest.raises(ValueError, match="not enough memory for toy-vit"),
        device.memory_in_plain_words("toy-vit"),
    ):
        raise error


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="a bug"), device.memory_in_plain_words("toy-vit"):
        raise RuntimeError("a bug")


def test_the_gpu_is_lent_briefly():
    assert clip_jobs._seconds("toy-vit", None, ["a"], ["itsm"]) < 10
    assert clip_jobs._seconds("toy-vit", None, ["a"] * 100, ["itsm", "relevance"]) == 60
    assert (
        clip_jobs._seconds("toy-vit", None, ["a"], ["occlusion"])
        > clip_jobs._seconds("toy-vit", None, ["a"], ["itsm"]) + 5
    )


def test_a_model_that_is_loaded_while_the_gpu_is_lent_has_longer():
    built_in, base, large = (
        clip_jobs._seconds(name, None, ["a"], ["itsm"])
        for name in ("toy-vit", "ViT-B-16-openai", "ViT-L-14-openai")
    )
    assert built_in + 5 <= base < large <= 60
