"""Who acts. Built once per request from the database; carries roles, never secrets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """Codes of domain guide §1 and decision 48."""

    COUNSELLOR = "counsellor"  # 心理教师
    CLASS_TEACHER = "class_teacher"  # 班主任
    SCHOOL_LEAD = "school_lead"  # 分管副校长 / 心理工作负责人
    PRINCIPAL = "principal"  # 校长
    COUNTY_CENTRE = "county_centre"  # 县(区)学生心理辅导中心
    EDU_OFFICER = "edu_officer"  # 县教育局心理健康专干
    CITY_OFFICER = "city_officer"  # 市级管理员
    CLINIC_INTAKE = "clinic_intake"  # 接诊协调员
    CLINICIAN = "clinician"  # 精神科医师 / 心理治疗师
    FACILITY_LEAD = "facility_lead"  # 医疗机构联络负责人
    HEALTH_OFFICER = "health_officer"  # 卫健部门
    HOTLINE_OPERATOR = "hotline_operator"  # 12355 接线员
    HOTLINE_SUPERVISOR = "hotline_supervisor"  # 热线督导
    CHILD_DIRECTOR = "child_director"  # 儿童主任
    CHILD_SUPERVISOR = "child_supervisor"  # 儿童督导员
    PROTECTION_CENTRE = "protection_centre"  # 未成年人救助保护中心
    ENTRY_CLERK = "entry_clerk"  # 录入员: keys sheets, sees no score
    SYSADMIN = "sysadmin"  # 系统管理员
    AUDITOR = "auditor"  # 审计员


@dataclass(frozen=True, slots=True)
class Grant:
    """One live role in one place."""

    role: Role
    organisation_id: UUID
    organisation_path: str


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person, or the system acting for somebody (decision 30).

    ``on_behalf_of``: the person whose action set the system off, or the organisation that a person writes for.
    """

    account_id: UUID | None
    grants: tuple[Grant, ...] = ()
    session_id: UUID | None = None
    on_behalf_of: UUID | None = None
    # The record of where the words came from, when they are not this person's own: typed in from paper, or
    # confirmed by telephone. Actions store it beside what they write.
    source_id: UUID | None = None

    @classmethod
    def system(cls, on_behalf_of: UUID | None = None) -> Actor:
        """The machine itself. Consequences of a sheet run as this, naming whose action set them off."""
        return cls(account_id=None, on_behalf_of=on_behalf_of)

    @property
    def is_system(self) -> bool:
        return self.account_id is None

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset(grant.role for grant in self.grants)

    def organisations(self, *roles: Role) -> frozenset[UUID]:
        """Where this person holds one of ``roles`` (any role when none is named)."""
        return frozenset(g.organisation_id for g in self.grants if not roles or g.role in roles)
