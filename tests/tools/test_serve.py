"""The pages in a real browser: the service and the seeds on disk, as `make serve` runs them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import ConsoleMessage, Page, Request, expect, sync_playwright

from tests.support.process import serving
from tools.paths import PROJECT

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

USESTATE = "react/usestate-setter-applies-on-next-render"
TITLE = "useState still shows the old value right after calling its setter"
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small corpus on disk."""
    folder = tmp_path_factory.mktemp("seeds")
    for slug in (USESTATE, "docker/exec-form-entrypoint-receives-sigterm"):
        (folder / slug).parent.mkdir(parents=True)
        shutil.copy(PROJECT / "seeds" / f"{slug}.md", folder / f"{slug}.md")
    return folder


@pytest.fixture(scope="module")
def address(seeds: Path) -> Iterator[str]:
    """The address of a running `make serve` with a database of its own."""
    seeds.parent.parent.chmod(0o755)  # for root the embedded server runs as another user
    arguments = ("--seeds-path", str(seeds))
    variables = {"DATA_DIR": str(seeds.parent / "data"), "DATABASE_URL": ""}
    with serving("tools.serve", *arguments, ready="Uvicorn running", **variables) as server:
        yield server.address


@pytest.fixture(scope="module")
def browser_page(address: str) -> Iterator[Page]:
    """One browser for all tests."""
    if not CHROMIUM:
        pytest.skip("no Chromium here")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        yield context.new_page()
        browser.close()


@pytest.fixture
def page(browser_page: Page, address: str) -> Iterator[Page]:
    """The search page; the test fails on any console error and any request elsewhere."""
    problems: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            problems.append(message.text)

    def see(request: Request) -> None:
        if not request.url.startswith(address):
            problems.append(request.url)

    browser_page.on("console", hear)
    browser_page.on("request", see)
    browser_page.set_viewport_size({"width": 1280, "height": 900})
    browser_page.emulate_media(color_scheme="light")
    browser_page.goto(address)
    yield browser_page
    browser_page.remove_listener("console", hear)
    browser_page.remove_listener("request", see)
    assert problems == []


def test_results_come_as_one_types_and_lead_to_the_trace(page: Page) -> None:
    page.get_by_label("What goes wrong?").press_sequentially("react hooks useState")
    first = page.locator(".results li > a").first
    expect(first).to_have_text(TITLE)
    expect(page).to_have_url(re.compile(r"\?q=react\+hooks\+useState"))
    first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)
    expect(page.get_by_text("Counter.tsx", exact=True)).to_be_visible()
    expect(page.locator(".highlight span").first).to_be_attached()
    expect(page.get_by_text(re.compile(r"react 19\."))).to_be_visible()  # proven with


def test_without_script_the_form_searches_too(address: str) -> None:
    with urlopen(f"{address}/?q=exit+code+137") as response:
        assert "docker stop takes ten seconds" in response.read().decode()


def test_nonsense_finds_nothing_and_says_so(page: Page) -> None:
    page.get_by_label("What goes wrong?").fill("zebra wedding catering prices")
    expect(page.get_by_text("Nothing found")).to_be_visible()


def test_the_copy_button_copies_the_file(page: Page, address: str) -> None:
    page.goto(f"{address}/traces/{USESTATE}")
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith('import { useState } from "react";')


def test_the_proof_is_behind_a_fold(page: Page, address: str) -> None:
    page.goto(f"{address}/traces/{USESTATE}")
    proof = page.get_by_text("Counter.test.tsx")
    expect(proof).to_be_hidden()
    page.get_by_text("Proof", exact=True).click()
    expect(proof).to_be_visible()


def test_search_and_open_by_keyboard_alone(page: Page) -> None:
    page.keyboard.type("useState old value")
    expect(page.locator(".results li > a").first).to_have_text(TITLE)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)


def test_categories_and_tags_list_their_traces(page: Page) -> None:
    page.get_by_role("link", name="docker 1").first.click()
    expect(page.get_by_role("link", name=re.compile("docker stop takes ten"))).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="hooks 1").click()
    expect(page.get_by_role("link", name=TITLE)).to_be_visible()


def test_dark_mode_is_dark(page: Page) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(251, 252, 251)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) == "rgb(19, 24, 22)"


def test_a_phone_needs_no_sideways_scrolling(page: Page, address: str) -> None:
    page.set_viewport_size(PHONE)
    for path in ("/?q=docker+stop", f"/traces/{USESTATE}"):
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_changed_seed_shows_after_a_reload_with_its_problems_on_top(
    page: Page, address: str, seeds: Path
) -> None:
    file = seeds / f"{USESTATE}.md"
    text = file.read_text("utf-8")
    page.goto(f"{address}/traces/{USESTATE}")
    file.write_text(text.replace("The setter does not", "A setter never does"), encoding="utf-8")
    page.reload()
    expect(page.get_by_text("A setter never does")).to_be_visible()
    file.write_text(text.replace("```tsx title", "```tsxx title", 1), encoding="utf-8")
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("error[fence-language]")
    file.write_text(text.replace("## Proof", "## Evidence"), encoding="utf-8")
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("error[sections]")
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)
    file.write_text(text, encoding="utf-8")
    page.reload()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_markup_in_a_trace_is_text(page: Page, address: str, seeds: Path) -> None:
    file = seeds / "react/markup.md"
    text = (seeds / f"{USESTATE}.md").read_text("utf-8")
    attack = '<img src=x onerror="document.title=1"> [x](javascript:alert(1)) <script>x</script>'
    text = text.replace(TITLE, "A trace that tries to run its markup in the page")
    text = re.sub(r"tags: .*", "tags: [markup, escaping]", text)  # others count the tags they have
    file.write_text(text.replace("The setter does not", attack + " no"), encoding="utf-8")
    page.goto(f"{address}/traces/react/markup")
    expect(page.get_by_text('<img src=x onerror="document.title=1">')).to_be_visible()
    assert page.locator("article img, article script, article a[href^=javascript]").count() == 0
    file.unlink()
