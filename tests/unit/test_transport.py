import asyncio
import gzip
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from httpcore._synchronization import AsyncLock
from hypothesis import given, settings
from hypothesis import strategies as st

from app.channels.outcomes import NotSent, Unknown
from app.channels.transport import LARGEST_ANSWER, TRIMMED, Answer, Sent, Transport
from app.demo.listening import free_port

TIMEOUT = 0.3
DATE_PARTS = [*" ,:-+.;()", "Sat", "21", "0", "Nov", "9999", "99999999999", "08:00:30", "GMT", "-0000", "+9999"]
AT = datetime(2026, 11, 21, 8, tzinfo=UTC)
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def partner(talk: Talk) -> AsyncGenerator[str]:
    """A partner that reads one whole request a connection, then does as `talk` says, and hangs up."""
    talking: set[asyncio.Task[None]] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talking.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for one in talking:
            one.cancel()
        await asyncio.gather(*talking, return_exceptions=True)


async def request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    return head + await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))


def answering(answer: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(answer)
        await writer.drain()

    return talk


async def send(url: str, *, seconds: float = TIMEOUT, headers: dict[str, str] | None = None) -> Sent:
    transport = Transport(in_flight=1, timeout=seconds)
    try:
        return await transport.send("POST", url, headers=headers or {}, body=b"hello")
    finally:
        await transport.close()


async def test_a_request_arrives_as_it_was_given_and_the_answer_comes_back() -> None:
    seen = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request(reader))
        writer.write(b"HTTP/1.1 201 Created\r\nX-Word: b\r\ncontent-length: 2\r\n\r\nok")

    async with partner(talk) as url:
        answer = await send(f"{url}/path?a=1", headers={"x-ours": "1"})
    assert answer == Answer(201, {"x-word": "b", "content-length": "2"}, b"ok")
    assert seen[0].startswith(b"POST /path?a=1 HTTP/1.1\r\n")
    assert b"\r\nx-ours: 1\r\n" in seen[0]
    assert b"\r\naccept-encoding: identity\r\n" in seen[0].lower()
    assert seen[0].endswith(b"\r\n\r\nhello")


async def test_a_refused_connection_is_not_sent() -> None:
    sent = await send(f"http://127.0.0.1:{free_port()}/")
    assert isinstance(sent, NotSent)
    assert sent.reason.startswith("could not connect: ConnectError")


async def test_a_tls_handshake_that_never_ends_is_not_sent() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with partner(talk) as url:
        sent = await send(url.replace("http:", "https:"))
    assert isinstance(sent, NotSent)
    assert "ConnectTimeout" in sent.reason


async def test_a_certificate_that_nobody_vouches_for_is_not_sent() -> None:
    async with partner(answering(b"HTTP/1.1 200 OK\r\n\r\n")) as url:  # not even TLS
        assert isinstance(await send(url.replace("http:", "https:")), NotSent)


async def test_no_answer_in_time_is_unknown() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        await reader.read()

    async with partner(talk) as url:
        assert await send(url) == Unknown("no answer within 0.3 s")


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", b"HTTP/1.1 200 OK\r\nx-long: "])
async def test_an_answer_that_trickles_in_is_cut_off_at_the_one_deadline(head: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(head)
        for _ in range(100):  # each byte well within a read timeout, all of them never
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(TIMEOUT / 5)

    async with partner(talk) as url:
        begun = time.monotonic()
        assert await send(url) == Unknown("no answer within 0.3 s")
        assert TIMEOUT * 0.9 <= time.monotonic() - begun < TIMEOUT * 5


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nconte",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk", "not what it says", "another protocol"],
)
async def test_a_connection_that_breaks_after_the_request_is_unknown(answer: bytes) -> None:
    async with partner(answering(answer)) as url:
        sent = await send(url, seconds=2.0)
    assert isinstance(sent, Unknown)
    assert sent.reason.startswith("the connection broke: ")


async def test_a_huge_answer_is_cut_at_the_limit() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with partner(talk) as url:
        sent = await send(url, seconds=5.0)
    assert isinstance(sent, Answer)
    assert sent.body == b"x" * LARGEST_ANSWER


async def test_an_answer_that_unpacks_to_something_huge_is_cut_too() -> None:
    bomb = gzip.compress(bytes(LARGEST_ANSWER * 8))
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    async with partner(answering(head + bomb)) as url:
        sent = await send(url, seconds=5.0)
    assert isinstance(sent, Answer)
    assert len(sent.body) == LARGEST_ANSWER


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        followed.append(await request(reader))

    followed: list[bytes] = []
    async with partner(elsewhere) as other:
        answer = f"HTTP/1.1 307 Moved\r\nlocation: {other}/\r\ncontent-length: 0\r\n\r\n".encode()
        async with partner(answering(answer)) as url:
            sent = await send(url)
    assert isinstance(sent, Answer)
    assert sent.status == 307
    assert followed == []


