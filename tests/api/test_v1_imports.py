"""A workbook over HTTP: template, review in words, commit; bad files store nothing and silence nothing."""

from __future__ import annotations

import io
from datetime import date, datetime

import pytest
from openpyxl import load_workbook
from sqlalchemy import func, select

from referral.models.case import Case
from referral.models.task import Task
from referral.terms import TaskKind
from screening.core.clock import LOCAL
from screening.models.administration import Administration
from screening.models.child import Child, Guardian
from screening.models.consent import Consent
from screening.models.import_batch import ImportBatch
from tests.factories import answers
from tests.screening.workbooks import HEADINGS, PHQ9, child, workbook

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
TODAY = date(2026, 10, 14)


@pytest.fixture
def campaign(world):
    return world.make_campaign("phq9", "gad7")


@pytest.fixture
def upload(client, as_, campaign):
    def upload(data, who="counsellor", *, to=None, name="名册.xlsx", locale="en"):
        return client.post(
            "/api/v1/imports",
            data={"campaign_id": str(to or campaign)},
            files={"file": (name, data)},
            headers=as_(who) | {"Accept-Language": locale},
        )

    return upload


@pytest.fixture
def commit(client, as_, world):
    def commit(batch, who="counsellor", *, good_rows_only=False):
        answer = client.post(
            f"/api/v1/imports/{batch['id']}/commit",
            json={"good_rows_only": good_rows_only},
            headers=as_(who),
        )
        if answer.status_code == 200:
            world.write_batch(batch["id"])
        return answer

    return commit


def consented(number, **more):
    return child(number, 筛查同意="是", 同意日期=date(2026, 9, 20), **more)


def row(number, given=(0,) * 9, on=TODAY):
    return [f"2026{number:04d}", f"张{'甲乙丙丁戊己庚辛壬癸'[number % 10]}", on, *given]


def of_pupil(pupil, given=(0,) * 9, on=TODAY):
    return [pupil.student_no, pupil.name, on, *given]


def book(roster=(), sheets=()):
    parts = {"名册": [HEADINGS, *roster]} if roster else {}
    return workbook(parts | ({"phq9": [PHQ9, *sheets]} if sheets else {}))


def count(database, model, *where):
    with database.look() as session:
        return session.scalar(select(func.count()).select_from(model).where(*where))


def places(batch, severity="error"):
    return [
        (problem["sheet"], problem["row"], problem["column"])
        for problem in batch["problems"]
        if problem["severity"] == severity
    ]


# --- the straight road -------------------------------------------------------------------------------------


def test_the_template_is_a_workbook_with_a_sheet_for_each_questionnaire(client, as_):
    answer = client.get(
        "/api/v1/imports/template", params={"instruments": "phq_a,gad7"}, headers=as_("entry_clerk")
    )
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="template.xlsx"'
    assert load_workbook(io.BytesIO(answer.content)).sheetnames[:3] == ["名册", "phq_a", "gad7"]


def test_a_template_of_an_unknown_questionnaire_is_refused(client, as_):
    answer = client.get(
        "/api/v1/imports/template", params={"instruments": "phq99"}, headers=as_("entry_clerk")
    )
    assert answer.status_code == 422


def test_a_good_workbook_is_reviewed_and_written(client, as_, upload, commit, database):
    staged = upload(book([consented(1), consented(2)], [row(1), row(2, (3,) * 9)]), "entry_clerk")
    assert staged.status_code == 201
    batch = staged.json()
    assert (batch["status"], batch["rows"], batch["good"], batch["refused"]) == ("staged", 4, 4, 0)
    assert count(database, Child) == 0

    assert commit(batch, "entry_clerk").json()["status"] == "committing"
    done = client.get(f"/api/v1/imports/{batch['id']}", headers=as_("entry_clerk")).json()
    assert (done["status"], done["written"], done["good"]) == ("committed", 4, 4)
    assert count(database, Administration) == 2
    assert count(database, Case) == 1


def test_the_same_file_twice_is_the_same_batch(world, upload, commit, database):
    data = book([consented(1)], [row(1)])
    first = upload(data)
    world.clock.set(datetime(2026, 10, 14, 11, 0, tzinfo=LOCAL))
    again = upload(data)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    commit(first.json())
    assert commit(first.json()).json()["status"] == "committed"
    assert (count(database, Administration), count(database, ImportBatch)) == (1, 1)


