"""What the command says of itself, and how it takes a line that it cannot read."""

from __future__ import annotations

import re

import pytest
from command import Run

from pipeline.config import Settings
from workers.specs import RUN_CHUNK, SUBMIT_CHUNK

COMMANDS = [
    "classify", "run", "submit", "worker", "jobs", "jobs list", "jobs show", "jobs watch",
    "jobs cancel", "jobs resume", "jobs retry", "jobs delete",
    "predictions", "predictions list", "predictions count", "predictions export",
    "weights", "weights download", "weights show", "db", "db upgrade", "db check",
    "doctor", "bench", "demo", "compare",
    "tokens", "tokens create", "tokens list", "tokens revoke",
]  # fmt: skip
READS = [
    "classify", "run", "submit", "jobs list", "jobs show", "jobs watch", "predictions list",
    "predictions count", "weights show", "db check", "doctor", "bench", "compare",
    "tokens list",
]  # fmt: skip


@pytest.fixture(scope="module")
def helps(imagemill: Run) -> dict[str, str]:
    return {c: imagemill(*c.split(), "--help").stdout for c in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_shows_an_example_of_its_own_command(
    helps: dict[str, str], command: str
) -> None:
    examples = helps[command].split("Examples:\n")[1]
    assert f"imagemill {command}" in examples


@pytest.mark.parametrize("command", READS)
def test_every_read_takes_json(helps: dict[str, str], command: str) -> None:
    assert "--json" in helps[command]


def test_every_example_names_options_that_exist(helps: dict[str, str]) -> None:
    for text in helps.values():
        for line in text.split("Examples:\n")[1].splitlines():
            typed = line.split("|")[-1] if "imagemill" in line.split("|")[-1] else line
            words = typed.split("imagemill", 1)[1].split("|")[0].split()
            command = max((c for c in COMMANDS if words[: len(c.split())] == c.split()), key=len)
            options = {word for word in words if word.startswith("--")}
            assert all(f"{option} " in helps[command] for option in options), line


@pytest.mark.parametrize(
    "option", ["weights", "precision", "top_k", "device", "max_wait_ms", "max_pixels"]
)
def test_the_help_names_the_true_default(helps: dict[str, str], option: str) -> None:
    default = Settings.model_fields[option].default
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    text = " ".join(helps["run"].split())
    stated = re.search(rf"--{option.replace('_', '-')} .*?\[default: (.*?)\]", text)
    assert stated
    assert stated[1] == shown


@pytest.mark.parametrize(("command", "size"), [("run", RUN_CHUNK), ("submit", SUBMIT_CHUNK)])
def test_the_help_names_the_true_chunk_size(helps: dict[str, str], command: str, size: int) -> None:
    text = " ".join(helps[command].split())
    stated = re.search(r"--chunk-size .*?\[default: (\d+) in run, (\d+) in submit\]", text)
    assert stated
    assert int(stated[1 if command == "run" else 2]) == size


def test_the_command_alone_shows_what_there_is(imagemill: Run) -> None:
    done = imagemill()
    assert done.returncode == 0
    assert "predictions" in done.stdout
    assert "--install-completion" in done.stdout


def test_the_version_is_said(imagemill: Run) -> None:
    assert re.fullmatch(r"imagemill \d+\.\d+\.\d+\n", imagemill("--version").stdout)


def test_the_shell_is_told_the_commands(imagemill: Run) -> None:
    done = imagemill(
        _IMAGEMILL_COMPLETE="complete_bash", COMP_WORDS="imagemill pre", COMP_CWORD="1"
    )
    assert done.stdout.split() == ["predictions"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("run", "Missing argument 'SOURCE'; `imagemill run --help` shows what it takes"),
        ("jobs", "Missing command; `imagemill jobs --help` shows what it takes"),
        ("nonsense", "No such command 'nonsense'; `imagemill --help` shows what it takes"),
        ("jobs list --nonsense", "No such option: --nonsense; `imagemill jobs list --help`"),
        ("jobs list --limit many", "--limit"),
        ("jobs list --limit 0", "a page of 0 rows shows nothing"),
        ("run x --precision sloppy", "'sloppy' is not one of 'exact', 'auto', 'fast'"),
        ("run x --top-k 0", "--top-k (IMAGEMILL_TOP_K): "),
        ("run no-such-folder/", "no-such-folder"),
        ("run no-such-manifest.csv", "no-such-manifest.csv"),
        ("jobs show nobody", "no job 'nobody'; `imagemill jobs list` shows them"),
        ("jobs delete nobody --yes", "no job 'nobody'"),
        ("predictions list --job nobody", "no job 'nobody'"),
        ("predictions list --min-score 2", "between 0 and 1"),
        ("predictions list --code oops", "no failure has the code 'oops'; one of: "),
        ("predictions export --job nobody --output a.xlsx", "--format csv, jsonl or parquet"),
        ("compare nobody nothing", "no job 'nobody'"),
        ("weights show nothing.safetensors", "is no file here"),
        ("weights download mine.pt", "IMAGENET1K_V1"),
    ],
)
def test_wrong_usage_is_one_sentence(imagemill: Run, line: str, sentence: str) -> None:
    done = imagemill(*line.split())
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("imagemill: ")
    assert done.stderr.count("\n") == 1
    assert sentence in done.stderr


def test_a_folder_that_cannot_be_drawn_into_is_one_sentence(imagemill: Run) -> None:
    done = imagemill("demo", "--folder", "/proc/demo")
    assert done.returncode == 2
    said = done.stderr.splitlines()
    assert said[-1].startswith("imagemill: cannot draw into /proc/demo/pictures: ")
    assert "Traceback" not in done.stderr


def test_a_database_out_of_reach_is_one_sentence_without_the_password(imagemill: Run) -> None:
    url = "postgresql://me:secret@127.0.0.1:1/pictures"
    done = imagemill("jobs", "list", IMAGEMILL_DATABASE_URL=url)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


def test_the_traceback_is_shown_on_demand_alone(imagemill: Run) -> None:
    assert "Traceback" not in imagemill("jobs", "show", "nobody").stderr
    done = imagemill("jobs", "show", "nobody", IMAGEMILL_DEBUG="1")
    assert "Traceback" in done.stderr
    assert done.returncode == 2


def test_a_setting_comes_from_the_environment_too(imagemill: Run) -> None:
    done = imagemill("run", "x", IMAGEMILL_CHUNK_SIZE="0")
    assert done.returncode == 2
    assert "IMAGEMILL_CHUNK_SIZE" in done.stderr
