"""Opens a provider's account: imports its module, and so its SDK, only then."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from accounts.contract import Account, UnansweredError
from accounts.demand import Demand

MODULES = {"aws": "accounts.aws", "gcp": "accounts.gcp", "hetzner": "accounts.hcloud"}


def open_account(demand: Demand, expected: str | None) -> Account:
    """The account that a demand is for; `UnansweredError` where its SDK is not installed. Nobody is asked yet.

    `expected` is what the stack's settings say that the account is.
    """
    try:
        module = import_module(MODULES[demand.provider])
    except ImportError as error:
        raise UnansweredError(
            f"the client library is not installed: {error.name or error}", ".venv/bin/pip install '.[accounts]'"
        ) from error
    return cast(Account, module.Account(demand, expected))
