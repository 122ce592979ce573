"""A home: made once, opened by every command, refused in words; one sentence and exit status 2, never a traceback."""

from __future__ import annotations

import ast
import os
import re
import sqlite3
import stat
import subprocess
import sys

import pytest
from sqlalchemy.exc import OperationalError

from api import cli, migrations
from api.cli import home
from screening.core.actor import Role
from screening.core.db import Database
from screening.core.errors import Conflict, Unavailable
from screening.core.i18n import catalogue
from screening.core.sealing import KeysRefused, read_keys
from screening.core.settings import Settings
from screening.models.organisation import OrganisationKind
from tests.api.test_migrations import without_tables
from tests.architecture.sources import ROOT


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """``run("db", "init")`` as if typed: (exit status, what was said, what was complained about)."""
    monkeypatch.setenv("XINQIAO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    for name in (
        "XINQIAO_DATABASE_URL",
        "XINQIAO_PRODUCTION",
        "XINQIAO_LANG",
        "XINQIAO_WORKER",
        "XINQIAO_FONT",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    before = os.umask(0o022)

    def typed(*words: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["xinqiao", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    yield typed
    os.umask(before)


@pytest.fixture
def made(run, tmp_path):
    """The settings of a home that was made by the command."""
    assert run("db", "init")[0] == 0
    return Settings.of_home(tmp_path / "home")


# --- making ------------------------------------------------------------------------------------------------


def test_a_new_home_is_for_this_account_alone(made):
    assert stat.S_IMODE(made.home.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.home.iterdir()}
    assert {"keys.json", "token-keys.json", "xinqiao.sqlite"} <= set(modes)
    assert set(modes.values()) == {0o600}
    assert migrations.current(made.database_url) == migrations.head()


def test_a_second_init_changes_nothing(run, made):
    keys = made.keys_file.read_bytes()
    status, _, said = run("db", "init")
    assert status == 2
    assert "already" in said
    assert made.keys_file.read_bytes() == keys


def test_a_file_of_somebody_else_is_not_taken_over(run, tmp_path):
    (tmp_path / "home").mkdir()
    with sqlite3.connect(tmp_path / "home" / "xinqiao.sqlite") as other:
        other.execute("CREATE TABLE theirs (id)")
    other.close()
    assert run("db", "init")[0] == 2


def test_keys_that_are_there_are_kept(run, tmp_path, made):
    keys = made.keys_file.read_bytes()
    for path in made.home.glob("xinqiao.sqlite*"):
        path.unlink()
    assert run("db", "init")[0] == 0
    assert made.keys_file.read_bytes() == keys


# --- opening -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [("serve",), ("check",), ("audit", "verify"), ("accounts", "list"), ("db", "check")]
)
def test_nothing_starts_on_a_missing_database(run, tmp_path, words):
    status, _, said = run(*words)
    assert status == 2
    assert "xinqiao db init" in said
    assert not list(tmp_path.glob("home/*.sqlite"))


def test_nothing_starts_on_an_empty_file(run, made):
    for path in made.home.glob("xinqiao.sqlite*"):
        path.unlink()
    (made.home / "xinqiao.sqlite").touch()
    status, _, said = run("check")
    assert status == 2
    assert "empty" in said


def test_an_older_database_wants_its_upgrade_first(run, made):
    migrations.downgrade(made.database_url, revision="-1")
    status, _, said = run("check")
    assert status == 2
    assert "xinqiao db upgrade" in said
    status, said, _ = run("db", "upgrade")
    assert status == 0
    assert migrations.head() in said
    assert run("check")[0] == 0
    assert "up to date" in run("db", "upgrade")[1]


def test_a_newer_database_is_left_alone(run, made):
    with sqlite3.connect(made.home / "xinqiao.sqlite") as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    for words in (("check",), ("db", "upgrade")):
        status, _, said = run(*words)
        assert status == 2
        assert "newer" in said


def test_missing_keys_are_not_made_up_for(run, made):
    made.keys_file.unlink()
    status, _, said = run("check")
    assert status == 2
    assert "keys.json" in said
    assert not made.keys_file.exists()


def test_keys_that_others_can_read_are_refused(run, made):
    made.keys_file.chmod(0o644)
    status, _, said = run("check")
    assert status == 2
    assert "chmod 600" in said


def test_a_command_that_writes_is_refused_while_the_service_runs(run, made):
    serving = Database(made.database_url, read_keys(made.keys_file))
    try:
        for words in (
            ("accounts", "reset", "lin"),
            ("db", "upgrade"),
            ("outbox", "retry"),
            ("serve", "--port", "18999"),
        ):
            status, _, said = run(*words)
            assert status == 2
            assert str(os.getpid()) in said
        for words in (
            ("check",),
            ("audit", "verify"),
            ("db", "check"),
            ("accounts", "list"),
            ("outbox", "list"),
        ):
            assert run(*words)[0] == 0, "looking is always possible"
    finally:
        serving.close()


def test_looking_needs_no_log_beside_the_file(run, made):
    """After a clean stop nothing stands beside the file; reading it must not ask for more."""
    for path in made.home.glob("xinqiao.sqlite-*"):
        path.unlink()
    assert run("check")[0] == 0


def test_closing_leaves_everything_in_the_file(made):
    database = home.open_home(made)
    with database.begin() as session:
        session.connection()
    home.close(database)
    log = made.home / "xinqiao.sqlite-wal"
    assert not log.exists() or log.stat().st_size == 0


def test_tables_that_differ_are_said(run, made):
    assert run("db", "check")[0] == 0
    with sqlite3.connect(made.home / "xinqiao.sqlite") as raw:
        raw.execute("ALTER TABLE task DROP COLUMN step")
    raw.close()
    status, _, said = run("db", "check")
    assert status == 1
    assert "step" in said


def test_a_damaged_file_is_said(run, made):
    with sqlite3.connect(made.home / "xinqiao.sqlite") as raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute(
            "INSERT INTO refresh_token (id, session_id, digest, issued_at) VALUES ('a', 'nobody', x'00', '2026-10-14')"
        )
    raw.close()
    status, _, said = run("db", "check")
    assert status == 1
    assert "refresh_token" in said


# --- PostgreSQL --------------------------------------------------------------------------------------------


def test_a_home_with_a_database_of_its_own_server(empty_database, tmp_path):
    url, owner = empty_database
    settings = Settings.of_home(tmp_path / "home", database_url=url)
    with pytest.raises(Unavailable, match="xinqiao db init"):
        home.open_home(settings)
    home.init_home(settings, owner_url=owner)
    with pytest.raises(Conflict):
        home.init_home(settings, owner_url=owner)
    with home.opened(settings) as database, database.begin() as session:
        session.connection()
    assert home.upgrade_home(settings, owner_url=owner) == (migrations.head(), migrations.head())


@pytest.fixture
def empty_database(database_url, tmp_path):
    """For the application and for the owner; ``database_url`` says that this runs on both engines."""
    yield from without_tables(tmp_path)


# --- what is said ------------------------------------------------------------------------------------------


def test_refusals_have_one_sentence_and_mistakes_of_ours_none():
    assert cli.refusal(Conflict("This user name is taken."))
    assert "keys.json" in (cli.refusal(KeysRefused("key file keys.json is missing")) or "")
    assert cli.refusal(OperationalError(None, None, Exception("could not connect")))
    assert cli.refusal(OperationalError("SELECT nothing", None, Exception("no such table"))) is None
    assert cli.refusal(RuntimeError("张三")) is None


def test_chinese_unless_the_terminal_asks_for_english(run, monkeypatch):
    assert "xinqiao db init" in run("check")[2]
    monkeypatch.setenv("LANG", "C.UTF-8")
    assert "这里没有数据库" in run("check")[2]
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    monkeypatch.setenv("XINQIAO_LANG", "en")
    assert "There is no database" in run("check")[2]


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("XINQIAO_WEBHOOK_URL", "https://gateway.example", "XINQIAO_WEBHOOK_SECRET"),
        ("XINQIAO_PRODUCTION", "1", "https://"),
    ],
)
def test_settings_that_make_no_sense_are_refused(run, monkeypatch, name, value, word):
    monkeypatch.setenv(name, value)
    status, _, said = run("check")
    assert status == 2
    assert word in said


