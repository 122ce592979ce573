"""``xinqiao instruments``: what is in the library, and whether a file that a district wrote may join it."""

from __future__ import annotations

from pathlib import Path

from api.cli.words import _, say
from instruments import shipped
from instruments.examples import ExampleResult
from instruments.own import EXAMPLES_NEEDED, FileCheck, Lack, check_file
from screening.core.errors import InvalidInput


def check(file: Path) -> bool:
    """Say all that is wrong with a file, what its worked examples give, and what it lacks. True when it is ready."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InvalidInput(
            "{path} cannot be read: {reason}.", path=file, reason=error.strerror or ""
        ) from error
    found = check_file(file.name, data, frozenset(shipped().codes))
    for line in report(found):
        say(line)
    return found.ready


def report(found: FileCheck) -> list[str]:
    """The lines of a check."""
    lines = [f"{each.field}: {each.problem}" for each in found.findings]
    if found.findings:
        lines.append(_("{n} things are wrong; the file is not used.", n=len(found.findings)))
        if found.more_may_follow:
            lines.append(_("Correct these first: until then nobody can say whether the rest fits together."))
        return lines
    for each in found.examples:
        lines += _example(each)
    lines += [_lack(lack, found) for lack in found.lacks]
    if found.ready:
        lines.append(_("The file is right and may be used for decisions."))
    else:
        lines.append(_("The file can be read and is not used for decisions yet."))
    return lines


def _example(each: ExampleResult) -> list[str]:
    if each.problem is not None:
        return [_("Example {n} cannot be scored: {problem}", n=each.number, problem=each.problem)]
    if each.holds:
        said = ", ".join(f"{one.name} {_shown(one.found)}" for one in each.said)
        return [_("Example {n} holds: {said}", n=each.number, said=said)]
    return [
        _(
            "Example {n} does not hold: {name} should be {expected} and is {found}",
            n=each.number,
            name=one.name,
            expected=_shown(one.expected),
            found=_shown(one.found),
        )
        for one in each.said
        if not one.holds
    ]


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ";".join(str(each) for each in value) or "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "–" if value is None else str(value)


def _lack(lack: Lack, found: FileCheck) -> str:
    code = found.instrument.code if found.instrument else ""
    match lack:
        case Lack.SOURCE:
            return _("It names no source that somebody has read.")
        case Lack.LICENCE:
            return _("Its licence is unclear, from memory, or without a source.")
        case Lack.EXAMPLES:
            holding = sum(each.holds for each in found.examples)
            return _(
                "It needs {needed} worked examples that hold and has {n}.", needed=EXAMPLES_NEEDED, n=holding
            )
        case Lack.EXAMPLE_FAILS:
            return _("A worked example does not hold: the file or the example is wrong.")
        case Lack.CODE_TAKEN:
            return _("The code {code} belongs to a shipped questionnaire: choose another.", code=code)
