"""From facts about a child and a menu of help to a draft plan, with the rule that chose each line.

Pure: values in, frozen values out. ``facts`` says what is known, ``library`` reads the menu and the rules,
``draft`` applies them. A draft is a proposal: a person confirms, changes or drops every line.
"""

from referral.planning.draft import (
    PlanDraft,
    PlannedAction,
    ReferralNeed,
    ServiceGap,
    Skipped,
    SkipReason,
    draft_plan,
)
from referral.planning.facts import (
    AreaFinding,
    PlanFacts,
    SheetScores,
    areas_from_scores,
    referral_urgency,
    working_tier,
)
from referral.planning.library import (
    Component,
    Menu,
    PlanRules,
    fact_words,
    intervention_menu,
    plan_rules,
)

__all__ = [
    "AreaFinding",
    "Component",
    "Menu",
    "PlanDraft",
    "PlanFacts",
    "PlanRules",
    "PlannedAction",
    "ReferralNeed",
    "ServiceGap",
    "SheetScores",
    "SkipReason",
    "Skipped",
    "areas_from_scores",
    "draft_plan",
    "fact_words",
    "intervention_menu",
    "plan_rules",
    "referral_urgency",
    "working_tier",
]
