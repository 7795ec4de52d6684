"""The lab's provider, for whoever runs Python already; `pulumi-resource-lab` is for the engine."""

from __future__ import annotations

from lab.provider import main

main()
