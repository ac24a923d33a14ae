"""`evse-status set` over odd days: a duration is so much real time, whatever the local clocks do meanwhile."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import group

FLEET = Path(__file__).parents[2] / "app" / "demo" / "fleet.json"
EVSE = "DE*XPO*E1001*1"


def run(*words: str) -> Result:
    return CliRunner().invoke(group, words)


@pytest.fixture(autouse=True)
def _fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVSE_STATUS_DATABASE_URL", f"sqlite:///{tmp_path / 'here.db'}")
    assert run("evses", "import", str(FLEET)).exit_code == 0


def test_a_duration_is_real_time_over_every_transition():
    for begin, duration, valid_from, valid_to in (
        # Two hours over the hour that is skipped: the clock on the wall says three.
        ("2090-03-26T01:30:00+01:00", "2h", "2090-03-26T00:30:00.000Z", "2090-03-26T02:30:00.000Z"),
        # A day is 24 hours, not until the same time on the wall.
        ("2090-03-25T12:00:00+01:00", "1d", "2090-03-25T11:00:00.000Z", "2090-03-26T11:00:00.000Z"),
        ("2090-10-29T02:30:00+02:00", "PT1H", "2090-10-29T00:30:00.000Z", "2090-10-29T01:30:00.000Z"),
        # Lord Howe goes back by half an hour.
        ("2090-04-02T01:45:00+11:00", "30m", "2090-04-01T14:45:00.000Z", "2090-04-01T15:15:00.000Z"),
        # 29 February of a leap year, and the end of a year, a month and a day at once.
        ("2088-02-28T23:30:00-05:00", "1d1h", "2088-02-29T04:30:00.000Z", "2088-03-01T05:30:00.000Z"),
        ("2090-12-31T22:00:00+14:00", "9h", "2090-12-31T08:00:00.000Z", "2090-12-31T17:00:00.000Z"),
    ):
        done = run("set", EVSE, "BLOCKED", "--from", begin, "--for", duration, "-o", "json")
        assert done.exit_code == 0, done.output
        told = json.loads(done.output)
        assert (told["validFrom"], told["validTo"]) == (valid_from, valid_to)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--from", "2099-12-31T23:00:00Z", "--for", "59m59s"], 0, "2099-12-31T23:59:59.000Z"),
        (["--from", "2099-12-31T23:00:00Z", "--for", "1h"], 1, "between the years 2000 and 2099"),
        (["--from", "2099-12-31T23:00:00Z", "--for", "3650d"], 1, "between the years 2000 and 2099"),
        (["--until", "2090-12-31T23:59:60Z"], 2, "leap seconds are not counted"),
        (["--until", "2090-12-31T24:00:00Z"], 2, "midnight is 00:00:00"),
    ],
)
def test_no_command_reaches_beyond_the_times_that_the_api_knows(words: list[str], code: int, says: str):
    done = run("set", EVSE, "BLOCKED", *words)
    assert (done.exit_code, says in done.output) == (code, True), done.output
