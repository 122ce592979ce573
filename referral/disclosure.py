"""What may stand on a referral note, and what must not leave the school.

``compose`` takes plain facts and decides what stands in each of the three parts; the result is frozen into the
referral when it is sent, so that a note printed again is the same note. ``check`` and ``check_text`` find what must
not be on the part that goes to the facility. Pure: no session, no clock.

Three rules need no judgement and are therefore built into ``compose``, not checked afterwards:

- The stub alone carries address and file number; neither part that leaves the school has a place for them.
- While nobody has seen the child, the out-note says so and carries instrument, date, score, cut-off and validity and
  nothing else about the child's state: the rest is blank for the pen, whatever was passed in.
- "Nothing found" about safety comes from a person, with name and time. Otherwise the note says that nobody has asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Self

from referral.terms import HelpWanted, ReferralKind, Term, Urgency
from screening.core.clock import LOCAL, age_on

UNSEEN = "本单由系统依据筛查结果自动生成，尚未面谈，不是诊断"
NOT_ASKED = "尚未当面询问"
NOT_COVERED = "本次量表未涉及，尚未询问"

# Characters of one text, so that the three parts stay on one sheet. `observed` is the national form's own limit.
LIMITS = {"observed": 400, "safety": 160, "done_so_far": 150, "known_medical": 80, "question": 80, "name": 60}

_SEX = {"male": "男", "female": "女", "": ""}
_VALIDITY = {"valid": "有效", "doubtful": "存疑", "invalid": "无效"}


# ── facts in ──────────────────────────────────────────────────────────────────────────────────────────────


class SafetySign(Term):
    """安全状况. What a person found by asking the child face to face."""

    THOUGHTS = "thoughts", "有轻生想法"
    PLAN = "plan", "有具体计划"
    MEANS = "means", "身边有危险物品"
    SELF_INJURY = "self_injury", "有自伤"
    ATTEMPT = "attempt", "曾有轻生行为"
    NONE_FOUND = "none_found", "已当面询问，未发现"


@dataclass(frozen=True, slots=True)
class SafetyFinding:
    """The answer to the safety questions, who asked and when. ``asked_at`` is an aware instant."""

    signs: tuple[SafetySign, ...]
    asked_at: datetime
    asked_by: str
    words: str = ""

    def __post_init__(self) -> None:
        if not self.signs or not self.asked_by.strip() or self.asked_at.tzinfo is None:
            raise ValueError("a safety finding needs an answer, a person and an aware time")
        if SafetySign.NONE_FOUND in self.signs and len(self.signs) > 1:
            raise ValueError("a safety finding says either what was found or that nothing was found")


@dataclass(frozen=True, slots=True)
class ScreeningLine:
    """One sheet. ``instrument`` is its abbreviation: published full names hold words a note must not show.

    ``score`` and ``cutoff`` are the total and its published cut-off; None where there is none.
    ``validity`` is valid, doubtful or invalid. ``asks_about_safety``: the sheet has such an item.
    """

    instrument: str
    administered_on: date
    score: int | float | str | None
    cutoff: int | float | str | None
    validity: str
    asks_about_safety: bool = False


@dataclass(frozen=True, slots=True)
class NoteInputs:
    """Everything the three parts can be made of, as plain values. Empty text: unknown, a blank for the pen.

    ``category_reason`` is what a person wrote beside the tick 与就诊直接相关; without it circumstances such as
    留守 are refused on the out-note. ``sent_by``, ``signed_by``, ``signed_on`` are for a note signed on the screen.
    """

    form_no: str
    dated: date
    school: str
    file_no: str
    child_name: str
    child_sex: str
    birth_date: date | None
    guardian_name: str
    guardian_relation: str
    guardian_phone: str
    to_facility: str
    screening: tuple[ScreeningLine, ...]
    seen: bool
    kind: ReferralKind = ReferralKind.REFERRAL
    urgency: Urgency = Urgency.ROUTINE
    grade: str = ""
    address: str = ""
    to_department: str = ""
    to_person: str = ""
    sent_at: datetime | None = None
    escort: str = ""
    consent_id: str = ""
    emergency_basis: str = ""
    sent_by: str = ""
    observed: str = ""
    safety: SafetyFinding | None = None
    done_so_far: str = ""
    known_medical: str = ""
    help_wanted: tuple[HelpWanted, ...] = ()
    question: str = ""
    safety_plan_attached: bool | None = None
    contact_name: str = ""
    contact_phone: str = ""
    reply_by: date | None = None
    signed_by: str = ""
    signed_on: date | None = None
    category_reason: str = ""


# ── what stands on the sheet ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Stub:
    """Part 1, 存根: stays at the school. Every field is a finished text; empty is a blank for the pen."""

    file_no: str
    name: str
    sex: str
    age: str
    address: str
    guardian_name: str
    guardian_relation: str
    guardian_phone: str
    to_facility: str
    to_department: str
    to_person: str
    sent_at: str
    escort: str
    consent_id: str
    emergency_basis: str
    sent_by: str


@dataclass(frozen=True, slots=True)
class ScreeningRow:
    """One line of the screening table as printed."""

    instrument: str
    administered_on: str
    score: str
    cutoff: str
    validity: str


@dataclass(frozen=True, slots=True)
class OutNote:
    """Part 2, 转出单: goes to the facility. ``help_wanted`` holds codes; empty is a blank for the pen."""

    to_facility: str
    to_department: str
    to_person: str
    name: str
    sex: str
    birth_date: str
    grade: str
    guardian_name: str
    guardian_relation: str
    guardian_phone: str
    unseen: str
    screening: tuple[ScreeningRow, ...]
    safety: str
    observed: str
    done_so_far: str
    known_medical: str
    help_wanted: tuple[str, ...]
    question: str
    safety_plan_attached: bool | None
    contact_name: str
    contact_phone: str
    reply_by: str
    signed_by: str
    signed_on: str


@dataclass(frozen=True, slots=True)
class ReturnPart:
    """Part 3, 回转单: the facility's pen fills it. Only what brings it back to the right desk is printed."""

    school: str
    contact_name: str
    contact_phone: str
    reply_by: str


