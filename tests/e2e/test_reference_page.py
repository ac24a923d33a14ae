"""The page of the API in a real browser: it works, without anything from anywhere else, under its strict policy."""

import hashlib
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest
from playwright.async_api import Page, async_playwright

from app.main import create_app
from app.service import Service
from app.serving import serving
from app.settings import Settings
from app.web.reference import POLICY
from tests.e2e.serving_process import admin_key
from tests.ports import steady_port

VENDORED: Final = Path(__file__).parents[2] / "app" / "web" / "vendor"
#: Chromium would ask its makers for news, which the tests' machine refuses at length.
_QUIET: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@pytest.fixture
async def url(embedded_url: str) -> AsyncGenerator[str]:
    port = steady_port()
    async with serving(create_app(Service(Settings(database_url=embedded_url))), "127.0.0.1", port):
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def browser_page() -> AsyncGenerator[Page]:
    """A page of the system's Chromium. In CI there must be one; elsewhere the tests say that they were skipped."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        assert os.environ.get("CI") != "true", "no Chromium: .ci/run installs it"
        pytest.skip("NOT TESTED IN A BROWSER: no chromium on this machine")
    async with async_playwright() as started:
        browser = await started.chromium.launch(executable_path=found, args=list(_QUIET))
        yield await browser.new_page()
        await browser.close()


async def test_it_shows_every_operation_and_sends_a_call_without_breaking_its_policy(
    url: str, embedded_url: str
) -> None:
    key = await admin_key(embedded_url)
    async with browser_page() as page:
        complaints: list[str] = []
        asked: list[str] = []
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        answer = await page.goto(f"{url}/openapi")
        assert answer is not None
        assert answer.headers["content-security-policy"] == POLICY
        await page.wait_for_selector(".opblock")
        assert await page.locator(".opblock").count() >= 36
        assert await page.get_by_text("RESERVED is a picture and not a lock").count() == 1

        await page.get_by_role("button", name="Authorize").first.click()
        await page.locator(".modal-ux input").fill(key)
        await page.locator(".modal-ux button.authorize").click()
        await page.locator(".modal-ux .btn-done").click()
        listing = page.locator("[id$=listEvses]")
        await listing.locator(".opblock-summary").click()
        await listing.get_by_role("button", name="Try it out").click()
        await listing.get_by_role("button", name="Execute").click()
        await listing.locator(".live-responses-table .response-col_status", has_text="200").wait_for()

    assert complaints == []
    assert asked
    assert [one for one in asked if not one.startswith((url, "data:"))] == []


async def test_without_a_browser_everything_it_needs_is_there_and_what_is_not_is_a_problem(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, verify=False, trust_env=False) as client:
        for name in ("swagger-ui-bundle.js", "swagger-ui.css", "reference.js", "icon.svg"):
            answer = await client.get(f"/openapi/{name}")
            assert (answer.status_code, answer.headers["x-content-type-options"]) == (200, "nosniff"), name
            assert "max-age" in answer.headers["cache-control"]
        assert (await client.get("/openapi/")).text == (await client.get("/openapi")).text
        missing = await client.get("/openapi/nothing")
        assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")


def test_what_is_from_others_is_as_they_published_it() -> None:
    lines = [line.split("  ") for line in (VENDORED / "SHA256SUMS").read_text().splitlines()]
    listed = {name: digest for digest, name in lines}
    there = {
        str(file.relative_to(VENDORED)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in VENDORED.glob("*/*")
        if file.is_file()
    }
    assert there == listed
    assert any("LICENSE" in name for name in there)
