"""Random numbers that depend on nothing but the numbers they are asked for by."""

from __future__ import annotations

import numpy as np
import torch

MAX_SEED = 2**63 - 1


def generator_of(*numbers: int) -> torch.Generator:
    """On the CPU. Neighbouring numbers have draws that are not alike, as neighbouring seeds need not."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) >> 1)
