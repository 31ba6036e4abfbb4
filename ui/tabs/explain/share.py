"""Takeaway of an answer: pictures at full size, figures for print, the numbers, and the Python that gives them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np

from ui.shared.drawing import Look, contrast_points, drawn_map
from ui.shared.links import NO_METHOD
from ui.tabs.explain.view import View, subject


def save_overlay(view: View, look: Look, card: int, method: str, folder: Path) -> Path:
    """One map over the picture at full size, PNG."""
    from explain import heatmap

    values = drawn_map(view.shown_explanation(card, method), look.turned and method == view.methods[0])
    path = folder / f"{_file_name(view.selected.get(card, view.prompts[card]))}-{method}.png"
    heatmap.overlay(view.picture.open(), values, look.opacity, look.colormap).save(path)
    return path


def save_figure_png(view: View, look: Look, folder: Path) -> Path:
    """Picture, maps and words side by side, PNG at 300 dots per inch."""
    return _save_figure(view, look, folder / "tokenlight-figure.png")


def save_figure_pdf(view: View, look: Look, folder: Path) -> Path:
    """Saves the same figure as PDF, with text that stays text."""
    return _save_figure(view, look, folder / "tokenlight-figure.pdf")


def save_json(view: View, look: Look, folder: Path) -> Path:
    """Every number on the page and the raw maps, JSON."""
    path = folder / "tokenlight.json"
    path.write_text(json.dumps(as_json(view), indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def save_npz(view: View, look: Look, folder: Path) -> Path:
    """The raw maps at grid size: one (prompts, rows, columns) array per method, and `prompts`."""
    path = folder / "tokenlight-maps.npz"
    arrays = {name: np.stack([e.heatmap for e in view.explanations[name]]) for name in view.methods}
    np.savez_compressed(path, allow_pickle=False, prompts=np.array(view.prompts), **arrays)
    return path


SAVERS: Mapping[str, Callable[[View, Look, Path], Path]] = {
    "Figure, PNG": save_figure_png,
    "Figure, PDF": save_figure_pdf,
    "Numbers, JSON": save_json,
    "Maps, NPZ": save_npz,
}


def as_json(view: View) -> dict[str, Any]:
    """The view as plain data: the scene if one was drawn, and for each prompt its numbers, words and raw maps."""
    return {
        "model": view.model,
        **view.picture.in_json,
        "prompts": [_prompt_json(view, card) for card in range(len(view.prompts))],
    }


def _prompt_json(view: View, card: int) -> dict[str, Any]:
    first = view.explanations[view.methods[0]][card]
    truth = subject(View(**{**vars(view), "selected": {}}), card)
    maps = {}
    for method in view.methods:
        explanation = view.explanations[method][card]
        maps[method] = {"map": np.asarray(explanation.heatmap).tolist()}
        if truth is not None:
            maps[method]["msc"] = contrast_points(drawn_map(explanation, False), truth.mask)
    return {
        "prompt": view.prompts[card],
        "score": first.score,
        "probability": first.probability,
        "words": [{"word": word, "relevance": share} for word, share in view.words(card)],
        "notes": list(first.notes),
        "maps": maps,
    }


def as_python(view: View) -> str:
    """The lines that give the same explanations in Python. Texts are written as literals."""
    lines = view.picture.in_python(view.shown.width)
    lines += [f"clip = explain.load({view.model!r})", f"prompts = {list(view.prompts)!r}"]
    for method in view.methods:
        lines.append(f"for e in explain.explain_image(clip, image, prompts, method={method!r}):")
        lines.append("    print(e.prompt, round(e.score, 3), e.heatmap.shape, e.tokens)")
    return "\n".join(lines)


def _save_figure(view: View, look: Look, path: Path) -> Path:
    """The maps as they are on the page: words selected, first map reversed or not, colours."""
    from explain import heatmap

    found = []
    for card in range(len(view.prompts)):
        for method in view.methods:
            explanation = view.shown_explanation(card, method)
            if look.turned and method == view.methods[0]:
                turned = drawn_map(explanation, True)
                explanation = replace(explanation, heatmap=turned, method=f"{method} reversed")
            found.append(explanation)
    heatmap.figure(view.shown, found, look.colormap).savefig(path, dpi=300)
    return path


def _file_name(prompt: str) -> str:
    """A prompt as a short plain file name."""
    return re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:40] or "prompt"


def write_query(view: View) -> str:
    """The query that opens this view again; an uploaded picture stays out of it."""
    beside = view.methods[1] if len(view.methods) > 1 else NO_METHOD
    fields = view.picture.in_link | {
        "prompts": "\n".join(view.prompts),
        "model": view.model,
        "method": view.methods[0],
        "with": beside,
    }
    return "?" + urlencode(fields)
