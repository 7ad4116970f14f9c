"""A small part of the fuzzing of the readers (`make fuzz`), and proof that it would find what it looks for."""

from __future__ import annotations

import sys

import pytest

from . import fuzz

CASES = range(50)


def reject(message):
    raise ValueError(message)


@pytest.mark.parametrize("name", sorted(fuzz.formats()))
def test_damaged_files_are_read_or_refused(name):
    results = dict(fuzz.run_cases(fuzz.formats()[name], CASES))
    assert not {case: result for case, result in results.items() if result not in ("read", "refused")}
    assert "refused" in results.values()


@pytest.mark.parametrize("name", sorted(fuzz.formats()))
def test_seeds_are_read(name, tmp_path):
    """Damage says something only about a file that is read without it."""
    fuzzed = fuzz.formats()[name]
    assert fuzz.outcome(fuzzed, tmp_path, fuzzed.write(tmp_path)) == "read"


@pytest.mark.parametrize(
    ("reader", "finding"),
    [
        (lambda path: {}["missing"], "KeyError"),
        (lambda path: bytearray(1 << 62), "MemoryError"),
        (lambda path: path.with_name("new").touch(), "files were written"),
        (lambda path: path.write_text("other"), "files were written"),
        (lambda path: reject("two\nlines"), "not one line"),
    ],
)
def test_findings(monkeypatch, tmp_path, reader, finding):
    monkeypatch.setattr(fuzz.readers, "read_mesh", reader)
    fuzzed = fuzz.formats()["ply"]
    result = fuzz.outcome(fuzzed, tmp_path, fuzzed.write(tmp_path))
    assert result.startswith("finding")
    assert finding in result


def test_a_child_that_dies_is_a_finding_and_the_rest_is_done(tmp_path):
    """A child that is killed in case 4 and finishes every other."""
    script = tmp_path / "child.py"
    script.write_text(
        "import json, os, signal, sys\n"
        "first, last, progress = int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]\n"
        "for case in range(first, last):\n"
        "    open(progress, 'w').write(str(case))\n"
        "    if case == 4:\n"
        "        os.kill(os.getpid(), signal.SIGALRM)\n"
        "    print(json.dumps([case, 'read']), flush=True)\n"
    )
    outcomes = fuzz.run_child("any", range(2, 7), command=(sys.executable, str(script)))
    assert {case: result[:30] for case, result in outcomes.items()} == {
        **dict.fromkeys((2, 3, 5, 6), "read"),
        4: "finding: ended with SIGALRM: ",
    }


def test_a_child_works_under_limits():
    outcomes = fuzz.run_child("sfm", range(3))
    assert set(outcomes) == {0, 1, 2}
    assert set(outcomes.values()) <= {"read", "refused"}
