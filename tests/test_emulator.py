"""The emulator runs kernels as a GPU would: results known by hand, orders, barriers and errors."""

from __future__ import annotations

import numpy as np
import pytest

from .emulator import build
from .emulator.planted_kernels import Array, planted, run

pytestmark = pytest.mark.skipif(build.what_is_missing() is not None, reason=f"emulator: {build.what_is_missing()}")


def numbers(count: int, dtype: str = "float32") -> Array:
    return np.arange(count).astype(dtype)


def test_emulator_knows_its_variants() -> None:
    assert planted().variant() == "plain"
    assert planted("race").variant() == "race"


def test_emulator_counts_and_names_launches() -> None:
    before = planted().launches()
    run("many_barriers", numbers(96))
    run("sums_double", numbers(4, "float64"))
    assert planted().launches() == before + 2
    assert {"many_barriers", "sums<double>"} <= set(planted().kernels())


# What makes a block hang, or differs between its threads, and what the error tells of it.
HINDRANCES = {
    "barrier_in_branch": r"not the same barrier for the whole block",
    "barrier_against_collective": r"hangs: threads 0-39 wait at __syncthreads \(.*\); threads 40-63 wait at __syncwarp",
    "lane_that_never_comes": r"threads 3 wait at __syncthreads .*; threads 0-2, 4-31 wait at __syncwarp",
    "different_collectives": r"not the same collective for all lanes of the mask",
    "different_masks": r"with another mask",
    "mask_without_caller": r"with a mask that does not name its own lane",
    "read_of_absent_lane": r"__shfl_down_sync .* it reads lane \d+, which takes no part",
    "exception": r"block 0, thread 5: thrown by a kernel",
    "too_many_threads": r"CUDA reports: invalid configuration argument\.$",
}


@pytest.mark.parametrize(("kernel", "message"), HINDRANCES.items())
def test_emulator_explains_what_hinders_a_block(kernel: str, message: str) -> None:
    data = numbers(2048)
    with pytest.raises(RuntimeError, match=message):
        run(kernel, data)
    np.testing.assert_array_equal(run("with_barrier", data)[:64], data[:64][::-1])  # and nothing stays behind


def test_emulator_barrier_does_not_wait_for_threads_that_ended() -> None:
    np.testing.assert_array_equal(run("barrier_after_exit", np.zeros(64, np.float32)), 40 * [7] + 24 * [0])


def test_emulator_keeps_locals_across_many_barriers() -> None:
    np.testing.assert_array_equal(run("many_barriers", numbers(96)), 96 * [50 * 95 * 96 / 2])


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (9, "invalid configuration argument"),
        (35, "Update the driver"),
        (100, "No GPU is visible"),
        (719, "launch failure"),
    ],
)
def test_emulator_fails_a_launch_on_demand(status: int, message: str) -> None:
    before = planted().launches()
    planted().fail_next_launch(status)
    with pytest.raises(RuntimeError, match=f"planted: CUDA reports: .*{message}"):
        run("many_barriers", numbers(96))
    assert planted().launches() == before
    run("many_barriers", numbers(96))


def test_emulator_is_not_asked_for_more_blocks_than_a_launch_has() -> None:
    before = planted().launches()
    with pytest.raises(
        RuntimeError, match=r"planted: needs 2147483648 blocks of threads.* Split the batch; a single im"
    ):
        run("many_barriers", numbers(96), 2**31)
    assert planted().launches() == before


def order_of_threads(order: str, seed: int = 0) -> list[list[int]]:
    """In which the threads came before a barrier, and after it, in two launches."""
    planted().set_order(order, seed)
    rounds = []
    for _ in range(2):
        data = np.zeros(129, np.int32)
        planted().run("order", data)
        rounds += [data[1:65].tolist(), data[65:].tolist()]
    return rounds


def order_of_blocks(order: str) -> list[int]:
    planted().set_order(order, 0)
    data = np.zeros(21, np.int32)
    planted().run("order_of_blocks", data, 20)
    return list(data[1:].tolist())


def test_emulator_runs_in_the_order_asked_for() -> None:
    assert order_of_threads("forward") == 4 * [list(range(64))]
    assert order_of_threads("reverse") == 4 * [list(range(63, -1, -1))]
    assert order_of_blocks("forward") == list(range(20))
    assert order_of_blocks("reverse") == list(range(19, -1, -1))


def test_emulator_shuffles_by_seed() -> None:
    """Anew after each barrier and for each launch, but the same from the same seed."""
    rounds = order_of_threads("shuffled", 1)
    assert all(sorted(order) == list(range(64)) for order in rounds)
    assert len({tuple(order) for order in rounds + order_of_threads("shuffled", 2)}) == 8
    assert order_of_threads("shuffled", 1) == rounds
    assert sorted(order_of_blocks("shuffled")) == list(range(20))
    assert order_of_blocks("shuffled") != list(range(20))
    with pytest.raises(ValueError, match="forward, reverse or shuffled; got sideways"):
        planted().set_order("sideways")


