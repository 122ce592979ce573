"""What counts as a token: one spelling of one shape, signed by us, now. Everything else is 401 (AU1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from api.auth import ACCESS, BadToken, mint, read_access_token
from api.auth.keys import KeySet

NOW = datetime(2026, 10, 14, 2, 0, tzinfo=UTC)
SECOND = int(NOW.timestamp())
OURS, NEXT, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
KEYS = {"k1": OURS.public_key(), "k2": NEXT.public_key()}
ACCOUNT = "7c1b6f0e-2f1c-4d7a-9b62-0d9f3a1c5e11"
SESSION = "1f0d9c52-6a1e-4c8e-8f55-b0c7d5b1a2f3"
TOKEN = "e2a1b7c4-9d3f-4b6a-8c1d-2e5f7a9b0c3d"
HEADER = {"alg": "EdDSA", "kid": "k1", "typ": "at+jwt"}
CLAIMS = {
    "iss": "xinqiao",
    "aud": "xinqiao-api",
    "sub": ACCOUNT,
    "sid": SESSION,
    "jti": TOKEN,
    "iat": SECOND,
    "exp": SECOND + 600,
}
GONE = object()


def part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: object = HEADER, claims: object = CLAIMS, key: Ed25519PrivateKey = OURS) -> str:
    """A token over any header and claims, or over bytes as they are."""
    head, body = (part(x if isinstance(x, bytes) else json.dumps(x).encode()) for x in (header, claims))
    return f"{head}.{body}.{part(key.sign(f'{head}.{body}'.encode()))}"


def changed(base: dict[str, object], **changes: object) -> dict[str, object]:
    return {name: value for name, value in {**base, **changes}.items() if value is not GONE}


def with_claims(**changes: object) -> str:
    return signed(claims=changed(CLAIMS, **changes))


def with_header(**changes: object) -> str:
    return signed(header=changed(HEADER, **changes))


def hmac_with_public_key() -> str:
    """The old trick: our public key, known to all, taken as the secret of HS256."""
    pem = OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, body = part(json.dumps({**HEADER, "alg": "HS256"}).encode()), part(json.dumps(CLAIMS).encode())
    return f"{head}.{body}.{part(hmac.new(pem, f'{head}.{body}'.encode(), hashlib.sha256).digest())}"


def flipped(token: str, at: int) -> str:
    pieces = token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(pieces[at] + "=="))
    raw[len(raw) // 2] ^= 1
    pieces[at] = part(bytes(raw))
    return ".".join(pieces)


GOOD = signed()

WRONG: dict[str, str] = {
    "empty": "",
    "no dots": "x",
    "dots only": "..",
    "four parts": f"{GOOD}.x",
    "two parts": GOOD.rsplit(".", 1)[0],
    "blank signature": GOOD.rsplit(".", 1)[0] + ".",
    "not base64": "ä.ö.ü",
    "blank inside": GOOD.replace(".", ". ", 1),
    "too long": signed(claims=changed(CLAIMS, jti="x" * 5000)),
    "header flipped": flipped(GOOD, 0),
    "claims flipped": flipped(GOOD, 1),
    "signature flipped": flipped(GOOD, 2),
    "stranger's key": signed(key=STRANGER),
    "key of another kid": signed(key=NEXT),
    "alg none": with_header(alg="none").rsplit(".", 1)[0] + ".",
    "alg none, signed": with_header(alg="none"),
    "alg HS256 with our public key": hmac_with_public_key(),
    "alg RS256": with_header(alg="RS256"),
    "alg in small letters": with_header(alg="eddsa"),
    "alg absent": with_header(alg=GONE),
    "alg a list": with_header(alg=["EdDSA"]),
    "kid unknown": with_header(kid="k9"),
    "kid absent": with_header(kid=GONE),
    "kid empty": with_header(kid=""),
    "kid a number": with_header(kid=1),
    "kid a path": with_header(kid="../../token-keys.json"),
    "kid a statement": with_header(kid="k1' OR '1'='1"),
    "kid a list": with_header(kid=["k1"]),
    "typ absent": with_header(typ=GONE),
    "typ JWT": with_header(typ="JWT"),
    "typ of pages": with_header(typ="page+jwt"),
    "typ a number": with_header(typ=1),
    "typ null": with_header(typ=None),
    "crit": with_header(crit=["exp"]),
    "b64 false": with_header(b64=False, crit=["b64"]),
    "brings its key": with_header(jwk={"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
    "brings the address of its key": with_header(jku="https://elsewhere.example/keys"),
    "header a list": signed(header=[1]),
    "header null": signed(header=b"null"),
    "header not JSON": signed(header=b"{"),
    "header very deep": signed(header=b"[" * 2900),
    "claims a list": signed(claims=[1]),
    "claims a text": signed(claims="text"),
    "claims not JSON": signed(claims=b"{"),
    "claims very deep": signed(claims=b"[" * 2700),
    "claims not UTF-8": signed(claims=b'{"sub": "\xff"}'),
    "iss absent": with_claims(iss=GONE),
    "iss another": with_claims(iss="elsewhere"),
    "iss a list": with_claims(iss=["xinqiao"]),
    "aud absent": with_claims(aud=GONE),
    "aud of pages": with_claims(aud="xinqiao-pages"),
    "aud a list with ours": with_claims(aud=["xinqiao-api", "elsewhere"]),
    "aud a list of ours": with_claims(aud=["xinqiao-api"]),
    "sub absent": with_claims(sub=GONE),
    "sub null": with_claims(sub=None),
    "sub a number": with_claims(sub=7),
    "sub a name": with_claims(sub="lin"),
    "sub in capitals": with_claims(sub=ACCOUNT.upper()),
    "sub in braces": with_claims(sub=f"{{{ACCOUNT}}}"),
    "sid absent": with_claims(sid=GONE),
    "sid empty": with_claims(sid=""),
    "jti absent": with_claims(jti=GONE),
    "jti a number": with_claims(jti=7),
    "exp absent": with_claims(exp=GONE),
    "exp a text": with_claims(exp=str(SECOND + 600)),
    "exp a fraction": with_claims(exp=SECOND + 600.5),
    "exp true": with_claims(exp=True),
    "exp passed": with_claims(iat=SECOND - 631, exp=SECOND - 31),
    "exp far away": with_claims(exp=SECOND + 601),
    "exp astronomical": with_claims(exp=10**400),
    "exp infinite": signed(claims=json.dumps(CLAIMS).replace(str(SECOND + 600), "1e400").encode()),
    "exp not a number": signed(claims=json.dumps(CLAIMS).replace(str(SECOND + 600), "NaN").encode()),
    "exp before iat": with_claims(exp=SECOND - 1),
    "iat absent": with_claims(iat=GONE),
    "iat in the future": with_claims(iat=SECOND + 31, exp=SECOND + 600),
    "iat and exp astronomical": with_claims(iat=10**400, exp=10**400 + 600),
    "iat long ago": with_claims(iat=SECOND - 600),
    "nbf in the future": with_claims(nbf=SECOND + 60),
    "a role": with_claims(role="sysadmin"),
}


def read(token: str, now: datetime = NOW) -> object:
    return read_access_token(token, KEYS, issuer="xinqiao", now=now)


def test_a_token_of_ours_says_who():
    claims = read_access_token(GOOD, KEYS, issuer="xinqiao", now=NOW)
    assert (claims.account_id, claims.session_id, claims.token_id) == (
        UUID(ACCOUNT),
        UUID(SESSION),
        UUID(TOKEN),
    )
    assert claims.issued_at == NOW


def test_the_table_is_large_enough():
    assert len(WRONG) >= 40


@pytest.mark.parametrize("what", WRONG)
def test_a_changed_token_is_none(what):
    with pytest.raises(BadToken):
        read(WRONG[what])


@pytest.mark.parametrize(
    ("seconds", "good"), [(-31, False), (-30, True), (0, True), (629, True), (630, False)]
)
def test_a_token_counts_for_ten_minutes_and_half_a_minute_of_leeway(seconds, good):
    later = NOW + timedelta(seconds=seconds)
    if good:
        read(GOOD, later)
    else:
        with pytest.raises(BadToken):
            read(GOOD, later)


def test_the_next_key_counts_too():
    read(signed(header={**HEADER, "kid": "k2"}, key=NEXT))


def test_minted_tokens_hold_nothing_but_who():
    keys = KeySet(signing="k1", signer=OURS, verifiers=KEYS, form_key=b"")
    token = mint(
        keys,
        kind=ACCESS,
        issuer="xinqiao",
        account_id=UUID(ACCOUNT),
        session_id=UUID(SESSION),
        now=NOW,
        lifetime=timedelta(days=1),
    )
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims.keys() == CLAIMS.keys()
    assert claims["exp"] - claims["iat"] == 600
    assert read(token)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(max_size=200) | st.text(alphabet="aA0-_=.", max_size=200))
def test_any_text_is_refused_quietly(text):
    with pytest.raises(BadToken):
        read(text)


@given(
    header=st.fixed_dictionaries({}, optional={name: json_values | st.just(HEADER[name]) for name in HEADER}),
    claims=st.fixed_dictionaries({}, optional={name: json_values | st.just(CLAIMS[name]) for name in CLAIMS}),
)
@hypothesis_settings(max_examples=400)
def test_whatever_is_signed_nothing_but_bad_token_comes_out(header, claims):
    """Even who holds the key cannot make the reader stumble."""
    token = signed(header=header, claims=claims)
    if {**header} == HEADER and {**claims} == CLAIMS:
        read(token)
    else:
        with pytest.raises(BadToken):
            read(token)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_signed_bytes_are_refused_quietly(header, claims):
    with pytest.raises(BadToken):
        read(signed(header=header, claims=claims))


@pytest.mark.parametrize(
    "what", ["empty", "alg none", "alg HS256 with our public key", "stranger's key", "header very deep"]
)
def test_over_http_each_is_401_and_says_no_more(client, what):
    answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {WRONG[what]}"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "not-signed-in"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic bGluOng="},
        {"Cookie": "__Host-xinqiao={token}"},
        {"X-Authorization": "Bearer {token}"},
    ],
)
def test_a_token_in_another_place_is_not_looked_at(client, make_person, sign_in, headers):
    token = sign_in(make_person())["access_token"]
    filled = {name: value.format(token=token) for name, value in headers.items()}
    assert client.get("/api/v1/me", headers=filled).status_code == 401


def test_two_authorization_headers_are_none(client, make_person, sign_in):
    token = sign_in(make_person())["access_token"]
    twice = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    assert client.get("/api/v1/me", headers=twice).status_code == 401
