"""The tests that failed, once more and each by itself: was it the product, or a machine that was too busy?

`make test` runs as many tests at once as there are cores. One that talks to real processes, sockets and databases can
then lose to a neighbour, about which it can do nothing. Only such tests, and only a few of them, get a second hearing,
and they must pass three times in a row. Whoever needed one is named at the end: it is a test to be mended.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
FAILED: Final = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
REAL: Final = ("tests/integration/", "tests/e2e/")  #: where tests depend on more than their own code
A_FEW: Final = 3
TIMES: Final = 3


def no_hearing(failed: Sequence[str]) -> str | None:
    """Say why these failures stand, or `None` if each of them is to be tried alone."""
    if not failed:
        return "no test failed: something else went wrong"
    if len(failed) > A_FEW:
        return f"{len(failed)} tests failed, and that is no accident"
    pure = [test for test in failed if not test.startswith(REAL) or "::" not in test]
    return f"{pure[0]} depends on nothing but its own code" if pure else None


def main() -> int:
    failed = sorted(json.loads(FAILED.read_text())) if FAILED.exists() else []
    if (reason := no_hearing(failed)) is not None:
        sys.stderr.write(f"not tried again: {reason}\n")
        return 1
    for _ in range(TIMES):
        # Each in a process of its own, as the first that fails decides.
        for test in failed:
            if subprocess.run([sys.executable, "-m", "pytest", "-q", test], cwd=ROOT, check=False).returncode:
                return 1
    sys.stderr.write("".join(f"FAILED AMONG OTHERS, PASSED ALONE, to be mended: {test}\n" for test in failed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
