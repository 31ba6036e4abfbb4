"""Tokenlight's page: python app.py [--model NAME] [--generator NAME] [--host ADDRESS] [--port NUMBER].

TOKENLIGHT_MODEL, TOKENLIGHT_GENERATOR and TOKENLIGHT_DEVICE in the environment choose the model and the generator that
the page opens with, and where they run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ui.models import device  # isort: skip  (first: on ZeroGPU `spaces` must come before anything that knows of GPUs)
from ui.models import generator_jobs
from ui.page import build_page, check_address, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves the page until it is stopped: 0; or 2 after one line on stderr that says what is wrong."""
    chosen = _parser().parse_args(arguments)
    try:
        device.check(chosen.model)
        generator_jobs.check(chosen.generator)
        check_address(chosen.host, chosen.port)
    except ValueError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    device.start(chosen.model)
    serve(build_page(chosen.model, chosen.generator), chosen.host, chosen.port)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="app.py", description="Open Tokenlight in the browser.")
    parser.add_argument(
        "--model", default=device.DEFAULT_MODEL, help="model to open with (default: %(default)s)"
    )
    parser.add_argument(
        "--generator",
        default=generator_jobs.DEFAULT_GENERATOR,
        help="generator to open with (default: %(default)s)",
    )
    parser.add_argument(
        "--host", help="address to listen on (default: this computer only, or GRADIO_SERVER_NAME)"
    )
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
