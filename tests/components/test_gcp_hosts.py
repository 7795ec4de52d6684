"""A host at Google: its labels, its disk, its boot, who may come in, and how it is made anew."""

from __future__ import annotations

import re

from components.contract import labels
from offline import UNKNOWN
from policies.rules.tagging import TAGGABLE
from services.boot import startup_script
from tests.components.recorded_gcp import (
    CONTACTS,
    DISK,
    declared,
    hosts,
    joined,
    planned,
    venue,
)


def test_hosts_are_labelled_by_the_contract() -> None:
    """A machine and its disks carry the contract's labels, in characters that Google takes."""
    for it in (*hosts(venue()), *venue().of_type(DISK)):
        wanted = labels(planned(), planned().hosts[it.inputs["labels"]["node"]])
        assert it.inputs["labels"] == wanted
        assert all(re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key) for key in wanted)
        assert all(re.fullmatch(r"[a-z0-9_-]{0,63}", value) for value in wanted.values())


def test_what_takes_labels_says_whose_it_is() -> None:
    """Every resource that takes labels carries the venue's, those of e-mail addresses in labels of their own."""
    for recording, name in ((venue(), "google"), (joined(), "joined")):
        for it in recording:
            if it.type in TAGGABLE or "userLabels" in it.inputs:
                assert it.inputs.get("userLabels", it.inputs.get("labels", {}))["venue"] == name, it.urn


def test_only_gateways_are_public() -> None:
    """A gateway has its site's address and forwards; nobody else has a public address or does."""
    for it in hosts(venue()):
        is_gateway = it.inputs["labels"]["role"] == "gateway"
        assert [bool(nic["accessConfigs"]) for nic in it.inputs["networkInterfaces"]] == [is_gateway]
        assert it.inputs["canIpForward"] is is_gateway


def test_operators_come_by_their_own_accounts() -> None:
    """No host takes a key of the project, and none answers on its serial console."""
    for it in hosts(venue()):
        told = it.inputs["metadata"]
        if told is UNKNOWN:
            assert it.inputs["labels"]["role"] == "gateway"
            continue
        assert (told["enable-oslogin"], told["block-project-ssh-keys"]) == ("TRUE", "TRUE")
        assert told["serial-port-enable"] == "FALSE"


def test_boot_scripts_are_known_at_preview() -> None:
    """Only a gateway's script waits for something: the addresses that its tunnels lead to."""
    unknown = {
        it.inputs["labels"]["role"]
        for it in hosts(venue())
        if it.inputs["metadata"] is UNKNOWN or it.inputs["metadata"]["user-data"] is UNKNOWN
    }
    assert unknown == {"gateway"}


def test_cloud_init_is_brought_where_an_image_lacks_it() -> None:
    """Google's Debian images do not carry user data out by themselves: each host is told how to come to it."""
    told = [it.inputs["metadata"] for it in hosts(venue()) if it.inputs["metadata"] is not UNKNOWN]
    assert {it["startup-script"] for it in told} == {startup_script()}


def test_disks_outlive_their_machines() -> None:
    """A disk with state or keys is protected, stays at Google when it leaves the program, and is never snapshotted."""
    disks = {it.inputs["labels"]["node"]: it for it in venue().of_type(DISK)}
    assert set(disks) == {host.name for host in planned().hosts.values() if host.data_gib}
    for node, it in disks.items():
        assert (it.protect, it.retain_on_delete, it.delete_before_replace) == (True, True, True)
        assert it.inputs["size"] == planned().hosts[node].data_gib
        assert not {"snapshot", "sourceDisk", "image"} & it.inputs.keys()


def test_held_hosts_ignore_what_a_rollout_brings() -> None:
    """Image, boot script and machine type wait for the site's turn; on it they replace the machine, old one first."""
    assert {it.ignore_changes for it in hosts(venue())} == {("bootDisk", "metadata", "machineType", "labels.release")}
    assert {(it.delete_before_replace, it.replace_on_changes) for it in hosts(venue())} == {(True, ("metadata",))}
    rolled = declared(planned(), rolling="ldn")
    assert {it.inputs["labels"]["site"] for it in hosts(rolled) if not it.ignore_changes} == {"ldn"}


def test_a_rollout_opens_one_site() -> None:
    """Machines with state are protected from deletion, but for those of the site that a rollout opened."""
    keeping = {host.name for host in planned().hosts.values() if host.data_gib}
    assert {it.name for it in hosts(venue()) if it.inputs["deletionProtection"]} == keeping
    opened = declared(planned(), {**CONTACTS, "opened": "ldn"})
    assert {it.name for it in hosts(opened) if it.inputs["deletionProtection"]} == {
        name for name in keeping if planned().hosts[name].site != "ldn"
    }


def test_validators_and_engines_are_spread() -> None:
    """Whom the judge counts on racks of their own is in its site's spread group, and that one spreads."""
    assert {it.inputs["labels"]["role"] for it in hosts(venue()) if it.inputs.get("resourcePolicies")} == {
        "validator",
        "engine",
    }
    for it in venue().of_type("gcp:compute/resourcePolicy:ResourcePolicy"):
        assert it.inputs["groupPlacementPolicy"] == {"availabilityDomainCount": 8}
