"""The API as the command line calls it: of a service at a URL, or of its own over the database, in this process."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import click
import httpx

from app.api.broadcasting import Broadcast
from app.api.context import Context
from app.api.guards import CALLER
from app.api.rates import Rates
from app.api.scrapers import Scrapers
from app.channels import REGISTER
from app.cli.opening import Opened, opened, settings_from_environment
from app.cli.tables import printable
from app.clock import Clock, SystemClock
from app.domain.principal import COMMAND_LINE
from app.main import app_over
from app.settings import PREFIX
from app.store.key_uses import KeyUses
from app.store.keys import KeyReader
from app.store.looking_up import EvseReader
from app.store.secrets import Secrets, SecretsUnreadable

URL: Final = f"{PREFIX}URL"
KEY: Final = f"{PREFIX}KEY"
_UNREADY: Final = 503
_TIMEOUT: Final = 60  #: seconds; a batch of thousands takes a while

Query = Mapping[str, Any] | list[tuple[str, Any]]


class Refused(click.ClickException):
    """The API said no; `problem` is what it said (RFC 9457), as far as it was that."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(_in_words(status, problem))
        self.status = status
        self.problem = problem


class Calling:
    """Calls the API, here or there, and turns its refusals into `Refused`."""

    def __init__(self, client: httpx.AsyncClient, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock  # of the database; none where that is elsewhere

    @property
    def remote(self) -> bool:
        return self._clock is None

    async def now(self) -> datetime:
        """What the time is over there: a phone's or a laptop's own may be minutes off. UTC, from afar whole seconds."""
        if self._clock is not None:
            return self._clock.now()
        said = (await self._client.get("/health/live")).headers.get("date")
        try:
            return parsedate_to_datetime(said).astimezone(UTC) if said else SystemClock().now()
        except ValueError:
            return SystemClock().now()

    async def readiness(self) -> dict[str, Any]:
        """Whether the service can do its work, and why not, which comes with a 503."""
        answer = await self._client.get("/health/ready")
        ready: dict[str, Any] = _decoded(answer) if answer.status_code == _UNREADY else _read(answer)
        return ready

    async def get(self, path: str, params: Query | None = None) -> Any:
        return _read(await self._client.get(path, params=_spelled(params)))

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        answer = await self._client.request(
            method, path, json=body, params=_spelled(params), headers=None if headers is None else dict(headers)
        )
        return _read(answer)

    async def pages(self, path: str, params: Query | None = None) -> AsyncGenerator[list[Any]]:
        """Every page of a list, by the `Link` of the one before."""
        answer = await self._client.get(path, params=_spelled(params))
        while True:
            yield _read(answer)
            if (more := answer.links.get("next")) is None:
                return
            answer = await self._client.get(more["url"])


def at_url(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--url` and `--key`."""
    url = click.option(
        "--url",
        envvar=URL,
        help=f"Call the service there, such as https://status.example.com.  [env: {URL}; default: the database]",
    )
    key = click.option("--key", envvar=KEY, help=f"The API key for it; safer in the environment.  [env: {KEY}]")
    return url(key(command))


@asynccontextmanager
async def calling(url: str | None, key: str | None) -> AsyncGenerator[Calling]:
    """Call the service at `url`, or do what it would do with the database of the settings.

    Raises:
        UsageError: a URL and no key, or a key and no URL.
        Refused: from its calls.
    """
    if url is None:
        if key is not None:
            raise click.UsageError("--key is for --url: beside the database no key is needed")
        async with opened(settings_from_environment()) as beside, _client(_inside(beside)) as client:
            yield Calling(client, beside.clock)
        return
    if not key:
        raise click.UsageError(f"--url needs a key: set {KEY}, or give --key")
    headers = {"Authorization": f"Bearer {_sound(key)}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=_TIMEOUT) as client:
        try:
            yield Calling(client)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise click.ClickException(f"{url} cannot be called: {str(error) or type(error).__name__}") from None


def _sound(key: str) -> str:
    """The key without what came with it from a file: the client's own message about a header would show all of it.

    Raises:
        UsageError: there is something in it that is in no key.
    """
    key = key.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise click.UsageError("there is something in the key that no API key has, such as a blank or a line's end")
    return key


def _client(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://database", timeout=None)  # noqa: S113 - no network


def _inside(beside: Opened) -> Callable[[Any, Any, Any], Awaitable[None]]:
    """The same API over the database, for the person at this command line, who needs no key."""
    app = app_over(_context(beside), None, described=False)

    async def called(scope: Any, receive: Any, send: Any) -> None:
        scope[CALLER] = COMMAND_LINE
        await app(scope, receive, send)

    return called


def _context(beside: Opened) -> Context:
    try:
        secrets = beside.secrets
    except ValueError as error:
        secrets = _NoSecrets(str(error))
    return Context(
        settings=beside.settings,
        clock=beside.clock,
        database=beside.database,
        secrets=secrets,
        writer=beside.writer,
        keys=KeyReader(beside.database),
        evses=EvseReader(beside.database, beside.clock),
        key_uses=KeyUses(beside.database, beside.clock),
        rates=Rates(beside.clock, beside.settings.failed_keys_per_minute),
        channels=REGISTER,
        events=Broadcast(beside.database, beside.clock, REGISTER, beside.settings),
        # A service that runs beside looks by itself, within a second.
        look=_nothing,
        owed=_nothing,
        partners_changed=_nothing,
        unready=list,
        metrics=_no_metrics,
        scrapers=Scrapers(beside.clock),
    )


class _NoSecrets(Secrets):
    """Where no key is set: most commands need none, and those that do say so."""

    def __init__(self, why: str) -> None:
        self._why = why

    def seal(self, _secrets: dict[str, Any]) -> str:
        raise SecretsUnreadable(self._why)

    def open(self, _sealed: str) -> dict[str, Any]:
        raise SecretsUnreadable(self._why)


def _nothing() -> None:
    return


async def _no_metrics() -> bytes:
    return b""


def _spelled(params: Query | None) -> httpx.QueryParams | None:
    """Parameters as the API reads them: those that are `None` are left out, lists are repeated."""
    if params is None:
        return None
    pairs = params if isinstance(params, list) else list(params.items())
    each = [(name, one) for name, value in pairs for one in (value if isinstance(value, list | tuple) else [value])]
    return httpx.QueryParams([(name, one) for name, one in each if one is not None])


def _decoded(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise click.ClickException(f"what answers at {answer.url} is no EVSE Status Scheduler") from None


def _read(answer: httpx.Response) -> Any:
    if answer.is_success:
        return _decoded(answer) if answer.content else None
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    raise Refused(answer.status_code, problem if isinstance(problem, dict) else {})


def _in_words(status: int, problem: Mapping[str, Any]) -> str:
    """What a person has to know: the detail, and the field where the detail does not name it."""
    return printable(str(problem.get("detail") or problem.get("title") or f"the service answered {status}"))
