"""The app as a visitor meets it: how long until the first page, and until the first explanation."""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.pairs import Result, seconds
from ui.shared import pictures

ROOT = Path(__file__).resolve().parent.parent
_IMPORTS = "import gradio, torch, open_clip"


def start(repeats: int) -> list[Result]:
    """(f) First 200 from `/` against the bare imports, and the first explanation after it."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
    imports, pages, answers = [], [], []
    for _ in range(repeats + 1):  # the first round warms the disk and is not counted
        command = [sys.executable, "-c", _IMPORTS]
        imports.append(seconds(lambda c=command: subprocess.run(c, check=True, env=environment, cwd=ROOT)))
        page, answer = _visit(environment)
        pages.append(page)
        answers.append(answer)
    ratio = statistics.median(p / i for p, i in zip(pages[1:], imports[1:], strict=True))
    details = {"first_page_s": statistics.median(pages[1:]), "imports_s": statistics.median(imports[1:])}
    return [
        Result("f1", "first 200 from / against bare imports", ratio, 1.6, False, "times", details),
        Result(
            "f2",
            "first explanation after the first 200",
            statistics.median(answers[1:]),
            5.0,
            False,
            "s",
            {"repeats": repeats},
        ),
    ]


def _visit(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds until the page answers, and until the first explanation after that."""
    from gradio_client import Client, handle_file

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.perf_counter()
    command = [sys.executable, "app.py", "--port", str(port), "--host", "127.0.0.1"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/", process)
        page = time.perf_counter() - started
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            Image.new("RGB", (320, 240), "green").save(file.name)
            answered = time.perf_counter()
            client = Client(f"http://127.0.0.1:{port}/", verbose=False)
            client.predict(handle_file(file.name), "a red cat", "toy-vit", "itsm", api_name="/explain")
        return page, time.perf_counter() - answered
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(url: str, process: subprocess.Popen) -> None:
    for _ in range(6000):
        if process.poll() is not None:
            raise RuntimeError(f"app.py ended with code {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{url} did not answer within two minutes")


def photograph(repeats: int, size: tuple[int, int] = (4000, 3000)) -> Result:
    """(g) A JPEG of 12 megapixels, from the file to what the page's cards show: two prompts, two methods."""
    from ui.tabs.explain import drawing, view

    prompts, methods = ("a red car", "the sky"), ("itsm", "relevance")
    rng = np.random.default_rng(0)
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for index in range(
            repeats + 1
        ):  # another picture every time: nothing is cached; the first loads the model
            small = Image.fromarray(rng.integers(0, 255, (150, 200, 3), dtype=np.uint8))
            path = Path(folder) / f"{index}.jpg"
            small.resize(size, Image.Resampling.BICUBIC).save(path, quality=92)

            def run(path: Path = path) -> None:
                looked = view.look(pictures.Picture(path=str(path)), prompts, "toy-vit", methods)
                drawing.cards(looked, drawing.Look())

            times.append(seconds(run))
    details = {"pixels": size[0] * size[1], "model": "toy-vit", "prompts": 2, "methods": ", ".join(methods)}
    return Result(
        "g",
        "a 12-megapixel JPEG, to the page's cards",
        statistics.median(times[1:]),
        1.0,
        False,
        "s",
        details,
    )
