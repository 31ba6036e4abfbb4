"""Endless batches of drawn scenes, by number: what every training reads from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info


class NumberedBatches(IterableDataset[Any]):
    """Batches of numbers `start`, `start` + 1, ...; worker processes take turns, so that together they make the same
    batches as one would.
    """

    def __init__(self, batch: int, start: int = 0) -> None:
        self.batch, self.start = batch, start

    @abstractmethod
    def made(self, numbers: range) -> Any:
        """The batch of these numbers."""

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        if worker:  # a drawing process must not compete with the training for cores
            torch.set_num_threads(1)
        mine, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        first = self.start + mine * self.batch
        while True:
            yield self.made(range(first, first + self.batch))
            first += workers * self.batch


def batches_of(dataset: NumberedBatches, workers: int) -> Iterator[Any]:
    """The dataset's batches, drawn in `workers` processes (0: in this one)."""
    return iter(
        DataLoader(dataset, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)
    )