def test_a_blank_cell_never_erases(upload, commit, database):
    commit(upload(book([consented(1, 监护人="张父", 关系="父亲", 电话="13900000001")])).json())
    commit(upload(book([child(1, 班级="4班")])).json())
    with database.look() as session:
        [known] = session.scalars(select(Child))
        assert known.enrolment.class_name == "4班"
        assert (known.guardian.name, known.guardian.phone) == ("张父", "13900000001")
    assert (count(database, Guardian), count(database, Consent)) == (1, 1)


def test_good_rows_are_written_alone_only_when_asked_for(upload, commit, database):
    batch = upload(book([consented(1), consented(2)], [row(1), row(2, (9,) * 9)])).json()
    refused = commit(batch)
    assert refused.status_code == 409
    assert count(database, Child) == 0
    assert commit(batch, good_rows_only=True).status_code == 200
    assert (count(database, Child), count(database, Administration)) == (2, 1)
    assert count(database, Task, Task.kind == TaskKind.REFUSED_ROWS, Task.done_at.is_(None)) == 1


# --- bad input ---------------------------------------------------------------------------------------------

BAD = {
    "a wrong header": (
        lambda: workbook({"phq9": [[*PHQ9[:-1], "合计"], row(1)]}),
        ("phq9", 1, "L"),
        "The heading of column L is not known",
    ),
    "an unknown child": (lambda: book(sheets=[row(7)]), ("phq9", 2, None), "no child with this number"),
    "a duplicate row": (
        lambda: book([consented(1)], [row(1), row(1)]),
        ("phq9", 3, "A"),
        "the same number stands in row 2 too",
    ),
    "an answer out of range": (
        lambda: book([consented(1)], [row(1, (0, 0, 7, 0, 0, 0, 0, 0, 0))]),
        ("phq9", 2, "F"),
        "this answer is not allowed. Allowed: 0, 1, 2, 3.",
    ),
    "a formula": (
        lambda: book([consented(1)], [row(1, ("=1+1", 0, 0, 0, 0, 0, 0, 0, 0))]),
        ("phq9", 2, "D"),
        "formula",
    ),
    "a rounded number": (
        lambda: book([consented(1, 证件类型="居民身份证", 证件号码=990101201202290000)]),
        ("名册", 2, "H"),
        "Excel has rounded this number",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_row_is_named_by_sheet_row_and_column(upload, commit, database, what):
    make, place, words = BAD[what]
    batch = upload(make()).json()
    found = {(p["sheet"], p["row"], p["column"]): p["message"] for p in batch["problems"]}
    assert place in found, found
    assert words.lower() in found[place].lower()
    assert commit(batch).status_code == 409
    assert (count(database, Child), count(database, Administration)) == (0, 0)


@pytest.mark.parametrize("what", BAD)
def test_the_same_sentence_in_chinese(upload, what):
    make, place, _ = BAD[what]
    problems = upload(make(), locale="zh-CN").json()["problems"]
    [message] = [p["message"] for p in problems if (p["sheet"], p["row"], p["column"]) == place][:1]
    assert any("一" <= letter <= "鿿" for letter in message.replace("学号", "").replace("证件号码", ""))
    assert " the " not in message


UNREADABLE = {
    "10 MB of zeros": (bytes(10 * 1024 * 1024), "not an Excel workbook"),
    "a password": (
        OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(600),
        "protected with a password",
    ),
    "nothing": (b"", "The file is empty"),
    "a text": ("学号,姓名\n1,张甲\n".encode(), "text or CSV"),
    "a cut workbook": (book([child(1)])[:-300], "damaged"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_file_that_cannot_be_read_says_why_and_is_never_committed(upload, commit, database, what):
    data, words = UNREADABLE[what]
    answer = upload(data)
    assert answer.status_code == 201
    batch = answer.json()
    assert (batch["status"], batch["rows"]) == ("refused", 0)
    assert words in batch["problems"][0]["message"]
    assert commit(batch, good_rows_only=True).status_code == 409
    assert count(database, Child) == 0


def test_more_than_the_limit_is_413(upload):
    assert upload(bytes(13 * 1024 * 1024)).status_code == 413


# --- alarms stand ------------------------------------------------------------------------------------------


def test_a31_the_talk_for_row_12_is_due_today_although_row_300_refuses_the_file(
    world, campaign, upload, commit, database
):
    pupils = [world.make_child(campaign) for _ in range(20)]
    lines = [of_pupil(pupil) for pupil in pupils]
    lines[10] = of_pupil(pupils[10], (0,) * 8 + (3,))  # Excel row 12
    blanks = [[] for _ in range(278)]
    bad = of_pupil(pupils[0], (8,) + (0,) * 8)  # Excel row 300
    batch = upload(book(sheets=[*lines[:1], *lines[1:20], *blanks, bad])).json()

    assert ("phq9", 300, "D") in places(batch)
    assert commit(batch).status_code == 409
    assert count(database, Administration) == 0
    with database.look() as session:
        [task] = session.scalars(select(Task).where(Task.kind == TaskKind.SAME_DAY_TALK))
        assert task.child_id == pupils[10].id
        assert task.due_at.astimezone(LOCAL).date() == TODAY


def test_a_critical_answer_of_a_child_nobody_knows_names_its_row(upload, database):
    batch = upload(book([consented(1)], [row(1), row(7, (0,) * 8 + (2,))])).json()
    assert places(batch, "alarm") == [("phq9", 3, None)]
    assert batch["problems"][0]["severity"] == "alarm"
    assert count(database, Task, Task.kind == TaskKind.UNKNOWN_CHILD_ALARM) == 1


def test_a_corrected_file_rings_no_second_time(world, campaign, upload, commit, database):
    pupil = world.make_child(campaign)
    urgent = (0,) * 8 + (2,)
    upload(book(sheets=[of_pupil(pupil, urgent), of_pupil(pupil, (9,) * 9)]))
    commit(upload(book(sheets=[of_pupil(pupil, urgent)])).json())
    assert count(database, Administration) == 1
    assert count(database, Task, Task.kind == TaskKind.SAME_DAY_TALK) == 1


def test_a_sheet_that_is_stored_does_not_ring_again_from_a_workbook(world, campaign, upload, database):
    pupil = world.make_child(campaign)
    world.submit(pupil, "phq9", answers("phq9", i9=2))
    with database.begin() as session:
        [task] = session.scalars(select(Task).where(Task.kind == TaskKind.SAME_DAY_TALK))
        task.done_at, task.decision = world.clock.now(), "held"
    batch = upload(book(sheets=[of_pupil(pupil, (0,) * 8 + (2,))])).json()
    assert batch["refused"] == 1
    assert count(database, Task, Task.kind == TaskKind.SAME_DAY_TALK) == 1


def test_a_wholly_blank_row_is_absent_and_asks_for_nothing(world, campaign, upload, database):
    pupil = world.make_child(campaign)
    batch = upload(book(sheets=[of_pupil(pupil, (None,) * 9, None)])).json()
    assert (batch["absent"], batch["refused"]) == (1, 0)
    assert count(database, Task, Task.kind == TaskKind.SAFETY_TALK) == 0


# --- who may -----------------------------------------------------------------------------------------------


def test_another_schools_campaign_and_batch_are_not_found(client, as_, upload):
    assert upload(book([consented(1)]), "other_clerk").status_code == 404
    batch = upload(book([consented(1)])).json()
    for method, path in (("GET", ""), ("POST", "/commit")):
        answer = client.request(
            method,
            f"/api/v1/imports/{batch['id']}{path}",
            json={} if method == "POST" else None,
            headers=as_("other_clerk"),
        )
        assert answer.status_code == 404


@pytest.mark.parametrize("who", ["school_lead", "county_centre", "clinician"])
def test_other_roles_import_nothing(upload, who):
    assert upload(book([consented(1)]), who).status_code == 403


def test_strangers_import_nothing(client, campaign):
    answer = client.post("/api/v1/imports", files={"file": ("a.xlsx", b"x")}, data={})
    assert answer.status_code == 401


def test_the_owner_of_a_staged_file_has_it_on_the_list(client, as_, upload):
    upload(book([consented(1)]), "entry_clerk")
    [line] = client.get("/api/v1/tasks", headers=as_("entry_clerk")).json()
    assert (line["kind"], line["child_name"]) == ("batch_commit", None)
