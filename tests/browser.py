"""Pages in a headless Chromium, for tests. They are skipped where Chromium or playwright is missing."""

import shutil
import time
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
def open_file(browser, file, width=1000, height=900, beside=None, missing=()):
    """Open a file as ``file://``. At the end, no error was raised and nothing but the file was asked for.

    Args:
        browser: of ``open_browser``.
        file: the page.
        width: of the window.
        height: of the window.
        beside: a folder whose files may be asked for too.
        missing: names of files of which the browser may say that they are not there.
    """
    page = browser.new_page(viewport={"width": width, "height": height})
    errors, requests = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message) if message.type in ("error", "warning") else None)
    page.on("request", lambda request: requests.append(request.url) if not request.url.startswith("data:") else None)
    page.on("dialog", lambda dialog: (errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    try:
        page.goto(file.resolve().as_uri())
        yield page
        assert [str(error) for error in errors if not _is_missing(error, missing)] == []
        first, *others = requests
        assert first == file.resolve().as_uri()
        assert [other for other in others if beside is None or not other.startswith(beside.resolve().as_uri())] == []
    finally:
        page.close()


def wait_until(page, expression, seconds=20):
    """Wait until a JavaScript expression is true. ``page.wait_for_function`` would need ``eval`` in the page."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"{expression} did not become true"
        page.wait_for_timeout(20)


def _is_missing(error, names):
    """Whether a message of the console says that one of these files was not found."""
    place = "" if isinstance(error, str) else error.location["url"]
    return any(place.endswith(name) for name in names) and "ERR_FILE_NOT_FOUND" in error.text
