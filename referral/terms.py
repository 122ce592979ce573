"""The closed word lists of the care side: statuses, reasons, areas, facts, kinds of task.

Every member carries its glossary word in Chinese (``.zh``), which the generated reference prints; pages and
papers translate through the message catalogue. The value is what is stored and what travels in JSON, so a
value is never renamed. Lists and words follow the field guide; where a list was widened a comment says why.
Order means nothing except in ``Tier`` and ``Urgency``: use ``rank``, never ``<`` (members compare by spelling).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Term(StrEnum):
    """A stored code with its Chinese word."""

    zh: str

    def __new__(cls, value: str, zh: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.zh = zh
        return member

    @property
    def rank(self) -> int:
        """Place in the list of its kind, from 0."""
        return list(type(self)).index(self)


class Tier(Term):
    """关注等级. Set by a person, lightest first. Never a screen level, never shown as a bare number."""

    ROUTINE = "routine", "常规"
    WATCH = "watch", "一般关注"
    FOCUS = "focus", "重点关注"
    CRISIS = "crisis", "危机"


class Custody(Term):
    """个案保管. A worry about somebody at the school lives outside the school's sight."""

    SCHOOL = "school", "学校"
    PROTECTED = "protected", "保护性（县级）"


class Origin(Term):
    """个案来源. Who raised the worry."""

    SCREENING = "screening", "筛查"
    TEACHER = "teacher", "教师"
    SELF = "self", "学生本人"
    GUARDIAN = "guardian", "监护人"
    PEER = "peer", "同伴"
    HOTLINE = "hotline", "热线"
    FACILITY = "facility", "医疗机构"
    CIVIL_AFFAIRS = "civil_affairs", "民政"
    POLICE = "police", "公安"
    VISIT = "visit", "走访"
    NEIGHBOUR = "neighbour", "邻居"  # by the school's public link; not in the guide's list


class CaseStatus(Term):
    """个案状态."""

    INTAKE = "intake", "已建档待接手"
    ASSESSING = "assessing", "复评中"
    ACTIVE = "active", "干预中"
    MONITORING = "monitoring", "跟踪观察"
    ON_HOLD = "on_hold", "暂停"
    TRANSFERRING = "transferring", "移交中"
    LOST_CONTACT = "lost_contact", "失联"
    CLOSED = "closed", "已销号"


class ClosingReason(Term):
    """销号原因."""

    GOALS_MET = "goals_met", "目标达成"
    SCREENED_OUT = "screened_out", "复评排除"
    TRANSFERRED_ACCEPTED = "transferred_accepted", "移交已接收"
    LEFT_SCHOOL_HANDED_OVER = "left_school_handed_over", "离校已移交"
    GUARDIAN_DECLINED_LOW_RISK = "guardian_declined_low_risk", "监护人谢绝且风险低"
    LOST_AFTER_LADDER = "lost_after_ladder", "逐级查找后失联"
    DUPLICATE_MERGED = "duplicate_merged", "重复档案合并"
    DECEASED = "deceased", "死亡"


class CaseHoldReason(Term):
    """个案暂停原因. Always with a wake-up date at most 60 days ahead."""

    MEDICAL_LEAVE = "medical_leave", "病假"
    HOSPITAL_STAY = "hospital_stay", "住院"
    DETENTION = "detention", "羁押"
    LONG_TRIP = "long_trip", "长期外出"


class PlanStatus(Term):
    """干预方案状态. A version is immutable: a change makes the next version and this one is superseded."""

    DRAFTED = "drafted", "草案"
    CONFIRMED = "confirmed", "已确认"
    IN_PROGRESS = "in_progress", "执行中"
    REVIEW_DUE = "review_due", "待复核"
    SUPERSEDED = "superseded", "已有新版"
    COMPLETED = "completed", "已完成"
    STOPPED = "stopped", "已停止"


class ActionStatus(Term):
    """措施状态. ``proposed`` waits for a consent, ``parked`` for the next review."""

    PROPOSED = "proposed", "拟议待同意"
    PLANNED = "planned", "已拟定"
    STARTED = "started", "已开始"
    DONE = "done", "已完成"
    DROPPED = "dropped", "已取消"
    PARKED = "parked", "暂缓至下次复核"


