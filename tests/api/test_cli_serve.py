"""The service and the worker as processes: what they refuse, how they stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import pytest

from api.cli import home, serve
from screening.core import outbox
from screening.core.clock import Clock
from screening.core.errors import PolicyViolation, Unavailable
from screening.core.outbox import OutboxMessage
from screening.core.sealing import write_keys
from screening.core.settings import Settings, SettingsRefused
from tests.architecture.sources import ROOT

COMMAND = [sys.executable, "-c", "from api.cli import main; main()"]


@pytest.fixture
def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def at_home(settings, database_url, keyring):
    """A home on the test's database, held by nobody; and the environment that leads there."""
    from api.auth import keys

    settings.home.chmod(0o700)
    write_keys(settings.keys_file, keyring)
    keys.create(settings.tokens_file)
    kept = {name: os.environ[name] for name in ("PATH", "XINQIAO_FONT") if name in os.environ}
    return replace(settings, worker_inside=True), kept | {
        "XINQIAO_HOME": str(settings.home),
        "XINQIAO_DATABASE_URL": database_url,
        "LANG": "en_GB.UTF-8",
    }


class Running:
    """A process of ours that is ended whatever happens."""

    def __init__(self, words: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [*COMMAND, *words], cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT
            )

    def until(self, condition, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(sign)
        return self.process.wait(30)


@pytest.fixture
def start(at_home, tmp_path):
    started: list[Running] = []

    def begin(*words: str) -> Running:
        running = Running(list(words), at_home[1], tmp_path / f"log{len(started)}")
        started.append(running)
        return running

    yield begin
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status == 200
    except URLError:
        return False


def publish(settings: Settings) -> None:
    """Something the worker of these processes does not know: it is taken, and put back with its attempt."""
    with home.opened(settings) as database, database.begin() as session:
        outbox.publish(session, topic="unknown", payload={}, purpose="x", now=Clock().now())


def attempts(settings: Settings) -> int:
    with home.opened(settings, hold=False) as database, database.look() as session:
        return session.query(OutboxMessage).one().attempts


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_the_service_answers_works_and_stops_in_order(at_home, start, free_port, sign):
    settings, _ = at_home
    publish(settings)
    running = start("serve", "--port", str(free_port))
    running.until(lambda: answers(free_port))
    assert "Ctrl-C" in running.log.read_text()
    running.until(lambda: attempts(settings) > 0)
    assert running.stop(sign) == 0, running.log.read_text()
    said = running.log.read_text()
    assert f"http://127.0.0.1:{free_port}" in said
    assert "Traceback" not in said
    if settings.database_url.startswith("sqlite"):
        log = Path(settings.database_url.removeprefix("sqlite:///") + "-wal")
        assert not log.exists() or log.stat().st_size == 0
    home.open_home(settings).close()


def test_nothing_that_was_asked_for_stands_in_the_log(start, free_port):
    running = start("serve", "--port", str(free_port))
    running.until(lambda: answers(free_port))
    with pytest.raises(URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{free_port}/search?q=zhangsan", timeout=5)
    assert running.stop() == 0
    assert "zhangsan" not in running.log.read_text()


def test_a_request_that_runs_is_answered_before_the_service_ends(start, free_port):
    """Requirement RL9: nothing new is taken, what runs is finished."""
    running = start("serve", "--port", str(free_port))
    running.until(lambda: answers(free_port))
    body = b'{"username": "nobody", "password": "nothing to see here"}'
    head = f"POST /api/v1/tokens HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", free_port), timeout=20) as half:
        half.sendall(head.encode() + body[:10])
        running.until(lambda: answers(free_port))  # it has been read by now: the next one was answered
        running.process.send_signal(signal.SIGTERM)
        running.until(lambda: not answers(free_port))
        half.sendall(body[10:])
        assert half.recv(4096).startswith(b"HTTP/1.1 401")
    assert running.process.wait(30) == 0, running.log.read_text()


def test_a_killed_service_starts_again(at_home, start, free_port):
    settings, _ = at_home
    first = start("serve", "--port", str(free_port))
    first.until(lambda: answers(free_port))
    first.stop(signal.SIGKILL)
    publish(settings)
    again = start("serve", "--port", str(free_port))
    again.until(lambda: answers(free_port))
    again.until(lambda: attempts(settings) > 0)
    assert again.stop() == 0


