"""The commands, as somebody types them, each in a process's own environment and on an embedded database."""

import json
import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from app.cli import group
from app.cli.durations import Duration
from app.store.database import EmbeddedLock
from tests.contract.oicp.issuing import issue

FLEET = Path(__file__).parents[2] / "app" / "demo" / "fleet.json"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVSE_STATUS_DATABASE_URL", f"sqlite:///{tmp_path / 'here.db'}")

    def run(*words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(group, words)
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.mark.parametrize(
    "command",
    [
        [],
        *([name] for name in group.commands),
        ["evses", "import"],
        *(["keys", one] for one in ("create", "list", "show", "change", "rotate", "revoke", "panic")),
        *(
            ["partners", one]
            for one in ("add", "list", "show", "change", "remove", "pause", "resume", "resend", "full-load")
        ),
    ],
)
def test_every_command_explains_itself(run: Run, command: list[str]):
    assert "Usage:" in run(*command, "--help").output


def test_a_brake_is_lifted_and_put_back_by_the_name_it_has_everywhere(run: Run):
    run("evses", "import", str(FLEET))
    assert "no brake holds" in run("brakes", "list").output
    assert "site DE/XPO/XPO-LARKENAU" in run("brakes", "lift", "--site", "DE/XPO/XPO-LARKENAU", "--for", "2h").output
    assert re.search(r"lifted until \d{4}-\d\d-\d\d \d\d:\d\d\s", run("brakes", "list").output)
    assert json.loads(run("brakes", "list", "-o", "json").output)[0]["of"] == "site DE/XPO/XPO-LARKENAU"
    assert "note: brake of site DE/XPO/XPO-LARKENAU: is lifted" in run("doctor", code=1).output
    run("brakes", "reset", "--site", "DE/XPO/XPO-LARKENAU")
    assert "no brake holds" in run("brakes", "list").output


def test_a_brake_that_is_not_there_cannot_be_lifted(run: Run):
    run("evses", "import", str(FLEET))
    assert "no EVSE of operator DE*XYZ" in run("brakes", "lift", "--operator", "DE*XYZ", code=1).output
    for wrong in ([], ["--site", "DEPOT"], ["--operator", "D"], ["--operator", "DE*XPO", "--for", "25h"]):
        run("brakes", "lift", *wrong, code=2)


def test_importing_twice_changes_nothing(run: Run):
    assert "40 EVSEs registered" in run("evses", "import", str(FLEET)).output
    again = json.loads(run("evses", "import", str(FLEET), "-o", "json").output)
    assert (again["created"], again["known"], again["refused"]) == (0, 40, 0)


def test_a_dry_run_of_an_import_changes_nothing(run: Run):
    assert "nothing was changed" in run("evses", "import", str(FLEET), "--dry-run").output
    assert "40 EVSEs registered" in run("evses", "import", str(FLEET)).output


def test_a_file_that_is_no_locations_document_is_refused_with_its_name(run: Run, tmp_path: Path):
    odd = tmp_path / "odd.json"
    odd.write_text("{}")
    assert "odd.json" in run("evses", "import", str(odd), code=1).stderr
    assert "does not exist" in run("evses", "import", "nowhere.json", code=2).stderr


def test_a_fleet_in_2_1_1_is_imported_for_the_party_that_is_named(run: Run, tmp_path: Path) -> None:
    place = {"id": "L1", "evses": [{"uid": "1", "evse_id": "DE*XPO*E1", "status": "AVAILABLE", "connectors": []}]}
    (tmp_path / "old.json").write_text(json.dumps([place]))
    old = ("evses", "import", "old.json", "--ocpi-version", "2.1.1")
    assert "--party DE*XPO" in run(*old, code=1).stderr
    assert "such as DE*XPO" in run(*old, "--party", "Xpo", code=2).stderr
    assert "1 EVSEs at 1 location can be read" in run(*old, "--party", "DE*XPO", "--dry-run").output
    for registered in ("1 EVSE registered", "0 EVSEs registered"):
        said = run(*old, "--party", "DE*XPO").output
        assert registered in said
        assert "at 1 location" in said
    assert json.loads(run(*old, "--party", "DE*XPO", "-o", "json").output)["locations"] == 1


def test_a_status_is_set_for_a_while_and_the_answer_says_who_is_shown_what(run: Run):
    run("evses", "import", str(FLEET))
    words = ("set", "de*xpo*e1001*1", "maintenance", "--for", "2h", "--reason", "new cable", "-o", "json")
    done = json.loads(run(*words).output)
    assert (done["evseId"], done["state"]) == ("DE*XPO*E1001*1", "active")
    assert {name: one["status"] for name, one in done["shown"].items()} == {
        "driverApp": "OUT_OF_SERVICE",
        "oicp": "OutOfService",
        "ocpi": "INOPERATIVE",
    }
    assert "shows now" in run("set", "DE*XPO*E1001*2", "BLOCKED").output


def test_a_whole_location_is_set_after_a_look_and_ended_together(run: Run):
    run("evses", "import", str(FLEET))
    whole = ("set", "--location", "XPO-LARKENAU", "COMMISSIONING", "--for", "3h")
    looked = run(*whole, "--dry-run").stdout
    assert "DE*XPO*E1001*1" in looked
    assert "12 would be planned, 0 refused; nothing was changed" in looked
    assert json.loads(run("list", "-o", "json").stdout) == []

    assert "Say COMMISSIONING of 12 EVSEs?" in run(*whole, code=1).stderr
    planned = json.loads(run(*whole, "--yes", "-o", "json").stdout)
    assert (planned["planned"], planned["refused"]) == (12, 0)
    assert len(json.loads(run("list", "--batch", planned["batchId"], "-o", "json").stdout)) == 12

    assert "12 would be ended, 0 were over already" in run("end", "--batch", planned["batchId"], "--dry-run").stdout
    assert "12 are ended" in run("end", "--batch", planned["batchId"], "--yes").stdout
    assert "0 are ended, 12 were over already" in run("end", "--batch", planned["batchId"]).stdout


def test_of_several_each_is_judged_by_itself_or_with_atomic_all_together(run: Run):
    run("evses", "import", str(FLEET))
    some = ("set", "DE*XPO*E1001*1", "DE*XPO*E9999*1", "BLOCKED")
    together = run(*some, "--atomic", code=1)
    assert "DE*XPO*E9999*1: no EVSE DE*XPO*E9999*1 is registered" in together.stderr
    assert json.loads(run("list", "-o", "json").stdout) == []

    assert "1 planned, 1 refused" in run(*some, code=1).stdout
    assert [one["evseId"] for one in json.loads(run("list", "-o", "json").stdout)] == ["DE*XPO*E1001*1"]


@pytest.mark.parametrize("words", [(), ("A", "--location", "B"), ("--location", "DE/B")])
def test_a_set_must_say_of_whom_in_one_way(run: Run, words: tuple[str, ...]):
    run("set", *words, "BLOCKED", code=2)


def test_lists_are_filtered_by_what_is_typed(run: Run):
    run("evses", "import", str(FLEET))
    run("set", "DE*XPO*E1001*1", "MAINTENANCE", "--for", "2h")
    run("set", "DE*XPO*E1002*1", "RESERVED", "--from", "2099-01-01T08:00:00Z", "--for", "1h")

    def listed(*words: str) -> list[str]:
        return [one["temporaryStatus"] for one in json.loads(run("list", *words, "-o", "json").stdout)]

    assert listed() == listed("--location", "XPO-LARKENAU") == listed("--at", "+1h") == ["MAINTENANCE"]
    assert listed("--at", "2099-01-01T08:30:00Z") == listed("--state", "planned") == ["RESERVED"]
    assert listed("--at", "+3h") == listed("--ending-within", "1h") == listed("--by", "nobody") == []
    assert listed("--ending-within", "3h") == ["MAINTENANCE"]
    assert listed("--updated-since", "-1h") == listed("--all") == ["MAINTENANCE", "RESERVED"]
    assert listed("--all", "--kind", "RESERVED", "--kind", "BLOCKED") == ["RESERVED"]
    assert "nothing like that" in run("list", "--at", "+3h").stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["DE*XPO*E9*9", "BLOCKED"], 1, "no EVSE DE*XPO*E9*9 is registered"),
        (["nonsense", "BLOCKED"], 1, "not an EVSE ID"),
        (["DE*XPO*E1001*1", "BROKEN"], 2, "maintenance"),
        (["DE*XPO*E1001*1", "BLOCKED", "--for", "soon"], 2, "2h, 90m"),
        (["DE*XPO*E1001*1", "BLOCKED", "--until", "2030-01-01T00:00:00"], 2, "offset"),
        (["DE*XPO*E1001*1", "BLOCKED", "--until", "2020-01-01T00:00:00Z"], 1, "already past"),
        (["DE*XPO*E1001*1", "BLOCKED", "--until", "2030-01-01T00:00:00Z", "--for", "1h"], 2, "not both"),
    ],
)
def test_what_cannot_be_set_is_refused_with_a_reason(run: Run, words: list[str], code: int, says: str):
    run("evses", "import", str(FLEET))
    assert says in run("set", *words, code=code).output


