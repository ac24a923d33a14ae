"""A partner that can be in any kind of trouble, down to the bytes, and is well otherwise."""

import asyncio
import contextlib
import re
from typing import Final, Literal, TypeAlias

from app.demo.listening import free_port

Trouble: TypeAlias = Literal["hangs", "refuses", "fails", "answers garbage", "distrusts"]
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_SAYS: Final = {
    "fails": b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
    "distrusts": b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
    "answers garbage": bytes(range(256)) * 8,
}


class Troubled:
    """Answers every request with 200 and `well`, a JSON body, while there is no `trouble`."""

    def __init__(self, well: bytes) -> None:
        self.asked = 0
        self.trouble: Trouble | None = None
        self.url = f"http://127.0.0.1:{free_port()}"
        self._well = (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(well) + well
        )
        self._server: asyncio.Server | None = None
        self._callers: set[asyncio.StreamWriter] = set()

    async def arrive(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", int(self.url.rpartition(":")[2]))

    async def get_into(self, trouble: Trouble) -> None:
        self.trouble = trouble
        if trouble == "refuses":
            await self.leave()

    async def leave(self) -> None:
        """Hang up on everybody, and take no more calls."""
        if self._server is not None:
            self._server.close()
            for caller in list(self._callers):
                caller.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._answer(reader, writer):
                    await writer.drain()
        finally:
            self._callers.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take one request and tell whether the connection goes on."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        await reader.readexactly(int(length[1]) if length else 0)
        self.asked += 1
        trouble = self.trouble
        if trouble == "hangs":
            await reader.read()  # which ends when the sender has had enough
            return False
        writer.write(_SAYS.get(trouble or "", self._well))
        return trouble != "answers garbage"
