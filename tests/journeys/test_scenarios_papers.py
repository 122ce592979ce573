"""Acceptance scenarios of the field guide §14 about papers, files and levels: A15, A16, A31, A36, A37, A42."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import pypdf
import pytest
from sqlalchemy import select

from referral.models.case import Case
from referral.models.notice import Notice
from referral.models.referral import Referral
from referral.models.task import Task
from referral.terms import TaskKind
from screening.models.administration import Administration
from screening.models.child import Child
from tests.factories import answers, spread
from tests.journeys.scenes import WORDS, Scene, at, scene
from tests.screening.workbooks import HEADINGS, PHQ9, child, sheet, workbook

IDENTITY = "990000201205040026"  # of the unassigned prefix that tests use
TODAY = date(2026, 10, 14)


@pytest.fixture
def play(settings, database, clock) -> Iterator[Scene]:
    with scene(settings, database, clock) as made:
        yield made


@pytest.fixture
def press(settings, database, clock) -> Iterator[Scene]:
    """The same with a real printer."""
    with scene(settings, database, clock, paper=True) as made:
        yield made


def printed(play: Scene, path: str, folder: Any) -> tuple[str, str]:
    """The note as it comes over HTTP: its text by pdftotext, and the name of the file."""
    play.work()
    answer = play.service.client.get(f"/api/v1{path}/note.pdf", headers=play.service.headers("counsellor"))
    assert answer.status_code == 200, answer.text
    file = folder / "note.pdf"
    file.write_bytes(answer.content)
    text = subprocess.run(
        ["pdftotext", "-layout", file, "-"], check=True, capture_output=True, text=True
    ).stdout
    info = pypdf.PdfReader(io.BytesIO(answer.content)).metadata
    assert not {key: value for key, value in (info or {}).items() if value}
    return "".join(text.split()), answer.headers["content-disposition"]


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler-utils is not installed")
def test_a15_and_a36_what_the_note_says_and_what_it_does_not(press, tmp_path):
    """Given a child with an identity number, a category and answers, when the note is printed before anybody saw the
    child (A36), then it says so and claims nothing; when it is printed after the talk (A15), then it is three parts
    without number, category, answers or probability, named by its form number, with empty metadata."""
    campaign = press.world.make_campaign("phq9")
    pupil = press.world.make_child(campaign, share=True)
    with press.database.begin() as session:
        row = session.get_one(Child, pupil.id)
        row.id_type, row.id_number = "resident", IDENTITY
    for fact in ("low_income", "both_parents_away"):
        press.post("counsellor", f"/children/{pupil.id}/facts", {"fact": fact, "source": "班主任"})
    press.submit(pupil, campaign, "phq9", spread("phq9", 21))
    [referral] = press.the_case()["referrals"]
    path = f"/referrals/{referral['id']}"

    text, name = printed(press, path, tmp_path)

    assert "尚未面谈" in text
    assert "尚未当面询问" in text or "尚未询问" in text
    out = text.split("双向转介单·转出单")[1].split("双向转介单·回转单")[0]
    assert "无" not in out
    assert "未发现" not in out

    assert press.refer() == path
    text, name = printed(press, path, tmp_path)
    form_no = press.get("counsellor", path)["form_no"]
    assert name == f'inline; filename="{form_no}.pdf"'
    parts = [text.index(f"双向转介单·{part}") for part in ("存根", "转出单", "回转单")]
    assert parts == sorted(parts)
    assert text.count("沿此线裁开") == 2
    assert pupil.name in text
    assert "尚未面谈" not in text
    file = press.service.get("counsellor", f"/children/{pupil.id}/results")
    probability = file[0]["probability"]
    forbidden = [IDENTITY, IDENTITY[:6], pupil.student_no, "概率", "第9题", "重点关注", "一般关注", "危机"]
    forbidden += ["留守", "困境", "低保", "孤儿", "贫困", "经济困难", "外出", "抑郁症", "患者"]
    forbidden += [f"{probability[end] * 100:.0f}%" for end in ("low", "high")]
    assert [word for word in forbidden if word in text] == []


def test_a16_what_must_not_stand_on_a_note_is_named(play):
    """Given free text with eighteen digits, or 低保, when it is saved, then the rule is named and nothing is kept."""
    campaign = play.world.make_campaign("phq9")
    play.submit(play.world.make_child(campaign, share=True), campaign, "phq9", spread("phq9", 21))
    [referral] = play.the_case()["referrals"]
    path = f"/referrals/{referral['id']}"
    words = {key: value for key, value in WORDS.items() if key != "safety"}

    for observed, rule in ((f"证件号 {IDENTITY}", "identity_number"), ("家中低保,常独处", "category")):
        answer = play.put("counsellor", f"{path}/words", words | {"observed": observed})
        said = answer.json()
        named = str(said.get("detail", "")) + str([each["rule"] for each in said.get("warnings", [])])
        assert rule in named, (answer.status_code, said)
        if answer.status_code != 200:
            assert play.get("counsellor", path)["words"] == {}
    answer = play.put("counsellor", f"{path}/words", words)
    assert answer.status_code == 200
    assert {each["rule"] for each in answer.json()["warnings"]} == {"missing"}  # what sending writes


def test_a31_a_bad_row_refuses_the_file_and_silences_nobody(play):
    """Given a workbook whose row 300 is bad and whose row 12 has item 9 = 3, when it is uploaded, then the file is
    refused as a whole, and the talk about row 12 is due today."""
    campaign = play.world.make_campaign("phq9")
    play.world.numbers = 10
    pupil = play.world.make_child(name="张乙")  # number 11 stands in row 12
    roster = [
        child(number, 筛查同意="是", 同意日期=date(2026, 9, 20)) for number in range(1, 300) if number != 11
    ]
    rows = [sheet(number, on=TODAY) for number in range(1, 300)]
    rows[10] = sheet(11, (0,) * 8 + (3,), on=TODAY)
    rows[298] = sheet(299, (0,) * 8 + (7,), on=TODAY)
    assert (rows[10][0], len(rows)) == (pupil.student_no, 299)

    code, batch = play.service.upload(
        "counsellor", campaign, workbook({"名册": [HEADINGS, *roster], "phq9": [PHQ9, *rows]})
    )

    assert code == 201
    assert [(p["sheet"], p["row"]) for p in batch["problems"] if p["severity"] == "error"] == [("phq9", 300)]
    play.post("counsellor", f"/imports/{batch['id']}/commit", {"good_rows_only": False}, expect=409)
    play.work()
    assert play.count(Administration) == 0
    assert play.count(Child) == 1
    talk = play.asked(TaskKind.SAME_DAY_TALK)
    assert (talk.child_id, talk.due_at) == (pupil.id, at(10, 14, 17, 30))


def test_a37_the_severe_floor_needs_no_probability(play):
    """Given a base rate of .03, signed by two people, and an MHT total of 65, when submitted, then the level is
    *see first* by the severe floor; 64 is not."""
    rate = {"base_rate": 0.03, "release": "stepwise"}
    proposal = play.put("edu_officer", "/district", rate)
    assert proposal.status_code == 200, proposal.text
    version = proposal.json()["proposed"]["version"]
    play.post("edu_officer", "/district/approval", {"version": version}, expect=409)
    play.post("second_officer", "/district/approval", {"version": version})
    campaign = play.world.make_campaign("mht")
    below, floor = play.world.make_child(campaign), play.world.make_child(campaign)

    for pupil, total in ((below, 64), (floor, 65)):
        given = answers("mht") | {str(number): 1 for number in range(1, total + 1)}
        play.submit(pupil, campaign, "mht", {str(n): given.get(str(n), 0) for n in range(1, 101)})

    levels = {pupil.id: result_of(play, pupil.id) for pupil in (below, floor)}
    assert levels[floor.id]["level"] == "high"
    assert any(str(why).startswith("severe:") for why in levels[floor.id]["why"])
    assert levels[below.id]["level"] != "high"
    with play.database.look() as session:
        assert session.scalars(select(Case.child_id)).all() == [floor.id]


def result_of(play: Scene, child_id: UUID) -> Any:
    [result] = play.get("counsellor", f"/children/{child_id}/results")
    return result


def test_a42_last_years_sheets_ring_nobody(play):
    """Given sheets answered last year, when they are committed, then nothing rings and one owned list asks whether
    each was followed up at the time."""
    campaign = play.world.make_campaign("phq9")
    roster = [child(number, 筛查同意="是", 同意日期=date(2025, 9, 20)) for number in range(1, 4)]
    rows = [
        sheet(1, (0,) * 8 + (3,), on=date(2025, 11, 3)),
        sheet(2, (3,) * 8 + (0,), on=date(2025, 11, 3)),
        sheet(3, (0,) * 9, on=date(2025, 11, 3)),
    ]
    _, batch = play.service.upload(
        "counsellor", campaign, workbook({"名册": [HEADINGS, *roster], "phq9": [PHQ9, *rows]})
    )
    play.post("counsellor", f"/imports/{batch['id']}/commit", {"good_rows_only": False})
    play.work()

    assert play.get("counsellor", f"/imports/{batch['id']}")["status"] == "committed"
    assert play.count(Administration) == 3
    assert play.count(Notice) == play.count(Case) == play.count(Referral) == 0
    assert play.phone.calls == []
    assert play.kinds() == {TaskKind.HISTORY_REVIEW}
    listed = play.asked(TaskKind.HISTORY_REVIEW)
    assert listed.owner_id == play.world.people["counsellor"]
    assert listed.due_at > play.clock.now()
    assert play.count(Task) <= 2  # the file's own line, done, and this one