@dataclass(frozen=True, slots=True)
class NoteContent:
    """What stands in each part. ``as_dict`` and ``from_dict`` are exact inverses, through JSON too."""

    form_no: str
    kind: ReferralKind
    urgency: Urgency
    seen: bool
    dated: str
    school: str
    stub: Stub
    out: OutNote
    reply: ReturnPart
    category_reason: str = ""
    # So that the facility can answer without an account; made when the note is sent, and on no earlier paper.
    reply_token: str = ""
    reply_code: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; this is what is frozen into the referral."""
        plain = asdict(self)
        plain["kind"], plain["urgency"] = self.kind.value, self.urgency.value
        plain["out"]["screening"] = [asdict(row) for row in self.out.screening]
        plain["out"]["help_wanted"] = list(self.out.help_wanted)
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The note that was frozen. Raises KeyError, TypeError or ValueError when it is not one."""
        out = dict(plain["out"])
        out["screening"] = tuple(ScreeningRow(**row) for row in out["screening"])
        out["help_wanted"] = tuple(str(HelpWanted(code).value) for code in out["help_wanted"])
        return cls(
            **{
                **plain,
                "kind": ReferralKind(plain["kind"]),
                "urgency": Urgency(plain["urgency"]),
                "stub": Stub(**plain["stub"]),
                "out": OutNote(**out),
                "reply": ReturnPart(**plain["reply"]),
            }
        )


