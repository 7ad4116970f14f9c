"""How the moments before and after a call are marked."""

from __future__ import annotations

import time
from typing import Any, Protocol

import torch


class Clock(Protocol):
    """Marks moments, and tells afterwards how far apart two of them were."""

    def settle(self) -> None:
        """Before a call: waits for what the one before it has left to do."""

    def mark(self) -> Any: ...

    def seconds(self, start: Any, end: Any) -> float: ...


class _Processor:
    def settle(self) -> None:
        """A call that has returned is done."""


class WallClock(_Processor):
    """The processor's time."""

    def mark(self) -> float:
        return time.perf_counter()

    def seconds(self, start: float, end: float) -> float:
        return end - start


class ThreadClock(_Processor):
    """The processor time of this thread: what other programs take of the processor does not count."""

    def mark(self) -> float:
        return time.thread_time()

    def seconds(self, start: float, end: float) -> float:
        return end - start


class EventClock:
    """A GPU's time, by events in the current stream.

    Each call begins on a GPU that has nothing to do, so that no call hides its launches behind the work of another.
    """

    def settle(self) -> None:
        torch.cuda.synchronize()

    def mark(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def seconds(self, start: torch.cuda.Event, end: torch.cuda.Event) -> float:
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3


WALL = WallClock()


def clock_of(device: torch.device) -> Clock:
    """Events on a GPU, the wall clock elsewhere."""
    return EventClock() if device.type == "cuda" else WALL
