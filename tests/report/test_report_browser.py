"""The report in a real browser: no error on the console, every image loaded, nothing wider than a phone."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from na64mu.report.html import page

BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
PROBE = """<script>
addEventListener("load", () => {
  const images = [...document.images], links = [...document.querySelectorAll("nav a")];
  document.body.dataset.probe = JSON.stringify({
    images: images.length, broken: images.filter(i => !i.complete || i.naturalWidth === 0).length,
    dead: links.filter(a => !document.getElementById(a.hash.slice(1))).length, links: links.length,
    wider: document.documentElement.scrollWidth - innerWidth });
});</script>"""


@pytest.fixture(scope="module")
def html(blinded_result):
    return page(blinded_result).replace("</body>", f"{PROBE}</body>")


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here (Debian: apt-get install chromium)")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_in_a_browser(html, blinded_result, tmp_path, width):
    path = tmp_path / "report.html"
    path.write_text(html, encoding="utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
    ]
    flags += [
        "--disable-sync",
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},900",
        "--dump-dom",
    ]
    done = subprocess.run([str(BROWSER), *flags, path.as_uri()], capture_output=True, text=True, check=True)
    (probe,) = re.findall(r'data-probe="([^"]*)"', done.stdout)
    found = dict(re.findall(r"&quot;(\w+)&quot;:(-?\d+)", probe))
    assert int(found["images"]) == 1 + len(blinded_result.working_point.spectra)
    assert (found["broken"], found["dead"]) == ("0", "0")
    assert int(found["links"]) >= 7
    assert int(found["wider"]) <= 0
    assert "CONSOLE" not in done.stderr