class StopReason(Term):
    """方案停止原因."""

    NO_BENEFIT = "no_benefit", "无效"
    GUARDIAN_REFUSED = "guardian_refused", "监护人拒绝"
    CHILD_REFUSED = "child_refused", "学生拒绝"
    PROVIDER_LEFT = "provider_left", "提供者离开"
    MOVED_TO_CLINIC = "moved_to_clinic", "转由医疗机构负责"
    ADVERSE_EFFECT = "adverse_effect", "出现不良影响"


class ReferralStatus(Term):
    """转介状态."""

    DRAFT = "draft", "草稿"
    AWAITING_GUARDIAN = "awaiting_guardian", "待监护人同意"
    READY = "ready", "待发出"
    GUARDIAN_REFUSED = "guardian_refused", "监护人不同意"
    SENT = "sent", "已发出"
    RECEIVED = "received", "已收到"
    INFO_REQUESTED = "info_requested", "要求补充"
    ACCEPTED = "accepted", "已接诊"
    DECLINED = "declined", "拒接"
    EXPIRED_NO_ANSWER = "expired_no_answer", "逾期未答复"
    REROUTED = "rerouted", "已改转"
    SCHEDULED = "scheduled", "已预约"
    NO_SHOW = "no_show", "未到"
    ATTENDED = "attended", "已到诊"
    IN_CARE = "in_care", "诊疗中"
    RETURNED = "returned", "已回转"
    ACKNOWLEDGED = "acknowledged", "学校已阅"
    COMPLETED = "completed", "已闭环"
    WITHDRAWN = "withdrawn", "已撤回"


class ReferralKind(Term):
    """转介类别. A triage request leaves when nobody has seen the child in time (未经面谈)."""

    REFERRAL = "referral", "转介"
    TRIAGE_REQUEST = "triage_request", "请求分诊"


class Urgency(Term):
    """紧急程度, lightest first."""

    ROUTINE = "routine", "常规"
    URGENT = "urgent", "加急"
    EMERGENCY = "emergency", "紧急"


class ReleaseMode(Term):
    """转介放行方式, per district."""

    STEPWISE = "stepwise", "逐步放行"
    AFTER_WINDOW = "after_window", "逾期放行"
    AT_ONCE = "at_once", "即时放行"
    ON_CONFIRMATION = "on_confirmation", "确认后放行"


class DeclineReason(Term):
    """拒接原因. An emergency cannot be declined (Mental Health Law art. 28)."""

    FULL = "full", "号源已满"
    WRONG_AGE = "wrong_age", "年龄不符"
    OUT_OF_SCOPE = "out_of_scope", "超出诊疗范围"
    NOT_OUR_DISTRICT = "not_our_district", "不属本辖区"
    UNSAFE_FOR_US = "unsafe_for_us", "本机构无法保障安全"


class ReplyKind(Term):
    """机构答复的内容, given without an account."""

    RECEIVED = "received", "已收到"
    ACCEPTED = "accepted", "接诊"
    DECLINED = "declined", "不接诊"
    APPOINTMENT = "appointment", "预约时间"
    CAME = "came", "已到诊"
    DID_NOT_COME = "did_not_come", "未到诊"
    IN_CARE = "in_care", "已开始诊疗"
    RETURN_NOTE = "return_note", "回转单"


class ReplySource(Term):
    """答复来源. Where the words came from that are not their writer's own."""

    CODE = "code", "扫码或回复码"
    PAPER = "paper", "纸质回转单"
    PHONE = "phone", "电话"


class ReplyResult(Term):
    """核实结果. What became of a reply without an account."""

    CONFIRMED = "confirmed", "已电话核实"
    SET_ASIDE = "set_aside", "未采用"
    REPLACED = "replaced", "已有新的答复"
    TYPED = "typed", "代录"


class RefusalReason(Term):
    """监护人不同意的原因. Each has an answer to offer."""

    STIGMA = "stigma", "病耻感"
    COST = "cost", "费用"
    DISTANCE = "distance", "路途远"
    CANNOT_LEAVE_WORK = "cannot_leave_work", "无法请假"
    DISBELIEF = "disbelief", "不认为有问题"
    FEAR_OF_SCHOOL_RECORD = "fear_of_school_record", "担心留下记录"
    OTHER = "other", "其他"


