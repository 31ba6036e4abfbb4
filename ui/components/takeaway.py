"""Takeaways that every tab offers below its answers: files, a link that reopens the view, and the same in Python."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import Dependency

from ui.events.queues import FULL_LINK, PRIVATE, SAVE_FILE, SAVE_LANE
from ui.shared.errors import in_plain_words


class Takeaway:
    """A button for each kind of file, the link under its label, the code; ids begin with `prefix`.

    The hidden `file` is what a handler hands over, the hidden `query` what the link ends in. `link`: None for what no
    link can carry, then neither it nor `query` is there.
    """

    def __init__(self, kinds: Iterable[str], link: str | None, prefix: str = "") -> None:
        title = "Save, repeat in Python" if link is None else "Save, share, repeat in Python"
        with gr.Accordion(title, open=False, elem_id=f"{prefix}keep"):
            with gr.Row():
                self.savers = {kind: gr.Button(kind, size="sm", min_width=110) for kind in kinds}
            if link is not None:
                self.link = gr.Textbox(
                    label=link, interactive=False, buttons=["copy"], elem_id=f"{prefix}link"
                )
            self.code = gr.Code(
                label="The same in Python", language="python", interactive=False, elem_id=f"{prefix}code"
            )
        self.file = gr.File(visible="hidden")
        if link is not None:
            self.query = gr.Textbox(visible="hidden")
            self.query.change(None, [self.query], [self.link], js=FULL_LINK, **PRIVATE)

    def connect(
        self, save_as: Callable[..., Iterator[str]], seen: Sequence[Any], status: gr.Markdown
    ) -> None:
        """Each button saves what `save_as(kind, *seen)` yields."""
        for kind, button in self.savers.items():
            self.save(button.click, partial(save_as, kind), seen, status)

    def save(
        self,
        after: Callable[..., Dependency],
        handler: Callable[..., Iterator[str]],
        seen: Sequence[Any],
        status: gr.Markdown,
    ) -> None:
        """A download: the server writes the file, the page saves it."""
        saved = after(handler, list(seen), [self.file], show_progress_on=status, **SAVE_LANE, **PRIVATE)
        saved.success(None, [self.file], None, js=SAVE_FILE, **PRIVATE)


def saved_file(save: Callable[[Path], Path]) -> Iterator[str]:
    """Writes a file, hands it over (Gradio copies it), and removes it."""
    folder = Path(tempfile.mkdtemp(prefix="tokenlight-"))
    try:
        with in_plain_words():
            path = save(folder)
        yield str(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
