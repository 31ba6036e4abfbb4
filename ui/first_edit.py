"""The finished edit that the Edit tab shows before anybody has made one. `python -m ui.first_edit` makes it anew."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ui.edit_examples import FIRST

FILE = Path(__file__).resolve().parent.parent / "assets" / "examples" / "edit.json"
WISH = replace(FIRST, generator="toy-sd")


def stored() -> dict[str, Any]:
    """What EditView shows of it."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Make the edit, and write it."""
    from ui.edit_drawing import drawn
    from ui.editing import edit

    *_, run = edit(WISH)
    FILE.parent.mkdir(exist_ok=True)
    text = json.dumps(drawn(run), separators=(",", ":"), ensure_ascii=False)
    FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
