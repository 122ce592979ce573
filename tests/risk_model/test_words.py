"""What the training path says to people has a Chinese text: these messages are passed on as values, not marked."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from screening.core.i18n import translate

ROOT = Path(__file__).resolve().parents[2]
FILES = ("risk_model/dataset.py", "risk_model/training.py", "risk_model/appraisal.py")


def sentences(path: Path) -> Iterator[str]:
    """Texts that read as sentences, without docstrings and the pieces of f-strings."""
    tree = ast.parse(path.read_text("utf-8"))
    other = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    other |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in other:
            continue
        if " " in node.value and re.search(r"[.?:}]$", node.value):
            yield node.value


def test_every_sentence_has_a_chinese_text() -> None:
    found = [text for name in FILES for text in sentences(ROOT / name)]
    assert len(found) > 25
    values = {name: 0.5 for text in found for name in re.findall(r"{(\w+)", text)}
    assert not [text for text in found if translate("zh", text, **values) == translate("en", text, **values)]
