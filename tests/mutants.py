"""Mutants: the product with one rule switched off, to show that a test sees it."""

from __future__ import annotations

import importlib
import inspect
import sys
from types import ModuleType

import pytest

_OURS = ("pipeline", "workers")


def switch_off(monkeypatch: pytest.MonkeyPatch, name: str, rule: str, instead: str) -> None:
    """Run the module ``name`` with other text in place of ``rule``, wherever it is imported."""
    module = importlib.import_module(name)
    source = inspect.getsource(module)
    assert source.count(rule) == 1, f"{name} holds {rule!r} {source.count(rule)} times, not once"
    mutant = {**vars(module)}
    code = compile(source.replace(rule, instead), f"{module.__file__} (mutant)", "exec")
    exec(code, mutant)
    for key, value in vars(module).items():
        if getattr(value, "__module__", None) == name or isinstance(value, tuple):
            _replace(monkeypatch, value, mutant[key])


def _replace(monkeypatch: pytest.MonkeyPatch, old: object, new: object) -> None:
    for module in _list_modules():
        for key, value in list(vars(module).items()):
            if value is old and not key.startswith("__"):
                monkeypatch.setattr(module, key, new)


def _list_modules() -> list[ModuleType]:
    return [m for name, m in sys.modules.items() if name.partition(".")[0] in _OURS]
