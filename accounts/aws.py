"""What is true at an AWS account, by boto3.

The account called `aws` is that of the default chain of credentials (`AWS_PROFILE` and the rest); any other name is
the name of a profile. Regions are asked one by one: only identity and the list of regions are the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import boto3  # type: ignore[import-untyped]  # boto3 comes without types
from botocore import exceptions  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]

from accounts.contract import (
    ANSWER_SECONDS_MAX,
    CONNECT_SECONDS_MAX,
    DEBIAN,
    Found,
    Identity,
    Image,
    Offer,
    Quota,
    UnansweredError,
    Zone,
)
from accounts.demand import Demand
from diversite.catalog import catalog

DEFAULT_ACCOUNT = "aws"
ATTEMPTS_MAX = 3
HOME_REGIONS = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}
"""By partition, a region that every account has from the start."""
DEBIAN_OWNER = "136693071363"
"""The account that publishes Debian's images."""
STANDARD_FAMILIES = frozenset({*"acdhimrtz", "im", "is"})
"""The families of instances that share one quota of virtual processors; each other has its own."""
QUOTAS = {
    "vcpus": ("ec2", "L-1216C47A", "vCPUs of standard on-demand instances"),
    "addresses": ("ec2", "L-0263D0A3", "elastic addresses"),
    "networks": ("vpc", "L-F678F1CE", "VPCs"),
    "transit_gateways": ("ec2", "L-A2478D36", "transit gateways"),
    "balancers": ("elasticloadbalancing", "L-69A177A2", "network load balancers"),
}
"""Service, code and name of each quota that a venue may run into."""
PUBLIC_PER_SITE = 2
"""Public addresses that stay: that of the gateway, and that by which the other hosts fetch what they need."""
RUNNING, GONE = ("pending", "running"), ("terminated",)
SPREAD = "spread"

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
UNKNOWN_KEYS = frozenset(
    {"AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"}
    | {"InvalidAccessKeyId", "IncompleteSignature", "MissingAuthenticationToken"}
)
DENIED = frozenset({"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"})
THROTTLED = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"})
NO_SUCH_IMAGE = frozenset({"InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable"})
NO_SUCH_QUOTA = "NoSuchResourceException"
SIGNED_OUT = (exceptions.CredentialRetrievalError, exceptions.SSOError, exceptions.TokenRetrievalError)
ABSENT = (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound)
UNREACHABLE = (exceptions.HTTPClientError, exceptions.ConnectionError)
_DENIED_ACTION = re.compile(r"perform:?\s+([a-z0-9-]+:\w+)")


