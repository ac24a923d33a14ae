import socket
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from app.demo.listening import free_port
from app.serving import serving
from app.settings import Settings


async def test_an_answer_leaves_without_waiting_until_its_head_was_acknowledged():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    async with serving(app, "127.0.0.1", free_port(), grace=1) as server:
        [listener] = [one for each in server.servers for one in each.sockets]
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def who_calls(proxies: Sequence[str], **headers: str) -> str:
    """Who the application believes it is called by, over a real socket from this machine; scheme and address."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = f"{scope['scheme']} {scope['client'][0]}".encode()
        await send({"type": "http.response.body", "body": body})

    port = free_port()
    async with (
        serving(app, "127.0.0.1", port, grace=1, proxies=proxies),
        httpx.AsyncClient(verify=False, trust_env=False) as client,
    ):
        return (await client.get(f"http://127.0.0.1:{port}/", headers=headers)).text


FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


async def test_nobody_is_believed_about_whom_they_call_for_not_even_from_this_machine(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    assert await who_calls([], **FORWARDED) == "http 127.0.0.1"
    assert await who_calls(["192.0.2.1"], **FORWARDED) == "http 127.0.0.1"


@pytest.mark.parametrize("proxies", [["127.0.0.1"], ["127.0.0.0/8", "10.0.0.0/8"]])
async def test_a_trusted_proxy_is_believed_about_the_caller_that_it_saw_itself(proxies: list[str]):
    assert await who_calls(proxies, **FORWARDED) == "https 203.0.113.9"
    # What stands before it in the list is the caller's own, and may be made up.
    made_up = FORWARDED | {"X-Forwarded-For": "192.0.2.66, 203.0.113.9"}
    assert await who_calls(proxies, **made_up) == "https 203.0.113.9"
    chain = FORWARDED | {"X-Forwarded-For": "203.0.113.9, 127.0.0.1"}
    assert await who_calls(proxies, **chain) == "https 203.0.113.9"


@pytest.mark.parametrize("wrong", ["*", "0.0.0.0/0", "::/0", "10.0.0.5,*", "proxy.example", "10.0.0.1/8", "10.0.0.5,"])
def test_the_whole_world_is_no_proxy(wrong: str):
    with pytest.raises(ValueError, match=r"no address or network|would believe anybody"):
        Settings(trusted_proxies=wrong)


def test_proxies_are_written_with_commas():
    assert Settings().proxies == []
    assert Settings(trusted_proxies="10.0.0.5, 2001:db8::/32").proxies == ["10.0.0.5", "2001:db8::/32"]
