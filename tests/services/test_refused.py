"""Whoever has not the certificate for it is refused by each program that keeps state, each really running."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.services import venues

SECONDS_MAX = 150
STRANGER, QUEUE, STORE, ENGINE = "None", "queue-orders-fra", "store-ledger-fra", "passive-perp-fra"
NO_HANDSHAKE = "no handshake"


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What each client was told, by what it asked and the host whose certificate it has."""
    directory = tmp_path_factory.mktemp("members")
    options = ("--pid", "--fork", "--mount-proc", "--kill-child")
    command = [sys.executable, "-m", "tests.services.members", str(directory)]
    result = subprocess.run(
        venues.in_own_network(*options, *command),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
        cwd=venues.PROJECT,
    )
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


def test_etcd_speaks_with_its_store_and_its_engines_alone(said: Mapping[str, str]) -> None:
    """Without a certificate, or with that of a host with no business there, there is no connection."""
    assert [said[f"etcd {who}"] for who in (STRANGER, QUEUE, ENGINE)] == [NO_HANDSHAKE, NO_HANDSHAKE, "200"]


def test_patroni_tells_everybody_and_obeys_its_members_alone(said: Mapping[str, str]) -> None:
    """Checks need no certificate, a change needs a member's; an engine's is not even listened to."""
    assert said[f"patroni reads {STRANGER}"] == "200"
    changes = [said[f"patroni changes {who}"] for who in (STRANGER, QUEUE, ENGINE, STORE)]
    assert changes == ["403", NO_HANDSHAKE, NO_HANDSHAKE, "202"]


def test_the_queue_takes_an_engines_own_orders_alone(said: Mapping[str, str]) -> None:
    """Nobody else connects, and an engine may not publish another's."""
    assert said[f"queue {STRANGER}"].startswith("no connection")
    assert said[f"queue {STORE}"].startswith("no connection")
    assert said[f"queue {ENGINE}"] == "taken"
    assert "permissions violation" in said[f"queue others {ENGINE}"]


def test_the_database_lets_in_by_certificate_alone(said: Mapping[str, str]) -> None:
    """Not without TLS, not without a certificate, not with another host's."""
    assert "no encryption" in said["database unencrypted"]
    assert "requires a valid client certificate" in said[f"database engine {STRANGER}"]
    assert "certificate authentication failed" in said[f"database engine {STORE}"]
    assert said[f"database engine {ENGINE}"] == "taken"


def test_no_certificate_gives_another_role(said: Mapping[str, str]) -> None:
    """An engine is no replica, a member is no superuser: that one is on the host itself alone."""
    assert "no pg_hba.conf entry" in said["database replicator by engine"]
    assert "certificate authentication failed" in said["database rewinder by engine"]
    assert said["database rewinder by member"] == "taken"
    assert "no pg_hba.conf entry" in said["database postgres by member"]


def test_an_engine_changes_nothing_that_was_confirmed(said: Mapping[str, str]) -> None:
    """It adds to the journal and to the outcomes, and can neither change, remove nor make tables."""
    assert said["INSERT INTO engine"] == "taken"
    for refused in ("UPDATE journal SET height = 0", "DELETE FROM outcomes", "CREATE TABLE"):
        assert "permission denied" in said[refused]