class NoShowReason(Term):
    """未到原因."""

    FORGOT = "forgot", "忘记"
    WORK = "work", "工作走不开"
    TRANSPORT = "transport", "交通"
    COST = "cost", "费用"
    CHILD_UNWILLING = "child_unwilling", "孩子不愿去"
    GOT_WORSE = "got_worse", "情况加重"
    WENT_ELSEWHERE = "went_elsewhere", "去了别处"
    UNKNOWN = "unknown", "原因不明"  # nobody reached yet: recorded on the evening, replaced when known


class Outcome(Term):
    """回转结果. What happens next; not the label a model learns from (that is ``Finding``)."""

    NO_DISORDER_FOUND = "no_disorder_found", "未见精神障碍"
    WATCH_AND_REVIEW = "watch_and_review", "观察随诊"
    OUTPATIENT_CARE = "outpatient_care", "门诊诊疗"
    MEDICATION_STARTED = "medication_started", "开始用药"
    PSYCHOTHERAPY = "psychotherapy", "心理治疗"
    ADMITTED = "admitted", "住院"
    REFERRED_ON = "referred_on", "转往他院"
    GUARDIAN_DECLINED_CARE = "guardian_declined_care", "监护人谢绝诊疗"
    DID_NOT_ATTEND = "did_not_attend", "未就诊"
    OTHER = "other", "其他"


class Finding(Term):
    """评估结论(标签). Only the first three are labels; the rest are missing, never "no"."""

    NEEDS_CARE = "needs_care", "需要校外专业帮助"
    NO_NEED = "no_need", "不需要"
    SUBTHRESHOLD = "subthreshold", "未达需要程度"
    INCONCLUSIVE = "inconclusive", "不能确定"
    NOT_ATTENDED = "not_attended", "未就诊"
    REFUSED = "refused", "拒绝"
    MOVED = "moved", "已转走"
    PENDING = "pending", "待定"

    @property
    def label(self) -> int | None:
        """1 needs care, 0 does not, None unknown."""
        if self is Finding.NEEDS_CARE:
            return 1
        return 0 if self in (Finding.NO_NEED, Finding.SUBTHRESHOLD) else None


class RiskNow(Term):
    """回转单上的当前风险, in the clinician's words."""

    LOW = "low", "低"
    MEDIUM = "medium", "中"
    HIGH = "high", "高"


class Attendance(Term):
    """上学建议."""

    FULL = "full", "正常上学"
    PART_DAY = "part_day", "部分时间上学"
    SHORT_LEAVE = "short_leave", "短期请假"
    LONG_LEAVE = "long_leave", "较长时间休学"
    EXAMS_EASED = "exams_eased", "考试放宽"


class HelpWanted(Term):
    """希望医院协助. What the school asks of the facility."""

    ASSESSMENT = "assessment", "评估"
    TREATMENT_ADVICE = "treatment_advice", "诊疗建议"
    SCHOOL_ADVICE = "school_advice", "在校建议"
    ADMISSION_OPINION = "admission_opinion", "是否需要住院的意见"


class FollowUpStatus(Term):
    """随访状态."""

    DUE = "due", "待随访"
    DONE = "done", "已随访"
    MISSED = "missed", "未能随访"
    MOVED = "moved", "已改期"
    CANCELLED = "cancelled", "已取消"


class FollowUpTemplate(Term):
    """随访计划."""

    CRISIS = "FU_CRISIS", "危机后随访"
    FOCUS = "FU_FOCUS", "重点关注随访"
    WATCH = "FU_WATCH", "一般关注随访"
    RETURN = "FU_RETURN", "复学随访"
    AFTERCARE = "FU_AFTERCARE", "销号后随访"
    HOTLINE = "FU_HOTLINE", "热线回访"
    REFUSED = "FU_REFUSED", "监护人不同意后每周随访"


class FollowUpChannel(Term):
    """随访方式."""

    IN_PERSON = "in_person", "面谈"
    PHONE = "phone", "电话"
    HOME_VISIT = "home_visit", "家访"
    ONLINE = "online", "线上"


