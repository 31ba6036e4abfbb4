"""The page around the tabs: heading, theme, and how it is served."""

from __future__ import annotations

import os
import socket
from pathlib import Path

# The page asks nothing of anybody but its own server; Gradio reads this while it is imported.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr

from ui.api import build_endpoints
from ui.models import device
from ui.models.generator_jobs import DEFAULT_GENERATOR
from ui.shared import photographs, text
from ui.tabs.compare.handlers import COMPARE_TAB
from ui.tabs.compare.tab import CompareTab
from ui.tabs.edit.share import EDIT_TAB
from ui.tabs.edit.tab import EditTab
from ui.tabs.explain.tab import ExplainTab
from ui.tabs.generate.share import GENERATE_TAB
from ui.tabs.generate.tab import GenerateTab
from ui.tabs.lesson.tab import LessonSection
from ui.tabs.words.share import WORDS_TAB
from ui.tabs.words.tab import WordsTab
from ui.tabs.words_many.tab import ManySection

QUEUE = 200  # visitors who may wait; more are told to come back
SESSIONS = 300  # visitors whose answers are kept at the same time; the one who was away longest goes first
UPLOAD_LIMIT = "64mb"
CACHE_SECONDS = (3600, 4 * 3600)  # how often uploads are cleared away, and from what age
FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]  # no font is fetched


def build_page(model: str = device.DEFAULT_MODEL, generator: str = DEFAULT_GENERATOR) -> gr.Blocks:
    """The whole page, not yet served. `model`, `generator`: those that are chosen when it opens."""
    with gr.Blocks(
        title=text.TITLE, analytics_enabled=False, fill_width=True, delete_cache=CACHE_SECONDS
    ) as page:
        build_endpoints()  # first, so that no handler of the same name takes theirs
        gr.Markdown(f"# {text.TITLE}\n{text.TAGLINE}", elem_id="heading")
        # Not in their tabs: there the page takes a state that nobody has changed for one that was changed.
        adopted, put = gr.State(None), gr.State(None)
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Explain", id="explain"):
                explained = ExplainTab(model)
            with gr.Tab("Compare", id=COMPARE_TAB) as comparing:
                CompareTab(model, tabs, comparing, explained.view, explained.default_model, adopted)
            with gr.Tab("Words", id=WORDS_TAB) as worded:
                words = WordsTab(model, tabs, worded, put)
                ManySection(words)
                LessonSection(worded, words.model)
            with gr.Tab("Generate", id=GENERATE_TAB) as generating:
                generated = GenerateTab(generator, tabs, generating)
            with gr.Tab("Edit", id=EDIT_TAB) as editing:
                EditTab(generator, tabs, editing, generated.run)
        gr.Markdown(photographs.credits_line(), elem_id="credits")
    return page.queue(max_size=QUEUE, default_concurrency_limit=4)


def build_theme() -> gr.themes.Base:
    """Soft, with plain labels and the system's own letters."""
    plain: dict[str, str] = {}
    for part in ("block_title", "block_label"):
        plain |= {f"{part}_background_fill": "none", f"{part}_background_fill_dark": "none"}
        plain |= {f"{part}_text_color": "*body_text_color_subdued", f"{part}_text_weight": "500"}
    plain |= {"checkbox_border_color": "*neutral_400", "input_border_width": "1px"}
    plain |= {"block_title_padding": "0", "block_title_border_width": "0px"}
    # White on the usual shade would be hard to read.
    for part in ("button_primary_background_fill", "checkbox_label_background_fill_selected"):
        plain |= {part: "*primary_600", f"{part}_dark": "*primary_600"}
    plain |= {f"button_primary_background_fill_hover{mode}": "*primary_700" for mode in ("", "_dark")}
    plain |= {"body_text_color_subdued": "*neutral_500", "body_text_color_subdued_dark": "*neutral_400"}
    return gr.themes.Soft(primary_hue="indigo", neutral_hue="slate", font=FONT).set(**plain)


def check_address(host: str | None, port: int | None) -> None:
    """ValueError for a host or a port that cannot be listened on; None and "" leave the choice to Gradio."""
    host = host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"port is {port}; allowed: 1 to 65535")
    try:
        family, kind, *_, address = socket.getaddrinfo(host.strip("[]"), port or 0, type=socket.SOCK_STREAM)[
            0
        ]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        where = host if port is None else f"{host} port {port}"
        raise ValueError(f"cannot listen on {where}: {reason}; choose another --host or --port") from error


def serve(page: gr.Blocks, host: str | None, port: int | None, wait: bool = True) -> str:
    """Serves the page and returns its address; with `wait` only when it is stopped."""
    _, address, _ = page.launch(
        server_name=host or None,
        server_port=port,
        theme=build_theme(),
        css_paths=sorted(
            (Path(__file__).parent / "static").glob("*.css"), key=lambda path: path.name != "page.css"
        ),
        allowed_paths=[str(photographs.FOLDER)],  # all else must be in the current directory
        max_file_size=UPLOAD_LIMIT,
        max_threads=QUEUE + 40,  # who waits for a download counts as one, though none is held
        state_session_capacity=SESSIONS,
        footer_links=["api"],
        run_history=False,  # nothing of what a visitor does is kept, not even in the browser
        ssr_mode=False,
        prevent_thread_lock=not wait,
        quiet=not wait,
    )
    return address
