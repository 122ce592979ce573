"""Every read of a child's rows starts from the actor's scope (house rule 4, requirement AZ1).

The code is read, not run. A model is *child-facing* when its table is the child's or leads there by foreign keys.
What may be done with such models, and where, is the table :data:`ALLOWED`; what is not in it fails the build.
An exception is one file with a reason, never a folder.

A query function starts from a scope, or it is a *part query*: it narrows to one thing (:data:`PARTS`) that its
caller has found through a scope, such as the guardians of a child. A route may call a part query with what it has
found, never with an id that came with the request.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import (
    Finding,
    Source,
    called_name,
    calls,
    imported_from,
    load_tables,
    module_aliases,
    modules,
    report,
)

CHILD = "child"  # Child in a select, a join, a get
ROWS = "rows"  # another child-facing model in a select or a join
NARROWED = "narrowed rows"  # the same, with a condition in the same expression
GET = "get"  # session.get(Model, id): by an id that came from somewhere; session.get(Model, thing.child_id) is narrowed
WRITE = "write"  # insert, update or delete statements on child-facing models
TEXT = "text"  # SQL as text
BARE = "bare"  # statements past the models: tables, bulk methods, driver connections

# Places by the beginning of their path; the longest that fits counts. (what may be done, why)
ALLOWED: dict[str, tuple[set[str], str]] = {
    "screening/access.py": ({CHILD, ROWS, NARROWED}, "builds the scope that everybody else starts from"),
    "screening/core/": (
        {TEXT, BARE},
        "trail, outbox, second wall, documents; it cannot import a child's model",
    ),
    "screening/models/": ({TEXT}, "conditions of indexes and constraints, not statements"),
    "referral/models/": ({TEXT}, "conditions of indexes and constraints, not statements"),
    "screening/queries/": ({CHILD, ROWS, NARROWED}, "each function takes an actor; see SCOPES"),
    "referral/queries/": ({CHILD, ROWS, NARROWED}, "each function takes an actor; see SCOPES"),
    "screening/actions/": ({NARROWED, WRITE}, "rows that belong to a thing that came through a scoped query"),
    "referral/actions/": ({NARROWED, WRITE}, "rows that belong to a thing that came through a scoped query"),
    "referral/intake/": ({NARROWED, WRITE}, "the one door: it is given what its caller has found"),
    "referral/intake/loop.py": (
        {CHILD, NARROWED, WRITE},
        "locks the child of a result or sighting that has just been written",
    ),
    "referral/handlers.py": ({GET, NARROWED, WRITE}, "the system, on ids that our own outbox holds"),
    "api/cli/check.py": ({CHILD, ROWS, NARROWED}, "counts over everything; prints ids only"),
    "api/cli/check_records.py": ({CHILD, ROWS, NARROWED}, "counts over everything; prints ids only"),
    "api/cli/check_steps.py": ({CHILD, ROWS, NARROWED}, "counts over everything; prints ids only"),
    "api/cli/demo/counts.py": ({ROWS, NARROWED}, "counts over a county of its own making; no row leaves it"),
    "api/migrations/": ({TEXT, BARE}, "tables, policies and grants; no rows"),
}

# What makes a query function scoped: it calls one of these, or hands its actor to another query.
SCOPES = {
    "children_visible_to",
    "visible_child_ids",
    "campaigns_visible_to",
    "batches_visible_to",
    "organisations_visible_to",
}
# What a part query is narrowed to: a parameter of one of these names.
PARTS = {
    "child",
    "case",
    "campaign",
    "entry",
    "administration",
    "result",
    "referral",
    "plan",
    "episode",
    "batch",
    "task",
}
PARTS |= {"organisation", "document", "assessment", "follow_up", "return_note", "note", "call"}
THINGS = frozenset(PARTS)
PARTS |= {f"{part}_id" for part in PARTS} | {f"{part}_ids" for part in PARTS}
PARTS |= {"children", "cases", "entries", "results", "referrals", "episodes"}
# Query functions that look at all children, with the reason. They are for the system, never for a page.
WITHOUT_AN_ACTOR: dict[str, str] = {
    "referral/queries/hotline.py:_agreeing": "is this child known? Answered without saying who (AZ8)",
    "referral/queries/hotline.py:count_lookups": "how many questions this operator has asked, by account",
    "referral/queries/facilities.py:asked_this_week": "counts per facility for routing; names no child",
    "referral/queries/facilities.py:sent_this_week": "counts per facility for a weekly limit; names no child",
    "referral/queries/work.py:open_work": "what one account answers for, by account; shown as counts",
    "referral/queries/worries.py:child_named": "whom does a worry mean? The teller is answered the same either way (AZ8)",
    "referral/queries/worries.py:count_by_link": "how many worries have come by a link; names no child",
    "referral/queries/worries.py:count_by_account": "how many worries a person has raised, by account",
    "referral/queries/replies.py:find_by_token": "whoever holds the note: by 128 bits on it; shows no child",
    "referral/queries/replies.py:find_by_number": "whoever holds the note: its code is asked for before anything",
    "referral/queries/today.py:tasks_visible_to": "a person's own lines, by account; children on them are scoped",
    "referral/queries/today.py:_cases": "the cases behind a person's own lines; a list shows their numbers",
    "referral/queries/today.py:rung_about": "tasks behind notices addressed to the person, by account; no child",
    "referral/queries/today.py:list_notices": "what is addressed to the person, by account",
    "referral/queries/labels.py:was_told": "was an alarm about a county's model ever opened? Names no child",
    "screening/queries/changes.py:changes_of": "who changed the very things the asker has been shown; names no child",
    "referral/queries/today.py:see_notice": "what is addressed to the person, by account",
}

READS = {"select", "exists", "aliased", "lateral", "select_from", "join", "outerjoin", "join_from", "query"}
READS |= {"outerjoin_from", "with_only_columns", "add_columns", "correlate", "union", "union_all"}
OF_SQLALCHEMY = {
    "select",
    "exists",
    "aliased",
    "lateral",
    "text",
    "insert",
    "update",
    "delete",
    "Table",
    "table",
}
WRITES = {"insert", "update", "delete"}
BULK = {
    "bulk_insert_mappings",
    "bulk_update_mappings",
    "bulk_save_objects",
    "from_statement",
    "exec_driver_sql",
}
GETS = {"get", "get_one"}

# Rows about children that no foreign key shows: a school's uploaded lines, stored papers, the trail.
ALSO_CHILD_FACING = {"ImportRow", "StoredDocument", "AuditRow"}


def child_facing_models() -> set[str]:
    """Names of the model classes whose table leads to ``child`` by foreign keys, and the few named above."""
    from screening.core.db import Base

    load_tables()
    reached = {"child"}
    while True:
        more = {
            table.name
            for table in Base.metadata.tables.values()
            if any(key.column.table.name in reached for key in table.foreign_keys)
        }
        if more <= reached:
            break
        reached |= more
    return ALSO_CHILD_FACING | {
        mapper.class_.__name__ for mapper in Base.registry.mappers if mapper.local_table.name in reached
    }


def rule_for(path: str) -> set[str]:
    fitting = [place for place in ALLOWED if path.startswith(place)]
    return ALLOWED[max(fitting, key=len)][0] if fitting else set()


def statements(source: Source, child_facing: set[str]) -> Iterator[tuple[str, ast.Call | ast.Attribute, str]]:
    """What a module does with the store: (kind, node, words for the finding)."""
    ours = imported_from(source.tree, "sqlalchemy")
    aliases = module_aliases(source.tree, "sqlalchemy")
    local = {
        name: original for name, original in model_names(source.tree).items() if original in child_facing
    }
    parents = {child: node for node in ast.walk(source.tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr == "__table__":
            yield BARE, node, "a bare table"
        if not isinstance(node, ast.Call):
            continue
        name = original_name(node, ours, aliases)
        if name == "text":
            yield TEXT, node, "SQL as text"
        elif name in BULK or name in {"Table", "table"}:
            yield BARE, node, f"{name}(…)"
        named = sorted(
            {local[n.id] for part in arguments(node) for n in ast.walk(part) if getattr(n, "id", "") in local}
        )
        if not named:
            continue
        words = f"{name}({', '.join(named)})"
        if name in WRITES:
            yield WRITE, node, words
        elif name in GETS and isinstance(node.args[0], ast.Name) and node.args[0].id in local:
            follows = len(node.args) > 1 and isinstance(node.args[1], ast.Attribute)
            yield NARROWED if follows else CHILD if "Child" in named else GET, node, words
        elif name in READS:
            yield CHILD if "Child" in named else NARROWED if is_narrowed(node, parents) else ROWS, node, words


def arguments(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call, without calls inside them: those are looked at for themselves."""
    return [part for part in call.args if not (isinstance(part, ast.Call) and called_name(part) in READS)]


