"""Put things in boxes, edit pictures, rescue neglected words, learn prompts and classify with them from the command
line, and measure how well that works.

python -m guidance generate --prompt "a red cat and a blue car on the grass" \\
    --box "red cat: 0.05, 0.3, 0.45, 0.8" --box "blue car: 0.55, 0.4, 0.95, 0.8" --generator toy-sd -o out.png
python -m guidance edit out.png --prompt "a green cat and a blue car on the grass" --words green \\
    --box "green cat: 0.05, 0.3, 0.45, 0.8" -o edited.png
python -m guidance rescue --prompt "a red cat and a blue car on the grass" -o before.png --rescued after.png
python -m guidance tune --data DIR --shots 1 --model toy-vit --lambda 1 --seeds 10 --save prompt.safetensors
python -m guidance classify PICTURES --context prompt.safetensors
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

COMMANDS = {
    "generate": "generate",
    "edit": "edit",
    "rescue": "rescue",
    "evaluate": "evaluate",
    "evaluate-edits": "evaluate_edits",
    "evaluate-rescue": "evaluate_rescue",
    "tune": "tune",
    "classify": "classify",
    "evaluate-tuning": "evaluate_tuning",
}  # -> modules


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when done, 2 after one line on stderr that says what is wrong."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if not given or given[0] not in COMMANDS:
        print(f"guidance: choose a command: {', '.join(COMMANDS)}", file=sys.stderr)
        return 0 if given[:1] in (["-h"], ["--help"]) else 2
    return int(import_module(f"guidance.commands.{COMMANDS[given[0]]}").main(given[1:]))


if __name__ == "__main__":
    sys.exit(main())
