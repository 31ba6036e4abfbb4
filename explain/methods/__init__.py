"""Every method there is. The page, the command line, the benchmarks and the tests iterate METHODS and WORD_METHODS, in
this order: a new entry is shown and tested by existing.
"""

from explain.clip.catalogue import Entry
from explain.methods import (
    eclip,
    grad_cam,
    grad_eclip,
    gradient_input,
    gscorecam,
    itsm,
    leave_one_out,
    legrad,
    maskclip,
    occlusion,
    raw_attention,
    relevance,
    rollout,
    self_attention,
    surgery,
    word_relevance,
)
from explain.methods.registry import Method, WordMethod
from explain.towers import FAMILIES

METHODS: dict[str, Method] = {
    entry.name: entry
    for entry in (
        itsm.itsm,
        itsm.itsm_reversed,
        eclip.eclip,
        relevance.relevance,
        relevance.relevance_all,
        grad_cam.gradcam,
        grad_eclip.gradeclip,
        legrad.legrad,
        gscorecam.gscorecam,
        maskclip.maskclip,
        self_attention.sclip,
        self_attention.clearclip,
        self_attention.naclip,
        surgery.surgery,
        raw_attention.attention,
        rollout.rollout,
        occlusion.occlusion,
    )
}
WORD_METHODS: dict[str, WordMethod] = {
    entry.name: entry
    for entry in (word_relevance.token_relevance, leave_one_out.leave_one_out, gradient_input.gradient_input)
}


def lacking(entry: Entry) -> dict[str, str]:
    """The names of the methods that a model's kind of tower cannot have -> the reason."""
    shape, trained = FAMILIES[entry.family], entry.projection.is_file()
    reasons = {name: method.lacking(shape, trained) for name, method in METHODS.items()}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def find(name: str) -> Method:
    """The method of this name; ValueError naming the choices for any other."""
    if not isinstance(name, str) or name not in METHODS:
        raise ValueError(f"unknown method {str(name)[:80]!r}; allowed: {', '.join(METHODS)}")
    return METHODS[name]


def find_words(name: str) -> WordMethod:
    """The way to rate words of this name; ValueError naming the choices for any other."""
    if not isinstance(name, str) or name not in WORD_METHODS:
        raise ValueError(f"unknown way to rate words {str(name)[:80]!r}; allowed: {', '.join(WORD_METHODS)}")
    return WORD_METHODS[name]
