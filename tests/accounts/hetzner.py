"""Hetzner's API as recorded, without servers: a fixture wherever a test module makes it one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.accounts.answering import Answer, Api, Asked, answering, recorded

HETZNER_TOKEN = "a1B2c3D4" * 8


def hetzner_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The API, found by the environment as the client finds it."""
    image = recorded("hcloud/image.json")
    answers: dict[str, Answer | Callable[[Asked], Answer]] = {
        "/locations": (200, recorded("hcloud/locations.json")),
        "/server_types": (200, recorded("hcloud/server_types.json")),
        "/images/114690387": (200, image),
        "/images": (200, listed("images", [image["image"]])),
        "/servers": (200, listed("servers", [])),
    }
    with answering(Api(answers=answers)) as api:
        monkeypatch.setenv("HCLOUD_TOKEN", HETZNER_TOKEN)
        monkeypatch.setenv("HCLOUD_ENDPOINT", api.address)
        yield api


def listed(kind: str, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The only page of a list."""
    none = {"previous_page": None, "next_page": None}
    page = {"page": 1, "per_page": 50, "last_page": 1, "total_entries": len(items), **none}
    return {kind: list(items), "meta": {"pagination": page}}
