"""Made-up wordings for packs: sentences about the weather, which stand in no questionnaire."""

from __future__ import annotations

from dataclasses import replace

from instruments import Instrument
from instruments.text import ItemText, Pack

WEATHER = {"zh": "甲乙丙丁戊己庚辛壬癸", "en": "abcdefghij"}


def sentence(place: int, language: str) -> str:
    """A text of its own for each place."""
    if language == "zh":
        return f"第{place}天的云像{WEATHER['zh'][place % 10]}山上的棉花"
    return f"On day {place} the cloud over hill {WEATHER['en'][place % 10]} looked like wool"


def made_up(instrument: Instrument, language: str = "zh", **changes: object) -> Pack:
    """A pack that fits the instrument."""
    answer = "晴{}" if language == "zh" else "sun {}"
    pack = Pack(
        instrument=instrument.code,
        version=instrument.version,
        language=language,
        layout=instrument.default_layout,
        title="云的观察" if language == "zh" else "A look at clouds",
        instructions="请看一看天空。" if language == "zh" else "Please look at the sky.",
        items=tuple(
            ItemText(
                item.key,
                sentence(place, language),
                tuple((option.value, answer.format(option.value + 2)) for option in item.options),
            )
            for place, item in enumerate(instrument.items, start=1)
        ),
    )
    return replace(pack, **changes)


def with_item(pack: Pack, key: str, **changes: object) -> Pack:
    """The same with one item changed."""
    return replace(
        pack, items=tuple(replace(item, **changes) if item.key == key else item for item in pack.items)
    )
