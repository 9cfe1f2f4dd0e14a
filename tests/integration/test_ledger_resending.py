"""A message that the broker forgot is sent again, and no other; commits of unknown outcome."""

from __future__ import annotations
