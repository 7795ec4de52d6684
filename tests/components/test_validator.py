"""A validator that joins is deployed before it has keys, and the others go on as they were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import offline
from diversite.genesis import Genesis, genesis_of
from offline import Recording
from services import Facts
from tests.components.recorded import answers, flagship, program, settings, venue_of
from tests.services.venues import GENESIS_TIME, facts_of

INSTANCE = "gcp:compute/instance:Instance"


def test_it_waits_until_its_keys_are_known() -> None:
    """Its boot script makes keys and runs nothing; those that have keys run, and do not dial it."""
    planned = venue_of("gcp")
    whole = facts_of(planned)
    newcomer, *first = [host.key for host in planned.of_role("validator")]
    known = Facts(validators={key: whole.validators[key] for key in first}, genesis=whole.genesis)
    found = offline.record(program(planned, "cloud", known=known), **settings(), answer=answers(planned))
    scripts = {it.name: str(it.inputs["metadata"]["user-data"]) for it in found.of_type(INSTANCE)}
    waiting = scripts[f"validator-{newcomer}"]
    assert "/usr/local/lib/diversite/keys" in waiting
    assert "diversite-cometbft.service" not in waiting
    for key in first:
        assert "diversite-cometbft.service" in scripts[f"validator-{key}"]
        assert whole.validators[newcomer].node_id not in scripts[f"validator-{key}"]


def test_a_labs_chain_keeps_what_it_began_with() -> None:
    """Every validator gets the document that the lab kept, whatever the plan would make of it now."""
    planned = flagship()
    keys = {name: it.public_key for name, it in facts_of(planned).validators.items()}
    began = genesis_of(planned, keys, "2026-01-01T00:00:00Z")
    without = began.model_copy(update={"validators": {k: it for k, it in began.validators.items() if k != "nbg"}})
    found = _lab_that_kept(without)
    (kept,) = found.of_type("lab:index:Genesis")
    assert kept.ignore_changes == ("document",)
    assert began.time == GENESIS_TIME
    for host in planned.of_role("validator"):
        files = found.named(f"{host.name}-cometbft").inputs["files"]
        (text,) = (text for path, text in files.items() if path.endswith("genesis.json"))
        assert [it["name"] for it in json.loads(text)["validators"]] == [*without.validators]
    told = [it.message for it in found.diagnostics]
    assert any("validator nbg joins" in line and "diversite power lab nbg --operator FILE" in line for line in told)


def _lab_that_kept(genesis: Genesis) -> Recording:
    planned = flagship()
    plain = answers(planned)

    def answer(type_: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        kept = {"kept": genesis.model_dump_json()} if type_ == "lab:index:Genesis" else {}
        return {**plain(type_, name, inputs), **kept}

    return offline.record(program(planned, "lab"), **settings(), answer=answer)
