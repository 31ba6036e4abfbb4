"""Optimising with explanations: every object in its box, every word used. It knows `explain` and nothing of any page.

`boxes.py` says what is to be where, `objective.py` how far pictures are from that, differentiably.
"""
