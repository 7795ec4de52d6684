"""What is true at a Google Cloud project, by google-cloud-compute and the application default credentials.

The project is the one that the stack's settings expect; where they say none, that of the credentials. Instances,
addresses and quotas are asked of the Compute Engine API alone, so that its read-only scope is enough.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # that a coming release will need a newer Python
    import google.auth
    from google.api_core import exceptions
    from google.api_core.retry import Retry
    from google.auth import exceptions as auth_exceptions
    from google.auth.transport.requests import Request
    from google.cloud import compute_v1 as compute

from accounts.contract import (
    ANSWER_SECONDS_MAX,
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

SCOPE = "https://www.googleapis.com/auth/compute.readonly"
ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"
"""Google's own variable for another address of the API."""
LOGIN = "gcloud auth application-default login"
DEBIAN_PROJECT = "debian-cloud"
ARCHITECTURES = {"X86_64": "x86_64", "ARM64": "arm64"}
GENERAL_FAMILIES = ("e2", "n1", "f1", "g1")
"""Families whose virtual processors the quota CPUS counts; others have a quota of their own."""
PER_FAMILY = "CPUS-PER-VM-FAMILY-per-project-region"
"""The quota of the newer families, which only the Cloud Quotas API tells."""
RUNNING, ENDED = "RUNNING", ("OBSOLETE", "DELETED")
_IMAGE = re.compile(r"^projects/([^/]+)/global/images/(family/)?([^/]+)$")