def compose(inputs: NoteInputs) -> NoteContent:
    """Decide what stands in each part."""
    reply_by = _day(inputs.reply_by)
    return NoteContent(
        form_no=inputs.form_no,
        kind=inputs.kind,
        urgency=inputs.urgency,
        seen=inputs.seen,
        dated=_day(inputs.dated),
        school=_line(inputs.school),
        stub=_stub(inputs),
        out=_out_note(inputs, reply_by),
        reply=ReturnPart(
            school=_line(inputs.school),
            contact_name=_line(inputs.contact_name),
            contact_phone=_line(inputs.contact_phone),
            reply_by=reply_by,
        ),
        category_reason=_line(inputs.category_reason),
    )


def _stub(inputs: NoteInputs) -> Stub:
    return Stub(
        file_no=_line(inputs.file_no),
        name=_line(inputs.child_name),
        sex=_SEX.get(inputs.child_sex, "未说明"),
        age=f"{age_on(inputs.birth_date, inputs.dated)}岁" if inputs.birth_date else "",
        address=_line(inputs.address),
        guardian_name=_line(inputs.guardian_name),
        guardian_relation=_line(inputs.guardian_relation),
        guardian_phone=_line(inputs.guardian_phone),
        to_facility=_line(inputs.to_facility),
        to_department=_line(inputs.to_department),
        to_person=_line(inputs.to_person),
        sent_at=_instant(inputs.sent_at),
        escort=_line(inputs.escort),
        consent_id=_line(inputs.consent_id),
        emergency_basis=_line(inputs.emergency_basis),
        sent_by=_line(inputs.sent_by) if inputs.seen else "",
    )


def _out_note(inputs: NoteInputs, reply_by: str) -> OutNote:
    seen = inputs.seen
    return OutNote(
        to_facility=_line(inputs.to_facility),
        to_department=_line(inputs.to_department),
        to_person=_line(inputs.to_person),
        name=_line(inputs.child_name),
        sex=_SEX.get(inputs.child_sex, "未说明"),
        birth_date=_day(inputs.birth_date),
        grade=_line(inputs.grade),
        guardian_name=_line(inputs.guardian_name),
        guardian_relation=_line(inputs.guardian_relation),
        guardian_phone=_line(inputs.guardian_phone),
        unseen="" if seen else UNSEEN,
        screening=tuple(_screening_row(line) for line in inputs.screening),
        safety=_safety(inputs),
        observed=_line(inputs.observed) if seen else "",
        done_so_far=_line(inputs.done_so_far) if seen else "",
        known_medical=_line(inputs.known_medical) if seen else "",
        help_wanted=tuple(str(wanted.value) for wanted in inputs.help_wanted) if seen else (),
        question=_line(inputs.question) if seen else "",
        safety_plan_attached=inputs.safety_plan_attached if seen else None,
        contact_name=_line(inputs.contact_name),
        contact_phone=_line(inputs.contact_phone),
        reply_by=reply_by,
        signed_by=_line(inputs.signed_by) if seen else "",
        signed_on=_day(inputs.signed_on) if seen else "",
    )


def _screening_row(line: ScreeningLine) -> ScreeningRow:
    return ScreeningRow(
        instrument=_line(line.instrument),
        administered_on=_day(line.administered_on),
        score="未计分" if line.score is None else str(line.score),
        cutoff="—" if line.cutoff is None else str(line.cutoff),
        validity=_VALIDITY[line.validity],
    )


def _safety(inputs: NoteInputs) -> str:
    finding = inputs.safety
    if inputs.seen and finding is not None:
        said = "、".join(sign.zh for sign in finding.signs)
        words = f"。{_line(finding.words)}" if finding.words.strip() else ""
        return f"{said}{words}（询问人：{_line(finding.asked_by)}，{_instant(finding.asked_at)}）"
    return NOT_ASKED if any(line.asks_about_safety for line in inputs.screening) else NOT_COVERED


def _line(text: str) -> str:
    """One line: a cell of the form has no room for paragraphs."""
    return " ".join(text.split())


def _day(day: date | None) -> str:
    return f"{day.year}年{day.month}月{day.day}日" if day else ""


