"""Mistakes that only the race detector or a sanitizer sees are found, and the corrected twins pass."""

from __future__ import annotations

import numpy as np
import pytest

from .emulator import build
from .emulator.planted_kernels import Array, planted, run_under_address_sanitizer

pytestmark = pytest.mark.skipif(build.what_is_missing() is not None, reason=f"emulator: {build.what_is_missing()}")


RACES = {
    "missing_barrier": "shared memory: thread .* of block 0 .*planted/races.cu:",
    "write_after_read": "shared memory",
    "plain_sum_in_block": "shared memory",
    "plain_sum_across_blocks": "global memory: thread 0 of block .* thread 0 of block .*, and nothing orders them",
    "plain_read_of_atomic_sum": r"changes atomically \(planted/races.cu:",
    "same_value_by_all": "thread . of block 0 writes .*, thread . of block 0 writes",
    "neighbours_in_warp": "shared memory",
    "neighbours_after_shuffle": "shared memory",
    "warps_after_syncwarp": "shared memory",
    "bytes_overlap": "global memory",
    "struct_copy": "global memory",
    "bytes_copied": "global memory",
}
NO_RACES = {
    "with_barrier": "float32",
    "write_after_read_with_barrier": "float32",
    "atomic_sum_in_block": "float32",
    "atomic_sum_across_blocks": "float32",
    "same_value_by_exchange": "float32",
    "neighbours_after_syncwarp": "float32",
    "bytes_apart": "uint8",
    "many_barriers": "float32",
    "half_warps": "float32",
    "shuffles_int": "int32",
    "block_votes": "uint32",
}


def blocks_for(kernel: str) -> int:
    return 3 if "across_blocks" in kernel or kernel == "plain_read_of_atomic_sum" else 1


@pytest.mark.parametrize("order", ["forward", "reverse", "shuffled"])
@pytest.mark.parametrize(("kernel", "message"), RACES.items())
def test_emulator_finds_races_in_any_order(kernel: str, message: str, order: str) -> None:
    data = np.zeros(1024, np.float32)
    planted("race").set_order(order, 3)
    with pytest.raises(RuntimeError, match=f"emulator: {kernel}, race in .*{message}"):
        planted("race").run(kernel, data, blocks_for(kernel))


@pytest.mark.parametrize("order", ["forward", "reverse", "shuffled"])
@pytest.mark.parametrize(("kernel", "dtype"), NO_RACES.items())
def test_emulator_finds_no_races_where_there_are_none(kernel: str, dtype: str, order: str) -> None:
    planted("race").set_order(order, 3)
    planted("race").run(kernel, np.zeros(1024, dtype), blocks_for(kernel))


NOTHING, READ, WRITE, ADD, READ_BYTE, WRITE_BYTE = range(6)
ROUNDS, BLOCKS, THREADS = 6, 2, 64


def has_race(steps: Array, ends: Array) -> bool:
    """Whether the program has two conflicting accesses that nothing orders, by comparing all pairs."""
    accesses = [
        (int(kind), {int(at)} if kind in (READ_BYTE, WRITE_BYTE) else set(range(at // 4 * 4, at // 4 * 4 + 4)), r, *who)
        for (r, *who), kind, at in zip(np.ndindex(steps.shape[:3]), *steps.reshape(-1, 2).T, strict=True)
        if kind != NOTHING
    ]
    for i, (kind, where, r, block, thread) in enumerate(accesses):
        for kind_2, where_2, r_2, block_2, thread_2 in accesses[:i]:
            harmless = {kind, kind_2} <= {READ, READ_BYTE} or kind == kind_2 == ADD
            between = set(ends[r_2:r].tolist())
            same_warp = thread // 32 == thread_2 // 32
            ordered = block == block_2 and (thread == thread_2 or 2 in between or (1 in between and same_warp))
            if not harmless and not ordered and where & where_2:
                return True
    return False


def test_emulator_finds_the_races_of_random_programs() -> None:
    """Those and no others, whichever order threads run in."""
    random = np.random.default_rng(5)
    outcomes = []
    for _ in range(150):
        steps = np.zeros((ROUNDS, BLOCKS, THREADS, 2), np.uint8)
        chosen = random.random(steps.shape[:3]) < random.choice([0.01, 0.03])
        if random.random() < 0.8:  # within one block, or one warp of it
            chosen[:, 1] = False
            chosen[:, :, random.choice([32, 64]) :] = False
        steps[chosen] = random.integers([1, 0], [6, 24], (int(chosen.sum()), 2))
        ends = random.integers(0, 3, ROUNDS).astype(np.uint8)
        data = np.concatenate([np.zeros(64, np.uint8), steps.ravel(), ends])
        planted("race").set_order("shuffled", int(random.integers(1 << 30)))
        found = False
        try:
            planted("race").run("program", data, BLOCKS)
        except RuntimeError as error:
            found = "race in global memory" in str(error)
        assert found == has_race(steps, ends)
        outcomes.append(found)
    assert 30 < sum(outcomes) < 120


@pytest.mark.parametrize(
    ("kernel", "data", "finding"),
    [
        ("shared_out_of_bounds", 65 * [0], "global-buffer-overflow"),
        ("local_index", [8, *range(8)], "stack-buffer-overflow"),
        ("local_index", [7, 1], "heap-buffer-overflow"),
        ("misaligned", [1, *range(12)], "misaligned address"),
        ("overflow", [2**31 - 1, 1], "signed integer overflow"),
    ],
)
def test_emulator_finds_indices_out_of_bounds(kernel: str, data: list[int], finding: str) -> None:
    done = run_under_address_sanitizer(kernel, data)
    assert done.returncode != 0
    assert finding in done.stderr


@pytest.mark.parametrize(
    ("kernel", "data", "after"),
    [
        ("shared_within_bounds", 65 * [0], [0] + 64 * [3]),
        ("local_index", [7, *range(8)], [7, 7, *range(1, 8)]),
        ("misaligned", [0, *range(12)], [0, 6, *range(1, 12)]),
        ("overflow", [2**31 - 2, 1], [2**31 - 1, 1]),
    ],
)
def test_emulator_finds_nothing_within_bounds(kernel: str, data: list[int], after: list[int]) -> None:
    done = run_under_address_sanitizer(kernel, data)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{after}\n"


def test_emulator_hindrances_are_explained_under_address_sanitizer() -> None:
    done = run_under_address_sanitizer("barrier_against_collective", [])
    assert "RuntimeError: emulator: barrier_against_collective, block 0, the block hangs" in done.stderr
