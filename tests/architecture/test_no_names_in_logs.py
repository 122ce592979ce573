"""No name, number, answer or level in logs, exception texts, notices of failure (house rule 9).

The code is read: what is handed to a logger, or to an exception that is raised, must not be a value that tells
about a person. Ids, counts, codes and names of files and settings are welcome.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import Finding, Source, calls, modules, report

LOGGERS = {"log", "logger", "logging", "LOG", "LOGGER", "_log", "_logger"}
METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}

# Attributes and variables that tell about a person, whatever object they are taken from.
PERSONAL = {
    "address", "answer", "answers", "birth", "birth_date", "born_on", "carer_name", "child_name", "display_name",
    "email", "full_name", "guardian_name", "id_number", "identity_number", "narrative", "national_id", "password",
    "phone", "phone_number", "pupil_number", "roll_number", "school_roll_number", "secret", "student_number",
    "tier", "token", "access_token", "refresh_token", "username",
}  # fmt: skip
# Personal when taken from one of these, harmless from a file, an instrument or a setting.
DEPENDS = {"name", "level", "grade", "values", "value", "text", "note", "number"}
PERSONS = {
    "child",
    "pupil",
    "student",
    "guardian",
    "carer",
    "account",
    "person",
    "row",
    "cell",
    "case",
    "result",
}
PERSONS |= {"administration", "enrolment", "referral", "entry", "episode", "sighting", "outcome", "decision"}

# (file, what) → reason. Only for values that are not a person's although they look so.
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("screening/core/paper.py", "answer"): "what the printing process replies: counts and a kind of failure",
}


def personal_parts(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Values inside an expression that tell about a person."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute):
            base = part.value
            while isinstance(base, ast.Attribute | ast.Subscript | ast.Call):
                base = base.func if isinstance(base, ast.Call) else base.value
            owner = part.value.attr if isinstance(part.value, ast.Attribute) else getattr(base, "id", "")
            if part.attr in PERSONAL or (part.attr in DEPENDS and owner in PERSONS):
                yield part.lineno, ast.unparse(part)
        elif isinstance(part, ast.Name) and part.id in PERSONAL:
            yield part.lineno, part.id


def is_logging(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id=owner), attr=method):
            return owner in LOGGERS and method in METHODS
        case ast.Attribute(value=ast.Attribute(attr=owner), attr=method):
            return owner in LOGGERS and method in METHODS
    return False


def spoken(tree: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    """Everything that is logged or stands in a raised exception: (expression, where)."""
    for call in calls(tree):
        if is_logging(call):
            for part in [*call.args, *(keyword.value for keyword in call.keywords)]:
                yield part, "logged"
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for part in [*node.exc.args, *(keyword.value for keyword in node.exc.keywords)]:
                yield part, "in an exception"


def breaches(source: Source) -> list[Finding]:
    return [
        Finding(source.path, line, f"{what} is {where}")
        for part, where in spoken(source.tree)
        for line, what in personal_parts(part)
        if (source.path, what) not in EXCEPTIONS
    ]


def test_nothing_personal_is_logged_or_raised():
    found = [finding for source in modules() for finding in breaches(source)]
    assert not found, report(found)


def test_only_commands_print():
    found = [
        Finding(source.path, call.lineno, "print")
        for source in modules()
        if not source.path.startswith("api/cli/") and not source.path.endswith("/__main__.py")
        for call in calls(source.tree)
        if isinstance(call.func, ast.Name) and call.func.id == "print"
    ]
    assert not found, report(found)


@pytest.mark.parametrize(
    "statement",
    [
        "log.info('%s enrolled', child.name)",
        "log.warning(f'{entry.child.name} is missing')",
        "self.log.error('x', extra={'who': guardian.phone})",
        "logging.exception('%s', answers)",
        "log.info('level %s', result.level)",
        "raise ValueError(f'bad number {identity_number}')",
        "raise InvalidInput('Unknown child {name}.', name=row.name)",
        "raise PolicyViolation('x', tier=case.tier)",
    ],
)
def test_something_personal_is_found(statement):
    assert breaches(Source.of("sample.py", statement))


@pytest.mark.parametrize(
    "statement",
    [
        "log.info('message %s failed', message_id)",
        "log.info('%s rows of %s', len(rows), path.name)",
        "log.warning('no calendar for %d', year)",
        "raise UnknownInstrument(code)",
        "raise ValueError('an instant needs a time zone')",
        "show(child.name)",
    ],
)
def test_something_harmless_is_not_found(statement):
    assert not breaches(Source.of("sample.py", statement))
