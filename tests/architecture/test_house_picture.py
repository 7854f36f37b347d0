"""The picture of the house shows the rules that the linter keeps."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.architecture.house_picture import BEGIN, DOCUMENTS, END, block, found_in, renew
from tests.architecture.tools import ROOT

LINES = block().splitlines()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_document_shows_the_house_as_the_rules_have_it(document: str) -> None:
    assert found_in((ROOT / document).read_text()) == block(), "renew it with ./dev picture"


def test_the_picture_leads_from_the_entrypoints_down_to_the_kernel() -> None:
    assert [line.strip() for line in LINES if re.fullmatch(r" {4}\w+ --> \w+", line)] == [
        "entrypoints --> contexts",
        "contexts --> context",
        "context --> oversight",
        "oversight --> events",
        "events --> kernel",
    ]


def test_a_changed_rule_changes_the_picture(tmp_path: Path) -> None:
    for name in DOCUMENTS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    shutil.copytree(ROOT / "ecshop/kernel", tmp_path / "ecshop/kernel", ignore=shutil.ignore_patterns("*.*", "vendor"))
    rules = (ROOT / ".importlinter").read_text()
    (tmp_path / ".importlinter").write_text(rules.replace("    stock\n    product\n", "    product\n    stock\n"))
    renew(tmp_path)
    texts = {(tmp_path / name).read_text() for name in DOCUMENTS}
    [text] = texts
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "product -- contract --> stock" in text
    assert "stock -- contract --> product" not in text
