"""What can be broken in a running lab, and how: one small class a fault, each on failure domains of the topology.

    fault        what a fault is, and what it may strike: hosts, whole sites, links
    processes    kill, pause, all-at-once, outage
    sites        cut-off, long-cut-off, power-off, part, ring, peak
    disks        power-cut, disk-full, disk-slow, old-disk
    clocks       clock-step, clock-back, clock-drift
    releases     bad-release
    removal      remove
    links        cut, one-way, flap
    carriage     slow, loss, duplicate, reorder, corrupt
    known        every fault by its word, and `parse`
    sets         which are drilled where nobody names any

When to add a class: something else fails in another way; what merely fails elsewhere is another domain. It goes into
the file of its subject and the list in `known`.
"""

from __future__ import annotations

from drills.evidence import Evidence
from drills.faults.fault import Fault
from drills.faults.known import FAULTS, HOST_FAULTS, LINK_FAULTS, parse
from drills.faults.sets import standard_set

__all__ = ["FAULTS", "HOST_FAULTS", "LINK_FAULTS", "Evidence", "Fault", "parse", "standard_set"]
