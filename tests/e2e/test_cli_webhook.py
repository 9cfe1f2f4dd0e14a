"""`submit --webhook` as typed: refused in a sentence, or stored with the job and shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import Done, Run, assert_refused

_NOWHERE = {"IMAGEMILL_BROKER_URL": "redis://127.0.0.1:1/0"}


@pytest.mark.parametrize("url", ["ftp://example.com/", "example.com", "https://me:pw@example.com/"])
def test_what_is_no_web_address_is_refused(command: Run, pictures: Path, url: str) -> None:
    done = command("submit", pictures, "--weights", "demo", "--webhook", url, **_NOWHERE)
    assert_refused(done, "--webhook takes an address such as https://example.com/done")
    assert json.loads(command("jobs", "list", "--json").stdout) == []


def test_a_webhook_is_stored_and_shown_without_its_secret(command: Run, pictures: Path) -> None:
    words = ("submit", pictures, "--weights", "demo", "--no-wait", "--name", "told")
    done = command(*words, "--webhook", "http://127.0.0.1/done?key=geheim", **_NOWHERE)
    assert done.returncode == 0, done.stderr
    assert "the workers may refuse to send the webhook" in done.stderr
    assert "IMAGEMILL_WEBHOOK_SECRET" in done.stderr
    shown = command("jobs", "show", "told")
    assert "waits for the job's end: http://127.0.0.1/done?***" in shown.stdout
    told = json.loads(command("jobs", "show", "told", "--json").stdout)["webhook"]
    assert (told["state"], told["attempts"], told["reason"]) == ("waiting", 0, None)
    assert "geheim" not in done.stderr + shown.stdout + json.dumps(told)


def test_a_job_without_a_webhook_says_so(imagemill: Run, finished: Done) -> None:
    shown = imagemill("jobs", "show", "shapes", "--json")
    assert json.loads(shown.stdout)["webhook"] is None