def test_emulator_fills_shared_memory_with_garbage() -> None:
    for kernel in ("uninitialised_shared", "uninitialised_shared_double"):
        dtype = "float64" if kernel.endswith("double") else "float32"
        for blocks in (1, 3):
            assert np.isnan(run(kernel, np.zeros(64, dtype), blocks)).all()
    assert (run("uninitialised_shared_int", np.zeros(64, np.int32)) > 1 << 30).all()


def test_emulator_gives_each_block_its_own_shared_memory() -> None:
    for variant in ("plain", "race"):
        data = run("shared_of_each_block", np.zeros(40, np.float32), 20, variant)
        np.testing.assert_array_equal(data.reshape(20, 2), [[block, block + 1] for block in range(20)])


LANES = list(range(32))
SHUFFLES = [
    32 * [5],
    [*LANES[1:], 0],
    [lane // 8 * 8 + 2 for lane in LANES],
    [0, *LANES[:-1]],
    [lane - 3 if lane % 8 >= 3 else lane for lane in LANES],
    [*LANES[1:], 31],
    [lane + 3 if lane % 8 < 5 else lane for lane in LANES],
    [*LANES[16:], *LANES[:16]],
    # 9 = 8 + 1 leads into the next group of 8, which may not be read, or into the one before, which may.
    [lane ^ 9 if lane % 16 >= 8 else lane for lane in LANES],
]


@pytest.mark.parametrize(
    ("name", "dtype"), [("int", "int32"), ("float", "float32"), ("double", "float64"), ("long", "int64")]
)
def test_emulator_shuffles_by_hand(name: str, dtype: str) -> None:
    results = run(f"shuffles_{name}", np.zeros(32 * len(SHUFFLES), dtype)).reshape(-1, 32)
    np.testing.assert_array_equal(results, SHUFFLES)


def test_emulator_votes_by_hand() -> None:
    results = run("votes", np.zeros((14, 32), np.uint32))
    minus = (1 << 32) - 1
    expected = [0xAAAAAAAA, 1, 0, 1, 0, -1, 496, 4, 31, minus, 0, 0, minus + 1 - 32, minus + 1 - 31]
    for row, value in zip(results, expected, strict=True):
        np.testing.assert_array_equal(row, 16 * [0x0000FFFF] + 16 * [0xFFFF0000] if value == -1 else value)


def test_emulator_votes_of_a_block_by_hand() -> None:
    """48 threads: the second warp has 16 lanes."""
    ballot, *others = run("block_votes", np.zeros((5, 48), np.uint32))
    np.testing.assert_array_equal(ballot, 32 * [0xFFFFFFFF] + 16 * [0x0000FFFF])
    assert [set(row.tolist()) for row in others] == [{10}, {1}, {1}, {0}]


def test_emulator_lets_halves_of_a_warp_meet_apart() -> None:
    np.testing.assert_array_equal(run("half_warps", numbers(32)), [lane ^ 1 for lane in LANES])


DTYPES = {
    "int": "int32",
    "unsigned": "uint32",
    "long": "int64",
    "unsigned_long": "uint64",
    "float": "float32",
    "double": "float64",
}


@pytest.mark.parametrize(
    ("operation", "types", "before", "after"),
    [
        ("sums", ["int", "unsigned", "unsigned_long", "float", "double"], [5], [15]),
        ("extrema", ["int", "long"], [0, 0], [1, -2]),
        ("extrema", ["unsigned", "unsigned_long"], [0, 9], [-1, 0]),
        ("bits", ["int", "unsigned", "unsigned_long"], [16, 31, 3], [31, 16, 12]),
        ("compare_and_swap", ["int", "unsigned", "unsigned_long"], [2, 7], [48, 7]),
    ],
)
def test_emulator_atomics_by_hand(operation: str, types: list[str], before: list[int], after: list[int]) -> None:
    for variant in ("plain", "race"):
        for name in types:
            data = run(f"{operation}_{name}", np.array(before).astype(DTYPES[name]), variant=variant)
            np.testing.assert_array_equal(data, np.array(after).astype(DTYPES[name]))


@pytest.mark.parametrize("name", ["int", "unsigned", "unsigned_long", "float"])
def test_emulator_exchange_gives_what_was_there(name: str) -> None:
    data = run(f"exchanges_{name}", np.array([9, 0, 0, 0, 0]).astype(DTYPES[name]))
    assert sorted(data.tolist()) == [1, 2, 3, 4, 9]


def test_emulator_subtracts_and_wraps() -> None:
    np.testing.assert_array_equal(run("subtract_and_wrap", np.array([10, 0], np.uint32)), [0, 1])