class CrisisStep(Term):
    """危机处置步骤. Recorded in any order."""

    OPENED = "opened", "已启动"
    ACKNOWLEDGED = "acknowledged", "有人接手"
    CHILD_SAFE = "child_safe", "孩子已安全"
    GUARDIAN_REACHED = "guardian_reached", "已联系监护人"
    PROFESSIONAL_REACHED = "professional_reached", "已联系专业人员"
    HANDED_OVER = "handed_over", "已交接"
    STOOD_DOWN = "stood_down", "已解除"


class StepResult(Term):
    """步骤结果. Everything but ``done`` needs a stated reason."""

    DONE = "done", "完成"
    BLOCKED = "blocked", "已阻断（疑似监护人侵害）"
    NOT_NEEDED = "not_needed", "无需"


class StandDownGuard(Term):
    """解除条件. What must be there before a crisis episode is stood down."""

    STEPS_SETTLED = "steps_settled", "各步骤完成或说明原因"
    TWO_PEOPLE = "two_people", "两人签字（心理教师和负责人）"
    SAFETY_PLAN = "safety_plan", "安全计划已完成"
    FOLLOW_UPS = "follow_ups", "随访已安排"
    REVIEW_MEETING = "review_meeting", "七日内会商"
    MANDATORY_REPORT = "mandatory_report", "需强制报告的已报告"


class Area(Term):
    """问题领域. Chosen by scales over a cut or set by an interview; never a diagnosis."""

    MOOD = "mood", "情绪低落"
    ANXIETY = "anxiety", "焦虑"
    SELF_HARM = "self_harm", "自伤自杀"
    TRAUMA = "trauma", "创伤"
    GRIEF = "grief", "丧失"
    CONDUCT = "conduct", "行为冲动"
    ATTENTION = "attention", "注意力"
    PEER = "peer", "同伴孤独"
    BULLYING = "bullying", "欺凌"
    FAMILY = "family", "亲子家庭"
    GUARDIANSHIP = "guardianship", "监护照护"
    SLEEP = "sleep", "睡眠"
    INTERNET = "internet", "网络"
    ACADEMIC = "academic", "学业/拒学"
    ADAPTATION = "adaptation", "适应融入"
    EATING = "eating", "进食"
    PSYCHOSIS_SIGNS = "psychosis_signs", "疑似精神病性表现"
    SUBSTANCE = "substance", "物质"
    ABUSE = "abuse", "疑似侵害"


class ContextFact(Term):
    """处境. Chooses help; by itself never flags a child, raises a tier or moves the queue."""

    BOTH_PARENTS_AWAY = "both_parents_away", "父母双方外出"
    ONE_PARENT_AWAY = "one_parent_away", "父母一方外出"
    GRANDPARENT_CARE = "grandparent_care", "隔代照护"
    LIVES_ALONE = "lives_alone", "独自居住"
    BOARDING = "boarding", "寄宿"
    RECENT_TRANSFER = "recent_transfer", "一年内转入"
    MOVES_2Y = "moves_2y", "两年内搬迁两次以上"
    LOW_INCOME = "low_income", "经济困难"
    UNINSURED = "uninsured", "未参医保"  # asked for by rule R-C2, absent from the guide's list of facts
    ORPHAN = "orphan", "孤儿"
    DE_FACTO_UNATTENDED = "de_facto_unattended", "事实无人抚养"
    DISABILITY_CHILD = "disability_child", "残疾儿童"
    CARER_ILL = "carer_ill", "照护人患病"
    BEREAVEMENT_12M = "bereavement_12m", "一年内亲人离世"
    EXAM_YEAR = "exam_year", "毕业年级"
    PRIOR_CARE = "prior_care", "既往接受过专业帮助"


class SafetyFact(Term):
    """安全事实. May move a child forward."""

    PRIOR_ATTEMPT = "prior_attempt", "既往尝试"
    RECENT_SELF_INJURY = "recent_self_injury", "近期自伤"
    MEANS_AT_HAND = "means_at_hand", "手边有危险物品"
    VIOLENCE_AT_HOME = "violence_at_home", "家庭暴力"
    BULLIED_DAILY = "bullied_daily", "每天受欺凌"
    FRIEND_DIED = "friend_died", "好友离世"


