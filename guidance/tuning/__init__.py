"""Prompt tuning in which the words of a class's name count: one-shot classification of No Token Left Behind.

`prompt_learner.py` has the prompts that are learnt, `losses.py` what is minimised, `settings.py` what can be chosen,
`crops.py` pictures as tuning sees them, `tune.py` the loop, `saved.py` contexts as files, `nearest_words.py` what they
look like in words; `examples.py` where pictures come from, `lesson.py` what a page shows.
"""