def _instant(instant: datetime | None) -> str:
    if instant is None:
        return ""
    local = instant.astimezone(LOCAL)
    return f"{_day(local.date())} {local:%H:%M}"


# ── what must not leave ───────────────────────────────────────────────────────────────────────────────────


class Severity(StrEnum):
    """``block``: the note is not sent like this. ``warn``: a person looks once more and decides."""

    BLOCK = "block"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class DisclosureProblem:
    """A rule that a text broke. ``message`` is a catalogue id; it never repeats the text."""

    rule: str
    severity: Severity
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    severity: Severity
    message: str
    pattern: re.Pattern[str]
    warn_only_in: frozenset[str] = frozenset()


def _rule(
    name: str, severity: Severity, message: str, *patterns: str, warn_only_in: Iterable[str] = ()
) -> _Rule:
    return _Rule(
        name, severity, message, re.compile("|".join(patterns), re.IGNORECASE), frozenset(warn_only_in)
    )


_COLOUR = "[红橙黄蓝绿]"
_LEVEL_NOUN = "(?:预警|等级|级别|名单|风险|关注|响应|档|牌|码)"
_NUMBER = r"(?:\d+(?:\.\d+)?|[零〇一二两三四五六七八九十百]+)"

# Texts are compared after NFKC (full-width digits and letters become plain) and, for the numbers, without blanks and
# dashes between digits. The words are those of the form's own list and of the words the service never prints.
_RULES = (
    _rule(
        "category",
        Severity.BLOCK,
        "Circumstances such as left-behind or low income stay off the note unless they matter for the visit; tick it and give the reason.",
        "留守|困境|低保|孤儿|事实无人抚养|特困|建档立卡|贫困|流动儿童|随迁",
    ),
    _rule(
        "probability",
        Severity.BLOCK,
        "The computed probability stays off the note.",
        r"(?:概率|几率|机率|可能性|风险值|风险分|预测值)[^。;,!?]{0,12}?(?:\d|百分之|[零一二三四五六七八九]成)",
        r"(?:\d\s*%|百分之[零〇一二三四五六七八九十百点]+|[零一二三四五六七八九]成)[^。;,!?]{0,6}?(?:概率|几率|机率|可能性|风险)",
        "系统(?:预测|推算|算出|给出)[^。;]{0,8}(?:概率|风险)|模型(?:预测|概率|得分|评分)",
    ),
    _rule(
        "tier",
        Severity.BLOCK,
        "Tiers, colours and queue words of the school stay off the note.",
        f"{_COLOUR}色?{_LEVEL_NOUN}",
        "[一二三四1-4]级(?:预警|关注|风险|响应|危机)|[Ⅰ-Ⅳ]级(?:预警|关注|风险|响应)",
        "关注等级|危机等级|(?:重点|一般)关注(?:学生|对象|名单|库)|列为(?:重点|一般)关注|优先约谈|立即面谈|高危|预警",
        "(?:crisis_item|elevated|high) ?(?:level|tier)",
    ),
    _rule(
        "disorder",
        Severity.BLOCK,
        "Names of disorders are for the facility to use; say what was seen instead.",
        "抑郁症|抑郁障碍|焦虑症|焦虑障碍|双相|躁狂|躁郁|精神分裂|强迫症|强迫障碍|多动症|多动障碍|自闭症|孤独症|恐惧症|恐怖症|惊恐障碍",
        "厌食症|贪食症|进食障碍|应激障碍|创伤后应激|人格障碍|情绪障碍|心境障碍|品行障碍|对立违抗|适应障碍|睡眠障碍|癔症|妄想症|神经症|疑病症|抽动症",
        r"(?<![a-z])(?:PTSD|ADHD|OCD|MDD|ASD|GAD)(?![a-z0-9-])",
        r"(?<![a-z0-9])(?:F\d\d(?:\.\d+)?|6[A-E]\d[0-9A-Z](?:\.[0-9A-Z]+)?)(?![a-z0-9])",
        warn_only_in=("known_medical",),
    ),
    _rule(
        "diagnosis",
        Severity.BLOCK,
        "A school does not diagnose; say what was seen instead.",
        "(?<!不是)(?<!不等于)(?<!不作)(?<!不能)诊断|确诊",
        warn_only_in=("known_medical",),
    ),
    _rule(
        "label",
        Severity.BLOCK,
        "Words that label a child stay off the note; say what was seen instead.",
        "患者|病人|精神病|神经病|(?<!没)有病(?![史痛情假症因毒])|心理疾病|心理变态|病态",
        "问题(?:儿童|学生|少年)|异常(?:儿童|学生)|差生|坏学生|单亲家庭",
    ),
    _rule(
        "item_answer",
        Severity.BLOCK,
        "Answers to single items stay off the note.",
        rf"第\s*{_NUMBER}\s*(?:题|项|条|问)(?!工作|措施|要求|建议)",
        r"(?:条目|题目|item)\s*\d+|(?<![a-z])q\s*\d{1,2}(?!\d)",
        rf"{_NUMBER}\s*题(?:选|答|得|为)",
    ),
    _rule(
        "marks",
        Severity.BLOCK,
        "Marks, ranks and discipline stay off the note.",
        rf"(?:语文|数学|英语|物理|化学|总分|期中|期末|考试|测验|成绩)[^。;,]{{0,8}}?{_NUMBER}\s*分(?![钟心之])",
        rf"(?:排名|名次|位列|倒数)[^。;,]{{0,6}}?{_NUMBER}|(?:全班|全校|年级|班里|班级|排在?)第\s*{_NUMBER}(?!次)",
        "处分|记过|留校察看|开除|勒令退学|违纪记录|警告一次|德育分|操行",
    ),
    _rule(
        "religion",
        Severity.WARN,
        "Religion stays off the note.",
        "宗教|信教|信佛|佛教|(?<!知)道教(?![师育练学室导我你他她])|基督|天主教|伊斯兰|穆斯林|回教|教徒|教堂|清真寺|做礼拜|邪教",
    ),
    _rule(
        "parents_work",
        Severity.WARN,
        "Parents' workplaces and income stay off the note.",
        "(?:月|年)(?:收入|薪)|收入约|工资|欠债|负债|工作单位",
        "(?:父|母|爸|妈|家长|监护人)[^。;,]{0,6}(?:就职|任职|供职)",
        "(?:父|母|爸|妈|家长|监护人)[^。;,]{0,4}在[^。;,]{1,14}(?:厂|公司|工地|单位|局|银行|集团|政府|机关)",
    ),
    _rule(
        "address",
        Severity.WARN,
        "The full address stays on the stub.",
        r"[\u4e00-\u9fff]{1,8}(?:县|区|市)[\u4e00-\u9fff]{1,8}(?:镇|乡|街道)[^。;,]{1,12}(?:村|组|号|社区|路|弄|栋|室)",
        r"(?:路|街|巷|弄|小区|花园|社区)\s*\d+\s*(?:号|栋|幢|弄)",
        r"\d+\s*(?:栋|幢|单元)\s*\d+\s*(?:单元|室|号)",
    ),
    _rule(
        "hotline",
        Severity.BLOCK,
        "What was said on a hotline, and who called, stays off the note.",
        r"来电(?:人|者|录音|记录)|热线(?:录音|记录|来电|通话)|通话录音|(?:拨打|打过|打给|致电)了?\s*123(?:55|56)[^。;]{0,6}(?:说|称|反映|告诉)",
    ),
    _rule(
        "session_notes",
        Severity.WARN,
        "Session notes stay in the file; write a summary.",
        "(?:咨询|辅导|访谈|谈话|会谈)(?:记录|笔记|实录)|逐字稿|原话(?:记录|如下)",
    ),
    _rule(
        "suspicion",
        Severity.WARN,
        "A suspicion about a person goes to the police report, not on the note.",
        "(?:怀疑|疑似|可能)[^。;]{0,14}(?:性侵|猥亵|侵害|虐待|家暴|殴打|体罚|强奸)",
        "(?:被|遭|受)(?:其)?(?:父|母|爸|妈|继父|继母|爷爷|奶奶|叔|舅|哥|老师|教师|班主任|同学|邻居)[^。;]{0,8}(?:性侵|猥亵|侵害|虐待|殴打|体罚|强奸)",
    ),
)