class Sign(Term):
    """面谈所见. What an interview adds to an area; a sheet alone never sets one."""

    MANIA = "mania", "异常兴奋"
    WEIGHT_LOSS = "weight_loss", "体重明显下降"
    INTOXICATION = "intoxication", "物质影响中"
    SCHOOL_REFUSAL = "school_refusal", "拒学"
    CANNOT_ATTEND = "cannot_attend", "不能到校"
    FEW_WORDS = "few_words", "不善言语表达"
    SEVERE_AT_START = "severe_at_start", "起始即重"
    NO_GAIN_8W = "no_gain_8w", "八周无改善"
    TRAUMA_WITHIN_MONTH = "trauma_within_month", "一月内的创伤"


class HarmAnswer(Term):
    """可能伤害孩子的人. Until a person has answered, nothing goes to a guardian by itself."""

    HOME = "home", "家里"
    SCHOOL = "school", "学校"
    OTHER = "other", "其他"
    NONE = "none", "无"
    UNCLEAR = "unclear", "不清楚"


class WorrySeen(Term):
    """担心:看到什么. Everyday words, chosen by a press; a place to begin a talk and never a finding."""

    NO_SCHOOL = "no_school", "不想上学"
    HURT_SELF = "hurt_self", "伤到自己"
    SAID_DYING = "said_dying", "说过不想活"
    GONE_QUIET = "gone_quiet", "变得很安静"
    AFRAID_AT_HOME = "afraid_at_home", "在家害怕"
    OTHER = "other", "其他"


class WorryUrgency(Term):
    """担心:有多急, most urgent first."""

    NOW = "now", "现在就危险"
    TODAY = "today", "今天"
    THIS_WEEK = "this_week", "这周"


class WorryEnd(Term):
    """担心的去向. Decided by a person, or by a name and a class that fit one child."""

    MATCHED = "matched", "已对上学生"
    NOT_OURS = "not_ours", "核对后不是本校学生"
    NOT_A_WORRY = "not_a_worry", "核对后并非担心"


class Turn(Term):
    """轮到谁."""

    SCHOOL = "school", "学校"
    GUARDIAN = "guardian", "监护人"
    FACILITY = "facility", "医疗机构"
    COUNTY = "county", "县级中心"
    DUTY = "duty", "值班人员"
    HOTLINE = "hotline", "热线"
    NOBODY = "nobody", "无"


