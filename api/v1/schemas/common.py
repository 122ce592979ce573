"""What goes in and out, strictly: no unknown field, no number for a text, every size bounded (AZ4, IO1, IO2).

Strict models take an integer for an integer and nothing else. Texts of JSON that stand for something (an id, a
day, an instant, a code) have their own types here, because Python's strict mode would want the thing itself.
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
)
from pydantic_core import core_schema

T = TypeVar("T")


class Body(BaseModel):
    """What a request may hold: exactly the named fields, exactly their types."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Answer(BaseModel):
    """What is shown, built by naming fields: nothing of a row is copied by itself (AZ3)."""

    model_config = ConfigDict(frozen=True)


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def _day(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("a day as YYYY-MM-DD")
    return value


def _seen(value: str) -> str:
    if not value.strip():
        raise ValueError("a text with something in it")
    return value


class _ByText:
    """A schema of its own: pydantic cannot make a shared enumeration's schema lenient afterwards."""

    def __get_pydantic_core_schema__(
        self, source: type[StrEnum], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.enum_schema(source, list(source), sub_type="str", strict=False)


# 36 characters with dashes, small or capital.
Id = Annotated[UUID, BeforeValidator(_text), Field(strict=False)]
Day = Annotated[date, BeforeValidator(_day), Field(strict=False)]
Instant = Annotated[AwareDatetime, BeforeValidator(_text), Field(strict=False)]
# A member of an enumeration by its text: ``OneOf[Tier]``.
OneOf = Annotated[T, _ByText()]

Name = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_seen)]
Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_seen)]
Note = Annotated[str, Field(min_length=1, max_length=5000), AfterValidator(_seen)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]

PageSize = Annotated[int, Field(ge=1, le=200)]


class Problem(Answer):
    """RFC 9457, as every refusal is answered."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