def test_a_partner_is_added_and_listed_and_its_secret_shown_once(run: Run):
    assert "no partners" in run("partners", "list").output
    words = ("partners", "add", "--name", "app", "--channel", "driver_app", "--set", "url=https://app.example.com/hook")
    assert "whsec_" in run(*words).output
    listed = run("partners", "list", "-o", "json").output
    assert json.loads(listed)[0]["channel"] == "driver_app"
    assert "whsec_" not in listed
    assert "already" in run(*words, code=1).stderr


def test_a_partner_that_does_not_fit_its_channel_is_refused_with_the_field(run: Run):
    words = ("partners", "add", "--name", "hub", "--channel", "oicp", "--set", "baseUrl=https://hub.example.com")
    assert "operatorId" in run(*words, code=1).stderr
    assert "FIELD=VALUE" in run(*words, "--set", "nothing", code=2).stderr


def test_the_fields_of_a_channel_are_listed_with_what_they_mean(run: Run):
    listed = run("partners", "fields", "ocpi").stdout
    assert "countryCode" in listed
    assert "the partner's country, ISO 3166-1 alpha-2" in listed
    assert "usually 2.2.1" in listed
    schema = json.loads(run("partners", "fields", "driver_app", "-o", "json").stdout)
    assert schema["required"] == ["url"]


