"""Calls that may be repeated: the same Idempotency-Key and body get the same answer, and are done once."""

import hashlib
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

import msgspec
from litestar import Response
from litestar.datastructures import ResponseHeader
from litestar.params import HeaderParameter

from app.api.context import Context
from app.api.guards import After
from app.api.shapes import Asked
from app.domain.errors import MalformedValue
from app.domain.principal import Principal
from app.store.commands.idempotent import Answered, Idempotent
from app.store.writer import Command

HEADER: Final = "Idempotency-Key"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_canonical: Final = msgspec.json.Encoder(order="deterministic")
Result = TypeVar("Result")

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name=HEADER,
        description="1 to 255 visible ASCII characters, new for each new call: the same again, within a day at least, "
        "does nothing more and gets the same answer",
    ),
]
REPLAYED: Final = ResponseHeader(
    name="Idempotency-Replayed", documentation_only=True, description="`true` on an answer that was given before"
)


def provide_idempotency_key(principal: After, key: IdempotencyKey = None) -> str | None:  # noqa: ARG001
    """The key without the quotes that the header has as a structured field.

    Raises:
        MalformedValue: it is too long, or has other characters.
    """
    if key is None:
        return None
    bare = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
    if not _KEY.fullmatch(bare):
        raise MalformedValue("an Idempotency-Key has 1 to 255 visible ASCII characters", field=HEADER)
    return bare


def digest_of(operation: str, asked: Asked) -> str:
    """Stand for all that was asked, however it was written."""
    return hashlib.sha256(operation.encode() + b"\n" + _canonical.encode(asked)).hexdigest()


async def answered_once(
    context: Context,
    by: Principal,
    key: str | None,
    digest: str,
    command: Command[Result],
    render: Callable[[Result], Any],
    status: HTTPStatus,
    keeps: Callable[[Result], bool] = lambda _: True,
) -> Answered:
    """Have `command` done, unless it was already under this key, and return the body that `render` makes of it.

    What did nothing, as `keeps` says, is not kept, as a refusal is not.

    Raises:
        IdempotencyMismatch: the key came with another digest before.
    """

    def text_of(result: Result) -> str:
        return msgspec.json.encode(render(result)).decode()

    if key is None:
        return Answered(status, text_of(await context.writer.run(command)), replayed=False)
    once = Idempotent(
        by=by,
        command=command,
        key=key,
        digest=digest,
        render=lambda result: (status.value, text_of(result)),
        keeps=keeps,
    )
    return await context.writer.run(once)


def response(answered: Answered, headers: dict[str, str] | None = None) -> Response[Any]:
    """The answer to the letter as it was given first."""
    replayed = {"Idempotency-Replayed": "true"} if answered.replayed else {}
    content = answered.text.encode()
    return Response(
        content, status_code=answered.status, media_type="application/json", headers={**(headers or {}), **replayed}
    )
