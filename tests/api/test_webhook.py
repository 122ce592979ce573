"""The signed webhook against a real server on this machine."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID, uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from api.webhook import WebhookGateway, resolve
from api.worker import Worker
from screening.core import outbox
from screening.core.outbox import OutboxMessage
from screening.core.paper import Printer
from screening.core.settings import SettingsRefused, Webhook
from screening.core.work import GatewayFailed, Job, Tools

SECRET = b"a secret that only these tests know, 32+"
NOTICE = UUID("5a6fb4f0-3c43-4c1f-9a53-3a1b6a2f7d10")
AT = datetime(2026, 10, 14, 1, 30, tzinfo=UTC)


class Gateway(ThreadingHTTPServer):
    """Keeps what came in; answers what ``answers`` says, 204 when it is empty."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.slow = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/notices?district=3"


class Answering(BaseHTTPRequestHandler):
    server: Gateway
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        status, headers, content = self.server.answers.pop(0) if self.server.answers else (204, {}, b"")
        time.sleep(self.server.slow)
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the caller had enough

    do_GET = do_POST  # noqa: N815  # the name is http.server's

    def log_message(self, *_: object) -> None:
        pass


def served(gateway: Gateway) -> Iterator[Gateway]:
    thread = threading.Thread(target=gateway.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield gateway
    gateway.shutdown()
    gateway.server_close()
    thread.join()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    yield from served(Gateway())


@pytest.fixture
def send(gateway, clock):
    sender = WebhookGateway(Webhook(gateway.url, SECRET), clock, timeout=1.0)

    def call(urgent: bool = True) -> None:
        sender(delivery_id=NOTICE, number="7Q2M4K9P", urgent=urgent, at=AT)

    return call


def test_a_request_is_signed_and_says_only_that_something_waits(gateway, send, clock):
    send()
    [(path, headers, body)] = gateway.seen
    assert path == "/notices?district=3"
    assert headers["host"] == f"127.0.0.1:{gateway.server_port}"
    timestamp = headers["x-xinqiao-timestamp"]
    assert int(timestamp) == int(clock.now().timestamp())
    expected = hmac.new(SECRET, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(headers["x-xinqiao-signature"], f"v1={expected}")
    assert headers["x-xinqiao-id"] == str(NOTICE)
    assert json.loads(body) == {
        "id": str(NOTICE),
        "number": "7Q2M4K9P",
        "urgent": True,
        "at": "2026-10-14T01:30:00+00:00",
        "text": "您有一条待办（编号 7Q2M4K9P），请登录处理。",
    }


def test_a_changed_body_or_time_no_longer_fits_the_signature(gateway, send):
    send()
    [(_, headers, body)] = gateway.seen
    for timestamp, content in [
        (headers["x-xinqiao-timestamp"], body.replace(b"true", b"false")),
        (str(int(headers["x-xinqiao-timestamp"]) + 1), body),
    ]:
        other = hmac.new(SECRET, timestamp.encode() + b"." + content, hashlib.sha256).hexdigest()
        assert headers["x-xinqiao-signature"] != f"v1={other}"


@pytest.mark.parametrize("status", [400, 401, 404, 409, 500, 503])
def test_an_answer_that_is_not_yes_is_a_failure(gateway, send, status):
    gateway.answers.append((status, {}, b"no"))
    with pytest.raises(GatewayFailed) as failed:
        send()
    assert failed.value.params == {"status": status}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(gateway, send, status):
    gateway.answers.append((status, {"Location": f"http://127.0.0.1:{gateway.server_port}/elsewhere"}, b""))
    with pytest.raises(GatewayFailed, match="redirect"):
        send()
    assert len(gateway.seen) == 1


def test_a_slow_gateway_is_left(gateway, send):
    gateway.slow = 1.5
    began = time.monotonic()
    with pytest.raises(GatewayFailed, match="in time"):
        send()
    assert time.monotonic() - began < 1.4


def test_a_long_answer_is_cut_off(gateway, send):
    gateway.answers.append((200, {}, b"x" * (64 * 1024 + 1)))
    with pytest.raises(GatewayFailed, match="too long"):
        send()


def test_nobody_there(clock):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sender = WebhookGateway(Webhook(f"http://127.0.0.1:{port}/", SECRET), clock, timeout=1.0)
    with pytest.raises(GatewayFailed, match="reached"):
        sender(delivery_id=NOTICE, number="1", urgent=False, at=AT)


def test_a_proxy_of_the_environment_is_not_used(gateway, send, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    send()
    assert len(gateway.seen) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.example/notices",
        "http://10.0.0.7/notices",
        "ftp://gateway.example/",
        "https://",
        "gateway.example",
        "https://user:secret@gateway.example/",
        "file:///etc/passwd",
    ],
)
def test_an_unsafe_address_is_refused_at_the_start(clock, url):
    with pytest.raises(SettingsRefused):
        WebhookGateway(Webhook(url, SECRET), clock)


@pytest.mark.parametrize(
    ("host", "address", "allowed"),
    [
        ("gateway.example", "203.0.113.0", True),
        ("gateway.example", "10.1.2.3", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("localhost", "127.0.0.1", True),
        ("gateway.example", "127.0.0.1", False),
        ("gateway.example", "::1", False),
        ("gateway.example", "::ffff:127.0.0.1", False),
        ("gateway.example", "169.254.169.254", False),
        ("gateway.example", "0.0.0.0", False),
        ("gateway.example", "224.0.0.1", False),
        ("gateway.example", "fe80::1%eth0", False),
    ],
)
def test_where_a_name_may_lead(monkeypatch, host, address, allowed):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (address, 443))])
    if allowed:
        assert str(resolve(host, 443)) == address
    else:
        with pytest.raises(GatewayFailed, match="must not be used"):
            resolve(host, 443)