def test_migrate_says_where_the_database_stands(run: Run):
    assert "this version needs" in run("migrate", "--check", code=1).stderr
    assert "migrated from revision nothing" in run("migrate").output
    assert "up to date" in run("migrate", "--check").output


def test_a_wrong_setting_is_named_by_its_variable(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EVSE_STATUS_LEASE", "soon")
    assert "EVSE_STATUS_LEASE" in run("keys", "list", code=1).stderr
    monkeypatch.setenv("EVSE_STATUS_LEASE", "PT20S")
    assert "3 times EVSE_STATUS_REQUEST_TIMEOUT" in run("keys", "list", code=1).stderr


def test_a_database_that_cannot_be_used_is_an_error_and_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EVSE_STATUS_DATABASE_URL", "sqlite:////nowhere/at/all.db")
    assert "the folder /nowhere/at does not exist" in run("keys", "list", code=1).stderr
    monkeypatch.setenv("EVSE_STATUS_DATABASE_URL", "mysql://here/there")
    assert "postgresql://" in run("keys", "list", code=1).stderr


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2h", timedelta(hours=2)),
        ("90m", timedelta(minutes=90)),
        ("1d12h", timedelta(days=1.5)),
        ("45s", timedelta(seconds=45)),
        ("PT2H", timedelta(hours=2)),
        ("P1DT30M", timedelta(days=1, minutes=30)),
    ],
)
def test_durations_are_read_as_people_write_them(written: str, meant: timedelta):
    assert Duration().convert(written, None, None) == meant


