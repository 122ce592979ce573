"""One world after another on one database: a county with two clinics, made once and put back for each example.

SQLite: the file is copied. PostgreSQL: the database is made again from a template. So an example costs the time
of a copy and not that of building a county.
"""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import make_url

from api.worker import Worker
from referral.actions import clocks, escalations
from referral.handlers import HANDLERS
from referral.models.referral import ChannelAgreement, Facility
from referral.terms import ReleaseMode
from screening.actions import organisations
from screening.core.actor import Actor, Role
from screening.core.clock import LOCAL, FixedClock
from screening.core.db import Database
from screening.core.paper import Rendered
from screening.core.sealing import Keyring
from screening.core.work import Tools
from screening.models.organisation import OrganisationKind
from tests.postgres import APPLICATION, Server, unique_name
from tests.referral.county import County

START = datetime(2026, 10, 14, 10, 0, tzinfo=LOCAL)
QUOTA = 2  # triage requests a clinic has opened per week
WEEKLY = 3  # referrals that may leave unseen per week where that is agreed

# Who works at which clinic.
STAFF = {
    "clinic": ("intake", "clinician"),
    "hospital": ("desk", "doctor"),
}


class QuickPrinter:
    """Prints nothing at all, at once."""

    def render(self, template: str | os.PathLike[str], values: Mapping[str, object]) -> Rendered:
        return Rendered(b"%PDF-1.7 made by a test", 1, ())

    def close(self) -> None:
        pass


class World:
    """A county, its worker, and what the clock does."""

    def __init__(self, county: County) -> None:
        self.county, self.database, self.clock = county, county.database, county.clock
        self.worker = Worker(self.database, self.clock, HANDLERS, Tools(self.clock, QuickPrinter()))

    def work(self) -> int:
        """Run the worker until nothing is ready."""
        return self.worker.run_all()

    def tick(self) -> int:
        """What moves by the clock, until nothing more is due. Returns how many things moved or rang."""
        moved = 0
        while True:
            with self.database.begin() as session:
                step = clocks.run(session, now=self.clock.now())
                step += escalations.tick(session, now=self.clock.now())
            if not step:
                return moved
            moved += step


class Worlds:
    """Gives a fresh :class:`World` as often as it is asked; only the newest may be used.

    One ``Database`` sees them all, what lies behind it is changed: SQLAlchemy keeps what it has compiled by engine,
    and compiling everything again would take as long as the example.
    """

    def __init__(self, database_url: str, keyring: Keyring, directory: Path) -> None:
        self._url = make_url(database_url)
        self._is_sqlite = self._url.get_backend_name() == "sqlite"
        self._path, self._name = directory / "example.sqlite", unique_name("example")
        first = Database(database_url, keyring, pool_size=4)
        self._county = build(first)
        first.close()
        self._put_back()
        address = f"sqlite:///{self._path}" if self._is_sqlite else self._server.url(self._name, APPLICATION)
        self._database = Database(address, keyring, pool_size=4)

    def fresh(self) -> World:
        """The county as it was built, ten o'clock on a Wednesday."""
        self._disconnect()
        self._put_back()
        county = copy.copy(self._county)
        county.database, county.clock = self._database, FixedClock(START)
        county.places, county.actors = dict(county.places), dict(county.actors)
        return World(county)

    def end(self) -> None:
        """Remove what was made beside the database of the test."""
        self._database.close()
        if not self._is_sqlite:
            self._server.drop(self._name)

    @property
    def _server(self) -> Server:
        return Server(os.environ["XINQIAO_TEST_SERVER"])

    def _disconnect(self) -> None:
        self._database._readers.dispose()
        self._database.engine.dispose()

    def _put_back(self) -> None:
        """The database that the county was built in is the template; nobody is connected to it."""
        if self._is_sqlite:
            for name in (f"{self._path}-wal", f"{self._path}-shm"):
                Path(name).unlink(missing_ok=True)
            shutil.copyfile(str(self._url.database), self._path)
            return
        self._server.drop(self._name)
        self._server.create(self._name, template=str(self._url.database))


def build(database: Database) -> County:
    """The county of the tests with a second clinic; both have opened some triage requests."""
    county = County(database, FixedClock(START))
    with database.begin() as session:
        hospital = county.places["hospital"] = organisations.add(
            session,
            actor=Actor.system(),
            kind=OrganisationKind.FACILITY,
            code="hospital",
            name="白石县中医院",
            parent=county.places["county"],
            phone="0571-0000002",
            now=county.clock.now(),
        )
        session.flush()
        county.hire(session, "desk", "江采薇", Role.CLINIC_INTAKE, "hospital")
        county.hire(session, "doctor", "秦越", Role.CLINICIAN, "hospital")
        session.add(
            Facility(
                organisation_id=hospital.id,
                department="心理科",
                contact_name="江采薇",
                contact_phone="0571-0000003",
                age_min=6,
                age_max=18,
                weekly_slots=900,
            )
        )
        session.flush()
        for facility in session.query(Facility):
            facility.triage_per_week = QUOTA
        agree(county, session, "hospital", ReleaseMode.STEPWISE)
    return county


def agree(county: County, session, place: str, release: ReleaseMode) -> None:
    """A newer agreement between the county and one clinic."""
    now = county.clock.now()
    session.add(
        ChannelAgreement(
            district_id=county.places["county"].id,
            facility_id=county.places[place].id,
            release=release.value,
            weekly_limit=WEEKLY,
            agreed_by="白石县教育局",
            valid_from=county.clock.today(),
            valid_to=county.clock.today().replace(year=2029),
            recorded_at=now,
        )
    )
