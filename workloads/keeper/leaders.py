"""Who leads etcd. Where that is at the primary's site, the loss of one site takes both, so it is given over to another.

Only the leader itself gives over, and only to a member that answers. etcd carries that out without an election.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import requests

from workloads.keeper.settings import Settings

ANSWER_SECONDS_MAX = 2.0
Unreachable = (requests.RequestException, KeyError, ValueError)
"""What is raised where somebody does not answer, or not as they should."""

log = logging.getLogger("workloads.keeper")


def candidates(sites: Mapping[str, str], member: str, primary: str) -> tuple[str, ...]:
    """Who should lead in place of this member, the preferred first; none where it may go on."""
    if sites[member] != sites.get(primary):
        return ()
    return tuple(name for name, site in sites.items() if site != sites[primary])


class Leaders:
    """Looks after etcd's leader from one of its members."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session = requests.Session()
        self._session.cert = (settings.tls.certificate, settings.tls.key)
        self._session.verify = settings.tls.members

    def look(self) -> bool | None:
        """Whether this member leads etcd; what it should not lead it gives over. None where nobody answers."""
        settings = self._settings
        try:
            status = self._etcd(settings.member, "maintenance/status")
            if status["leader"] != status["header"]["member_id"]:
                return False
            for name in candidates(settings.sites, settings.member, self._primary()):
                if self._give_over(name):
                    return False
        except Unreachable:
            return None
        return True

    def _primary(self) -> str:
        """The member that is primary; empty while none is."""
        answer = self._session.get(f"https://{self._settings.patroni}/cluster", timeout=ANSWER_SECONDS_MAX)
        return next(iter(_leading(answer.json())), "")

    def _give_over(self, name: str) -> bool:
        try:
            wanted = self._etcd(name, "maintenance/status")["header"]["member_id"]
            self._etcd(self._settings.member, "maintenance/transfer-leadership", {"targetID": wanted})
        except Unreachable as error:
            log.warning("etcd's leadership could not be given over to %s: %s", name, error)
            return False
        log.info("etcd's leadership was given over to %s: the primary is at this site", name)
        return True

    def _etcd(self, name: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        url = f"https://{self._settings.etcd[name]}/v3/{path}"
        answer = self._session.post(url, json=body or {}, timeout=ANSWER_SECONDS_MAX)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def _leading(cluster: Mapping[str, Any]) -> Iterator[str]:
    return (str(it["name"]) for it in cluster["members"] if it["role"] == "leader")
