"""Prompt tuning in which the words of a class's name count: one-shot classification of paper A.

`prompts.py` has the prompts that are learnt. Here: `losses.py` what is minimised, `settings.py` what can be chosen,
`views.py` pictures as tuning sees them, `loop.py` the loop, `saved.py` contexts as files, `classify.py` pictures told
apart with them, `vocabulary.py` what they look like in words; `examples.py` where pictures come from, `lesson.py` what
a page shows, `rivals.py` what else one would do with a few pictures, `measuring.py` and `comparison.py` how they
compare.
"""
