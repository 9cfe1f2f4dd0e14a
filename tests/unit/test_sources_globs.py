from __future__ import annotations

from pathlib import Path

import pytest
from source_helpers import below, early_refusal, touch, uris


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    touch(
        tmp_path,
        "a/1.jpg", "a/2.png", "a/notes.txt", "a/.hidden.jpg",
        "b/3.jpg", "b/deep/er/4.jpg", "b/deep/5.jpg", "6.jpg",
    )  # fmt: skip
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a/*.jpg", ["a/1.jpg"]),
        ("a/*", ["a/1.jpg", "a/2.png", "a/notes.txt"]),
        ("a/[12].*", ["a/1.jpg", "a/2.png"]),
        ("?/?.jpg", ["a/1.jpg", "b/3.jpg"]),
        ("*/deep/*.jpg", ["b/deep/5.jpg"]),
        ("**/*.jpg", ["6.jpg", "a/1.jpg", "b/3.jpg", "b/deep/5.jpg", "b/deep/er/4.jpg"]),
        ("b/**/*.jpg", ["b/3.jpg", "b/deep/5.jpg", "b/deep/er/4.jpg"]),
        ("b/**/**/er/*", ["b/deep/er/4.jpg"]),
        ("b/**", ["b/3.jpg", "b/deep/5.jpg", "b/deep/er/4.jpg"]),
        ("b*", ["b/3.jpg", "b/deep/5.jpg", "b/deep/er/4.jpg"]),
        ("a/.*", ["a/.hidden.jpg"]),
    ],
)
def test_matches_come_sorted_and_each_once(tree: Path, pattern: str, names: list[str]) -> None:
    assert uris(tree / pattern) == below(tree, *names)


def test_a_matched_folder_stands_for_all_that_is_in_it(tree: Path) -> None:
    assert uris(tree / "**/*") == below(
        tree,
        "6.jpg", "a/.hidden.jpg", "a/1.jpg", "a/2.png",
        "b/3.jpg", "b/deep/5.jpg", "b/deep/er/4.jpg",
    )  # fmt: skip


@pytest.mark.parametrize("pattern", ["*.webp", "nowhere/*.jpg", "a/*/x", "[", "6.jpg/*"])
def test_no_match_is_refused_in_one_sentence(tree: Path, pattern: str) -> None:
    assert f"nothing matches {tree / pattern}" in early_refusal(tree / pattern)


def test_a_path_that_exists_is_itself(tree: Path) -> None:
    touch(tree, "a[1].jpg", "a1.jpg", "c[1]/7.jpg", "c1/8.jpg", "d*.txt")

    assert uris(tree / "a[1].jpg") == below(tree, "a[1].jpg")
    assert uris(tree / "c[1]") == below(tree, "c[1]/7.jpg")
    assert uris(tree / "c[1]/*") == below(tree, "c[1]/7.jpg")


def test_a_link_in_a_circle_is_not_followed_at_any_depth(tree: Path) -> None:
    (tree / "b/loop").symlink_to(tree)

    assert uris(tree / "**/3.jpg") == below(tree, "b/3.jpg")


def test_a_manifest_that_matches_is_no_list(tree: Path) -> None:
    (tree / "a/notes.txt").write_text("x.jpg\n")

    assert uris(tree / "a/*.txt") == below(tree, "a/notes.txt")
