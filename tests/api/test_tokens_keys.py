"""The key file: private, unguessable, at least two keys; rotation refuses nobody, revocation is immediate (AU2)."""

from __future__ import annotations

import base64
import json
import threading
from datetime import timedelta

import pytest

from api.auth import keys
from screening.core.sealing import KeysRefused


def stored(path):
    return json.loads(path.read_text())


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "tokens.json"
    keys.create(path)
    return path


def test_a_new_file_is_private_and_holds_two_keys(key_file):
    assert key_file.stat().st_mode & 0o777 == 0o600
    found = keys.read(key_file)
    assert len(found.verifiers) == 2
    assert found.signing in found.verifiers


def test_a_file_is_never_replaced(key_file):
    with pytest.raises(FileExistsError):
        keys.create(key_file)


def test_no_key_shows_in_a_text(key_file):
    private = [entry["private"] for entry in stored(key_file)["keys"].values()]
    assert not [each for each in private if each in repr(keys.read(key_file))]


def spoil(path, **changes):
    body = {**stored(path), **changes}
    path.write_text(json.dumps(body))


def all_keys(path, private):
    return {kid: {"private": private} for kid in stored(path)["keys"]}


RFC_8032 = base64.b64encode(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
).decode()


@pytest.mark.parametrize(
    ("spoiled", "says"),
    [
        (lambda p: p.unlink(), "missing"),
        (lambda p: p.chmod(0o640), "read by others"),
        (lambda p: p.chmod(0o604), "read by others"),
        (lambda p: p.write_text("{"), "not a key file"),
        (lambda p: p.write_text("[]"), "not a key file"),
        (lambda p: p.write_text("{}"), "not a key file"),
        (lambda p: spoil(p, keys=[]), "not a key file"),
        (lambda p: spoil(p, keys=all_keys(p, "AAAA")), "bytes long"),
        (lambda p: spoil(p, forms="AAAA"), "bytes long"),
        (lambda p: spoil(p, keys=all_keys(p, base64.b64encode(bytes(32)).decode())), "sample"),
        (lambda p: spoil(p, keys=all_keys(p, base64.b64encode(bytes(range(32))).decode())), "sample"),
        (lambda p: spoil(p, keys=all_keys(p, base64.b64encode(b"secret" * 5 + b"!!").decode())), "sample"),
        (lambda p: spoil(p, keys=all_keys(p, RFC_8032)), "sample"),
        (lambda p: spoil(p, keys=dict(list(stored(p)["keys"].items())[:1])), "two keys"),
        (lambda p: spoil(p, signing="another"), "two keys"),
    ],
)
def test_an_unsafe_file_is_refused_in_words(key_file, spoiled, says):
    spoiled(key_file)
    with pytest.raises(KeysRefused, match=says):
        keys.KeyStore(key_file)


def test_the_service_does_not_start_without_keys(settings, database, clock):
    from api.app import create_app

    with pytest.raises(KeysRefused):
        create_app(settings, database, clock)


def test_rotation_signs_with_the_next_and_still_checks_the_former(key_file, clock):
    before = keys.read(key_file)
    signing = keys.rotate(key_file, now=clock.now())
    after = keys.read(key_file)
    assert after.signing == signing != before.signing
    assert signing in before.verifiers, "the next key was there before it signed"
    assert before.signing in after.verifiers
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_retired_keys_are_dropped_when_no_token_of_theirs_can_live(key_file, clock):
    first = keys.read(key_file).signing
    keys.rotate(key_file, now=clock.now())
    keys.rotate(key_file, now=clock.now() + timedelta(minutes=30))
    assert first in keys.read(key_file).verifiers
    keys.rotate(key_file, now=clock.now() + timedelta(hours=3))
    assert first not in keys.read(key_file).verifiers
    assert len(keys.read(key_file).verifiers) >= 2


def test_a_revoked_key_is_gone_and_another_signs(key_file):
    before = keys.read(key_file)
    signing = keys.revoke(key_file, before.signing)
    after = keys.read(key_file)
    assert before.signing not in after.verifiers
    assert after.signing == signing
    assert len(after.verifiers) >= 2
    with pytest.raises(KeysRefused):
        keys.revoke(key_file, "another")


def test_a_running_service_sees_a_revocation_at_the_next_request(client, settings, make_person, sign_in):
    headers = {"Authorization": f"Bearer {sign_in(make_person())['access_token']}"}
    assert client.get("/api/v1/me", headers=headers).status_code == 200
    keys.revoke(settings.tokens_file, keys.read(settings.tokens_file).signing)
    assert client.get("/api/v1/me", headers=headers).status_code == 401


def test_rotation_under_load_refuses_nobody(app, settings, make_person, sign_in, clock):
    token = sign_in(make_person())["access_token"]
    gatekeeper, refused, done = app.state.gatekeeper, [], threading.Event()

    def knock():
        while not done.is_set():
            try:
                gatekeeper.recognise(token)
            except Exception as error:
                refused.append(error)

    threads = [threading.Thread(target=knock) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        keys.rotate(settings.tokens_file, now=clock.now())
    done.set()
    for thread in threads:
        thread.join()
    assert not refused