class TaskKind(Term):
    """待办类别. One per kind and subject."""

    # seeing the child
    CRISIS_ACKNOWLEDGE = "crisis_acknowledge", "接手危机"
    SAME_DAY_TALK = "same_day_talk", "当日面谈"
    SAFETY_TALK = "safety_talk", "安全面谈"
    SECOND_ASSESSMENT = "second_assessment", "复评"
    COUNTY_ASSESSMENT = "county_assessment", "县中心复评"
    REVIEW_CRITICAL = "review_critical", "复核关键条目"
    RETEST = "retest", "补测或重测"
    MAKE_UP = "make_up", "缺测补测"
    TEACHER_OBSERVATION = "teacher_observation", "班主任观察"
    SELF_REFERRAL = "self_referral", "学生求助面谈"
    WORRY_NOW = "worry_now", "立即核对：有人说现在就危险"
    WORRY_MATCH = "worry_match", "核对被担心的学生"
    TIER_SIGN = "tier_sign", "签字确认关注等级"
    TERM_CONTACT = "term_contact", "学期联系"
    RANDOM_CHECK = "random_check", "随机核查面谈"
    CONFIRM_ALREADY_IN_CARE = "confirm_already_in_care", "核实在诊情况"
    # guardian
    GUARDIAN_HARM_QUESTION = "guardian_harm_question", "回答伤害来源问题"
    GUARDIAN_CONTACT = "guardian_contact", "联系监护人"
    GUARDIAN_AGREEMENT = "guardian_agreement", "征求监护人同意"
    GUARDIAN_SECOND_TALK = "guardian_second_talk", "监护人再次沟通"
    GUARDIAN_ADVICE = "guardian_advice", "把告知书交给监护人"
    CONSENT_REPLY = "consent_reply", "跟进未回复的同意书"
    CONSENT_ASK = "consent_ask", "征求措施同意"
    # plan
    PLAN_CONFIRM = "plan_confirm", "确认方案"
    PLAN_REVIEW = "plan_review", "方案复核"
    SAFETY_PLAN = "safety_plan", "制定安全计划"
    PLAN_ACTION = "plan_action", "执行措施"
    RESCREEN = "rescreen", "复测"
    FOLLOWUP = "followup", "随访"
    SERVICE_GAP = "service_gap", "服务缺口"
    GUARDIANSHIP_REVIEW = "guardianship_review", "监护情况核查"
    WEEKLY_CHECK = "weekly_check", "转入后每周了解"
    CASE_CONFERENCE = "case_conference", "个案会商"
    # referral
    REFERRAL_SEND = "referral_send", "发出转介"
    REFERRAL_ANSWER = "referral_answer", "答复转介"
    REFERRAL_REROUTE = "referral_reroute", "改转其他机构"
    REFERRAL_UPDATE = "referral_update", "向接诊机构补充情况"
    REFERRAL_HOLD = "referral_hold", "转介暂缓到期"
    APPOINTMENT = "appointment", "安排就诊"
    ATTENDANCE_CHECK = "attendance_check", "核实是否到诊"
    NO_SHOW_CONTACT = "no_show_contact", "未到后联系家庭"
    HOME_VISIT = "home_visit", "当日家访"
    REFERRAL_ENDED = "referral_ended", "转介已撤回，请知悉"
    RETURN_NOTE = "return_note", "填写回转单"
    RETURN_NOTE_READ = "return_note_read", "阅读回转单"
    REPLY_VERIFY = "reply_verify", "核实未登录回复"
    REPLY_TRIED = "reply_tried", "回复码多次输错，请了解"
    NOTE_OVERDUE = "note_overdue", "转介单未生成"
    GLYPH_MISSING = "glyph_missing", "缺字补写"
    # crisis
    CRISIS_STEP = "crisis_step", "危机处置步骤"
    CRISIS_TELL_SCHOOL = "crisis_tell_school", "告知校长和分管负责人"
    CRISIS_TELL_COUNTY = "crisis_tell_county", "电话告知县级值班"
    CRISIS_STAND_DOWN = "crisis_stand_down", "危机解除评估"
    CRISIS_REPORT = "crisis_report", "书面报告"
    MANDATORY_REPORT = "mandatory_report", "强制报告"
    # hotline
    CALL_FINISH = "call_finish", "补全来电登记"
    CALL_REVIEW = "call_review", "督导复核来电"
    CALL_DISCLOSURE = "call_disclosure", "审批突破保密"
    CALL_FOLLOW_UP = "call_follow_up", "热线回访"
    CALL_DEBRIEF = "call_debrief", "与接线员谈谈这次接听"
    CALL_SUPPORT = "call_support", "到线支援接线员"
    CALL_UNLINKED = "call_unlinked", "热线关联已撤销，核对个案"
    HANDOVER_ACKNOWLEDGE = "handover_acknowledge", "确认热线移交"
    HANDOVER_RESULT = "handover_result", "向热线反馈移交结果"
    LOOKUP_ALARM = "lookup_alarm", "热线查询异常"
    # files, channels, settings
    BATCH_COMMIT = "batch_commit", "提交导入"
    REFUSED_ROWS = "refused_rows", "处理被退回的行"
    FILE_ALARM = "file_alarm", "文件异常"
    MODEL_ALARM = "model_alarm", "模型需要核对"
    HISTORY_REVIEW = "history_review", "历史数据核查"
    UNKNOWN_CHILD_ALARM = "unknown_child_alarm", "名册外学生的警示"
    CHANNEL_MISSING = "channel_missing", "通知渠道缺失"
    DUTY_MISSING = "duty_missing", "值班空缺"
    CALENDAR_MISSING = "calendar_missing", "缺工作日历"


class CallStatus(Term):
    """来电状态. Follows from what is on record about the call; see ``states.call_status``."""

    OPEN = "open", "通话中"
    TRIAGED = "triaged", "已定级"
    INFORMING = "informing", "提供信息"
    LINKED = "linked", "已关联学生"
    UNLINKED = "unlinked", "未关联学生"
    HANDOVER_SENT = "handover_sent", "已移交待确认"
    HANDOVER_ACKNOWLEDGED = "handover_acknowledged", "移交已确认"
    FOLLOW_UP_DUE = "follow_up_due", "待回访"
    CLOSED = "closed", "已结束"


