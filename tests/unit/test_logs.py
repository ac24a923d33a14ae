import json
import subprocess
import sys

SAYS = """
import logging, warnings, structlog
from pathlib import Path
from app.logs import configure
configure("INFO")
log = structlog.get_logger()
log.debug("too much")
with structlog.contextvars.bound_contextvars(request_id="mine"):
    log.info("ours", of=Path("x"))
    logging.getLogger("uvicorn.error").info("too much")
    logging.getLogger("uvicorn.error").warning("theirs %s", "too")
    try:
        raise ValueError("wrong")
    except ValueError:
        log.exception("broke")
        logging.getLogger("asyncio").exception("broke there")
warnings.warn("mind")
"""


def test_whoever_says_something_it_is_one_json_object_a_line():
    ran = subprocess.run([sys.executable, "-W", "default", "-c", SAYS], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in ran.stderr.splitlines()]

    assert [one["event"].partition("\n")[0] for one in lines[:4]] == ["ours", "theirs too", "broke", "broke there"]
    assert [one["level"] for one in lines] == ["info", "warning", "error", "error", "warning"]
    assert [one.get("request_id") for one in lines] == ["mine"] * 4 + [None]
    assert "mind" in lines[4]["event"]
    assert all("ValueError: wrong" in one["exception"] for one in lines[2:4])
    assert all(one["timestamp"].endswith("Z") for one in lines)
    assert ran.stdout == ""