# 17 digits and a digit or X: an identity number (GB 11643). With G, J or L before it: a school-roll number.
# 15 digits: an identity number of before 1999. Longer runs: bank cards, roll numbers of older formats.
_ROLL = re.compile(r"(?<![A-Z0-9])[GJL]\d{17}[\dX](?![\dX])", re.IGNORECASE)
_ROLL_WORD = re.compile(r"学籍号?码?[:是为\s]*[A-Z]?\d{6,}", re.IGNORECASE)
_IDENTITY = re.compile(r"(?<!\d)(?:\d{17}[\dX]|\d{15,})(?![\dX])", re.IGNORECASE)
# Written in groups (430102 20120101 1234) it must at least hold a date, or two dates in a row would look like one.
_GROUPED_IDENTITY = re.compile(
    r"\d{6}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]", re.IGNORECASE
)
_BETWEEN_DIGITS = re.compile(r"(?<=[\dGJLgjl])[\s\-_.·,、]+(?=[\dXx])")
_MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")

_MESSAGES = {
    "identity_number": "Identity numbers never go on a note.",
    "roll_number": "School-roll numbers never go on a note.",
    "other_name": "Names of other children and of staff stay off the note.",
    "too_long": "This text is too long for the sheet; shorten it.",
    "missing": "This part of the note has to be filled in before it is sent.",
    "unseen": "Nobody has seen the child yet: this part stays blank for the pen.",
}