def original_name(call: ast.Call, ours: dict[str, str], aliases: set[str]) -> str:
    """The called name; one of SQLAlchemy's functions only where it really is SQLAlchemy's."""
    name = called_name(call)
    match call.func:
        case ast.Name(id=local):
            return ours.get(local, "")
        case ast.Attribute(value=ast.Name(id=base)) if name in OF_SQLALCHEMY and base not in aliases:
            return ""
    return name


def model_names(tree: ast.Module) -> dict[str, str]:
    """Local name → name of everything imported from the models (and the stateful core modules)."""
    return imported_from(tree, "screening") | imported_from(tree, "referral")


def is_narrowed(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether ``.where(…)`` or ``.filter_by(…)`` follows in the same expression."""
    while isinstance(parents.get(node), ast.Attribute | ast.Call):
        node = parents[node]
        if isinstance(node, ast.Attribute) and node.attr in {"where", "filter", "filter_by"}:
            return True
    return False


def breaches(source: Source, child_facing: set[str]) -> list[Finding]:
    """Statements that this module may not hold."""
    allowed = rule_for(source.path)
    return [
        Finding(source.path, node.lineno, f"{words}: {kind} is not allowed here")
        for kind, node, words in statements(source, child_facing)
        if kind not in allowed and not (kind == NARROWED and ROWS in allowed)
    ]


def reading_functions(source: Source, child_facing: set[str]) -> Iterator[tuple[ast.FunctionDef, set[str]]]:
    """Functions of a query module that read child-facing rows, and how they do it."""
    kinds = {id(node): kind for kind, node, _ in statements(source, child_facing)}
    for function in source.tree.body:
        if isinstance(function, ast.FunctionDef):
            found = {kinds[id(node)] for node in ast.walk(function) if id(node) in kinds}
            if found & {CHILD, ROWS, NARROWED, GET}:
                yield function, found


def unscoped(source: Source, child_facing: set[str]) -> list[Finding]:
    """Functions of a query module that neither start from a scope nor narrow to one thing that was found."""
    return [
        Finding(source.path, function.lineno, f"{function.name} reads without the actor's scope")
        for function, kinds in reading_functions(source, child_facing)
        if f"{source.path}:{function.name}" not in WITHOUT_AN_ACTOR
        and not is_scoped(function)
        and not is_part_query(function, kinds)
    ]


def parameters(function: ast.FunctionDef) -> set[str]:
    return {
        argument.arg
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    }


def is_scoped(function: ast.FunctionDef) -> bool:
    made = list(calls(function))
    if any(called_name(call) in SCOPES for call in made):
        return True
    hands_on = any(
        isinstance(value, ast.Name) and value.id == "actor" for call in made for value in values(call)
    )
    if "actor" in parameters(function) and hands_on:
        return True
    # A private helper may be given the scope itself: a statement that its caller has built.
    return function.name.startswith("_") and bool(parameters(function) & {"scope", "statement"})


def is_part_query(function: ast.FunctionDef, kinds: set[str]) -> bool:
    return kinds <= {NARROWED} and bool(parameters(function) & PARTS)


def part_queries() -> set[tuple[str, str]]:
    """(module, function) of all part queries."""
    facing = child_facing_models()
    return {
        (source.path.removesuffix(".py").replace("/", "."), function.name)
        for source in modules("screening", "referral")
        if "/queries/" in source.path
        for function, _ in reading_functions(source, facing)
        if not is_scoped(function) and f"{source.path}:{function.name}" not in WITHOUT_AN_ACTOR
    }


def careless_calls(source: Source, parts: set[tuple[str, str]]) -> list[Finding]:
    """Calls of part queries with an argument that is a parameter of the calling function: an id from outside.

    An id beside the thing it belongs to (``get_plan(case=case, plan_id=plan_id)``) is narrowed by that thing.
    """
    names = {function for _, function in parts}
    findings = []
    for function in ast.walk(source.tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        from_outside = {name for name in parameters(function) if name.endswith(("_id", "_ids"))}
        findings += [
            Finding(
                source.path,
                call.lineno,
                f"{called_name(call)} is asked with an id that came with the request",
            )
            for call in calls(function)
            if called_name(call) in names
            and not THINGS & {keyword.arg for keyword in call.keywords}
            and any(isinstance(value, ast.Name) and value.id in from_outside for value in values(call))
        ]
    return findings


def values(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def test_child_facing_rows_are_read_in_few_places():
    facing = child_facing_models()
    found = [
        finding for source in modules("screening", "referral", "api") for finding in breaches(source, facing)
    ]
    assert not found, report(found)


def test_queries_start_from_the_actors_scope():
    facing = child_facing_models()
    found = [
        finding
        for source in modules("screening", "referral")
        if "/queries/" in source.path
        for finding in unscoped(source, facing)
    ]
    assert not found, report(found)


def test_routes_ask_part_queries_with_what_they_have_found():
    parts = part_queries()
    found = [
        finding
        for source in modules("api")
        if source.path.startswith(("api/v1/", "api/web/"))
        for finding in careless_calls(source, parts)
    ]
    assert not found, report(found)


def test_every_exception_still_exists():
    paths = {source.path for source in modules()}
    gone = [place for place in ALLOWED if not any(path.startswith(place) for path in paths)]
    functions = {
        f"{s.path}:{f.name}" for s in modules() for f in s.tree.body if isinstance(f, ast.FunctionDef)
    }
    assert not gone + [name for name in WITHOUT_AN_ACTOR if name not in functions]


def test_models_that_lead_to_a_child_are_known():
    assert {
        "Child",
        "Guardian",
        "Consent",
        "Administration",
        "ScreenResult",
        "RosterEntry",
    } <= child_facing_models()
    assert not {"Account", "Organisation"} & child_facing_models()


SAMPLE = """
import sqlalchemy as sa
from sqlalchemy import select, text, update
from screening.models.child import Child, Guardian as Carer
from screening.models.account import Account

def f(session, child_id):
    {statement}
"""


@pytest.mark.parametrize(
    ("statement", "path", "kind"),
    [
        ("session.scalars(select(Child))", "api/v1/children.py", CHILD),
        ("session.scalars(sa.select(Child.id))", "api/v1/children.py", CHILD),
        ("session.scalars(select(sa.func.count(Child.id)))", "referral/intake/sheets.py", CHILD),
        ("session.scalars(select(Account).join(Child))", "referral/actions/cases.py", CHILD),
        ("session.get(Child, child_id)", "referral/actions/cases.py", CHILD),
        ("session.get(Carer, child_id)", "referral/actions/cases.py", GET),
        ("session.get(Child, case.child_id)", "api/v1/cases.py", NARROWED),
        ("session.query(Carer).all()", "api/web/pages.py", ROWS),
        ("session.scalars(select(Carer))", "referral/actions/cases.py", ROWS),
        ("session.scalars(select(Carer).where(Carer.child_id == child_id))", "api/web/pages.py", NARROWED),
        ("session.execute(update(Child).values(name=1))", "api/v1/children.py", WRITE),
        ("session.execute(text('SELECT 1'))", "referral/queries/cases.py", TEXT),
        ("session.execute(sa.text('SELECT 1'))", "api/worker.py", TEXT),
        ("session.execute(Child.__table__.select())", "screening/queries/children.py", BARE),
        ("session.connection().exec_driver_sql('SELECT 1')", "screening/queries/children.py", BARE),
        ("session.bulk_insert_mappings(Child, [])", "screening/actions/imports.py", BARE),
    ],
)
def test_a_read_past_the_scope_is_found(statement, path, kind):
    found = breaches(Source.of(path, SAMPLE.format(statement=statement)), {"Child", "Guardian"})
    assert any(f": {kind} is not allowed" in finding.what for finding in found), found


@pytest.mark.parametrize(
    ("statement", "path"),
    [
        ("session.scalars(select(Account))", "api/auth.py"),
        ("session.scalars(select(Carer).where(Carer.child_id == child_id))", "referral/actions/cases.py"),
        ("session.scalars(select(Child))", "screening/access.py"),
        ("session.get_one(Child, case.child_id)", "referral/actions/cases.py"),
        ("{}.get(Account)", "api/auth.py"),
    ],
)
def test_what_is_allowed_is_not_found(statement, path):
    assert not breaches(Source.of(path, SAMPLE.format(statement=statement)), {"Child", "Guardian"})


@pytest.mark.parametrize(
    ("head", "body", "scoped"),
    [
        (
            "def get(session, *, child_id)",
            "return session.scalars(select(Child).where(Child.id == child_id))",
            False,
        ),
        ("def get(session, *, actor, child_id)", "return session.scalars(select(Child))", False),
        (
            "def get(session, *, actor)",
            "return session.scalars(children_visible_to(actor).join(Child))",
            True,
        ),
        ("def get(session, *, actor)", "return list(select(Child).where(Child.id.in_(ids(actor))))", True),
        ("def _part(session, *, scope)", "return select(Child).where(Child.id.in_(scope))", True),
        ("def part(session, *, scope)", "return select(Child).where(Child.id.in_(scope))", False),
        (
            "def of(session, *, child_id)",
            "return select(Guardian).where(Guardian.child_id == child_id)",
            True,
        ),
        ("def of(session, *, phone)", "return select(Guardian).where(Guardian.phone == phone)", False),
        ("def of(session, *, child_id)", "return select(Guardian)", False),
    ],
)
def test_a_query_without_a_scope_is_found(head, body, scoped):
    models = "from screening.models.child import Child, Guardian"
    code = f"from sqlalchemy import select\n{models}\n{head}:\n    {body}\n"
    found = unscoped(Source.of("screening/queries/sample.py", code), {"Child", "Guardian"})
    assert bool(found) is not scoped


@pytest.mark.parametrize(
    ("body", "careless"),
    [
        ("return guardians_of(session, child_id)", True),
        ("return children.guardians_of(session, child_id=child_id)", True),
        (
            "child = get_child(session, actor=actor, child_id=child_id); return guardians_of(session, child.id)",
            False,
        ),
        (
            "case = get_case(session, actor=actor); return guardians_of(session, case=case, child_id=child_id)",
            False,
        ),
    ],
)
def test_a_part_query_asked_with_an_id_from_outside_is_found(body, careless):
    source = Source.of("api/v1/sample.py", f"def show(session, actor, child_id):\n    {body}\n")
    assert bool(careless_calls(source, {("screening.queries.children", "guardians_of")})) is careless
