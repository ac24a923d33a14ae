import socket
from typing import Any

from app.demo.listening import free_port
from app.serving import serving


async def test_an_answer_leaves_without_waiting_until_its_head_was_acknowledged():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    async with serving(app, "127.0.0.1", free_port(), grace=1) as server:
        [listener] = [one for each in server.servers for one in each.sockets]
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
