"""Logs: one line a state change or a request, to standard error; never a header, a body or a secret."""

import logging
import sys
from typing import Any

import msgspec
import structlog
from structlog.typing import Processor

#: They have a line for every request to a partner and every ring of the alarm; only what is wrong is wanted.
_OTHERS = ("httpx", "httpcore", "apscheduler", "aiosqlite", "alembic", "uvicorn")


def configure(level: str) -> None:
    """Write from `level` on: for people on a terminal, as JSON anywhere else, what libraries log likewise."""
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if sys.stderr.isatty():
        # Plain: the pretty ones print local variables, and among those are keys and tokens.
        last: list[Processor] = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_json)]
    structlog.configure(
        processors=[*common, *last],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    others = logging.StreamHandler(sys.stderr)
    others.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            foreign_pre_chain=[*common, structlog.stdlib.add_logger_name],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[others])
    logging.captureWarnings(True)
    for name in _OTHERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def _json(line: Any, **_how: Any) -> str:
    return msgspec.json.encode(line, enc_hook=repr).decode("utf-8")