async def test_neither_a_proxy_nor_a_netrc_of_the_machine_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    seen, proxied = [], []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request(reader))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proxied.append(await reader.read(1))

    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with partner(proxy) as proxy_url, partner(talk) as url:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy_url)
        sent = await send(url)
    assert isinstance(sent, Answer)
    assert proxied == []
    assert b"authorization" not in seen[0].lower()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/path",
        "partner.example/path",
        "ftp://partner.example/",
        "http:///path",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:-1/",
        "http://127.0.0.1:port/",
        "http://[::1/",
        "http://256.256.256.256/",
        "http://a\nb/",
        "http://xn--a/",
        "http://ü..example/",
    ],
)
async def test_an_address_that_is_none_is_not_sent(url: str) -> None:
    sent = await send(url)
    assert isinstance(sent, NotSent)
    assert sent.reason.startswith("the request cannot be made: ")


@pytest.mark.parametrize("value", ["secret\n", "secret\r\nx: y", "sécret", "secret\0"])
async def test_a_header_that_cannot_be_written_is_not_sent_and_not_repeated_either(value: str) -> None:
    sent = await send("http://127.0.0.1:1/", headers={"authorization": value})
    assert isinstance(sent, NotSent)
    assert sent.reason.startswith("the request cannot be made: ")
    assert "cret" not in sent.reason


async def test_requests_without_an_answer_do_not_hold_up_the_others() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/hang" in await request(reader):
            await reader.read()
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")

    transport = Transport(in_flight=8, timeout=2.0)
    async with partner(talk) as url:

        async def send_to(path: str) -> Sent:
            return await transport.send("POST", url + path, headers={}, body=b"")

        hanging = []
        try:
            for _ in range(4):
                hanging.append(asyncio.create_task(send_to("/hang")))
                await asyncio.sleep(0.01)
                assert isinstance(await send_to("/quick"), Answer)
            begun = time.monotonic()
            for _ in range(4):
                assert isinstance(await send_to("/quick"), Answer)
            assert time.monotonic() - begun < 1.0
        finally:
            for one in hanging:
                one.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)
            await transport.close()


async def test_no_more_connections_are_opened_than_requests_are_in_flight() -> None:
    connections = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        while await request(reader):
            await asyncio.sleep(0.01)
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    transport = Transport(in_flight=8, timeout=2.0)
    async with partner(talk) as url:
        for _ in range(3):
            sent = await asyncio.gather(*(transport.send("POST", url, headers={}, body=b"") for _ in range(8)))
            assert all(isinstance(one, Answer) for one in sent)
        await transport.close()
    assert len(connections) == 8


def after(value: str) -> timedelta | None:
    return Answer(503, {"retry-after": value}, b"").retry_after(AT)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0", timedelta()),
        (" 120 ", timedelta(minutes=2)),
        ("999999999", timedelta(seconds=999_999_999)),
        ("Sat, 21 Nov 2026 08:00:30 GMT", timedelta(seconds=30)),
        ("Saturday, 21-Nov-26 08:00:30 GMT", timedelta(seconds=30)),
        ("Sat Nov 21 08:00:30 2026", timedelta(seconds=30)),
        ("Sat, 21 Nov 2026 07:00:00 GMT", timedelta()),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("٣", None),
        ("9" * 400, None),
        ("Sat, 99 Nov 2026 08:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_seconds_or_as_a_date(
    written: str, meant: timedelta | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert after(written) == meant
    finally:
        monkeypatch.undo()
        time.tzset()


@settings(deadline=None)
@given(st.text() | st.lists(st.sampled_from(DATE_PARTS)).map("".join))
def test_whatever_retry_after_says_it_is_a_pause_or_nothing(written: str) -> None:
    pause = after(written)
    assert pause is None or pause >= timedelta()


def test_an_answer_without_retry_after_asks_for_no_pause() -> None:
    assert Answer(503, {}, b"").retry_after(AT) is None


def test_an_excerpt_is_one_short_line_without_control_characters() -> None:
    body = "Nö:\r\n\x1b[31mred\x00\u202eflipped\u2028line".encode() + b"\xff\xfe"
    excerpt = Answer(500, {}, body).excerpt
    assert excerpt == "Nö:   [31mred  flipped line��"
    assert len(Answer(500, {}, b"\xe2\x82\xac" * 100_000).excerpt) == TRIMMED


@settings(deadline=None)
@given(st.binary())
def test_every_excerpt_is_printable(body: bytes) -> None:
    excerpt = Answer(500, {}, body).excerpt
    assert excerpt.isprintable()
    assert len(excerpt) <= TRIMMED


@pytest.mark.parametrize(
    ("kind", "is_json"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/problem+json", True),
        ("text/html", False),
        ("application/jsonlines", False),
        ("", False),
    ],
)
def test_json_is_known_by_its_media_type(kind: str, is_json: bool) -> None:
    assert Answer(200, {"content-type": kind}, b"{}").is_json is is_json


async def test_a_request_on_a_kept_connection_waits_for_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    acquire = AsyncLock.__aenter__

    async def counted(self: AsyncLock) -> AsyncLock:
        taken.append(self)
        return await acquire(self)

    monkeypatch.setattr(AsyncLock, "__aenter__", counted)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()

    async with partner(talk) as url:
        transport = Transport(in_flight=1, timeout=TIMEOUT)
        try:
            first = await transport.send("POST", url, headers={}, body=b"hello")
            assert len(taken) <= 1  # there is no way to the lock of a connection before it is made
            taken.clear()
            again = await transport.send("POST", url, headers={}, body=b"hello")
        finally:
            await transport.close()
    assert isinstance(first, Answer)
    assert isinstance(again, Answer)
    assert taken == []