class Account:
    """An AWS account."""

    def __init__(self, demand: Demand, expected: str | None) -> None:
        self._demand = demand
        self._profile = None if demand.account == DEFAULT_ACCOUNT else demand.account
        self._clients: dict[tuple[str, str], Any] = {}

    def identity(self) -> Identity:
        """By the token service, which answers whoever has credentials, whatever they may do."""
        told = self._client("sts", self._home).get_caller_identity()
        return Identity(account=told["Account"], says=f"{told['Arn']}, account {told['Account']}")

    def zones(self, region: str) -> Mapping[str, Zone]:
        """The availability zones by AZ ID; `UnansweredError` for a region that is not enabled."""
        if self._opt_in.get(region) == "not-opted-in":
            says = f"the region {region} is not enabled in this account"
            raise UnansweredError(says, f"aws account enable-region --region-name {region}{self._with_profile}")
        told = self._client("ec2", region).describe_availability_zones(AllAvailabilityZones=True)
        return {zone["ZoneId"]: _zone(zone) for zone in told["AvailabilityZones"]}

    def offers(self, region: str, zone: str, machines: Sequence[str]) -> Mapping[str, Offer]:
        """Those of the instance types that the zone offers."""
        filters = [{"Name": "location", "Values": [zone]}, {"Name": "instance-type", "Values": list(machines)}]
        asked = {"LocationType": "availability-zone-id", "Filters": filters}
        found = self._all("ec2", region, "describe_instance_type_offerings", "InstanceTypeOfferings[]", **asked)
        return {offer["InstanceType"]: Offer(machine=offer["InstanceType"]) for offer in found}

    def image(self, region: str, id_: str, architecture: str) -> Image | None:
        """The machine image of an id."""
        try:
            told = self._client("ec2", region).describe_images(ImageIds=[id_])["Images"]
        except exceptions.ClientError as error:
            if _code(error) in NO_SUCH_IMAGE:
                return None
            raise
        return next(map(_image, told), None)

    def newest(self, region: str, architecture: str) -> str | None:
        """Of the images that Debian publishes."""
        name = f"debian-{DEBIAN}-{'amd64' if architecture == 'x86_64' else architecture}-*"
        filters = [{"Name": "name", "Values": [name]}, {"Name": "state", "Values": ["available"]}]
        told = self._client("ec2", region).describe_images(Owners=[DEBIAN_OWNER], Filters=filters)["Images"]
        newest = max(told, key=lambda image: str(image["CreationDate"]), default=None)
        return newest and newest["ImageId"]

    def quotas(self, demand: Demand) -> Sequence[Quota]:
        """The limits of each region in which something is still to be made."""
        return [quota for region in demand.regions for quota in self._quotas(region, demand)]

    def hosts(self, venue: str, regions: Sequence[str]) -> Sequence[Found]:
        """The instances of the given regions that are not terminated."""
        return [host for region in regions for host in self._hosts(venue, region)]

    def elsewhere(self, region: str, what: str) -> str:
        """What the region has instead."""
        listings = {
            "zone": "describe-availability-zones --all-availability-zones",
            "machine": "describe-instance-type-offerings --location-type availability-zone-id",
            "image": f"describe-images --owners {DEBIAN_OWNER} self",
        }
        return f"aws ec2 {listings[what]} --region {region}{self._with_profile}"

    def refusal(self, error: Exception) -> UnansweredError:
        """By the error's kind and code."""
        if isinstance(error, exceptions.ClientError):
            return self._refused(error)
        if isinstance(error, ABSENT):
            return UnansweredError(f"no credentials: {error}", f"aws configure sso{self._with_profile}")
        if isinstance(error, SIGNED_OUT):
            return UnansweredError(f"the credentials have expired: {error}", self._login)
        if isinstance(error, UNREACHABLE):
            return UnansweredError(f"AWS cannot be reached: {error}", "mend the network or the proxy, and run it again")
        return UnansweredError(f"an unexpected answer, {type(error).__name__}: {error}", "run it again")

    def secrets(self) -> Sequence[str]:
        """The keys that were found, if any were; they are not fetched for this."""
        session = vars(self).get("_session")
        kept = getattr(getattr(session, "_session", None), "_credentials", None)
        return [value for value in vars(kept).values() if isinstance(value, str)] if kept else []

    @cached_property
    def _session(self) -> Any:
        return boto3.Session(profile_name=self._profile)

    @property
    def _home(self) -> str:
        return HOME_REGIONS.get(self._demand.place(self._demand.hosts[0]).partition or "aws", "us-east-1")

    @property
    def _with_profile(self) -> str:
        return f" --profile {self._profile}" if self._profile else ""

    @property
    def _login(self) -> str:
        return f"aws sso login{self._with_profile}"

    @cached_property
    def _opt_in(self) -> Mapping[str, str]:
        """By region, whether it is enabled, from the first region that tells: an organisation may deny the others."""
        regions = dict.fromkeys((self._home, *self._demand.regions))
        refused: Exception | None = None
        for region in regions:
            try:
                told = self._client("ec2", region).describe_regions(AllRegions=True)["Regions"]
                return {item["RegionName"]: item.get("OptInStatus", "") for item in told}
            except exceptions.ClientError as error:
                refused = refused or error
        raise refused or LookupError("no region")

    def _client(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            config = Config(
                connect_timeout=CONNECT_SECONDS_MAX,
                read_timeout=ANSWER_SECONDS_MAX,
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX},
            )
            self._clients[service, region] = self._session.client(service, region_name=region, config=config)
        return self._clients[service, region]

    def _all(self, service: str, region: str, operation: str, items: str, **asked: Any) -> Iterator[Any]:
        """Everything that an operation lists, over all of its pages."""
        pages = self._client(service, region).get_paginator(operation).paginate(**asked)
        return iter(pages.search(items))

    def _quotas(self, region: str, demand: Demand) -> Iterator[Quota]:
        vcpus = demand.vcpus(region)
        once = int(region not in demand.founded)
        needed = {
            "vcpus": sum(count for machine, count in vcpus.items() if _is_standard(machine)),
            "addresses": PUBLIC_PER_SITE * len(demand.at(region, "gateway")),
            "networks": once,
            "transit_gateways": once if demand.is_routed(region) else 0,
            "balancers": len(demand.at(region, "entry")),
        }
        yield from (self._quota(region, kind, count) for kind, count in needed.items() if count)
        for machine, count in vcpus.items():
            if not _is_standard(machine):
                mends = f"AWS console: Service Quotas, Amazon EC2, Running On-Demand instances, region {region}"
                yield Quota(name=f"vCPUs of {machine}", where=f"aws/{region}", needed=count, limit=None, mends=mends)

    def _quota(self, region: str, kind: str, needed: int) -> Quota:
        service, code, name = QUOTAS[kind]
        used, limit = self._used(kind, region), self._limit(region, service, code)
        wanted = f"--service-code {service} --quota-code {code} --desired-value {used + needed} --region {region}"
        mends = f"aws service-quotas request-service-quota-increase {wanted}{self._with_profile}"
        if limit is None:
            mends = f"AWS console: Service Quotas, {service}, {code}, region {region}"
        return Quota(name=name, where=f"aws/{region}", needed=needed, limit=limit, used=used, mends=mends)

    def _limit(self, region: str, service: str, code: str) -> int | None:
        """What applies to the account, else the default of AWS; None where neither is told."""
        client = self._client("service-quotas", region)
        for tells in (client.get_service_quota, client.get_aws_default_service_quota):
            try:
                return int(tells(ServiceCode=service, QuotaCode=code)["Quota"]["Value"])
            except exceptions.ClientError as error:
                if _code(error) != NO_SUCH_QUOTA:
                    raise
        return None

    def _used(self, kind: str, region: str) -> int:
        if kind == "vcpus":
            states = [{"Name": "instance-state-name", "Values": list(RUNNING)}]
            return sum(_vcpus(item) for item in self._instances(region, states) if _is_standard(item["InstanceType"]))
        if kind == "addresses":
            return len(self._client("ec2", region).describe_addresses()["Addresses"])
        service, operation, items = LISTED[kind]
        return sum(1 for _ in self._all(service, region, operation, items))

    def _instances(self, region: str, filters: list[dict[str, Any]]) -> Iterator[Any]:
        return self._all("ec2", region, "describe_instances", "Reservations[].Instances[]", Filters=filters)

    def _hosts(self, venue: str, region: str) -> Iterator[Found]:
        found = list(self._instances(region, [{"Name": "tag:venue", "Values": [venue]}]))
        there = [instance for instance in found if instance["State"]["Name"] not in GONE]
        zones = {zone.alias: zone.name for zone in self.zones(region).values()} if there else {}
        strategies = self._strategies(region, there)
        for instance in there:
            yield self._found(instance, region, zones, strategies)

    def _strategies(self, region: str, instances: Sequence[Any]) -> Mapping[str, str]:
        names = sorted({name for instance in instances if (name := instance["Placement"].get("GroupName"))})
        if not names:
            return {}
        told = self._client("ec2", region).describe_placement_groups(GroupNames=names)["PlacementGroups"]
        return {group["GroupName"]: group["Strategy"] for group in told}

    def _found(self, instance: Any, region: str, zones: Mapping[str, str], strategies: Mapping[str, str]) -> Found:
        placement, id_ = instance["Placement"], instance["InstanceId"]
        group, name = placement.get("GroupName", ""), placement["AvailabilityZone"]
        which = f"--instance-ids {id_} --region {region}{self._with_profile}"
        return Found(
            id=id_,
            tags={tag["Key"]: tag["Value"] for tag in instance.get("Tags", ())},
            region=region,
            zone=placement.get("AvailabilityZoneId") or zones.get(name, name),
            machine=instance["InstanceType"],
            addresses=_addresses(instance),
            state=instance["State"]["Name"],
            running=instance["State"]["Name"] == "running",
            group=group,
            spreads=strategies.get(group) == SPREAD,
            mends={
                "start": f"aws ec2 start-instances {which}",
                "delete": f"aws ec2 terminate-instances {which}",
            },
        )

    def _refused(self, error: Any) -> UnansweredError:
        code, message = _code(error), error.response.get("Error", {}).get("Message", "")
        if code in EXPIRED:
            return UnansweredError(f"the credentials have expired ({code})", self._login)
        if code in UNKNOWN_KEYS:  # the message may quote what was signed, the session's token among it
            says = f"AWS does not accept the credentials ({code})"
            return UnansweredError(says, f"aws sts get-caller-identity{self._with_profile}, after {self._login}")
        if code in DENIED:
            named = _DENIED_ACTION.search(message)
            action = named[1] if named else f"ec2:{error.operation_name}"
            return UnansweredError(f"denied: {action} ({code})", f"allow {action} to the role that runs diversite")
        if code in THROTTLED:
            return UnansweredError(
                f"still throttled after {ATTEMPTS_MAX} attempts ({code})", "run it again in a minute"
            )
        return UnansweredError(f"{error.operation_name}: {code}: {message}", "run it again")


