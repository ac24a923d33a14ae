"""What is deployed fits the code: settings, addresses, commands, and the files that go into the image."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml

from app import VERSION
from app.cli import group
from app.serving import GRACE_SECONDS
from app.settings import PREFIX, Settings

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
CONTAINERFILE: Final = (ROOT / "Containerfile").read_text()
IGNORED: Final = (ROOT / ".dockerignore").read_text().splitlines()
UNIT: Final = (DEPLOY / "evse-status.service").read_text()
PORT: Final = str(next(one.default for one in group.commands["serve"].params if one.name == "port"))
PLACES: Final = [CONTAINERFILE, *(one.read_text() for one in sorted(DEPLOY.iterdir()))]


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def parsed(words: list[str]) -> None:
    """Read a command line as the program would, without doing it."""
    name, *rest = words
    command = group.commands[name]
    command.make_context(name, rest).close()


def test_every_setting_that_is_deployed_is_one():
    named = {one for text in PLACES for one in re.findall(rf"\b{PREFIX}([A-Z_]+)\b", text)}
    assert {"DATABASE_URL", "SECRET_KEY", "TRUSTED_PROXIES"} <= named
    assert named <= {name.upper() for name in Settings.model_fields}


def test_what_is_set_can_be_read(monkeypatch: pytest.MonkeyPatch):
    given = {"POSTGRES_PASSWORD": "abc", "SITE_ADDRESS": "status.example.com", f"{PREFIX}SECRET_KEY": "k"}
    for name, value in compose()["services"]["one"]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{(\w+):\?[^}]*}", lambda found: given[found[1]], value))
    settings = Settings()
    assert settings.proxies == [compose()["services"]["proxy"]["networks"]["inner"]["ipv4_address"]]
    assert settings.public_url == "https://status.example.com"


def test_secrets_come_from_a_file_that_is_not_in_git():
    wanted = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text()))
    example = re.findall(r"^(\w+)=(.*)$", (DEPLOY / "env.example").read_text(), re.MULTILINE)
    assert wanted == {name for name, _ in example}
    assert {name for name, value in example if not value} == {"POSTGRES_PASSWORD", f"{PREFIX}SECRET_KEY"}
    assert "/deploy/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_every_service_runs_with_as_little_as_it_can():
    for name, service in compose()["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    assert [name for name, one in compose()["services"].items() if "ports" in one] == ["proxy"]


def test_there_are_two_replicas_behind_the_proxy_and_one_migration_before_them():
    services = compose()["services"]
    replicas = [name for name, one in services.items() if one.get("command", [""])[0] == "serve"]
    assert len(replicas) == 2
    for name in replicas:
        assert "migrate" in services[name]["depends_on"]
        # Reached by the proxy in one network only, under the address that is trusted.
        assert set(services[name]["networks"]) & set(services["proxy"]["networks"]) == {"inner"}
    proxied = re.search(r"reverse_proxy (.*) {", (DEPLOY / "Caddyfile").read_text())
    assert proxied
    assert proxied[1].split() == [f"{name}:{PORT}" for name in replicas]


def test_what_is_run_are_commands():
    for service in compose()["services"].values():
        if service["image"] == "evse-status":
            parsed(service["command"])
    start = re.search(r"^ExecStart=(\S+) (.*)$", UNIT, re.MULTILINE)
    assert start
    assert Path(start[1]).name == "evse-status"
    parsed(shlex.split(start[2]))
    words = re.search(r"^CMD \[(.*)\]$", CONTAINERFILE, re.MULTILINE)
    assert words
    parsed([one.strip().strip('"') for one in words[1].split(",")])
    with pytest.raises(click.UsageError):
        parsed(["serve", "--colour"])


def test_health_is_asked_for_where_it_is_answered():
    asked = {one for text in PLACES for one in re.findall(r"(?:127\.0\.0\.1:\d+|health_uri )/?health/\w+", text)}
    assert asked == {f"127.0.0.1:{PORT}/health/ready", "health_uri /health/ready"}
    assert f"EXPOSE {PORT}" in CONTAINERFILE
    assert "flush_interval -1" in (DEPLOY / "Caddyfile").read_text()


def test_metrics_are_not_for_outside_however_they_are_spelled():
    """The service takes `/metrics/` for `/metrics`, and the proxy does not."""
    assert "respond /metrics* 404" in (DEPLOY / "Caddyfile").read_text()


def test_the_unit_leaves_the_service_what_its_metrics_are_read_from():
    """Of processor and memory nothing is told without /proc/stat, which `ProcSubset=pid` hides."""
    assert "ProcSubset=pid" not in (DEPLOY / "evse-status.service").read_text().splitlines()


def test_whoever_stops_it_waits_longer_than_it_takes():
    stop = re.search(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert stop
    usual = GRACE_SECONDS + Settings.model_fields["request_timeout"].default.total_seconds()
    assert int(stop[1]) > usual
    assert int(compose()["services"]["one"]["stop_grace_period"].removesuffix("s")) > usual


def test_the_image_says_its_version():
    assert f'version="{VERSION}"' in CONTAINERFILE


def test_all_that_the_program_needs_is_in_the_image():
    wanted = [one.split() for one in re.findall(r"^COPY (?!--)(.*)$", CONTAINERFILE, re.MULTILINE)]
    copied = {name.rstrip("/") for names in wanted for name in names[:-1]}
    let_in = {line[1:].rstrip("/") for line in IGNORED if line.startswith("!")}
    assert copied == let_in
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert {project["project"]["readme"], *project["project"]["license-files"], "app", "migrations"} <= copied
    assert all(one.partition("/")[0] in copied for one in re.findall(r"-r (\S+)", CONTAINERFILE))


def test_all_of_the_packages_is_installed():
    """Every folder with code is a package, and every other file is named as data of one."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    named = {one for package, globs in data.items() for each in globs for one in (ROOT / package).glob(each)}
    for package in ("app", "migrations"):
        for one in (ROOT / package).rglob("*"):
            if one.is_dir() or "__pycache__" in one.parts or one.suffix == ".md":
                continue
            assert (one.parent / "__init__.py").exists() if one.suffix == ".py" else one in named, one
