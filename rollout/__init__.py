"""Takes a change through a running venue site by site, and waits for each site to sign again.

`diversite.rollout` decides the order and which step must not be taken; `course` walks it; `monitors` asks the venue's
own Prometheus who signs; the hands that carry a step out are the Pulumi CLI (`engine`) or the offline runner
(`rehearsed`). Both are driven by the same setting, `diversite:rolling`, which lifts the hold on one site's hosts.
"""

from __future__ import annotations
