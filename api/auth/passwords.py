"""Which passwords are refused (requirement AU5): too short, too long, common, guessable, or named after us.

Exactly as typed, any characters, no "one digit and one capital". The common ones are built by rule instead of
kept as a file: what leaked lists show is stems with tails (``woaini1314520``, ``Password@2024``), runs on the
keyboard and repetitions.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from functools import cache
from itertools import pairwise, product

from screening.core.errors import InvalidInput

SHORTEST, LONGEST = 12, 128
FEWEST_SURPRISES = 5

_WORDS = """
password passwort passcode passwd pass admin administrator root user guest test tester demo sample login welcome
letmein changeme default secret master super superman batman spiderman pokemon starwars dragon monkey tiger
football baseball basketball soccer hockey liverpool chelsea arsenal sunshine princess shadow michael jordan
jessica ashley daniel charlie thomas robert freedom whatever trustno access computer internet server windows
microsoft google iloveyou iloveu lovely love forever hello helloworld summer winter spring autumn flower cookie
cheese chocolate banana orange purple silver golden diamond killer hunter ranger buster mustang ferrari porsche
mercedes yamaha samsung iphone android huawei xiaomi alibaba taobao tencent weixin wechat qqqq baidu
woaini woaiwo woaiwojia woaizhongguo aini ainiyiwannian wobuzhidao woshishui woshini nihao nihaoma zhongguo
zhonghua beijing shanghai guangzhou shenzhen chongqing chengdu wuhan tianjin nanjing hangzhou xian
mima wodemima wangjile xiexie laopo laogong baobei baobao qinaide xingfu kuaile pingan jiankang shengri
xuexiao xuesheng laoshi jiaoshi xiaozhang banzhuren xinli xinlilaoshi xinlijiankang zixun fudao yiyuan yisheng
rexian weiwangyi jiaoyuju xinqiao heart bridge school teacher student counsellor counselor clinic hospital
zhang wang li liu chen yang zhao huang zhou wu xu sun hu zhu gao lin he guo ma luo zhangwei wangwei wangfang
liwei lina zhangmin lijing wangjing liuyang wangyan lijun zhanglei mm gg xx aa abc abcd abcde abcdef abcabc
qwe qwer qwert qwerty qwertyuiop asd asdf asdfgh asdfghjkl zxc zxcv zxcvbn zxcvbnm qaz qazwsx qazwsxedc wasd
qweasd qweasdzxc poiuyt lkjhgf mnbvcxz aaa aaaa aaaaaa a q z s w x
"""
_TAILS = """
1 12 123 1234 12345 123456 1234567 12345678 123456789 1234567890 0123456789 123123 123321 112233 111111 000000
666 6666 666666 888 8888 888888 999 999999 168 520 5201314 1314 1314520 521 5211314 147258 147258369 159357
100200 abc abc123 123abc qwe qwe123 asd asd123 qwerty a1b2c3 aaa xyz 007 110 119 120 12355 12345678910 987654321
"""
_FIRST_YEAR, _LAST_YEAR = 1960, 2035
_KEYPAD = ("147", "258", "369", "7410", "159", "357")
_KEYBOARD = ("1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./")
_AS_LETTERS = str.maketrans("@$!|0134578", "asiioieastb")

# Words that everybody who looks at this service would try.
OURS = ("12355", "xinqiao", "心桥")


# Without look-alikes: read aloud and typed once.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def start_password() -> str:
    """Made by the machine, shown once, changed at the first sign-in: four groups of four, some 79 random bits."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))


@cache
def common_passwords() -> frozenset[str]:
    """Common passwords of at least the shortest length, folded as :func:`fold` does."""
    words, tails = _WORDS.split(), _TAILS.split()
    years = [str(year) for year in range(_FIRST_YEAR, _LAST_YEAR + 1)]
    ends = [*tails, *years, *(f"{year}{tail}" for year in years[-20:] for tail in ("1", "123"))]
    made = set(words)
    made |= {f"{word}{end}" for word, end in product(words, ends)}
    made |= {f"{end}{word}" for word, end in product(words, tails)}
    made |= {f"{first}{second}" for first, second in product(words, words)}
    made |= {f"{first}{second}" for first, second in product(tails, tails)}
    made |= {word * count for word in [*words, *tails] for count in range(2, 13) if len(word) * count <= 24}
    return frozenset(each for each in made if len(each) >= SHORTEST)


def fold(password: str) -> str:
    """Small letters and digits only: ``Password@2024!`` is ``password2024``."""
    return "".join(char for char in password.casefold() if char.isalnum())


def check_password(password: str, *, names: Iterable[str] = ()) -> None:
    """Raises :class:`InvalidInput`. ``names``: the person's own and those of their organisations."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(
            "A password has {shortest} to {longest} characters.", shortest=SHORTEST, longest=LONGEST
        )
    if is_common(password) or surprises(password.casefold()) < FEWEST_SURPRISES:
        raise InvalidInput("This password is too common. Three or four unrelated words make a good one.")
    if holds_name(password, [*OURS, *names]):
        raise InvalidInput(
            "A password does not contain the name of a person, an organisation or this service."
        )


def is_common(password: str) -> bool:
    """Whether it is on the list as it is, with look-alikes (``p@ssw0rd``), or one stem with any number."""
    folded, known = fold(password), common_passwords()
    head, tail = _split(password.casefold())
    # Look-alikes stand in the word, the tail is meant as a number: both parts are read apart.
    word = fold(head.translate(_AS_LETTERS))
    stems = _stems()
    return folded in known or word + tail in known or word in stems or folded.strip("0123456789") in stems


@cache
def _stems() -> frozenset[str]:
    return frozenset(_WORDS.split())


def _split(text: str) -> tuple[str, str]:
    found = re.fullmatch(r"(.*?)[^0-9a-z]*(\d*)[^0-9a-z]*", text, re.DOTALL)
    return (found[1], found[2]) if found else (text, "")


def holds_name(password: str, names: Iterable[str]) -> bool:
    """Whether one of ``names`` stands in it; names of one character, or of two Latin ones, prove nothing."""
    folded = fold(password)
    return any(
        len(name) >= (2 if not name.isascii() else 3) and name in folded for name in map(fold, names) if name
    )


def surprises(text: str) -> int:
    """Characters that the ones before do not foretell: by a run, the keyboard or a repetition."""
    return sum(1 for at in range(len(text)) if not _foretold(text, at))


def _foretold(text: str, at: int) -> bool:
    if at == 0:
        return False
    here, before = text[at], text[at - 1]
    if abs(ord(here) - ord(before)) <= 1 or frozenset((here, before)) in _neighbours():
        return True
    pair = text[at - 1 : at + 1]
    return any(pair == text[at - 1 - back : at + 1 - back] for back in range(2, min(7, at)))


@cache
def _neighbours() -> frozenset[frozenset[str]]:
    """Pairs of keys side by side or one above the other, on the keyboard and on the number pad."""
    beside = {frozenset(pair) for row in (*_KEYBOARD, *_KEYPAD) for pair in pairwise(row)}
    above = {frozenset(pair) for rows in pairwise(_KEYBOARD) for pair in zip(*rows, strict=False)}
    return frozenset(beside | above)
