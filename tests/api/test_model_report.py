"""The model card and the evaluation report: complete in both languages, and never read as evidence about children."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from api.cli import app
from api.cli.model_report import card, sheets
from api.cli.model_report.subject import Subject, _flags, of_day_one
from api.cli.model_report.write import documents, write
from risk_model.dataset import DataRefused
from risk_model.evidence import Evidence, gather
from screening.core.i18n import translate

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def day_one() -> Subject:
    return of_day_one(world="stressed", n=1_500, seed=3, base_rate=0.1)


@pytest.fixture(scope="module")
def evidence(day_one: Subject) -> Evidence:
    return gather(day_one.judged, bootstraps=8)


@pytest.fixture(scope="module")
def made(day_one: Subject, evidence: Evidence) -> dict[str, str]:
    return documents(day_one, evidence, made_on="2030-01-02")


def sentences() -> Iterator[str]:
    for item in card.ITEMS:
        yield from (item.label, *item.day_one, *item.fitted)
    yield from (*card.NOT_FOR_DAY_ONE, *card.NOT_FOR_FITTED, card.SIMULATED, card.FOREIGN)
    yield from (label for _, label, _ in sheets.FIGURES)


def test_every_sentence_of_the_card_has_a_chinese_text() -> None:
    values = dict.fromkeys(re.findall(r"{(\w+)", " ".join(sentences())), 0.5)
    for text in sentences():
        if text != "{predictors}.":
            assert CHINESE.search(translate("zh", text, **values)), text


def test_the_card_has_the_27_items_in_order() -> None:
    numbers = [int(re.sub(r"\D", "", item.number)) for item in card.ITEMS]
    assert sorted(set(numbers)) == list(range(1, 28))
    assert numbers == sorted(numbers)


def test_both_documents_in_both_languages_say_what_they_are_not(made: dict[str, str]) -> None:
    assert set(made) == {"model-card.zh", "model-card.en", "evaluation.zh", "evaluation.en"}
    for name, text in made.items():
        locale = name.rsplit(".", 1)[1]
        assert translate(locale, card.SIMULATED) in text
        for use in card.NOT_FOR_DAY_ONE:
            assert translate(locale, use) in text
    assert not re.search(
        r">[A-Za-z ]{12,}<", re.sub(r"<(style|title).*?</\1>", "", made["evaluation.zh"], flags=re.S)
    )


def test_the_report_shows_curves_rules_capacities_and_groups(
    made: dict[str, str], evidence: Evidence
) -> None:
    text = made["evaluation.en"]
    groups = [g for members in evidence.groups.values() for g in members.values() if g.curve]
    assert text.count("<svg") == 2 + len(evidence.decision.rules) + 3 + len(groups)
    for each in (
        "PHQ9 ≥ 10",
        "MHT ≥ 65",
        "SDQ-P ≥ 17",
        "any of these",
        "see nobody",
        "3% (p",
        "5% (p",
        "8% (p",
        "15% (p",
    ):
        assert each in text
    for column in ("sex", "grade band", "left behind", "migrant", "sheets"):
        assert f"<h3>{column}</h3>" in text
    assert f"{evidence.figures['auroc'].value:.3f} (" in text


def test_pages_stand_alone_and_print(day_one: Subject, evidence: Evidence, tmp_path: Path) -> None:
    """One of the four as PDF: the others are the same templates in another language."""
    paths = write(day_one, evidence, tmp_path / "out", made_on="2030-01-02", tell=lambda _: None, pdf=False)
    assert len(paths) == 4
    for path in paths:
        text = path.read_text("utf-8")
        assert "<style>" in text
        assert not re.search(r"""(?:src|href)=|url\(|<script""", text)


@pytest.mark.slow
def test_all_four_print(day_one: Subject, evidence: Evidence, tmp_path: Path) -> None:
    from pypdf import PdfReader

    told: list[str] = []
    paths = write(day_one, evidence, tmp_path, made_on="2030-01-02", tell=told.append)
    assert told == ["model-card.zh", "evaluation.zh", "model-card.en", "evaluation.en"]
    for path in (path for path in paths if path.suffix == ".pdf"):
        pages = PdfReader(path).pages
        text = re.sub(r"\s", "", "".join(page.extract_text() for page in pages))
        assert 2 <= len(pages) <= 12
        assert re.sub(r"\s", "", translate(path.name.split(".")[1], card.SIMULATED)) in text


def test_the_day_one_model_is_judged_where_it_can_say_something(day_one: Subject) -> None:
    assert not np.isnan(day_one.judged.p).any()
    any_rule = day_one.judged.rules["any of these"]
    assert (
        any_rule == np.max([f for n, f in day_one.judged.rules.items() if n != "any of these"], axis=0)
    ).all()


def test_wrong_asks_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XINQIAO_LANG", "en")
    for arguments, says in (
        (["--world", "better"], "nominal or stressed"),
        ([str(tmp_path)], "name it, and its --outcome"),
    ):
        done = CliRunner().invoke(app, ["model", "report", *arguments], catch_exceptions=False)
        assert done.exit_code == 2
        assert says in done.stderr
    with pytest.raises(DataRefused, match="COLUMN>=NUMBER"):
        _flags(None, "worry > high", None)  # type: ignore[arg-type]
