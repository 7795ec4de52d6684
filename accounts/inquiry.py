"""Asks an account, and keeps what it says as rows: an answer, a refusal and an error of an SDK alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from accounts.contract import Account, UnansweredError
from accounts.demand import Demand
from accounts.hiding import fit_to_show
from accounts.opening import open_account
from accounts.row import Row, Standing

T = TypeVar("T")


@dataclass(kw_only=True)
class Inquiry:
    """What is asked of one account, and the rows so far."""

    demand: Demand
    expected: str | None
    """The account's own id, as the stack's settings say; None where they do not."""
    stack: str
    """For the commands that mend."""
    account: Account | None = None
    rows: list[Row] = field(default_factory=list)

    def tell(self, subject: str, where: str, standing: Standing, says: str, mends: str = "") -> None:
        """Keep a row."""
        row = Row(account=self.demand.account, subject=subject, where=where, standing=standing, says=says, mends=mends)
        self.rows.append(row)

    def ask(self, subject: str, where: str, question: Callable[[], T]) -> T | None:
        """The answer; None where there was none, and then a row says why."""
        try:
            return question()
        except Exception as error:  # whatever an SDK raises is told as a row, so that all problems come at once
            refused = self._refusal(error)
            self.tell(subject, where, "problem", self._shown(refused.says), refused.mends)
            return None

    def open(self) -> Account | None:
        """The account, if its credentials work says whose they are, or why they do not."""
        demand = self.demand
        self.account = self.ask("credentials", demand.provider, lambda: open_account(demand, self.expected))
        if self.account is None or not self.ask("credentials", demand.provider, self._is_expected):
            return None
        return self.account

    def _is_expected(self) -> bool:
        """Whether further questions make sense: another account's answers are about another account."""
        assert self.account is not None  # noqa: S101  for mypy: asked only of an open account
        identity = self.account.identity()
        if identity.account is None:
            self._tell_of_unnamed(identity.says)
        elif self.expected is None:
            setting = f"--type string --path 'diversite:accounts.{self.demand.account}'"
            mends = f"pulumi config set --stack {self.stack} {setting} "
            says = f"{identity.says}; the stack's settings do not say which account is expected"
            self.tell("credentials", self.demand.provider, "problem", says, f"{mends}{identity.account}")
        elif identity.account != self.expected:
            says = f"{identity.says}; expected is {self.expected}"
            self.tell("credentials", self.demand.provider, "problem", says, self._other_credentials())
            return False
        else:
            self.tell("credentials", self.demand.provider, "good", f"{identity.says}, as expected")
        return True

    def _tell_of_unnamed(self, says: str) -> None:
        label = f"the project {self.expected}" if self.expected else "the project that you mean"
        mends = f"see in the provider's console that the token belongs to {label}"
        self.tell("credentials", self.demand.provider, "unknown", says, mends)

    def _other_credentials(self) -> str:
        return (
            f"use credentials of {self.expected}, or correct diversite:accounts.{self.demand.account} in "
            f"stacks/Pulumi.{self.stack}.yaml"
        )

    def _refusal(self, error: Exception) -> UnansweredError:
        if isinstance(error, UnansweredError):
            return error
        if self.account is not None:
            return self.account.refusal(error)
        return UnansweredError(f"{type(error).__name__}: {error}", "")

    def _shown(self, says: str) -> str:
        return fit_to_show(says, self.account.secrets() if self.account else ())
