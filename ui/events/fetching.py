"""Fetches a model's files before it is asked, while other visitors go on."""

from __future__ import annotations

from contextlib import suppress

import gradio as gr

from ui.models import downloads
from ui.shared.errors import in_plain_words

NO_PROGRESS = gr.Progress()


async def fetch(model: str, progress: gr.Progress = NO_PROGRESS) -> None:
    """Before a question is asked: its model's files come to this machine, while others go on asking theirs."""
    with in_plain_words():
        await downloads.wait_for(model, lambda done, what: progress(done, desc=what))


async def fetch_link(default_model: str, model: str, progress: gr.Progress = NO_PROGRESS) -> None:
    """The link's model, or else the default one; what cannot be had is told by `answer_link`."""
    for name in dict.fromkeys((model, default_model)):
        with suppress(gr.Error):
            return await fetch(name, progress)
