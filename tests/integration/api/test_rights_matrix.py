"""Every operation, for every role, on what is its own, another client's, another operator's, and not there at all.

The calls are made from the application's own routes: one without a row in `rights_rows` fails, and so does a row
without its route.
"""

from typing import Any

import httpx
import pytest
from litestar import Litestar

from app.domain.permission import ROLES
from app.domain.principal import TRUSTED, Role
from app.service import Service
from tests.integration.api.calls import Client, NewClient, issue, refusal
from tests.integration.api.rights_rows import ROWS, Row, Target
from tests.integration.api.rights_world import SCOPED, Names, World, operations

#: What answers without a key, or to OCPI's own tokens.
OPEN = {"/health/live", "/health/ready", "/openapi", "/openapi/openapi.json", "/ocpi"} | {
    f"/openapi/{name}" for name in ("swagger-ui-bundle.js", "swagger-ui.css", "reference.js", "icon.svg")
}


def test_what_asks_for_no_key_is_on_the_list_of_what_is_open(app: Litestar) -> None:
    open_ones = set()
    for route in app.routes:
        handlers = getattr(route, "route_handlers", None)
        # Whatever is mounted whole answers for itself: there is but one such.
        asking = [one for one in handlers or () if one.http_methods != {"OPTIONS"}]
        if handlers is None or any("action" not in one.opt for one in asking):
            open_ones.add(route.path)
    assert open_ones <= OPEN


def test_every_operation_has_a_row_and_every_row_its_operation(app: Litestar) -> None:
    found = [handler.operation_id for _, _, handler in operations(app)]
    assert len(found) == len(set(found)), "each has a name of its own"
    assert set(found) - ROWS.keys() == set(), "add a row to rights_rows.py: who may do that, and to what?"
    assert ROWS.keys() - set(found) == set(), "there is no such operation any more"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scoped", [True, False], ids=["of one operator", "everywhere"])
@pytest.mark.parametrize("role", Role)
async def test_a_key_is_answered_what_its_row_says(
    app: Litestar,
    service: Service,
    client: NewClient,
    admin: Client,
    role: Role,
    scoped: bool,
    subtests: pytest.Subtests,
) -> None:
    await everything_is_as_its_row_says(app, service, client, admin, role, scoped, subtests)


# What is decided does not know the database: those who are allowed some and refused some are enough.
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("role", [Role.CLIENT, Role.ADMIN])
async def test_a_key_of_one_operator_is_answered_the_same_on_postgresql(
    app: Litestar, service: Service, client: NewClient, admin: Client, role: Role, subtests: pytest.Subtests
) -> None:
    await everything_is_as_its_row_says(app, service, client, admin, role, True, subtests)


async def everything_is_as_its_row_says(
    app: Litestar,
    service: Service,
    client: NewClient,
    admin: Client,
    role: Role,
    scoped: bool,
    subtests: pytest.Subtests,
) -> None:
    key = await issue(service, role, SCOPED) if scoped else await issue(service, role)
    holder, world = await client(key=key), World(service, admin, key)
    await world.begin()
    holder.headers["X-Request-Id"] = "mine"  # the one thing in which two refusals differ
    for method, path, handler in operations(app):
        row = ROWS[str(handler.operation_id)]
        missing: dict[Target, Any] = {}
        for target, status in row.expected(role, scoped=scoped).items():
            with subtests.test(f"{handler.operation_id}: {target.value}"):
                request, names = await world.call(method, path, row, target)
                before, others = await world.rows() if status >= 400 else None, await world.others()
                answer = await holder.request(**request)
                assert judged(answer, row) == status, answer.text
                if before is not None:
                    assert await world.rows() == before, "a refused call changed something"
                if role not in TRUSTED:
                    assert await world.others() == others, "it changed what is not its own"
                if status == 403:
                    assert role in refusal(answer, 403, "forbidden")["detail"] or scoped
                if status == 404:
                    missing[target] = without(names, first(answer, row))
        with subtests.test(f"{handler.operation_id}: what it must not see looks as if it were not there"):
            assert all(one == missing[Target.NONE] for one in missing.values() if Target.NONE in missing), missing


def judged(answer: httpx.Response, row: Row) -> int:
    return int(first(answer, row)["status"]) if row.each and answer.status_code == 200 else answer.status_code


def first(answer: httpx.Response, row: Row) -> dict[str, Any]:
    """The body, or where a call is about many things what is said of the first."""
    body: Any = answer.json()
    if not row.each or answer.status_code != 200:
        return dict(body)
    return dict((body["items"] if isinstance(body, dict) else body)[0])


def without(names: Names, problem: dict[str, Any]) -> dict[str, Any]:
    """A problem with a placeholder for each name that was asked for."""

    def masked(value: Any) -> Any:
        match value:
            case str():
                for placeholder, name in names.items():
                    value = value.replace(name, f"{{{placeholder}}}")
                return value
            case list():
                return [masked(one) for one in value]
            case dict():
                return {key: masked(one) for key, one in value.items()}
        return value

    return dict(masked(problem))


@pytest.mark.parametrize("role", Role)
def test_a_role_that_may_never_do_something_is_refused_whatever_it_asks_for(app: Litestar, role: Role) -> None:
    for _, _, handler in operations(app):
        row = ROWS[str(handler.operation_id)]
        never = role not in ROLES[handler.opt["action"]]
        answers = set(row.expected(role, scoped=False).values())
        assert (answers == {403}) is never, handler.operation_id
