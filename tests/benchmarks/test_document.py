"""The documents quote what the recorded files hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.document import BLOCK, DOCUMENTS, TABLES, documented


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_tables_are_those_of_the_records(path: Path) -> None:
    text = path.read_text()
    assert BLOCK.search(text)
    assert documented(text) == text, "run: python -m benchmarks.document"


@pytest.mark.parametrize("name", list(TABLES))
def test_tables_have_rows_and_no_holes(name: str) -> None:
    head, rule, *rows = TABLES[name].lines()
    assert rows
    assert {line.count("|") for line in (head, rule, *rows)} == {len(TABLES[name].columns) + 1}
    assert not any(re.search(r"\|\s*\|", row) for row in rows)


def test_every_table_is_in_a_document() -> None:
    shown = [found["name"] for path in DOCUMENTS for found in BLOCK.finditer(path.read_text())]
    assert sorted(shown) == sorted(TABLES)


def test_a_figure_that_no_record_holds_is_found() -> None:
    text = next(path.read_text() for path in DOCUMENTS if path.name == "performance.md")
    found = BLOCK.search(text)
    assert found is not None
    wrong = text.replace(found[0], re.sub(r"\d", "1", found[0]))
    assert wrong != text
    assert documented(wrong) == text
