"""One CLIP: the models that can be chosen, finding and loading their weights, and what a loaded one does.

Imports nothing, so that the catalogue needs no torch.
"""