def test_a_name_that_is_nowhere(monkeypatch):
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(GatewayFailed, match="cannot be found"):
        resolve("gateway.example", 443)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for ``gateway.test`` alone, signed by itself."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway.test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("gateway.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder


@pytest.mark.parametrize(("name", "accepted"), [("gateway.test", True), ("other.test", False)])
def test_the_name_is_looked_up_once_and_its_certificate_checked(
    certificate, clock, monkeypatch, name, accepted
):
    server = Gateway()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    looked_up: list[str] = []

    def one_answer(host: str, port: int, *_: object, **__: object) -> list[object]:
        if host in {"gateway.test", "other.test"}:
            looked_up.append(host)
            if len(looked_up) > 1:
                raise AssertionError("looked up again: the second answer may be another address")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", one_answer)
    monkeypatch.setattr(
        "api.webhook._is_loopback", lambda host: True
    )  # only here may the name lead to ourselves
    trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    url = f"https://{name}:{server.server_port}/"
    sender = WebhookGateway(Webhook(url, SECRET), clock, timeout=3.0, tls=trusting)
    for _ in served(server):
        if accepted:
            sender(delivery_id=NOTICE, number="1", urgent=False, at=AT)
            assert server.seen[0][1]["host"] == f"{name}:{server.server_port}"
        else:
            with pytest.raises(GatewayFailed, match="reached"):
                sender(delivery_id=NOTICE, number="1", urgent=False, at=AT)
            assert not server.seen
    assert looked_up == [name]


# --- through the worker ------------------------------------------------------------------------------------


def test_a_refused_notice_is_sent_again_later_with_the_same_id(database, clock, gateway):
    delivered: list[str] = []
    notice = Job(
        prepare=lambda session, payload: UUID(payload["notice"]),
        perform=lambda work, tools: (
            tools.gateway(delivery_id=work, number="7Q2M4K9P", urgent=False, at=AT) if tools.gateway else None
        ),
        store=lambda session, payload, result, tools: delivered.append(payload["notice"]),
    )
    tools = Tools(clock, Printer(), WebhookGateway(Webhook(gateway.url, SECRET), clock))
    worker = Worker(database, clock, {"notice.send": notice}, tools)
    with database.begin() as session:
        outbox.publish(
            session, topic="notice.send", payload={"notice": str(NOTICE)}, purpose="n", now=clock.now()
        )
    gateway.answers += [(503, {}, b""), (302, {"Location": "/x"}, b"")]
    assert worker.run_once()
    assert not worker.run_once(), "not before its time"
    for wait in (2, 4):
        clock.forward(timedelta(seconds=wait))
        assert worker.run_once()
    assert delivered == [str(NOTICE)]
    assert [headers["x-xinqiao-id"] for _, headers, _ in gateway.seen] == [str(NOTICE)] * 3
    assert len({headers["x-xinqiao-timestamp"] for _, headers, _ in gateway.seen}) == 3
    with database.look() as session:
        message = session.query(OutboxMessage).one()
        assert (message.attempts, message.last_error, message.finished_at) == (3, None, clock.now())


def test_while_a_gateway_is_slow_others_write(database, clock, gateway):
    gateway.slow = 0.6
    sender = WebhookGateway(Webhook(gateway.url, SECRET), clock, timeout=3.0)
    job = Job(
        prepare=lambda session, payload: uuid4(),
        perform=lambda work, tools: sender(delivery_id=work, number="1", urgent=False, at=AT),
        store=lambda session, payload, result, tools: None,
    )
    worker = Worker(database, clock, {"notice.send": job}, Tools(clock, Printer()))
    with database.begin() as session:
        outbox.publish(session, topic="notice.send", payload={}, purpose="n", now=clock.now())
    running = threading.Thread(target=worker.run_once)
    running.start()
    while not gateway.seen:
        time.sleep(0.01)
    began = time.monotonic()
    with database.begin() as session:
        outbox.publish(session, topic="other", payload={}, purpose="o", now=clock.now())
    took = time.monotonic() - began
    assert running.is_alive(), "the gateway should still be thinking"
    running.join()
    assert took < 0.4