@pytest.mark.parametrize(
    "written", ["", "2", "-1h", "0h", "1.5h", "P", "PT", "h", "11y", "9999999d", "99999999999999999d", "٢h"]
)
def test_what_is_no_duration_is_refused(written: str):
    with pytest.raises(click.BadParameter):
        Duration().convert(written, None, None)


def test_a_partner_is_paused_resumed_and_told_again(run: Run):
    run("evses", "import", str(FLEET))
    run("partners", "add", "--name", "app", "--channel", "driver_app", "--set", "url=https://app.example.com/hook")

    def state() -> str:
        return str(json.loads(run("partners", "list", "-o", "json").output)[0]["state"])

    assert "app is paused" in run("partners", "pause", "app").output
    assert state() == "paused"
    assert "app was paused, and is tried now; it is owed 0 of 0 EVSEs" in run("partners", "resume", "app").output
    assert state() == "good"
    assert "app is good already" in run("partners", "resume", "app").output
    assert "app is told all 0 EVSEs again" in run("partners", "resend", "app").output
    unshared = run("partners", "resend", "app", "--evse", "DE*XPO*E1001*1", code=1)
    assert "DE*XPO*E1001*1 is not shared with app" in unshared.stderr


@pytest.mark.parametrize("what", ["pause", "resume", "resend"])
def test_a_partner_that_is_not_there_is_named(run: Run, what: str):
    assert "no partner nobody" in run("partners", what, "nobody", code=1).stderr


def test_one_operator_at_one_hubject_is_one_partner(run: Run):
    words = ("partners", "add", "--channel", "oicp", "--set", "baseUrl=https://hub.example.com")
    run(*words, "--name", "hub", "--set", "operatorId=DE*ABC")
    refused = run(*words, "--name", "other", "--set", "operatorId=DEABC", code=1)
    assert "operator DEABC at https://hub.example.com is served by hub already" in refused.stderr
    run(*words, "--name", "other", "--set", "operatorId=DE*XYZ")


def test_a_partner_takes_a_field_from_a_file(run: Run, tmp_path: Path):
    words = ("partners", "add", "--name", "app", "--channel", "driver_app", "--set", "url=https://app.example.com/hook")
    secret = "whsec_" + "QUJD" * 10
    (tmp_path / "secret").write_bytes(f"\ufeff{secret}\r\n".encode())
    added = run(*words, "--set", "secret=@secret", "-o", "json")
    assert json.loads(added.output)["issued"] == {}
    assert secret not in added.output


def test_certificates_from_files_keep_their_line_breaks(run: Run, tmp_path: Path):
    words = ("partners", "add", "--name", "hub", "--channel", "oicp", "--set", "operatorId=DE*ABC")
    ours = issue("DE*ABC")
    for field, text in ours.items():
        (tmp_path / f"{field}.pem").write_text(text)
    files = [word for field in ours for word in ("--set", f"{field}=@{tmp_path / field}.pem")]
    added = run(*words, "--set", "baseUrl=https://hub.example.com", *files, "-o", "json")
    assert json.loads(added.output)["configuration"]["clientCertificate"] == ours["clientCertificate"].strip()
    assert "KEY" not in added.output


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nowhere.pem", "--set clientKey=@nowhere.pem: the file cannot be read: No such file or directory"),
        (".", "the file cannot be read: Is a directory"),
        ("", "the file cannot be read"),
        ("key.der", "the file is not text"),
        ("huge.pem", "the file is larger than 65536 bytes"),
    ],
)
def test_a_file_that_cannot_be_taken_is_named_with_the_reason(run: Run, tmp_path: Path, path: str, says: str):
    (tmp_path / "key.der").write_bytes(b"0\x82\xff\x00")
    (tmp_path / "huge.pem").write_bytes(b"x" * 65537)
    words = ("partners", "add", "--name", "hub", "--channel", "oicp", "--set", f"clientKey=@{path}")
    assert says in " ".join(run(*words, code=2).stderr.split())


