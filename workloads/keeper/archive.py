"""How long the log of a primary has waited to be archived."""

from __future__ import annotations

import contextlib

import psycopg

WAITING = (
    "SELECT extract(epoch FROM now() - min(modification)) FROM pg_ls_archive_statusdir() "
    "WHERE name LIKE '%.ready' AND NOT pg_is_in_recovery()"
)
CONNECT_SECONDS_MAX = 2


def waiting_seconds(directory: str) -> float | None:
    """For how long the oldest finished part of the log has waited: 0 with none; None where no database answers.

    A standby archives nothing, so nothing waits there. `directory` is that of the database's socket.
    """
    with contextlib.suppress(psycopg.Error):
        options = "-c statement_timeout=2000"
        with psycopg.connect(
            host=directory, user="postgres", dbname="postgres", connect_timeout=CONNECT_SECONDS_MAX, options=options
        ) as connection:
            row = connection.execute(WAITING).fetchone()
            return float(row[0]) if row and row[0] is not None else 0.0
    return None
