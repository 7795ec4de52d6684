"""One member holds the lease, and each holder's token is greater than every one before."""

from __future__ import annotations

from tests.workloads.passive.conftest import Member
from tests.workloads.passive.members import until
from workloads.passive.lease import Lease
from workloads.passive.settings import Settings


def lease_of(settings: Settings) -> Lease:
    """The lease as that member sees it."""
    return Lease(settings.etcd, settings.engine, settings.member, settings.lease_seconds)


async def test_one_holds_it(member: Member) -> None:
    """Who comes second gets nothing, and sees who holds it."""
    first, second = lease_of(member("fra")), lease_of(member("lon"))
    assert await first.take()
    assert not await second.take()
    assert second.held is None
    assert await second.holder() == "fra"


async def test_a_later_token_is_greater(member: Member) -> None:
    """Given up, it is free at once, and the next token is greater."""
    first, second = lease_of(member("fra")), lease_of(member("lon"))
    await first.take()
    before = first.held
    await first.give_up()
    assert first.held is None
    assert await second.take()
    assert before
    assert second.held
    assert second.held.token > before.token


async def test_who_sleeps_loses_it(member: Member) -> None:
    """Without renewal it ends: the holder's own clock says so before etcd lets another have it."""
    first, second = lease_of(member("fra")), lease_of(member("lon"))
    await first.take()
    while not await second.take():
        assert await first.holder() in {"fra", None}
    assert first.held is None
    assert not await first.renew()
    await until(lambda: second.held is not None, "the second holds it")


async def test_a_dead_member_of_etcd_is_passed_over(member: Member) -> None:
    """The lease is taken and renewed by way of the members that answer."""
    settings = member("fra")
    lease = lease_of(settings.model_copy(update={"etcd": ("127.0.0.1:1", *settings.etcd)}))
    assert await lease.take()
    assert await lease.renew()
