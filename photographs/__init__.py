"""A CLIP for photographs: reading them, training `photo`, measuring it. No photograph is part of the project.

`data.py` reads the sets, `pictures.py` gives them to the commands of `explain`; `backbone.py` is the frozen trunk,
`captions.py` and `names.py` what texts say; `clip_model.py` the checkpoint, `training.py` the losses, `evaluation.py`
the measures.
"""
