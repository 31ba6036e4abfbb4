"""The finished run that the Generate tab shows before anybody has made one. `python -m ui.first_run` makes it anew."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ui.generate_examples import FIRST

FILE = Path(__file__).resolve().parent.parent / "assets" / "examples" / "run.json"
WISH = replace(FIRST, generator="toy-sd")


def stored() -> dict[str, Any]:
    """What RunView shows of it."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Make the run, and write it."""
    from ui.making import make
    from ui.run_drawing import RunDrawing

    *_, run = make(WISH)
    value = RunDrawing().value(run)
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
