"""The pages in a real browser: nothing leaves them, nothing runs in them, and everybody can use them."""

import json
import re
import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from kit import digits, run, told
from playwright.sync_api import sync_playwright
from security_kit import small_teacher

from tutelage.api import audit, fit_run, harden, view
from tutelage.report.page import render
from tutelage.report.thumbnails import read_pictures

HOSTILE = "<img src=x onerror=alert(1)>"
"""The name of a class, and so of a folder."""

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    root = tmp_path_factory.mktemp("report")
    photos = digits(root / "photos", classes=4, each=30)
    (photos / "3").rename(photos / HOSTILE)
    for number, path in enumerate(sorted((photos / "1").iterdir())[:4]):
        path.rename(photos / "2" / f"flipped-{number}.png")
    first = told("fit", photos, "--out", root / "runs")
    second = told("fit", photos, "--mode", "deep", "--out", root / "runs")
    return root, Path(first["run"]), Path(second["run"])


@pytest.fixture(scope="module")
def pages(fits):
    root, first, second = fits
    both = told("report", first, second, "--out", root / "runs")
    alone = told("report", first, "--out", root / "runs")
    more = more_pages(root)
    return {
        "fit": first / "report.html",
        "both": Path(both["page"]),
        "alone": Path(alone["page"]),
        **more,
    }


def more_pages(root):
    """What the other verbs draw, of a small network."""
    teacher, out = small_teacher(), root / "more"
    fitted = fit_run(digits(root / "four", classes=4, each=40), teacher=teacher, mode="deep", out=out)  # fmt: skip
    audit(fitted.run, preset="quick", items=8, teacher=teacher, out=out)
    mended = harden(fitted.run, items=8, seeds=1, remedies=["consistency"], out=out, teacher=teacher)  # fmt: skip
    atlas = view(fitted.run, teacher=teacher, channels=2, patches=2, items=20, steps=2, out=out)
    return {
        "audit": next((out / "audit").glob("*/report.html")), "harden": Path(mended["run"]) / "harden.html",
        "view": Path(atlas["run"]) / "report.html", "hardened": Path(mended["run"]) / "report.html",
    }  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    assert CHROMIUM, "the tests need Debian's chromium: apt-get install chromium"
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def visit(browser, path, *, width=1100, scheme="light"):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, heard = context.new_page(), []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: (heard.append("a dialog"), dialog.dismiss()))
    page.on("request", lambda asked: heard.append(asked.url) if not asked.url.startswith(("data:", "file:")) else None)  # fmt: skip
    page.goto(path.as_uri())
    return page, heard


@pytest.mark.parametrize("which", ["fit", "both", "alone", "audit", "harden", "hardened", "view"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_quietly_and_axe_finds_nothing_serious(browser, pages, which, scheme):
    page, heard = visit(browser, pages[which], scheme=scheme)
    found = Axe().run(page).response["violations"]
    serious = [(v["id"], v["nodes"][0]["html"][:160]) for v in found if v["impact"] in ("serious", "critical")]  # fmt: skip
    assert not serious and not heard
    assert page.locator("h1").count() == 1 and page.locator("main").count() == 1


@pytest.mark.parametrize("which", ["fit", "both", "audit", "harden", "view"])
def test_a_phone_does_not_scroll_sideways(browser, pages, which):
    page, _ = visit(browser, pages[which], width=375)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_the_keyboard_reaches_every_control(browser, pages):
    page, _ = visit(browser, pages["fit"])
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    controls = page.locator("a[href], summary, [tabindex='0']").count()
    page.evaluate("document.querySelectorAll('a[href], summary, [tabindex=\"0\"]').forEach((e, i) => e.dataset.n = i)")  # fmt: skip
    seen = set()
    for _ in range(controls + 5):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.dataset.n"))
    assert len(seen - {None}) == controls > 10


def test_a_cell_of_the_confusion_matrix_leads_to_its_pictures(browser, fits, pages):
    wrong = json.loads((fits[1] / "results.json").read_text())["cases"]["wrong"]
    page, _ = visit(browser, pages["fit"])
    links = page.locator(".matrix a")
    assert links.count() == len({(row["label"], row["told"]) for row in wrong})
    if links.count():
        target = links.first.get_attribute("href")
        assert page.locator(f"{target} img").count() == min(12, int(links.first.inner_text()))


def test_text_is_shown_and_not_run(browser, pages):
    page, heard = visit(browser, pages["fit"])
    assert HOSTILE in page.locator("#classes table").first.inner_text() and not heard
    html = pages["fit"].read_text(encoding="utf-8")
    assert HOSTILE not in html and "<script" not in html and not re.search(r"<[^>]+\sstyle=", html)
    policy = page.locator("meta[http-equiv='Content-Security-Policy']").get_attribute("content")
    assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy


def test_flipped_labels_are_named(fits):
    suspects = json.loads((fits[1] / "results.json").read_text())["cases"]["suspects"]
    named = [row for row in suspects if "flipped" in row["name"]]
    assert len(named) >= 2 and all(row["label"] == "2" and row["told"] == "1" for row in named)
    assert (fits[1] / "suspects.csv").read_text().count("flipped") == len(named)


def test_the_same_results_give_the_same_page(fits):
    results = json.loads((fits[1] / "results.json").read_text())
    pictures = read_pictures(fits[1])
    assert render(results, pictures) == render(results, pictures)
    assert render(results, pictures) == (fits[1] / "report.html").read_text(encoding="utf-8")


def test_runs_side_by_side_are_compared_on_the_same_items(fits, pages):
    told = json.loads((pages["both"].parent / "results.json").read_text())
    assert [run["run"] for run in told["runs"]] == [str(fits[1]), str(fits[2])] and not told[
        "warnings"
    ]
    assert told["pairs"][0]["p"] is not None
    assert len(told["pairs"]) == 1 and told["pairs"][0]["low"] <= told["pairs"][0]["points"] <= told["pairs"][0]["high"]  # fmt: skip


def test_what_holds_no_fit_is_refused(fits, tmp_path):
    refused = run("report", tmp_path, "--out", tmp_path / "runs", check=False)
    assert refused.returncode == 1 and "finished fit" in refused.stderr
    assert not (tmp_path / "runs").exists()
    twice = run("report", fits[1], fits[1], "--out", tmp_path / "runs", check=False)
    assert twice.returncode == 2 and "twice" in twice.stderr