LISTED = {
    "networks": ("ec2", "describe_vpcs", "Vpcs[]"),
    "transit_gateways": ("ec2", "describe_transit_gateways", "TransitGateways[?State!='deleted'][]"),
    "balancers": ("elbv2", "describe_load_balancers", "LoadBalancers[?Type=='network'][]"),
}
"""By kind of quota, what counts against it: service, operation, and the items in its pages."""


def _zone(told: Any) -> Zone:
    state, opt_in = told.get("State", "available"), told.get("OptInStatus", "opt-in-not-required")
    trouble = "" if state == "available" else f"it is {state}"
    if opt_in == "not-opted-in":
        trouble = "its zone group is not opted in"
    return Zone(name=told["ZoneId"], alias=told["ZoneName"], trouble=trouble)


def _image(told: Any) -> Image:
    state = told.get("State", "available")
    trouble = "" if state == "available" else f"it is {state}"
    return Image(id=told["ImageId"], architecture=told.get("Architecture", ""), trouble=trouble)


def _addresses(instance: Any) -> tuple[str, ...]:
    interfaces = [face.get("PrivateIpAddress") for face in instance.get("NetworkInterfaces", ())]
    found = (instance.get("PrivateIpAddress"), *interfaces)
    return tuple(dict.fromkeys(address for address in found if address))


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _is_standard(machine: str) -> bool:
    """By the letters before the generation: `c7g` is of family c, `inf2` and `mac2` are not of i and m."""
    family = re.match(r"[a-z]+", machine)
    return family is not None and family[0] in STANDARD_FAMILIES


def _vcpus(instance: Any) -> int:
    options = instance.get("CpuOptions") or {}
    if "CoreCount" in options:
        return int(options["CoreCount"]) * int(options.get("ThreadsPerCore", 1))
    known = catalog().machines.get(("aws", instance["InstanceType"]))
    return known.vcpus if known else 0
