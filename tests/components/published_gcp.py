"""What Google publishes of its own interfaces: the discovery documents that come with google-api-python-client.

`faults` holds a declared resource against them: every property is one that the interface has, of its type, one of its
enumerated values, of its pattern. The provider renames some properties; each such name stands here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import googleapiclient  # type: ignore[import-untyped]  # it has no stubs

from offline import UNKNOWN, Resource, Secret

DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
COMPUTE, IAM, MONITORING, CONNECTIVITY = "compute.v1", "iam.v1", "monitoring.v3", "networkconnectivity.v1"

SCHEMAS = {
    "gcp:compute/address:Address": (COMPUTE, "Address"),
    "gcp:compute/disk:Disk": (COMPUTE, "Disk"),
    "gcp:compute/externalVpnGateway:ExternalVpnGateway": (COMPUTE, "ExternalVpnGateway"),
    "gcp:compute/firewall:Firewall": (COMPUTE, "Firewall"),
    "gcp:compute/forwardingRule:ForwardingRule": (COMPUTE, "ForwardingRule"),
    "gcp:compute/haVpnGateway:HaVpnGateway": (COMPUTE, "VpnGateway"),
    "gcp:compute/instance:Instance": (COMPUTE, "Instance"),
    "gcp:compute/instanceGroup:InstanceGroup": (COMPUTE, "InstanceGroup"),
    "gcp:compute/instanceGroupMembership:InstanceGroupMembership": (COMPUTE, "InstanceReference"),
    "gcp:compute/interconnectAttachment:InterconnectAttachment": (COMPUTE, "InterconnectAttachment"),
    "gcp:compute/network:Network": (COMPUTE, "Network"),
    "gcp:compute/networkPeering:NetworkPeering": (COMPUTE, "NetworkPeering"),
    "gcp:compute/regionBackendService:RegionBackendService": (COMPUTE, "BackendService"),
    "gcp:compute/regionHealthCheck:RegionHealthCheck": (COMPUTE, "HealthCheck"),
    "gcp:compute/resourcePolicy:ResourcePolicy": (COMPUTE, "ResourcePolicy"),
    "gcp:compute/route:Route": (COMPUTE, "Route"),
    "gcp:compute/router:Router": (COMPUTE, "Router"),
    "gcp:compute/routerInterface:RouterInterface": (COMPUTE, "RouterInterface"),
    "gcp:compute/routerNat:RouterNat": (COMPUTE, "RouterNat"),
    "gcp:compute/routerPeer:RouterPeer": (COMPUTE, "RouterBgpPeer"),
    "gcp:compute/subnetwork:Subnetwork": (COMPUTE, "Subnetwork"),
    "gcp:compute/vPNTunnel:VPNTunnel": (COMPUTE, "VpnTunnel"),
    "gcp:monitoring/alertPolicy:AlertPolicy": (MONITORING, "AlertPolicy"),
    "gcp:monitoring/notificationChannel:NotificationChannel": (MONITORING, "NotificationChannel"),
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": (MONITORING, "UptimeCheckConfig"),
    "gcp:networkconnectivity/transport:Transport": (CONNECTIVITY, "Transport"),
    "gcp:serviceaccount/account:Account": (IAM, "ServiceAccount"),
}
"""The document and the schema of each type that the sibling declares."""
RENAMED = {
    "AttachedDiskInitializeParams": {"image": "sourceImage", "size": "diskSizeGb", "type": "diskType"},
    "AccessConfig": {"natIp": "natIP"},
    "Disk": {"size": "sizeGb"},
    "Firewall": {"allows": "allowed"},
    "ForwardingRule": {"ipAddress": "IPAddress", "ipProtocol": "IPProtocol"},
    "Instance": {"attachedDisks": "disks", "bootDisk": "disks", "serviceAccount": "serviceAccounts"},
    "NetworkInterface": {"networkIp": "networkIP"},
    "NetworkPeering": {"peerNetwork": "network"},
    "RouterInterface": {"vpnTunnel": "linkedVpnTunnel"},
    "RouterBgpPeer": {"interface": "interfaceName"},
}
"""By schema, the provider's name of a property and Google's."""
OF_THE_PROVIDER = {
    "Disk": {"zone"},
    "Firewall.allowed": {"protocol"},
    "Instance": {"allowStoppingForUpdate", "tags", "metadata"},
    "InstanceGroup": {"zone"},
    "InstanceReference": {"instanceGroup", "zone"},
    "Network": {"deleteDefaultRoutesOnCreate", "routingMode"},
    "BackendService": {"connectionDrainingTimeoutSec"},
    "RouterBgpPeer": {"router", "region"},
    "RouterInterface": {"router", "region"},
    "RouterNat": {"router", "region"},
    "ServiceAccount": {"accountId"},
    "Transport": {"region"},
}
"""Names that are the provider's alone, or whose shape is: tests look at those by themselves."""

DIGITS = frozenset({"int64", "uint64", "int32", "uint32"})
"""Whole numbers; the larger are strings in JSON, and the provider has each as it likes."""

Schema = Mapping[str, Any]


@cache
def schemas(document: str) -> Mapping[str, Schema]:
    """Every schema of a document, by its name."""
    found: dict[str, Schema] = json.loads((DOCUMENTS / f"{document}.json").read_text(encoding="utf-8"))["schemas"]
    return found


def faults(resource: Resource) -> list[str]:
    """What of a declared resource Google's interface does not have, or refuses."""
    document, name = SCHEMAS[resource.type]
    return [f"{resource.name}: {it}" for it in _of_object(document, name, schemas(document)[name], resource.inputs, "")]


def _of_object(document: str, name: str, schema: Schema, given: Mapping[str, Any], path: str) -> Iterator[str]:
    known, own = schema.get("properties", {}), OF_THE_PROVIDER.get(name, set())
    for key, value in given.items():
        if key in own:
            continue
        google = RENAMED.get(name, {}).get(key, key)
        if google not in known:
            yield f"{path}{key} is no property of {name}"
        else:
            yield from _of_value(document, f"{name}.{google}", known[google], value, f"{path}{key}")


def _of_value(document: str, name: str, schema: Schema, value: Any, path: str) -> Iterator[str]:
    value = value.value if isinstance(value, Secret) else value
    if value is UNKNOWN or value is None:
        return
    if "$ref" in schema:
        yield from _of_object(document, schema["$ref"], schemas(document)[schema["$ref"]], value, f"{path}.")
    elif schema.get("type") == "array":
        for item in value if isinstance(value, list) else [value]:
            yield from _of_value(document, name, schema["items"], item, path)
    elif schema.get("type") == "object" and "properties" in schema:
        yield from _of_object(document, name, schema, value, f"{path}.")
    elif schema.get("type") == "object":
        for key, item in value.items():
            yield from _of_value(document, name, schema["additionalProperties"], item, f"{path}.{key}")
    else:
        yield from _of_scalar(schema, value, path)


def _of_scalar(schema: Schema, value: Any, path: str) -> Iterator[str]:
    kinds = {"string": str, "integer": int, "number": int | float, "boolean": bool}
    digits = schema.get("format") in DIGITS and str(value).isdecimal()
    if schema.get("format") in DIGITS and not digits:
        yield f"{path} is {value!r}, no string of digits"
    elif not digits and not isinstance(value, kinds[schema["type"]]):
        yield f"{path} is {value!r}, no {schema['type']}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path} is {value!r}, not of {', '.join(schema['enum'])}"
    if "pattern" in schema and isinstance(value, str) and not re.fullmatch(schema["pattern"], value):
        yield f"{path} is {value!r}, not like {schema['pattern']}"
