"""Logs: one line a state change, to standard error; never a header, a body or a secret."""

import logging
import sys

import structlog


def configure(level: str) -> None:
    """Write from `level` on: for people on a terminal, as JSON anywhere else."""
    terminal = sys.stderr.isatty()
    # Plain: the pretty ones print local variables, and among those are keys and tokens.
    for_people = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if terminal else [structlog.processors.format_exc_info]),
            for_people if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # One line for every request to a partner and every ring of the alarm is no state change.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    for name in ("httpx", "httpcore", "apscheduler", "aiosqlite", "alembic", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)