def test_a_full_load_is_asked_for_only_where_nobody_else_pushes(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules["app.cli.full_load"], "_PATIENCE", 0.5)
    hub = ["--channel", "oicp", "--set", "baseUrl=http://127.0.0.1:9"]
    run("partners", "add", "--name", "shared", *hub, "--set", "operatorId=DE*ABC")
    run("partners", "add", "--name", "ours", *hub, "--set", "operatorId=DE*XYZ", "--set", "ownsAllStatuses=true")

    assert "shared does not have ownsAllStatuses" in run("partners", "full-load", "shared", code=1).stderr
    assert "no partner nobody" in run("partners", "full-load", "nobody", code=1).stderr
    said = run("partners", "full-load", "ours", code=1).stderr
    assert "not made yet, and it stays asked for: is `evse-status serve` running?" in said
    run("partners", "pause", "ours")
    assert "ours is paused" in run("partners", "full-load", "ours", code=1).stderr


def test_numbers_are_numbers_where_the_channel_wants_them_and_text_elsewhere(run: Run):
    hub = ["partners", "add", "--channel", "oicp", "--set", "baseUrl=https://hub.example", "-o", "json"]
    paced = ["--set", "largestBundle=50", "--set", "timeoutSeconds=2.5", "--set", "operatorName=4711"]
    added = json.loads(run(*hub, "--name", "hub", "--set", "operatorId=DE*ABC", *paced).output)["configuration"]
    assert (added["largestBundle"], added["timeoutSeconds"], added["operatorName"]) == (50, 2.5, "4711")

    other = [*hub, "--name", "other", "--set", "operatorId=DE*XYZ"]
    assert "largestBundle: Expected `int`" in run(*other, "--set", "largestBundle=many", code=1).stderr
    assert "largestBundle: from 1 to 1000" in run(*other, "--set", "largestBundle=0", code=1).stderr
    assert "timeoutSeconds: at most 11.66 s" in run(*other, "--set", "timeoutSeconds=30", code=1).stderr


def test_a_partner_is_shown_without_its_secrets_changed_field_by_field_and_removed(run: Run, tmp_path: Path):
    files = {name: tmp_path / f"{name}.pem" for name in ("old", "old-key", "new", "new-key")}
    for which in ("old", "new"):
        issued = issue(which)
        files[which].write_text(issued["clientCertificate"])
        files[f"{which}-key"].write_text(issued["clientKey"])
    hub = ["--channel", "oicp", "--set", "baseUrl=https://hub.example", "--set", "operatorId=DE*ABC", "--paused"]
    run(
        "partners",
        "add",
        "--name",
        "hub",
        *hub,
        "--set",
        f"clientCertificate=@{files['old']}",
        "--set",
        f"clientKey=@{files['old-key']}",
    )
    shown = json.loads(run("partners", "show", "hub").output)
    assert (shown["state"], shown["secrets"]) == ("paused", ["clientKey"])
    assert "PRIVATE KEY" not in json.dumps(shown)

    crossed = ["partners", "change", "hub", "--set", f"clientCertificate=@{files['new']}"]
    assert "clientKey" in run(*crossed, code=1).stderr
    run(*crossed, "--set", f"clientKey=@{files['new-key']}", "--set", "largestBundle=50")
    changed = json.loads(run("partners", "show", "hub").output)["configuration"]
    assert changed == shown["configuration"] | {
        "clientCertificate": files["new"].read_text().rstrip("\n"),
        "largestBundle": 50,
    }
    assert "no partner nobody" in run("partners", "change", "nobody", "--set", "largestBundle=5", code=1).stderr

    run("partners", "remove", "hub", "--yes")
    assert "no partners" in run("partners", "list").output


