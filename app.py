"""Tokenlight's page: python app.py [--model NAME] [--host ADDRESS] [--port NUMBER].

TOKENLIGHT_MODEL and TOKENLIGHT_DEVICE in the environment choose the model that opens and where it runs.
"""

from __future__ import annotations

import argparse

from ui import device  # isort: skip  (first: on ZeroGPU `spaces` must come before anything that knows of GPUs)
from ui.page import build_page, serve


def main() -> None:
    """Reads the command line, builds the page and serves it until it is stopped."""
    parser = argparse.ArgumentParser(description="Open Tokenlight in the browser.")
    parser.add_argument(
        "--model", default=device.DEFAULT_MODEL, help="model to open with (default: %(default)s)"
    )
    parser.add_argument(
        "--host", help="address to listen on (default: this computer only, or GRADIO_SERVER_NAME)"
    )
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860)")
    chosen = parser.parse_args()
    device.start(chosen.model)
    serve(build_page(chosen.model), chosen.host, chosen.port)


if __name__ == "__main__":
    main()
