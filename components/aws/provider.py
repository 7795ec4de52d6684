"""The only place where an AWS provider object is made: one a region and account, which refuses any other account.

Credentials come from where AWS's own tools find them. The account that a topology calls `aws` takes the default chain;
any other name is that of a profile, as `diversite preflight` has it. Whatever the environment prefers for a region
counts for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from diversite.errors import PlanError
from diversite.underlay import Region

DEFAULT_ACCOUNT = "aws"
ACCOUNT_ID = re.compile(r"[0-9]{12}")


def provider(name: str, region: Region, account_id: str, opts: pulumi.ResourceOptions) -> aws.Provider:
    """The provider object of a region."""
    return aws.Provider(
        name,
        region=region.name,
        allowed_account_ids=[account_id],
        profile=None if region.account == DEFAULT_ACCOUNT else region.account,
        opts=opts,
    )


def account_id(accounts: Mapping[str, str], account: str) -> str:
    """The number of an account; `PlanError` where the settings tell none."""
    found = accounts.get(account, "")
    if not ACCOUNT_ID.fullmatch(found):
        raise PlanError(
            f"stack setting diversite:accounts.{account}: {found or 'missing'}; it is the AWS account's number, twelve "
            f'digits in quotes. Write `{account}: "<number>"` under diversite:accounts in stacks/Pulumi.<stack>.yaml; '
            "`aws sts get-caller-identity` shows yours."
        )
    return found


def key(region: Region) -> str:
    """What a region's resources are named by: its name, and the account's where the venue has several."""
    return region.name if region.account == DEFAULT_ACCOUNT else f"{region.name}-{region.account}"


def within(opts: pulumi.ResourceOptions | None, made: aws.Provider) -> pulumi.ResourceOptions:
    """The options of a component whose children are made with a provider object."""
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(providers=[made]))
