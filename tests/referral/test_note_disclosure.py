"""What a note is made of, and what must not leave the school."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import datetime

import pytest

from referral.disclosure import (
    LIMITS,
    NOT_ASKED,
    NOT_COVERED,
    NoteContent,
    SafetyFinding,
    SafetySign,
    Severity,
    check,
    check_text,
    compose,
)
from referral.disclosure import (
    UNSEEN as UNSEEN_SENTENCE,
)
from referral.terms import ReferralKind, Urgency
from screening.core.i18n import translate
from tests.referral.note_examples import ASKED, LONGEST, SEEN, UNSEEN


def rules(text, field="observed", **more):
    return {problem.rule for problem in check_text(text, field, **more)}


def found(content, **more):
    return {(problem.rule, problem.field, problem.severity.value) for problem in check(content, **more)}


# ── what stands where ─────────────────────────────────────────────────────────────────────────────────────


def test_before_anybody_has_seen_the_child_the_note_says_so_and_the_rest_is_blank():
    content = compose(replace(SEEN, seen=False))
    out = content.out
    assert out.unseen == UNSEEN_SENTENCE == "本单由系统依据筛查结果自动生成，尚未面谈，不是诊断"
    assert [row.instrument for row in out.screening] == ["PHQ-9", "GAD-7"]
    assert (out.observed, out.done_so_far, out.known_medical, out.help_wanted, out.question) == (
        "",
        "",
        "",
        (),
        "",
    )
    assert (out.signed_by, out.signed_on, content.stub.sent_by) == ("", "", "")
    assert out.safety_plan_attached is None


def test_a_machine_never_says_that_nothing_was_found():
    nothing = SafetyFinding((SafetySign.NONE_FOUND,), ASKED.asked_at, "陈老师")
    unseen = compose(replace(UNSEEN, safety=nothing)).out.safety
    assert unseen == NOT_ASKED == "尚未当面询问"
    no_such_item = tuple(replace(line, asks_about_safety=False) for line in UNSEEN.screening)
    assert (
        compose(replace(UNSEEN, screening=no_such_item)).out.safety
        == NOT_COVERED
        == "本次量表未涉及，尚未询问"
    )
    assert compose(replace(SEEN, safety=None)).out.safety == NOT_ASKED
    assert not {"无", "未发现"} & {*NOT_ASKED, *NOT_COVERED}


def test_what_a_person_found_stands_with_name_and_local_time():
    assert (
        compose(SEEN).out.safety
        == "有轻生想法。近两周有过几次,没有计划（询问人：陈老师，2026年11月19日 14:30）"
    )
    nothing = SafetyFinding((SafetySign.NONE_FOUND,), ASKED.asked_at, "陈老师")
    assert (
        compose(replace(SEEN, safety=nothing)).out.safety
        == "已当面询问，未发现（询问人：陈老师，2026年11月19日 14:30）"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"signs": ()},
        {"asked_by": " "},
        {"asked_at": datetime(2026, 11, 19, 14, 30)},  # noqa: DTZ001
        {"signs": (SafetySign.NONE_FOUND, SafetySign.PLAN)},
    ],
)
def test_a_safety_finding_without_answer_person_or_time_cannot_be_made(wrong):
    with pytest.raises(ValueError, match="safety finding"):
        replace(ASKED, **wrong)


def test_address_and_file_number_stay_on_the_stub():
    content = compose(SEEN)
    assert content.stub.address
    assert content.stub.file_no
    leaving = json.dumps([content.as_dict()["out"], content.as_dict()["reply"]], ensure_ascii=False)
    assert content.stub.address not in leaving
    assert content.stub.file_no not in leaving


def test_the_age_is_counted_on_the_day_of_the_note():
    assert compose(UNSEEN).stub.age == "13岁"  # fourteen on 9 December


def test_a_cell_has_one_line():
    assert (
        compose(replace(SEEN, observed="早上\n\n起不来 \u3000 没胃口")).out.observed == "早上 起不来 没胃口"
    )


@pytest.mark.parametrize("inputs", [UNSEEN, SEEN, LONGEST])
def test_a_frozen_note_comes_back_through_json_unchanged(inputs):
    content = compose(inputs)
    again = NoteContent.from_dict(json.loads(json.dumps(content.as_dict())))
    assert again == content
    assert again.kind is ReferralKind.REFERRAL
    assert again.urgency is inputs.urgency
    assert compose(inputs) == content


@pytest.mark.parametrize("spoil", [{"out": {}}, {"kind": "letter"}, {"extra": 1}])
def test_what_is_no_frozen_note_is_refused(spoil):
    with pytest.raises((KeyError, TypeError, ValueError)):
        NoteContent.from_dict(compose(SEEN).as_dict() | spoil)


# ── the check of one text ─────────────────────────────────────────────────────────────────────────────────

REFUSED = {
    "identity_number": [
        "身份证号990000201202290019",
        "9900002012 0229 0019",
        "990000-20120229-001X",
        "99000020120901018x",
        "９９００００２０１２０２２９００１９",
        "老证130503670401001",
        "编号123456789012345678",
    ],
    "roll_number": ["G990000201202290019", "g 990000 20120229 0019", "学籍号L99000020120229", "学籍号:990000"],
    "category": ["她是留守儿童", "家里低保", "困境儿童", "孤儿", "事实无人抚养", "建档立卡户"],
    "probability": ["概率为0.62", "系统给出的概率很高", "可能性约60%", "有60%的可能性", "风险值 0.31", "八成的概率", "模型预测阳性"],
    "tier": ["红色预警", "橙色等级", "黄色名单", "二级预警", "列为重点关注", "重点关注学生", "高危", "优先约谈", "关注等级:危机"],
    "disorder": ["抑郁症", "疑似双相", "焦虑障碍", "像是多动症", "PTSD", "ADHD?", "F32.1", "6A70", "创伤后应激反应"],
    "diagnosis": ["医院诊断过", "去年确诊"],
    "label": ["患者情绪低落", "该病人", "精神病", "心理疾病", "问题学生", "差生", "他有病", "单亲家庭"],
    "item_answer": ["第9题选了3", "第九题", "条目 9 得 2 分", "item 9 = 3", "q9: 3"],
    "marks": ["数学考了35分", "期末总分 410 分", "年级第120名", "排名从10到80", "全班第三", "记过一次", "留校察看", "受过处分"],
    "religion": ["全家信佛", "周日去教堂", "信仰伊斯兰教"],
    "parents_work": ["父亲在东莞电子厂打工", "月收入三千", "母亲就职于县财政局", "爸爸在建筑工地"],
    "address": ["住青石县河口镇杏花村三组", "幸福小区3栋2单元", "人民路 12 号"],
    "hotline": ["来电人是同学", "热线录音", "打过12355说不想活"],
    "session_notes": ["咨询记录如下", "见访谈记录"],
    "suspicion": ["怀疑其继父性侵", "被班主任殴打", "疑似遭到虐待"],
}  # fmt: skip
WARNED = {"religion", "parents_work", "address", "session_notes", "suspicion"}


@pytest.mark.parametrize(
    ("rule", "text"), [(rule, text) for rule, texts in REFUSED.items() for text in texts]
)
def test_what_must_not_be_on_the_out_note_is_found(rule, text):
    problems = {problem.rule: problem for problem in check_text(f"最近{text},睡不好。", "observed")}
    assert rule in problems
    assert problems[rule].severity is (Severity.WARN if rule in WARNED else Severity.BLOCK)
    assert problems[rule].field == "observed"


ALLOWED = [
    "最近一个多月上课常伏在桌上,课间独自留在座位,成绩明显下降,考试时分心,考试前三分钟离开。",
    "每周约两三次夜里醒来,出勤率60%,吃饭量约为以前的三成。",
    "没有病史,没有病痛,去年患有病毒性感冒。",
    "知道教室在哪,愿意和美术老师说话,第一次来辅导室时哭了,第二天好些。",
    "筛查结果不等于诊断;这不是诊断。",
    "电话 13800000000 13900000000,0731-88888888。",
    "2026-11-18 和 2026-11-20 面谈两次,2026.11.18、2026.11.19 家访。",
    "母亲在医院陪护外婆,父母在外打工,排便正常,安排5次辅导。",
    "PHQ-9 总分高,GAD-7 总分高,可能性不大,近3天有好转。",
    "喜欢红色的笔记本,穿黄色外套,同桌叫他绿豆。",
    "如夜间需要,可拨打12356。",
    "请重点关注睡眠与进食。",
    "第一条建议已执行,第二项工作本周完成。",
    "礼拜一至礼拜五住校。",
    "路上 12 点以后才到家。",
]


@pytest.mark.parametrize("text", ALLOWED)
def test_what_a_counsellor_may_well_write_passes(text):
    assert rules(text) == set()


def test_circumstances_may_stand_when_a_person_says_why_they_matter():
    text = "留守,照护人是祖母"
    assert rules(text) == {"category"}
    assert rules(text, category_reason="  ") == {"category"}
    assert rules(text, category_reason="就诊须由祖母陪同") == set()


def test_what_a_doctor_once_called_it_is_a_warning_in_the_medical_history_only():
    (problem,) = check_text("监护人说曾被医院称作抑郁症", "known_medical")
    assert (problem.rule, problem.severity) == ("disorder", Severity.WARN)
    (problem,) = check_text("监护人说曾被医院称作抑郁症", "done_so_far")
    assert problem.severity is Severity.BLOCK


def test_names_of_others_are_found_and_the_childs_own_are_not():
    others, own = ["李明", "赵老师", "王", "李明月"], ["李明月", "王彧"]
    assert rules("和李明打架", other_names=others, own_names=own) == {"other_name"}
    assert rules("李明月说累,王彧陪同,姓王的都来了", other_names=others, own_names=own) == set()
    assert rules("和李明打架") == set()


def test_texts_have_a_length():
    assert rules("好" * LIMITS["observed"]) == set()
    assert rules("好" * (LIMITS["observed"] + 1)) == {"too_long"}


def test_a_problem_never_repeats_the_text():
    for problem in check_text("身份证号990000201202290019,抑郁症,第9题", "observed"):
        assert "99000020" not in repr(problem)
        assert "抑郁症" not in translate("zh", problem.message)


def test_every_message_is_in_the_chinese_catalogue():
    texts = "990000201202290019 G990000201202290019 " + " ".join(text[0] for text in REFUSED.values())
    problems = check_text(texts + "好" * 400 + "李明", "observed", other_names=["李明"])
    assert {problem.rule for problem in problems} == {*REFUSED, "too_long", "other_name"}
    messages = {problem.message for problem in problems}
    messages |= {problem.message for problem in check(compose(replace(UNSEEN, guardian_phone="")))}
    for message in messages:
        assert translate("zh", message) != message


# ── the check of a note ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("inputs", [UNSEEN, SEEN, LONGEST])
def test_a_complete_note_has_no_problems(inputs):
    assert check(compose(inputs)) == ()


def test_what_is_missing_blocks_and_on_an_emergency_warns():
    lacking = replace(SEEN, guardian_phone="", consent_id="", safety=None, observed="")
    expected = {"guardian_phone", "consent_id", "safety", "observed"}
    assert found(compose(lacking)) == {("missing", field, "block") for field in expected}
    emergency = replace(lacking, urgency=Urgency.EMERGENCY)
    assert found(compose(emergency)) == {("missing", field, "warn") for field in expected}


def test_an_emergency_basis_replaces_the_consent():
    assert found(compose(replace(SEEN, consent_id="", emergency_basis="当面询问有计划"))) == set()


def test_a_note_says_what_was_seen_only_when_somebody_has_seen_the_child():
    for change in ({"observed": "没有胃口"}, {"signed_by": "陈老师"}, {"safety": "未发现"}, {"unseen": ""}):
        content = compose(UNSEEN)
        content = replace(content, out=replace(content.out, **change))
        assert ("unseen", next(iter(change)), "block") in found(content)


def test_every_free_text_of_the_out_note_is_checked():
    for field in ("observed", "done_so_far", "known_medical", "question"):
        content = compose(replace(SEEN, **{field: "990000201202290019"}))
        assert found(content) == {("identity_number", field, "block")}
    words = compose(replace(SEEN, safety=replace(ASKED, words="第9题选3")))
    assert found(words) == {("item_answer", "safety", "block")}


def test_fields_from_registers_are_checked_for_numbers():
    assert ("identity_number", "contact_phone", "block") in found(
        compose(replace(SEEN, contact_phone="990000201202290019"))
    )


def test_full_names_of_instruments_are_refused_because_of_their_words():
    for name in ("患者健康问卷", "心理健康诊断测验", "广泛性焦虑障碍量表"):
        line = replace(SEEN.screening[0], instrument=name)
        assert {field for _, field, _ in found(compose(replace(SEEN, screening=(line,))))} == {"instrument"}


def test_the_person_who_asked_may_be_named_and_nobody_else():
    staff = ["陈老师", "赵老师"]
    content = compose(replace(SEEN, contact_name="值班室", done_so_far="已与赵老师沟通"))
    assert found(content, other_names=staff) == {("other_name", "done_so_far", "block")}
    assert found(compose(replace(SEEN, contact_name="值班室")), other_names=staff) == set()


def test_the_reason_for_naming_circumstances_is_frozen_with_the_note_and_not_printed():
    content = compose(replace(SEEN, observed="留守,祖母照护", category_reason="就诊须由祖母陪同"))
    assert check(content) == ()
    parts = [content.as_dict()[part] for part in ("stub", "out", "reply")]
    assert "就诊须由祖母陪同" not in json.dumps(parts, ensure_ascii=False)


def test_no_part_has_a_place_for_what_must_not_leave():
    names = {field.name for part in (compose(SEEN).out, compose(SEEN).reply) for field in fields(part)}
    for word in (
        "address",
        "identity",
        "roll",
        "category",
        "probability",
        "tier",
        "level",
        "answers",
        "file_no",
    ):
        assert not {name for name in names if word in name}
