"""Draw the README's pictures from a real run of the demo.

    .venv/bin/python docs/draw.py

Runs `imagemill demo` on a terminal of its own, and writes what it showed (docs/demo.svg) and the
contact sheet that it made (docs/contact-sheet.jpg).
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).parent
COMMAND = Path(sys.executable).with_name("imagemill")
WIDTH, HEIGHT = 88, 60


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        shown = run_on_a_terminal(Path(folder))
        sheet = Image.open(Path(folder) / "imagemill-demo" / "contact-sheet.png").convert("RGB")
    # Half the size and a lossy format: what is shown here is part of every clone.
    sheet.resize((sheet.width // 2, sheet.height // 2)).save(DOCS / "contact-sheet.jpg", quality=80)
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    console.print(Text("$ imagemill demo", style="bold"))
    console.print(Text.from_ansi(last_state_of_each_line(shown)))
    drawn = console.export_svg(title="imagemill demo")
    # Rich would have the reader's browser fetch fonts; any monospaced one will do.
    drawn = re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)
    (DOCS / "demo.svg").write_text(drawn, encoding="utf-8")


def run_on_a_terminal(folder: Path) -> str:
    """Return all that the demo wrote to its terminal."""
    master, slave = pty.openpty()
    os.environ |= {"TERM": "xterm-256color", "COLUMNS": str(WIDTH), "LINES": str(HEIGHT)}
    database = f"sqlite:///{folder}/imagemill.db"
    process = subprocess.Popen(
        [COMMAND, "demo"],
        cwd=folder,
        env=os.environ | {"IMAGEMILL_DATABASE_URL": database},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    written = bytearray()
    try:
        while data := os.read(master, 65536):
            written += data
    except OSError:
        pass  # The terminal's other side was closed: the demo has ended.
    if process.wait():
        raise SystemExit(written.decode())
    return written.decode()


def last_state_of_each_line(text: str) -> str:
    """Leave out what a progress bar has overwritten, and what moves the cursor."""
    text = re.sub(r"\x1b\[\?\d+[hl]|\x1b\[\d*[AK]|\x1b\[2K", "", text)
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


if __name__ == "__main__":
    main()