class CallLevel(Term):
    """来电分级, most urgent first. Set by the operator."""

    A = "A", "紧急"
    B = "B", "危险"  # elsewhere called 高危, a word we keep away from children
    C = "C", "关注"
    D = "D", "一般"


class CallLine(Term):
    """线路."""

    L12355 = "12355", "12355 青少年服务台"
    L12356 = "12356", "12356 心理援助热线"
    OTHER = "other", "其他线路"


class CallChannel(Term):
    """来电渠道."""

    PHONE = "phone", "电话"
    ONLINE = "online", "网络"
    WECHAT = "wechat", "微信"


class CallType(Term):
    """来电类型. Silent calls, pranks and wrong numbers are coded and nothing more is asked."""

    COUNSELLING = "counselling", "心理倾诉"
    CRISIS = "crisis", "危机"
    RIGHTS = "rights", "权益或法律"
    INFORMATION = "information", "信息咨询"
    SILENT = "silent", "沉默"
    PRANK = "prank", "骚扰"
    REPEAT = "repeat", "反复来电"
    WRONG = "wrong", "打错"


class CallerKind(Term):
    """来电人. In many calls not the child."""

    SELF = "self", "孩子本人"
    PARENT = "parent", "父母"
    GRANDPARENT = "grandparent", "祖辈"
    PEER = "peer", "同伴"
    TEACHER = "teacher", "教师"
    PASSER_BY = "passer_by", "路人"
    UNKNOWN = "unknown", "不明"


class CallerAgreement(Term):
    """来电人是否同意移交."""

    YES = "yes", "同意"
    NO = "no", "不同意"
    NOT_ASKED = "not_asked", "未能征求"


class DisclosureBasis(Term):
    """突破保密的依据."""

    DANGER_TO_LIFE = "danger_to_life", "危及生命"
    HARM_TO_MINOR = "harm_to_minor", "未成年人受到侵害"
    LAW = "law", "法律规定"


class HandoverTo(Term):
    """移交对象."""

    SCHOOL_DUTY = "school_duty", "学校值班"
    COUNTY_CENTRE = "county_centre", "县级辅导中心"
    CLINIC = "clinic", "医疗机构"
    POLICE_110 = "police_110", "110 公安"
    AMBULANCE_120 = "ambulance_120", "120 急救"
    PROTECTION_CENTRE = "protection_centre", "未成年人救助保护中心"


class HandoverResult(Term):
    """移交结果, back to the hotline."""

    REACHED = "reached", "已联系到"
    NOT_FOUND = "not_found", "没有找到"
    ALREADY_KNOWN = "already_known", "已在关注中"
    OTHER = "other", "其他"


class KnownAnswer(Term):
    """查询结果. All that a hotline is told about whether a child is known."""

    NO_MATCH = "no_match", "没有查到"
    ONE_MATCH = "one_match", "查到一名，请打值班电话"
    ASK_COUNTY = "ask_county", "请问县级值班"


class CallGuard(Term):
    """结束来电的条件. What the form asks for after the line is closed."""

    ENDED = "ended", "通话已结束"
    TYPE = "type", "来电类型"
    LEVEL = "level", "分级"
    SUMMARY = "summary", "内容摘要（不超过 500 字）"
    CONFIDENTIALITY_TOLD = "confidentiality_told", "是否已说明保密范围"
    SCALES = "scales", "想法强度和绝望程度（0–10）"
    HANDOVER = "handover", "移交，或说明为何不能移交"
    COUNTY_HANDOVER = "county_handover", "移交县级（疑似校内人员侵害）"
    ACKNOWLEDGED = "acknowledged", "移交已确认"
    RESULT = "result", "移交结果已反馈"
    FOLLOW_UPS = "follow_ups", "回访已完成"
    SUPERVISOR_REVIEW = "supervisor_review", "督导已复核"
    DISCLOSURE = "disclosure", "突破保密已审批"
    MANDATORY_REPORT = "mandatory_report", "强制报告已处理"
