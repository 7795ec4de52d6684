"""Who may do what: policy documents, as JSON, with no more in them than is needed.

Resources are named wherever their names can be known before they are made, so that a preview shows the whole document.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pulumi

VERSION = "2012-10-17"
"""Of the policy language."""
SESSIONS = "AmazonSSMManagedInstanceCore"
"""AWS's own policy: an operator's session comes through the agent, and nothing else is allowed."""
CHINA = "aws-cn"


@dataclass(frozen=True, kw_only=True)
class Holder:
    """An account in a region, as ARNs have it."""

    partition: str
    """`aws`, `aws-cn`, `aws-us-gov`, `aws-eusc`."""
    region: str
    account_id: str

    @property
    def sessions_arn(self) -> str:
        """The managed policy that lets operators in."""
        return f"arn:{self.partition}:iam::aws:policy/{SESSIONS}"

    @property
    def machines(self) -> str:
        """The service that hosts are of."""
        return "ec2.amazonaws.com.cn" if self.partition == CHINA else "ec2.amazonaws.com"

    def log_group_arn(self, name: str) -> str:
        """A log group by its name; `*` stands for any."""
        return f"arn:{self.partition}:logs:{self.region}:{self.account_id}:log-group:{name}"


def assumed_by_machines(holder: Holder) -> str:
    """A host of the account may act in this role."""
    return _document(_allow("sts:AssumeRole", Principal={"Service": holder.machines}))


def assumed_by_flow_logs(holder: Holder) -> str:
    """The service that writes flow logs may, for this account only."""
    return _document(
        _allow("sts:AssumeRole", Principal={"Service": "vpc-flow-logs.amazonaws.com"}, Condition=_of_account(holder))
    )


def writes_to(holder: Holder, log_group: str) -> str:
    """Streams and events of one log group."""
    group = holder.log_group_arn(log_group)
    actions = ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
    return _document(_allow(*actions, Resource=[group, f"{group}:*"]))


def key_policy(holder: Holder) -> str:
    """Whoever the account lets; alarms, which publish to an encrypted topic; and logs of this region."""
    logs = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": holder.log_group_arn("*")}}
    root = f"arn:{holder.partition}:iam::{holder.account_id}:root"
    return _document(
        _allow("kms:*", Principal={"AWS": root}, Resource="*"),
        _allow(
            "kms:Decrypt",
            "kms:GenerateDataKey*",
            Principal={"Service": "cloudwatch.amazonaws.com"},
            Resource="*",
            Condition=_of_account(holder),
        ),
        _allow(
            "kms:Decrypt*",
            "kms:DescribeKey",
            "kms:Encrypt*",
            "kms:GenerateDataKey*",
            "kms:ReEncrypt*",
            Principal={"Service": f"logs.{holder.region}.amazonaws.com"},
            Resource="*",
            Condition=logs,
        ),
    )


def published_by_alarms(holder: Holder, topic: pulumi.Output[str]) -> pulumi.Output[str]:
    """Alarms of the account may publish to a topic, and nobody else."""
    return topic.apply(
        lambda arn: _document(
            _allow(
                "sns:Publish",
                Principal={"Service": "cloudwatch.amazonaws.com"},
                Resource=arn,
                Condition=_of_account(holder),
            )
        )
    )


def _of_account(holder: Holder) -> dict[str, Any]:
    return {"StringEquals": {"aws:SourceAccount": holder.account_id}}


def _allow(*actions: str, **further: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), **further}


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": VERSION, "Statement": list(statements)})
