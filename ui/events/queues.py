"""Queues of the page's events. Everything that may run a model shares one lane, and nothing else is in it."""

from __future__ import annotations

from typing import Any

BETWEEN = 1.0  # seconds between two pictures that a program is sent; after the first, it can leave at each

VIEW_SECONDS = 3600  # how long an answer is kept after it was given; only words and looks need it

MODEL_LANE: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
DOWNLOAD_LANE: dict[str, Any] = {
    "concurrency_id": "download",
    "concurrency_limit": 200,
}  # who waits costs nothing
SAVE_LANE: dict[str, Any] = {"concurrency_id": "save", "concurrency_limit": 2}
DRAWING_LANE: dict[str, Any] = {
    "trigger_mode": "always_last",
    "concurrency_id": "redraw",
    "concurrency_limit": 4,
}
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
QUIET: dict[str, Any] = {**PRIVATE, "show_progress": "hidden"}

# What only the browser can do: save a file that the server wrote, and know its own address in full.
SAVE_FILE = """(file) => {
  const link = document.createElement("a");
  link.href = file.url;
  link.download = file.orig_name;
  link.click();
}"""
FULL_LINK = "(query) => location.origin + location.pathname + query"


def scroll_to(elem_id: str) -> str:
    """On a phone, where answers lie below what asks for them: bring them into view."""
    return f"""() => {{
  if (innerWidth < 700) document.getElementById("{elem_id}").scrollIntoView({{ behavior: "smooth" }});
}}"""
