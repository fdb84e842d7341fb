"""Pages in a headless Chromium, for tests. They are skipped where Chromium or playwright is missing."""

import shutil
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def open_browser():
    """Start Chromium; skip the test if it cannot be."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (it comes with [dev])")
    place = next(filter(None, map(shutil.which, NAMES)), None)
    if place is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=place, args=["--no-sandbox"])  # root may run no sandbox
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_file(browser, file, width=1000, height=900):
    """Open a file as ``file://``. At the end, no error was raised and nothing but the file was asked for."""
    page = browser.new_page(viewport={"width": width, "height": height})
    errors, requests = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("request", lambda request: requests.append(request.url) if not request.url.startswith("data:") else None)
    page.on("dialog", lambda dialog: (errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    try:
        page.goto(file.resolve().as_uri())
        yield page
        assert errors == []
        assert requests == [file.resolve().as_uri()]
    finally:
        page.close()