def test_kinds_on_the_command_line_are_those_of_the_table():
    assert [kind.value for kind in cli.Kind] == [kind.value for kind in OrganisationKind]


def test_every_sentence_of_doctor_and_check_has_its_chinese():
    """Those are chosen as values, where the test of the catalogue does not look."""
    said = set()
    for name in ("doctor.py", "check.py"):
        tree = ast.parse((ROOT / "api" / "cli" / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id="Sign"), args=[_, ast.Constant(value=str() as text), *_]):
                    said.add(text)
                case ast.Assign(value=ast.Constant(value=str() as text)):
                    said.add(text)
    said = {text for text in said if text.endswith((".", "?"))}
    assert len(said) > 25
    assert not said - set(catalogue("zh"))


def test_help_is_quick_because_it_loads_next_to_nothing():
    probe = "import sys; sys.argv = ['xinqiao', '--help']\nimport api.cli\ntry:\n    api.cli.main()\nexcept SystemExit: pass\n"
    probe += "print(sorted({m.split('.')[0] for m in sys.modules} & {'sqlalchemy', 'numpy', 'fastapi', 'babel', 'uvicorn'}))"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")
    for command in ("serve", "work", "check", "doctor", "import", "score", "db", "accounts", "audit"):
        assert re.search(rf"\b{command}\b", done.stdout)


# --- accounts and organisations ----------------------------------------------------------------------------


@pytest.fixture
def county(run, made):
    assert run("organisations", "add", "city", "--name", "青江市", "--kind", "city")[0] == 0
    assert (
        run("organisations", "add", "county", "--name", "白石县", "--kind", "county", "--below", "city")[0]
        == 0
    )
    return made


