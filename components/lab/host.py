"""A host in the lab: a network namespace with its disk, its firewall, and its services."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import pulumi

from components.component import Component
from components.contract import MachineArgs, PublicKeys, tags
from components.lab.foundation import Foundation
from components.lab.resources import (
    Certificate,
    CertificateArgs,
    Host,
    HostArgs,
    Keys,
    KeysArgs,
    NetworkAttachment,
    ServiceArgs,
    ServiceReady,
    Wire,
    WireArgs,
    WireEnd,
)
from components.lab.resources import Service as LabService
from diversite.plan import Access
from diversite.plan import Host as PlannedHost
from services import Paths, PathsOf, Service, firewall, membership, sysctl

T = TypeVar("T")

ROOT = "/run/lab/hosts"
"""Where a lab's hosts keep things, seen from inside its namespaces."""
LAN = "lan0"
"""The interface of a host in its site's network."""
DATA_MEBIBYTES = 512
"""A rehearsal's disk: large enough for hours of blocks, small enough for forty hosts on a laptop."""

SHARED_CORES = {"GOMAXPROCS": "1", "GOGC": "400"}
"""Dozens of services share this machine's cores: a Go program that spins on all of them and collects often slows its
neighbours, which in a cloud stand on machines of their own."""


def paths(host: PlannedHost) -> PathsOf:
    """Where the services of a host keep things, as seen from inside the lab."""
    return lambda service: Paths(etc=f"{ROOT}/{host.name}/etc/{service}", data=f"{ROOT}/{host.name}/data/{service}")


class Machine(Component):
    """A host of the lab."""

    def __init__(self, name: str, args: MachineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        site = args.plan.sites[args.host.site]
        self._name = name
        self._plan_host = args.host
        self._held = ["command", "files", "environment"] if args.held else []
        self._tags = tags(args.plan, args.host)
        self._world = cast(Foundation, args.foundation).world
        router = cast("Machine | None", args.gateway)
        self.host: Host = Host(
            name,
            HostArgs(
                world=self._world.id,
                name=name,
                site=args.host.site,
                kind="host" if router else "router",
                networks=[
                    NetworkAttachment(
                        name=site.key, interface=LAN, address=f"{args.host.address}/{site.network.prefixlen}"
                    )
                ],
                gateway=str(site.gateway_address) if router else None,
                data_mebibytes=DATA_MEBIBYTES if args.host.data_gib and router else 0,  # a wire has no keys
                firewall=firewall.ruleset(args.plan, args.host),
                sysctls=sysctl.settings(args.plan, args.host),
                tags=self._tags,
            ),
            self.child([router.host] if router else None),
        )
        if access := args.plan.accesses.get(name):
            self._open_to_clients(access, cast(Foundation, args.foundation))
        self.ready: Sequence[pulumi.Resource] = [self._service(service, service.name, ()) for service in args.services]
        self.register_outputs({"address": str(args.host.address)})

    def _open_to_clients(self, access: Access, foundation: Foundation) -> None:
        name = f"{self._name}-access"
        Wire(
            name,
            WireArgs(
                world=self._world.id,
                name=name,
                a=WireEnd(
                    host=foundation.internet.id, interface=access.client_interface, address=str(access.client_address)
                ),
                b=WireEnd(host=self.host.id, interface=access.interface, address=str(access.address)),
                delay_microseconds=0,
                jitter_microseconds=0,
                loss_per_million=0,
                carrier="internet",
                tags=self._tags,
            ),
            self.child(),
        )

    def keys(self, service: str) -> pulumi.Output[PublicKeys]:
        """The public half of the host's consensus keys; the private half never leaves its disk."""
        made = Keys(
            f"{self._name}-keys",
            KeysArgs(
                world=self._world.id, host=self.host.id, path=paths(self._plan_host)(service).data, kind="cometbft"
            ),
            self.child(),
        )
        return pulumi.Output.all(
            made.validator_public_key, made.validator_address, made.node_id, made.created_at
        ).apply(
            lambda known: PublicKeys(
                validator_public_key=known[0], validator_address=known[1], node_id=known[2], created_at=known[3]
            )
        )

    def certificate(self) -> pulumi.Output[str]:
        """The certificate of the host's own key; the key never leaves its disk."""
        where, address = paths(self._plan_host)(membership.NAME).data, str(self._plan_host.address)
        args = CertificateArgs(world=self._world.id, host=self.host.id, path=where, address=address)
        return Certificate(f"{self._name}-certificate", args, self.child()).certificate

    def start(self, service: pulumi.Output[Service], name: str, after: Sequence[pulumi.Resource]) -> None:
        """Run a service that could be rendered only now."""
        self._service(service, name, after)

    def _service(
        self, rendered: Service | pulumi.Output[Service], name: str, after: Sequence[pulumi.Resource]
    ) -> LabService:
        def of(part: Callable[[Service], T]) -> pulumi.Input[T]:
            return rendered.apply(part) if isinstance(rendered, pulumi.Output) else part(rendered)

        return LabService(
            f"{self._name}-{name}",
            ServiceArgs(
                world=self._world.id,
                host=self.host.id,
                name=name,
                command=of(_command),
                files=of(lambda known: dict(known.files)),
                environment=of(lambda known: {**SHARED_CORES, **known.environment}),
                ready=of(_ready),
                restart=of(lambda known: known.restart),
                tags=self._tags,
            ),
            pulumi.ResourceOptions.merge(
                self.child([self.host, *after]), pulumi.ResourceOptions(ignore_changes=self._held)
            ),
        )


def _command(service: Service) -> list[str]:
    """What refuses to run as root becomes another user, in a namespace in which that user stands for the lab's root."""
    user = ("unshare", "--user", f"--map-user={service.user}", f"--map-group={service.user}", "--")
    return [*(user if service.user else ()), *service.command]


def _ready(service: Service) -> ServiceReady:
    ready = service.ready
    return ServiceReady(
        kind=ready.kind, address=ready.address or None, path=ready.path or None, seconds_max=ready.seconds_max
    )
