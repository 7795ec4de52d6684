"""The only place where a Hetzner provider object is made: one a project, each with a token of its own.

A token belongs to one project, and Hetzner has no way to ask which; so an account of the topology is whatever project
its token opens. The account called `hetzner`, which is the default, takes `hcloud:token` or, where that is not set,
what the provider itself documents: the environment's HCLOUD_TOKEN. Every other takes `hcloud-<account>:token`.
"""

from __future__ import annotations

import pulumi
import pulumi_hcloud as hcloud

from diversite.errors import PlanError

DEFAULT_ACCOUNT = "hetzner"


def provider(account: str, opts: pulumi.ResourceOptions) -> hcloud.Provider:
    """The provider object of an account; `PlanError` where it has no token."""
    return hcloud.Provider(f"hcloud-{account}", token=token(account), opts=opts)


def token(account: str) -> pulumi.Output[str] | None:
    """The account's token, a secret; None where the environment is to tell it."""
    name = "hcloud" if account == DEFAULT_ACCOUNT else f"hcloud-{account}"
    found = pulumi.Config(name).get_secret("token")
    if found is None and account != DEFAULT_ACCOUNT:
        raise PlanError(
            f"account {account}: no token of its Hetzner project is set. "
            f"Set it: pulumi config set --secret {name}:token."
        )
    return found


def within(opts: pulumi.ResourceOptions | None, made: hcloud.Provider) -> pulumi.ResourceOptions:
    """The options of a component whose children are made with a provider object."""
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(providers=[made]))


def number(resource: pulumi.CustomResource) -> pulumi.Output[int]:
    """The id of a resource as others want it."""
    return resource.id.apply(int)
