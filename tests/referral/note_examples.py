"""Made-up notes: before and after somebody has seen the child, and with every text at its limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from referral.disclosure import LIMITS, NoteInputs, SafetyFinding, SafetySign, ScreeningLine
from referral.terms import HelpWanted, Urgency

ASKED = SafetyFinding(
    signs=(SafetySign.THOUGHTS,),
    asked_at=datetime(2026, 11, 19, 6, 30, tzinfo=UTC),  # 14:30 in Shanghai
    asked_by="陈老师",
    words="近两周有过几次,没有计划",
)

UNSEEN = NoteInputs(
    form_no="7KQ2M9XR4",
    dated=date(2026, 11, 20),
    school="青石县第一中学",
    file_no="XQ-2026-0147",
    child_name="李𬍡玥",
    child_sex="female",
    birth_date=date(2012, 12, 9),
    guardian_name="王彧",
    guardian_relation="祖母",
    guardian_phone="13800000000",
    to_facility="青石县人民医院",
    to_department="心理科",
    to_person="接诊台",
    screening=(
        ScreeningLine("PHQ-9", date(2026, 11, 18), 21, 10, "valid", asks_about_safety=True),
        ScreeningLine("GAD-7", date(2026, 11, 18), 13, 10, "doubtful"),
    ),
    seen=False,
    grade="初二",
    address="青石县河口镇杏花村三组",
    consent_id="C-2026-0093",
    contact_name="陈老师",
    contact_phone="0731-00000000",
    reply_by=date(2026, 12, 4),
)

SEEN = replace(
    UNSEEN,
    seen=True,
    urgency=Urgency.URGENT,
    escort="王彧(祖母)",
    sent_at=datetime(2026, 11, 20, 7, 5, tzinfo=UTC),
    sent_by="陈老师",
    observed="最近一个多月上课常伏在桌上,不再参加原来喜欢的篮球;晚上常到凌晨一两点才睡着,中午吃得很少。",
    safety=ASKED,
    done_so_far="面谈两次,已与祖母面谈、与父亲通电话。",
    known_medical="祖母说没有长期用药,无药物过敏。",
    help_wanted=(HelpWanted.ASSESSMENT, HelpWanted.SCHOOL_ADVICE),
    safety_plan_attached=True,
)

_FILL = "上课常伏在桌上,课间独自留在座位。晚上常到凌晨才睡着,早上起不来。" * 20

LONGEST = replace(
    SEEN,
    urgency=Urgency.EMERGENCY,
    school="青石县河口镇第二九年一贯制寄宿学校(杏花校区)",
    child_name="阿卜杜热伊木江·买买提艾力",
    guardian_name="古丽巴哈尔·阿卜杜热伊木",
    to_facility="青石县妇幼保健院与精神卫生中心联合儿童青少年门诊部",
    to_department="儿童青少年心理门诊",
    to_person="张医生或值班护士",
    address="青石县河口镇杏花村三组(桥头小卖部旁第二户,由祖母代收)",
    escort="古丽巴哈尔·阿卜杜热伊木(祖母)、欧阳老师",
    emergency_basis="当面询问时有具体计划,已电话告知医院值班医生",
    contact_name="欧阳陈老师(专职心理教师)",
    contact_phone="0731-00000000 13800000000",
    screening=tuple(
        ScreeningLine(name, date(2026, 11, 18), score, cutoff, "valid", asks_about_safety=True)
        for name, score, cutoff in (
            ("PHQ-9", 21, 10),
            ("GAD-7", 13, 10),
            ("MHT", 66, 65),
            ("SDQ(自评)", 24, 20),
            ("SDQ(家长)", 19, 17),
        )
    ),
    observed=_FILL[: LIMITS["observed"]],
    safety=replace(
        ASKED,
        signs=tuple(sign for sign in SafetySign if sign is not SafetySign.NONE_FOUND),
        asked_by="欧阳陈老师",
        words=_FILL[:80],
    ),
    done_so_far=_FILL[: LIMITS["done_so_far"]],
    known_medical=_FILL[: LIMITS["known_medical"]],
    help_wanted=tuple(HelpWanted),
    question=_FILL[: LIMITS["question"]],
    signed_by="欧阳陈老师",
    signed_on=date(2026, 11, 20),
)
