"""The dashboard and the alert rules name metrics that there are, and the page of operations says what to do."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.operations_tables import PAGE, ROOT, Described, described, rendered

RULES = ROOT / "deploy" / "prometheus-alerts.yaml"
SCRAPING = ROOT / "deploy" / "prometheus.yaml"
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"
#: What Prometheus itself and its client know.
OTHERS = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes"}
ADDED = {"instance", "job", "le"}


@pytest.fixture(scope="module")
def metrics() -> dict[str, Described]:
    """By each name under which a metric can be asked for."""
    suffixes = {"histogram": ("_bucket", "_sum", "_count")}
    return {one.name + suffix: one for one in described() for suffix in suffixes.get(one.kind, ("",))}


@pytest.fixture(scope="module")
def alerts() -> list[dict[str, Any]]:
    [group] = yaml.safe_load(RULES.read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return read


def expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]


def check(expression: str, metrics: dict[str, Described]) -> None:
    """See that every metric in `expression` is there, and has the labels that it is picked by or grouped by."""
    named = set(re.findall(r"\b(?:evse_status|process)_\w+|\bup\b", expression))
    assert named, expression
    assert named <= metrics.keys() | OTHERS, expression
    for name, selector in re.findall(r"\b(evse_status_\w+){([^}]*)}", expression):
        assert set(re.findall(r"(\w+)=~?\"", selector)) <= {*metrics[name].labels, *ADDED}, expression
    known = {label for name in named & metrics.keys() for label in metrics[name].labels} | ADDED
    for grouped in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        assert set(grouped.split(", ")) <= known, expression
    for value in re.findall(r"standing=\"(\w+)\"", expression):
        assert value in {"good", "failing", "refusing", "paused"}


def test_every_alert_asks_for_metrics_that_there_are(
    alerts: list[dict[str, Any]], metrics: dict[str, Described]
) -> None:
    assert len({one["alert"] for one in alerts}) == len(alerts) >= 15
    for one in alerts:
        check(one["expr"], metrics)


def test_every_alert_says_what_it_means_and_has_a_section_that_says_what_to_do(alerts: list[dict[str, Any]]) -> None:
    anchors = {
        re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-")
        for one in re.findall(r"^#+ (.+)$", PAGE.read_text(), re.MULTILINE)
    }
    for one in alerts:
        assert one["labels"]["severity"] in {"page", "ticket"}
        assert re.search(r"driver|partner|app|window", one["annotations"]["summary"], re.IGNORECASE), one["alert"]
        page, _, anchor = one["annotations"]["runbook"].partition("#")
        assert (ROOT / page).samefile(PAGE)
        assert anchor in anchors, one["alert"]
        assert one["alert"].lower().startswith(anchor)


def test_every_panel_asks_for_metrics_that_there_are(dashboard: dict[str, Any], metrics: dict[str, Described]) -> None:
    for expression in expressions(dashboard):
        check(expression, metrics)


def test_every_metric_that_tells_something_is_on_the_dashboard(
    dashboard: dict[str, Any], metrics: dict[str, Described]
) -> None:
    asked = " ".join(expressions(dashboard))
    shown = {one.name for name, one in metrics.items() if re.search(rf"\b{name}\b", asked)}
    assert shown == {one.name for one in metrics.values()}


def test_the_dashboard_is_one_that_grafana_can_load(dashboard: dict[str, Any]) -> None:
    ids = [one["id"] for one in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    assert "id" not in dashboard  # a number of somebody's database
    for one in dashboard["panels"]:
        place = one["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert one["type"] == "row" or one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for other in dashboard["panels"]:
            assert one is other or not overlap(place, other["gridPos"]), (one["title"], other["title"])
    variables = {one["name"] for one in dashboard["templating"]["list"]}
    used = {name for text in expressions(dashboard) for name in re.findall(r"\$(\w+)", text)} - {"__rate_interval"}
    assert used | {"datasource"} == variables


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    apart = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or apart)


def test_the_page_of_operations_has_a_row_for_every_metric() -> None:
    text = PAGE.read_text()
    assert rendered(text) == text, "run `python -m tests.operations_tables` and read the difference"
    assert "<!-- table: metrics -->" in text


def test_the_example_scrapes_what_the_alerts_are_about(alerts: list[dict[str, Any]]) -> None:
    read = yaml.safe_load(SCRAPING.read_text())
    [job] = read["scrape_configs"]
    assert (job["metrics_path"], job["authorization"]["type"]) == ("/metrics", "Bearer")
    assert read["rule_files"] == [RULES.name]
    [down] = [one["expr"] for one in alerts if one["alert"] == "EvseStatusDown"]
    assert f'job="{job["job_name"]}"' in down


def test_prometheus_itself_loads_the_rules(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tool = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if tool is None:
        # Nothing is skipped for it: the package is 19 MB of which CI needs one file, and all else is checked above.
        with capfd.disabled():
            print("\nNOT RUN: promtool, which is not here; the alert rules were only read, see deploy/")  # noqa: T201
        return
    for words in (["rules", str(RULES)], ["config", "--syntax-only", str(SCRAPING)]):
        checked = subprocess.run([tool, "check", *words], capture_output=True, text=True, check=False, timeout=60)
        assert checked.returncode == 0, checked.stdout + checked.stderr
