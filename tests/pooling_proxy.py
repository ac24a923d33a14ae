"""A proxy that pools transactions, as PgBouncer does, and is as contrary about it as it may be.

No transaction of a client gets the server connection of one shortly before, so whatever rests on a session breaks. It
can also do what networks do: break connections, let nobody in, stand still, or deliver last words after a break.
"""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from sqlalchemy import make_url

_CANCEL, _PLAIN_ONLY = 80877102, {80877103, 80877104}  # requests for a cancel; for TLS, or GSSAPI
_ALLOWED: Final = {b"user", b"database", b"client_encoding", b"application_name"}  # PgBouncer knows two more
_APART: Final = 6  #: transactions of a client until it may see a server connection again
#: But for what asyncpg sets for an instant, and then back to what it was.
_RESIDUE: Final = b"""SELECT concat_ws(', ',
    (SELECT string_agg(name, ', ') FROM pg_prepared_statements),
    (SELECT string_agg(name, ', ') FROM pg_settings WHERE source = 'session' AND name <> 'jit'),
    (SELECT string_agg(locktype, ', ') FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'))\0"""


class _Server:
    """A connection to PostgreSQL. `outstanding` counts the ReadyForQuery that it owes its client of the moment."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.outstanding = 0
        self.unsynced = False  #: sent something that no Sync has followed yet
        self.key = b""

    @classmethod
    async def connect(cls, path: str, startup: bytes) -> tuple["_Server", bytes]:
        """A new connection, and the parameters it began with."""
        server = cls(*await asyncio.open_unix_connection(path))
        server.writer.write(startup)
        parameters = b""
        while (message := await _message(server.reader))[:1] != b"Z":
            if message[:1] == b"E":
                raise ConnectionError(message[5:].decode())
            if message[:1] == b"K":
                server.key = message[5:]
            elif message[:1] == b"S":
                parameters += message
        return server, parameters

    async def residue(self) -> str:
        """What of a session was left behind."""
        self.writer.write(_framed(b"Q", _RESIDUE))
        answer = b""
        while (message := await _message(self.reader))[:1] != b"Z":
            answer += message[11:] if message[:1] == b"D" else b""
        return answer.decode()


class _Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, startup: bytes) -> None:
        self.reader, self.writer, self.startup = reader, writer, startup
        self.server: _Server | None = None
        self.had: deque[_Server] = deque(maxlen=_APART)
        self.pump: asyncio.Task[None] | None = None


class PoolingProxy:
    """Stands before the PostgreSQL of `direct`. With `sessions` it pools nothing."""

    def __init__(self, direct: str, *, sessions: bool = False) -> None:
        self.direct = direct
        self.sessions = sessions
        self._url = make_url(direct)
        self._path = f"{self._url.query['host']}/.s.PGSQL.5432"
        self._port = 0
        self._pool: dict[bytes, deque[_Server]] = {}
        self._clients: dict[bytes, _Client] = {}
        self._keys = itertools.count(1)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._away = False
        self.last_words = b""  #: whoever says this next is cut off, and heard half a second later all the same
        self.allowed = set(_ALLOWED)
        self.transactions = 0

    @property
    def url(self) -> str:
        through = self._url.set(host="127.0.0.1", port=self._port, query={})
        return through.render_as_string(hide_password=False)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["PoolingProxy"]:
        listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = listener.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listener.close()
            self._flowing.set()
            self.cut()
            while self._clients:  # noqa: ASYNC110 - they are on their way out
                await asyncio.sleep(0.001)

    def cut(self) -> None:
        """Break every connection, without a word to anybody."""
        for client in self._clients.values():
            client.writer.transport.abort()
        for server in [one for idle in self._pool.values() for one in idle]:
            server.writer.transport.abort()
        self._pool.clear()

    @contextmanager
    def away(self) -> Generator[None]:
        """Break every connection, and let nobody in for a while."""
        self._away = True
        self.cut()
        yield
        self._away = False

    @contextmanager
    def standing_still(self) -> Generator[None]:
        """Take everything and pass nothing on, as a host that has vanished."""
        self._flowing.clear()
        yield
        self._flowing.set()

    @property
    def at_work(self) -> int:
        """How many clients have a server connection at the moment."""
        return sum(one.server is not None for one in self._clients.values())

    async def residues(self) -> set[str]:
        """What transactions left behind in the sessions that they shared."""
        idle = [one for pool in self._pool.values() for one in pool]
        return {await one.residue() for one in idle} - {""}

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            if not self._away:
                await self._flowing.wait()
                await self._greet(reader, writer)
        writer.transport.abort()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            size = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(size) - 4)
            code = int.from_bytes(body[:4])
            if code not in _PLAIN_ONLY:
                break
            writer.write(b"N")
        if code == _CANCEL:
            await self._cancel(body)
            return
        if unknown := set(body[4:].split(b"\0")[:-2:2]) - self.allowed:
            writer.write(_error(f"unsupported startup parameter: {unknown}"))
            return
        startup = size + body
        try:
            server, parameters = await _Server.connect(self._path, startup)
        except OSError as error:
            writer.write(_error(f"the server is away: {error}"))
            return
        client = _Client(reader, writer, startup)
        key = next(self._keys).to_bytes(8)
        self._clients[key] = client
        if self.sessions:
            self._link(client, server)
        else:
            self._pool.setdefault(startup, deque()).append(server)
        try:
            writer.write(_framed(b"R", bytes(4)) + parameters + _framed(b"K", key) + _framed(b"Z", b"I"))
            await self._serve(client)
        finally:
            if client.server is not None and client.pump is not None:
                client.pump.cancel()
                client.server.writer.transport.abort()  # in the middle of something: no good to anybody else
            del self._clients[key]

    async def _serve(self, client: _Client) -> None:
        while (message := await _message(client.reader))[:1] != b"X":
            if self.last_words and self.last_words in message:
                self.last_words = b""
                client.writer.transport.abort()
                await asyncio.sleep(0.5)
            await self._flowing.wait()
            server = client.server or self._link(client, await self._another(client))
            server.unsynced = message[:1] not in b"QS"
            server.outstanding += not server.unsynced
            server.writer.write(message)
            await server.writer.drain()

    async def _another(self, client: _Client) -> _Server:
        """A server connection that this client did not have for a while."""
        idle = self._pool.setdefault(client.startup, deque())
        for _ in range(len(idle)):
            server = idle.popleft()
            if server.reader.at_eof():
                continue
            if server not in client.had:
                return server
            idle.append(server)
        return (await _Server.connect(self._path, client.startup))[0]

    def _link(self, client: _Client, server: _Server) -> _Server:
        client.server = server
        client.had.append(server)
        client.pump = asyncio.create_task(self._pass_back(client, server))
        return server

    async def _pass_back(self, client: _Client, server: _Server) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                message = await _message(server.reader)
                await self._flowing.wait()
                client.writer.write(message)
                if message[:1] != b"Z":
                    continue
                server.outstanding -= 1
                if message[5:] == b"I" and not server.outstanding and not server.unsynced and not self.sessions:
                    self.transactions += 1
                    client.server = None
                    self._pool.setdefault(client.startup, deque()).append(server)
                    return
        with contextlib.suppress(OSError):
            await client.writer.drain()
        client.writer.close()

    async def _cancel(self, request: bytes) -> None:
        client = self._clients.get(request[4:])
        if client is not None and client.server is not None:
            _, writer = await asyncio.open_unix_connection(self._path)
            writer.write((16).to_bytes(4) + request[:4] + client.server.key)
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(int.from_bytes(head[1:]) - 4)


def _framed(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4) + body


def _error(message: str) -> bytes:
    return _framed(b"E", b"".join(b"%s\0" % one for one in (b"SFATAL", b"C08P01", b"M" + message.encode(), b"")))
