"""Every method there is. The page, the command line, the benchmarks and the tests iterate METHODS and WORD_METHODS, in
this order: a new entry is shown and tested by existing.
"""

from explain.eclip import eclip
from explain.gradcam import gradcam
from explain.gradeclip import gradeclip
from explain.gradientinput import gradient_input
from explain.gscorecam import gscorecam
from explain.leaveoneout import leave_one_out
from explain.legrad import legrad
from explain.maskclip import maskclip
from explain.occlusion import occlusion
from explain.rawattention import attention
from explain.registry import Method, WordMethod
from explain.relevance import relevance, relevance_all
from explain.rollout import rollout
from explain.selfattention import clearclip, naclip, sclip
from explain.similarity import itsm, itsm_reversed
from explain.surgery import surgery
from explain.textrelevance import token_relevance

METHODS: dict[str, Method] = {
    entry.name: entry
    for entry in (
        itsm,
        itsm_reversed,
        eclip,
        relevance,
        relevance_all,
        gradcam,
        gradeclip,
        legrad,
        gscorecam,
        maskclip,
        sclip,
        clearclip,
        naclip,
        surgery,
        attention,
        rollout,
        occlusion,
    )
}
WORD_METHODS: dict[str, WordMethod] = {
    entry.name: entry for entry in (token_relevance, leave_one_out, gradient_input)
}


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
