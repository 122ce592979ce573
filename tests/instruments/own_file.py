"""A made-up questionnaire of a district, right and with three examples that hold; tests spoil it one thing at a time."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

File = dict[str, Any]


def own_file() -> File:
    """The GAD-7 under another code: a sheet of seven items with a source, a licence and examples."""
    text = (files("instruments") / "library" / "gad7.yaml").read_text("utf-8")
    content: File = yaml.load(text, Loader=yaml.CSafeLoader)
    content["code"] = "our_seven"
    content["examples"] = [
        {"every": 1, "expect": {"total": 7, "total.band": "mild", "valid": True, "critical": []}},
        {"every": 0, "answers": {1: 3, 2: None}, "expect": {"total": 4, "total.status": "prorated"}},
        {"answers": {7: 3}, "expect": {"total": None, "valid": False, "grade": None}},
    ]
    return content


def as_bytes(content: File) -> bytes:
    """The file as it would lie on a disk."""
    return yaml.dump(content, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False).encode()
