"""Which passwords are taken: long enough, uncommon, not named after us; nothing else is asked (AU5)."""

from __future__ import annotations

import secrets
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth import Hasher
from api.auth.passwords import check_password, common_passwords, holds_name, surprises
from screening.core.errors import InvalidInput

NAMES = ("白石县第一中学", "baishi-no1", "林知远", "lin.zhiyuan")


def test_stored_parameters_are_those_required():
    hasher = Hasher()
    assert hasher.hash("Nine lamps over the river").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    hasher.close()


def test_thousands_of_common_passwords_are_known():
    assert len(common_passwords()) >= 3000
    assert all(len(each) >= 12 for each in common_passwords())


@pytest.mark.parametrize(
    "password",
    [
        "short", "elevenchars", "x" * 129,
        "password1234", "Password@2024", "P@ssw0rd2025", "passwordpassword", "p@$$w0rd123456",
        "123456789012", "111111111111", "123412341234", "1qaz2wsx3edc", "1qaz2wsx3edc4rfv", "qwertyuiop123",
        "qwertyuiop[]", "asdfghjkl123", "abcdefghijkl", "zxcvbnm12345", "a1b2c3a1b2c3", "abcabcabcabcabc",
        "woaini1314520", "woaini5201314", "5201314woaini", "woaizhongguo", "wodemima1234", "laoshi123456",
        "zhangwei1985", "wangfang19900101", "xuexiao12345", "Iloveyou1314", "iloveyou1234", "147258369147",
        "my 12355 call", "hotline12355!!", "Xinqiao and me", "心桥是我们的桥啊真的很好看",
        "白石县第一中学的心理老师们", "我是林知远我爱我的工作呀呀", "baishi-no1 forever", "I am Lin.Zhiyuan here",
    ],
)  # fmt: skip
def test_a_guessable_password_is_refused(password):
    with pytest.raises(InvalidInput):
        check_password(password, names=NAMES)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery", "Nine lamps over the river", "七盏灯照着过河的人回家去", "twelve chars", "dkq7 vmw2 xpl9",
        "😀 lamp 河 boat 舟", "            a lamp, a boat", "xkcdgolemfjord", "yiduo xiaohua kai zai he bian", "𰻞𰻞面好吃得不得了真的呀",
    ],
)  # fmt: skip
def test_a_good_password_is_taken_whatever_it_is_made_of(password):
    check_password(password, names=NAMES)


@pytest.mark.parametrize(("length", "good"), [(11, False), (12, True), (128, True), (129, False)])
def test_lengths(length, good):
    letters = (
        ("kwz7fpq2mxb9rtd4" * 9)[:length]
        if length < 17
        else secrets.token_hex(64)[:length].ljust(length, "z")
    )
    if good:
        check_password(letters)
    else:
        with pytest.raises(InvalidInput):
            check_password(letters)


def test_random_passwords_are_taken():
    """Chance alone must not make one guessable: of 2 000 random ones at most a few are refused."""
    refused = 0
    for _ in range(2000):
        try:
            check_password("".join(secrets.choice(string.ascii_lowercase) for _ in range(12)))
        except InvalidInput:
            refused += 1
    assert refused <= 20


@given(st.text(max_size=140))
def test_any_text_is_taken_or_refused_and_never_repeated(text):
    refused = ""
    try:
        check_password(text, names=NAMES)
    except InvalidInput as no:
        refused = str(no)
    assert len(text.strip()) < 4 or text not in refused


def test_short_names_prove_nothing():
    assert not holds_name("linoleum floor", ["li", "l", "", "第"])
    assert holds_name("linoleum floor", ["lino"])
    assert holds_name("我和李静去河边", ["李静"])


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("aaaa", 1), ("abcdef", 1), ("qwerty", 1), ("1qaz", 1), ("xkqxkqxkq", 4)]
)
def test_surprises(text, count):
    assert surprises(text) == count