def check_text(
    text: str,
    field: str,
    *,
    other_names: Iterable[str] = (),
    own_names: Iterable[str] = (),
    category_reason: str = "",
) -> tuple[DisclosureProblem, ...]:
    """What in a person's text must not be on the out-note. One problem per rule, in the order of the rules.

    ``other_names``: children and staff who must not be named. ``own_names``: the child, the guardian and the
    contact, whose names are on the note anyway. ``category_reason``: the tick 与就诊直接相关 with its reason.
    """
    plain = unicodedata.normalize("NFKC", text)
    found = [
        *_check_numbers(plain, field),
        *(
            DisclosureProblem(rule.name, _severity(rule, field), field, rule.message)
            for rule in _RULES
            if rule.pattern.search(plain) and not (rule.name == "category" and category_reason.strip())
        ),
    ]
    if _names_somebody(plain, other_names, own_names):
        found.append(_problem("other_name", field))
    limit = LIMITS.get(field)
    if limit is not None and len(text) > limit:
        found.append(_problem("too_long", field))
    return tuple(found)


def _severity(rule: _Rule, field: str) -> Severity:
    # A guardian may tell, and agree to pass on, what a doctor once called it.
    return Severity.WARN if field in rule.warn_only_in else rule.severity


def _problem(rule: str, field: str, severity: Severity = Severity.BLOCK) -> DisclosureProblem:
    return DisclosureProblem(rule, severity, field, _MESSAGES[rule])


def _check_numbers(plain: str, field: str) -> list[DisclosureProblem]:
    joined = _BETWEEN_DIGITS.sub("", _MOBILE.sub("\n", plain))
    found = []
    if _ROLL.search(joined) or _ROLL_WORD.search(plain):
        found.append(_problem("roll_number", field))
    if _IDENTITY.search(_ROLL.sub("", plain)) or _GROUPED_IDENTITY.search(_ROLL.sub("", joined)):
        found.append(_problem("identity_number", field))
    return found


