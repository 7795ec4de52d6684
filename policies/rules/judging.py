"""What the judge finds, as blockers with the resources that they concern."""

from __future__ import annotations

from collections.abc import Iterator

from diversite.judge import Failure, Finding
from policies.rule import Blocker
from policies.venue import Venue


def judged(venue: Venue, *ids: str) -> Iterator[Blocker]:
    """The unmet findings whose id is one of these, or starts with one and a bracket or a dot."""
    for finding in venue.verdict.blockers if venue.verdict else ():
        if finding.id in ids or finding.id.startswith(tuple(f"{id_}{mark}" for id_ in ids for mark in "[.")):
            yield Blocker(cause=_told(finding), urns=_urns(venue, finding))


def _told(finding: Finding) -> str:
    more = finding.failure_count - len(finding.failures)
    return f"{finding.wish}, but {'; '.join(map(_failure, finding.failures))}" + (f"; and {more} more" if more else "")


def _failure(failure: Failure) -> str:
    lost = ", ".join(map(str, failure.lost))
    down = f" while {', '.join(failure.down)} is down" if failure.down else ""
    unknown = f" (not known: {'; '.join(failure.unknown[:2])})" if failure.unknown else ""
    return f"{lost}{down}: {failure.says}{unknown}" if lost else f"{failure.says}{unknown}"


def _urns(venue: Venue, finding: Finding) -> tuple[str, ...]:
    """Hosts and links of the domains whose loss breaks it."""
    lost = {domain for failure in finding.failures for domain in failure.lost}
    members = {name for domain in lost for name in (venue.membership.members(domain) if venue.membership else ())}
    urns = {host.name: host.urn for host in venue.hosts()} | {
        link.name: link.urn for link in venue.facts.links.values()
    }
    return tuple(urn for name, urn in urns.items() if name in members)
