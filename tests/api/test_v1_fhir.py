"""FHIR over HTTP: a questionnaire with its codes, a sheet without a name."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from instruments import catalogue
from screening.core.audit import AuditEvent, AuditRow
from screening.models.administration import Administration
from screening.models.wording import WordingForm, WordingPack
from tests.factories import answers
from tests.instruments.test_questionnaire import QUESTIONNAIRE, RESPONSE, check
from tests.instruments.wordings import made_up

PHQ9 = catalogue().get("phq9")


@pytest.fixture
def get(client, as_):
    def get(path, who="counsellor"):
        return client.get(f"/api/v1{path}", headers=as_(who))

    return get


def keep(world, instrument, pack, **more):
    with world.database.begin() as session:
        session.add(
            WordingPack(
                organisation_id=world.places["county"], instrument=instrument.code,
                instrument_version=instrument.version, language=pack.language, layout=pack.layout, version=1,
                form=WordingForm.FHIR, origin="x", content=pack.as_dict(), content_hash=b"0" * 32,
                imported_by=world.people["edu_officer"], imported_at=world.clock.now(), **more,
            )
        )  # fmt: skip


def test_a_questionnaire_has_its_codes_and_a_wording_only_where_one_is_in_force(world, get):
    answer = get("/instruments/phq9/questionnaire")
    assert answer.headers["content-type"] == "application/fhir+json"
    check(answer.json(), QUESTIONNAIRE)
    assert not any("text" in item for item in answer.json()["item"])
    asked = "/instruments/phq9/questionnaire?wording=true"
    approved = {"approved_by": world.people["county_centre"], "approved_at": world.clock.now()}
    keep(world, PHQ9, made_up(PHQ9))
    assert not any("text" in item for item in get(asked).json()["item"])
    sdq = catalogue().get("sdq_s")
    keep(world, sdq, made_up(sdq), **approved)
    assert not any(
        "text" in item for item in get("/instruments/sdq_s/questionnaire?wording=true").json()["item"]
    )
    gad7 = catalogue().get("gad7")
    keep(world, gad7, made_up(gad7), **approved)
    found = get("/instruments/gad7/questionnaire?wording=true").json()
    assert [item["text"] for item in found["item"][1:]] == [item.text for item in made_up(gad7).items]
    assert get("/instruments/nothing/questionnaire").status_code == 404


def test_a_sheet_leaves_without_a_name_and_leaves_its_row_in_the_trail(world, get, database):
    pupil = world.make_child(world.make_campaign("phq9"))
    world.submit(pupil, "phq9", answers("phq9", i1=3, i9=None))
    with database.look() as session:
        sheet_id = session.scalars(select(Administration.id)).one()
    path = f"/administrations/{sheet_id}/questionnaire-response"
    answer = get(path)
    check(answer.json(), RESPONSE)
    assert answer.headers["content-type"] == "application/fhir+json"
    assert pupil.name not in answer.text
    assert pupil.student_no not in answer.text
    by_item = {item["linkId"]: item["answer"][0]["valueCoding"] for item in answer.json()["item"]}
    assert by_item["1"]["extension"][0]["valueDecimal"] == 3
    assert "9" not in by_item
    with database.look() as session:
        [row] = session.scalars(select(AuditRow).where(AuditRow.event == AuditEvent.SHEET_EXPORT)).all()
        assert (row.child_id, row.subject_id) == (pupil.id, sheet_id)
    assert get(path, "other_counsellor").status_code == 404
    assert get(path, "school_lead").status_code == 403
    with database.begin() as session:
        session.scalars(select(Administration)).one().protected = True
    assert get(path).status_code == 404