class Account:
    """A Google Cloud project."""

    def __init__(self, demand: Demand, expected: str | None) -> None:
        self._expected = expected
        self._clients: dict[type[Any], Any] = {}
        self._regions: dict[str, Any] = {}

    def identity(self) -> Identity:
        """The project, which answers only where the credentials reach it and its API is enabled."""
        self._credentials.refresh(partial(Request(), timeout=ANSWER_SECONDS_MAX))
        whose = getattr(self._credentials, "service_account_email", None) or "your own login"
        return Identity(account=self._told.name, says=f"{whose} reaches the project {self._told.name}")

    def zones(self, region: str) -> Mapping[str, Zone]:
        """The zones of a region."""
        told = self._region(region)
        if told.status != "UP":
            raise UnansweredError(
                f"the region {region} is {told.status or 'of no known state'}", "choose another region"
            )
        return {zone.name: _zone(zone) for zone in self._zones if zone.region.rpartition("/")[2] == region}

    def offers(self, region: str, zone: str, machines: Sequence[str]) -> Mapping[str, Offer]:
        """Those of the machine types that the zone offers."""
        get = self._client(compute.MachineTypesClient).get
        found = {name: self._maybe(get, project=self._project, zone=zone, machine_type=name) for name in machines}
        return {name: _offer(told) for name, told in found.items() if told}

    def image(self, region: str, id_: str, architecture: str) -> Image | None:
        """The image of a path such as `projects/debian-cloud/global/images/<name>`."""
        named = _IMAGE.match(id_)
        if named is None:
            return None
        project, family, name = named.groups()
        client = self._client(compute.ImagesClient)
        if family:
            found = self._maybe(client.get_from_family, project=project, family=name)
        else:
            found = self._maybe(client.get, project=project, image=name)
        return _image(id_, found) if found else None

    def newest(self, region: str, architecture: str) -> str | None:
        """Of Debian's family of images."""
        family = f"debian-{DEBIAN}{'-arm64' if architecture == 'arm64' else ''}"
        found = self._maybe(self._client(compute.ImagesClient).get_from_family, project=DEBIAN_PROJECT, family=family)
        return f"projects/{DEBIAN_PROJECT}/global/images/{found.name}" if found else None

    def quotas(self, demand: Demand) -> Sequence[Quota]:
        """The limits of each region in which something is still to be made, and those of the project."""
        regional = [quota for region in demand.regions for quota in self._regional(region, demand)]
        return [*regional, *self._global(demand)] if demand.hosts else []

    def hosts(self, venue: str, regions: Sequence[str]) -> Sequence[Found]:
        """The instances of the whole project."""
        asked = {"project": self._project, "filter": f'labels.venue = "{venue}"'}
        listed = self._client(compute.InstancesClient).aggregated_list(request=asked, **self._patience)
        instances = [instance for _, scoped in listed for instance in scoped.instances]
        spreading = self._spreading if any(item.resource_policies for item in instances) else frozenset()
        return [_found(instance, spreading, self._project) for instance in instances]

    def elsewhere(self, region: str, what: str) -> str:
        """What there is instead."""
        return {
            "zone": f"gcloud compute zones list --filter='region:{region}' --project {self._project}",
            "machine": f"gcloud compute machine-types list --filter='zone:{region}' --project {self._project}",
            "image": f"gcloud compute images list --project {DEBIAN_PROJECT} --no-standard-images",
        }[what]

    def refusal(self, error: Exception) -> UnansweredError:
        """By the kind of the error."""
        if isinstance(error, auth_exceptions.DefaultCredentialsError):
            return UnansweredError(f"no credentials: {error}", LOGIN)
        if isinstance(error, auth_exceptions.RefreshError):
            return UnansweredError(f"the credentials have expired or were withdrawn: {error}", LOGIN)
        if isinstance(error, auth_exceptions.TransportError | exceptions.RetryError | exceptions.ServiceUnavailable):
            return self._unreachable(error)
        if isinstance(error, exceptions.GoogleAPICallError):
            return self._refused(error)
        if isinstance(error, OSError):  # of requests, on whose sessions the client stands
            return self._unreachable(error)
        return UnansweredError(f"an unexpected answer, {type(error).__name__}: {error}", "run it again")

    def secrets(self) -> Sequence[str]:
        """The token, if there is one; it is not fetched for this."""
        kept = vars(self).get("_found_credentials")
        token = getattr(kept[0], "token", None) if kept else None
        return [token] if isinstance(token, str) else []

    @cached_property
    def _found_credentials(self) -> tuple[Any, str | None]:
        return google.auth.default(scopes=[SCOPE])

    @property
    def _credentials(self) -> Any:
        return self._found_credentials[0]

    @property
    def _project(self) -> str:
        project = self._expected or self._found_credentials[1]
        if not project:
            raise UnansweredError("no project is named", "name it in the stack's settings under diversite:accounts")
        return project

    @cached_property
    def _told(self) -> Any:
        return self._client(compute.ProjectsClient).get(request={"project": self._project}, **self._patience)

    @cached_property
    def _zones(self) -> Sequence[Any]:
        return list(self._client(compute.ZonesClient).list(request={"project": self._project}, **self._patience))

    @property
    def _patience(self) -> Mapping[str, Any]:
        """How long an answer is waited for, and that what may pass is asked again."""
        return {"timeout": ANSWER_SECONDS_MAX, "retry": Retry(timeout=ANSWER_SECONDS_MAX)}

    @cached_property
    def _spreading(self) -> frozenset[str]:
        """The addresses of the policies that spread their instances."""
        asked = {"project": self._project}
        listed = self._client(compute.ResourcePoliciesClient).aggregated_list(request=asked, **self._patience)
        policies = (policy for _, scoped in listed for policy in scoped.resource_policies)
        return frozenset(_path(policy.self_link) for policy in policies if _spreads(policy.group_placement_policy))

    def _client(self, kind: type[Any]) -> Any:
        if kind not in self._clients:
            endpoint = os.environ.get(ENDPOINT, "").partition("/compute/")[0].rstrip("/")
            options = {"api_endpoint": endpoint} if endpoint else None
            self._clients[kind] = kind(credentials=self._credentials, client_options=options)
        return self._clients[kind]

    def _maybe(self, get: Callable[..., Any], **request: str) -> Any:
        try:
            return get(request=request, **self._patience)
        except exceptions.NotFound:
            return None

    def _region(self, name: str) -> Any:
        if name not in self._regions:
            request = {"project": self._project, "region": name}
            self._regions[name] = self._client(compute.RegionsClient).get(request=request, **self._patience)
        return self._regions[name]

    def _regional(self, region: str, demand: Demand) -> Iterator[Quota]:
        told, where = {quota.metric: quota for quota in self._region(region).quotas}, f"gcp/{region}"
        vcpus: dict[str, int] = {}
        for machine, count in demand.vcpus(region).items():
            family = machine.partition("-")[0]
            metric = "CPUS" if family in GENERAL_FAMILIES else f"{family.upper()}_CPUS"
            vcpus[metric] = vcpus.get(metric, 0) + count
        entries = len(demand.at(region, "entry"))
        public = len(demand.at(region, "gateway")) + entries + int(region not in demand.founded)  # address translation
        needed = {**vcpus, "INSTANCES": len(demand.at(region)), "IN_USE_ADDRESSES": public, "STATIC_ADDRESSES": public}
        needed["EXTERNAL_NETWORK_LB_FORWARDING_RULES"] = entries
        yield from (self._quota(metric, where, count, told.get(metric)) for metric, count in needed.items() if count)

    def _global(self, demand: Demand) -> Iterator[Quota]:
        told = {quota.metric: quota for quota in self._told.quotas}
        vcpus = sum(sum(demand.vcpus(region).values()) for region in demand.regions)
        needed = {
            "CPUS_ALL_REGIONS": vcpus,
            "NETWORKS": int(not demand.founded),
            "SUBNETWORKS": sum(host.role == "gateway" for host in demand.hosts),
            "ROUTERS": sum(region not in demand.founded for region in demand.regions),
        }
        yield from (self._quota(metric, "gcp", count, told.get(metric)) for metric, count in needed.items() if count)

    def _quota(self, metric: str, where: str, needed: int, told: Any) -> Quota:
        if told is None:
            return Quota(name=metric, where=where, needed=needed, limit=None, mends=self._tells(metric))
        shown = "https://console.cloud.google.com/iam-admin/quotas"
        mends = f"{shown}?project={self._project}: raise {metric} of {where} to {int(told.usage) + needed}"
        return Quota(name=metric, where=where, needed=needed, limit=int(told.limit), used=int(told.usage), mends=mends)

    def _tells(self, metric: str) -> str:
        """What tells the limit that the Compute Engine API does not."""
        if metric.endswith("_CPUS"):
            described = f"gcloud beta quotas info describe {PER_FAMILY}"
            return f"{described} --service compute.googleapis.com --project {self._project}"
        return f"https://console.cloud.google.com/iam-admin/quotas?project={self._project}: {metric}"

    def _unreachable(self, error: Exception) -> UnansweredError:
        says = f"Google cannot be reached, or is too busy: {type(error).__name__}"
        return UnansweredError(says, "mend the network or the proxy, and run it again")

    def _refused(self, error: exceptions.GoogleAPICallError) -> UnansweredError:
        says = error.message or ""
        if isinstance(error, exceptions.Unauthorized):
            return UnansweredError("Google does not accept the credentials", LOGIN)
        if isinstance(error, exceptions.TooManyRequests) or "rate limit" in says.lower():
            return UnansweredError("still throttled after all retries", "run it again in a minute")
        if isinstance(error, exceptions.Forbidden) and "has not been used" in says:
            enable = f"gcloud services enable compute.googleapis.com --project {self._project}"
            return UnansweredError(f"the Compute Engine API is not enabled in {self._project}", enable)
        if isinstance(error, exceptions.Forbidden):
            return UnansweredError(f"denied: {says}", self._grants)
        if isinstance(error, exceptions.NotFound):
            return UnansweredError(f"there is no such thing, or you may not see it: {says}", self._grants)
        return UnansweredError(f"{type(error).__name__}: {says}", "run it again")

    @property
    def _grants(self) -> str:
        member = "--member user:YOU --role roles/compute.viewer"
        return f"gcloud projects add-iam-policy-binding {self._project} {member}"


