"""``xinqiao import``: stage, review by Excel row and column, commit; refused in words."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from api.cli import home, imports
from screening.core.db import Database
from screening.core.errors import InvalidInput, NotFound, NotPermitted, Unavailable
from screening.core.outbox import OutboxMessage
from screening.core.sealing import write_keys
from screening.models.child import Child
from screening.models.result import ScreenResult
from tests.referral.county import furnished
from tests.screening.workbooks import HEADINGS, PHQ9, child, workbook


@pytest.fixture
def county(settings, database_url, keyring, clock, monkeypatch):
    """A school with an open campaign, in a home that nobody holds."""
    monkeypatch.setattr(imports, "Clock", lambda: clock)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.setenv("COLUMNS", "200")
    settings.home.chmod(0o700)
    write_keys(settings.keys_file, keyring)
    database = Database(database_url, keyring)
    made = furnished(database, clock)
    database.close()
    return made


@pytest.fixture
def book(tmp_path, clock):
    """Three children with consent and their PHQ-9, one of them with a raised score; ``wrong`` spoils a row."""

    def make(name="roster.xlsx", *, wrong=False):
        day = clock.today()
        agreed = {"筛查同意": "是", "转介同意": "是", "同意日期": day}
        children = [child(number, **agreed) for number in (1, 2, 3)]
        sheets = [
            [row[0], row[1], day, *answers]
            for row, answers in zip(children, ([0] * 9, [0] * 9, [2] * 5 + [0] * 4), strict=True)
        ]
        if wrong:
            sheets[1][5] = 7
        path = tmp_path / name
        path.write_bytes(workbook({"名册": [HEADINGS, *children], "phq9": [PHQ9, *sheets]}))
        return path

    return make


@pytest.fixture
def run(settings, county):
    def typed(file, *, username="counsellor", campaign_id=None, good_rows=False):
        return imports.run(
            settings,
            file=file,
            campaign_id=campaign_id or county.campaign_id,
            username=username,
            good_rows=good_rows,
        )

    return typed


@pytest.fixture
def count(settings):
    def stored(model):
        with home.opened(settings) as database, database.look() as session:
            return session.scalar(select(func.count()).select_from(model))

    return stored


def test_a_workbook_goes_all_the_way(run, book, count, capsys):
    assert run(book())
    said = capsys.readouterr().out
    assert "Rows: 6. Good: 6. Refused: 0" in said
    assert "Written: 6 rows" in said
    assert count(Child) == 3
    assert count(ScreenResult) == 3


def test_the_same_file_again_is_once(run, book, count, capsys):
    file = book()
    assert run(file)
    assert run(file)
    assert "imported before" in capsys.readouterr().out
    assert count(ScreenResult) == 3


def test_errors_are_named_by_excel_row_and_column_and_nothing_is_written(run, book, count, capsys):
    assert not run(book(wrong=True))
    said = capsys.readouterr()
    [line] = [line for line in said.out.splitlines() if "phq9" in line]
    assert [cell.strip() for cell in line.strip("│ ").split("│")][:3] == ["phq9", "3", "F"]
    assert "--good-rows" in said.err
    assert count(Child) == 0
    assert count(ScreenResult) == 0


def test_the_good_rows_can_be_written_alone(run, book, count, capsys):
    assert run(book(wrong=True), good_rows=True)
    assert "Refused: 1" in capsys.readouterr().out
    assert count(ScreenResult) == 2


def test_a_file_that_is_no_workbook(run, tmp_path, count, capsys):
    file = tmp_path / "x.xlsx"
    file.write_bytes(b"not a workbook")
    assert not run(file)
    assert "as a whole" in capsys.readouterr().err
    assert count(OutboxMessage) == 0


def test_a_file_that_cannot_be_read_or_is_too_large(run, settings, tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read"):
        run(tmp_path / "none.xlsx")
    large = tmp_path / "large.xlsx"
    with large.open("wb") as file:
        file.truncate(settings.import_limit + 1)
    with pytest.raises(InvalidInput, match="larger"):
        run(large)


def test_only_for_people_and_campaigns_that_are_there(run, book, county):
    with pytest.raises(NotFound, match="account"):
        run(book(), username="nobody")
    with pytest.raises(NotFound):
        run(book(), campaign_id=county.places["school"].id)
    with pytest.raises((NotFound, NotPermitted)):
        run(book(), username="clinician")


def test_refused_while_the_service_holds_the_file(run, book, settings, keyring):
    serving = Database(settings.database_url, keyring)
    try:
        if serving.is_sqlite:
            with pytest.raises(Unavailable, match="in use"):
                run(book())
        else:
            assert run(book()), "PostgreSQL takes any number of processes"
    finally:
        serving.close()


def test_rows_that_are_not_written_in_time_are_not_lost(run, book, count, monkeypatch):
    monkeypatch.setattr(imports, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr("api.worker.Worker.run_once", lambda self: False)
    with pytest.raises(Unavailable, match="Nothing is lost"):
        run(book())
    monkeypatch.undo()
    assert count(ScreenResult) == 0
