"""Plays a history in memory, and tells of it, for people."""

from datetime import datetime

from tests.simulation.history import History
from tests.simulation.memory import in_memory
from tests.simulation.plan import LONG, Plan
from tests.simulation.rules import SOUND, Rules
from tests.simulation.virtual_time import START, run_at_once


def play(plan: Plan, rules: Rules = SOUND) -> History:
    history = History(plan, in_memory(), rules)
    run_at_once(history.run())
    return history


def report(history: History) -> str:
    """The plan, what happened, what is wrong, and how to see it again."""
    short = "" if history.plan.longest == LONG else " --short"
    return "\n".join(
        [
            "The plan:",
            *history.plan.lines(),
            "What happened:",
            *trace(history),
            "What is wrong:",
            *(history.judge.wrong or ["nothing"]),
            f"Again: python -m tests.simulation {history.plan.seed}{short}",
        ]
    )


def trace(history: History) -> list[str]:
    return [
        f"{at:10.3f}  {who:9}  {verb} {' '.join(f'{name}={_said(one)}' for name, one in details.items())}".rstrip()
        for at, who, verb, details in history.trace
    ]


def _said(detail: object) -> str:
    if isinstance(detail, datetime):
        days = (detail - START).days
        return f"{detail:%H:%M:%S}.{detail.microsecond // 1000:03}" + (f"{days:+}d" if days else "")
    return f"{detail:.3f}" if isinstance(detail, float) else str(detail)
