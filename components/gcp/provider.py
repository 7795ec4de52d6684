"""The provider object of each project, and the only place where one is made.

A project is named in the stack's settings (`diversite:accounts`), never taken from the environment: credentials come
from Google's application default credentials, and whatever project these prefer counts for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from diversite.errors import PlanError

PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
"""Google's rule for the id of a project; its number would do for some resources and not for others."""


def provider(account: str, accounts: Mapping[str, str], parent: Component) -> gcp.Provider:
    """The provider for an account's project. It adds no labels of its own: all of them are the contract's."""
    return gcp.Provider(
        f"provider-{account}",
        project=project(account, accounts),
        add_pulumi_attribution_label=False,
        opts=parent.child(),
    )


def project(account: str, accounts: Mapping[str, str]) -> str:
    """The id of an account's project; `PlanError` where the settings name none."""
    where = f"stack setting diversite:accounts.{account}"
    found = accounts.get(account)
    if found is None:
        raise PlanError(
            f"{where}: missing; it names the Google project of this account. Write `{account}: <project id>` under "
            "diversite:accounts in stacks/Pulumi.<stack>.yaml."
        )
    if not PROJECT.fullmatch(found):
        raise PlanError(
            f"{where}: {found!r} is no id of a Google project (6 to 30 lower-case letters, digits and hyphens, a "
            "letter first); `gcloud projects list` shows yours."
        )
    return found


def by(provider: gcp.Provider, opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """A component's options, with the provider that all below it is made by."""
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(provider=provider))
