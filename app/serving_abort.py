"""How an application gets rid of a client that takes nothing more."""

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ABORT: Final = "evse-status.abort"  #: in the scope's `extensions`: closes the connection, whatever is still to be sent


class AbortableProtocol(HttpToolsProtocol):
    """Closing alone would wait until the client has taken what is buffered, which may be for ever."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {**(self.scope.get("extensions") or {}), ABORT: self.transport.abort}
        self.scope["extensions"] = extensions
