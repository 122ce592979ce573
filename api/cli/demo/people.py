"""Made-up pupils: names put together from characters, days counted back from today, numbers that nobody has.

Everything comes from a seed. Identity numbers carry the unassigned prefix 99, telephone numbers the area code
0000, which no place has.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from referral.terms import ContextFact
from screening.core import grades, identity_number
from screening.core.grades import GradeInfo

_SURNAMES = (
    *"王李张刘陈杨黄赵吴周徐孙马朱胡林郭何高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任姚卢傅钟姜崔谭廖范汪陆金石戴贾韦夏邱方侯邹熊孟秦白江阎薛尹段雷黎史龙陶贺顾毛郝龚邵万钱严覃武戚莫孔向汤",
    "欧阳",
    "上官",
)
_GIVEN = "安宁晨曦欣怡子涵雨泽文博思远佳慧明轩语嘉俊杰梓浩宇诗睿若楠天佑心悦一帆可馨景行书航以沫知秋云舒星河清和朗月青禾向阳嘉言庭芳松雪竹溪梅影兰舟石磊川海山岚霖霁"
# Characters that a font, an input method or a database may lack; one is outside the basic plane.
_RARE = "䶮𬍡㛃彧玥〇"
_RARE_SHARE = 0.06
_CLASS_SIZE = 40
_ADULT = "建国秀英志强丽华桂兰永福玉珍海燕春梅国庆素云"

# Shares of children in circumstances, as surveys of counties with much migration give them.
LEFT_BEHIND, NEW_HERE, LOW_INCOME = 0.30, 0.12, 0.05
_REFUSED, _NO_REPLY = 0.02, 0.04
_SHARE_GIVEN, _SHARE_REFUSED = 0.80, 0.07


@dataclass(frozen=True, slots=True)
class Pupil:
    """One line of a 名册. ``screening`` and ``sharing``: the guardian's answers, None where nobody replied."""

    student_no: str
    name: str
    sex: str
    birth_date: date
    grade: GradeInfo
    class_no: int
    id_number: str | None
    guardian_name: str
    guardian_relation: str
    guardian_phone: str
    screening: bool | None
    sharing: bool | None
    facts: tuple[ContextFact, ...]

    @property
    def left_behind(self) -> bool:
        return bool({ContextFact.BOTH_PARENTS_AWAY, ContextFact.ONE_PARENT_AWAY} & set(self.facts))

    @property
    def new_here(self) -> bool:
        return ContextFact.RECENT_TRANSFER in self.facts

    @property
    def low_income(self) -> bool:
        return ContextFact.LOW_INCOME in self.facts

    def roster_row(self, consent_on: date) -> dict[str, object]:
        """The line as the workbook's writer takes it."""
        return {
            "student_no": self.student_no,
            "name": self.name,
            "sex": self.sex,
            "birth_date": self.birth_date,
            "grade": self.grade,
            "class_name": f"{self.class_no}班",
            "id_type": "resident_id" if self.id_number else None,
            "id_number": self.id_number,
            "guardian_name": self.guardian_name,
            "guardian_relation": self.guardian_relation,
            "guardian_phone": self.guardian_phone,
            "screening_consent": self.screening,
            "share_consent": self.sharing,
            "consent_on": None if self.screening is None else consent_on,
        }


def pupils(random: Random, of_grades: tuple[GradeInfo, ...], count: int, today: date) -> list[Pupil]:
    """``count`` children spread evenly over the grades of one school."""
    ends = [count * number // len(of_grades) for number in range(len(of_grades) + 1)]
    return [
        _pupil(random, grade, seat, today)
        for grade, first, end in zip(of_grades, ends, ends[1:], strict=False)
        for seat in range(end - first)
    ]


def _pupil(random: Random, grade: GradeInfo, seat: int, today: date) -> Pupil:
    sex = random.choice(("male", "female"))
    born = _birth_date(random, grade, today)
    surname = random.choice(_SURNAMES)
    facts = _facts(random)
    screening = _answer(random, 1 - _REFUSED - _NO_REPLY, _REFUSED)
    sharing = _answer(random, _SHARE_GIVEN, _SHARE_REFUSED) if screening else screening
    relation = _relation(random, facts)
    class_no, chair = seat // _CLASS_SIZE + 1, seat % _CLASS_SIZE + 1
    return Pupil(
        student_no=f"{grades.school_year(grade):02d}{class_no:02d}{chair:03d}",
        name=surname + _given(random),
        sex=sex,
        birth_date=born,
        grade=grade,
        class_no=class_no,
        id_number=_id_number(random, born, sex) if random.random() < 0.08 else None,
        guardian_name=adult(random, surname if relation in ("父亲", "祖父") else None),
        guardian_relation=relation,
        guardian_phone=phone(random),
        screening=screening,
        sharing=sharing,
        facts=facts,
    )


def _birth_date(random: Random, grade: GradeInfo, today: date) -> date:
    """Six years old on the first day of the first school year, and so on."""
    first = date(grades.academic_year(today) - 6 - grades.school_year(grade), 9, 1)
    return first + timedelta(days=random.randrange(365))


def _given(random: Random) -> str:
    characters = random.sample(_GIVEN, random.choice((1, 2, 2, 2)))
    if random.random() < _RARE_SHARE:
        characters[-1] = random.choice(_RARE)
    return "".join(characters)


def _answer(random: Random, yes: float, no: float) -> bool | None:
    drawn = random.random()
    return True if drawn < yes else False if drawn < yes + no else None


def _facts(random: Random) -> tuple[ContextFact, ...]:
    facts = []
    if random.random() < LEFT_BEHIND:
        facts.append(random.choice((ContextFact.BOTH_PARENTS_AWAY, ContextFact.ONE_PARENT_AWAY)))
        if facts[0] is ContextFact.BOTH_PARENTS_AWAY:
            facts.append(ContextFact.GRANDPARENT_CARE)
    elif random.random() < NEW_HERE:
        facts.append(ContextFact.RECENT_TRANSFER)
    if random.random() < LOW_INCOME:
        facts.append(ContextFact.LOW_INCOME)
    return tuple(facts)


def _relation(random: Random, facts: tuple[ContextFact, ...]) -> str:
    return random.choice(
        ("祖父", "祖母", "外祖母") if ContextFact.GRANDPARENT_CARE in facts else ("父亲", "母亲")
    )


def adult(random: Random, surname: str | None = None) -> str:
    """A grown-up's name."""
    return (surname or random.choice(_SURNAMES)) + "".join(random.sample(_ADULT, 2))


def phone(random: Random) -> str:
    """A number of an area that does not exist."""
    return f"0000-555{random.randrange(10_000):04d}"


def _id_number(random: Random, born: date, sex: str) -> str:
    order = random.randrange(499) * 2 + (1 if sex == "male" else 2)
    head = f"990000{born:%Y%m%d}{order:03d}"
    return head + identity_number.check_character(head)
