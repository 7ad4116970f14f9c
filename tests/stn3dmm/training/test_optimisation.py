"""The optimiser's groups and the learning rate."""

from __future__ import annotations

import pytest
import stn3dmm
import torch
from stn3dmm.localiser import wrap
from stn3dmm.training.config import OptimiserConfig, ScheduleConfig
from stn3dmm.training.optimisation import clipped, optimiser_of, rate, schedule_of
from torch import nn


def network() -> stn3dmm.localiser.Localiser:
    trunk = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 8))
    return wrap(trunk, 8, stn3dmm.embedded_model((32, 32)), (64, 64))


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_optimiser_has_every_weight_once(name: str) -> None:
    localiser = network()
    config = OptimiserConfig(name=name, learning_rate=0.1, trunk_rate=0.01, weight_decay=0.2)
    optimiser = optimiser_of(localiser, config)
    held = [id(value) for group in optimiser.param_groups for value in group["params"]]
    assert sorted(held) == sorted(id(value) for value in localiser.parameters())
    of = {id(value): group for group in optimiser.param_groups for value in group["params"]}
    assert of[id(localiser.trunk[2].weight)]["lr"] == pytest.approx(0.001)
    assert of[id(localiser.head.linear.weight)]["lr"] == pytest.approx(0.1)
    assert of[id(localiser.head.linear.weight)]["weight_decay"] == 0.2
    assert of[id(localiser.head.linear.bias)]["weight_decay"] == 0.0


def test_optimiser_leaves_a_frozen_trunk() -> None:
    localiser = network()
    localiser.trunk.requires_grad_(False)
    held = [value for group in optimiser_of(localiser, OptimiserConfig()).param_groups for value in group["params"]]
    assert len(held) == 2


def test_rate_by_hand() -> None:
    steps = ScheduleConfig("step", warmup=0, every=10, factor=0.5)
    assert [rate(steps, step, 30) for step in (0, 9, 10, 20, 29)] == [1, 1, 0.5, 0.25, 0.25]
    cosine = ScheduleConfig("cosine", warmup=4)
    assert [rate(cosine, step, 12) for step in (0, 3)] == [0.25, 1.0]
    assert rate(cosine, 8, 12) == pytest.approx(0.5)
    assert rate(cosine, 12, 12) == pytest.approx(0.0)
    assert rate(ScheduleConfig("constant", warmup=0), 11, 12) == 1.0


def test_schedule_goes_on_where_it_was() -> None:
    """The learning rates of a run that stops after seven steps and goes on are those of one that does not."""

    def rates(optimiser: torch.optim.Optimizer, first: int, last: int) -> list[float]:
        schedule = schedule_of(optimiser, ScheduleConfig("cosine", warmup=3), 20, first)
        found = []
        for _ in range(first, last):
            found.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
        return found

    whole = rates(optimiser_of(network(), OptimiserConfig()), 0, 20)
    first = optimiser_of(network(), OptimiserConfig())
    before = rates(first, 0, 7)
    second = optimiser_of(network(), OptimiserConfig())
    second.load_state_dict(first.state_dict())
    assert before + rates(second, 7, 20) == whole


def test_clipped_by_hand() -> None:
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.grad = torch.tensor([[3.0, 4.0]])
    assert float(clipped(layer, 0)) == 5
    assert layer.weight.grad.tolist() == [[3.0, 4.0]]
    assert float(clipped(layer, 1.0)) == 5
    torch.testing.assert_close(layer.weight.grad, torch.tensor([[0.6, 0.8]]))