def create(run, username="lin", role="sysadmin"):
    return run(
        "accounts", "create", username, "--name", "林知远", "--role", role, "--at", "county", "--reason", "first account"
    )  # fmt: skip


def password_in(said: str) -> str:
    return re.search(r"shown only now: (\S+)", said)[1]


def stored_account(settings):
    from screening.core.audit import AuditRow
    from screening.core.clock import local_day
    from screening.queries.accounts import find_account, live_grants

    with home.opened(settings) as database, database.look() as session:
        account = find_account(session, username="lin")
        grants = live_grants(session, account_id=account.id, today=local_day(account.opened_at))
        events = [row.event.value for row in session.query(AuditRow).filter_by(subject_id=account.id)]
        return account.password_hash, account.must_change_password, grants, events


def is_password(stored: str, password: str) -> bool:
    from api.auth import Hasher

    hasher = Hasher()
    try:
        return hasher.check(stored, password)
    finally:
        hasher.close()


def test_an_account_starts_with_a_password_shown_once(run, county):
    status, said, _ = create(run)
    assert status == 0
    stored, must_change, grants, events = stored_account(county)
    assert is_password(stored, password_in(said))
    assert must_change
    assert [grant.role for grant in grants] == [Role.SYSADMIN]
    assert events == ["account.open", "account.grant"]
    assert password_in(said) not in str([path.read_bytes() for path in county.home.iterdir()])


def test_a_reset_gives_another_password_that_must_be_changed_too(run, county):
    first = password_in(create(run)[1])
    second = password_in(run("accounts", "reset", "lin")[1])
    stored, must_change, _, events = stored_account(county)
    assert first != second
    assert is_password(stored, second)
    assert not is_password(stored, first)
    assert must_change
    assert "account.reset" in events


def test_roles_are_added_and_listed(run, county):
    create(run, role="edu_officer")
    status, *_ = run(
        "accounts",
        "grant",
        "lin",
        "--role",
        "auditor",
        "--at",
        "city",
        "--reason",
        "asked",
        "--until",
        "2099-12-31",
    )
    assert status == 0
    _, said, _ = run("accounts", "list")
    assert "edu_officer /city/county/" in said
    assert "auditor /city/" in said
    assert "林知远" not in said


@pytest.mark.parametrize(
    "words",
    [
        ("accounts", "grant", "nobody", "--role", "auditor", "--at", "county", "--reason", "x"),
        ("accounts", "grant", "lin", "--role", "auditor", "--at", "elsewhere", "--reason", "x"),
        ("accounts", "grant", "lin", "--role", "emperor", "--at", "county", "--reason", "x"),
        ("accounts", "grant", "lin", "--role", "auditor", "--at", "county", "--reason", " "),
        (
            "accounts",
            "grant",
            "lin",
            "--role",
            "auditor",
            "--at",
            "county",
            "--reason",
            "x",
            "--until",
            "2001-01-01",
        ),
        ("accounts", "create", "lin", "--name", "x", "--role", "auditor", "--at", "county", "--reason", "x"),
        ("accounts", "create", "Lin ", "--name", "x", "--role", "auditor", "--at", "county", "--reason", "x"),
        ("accounts", "reset", "nobody"),
        ("organisations", "add", "village", "--name", "x", "--kind", "village"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence_and_nothing_is_stored(run, county, words):
    create(run)
    before = stored_account(county)
    status, _, said = run(*words)
    assert status == 2
    assert len(said.strip().splitlines()) == 1
    assert stored_account(county) == before


def test_start_passwords_would_be_accepted_as_passwords():
    from api.auth.passwords import check_password
    from api.cli.accounts import start_password

    made = {start_password() for _ in range(50)}
    assert len(made) == 50
    for each in made:
        check_password(each)


# --- a facility's own code ---------------------------------------------------------------------------------


def test_a_facilitys_code_is_made_shown_once_and_kept_as_a_hash(run, made):
    run("organisations", "add", "city", "--name", "青江市", "--kind", "city")
    run("organisations", "add", "clinic", "--name", "白石县人民医院", "--kind", "facility", "--below", "city")
    status, said, _ = run("facilities", "code", "clinic", "--until", "2099-01-31")
    assert status == 0
    code = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", said)[0]
    assert run("facilities", "code", "clinic")[0] == 0  # and again: the former one ends
    with sqlite3.connect(made.home / "xinqiao.sqlite") as connection:
        rows = connection.execute("SELECT code_hash, ended_at FROM facility_code ORDER BY set_at").fetchall()
    assert [row[1] is None for row in rows] == [False, True]
    assert all(row[0].startswith("$argon2id$") and code.replace("-", "") not in row[0] for row in rows)
    for wrong in (("city",), ("nowhere",), ("clinic", "--until", "2020-01-01")):
        status, _, complained = run("facilities", "code", *wrong)
        assert status == 2
        assert complained.strip()
