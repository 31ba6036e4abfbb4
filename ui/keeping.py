"""What every tab offers below its answers: files, a link that reopens the view, and the same in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gradio as gr
from gradio.events import Dependency

from ui.lanes import FULL_LINK, PRIVATE, SAVE_FILE, SAVE_LANE


def keeping(kinds: Iterable[str], link: str | None, prefix: str = "") -> dict[str, Any]:
    """A button for each kind of file, the link under its label, the code; ids begin with `prefix`.

    The hidden `file` is what a handler hands over, the hidden `query` what the link ends in. `link`: None for what no
    link can carry, then neither it nor `query` is there.
    """
    parts: dict[str, Any] = {}
    title = "Save, repeat in Python" if link is None else "Save, share, repeat in Python"
    with gr.Accordion(title, open=False, elem_id=f"{prefix}keep"):
        with gr.Row():
            parts["savers"] = {kind: gr.Button(kind, size="sm", min_width=110) for kind in kinds}
        if link is not None:
            parts["link"] = gr.Textbox(
                label=link, interactive=False, buttons=["copy"], elem_id=f"{prefix}link"
            )
        parts["code"] = gr.Code(
            label="The same in Python", language="python", interactive=False, elem_id=f"{prefix}code"
        )
    parts["file"] = gr.File(visible="hidden")
    if link is not None:
        parts["query"] = gr.Textbox(visible="hidden")
    return parts


def save(
    after: Callable[..., Dependency],
    handler: Callable[..., Iterator[str]],
    seen: list[Any],
    file: gr.File,
    status: gr.Markdown,
) -> None:
    """A download: the server writes the file, the page saves it."""
    saved = after(handler, seen, [file], show_progress_on=status, **SAVE_LANE, **PRIVATE)
    saved.success(None, [file], None, js=SAVE_FILE, **PRIVATE)


def show_link(query: gr.Textbox, link: gr.Textbox) -> None:
    """The link, which only the browser knows in full."""
    query.change(None, [query], [link], js=FULL_LINK, **PRIVATE)
