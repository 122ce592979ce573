"""The way out to a person's telephone or chat: one signed request to the district's gateway (decision 29).

What leaves says that something waits, with its number; no name and no content. How a gateway checks a request is
in ``docs/webhook.md``. The rules for outgoing calls are those of requirement IO8: a configured address only, https
(plain http to this very machine only), no redirects, the name looked up once and the connection made to that
address, 5 s, 64 kB.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import socket
import ssl
import time
from datetime import datetime
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

import httpx2

from screening.core.clock import Clock
from screening.core.i18n import DEFAULT_LOCALE, translate
from screening.core.settings import SettingsRefused, Webhook
from screening.core.work import GatewayFailed

TIMEOUT_SECONDS = 5.0
ANSWER_LIMIT = 64 * 1024
ID_HEADER, TIME_HEADER, SIGNATURE_HEADER = "X-Xinqiao-Id", "X-Xinqiao-Timestamp", "X-Xinqiao-Signature"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """HMAC-SHA-256 over ``timestamp``, a full stop and the body, as hexadecimal digits after ``v1=``."""
    return "v1=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class WebhookGateway:
    """Sends to one gateway; raises :class:`GatewayFailed` unless it answers 2xx. Safe to share between threads."""

    def __init__(
        self,
        webhook: Webhook,
        clock: Clock,
        *,
        timeout: float = TIMEOUT_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Raises :class:`SettingsRefused` for an address that must not be used. ``tls`` is for a private root."""
        self._to = _checked(webhook.url)
        self._secret = webhook.secret
        self._clock = clock
        self._timeout = timeout
        self._tls = tls

    def __call__(self, *, delivery_id: UUID, number: str, urgent: bool, at: datetime) -> None:
        body = message(delivery_id=delivery_id, number=number, urgent=urgent, at=at)
        timestamp = str(int(self._clock.now().timestamp()))
        headers = {
            "Host": self._to.netloc.rpartition("@")[2],
            "Content-Type": "application/json",
            ID_HEADER: str(delivery_id),
            TIME_HEADER: timestamp,
            SIGNATURE_HEADER: sign(self._secret, timestamp, body),
        }
        status = self._post(resolve(self._host, self._port), headers, body)
        if 300 <= status < 400:
            raise GatewayFailed("The gateway answered with a redirect, which is not followed.")
        if not 200 <= status < 300:
            raise GatewayFailed("The gateway answered {status}.", status=status)

    @property
    def _host(self) -> str:
        return self._to.hostname or ""

    @property
    def _port(self) -> int:
        return self._to.port or (443 if self._to.scheme == "https" else 80)

    def _post(self, address: Address, headers: dict[str, str], body: bytes) -> int:
        url = httpx2.URL(
            scheme=self._to.scheme,
            host=str(address),
            port=self._port,
            raw_path=(self._to.path or "/").encode()
            + (b"?" + self._to.query.encode() if self._to.query else b""),
        )
        deadline = time.monotonic() + self._timeout
        try:
            with (
                httpx2.Client(
                    timeout=self._timeout, follow_redirects=False, trust_env=False, verify=self._tls or True
                ) as client,
                # The certificate must be the named host's, although the connection goes to a number.
                client.stream(
                    "POST", url, headers=headers, content=body, extensions={"sni_hostname": self._host}
                ) as answer,
            ):
                _read_out(answer, deadline)
                return answer.status_code
        except httpx2.TimeoutException as error:
            raise GatewayFailed("The gateway did not answer in time.") from error
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise GatewayFailed("The gateway could not be reached.") from error


def message(*, delivery_id: UUID, number: str, urgent: bool, at: datetime) -> bytes:
    """The body of a request: JSON, the same bytes for the same notice."""
    content = {
        "id": str(delivery_id),
        "number": number,
        "urgent": urgent,
        "at": at.isoformat(),
        "text": translate(
            DEFAULT_LOCALE, "You have one task waiting (number {number}). Please sign in.", number=number
        ),
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def resolve(host: str, port: int) -> Address:
    """The one address to connect to. Raises :class:`GatewayFailed` when there is none or it must not be used."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise GatewayFailed("The gateway's address cannot be found.") from error
    address = ipaddress.ip_address(str(found[0][4][0]).split("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    # A public name that leads back to this machine, or to nowhere in particular, is somebody's trick. Addresses
    # of the district's own network are fine: that is where its gateway stands.
    if address.is_loopback:
        allowed = _is_loopback(host)
    else:
        allowed = not (
            address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved
        )
    if not allowed:
        raise GatewayFailed("The gateway's address must not be used.")
    return address


def _checked(url: str) -> SplitResult:
    to = urlsplit(url)
    if not to.hostname or to.username is not None or to.fragment:
        raise SettingsRefused("XINQIAO_WEBHOOK_URL must be a web address without user name and fragment")
    if to.scheme != "https" and not (to.scheme == "http" and _is_loopback(to.hostname)):
        raise SettingsRefused("XINQIAO_WEBHOOK_URL must begin with https://")
    return to


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_out(answer: httpx2.Response, deadline: float) -> None:
    """Let the gateway finish its answer, within limits; what it says is not kept."""
    seen = 0
    for piece in answer.iter_raw():
        seen += len(piece)
        if seen > ANSWER_LIMIT:
            raise GatewayFailed("The gateway's answer is too long.")
        if time.monotonic() > deadline:
            raise GatewayFailed("The gateway did not answer in time.")
