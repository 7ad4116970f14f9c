"""`stn3dmm bench`: what each operator costs on this machine, what it is compared with, how far it is from the limit."""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stn3dmm.cli.console import progress, say

if TYPE_CHECKING:
    import torch
    from stn3dmm_benchmarks.record import Results
    from stn3dmm_benchmarks.suite import Settings


def bench(
    rooms: Annotated[
        list[str] | None, typer.Argument(metavar="[ROOM]...", help="Operators (pose, warp, ...); all without any.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few cases, about a minute.")] = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Of the CPU; PyTorch's own without.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write everything there, after every case.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with --json's file, where it was cut short.")] = False,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="DIR", help="Draw pictures there (PNG).")] = None,
    no_compile: Annotated[
        bool, typer.Option("--no-compile", help="Leave out the compiled baseline, which takes long to compile.")
    ] = False,
) -> None:
    """Measure the operators beside plain PyTorch, and beside what the machine's memory and arithmetic allow.

    A table for each operator: median time and quartiles, share of the limit (the larger of the times to move the least
    bytes and to do the least arithmetic, both rates measured in this run), how many times slower the baseline is, and
    PyTorch's memory beyond inputs and outputs. All cases take most of an hour; without --quick name operators.
    Two files are compared by 'python -m stn3dmm_benchmarks.compare A.json B.json'.

    Example: stn3dmm bench warp --quick --json bench.json --plot pictures
    """
    from stn3dmm.files import check_folder, check_target

    if importlib.util.find_spec("matplotlib") is None and plot is not None:
        raise ValueError("--plot needs matplotlib, which is not installed; run 'pip install matplotlib'.")
    if resume and json_file is None:
        raise ValueError("--resume needs --json, the file to go on with.")
    if json_file is not None:
        check_target(json_file)
    if plot is not None:
        check_folder(plot)
    chosen_device = _device(device)
    from stn3dmm_benchmarks.suite import chosen
    from stn3dmm_benchmarks.table import say_results

    cases = chosen(rooms or [], quick)
    with _threads(threads):
        results = _measured(cases, _settings(chosen_device, quick, not no_compile), quick, json_file, resume)
    say_results(results)
    for line in results.absent:
        say(f"Not compared with {line}")
    if json_file is not None:
        say(f"-> {json_file}")
    if plot is not None:
        from stn3dmm_benchmarks.plots import draw

        say(f"-> {', '.join(map(str, draw(results, plot)))}")


def _device(name: str) -> torch.device:
    import torch

    from stn3dmm_cuda import has_cuda
    from stn3dmm_cuda._library import CUDA_LOADED, why_no_cuda

    if name == "auto":
        return torch.device("cuda" if has_cuda() else "cpu")
    kind, colon, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (colon and (kind == "cpu" or not number.isdigit())):
        raise ValueError(f"--device must be auto, cpu, cuda or cuda:N; got {name!r}.")
    if kind == "cuda" and not has_cuda():
        reason, remedy = ("PyTorch sees no GPU", "see nvidia-smi") if CUDA_LOADED else why_no_cuda()
        raise ValueError(f"--device {name}: {reason}; {remedy}, or measure with --device cpu.")
    if kind == "cuda" and number and int(number) >= torch.cuda.device_count():
        raise ValueError(f"--device {name}: this machine has {torch.cuda.device_count()} GPUs, counted from 0.")
    if kind == "cuda" and number:
        torch.cuda.set_device(int(number))  # events, streams and graphs are the current device's
    return torch.device(name)


def _threads(count: int | None) -> contextlib.AbstractContextManager[None]:
    from stn3dmm.threads import limited_threads

    return contextlib.nullcontext() if count is None else limited_threads(count)


def _settings(device: torch.device, quick: bool, compile_baseline: bool) -> Settings:
    from stn3dmm_benchmarks.harness import FULL, QUICK
    from stn3dmm_benchmarks.suite import Settings

    return Settings(device, QUICK if quick else FULL, compile_baseline)


def _measured(cases: list[Any], settings: Settings, quick: bool, file: Path | None, resume: bool) -> Results:
    """The results of the cases; the file holds them as they come."""
    from stn3dmm_benchmarks import ceilings
    from stn3dmm_benchmarks.environment import environment
    from stn3dmm_benchmarks.record import SAME_RUN, Results, check_same, load
    from stn3dmm_benchmarks.suite import run

    before = load(file) if file is not None and resume and file.exists() else None
    if before is not None and before.quick != quick:
        raise ValueError(f"{file}: {'a quick' if before.quick else 'not a quick'} run; go on with it the same way.")
    with progress(len(cases) + 1, "Measuring") as step:
        step("the machine itself")
        held = before is not None and {(case.room, case.name) for case in cases} <= before.keys
        limits = before.ceilings if before and held else ceilings.measured(settings.device, settings.effort)
        results = Results(environment(settings.device), limits, quick)
        if before is not None:
            check_same(SAME_RUN, before, results, "Start a new file, without --resume.")
            before.ceilings = before.ceilings.best(limits)
            results = before
        run(cases, settings, results, lambda: results.write(file) if file else None, step)
    return results
