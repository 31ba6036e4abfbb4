"""Results that runs of the same pictures need not compute again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from torch import Tensor


class Ways:
    """Where the candidates of B pictures came to, and what else was found out about them, kept for runs that differ in
    nothing but their guide. `seconds`: what finding it out took.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._found: dict[int, tuple[Tensor, Tensor]] = {}
        self._once: dict[str, Tensor] = {}

    def once(self, what: str, find: Callable[[], Tensor]) -> Tensor:
        """Returns what `find` gives, which is called only the first time; the tensor must not be changed."""
        if what not in self._once:
            began = time.perf_counter()
            self._once[what] = find()
            self.seconds += time.perf_counter() - began
        return self._once[what]

    def of(
        self, numbers: Sequence[int], walk: Callable[[Sequence[int]], Iterator[tuple[Tensor, Tensor]]]
    ) -> list[tuple[Tensor, Tensor]]:
        """Returns what the candidates of these numbers came to; `walk` finds it out for those that are not known."""
        began = time.perf_counter()
        unknown = [number for number in numbers if number not in self._found]
        if unknown:
            self._found.update(zip(unknown, walk(unknown), strict=True))
            self.seconds += time.perf_counter() - began
        return [self._found[number] for number in numbers]
