"""One process or many: what `torchrun` says, and PyTorch's DistributedDataParallel."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


@dataclasses.dataclass(frozen=True)
class Place:
    """Where this process stands among those of the run."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def distributed(self, module: nn.Module) -> nn.Module:
        """The module, its gradients averaged over all processes."""
        if self.world == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)

    def from_leader(self, value: Any) -> Any:
        """The leader's value, in every process."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The mean of a tensor over all processes."""
        if self.world == 1:
            return value
        total = value.clone()
        dist.all_reduce(total)
        return total / self.world


@contextlib.contextmanager
def placed(device: str = "auto") -> Iterator[Place]:
    """This process's place: alone, or as `torchrun` started it, the group of processes being closed at the end.

    Args:
        device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".

    Raises:
        ValueError: a device that this machine or this PyTorch does not have.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield Place(chosen_device(device))
        return
    chosen = chosen_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Place(chosen, dist.get_rank(), dist.get_world_size())
        dist.barrier()  # a process that ends while another still talks to it takes that one down
    finally:
        dist.destroy_process_group()


def chosen_device(name: str = "auto", local_rank: int = 0) -> torch.device:
    """The device of a name; of several GPUs, where none is named, the one with the number ``local_rank``.

    Raises:
        ValueError: a device that this machine or this PyTorch does not have.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"--device must be auto, cpu, cuda or cuda:N; got {name!r}.") from None
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"--device must be auto, cpu, cuda or cuda:N; got {name!r}.")
    if device.type == "cpu":
        return device
    index = local_rank if device.index is None else device.index
    if not torch.cuda.is_available() or index >= torch.cuda.device_count():
        raise ValueError(
            f"--device {name}: there is no GPU {index} that this PyTorch can use; take --device cpu, or see "
            "'stn3dmm doctor'."
        )
    device = torch.device("cuda", index)
    torch.cuda.set_device(device)
    return device