def test_a_command_does_not_change_a_database_on_which_another_version_is_running(run: Run, tmp_path: Path):
    run("keys", "list")
    with closing(sqlite3.connect(tmp_path / "here.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")
    lock = EmbeddedLock(tmp_path / "here.db")
    lock.take()
    try:
        said = run("keys", "list", code=1).stderr
    finally:
        lock.release()
    assert "at revision 0001" in said
    assert "stop that one first" in said


def test_what_is_planned_is_listed_explained_and_ended(run: Run):
    run("evses", "import", str(FLEET))
    run("set", "DE*XPO*E1001*1", "MAINTENANCE", "--for", "2h", "--reason", "new cable")
    run("set", "DE*XPO*E1001*1", "BLOCKED", "--from", "2099-01-01T08:00:00Z", "--for", "2h")
    listed = run("list").output.splitlines()
    assert [line.split()[:3] for line in listed[1:]] == [["1", "DE*XPO*E1001*1", "MAINTENANCE"]]
    assert "2099-01-01 08:00" in run("list", "de*xpo*e1001*1", "--all", "--kind", "blocked").output
    assert [one["id"] for one in json.loads(run("list", "--all", "--limit", "1", "-o", "json").output)] == [1]
    run("list", "--all", "--state", "ended", code=2)

    why = run("explain", "DE*XPO*E1001*1").output.splitlines()
    assert re.fullmatch(
        r"DE\*XPO\*E1001\*1 is shown as OUT_OF_SERVICE / OutOfService / INOPERATIVE until .* UTC: "
        r"MAINTENANCE 1 by the command line \(new cable\)",
        why[0],
    )
    assert any(line.startswith("2   BLOCKED") and "begins 2099-01-01 08:00 UTC" in line for line in why)
    assert why[-1] == "no partners: nobody is told"
    ahead = run("explain", "DE*XPO*E1001*1", "--at", "2099-01-01T08:30:00Z").output
    assert "would be shown as OCCUPIED / Occupied / BLOCKED at 2099-01-01 08:30 UTC until" in ahead
    ago = json.loads(run("explain", "DE*XPO*E1001*1", "--at", "-1h", "-o", "json").output)
    assert (ago["tense"], ago["known"]) == ("past", False)
    assert "-2h for two hours ago" in run("explain", "DE*XPO*E1001*1", "--at", "soon", code=2).stderr

    assert "nothing was changed" in run("end", "1", "--dry-run").output
    assert "no temporary status 99" in run("end", "1", "99", code=1).stderr
    assert run("end", "--evse", "DE*XPO*E1001*1").output == "1: DE*XPO*E1001*1 MAINTENANCE is ended\n"
    assert "--planned ends what has not begun" in run("end", "--evse", "DE*XPO*E1001*1").output
    assert json.loads(run("end", "2", "-o", "json").output)[0]["state"] == "ended"
    assert "ended early, " in run("explain", "DE*XPO*E1001*1").output
    for wrong in ([], ["1", "--evse", "DE*XPO*E1001*1"], ["1", "--planned"]):
        run("end", *wrong, code=2)


def test_many_are_ended_only_by_whoever_means_it(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules["app.cli.batches"], "UNASKED", 1)
    run("evses", "import", str(FLEET))
    for evse in ("DE*XPO*E1001*1", "DE*XPO*E1001*2"):
        run("set", evse, "BLOCKED")
    assert "End 2 temporary statuses?" in run("end", "1", "2", code=1).stderr
    assert json.loads(run("end", "1", "-o", "json").output)[0]["state"] == "ended"
    run("end", "1", "2", "--yes")
    assert "nothing is in effect" in run("list").output