def _names_somebody(plain: str, other_names: Iterable[str], own_names: Iterable[str]) -> bool:
    """Whether the text holds one of the names. A name of one character is found in any text: left to people."""
    own = sorted((unicodedata.normalize("NFKC", name) for name in own_names if name), key=len, reverse=True)
    for name in own:
        plain = plain.replace(name, "\n")
    others = {unicodedata.normalize("NFKC", name.strip()) for name in other_names} - set(own)
    return any(len(name) > 1 and name in plain for name in others)


# Fields of the out-note that people write freely; the others are chosen or come from the register.
_FREE = ("safety", "observed", "done_so_far", "known_medical", "question")
_REQUIRED_OUT = (
    "to_facility", "name", "sex", "birth_date", "guardian_name", "guardian_relation", "guardian_phone",
    "contact_name", "contact_phone", "reply_by",
)  # fmt: skip
_REQUIRED_SEEN = ("observed", "done_so_far", "help_wanted")
_REQUIRED_STUB = ("file_no",)


def check(content: NoteContent, *, other_names: Iterable[str] = ()) -> tuple[DisclosureProblem, ...]:
    """Everything that stands between this note and being sent.

    What is missing blocks, except on an emergency: there it warns, because the note must travel with the escort.
    """
    return (
        *_check_missing(content),
        *_check_unseen(content),
        *_check_words(content, tuple(other_names)),
        *_check_chosen(content),
    )


def _check_missing(content: NoteContent) -> list[DisclosureProblem]:
    severity = Severity.WARN if content.urgency is Urgency.EMERGENCY else Severity.BLOCK
    required = [*_REQUIRED_OUT, *(_REQUIRED_SEEN if content.seen else ())]
    empty = [name for name in required if not getattr(content.out, name)]
    empty += [name for name in _REQUIRED_STUB if not getattr(content.stub, name)]
    if not content.stub.consent_id and not content.stub.emergency_basis:
        empty.append("consent_id")
    if content.seen and content.out.safety in (NOT_ASKED, NOT_COVERED):
        empty.append("safety")
    return [_problem("missing", name, severity) for name in empty]


def _check_unseen(content: NoteContent) -> list[DisclosureProblem]:
    """A frozen note that claims nobody saw the child and tells what was seen has been tampered with."""
    if content.seen:
        return []
    blank = ("observed", "done_so_far", "known_medical", "help_wanted", "question", "signed_by")
    filled = [name for name in blank if getattr(content.out, name)]
    if content.out.unseen != UNSEEN:
        filled.append("unseen")
    if content.out.safety not in (NOT_ASKED, NOT_COVERED):
        filled.append("safety")
    return [_problem("unseen", name) for name in filled]


def _check_words(content: NoteContent, other_names: tuple[str, ...]) -> list[DisclosureProblem]:
    out = content.out
    own = (out.name, out.guardian_name, out.contact_name)
    found: list[DisclosureProblem] = []
    for name in _FREE:
        text = getattr(out, name)
        if name == "safety" and text:
            # Who asked stands here by rule; the sentences of ours hold no forbidden word.
            own = (*own, *re.findall(r"询问人[:：]([^,，]+)[,，]", text))
        found += check_text(
            text, name, other_names=other_names, own_names=own, category_reason=content.category_reason
        )
    return found


def _check_chosen(content: NoteContent) -> list[DisclosureProblem]:
    """Fields from registers: no numbers of the wrong kind, and names short enough for the sheet."""
    found: list[DisclosureProblem] = []
    for part in (content.out, content.reply):
        for item in fields(part):
            text = getattr(part, item.name)
            if isinstance(text, str) and item.name not in _FREE:
                found += _check_numbers(unicodedata.normalize("NFKC", text), item.name)
                if len(text) > LIMITS["name"]:
                    found.append(_problem("too_long", item.name))
    for row in content.out.screening:
        found += [
            p
            for p in check_text(row.instrument, "instrument")
            if p.rule in ("label", "diagnosis", "disorder")
        ]
    return found
