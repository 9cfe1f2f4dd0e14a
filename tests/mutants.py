"""Mutants: the product with one rule switched off, to show that a test sees it."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from types import ModuleType

import pytest

_OURS = ("pipeline", "workers")


def switch_off(monkeypatch: pytest.MonkeyPatch, name: str, rules: Mapping[str, str]) -> None:
    """Run the module ``name`` with other texts in place of ``rules``, wherever it is imported."""
    module = importlib.import_module(name)
    source = inspect.getsource(module)
    for rule, instead in rules.items():
        assert source.count(rule) == 1, f"{name} holds {rule!r} {source.count(rule)} times"
        source = source.replace(rule, instead)
    before = {**vars(module)}
    # In the module itself: what a test replaces there is replaced in the mutant, too.
    # A name in angle brackets: coverage looks for the text of any other.
    exec(compile(source, f"<mutant of {name}>", "exec"), vars(module))
    mutant = {**vars(module)}
    vars(module).update(before)
    for key, value in before.items():
        if getattr(value, "__module__", None) == name or isinstance(value, tuple):
            _replace(monkeypatch, value, mutant[key])


def _replace(monkeypatch: pytest.MonkeyPatch, old: object, new: object) -> None:
    for module in _list_modules():
        for key, value in list(vars(module).items()):
            if value is old and not key.startswith("__"):
                monkeypatch.setattr(module, key, new)


def _list_modules() -> list[ModuleType]:
    return [m for name, m in sys.modules.items() if name.partition(".")[0] in _OURS]
