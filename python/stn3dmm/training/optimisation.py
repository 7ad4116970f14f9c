"""The optimiser and the learning rate of a run."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from stn3dmm.localiser import Localiser
from stn3dmm.training.config import OptimiserConfig, ScheduleConfig


def optimiser_of(localiser: Localiser, config: OptimiserConfig) -> torch.optim.Optimizer:
    """AdamW or SGD over what is to be trained; biases and normalisations do not decay."""
    groups = []
    for part, rate in ((localiser.trunk, config.trunk_rate), (localiser.head, 1.0)):
        for decays in (True, False):
            members = [value for value in part.parameters() if value.requires_grad and (value.ndim > 1) == decays]
            if members:
                decay = config.weight_decay if decays else 0.0
                groups.append({"params": members, "lr": config.learning_rate * rate, "weight_decay": decay})
    if config.name == "sgd":
        return torch.optim.SGD(groups, momentum=config.momentum)
    return torch.optim.AdamW(groups, betas=config.betas)


def schedule_of(
    optimiser: torch.optim.Optimizer, config: ScheduleConfig, steps: int, first: int = 0
) -> torch.optim.lr_scheduler.LRScheduler:
    """The learning rate as a function of the step; ``first`` is the step that a run goes on with."""
    for group in optimiser.param_groups:
        group.setdefault("initial_lr", group["lr"])
    return LambdaLR(optimiser, lambda step: rate(config, step, steps), last_epoch=first - 1)


def rate(config: ScheduleConfig, step: int, steps: int) -> float:
    """The share of the learning rate at a step of ``steps``.

    Example:
        >>> [round(rate(ScheduleConfig("cosine", warmup=2), step, 10), 3) for step in (0, 1, 2, 6)]
        [0.5, 1.0, 1.0, 0.5]
    """
    warm = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    if config.name == "constant" or step < config.warmup:
        return warm
    if config.name == "step":
        return float(config.factor ** (step // config.every))
    done = (step - config.warmup) / max(1, steps - config.warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def clipped(module: nn.Module, largest: float) -> torch.Tensor:
    """The norm of all gradients together, before it is brought down to ``largest`` (0 = left as it is)."""
    parameters = [value for value in module.parameters() if value.grad is not None]
    return torch.nn.utils.clip_grad_norm_(parameters, largest or math.inf)