def test_a_second_service_on_one_file_is_refused(at_home, start, free_port):
    settings, _ = at_home
    if not settings.database_url.startswith("sqlite"):
        pytest.skip("PostgreSQL takes any number of processes")
    first = start("serve", "--port", str(free_port))
    first.until(lambda: answers(free_port))
    second = start("serve", "--port", str(free_port - 1))
    assert second.process.wait(30) == 2
    assert str(first.process.pid) in second.log.read_text()
    assert len(second.log.read_text().strip().splitlines()) == 1


def test_the_worker_alone(at_home, start):
    settings, _ = at_home
    if settings.database_url.startswith("sqlite"):
        with pytest.raises(PolicyViolation, match="PostgreSQL"):
            serve.work(settings)
        return
    publish(settings)
    workers = [start("work"), start("work")]
    for worker in workers:
        worker.until(lambda log=worker.log: "running" in log.read_text())
    workers[0].until(lambda: attempts(settings) > 0)
    assert [worker.stop() for worker in workers] == [0, 0]
    assert "Traceback" not in workers[0].log.read_text()


# --- without a process -------------------------------------------------------------------------------------


def test_a_taken_port_is_said_before_anything_is_made(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable) as refused:
            serve.serve(Settings.of_home(tmp_path / "home"), demo=True, host="127.0.0.1", port=port)
    assert refused.value.params["port"] == port
    assert not (tmp_path / "home").exists()


def test_without_a_font_nothing_starts(tmp_path, free_port):
    settings = Settings.of_home(tmp_path, font=tmp_path / "none.ttf")
    with pytest.raises(Unavailable, match="font"):
        serve.serve(settings, demo=False, host="127.0.0.1", port=free_port)


def test_a_demonstration_has_a_home_of_its_own(tmp_path):
    real = Settings.of_home(tmp_path, database_url="postgresql+psycopg://somewhere/real")
    made = serve.demo_settings(real, "127.0.0.1", 8000)
    assert made.home == tmp_path / "demo"
    assert made.database_url == f"sqlite:///{tmp_path}/demo/xinqiao.sqlite"
    assert made.base_url == "http://127.0.0.1:8000"


def test_no_demonstration_in_production(tmp_path):
    real = Settings.of_home(tmp_path, production=True)
    with pytest.raises(SettingsRefused):
        serve.demo_settings(real, "127.0.0.1", 8000)


@pytest.mark.parametrize(
    ("host", "port", "base"),
    [
        ("127.0.0.1", 9000, "http://127.0.0.1:9000"),
        ("0.0.0.0", 9000, "http://127.0.0.1:9000"),
        ("10.0.0.5", 8000, "http://10.0.0.5:8000"),
        ("::1", 8000, "http://[::1]:8000"),
    ],
)
def test_links_lead_to_where_we_listen(tmp_path, host, port, base):
    made = serve.demo_settings(Settings.of_home(tmp_path), host, port)
    assert made.base_url == base
    assert {"127.0.0.1", "localhost"} <= set(made.allowed_hosts)


def test_an_address_that_was_set_stays(tmp_path):
    settings = Settings.of_home(tmp_path, base_url="https://screening.example")
    assert serve._at(settings, "0.0.0.0", 9000) == settings


def test_a_demonstration_shows_one_sign_in_per_role(tmp_path, monkeypatch, capsys):
    from api.cli import demo

    made = [
        demo.SignIn("心理教师", "白石县第一中学", "lin", "four-words-and-12"),
        demo.SignIn("接诊协调员", "白石县人民医院", "xu", "four-words-and-12"),
    ]
    monkeypatch.setattr(demo, "prepare", lambda settings: made)
    monkeypatch.setenv("COLUMNS", "120")
    serve.prepare_demo(Settings.of_home(tmp_path))
    said = capsys.readouterr().out
    for entry in made:
        [line] = [line for line in said.splitlines() if entry.role in line]
        assert entry.place in line
        assert entry.username in line
        assert entry.password in line
