"""Trains the built-in models: what `toyland` and `photographs` have in common.

`run.py` a training with a budget, averaged weights and a state to resume from; `options.py` its command line;
`contrastive.py` CLIP's loss; `tokenizer.py` a byte-level BPE and `checkpoints.py` weights in the form that users load.
"""