def _zone(told: Any) -> Zone:
    trouble = "" if told.status == "UP" else f"it is {told.status}"
    return Zone(name=told.name, trouble=trouble)


def _offer(told: Any) -> Offer:
    return Offer(machine=told.name, trouble=_ending(told.deprecated))


def _image(id_: str, told: Any) -> Image:
    trouble = _ending(told.deprecated) if told.status == "READY" else f"it is {told.status}"
    return Image(id=id_, architecture=ARCHITECTURES.get(told.architecture, told.architecture), trouble=trouble)


def _ending(deprecated: Any) -> str:
    """Google calls every image but the newest deprecated; they can be used until they are obsolete."""
    return f"it is {deprecated.state.lower()}" if deprecated.state in ENDED else ""


def _found(instance: Any, spreading: frozenset[str], project: str) -> Found:
    zone = instance.zone.rpartition("/")[2]
    policies = [_path(policy) for policy in instance.resource_policies]
    which = f"{instance.name} --zone {zone} --project {project}"
    return Found(
        id=f"{zone}/{instance.name}",
        tags=dict(instance.labels),
        region=zone.rpartition("-")[0],
        zone=zone,
        machine=instance.machine_type.rpartition("/")[2],
        addresses=tuple(interface.network_i_p for interface in instance.network_interfaces),
        state=instance.status,
        running=instance.status == RUNNING,
        group=policies[0].rpartition("/")[2] if policies else "",
        spreads=any(policy in spreading for policy in policies),
        mends={
            "start": f"gcloud compute instances start {which}",
            "delete": f"gcloud compute instances delete {which}",
        },
    )


def _path(address: str) -> str:
    """`projects/…` of a resource's address, which comes with and without its host."""
    return address[address.find("projects/") :]


def _spreads(group: Any) -> bool:
    return bool(group) and group.availability_domain_count > 1
