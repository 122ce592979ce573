"""Generated documents say what the code says."""

from __future__ import annotations

from api.docs import __main__ as documents


def test_generated_documents_are_up_to_date():
    wrong = documents.differences(documents.render_all(), documents.ROOT)
    assert not wrong, f"run `make docs`; not up to date: {wrong}"


def test_a_changed_a_missing_and_a_stray_page_are_found(tmp_path):
    pages = {"docs/reference/a.md": "a\n", "docs/reference/b.md": "b\n"}
    documents.write(pages, tmp_path)
    assert documents.differences(pages, tmp_path) == []
    (tmp_path / "docs/reference/a.md").write_text("something else\n", encoding="utf-8")
    (tmp_path / "docs/reference/b.md").unlink()
    (tmp_path / "docs/reference/c.md").write_text("left behind\n", encoding="utf-8")
    assert documents.differences(pages, tmp_path) == [f"docs/reference/{name}.md" for name in "abc"]
    documents.write(pages, tmp_path)
    assert documents.differences(pages, tmp_path) == []
