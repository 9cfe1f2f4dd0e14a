"""Take the README's pictures of the page, from a real server over the demo's job.

    .venv/bin/python docs/screenshots.py

Runs `imagemill demo`, small copies of its pictures (which are harder), and `imagemill serve`; then
writes docs/screenshots/*.png, each page in light and dark, and two as on a phone.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page

DOCS = Path(__file__).parent
TARGET = DOCS / "screenshots"
COMMAND = Path(sys.executable).with_name("imagemill")
PORT = 8431
DESK, LIST, PHONE = (1280, 860), (1280, 500), (390, 844)
#: Colours of a picture at most, so that a clone stays small.
COLOURS = 256

sys.path.insert(0, str(DOCS.parent / "tests"))
from browser import browsing  # noqa: E402

#: What is shown: the address, and how it is called.
PAGES = {
    "jobs": "/",
    "job": "/jobs/demo?sort=least-certain",
    "image": "/jobs/demo/images/{image}",
    "failures": "/jobs/demo/failures",
    "compare": "/compare?a=originals&b=thumbnails&by=custom-id",
    "submit": "/submit",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        with serving(Path(folder)) as base, browsing() as browser:
            for name, path in PAGES.items():
                size = LIST if name == "jobs" else DESK
                for theme in ("light", "dark"):
                    take(browser, base, path, f"{name}-{theme}", theme, size)
            take(browser, base, PAGES["job"], "job-phone", "light", PHONE)
            take(browser, base, PAGES["image"], "image-phone", "dark", PHONE)


def prepare(folder: Path) -> None:
    """Make the jobs that are shown: the demo's, its pictures with ids, and small copies of them."""
    run(folder, "demo")
    drawn = sorted((folder / "imagemill-demo" / "pictures").glob("0*_*.jpg"))
    copies = [shrink(path, folder / "copies") for path in drawn]
    for name, paths in (("originals", drawn), ("thumbnails", copies)):
        manifest = folder / f"{name}.csv"
        manifest.write_text("path,sku\n" + "".join(f"{path},{path.stem}\n" for path in paths))
        words = (str(manifest), "--id-column", "sku", "--weights", "demo", "--name", name)
        run(folder, "run", *words)
    run(folder, "run", str(folder / "copies"), "--weights", "demo", "--precision", "fast")
    # Nobody carries this one: it waits.
    later = ("--weights", "demo", "--name", "tonight", "--no-wait", "--broker-url")
    run(folder, "submit", str(folder / "copies"), *later, "redis://127.0.0.1:1/0")


def shrink(path: Path, folder: Path) -> Path:
    """Write a copy of a quarter of the sides, in a poor quality."""
    folder.mkdir(exist_ok=True)
    image = Image.open(path).convert("RGB")
    image.resize((image.width // 4, image.height // 4)).save(folder / path.name, quality=15)
    return folder / path.name


def run(folder: Path, *words: str) -> None:
    subprocess.run([COMMAND, *words], cwd=folder, env=environment(folder), check=True)


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "IMAGEMILL_DATABASE_URL": f"sqlite:///{folder}/imagemill.db",
        "XDG_CACHE_HOME": f"{folder}/cache",
        "XDG_DATA_HOME": f"{folder}/data",
    }


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run `imagemill serve`, and yield its address."""
    command = [str(COMMAND), "serve", "--port", str(PORT)]
    process = subprocess.Popen(command, cwd=folder, env=environment(folder))
    base = f"http://127.0.0.1:{PORT}"
    try:
        while not answers(base):
            assert process.poll() is None, "the server ended"
            time.sleep(0.2)
        yield base
    finally:
        process.terminate()
        process.wait()


def answers(base: str) -> bool:
    try:
        with urlopen(f"{base}/healthz") as reply:
            return bool(reply.status == 200)
    except URLError:
        return False


def take(
    browser: Browser, base: str, path: str, name: str, theme: str, size: tuple[int, int]
) -> None:
    """Write one picture: what is on the screen, in few colours."""
    context = browser.new_context(
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": size[0], "height": size[1]},
        device_scale_factor=1.5 if size == PHONE else 1,
        reduced_motion="reduce",
        timezone_id="UTC",
    )
    page = context.new_page()
    if "{image}" in path:
        path = path.format(image=find_doubtful(page, base))
    page.goto(base + path)
    page.wait_for_load_state("networkidle")
    save(page.screenshot(), TARGET / f"{name}.png")
    context.close()


def find_doubtful(page: Page, base: str) -> str:
    """Return the index of the image that the demo's model is least certain of."""
    page.goto(f"{base}{PAGES['job']}")
    address = page.locator("[data-gallery] a").first.get_attribute("href")
    return str(address).rpartition("/")[2]


def save(taken: bytes, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    pixels = np.array(Image.open(io.BytesIO(taken)).convert("RGB"))
    colours, places, counts = np.unique(
        pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True
    )
    palette = choose_palette(colours, counts)
    # Pillow's own search for the nearest colour is not exact: its white is a light grey.
    nearest = [int(((palette - one) ** 2).sum(axis=1).argmin()) for one in colours.astype(int)]
    reduced = np.array(nearest, np.uint8)[places].reshape(pixels.shape[:2])
    image = Image.fromarray(reduced, "P")
    image.putpalette(palette.astype(np.uint8).tobytes())
    image.save(path, optimize=True)


def choose_palette(colours: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return a palette (n, 3): the page's own flat colours as they are, and the pictures' about."""
    flat = colours[np.argsort(-counts, kind="stable")[: COLOURS // 3]]
    # Every colour once: a small thing in a picture counts as much as what is behind it.
    drawn = Image.fromarray(colours[None]).quantize(COLOURS - len(flat), Image.Quantize.FASTOCTREE)
    return np.concatenate([flat, np.array(drawn.getpalette()).reshape(-1, 3)]).astype(int)


if __name__ == "__main__":
    main()
