"""Fuzzing of the readers of mesh models: mutated files, half of them still valid containers, in child processes.

    python -m tests.stn3dmm.formats.fuzz [--count 10000] [--processes 2] [FORMAT ...]

A case is a format and a number; both make its damage, so that a finding can be looked at again with ``--case``. Each
must end with a mesh, or with a ValueError or OSError of one line, in time, in memory, and with nothing written.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import stn3dmm.formats as readers
from stn3dmm.formats import recognition

from .mutation import Fuzzed, damage_bytes

CASES_PER_CHILD = 250
SECONDS_PER_CASE = 20
MEMORY = 1 << 30  # bytes beyond what a child has taken for its imports
COMMAND = (sys.executable, "-m", f"{__package__}.fuzz")


def formats() -> dict[str, Fuzzed]:
    """All formats that are fuzzed, by name: what the modules ``fuzz_*.py`` beside this one list as FUZZED."""
    names = sorted(file.stem for file in Path(__file__).parent.glob("fuzz_*.py"))
    modules = [importlib.import_module(f"{__package__}.{name}") for name in names]
    return {fuzzed.name: fuzzed for module in modules for fuzzed in module.FUZZED}


def damage(fuzzed: Fuzzed, source: Path, case: int) -> None:
    """Even cases damage the bytes of one file, odd ones what the container holds."""
    random = np.random.default_rng([zlib.crc32(fuzzed.name.encode()), case])
    if case % 2:
        fuzzed.damage_content(source, random)
        return
    files = [source] if source.is_file() else sorted(file for file in source.rglob("*") if file.is_file())
    file = files[int(random.integers(0, len(files)))]
    file.write_bytes(damage_bytes(file.read_bytes(), random))


def outcome(fuzzed: Fuzzed, folder: Path, source: Path) -> str:
    """What the reader makes of the source: "read", "refused", or a finding."""
    options = {name: value.replace("FOLDER/", f"{folder}/") for name, value in fuzzed.options.items()}
    before = _listing(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            getattr(readers, fuzzed.reader)(source, **options)
        result = "read"
    except (ValueError, OSError) as error:
        result = "refused" if "\n" not in str(error) and str(error) else f"finding: not one line: {error!r}"
    except Exception:
        result = f"finding: {traceback.format_exc()}"
    return result if _listing(folder) == before else "finding: files were written or changed"


def _listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(file), file.stat().st_mtime_ns) for file in folder.rglob("*"))


def run_cases(
    fuzzed: Fuzzed, cases: range, begin: Callable[[int], object] = lambda case: None
) -> Iterator[tuple[int, str]]:
    """Each case and its outcome; ``begin`` is called before each."""
    with tempfile.TemporaryDirectory() as place:
        seed, folder = Path(place) / "seed", Path(place) / "case"
        seed.mkdir()
        written = fuzzed.write(seed).relative_to(seed)
        for case in cases:
            begin(case)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(seed, folder)
            damage(fuzzed, folder / written, case)
            yield case, outcome(fuzzed, folder, folder / written)


def child(name: str, cases: range, progress: Path) -> None:
    """Prints one JSON line a case, under limits of memory and time; ``progress`` tells the case that it died in."""
    fuzzed = formats()[name]
    for module in ("h5py", "scipy.io", "trimesh.exchange.ply"):  # or their code would count as the readers' memory
        importlib.import_module(module)
    list(recognition.mesh_formats())
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def begin(case: int) -> None:
        progress.write_text(str(case))
        signal.alarm(SECONDS_PER_CASE)  # its default action ends the process, whatever library hangs

    for case, result in run_cases(fuzzed, cases, begin):
        print(json.dumps([case, result]), flush=True)
    signal.alarm(0)  # a loaded machine can take long to end the interpreter


def run_child(name: str, cases: range, command: Sequence[str] = COMMAND) -> dict[int, str]:
    """The outcomes of the cases; after a crash or a hang the rest goes to another child."""
    outcomes: dict[int, str] = {}
    while len(cases):
        with tempfile.TemporaryDirectory() as place:
            progress = Path(place) / "progress"
            arguments = ["--child", name, str(cases.start), str(cases.stop), str(progress)]
            environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            process = subprocess.run([*command, *arguments], capture_output=True, text=True, env=environment)
            outcomes |= {case: result for case, result in map(json.loads, process.stdout.splitlines())}
            if process.returncode == 0:
                break
            if not progress.exists():
                raise RuntimeError(f"fuzz: the child for {name} did not start:\n{process.stderr}")
            last = int(progress.read_text())
        outcomes[last] = f"finding: ended with {_ending(process.returncode)}: {process.stderr[-2000:]}"
        cases = range(last + 1, cases.stop)
    return outcomes


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def fuzz(names: list[str], count: int, processes: int) -> int:
    """Fuzzes the formats and prints a line for each; the number of findings."""
    findings = 0
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        for name in names:
            batches = [range(k, min(k + CASES_PER_CHILD, count)) for k in range(0, count, CASES_PER_CHILD)]
            outcomes: dict[int, str] = {}
            for batch in pool.map(lambda cases, name=name: run_child(name, cases), batches):
                outcomes |= batch
            counts = Counter(result if result in ("read", "refused") else "finding" for result in outcomes.values())
            print(f"{name}: {len(outcomes)} cases, {dict(counts)}", flush=True)
            for case, result in sorted(outcomes.items()):
                if result.startswith("finding"):
                    findings += 1
                    print(f"  --case {name} {case}: {result}", flush=True)
    return findings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help="the formats; all without one")
    parser.add_argument("--count", type=int, default=10_000, help="cases a format")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--case", nargs=2, metavar=("FORMAT", "NUMBER"), help="run one case here, without limits")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        name, start, stop, progress = given.child
        child(name, range(int(start), int(stop)), Path(progress))
        return 0
    if given.case:
        name, case = given.case[0], int(given.case[1])
        ((_, result),) = run_cases(formats()[name], range(case, case + 1))
        print(result)
        return int(result.startswith("finding"))
    return int(fuzz(given.formats or list(formats()), given.count, given.processes) > 0)


if __name__ == "__main__":
    sys.exit(main())
