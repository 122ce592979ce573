"""A keyed sheet: what is sent, and what the person who keyed it is told."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field

from api.v1.schemas.children import Code, ResultOut
from api.v1.schemas.common import Answer, Body, Day, OneOf
from instruments import Grade, SheetConditions
from screening.core.i18n import translate
from screening.models.administration import Administration, Mode
from screening.models.result import ScreenResult

ItemKey = Annotated[str, Field(min_length=1, max_length=20)]
# Anything JSON can say in one cell: a wrong answer is read for alarms before it is refused, by the door itself.
Cell = int | float | bool | str | None


class ConditionsIn(Body):
    """How the sheet was filled in. ``seconds``: how long it took."""

    seconds: Annotated[int, Field(ge=0, le=24 * 3600)] | None = None
    helped: bool = False
    reading_trouble: bool = False


class AdministrationIn(Body):
    """One sheet. Answers by item key, null where the child left it blank. ``layout``: the order of the items on this
    form, where the questionnaire has several."""

    instrument: Code
    administered_on: Day
    mode: OneOf[Mode]
    answers: Annotated[dict[ItemKey, Cell], Field(min_length=1, max_length=200)]
    informant: Code | None = None
    layout: Code | None = None
    conditions: ConditionsIn = ConditionsIn()

    def sheet(self) -> dict[str, object]:
        return dict(self.answers)

    def circumstances(self) -> SheetConditions:
        said = self.conditions
        return SheetConditions(seconds=said.seconds, helped=said.helped, reading_trouble=said.reading_trouble)


def instruction_for(grade: Grade | None, locale: str) -> str:
    """What whoever holds the sheet does now. Nothing of the score, and the same words for every child (A03)."""
    match grade:
        case Grade.A:
            return translate(
                locale,
                "Stay with the child now and do not leave the child alone. Call the duty person at once.",
            )
        case Grade.B:
            return translate(
                locale,
                "Tell the counsellor or the duty person now: somebody talks with the child before school ends today.",
            )
        case Grade.C:
            return translate(
                locale,
                "Tell the counsellor today: somebody talks with the child by the end of the next school day.",
            )
    return translate(locale, "Recorded. Nothing else is to be done at this moment.")


class RecordedOut(Answer):
    """For somebody who keys sheets and sees no score: it is stored, and what to do."""

    recorded: Literal[True] = True
    administration_id: UUID
    instruction: str
    duty_phone: str | None

    @classmethod
    def of(
        cls, administration: Administration, grade: Grade | None, duty_phone: str | None, locale: str
    ) -> Self:
        return cls(
            administration_id=administration.id,
            instruction=instruction_for(grade, locale),
            duty_phone=duty_phone,
        )


class ScoredOut(RecordedOut):
    """For somebody who reads scores: the result too."""

    result: ResultOut

    @classmethod
    def of_result(cls, result: ScreenResult, duty_phone: str | None, locale: str) -> Self:
        recorded = RecordedOut.of(result.administration, result.grade, duty_phone, locale)
        return cls(**recorded.model_dump(), result=ResultOut.of(result))
