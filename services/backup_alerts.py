"""The alerts of a store's backups: what a disaster would cost grows unseen, so a person is told before it does."""

from __future__ import annotations

from diversite.keeping import StorePlan
from services.alert import Alert

ARCHIVES_MISSED = 3
BACKUPS_MISSED = 2


def alerts(store: StorePlan) -> tuple[Alert, ...]:
    """What a monitor evaluates for a store that has backups."""
    if store.backup_site is None:
        return ()
    return (_archive(store), _backup(store), _damaged(store))


def _archive(store: StorePlan) -> Alert:
    waits = ARCHIVES_MISSED * store.backup.archive_seconds
    return Alert(
        name=f"StoreArchiveWaits-{store.name}",
        expression=f'max(keeper_archive_waiting_seconds{{store="{store.name}"}}) > {waits}',
        hold_seconds=10,
        severity="critical",
        summary=f"The log of {store.name} has waited {{{{ $value | humanizeDuration }}}} for its archive.",
        action="Read the primary's log of patroni for what archive-push says: a disaster now would lose so much.",
    )


def _backup(store: StorePlan) -> Alert:
    old = BACKUPS_MISSED * store.backup.incremental_seconds
    newest = f'max(keeper_backup_timestamp_seconds{{store="{store.name}"}}) or vector(0)'
    return Alert(
        name=f"StoreBackupOld-{store.name}",
        expression=f"time() - ({newest}) > {old}",
        hold_seconds=60,
        severity="warning",
        summary=f"{store.name} has no good backup that is younger than {old} s.",
        action="Read the log of the keeper that takes them: a restore would have to replay all the log since.",
    )


def _damaged(store: StorePlan) -> Alert:
    days = store.backup.full_kept * store.backup.full_seconds // 86_400
    return Alert(
        name=f"StoreBackupDamaged-{store.name}",
        expression=f'max(keeper_backup_damaged{{store="{store.name}"}}) > 0',
        hold_seconds=10,
        severity="critical",
        summary=f"Pages of {store.name} were damaged in the database when its newest backup was taken.",
        action="Let `pgbackrest info --set LABEL` name the files, and move the primary to a member without it: "
        f"the last good backup is removed after {days} days.",
    )
