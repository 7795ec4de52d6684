"""`diversite whatif`: what any combination of failures does to a venue, with the reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.formats import TextOrJson, plain, write
from cli.stacks import FLAGSHIP, resolve

if TYPE_CHECKING:
    from diversite.domains import Domain
    from diversite.plan import Plan


def whatif(
    stack: Annotated[str, typer.Argument(metavar="[STACK|FILE]")] = FLAGSHIP,
    lose: Annotated[
        list[str] | None, typer.Option("--lose", metavar="KIND:NAME", help="What fails now; as often as you like.")
    ] = None,
    down: Annotated[
        list[str] | None, typer.Option("--down", metavar="HOST", help="A host or link that does not run anyway.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List what can be lost.")] = False,
    form: Annotated[TextOrJson, typer.Option("--format")] = "text",
) -> None:
    """Tell what a combination of failures does: who goes on, how soon, what is lost, what a person must do.

    Exit code 0 whatever the answer is; 2: the file, or what is to be lost, is not known.
    """
    from diversite import stackfile
    from diversite.plan import plan

    planned = plan(stackfile.load(resolve(stack).path))
    if listing:
        _list(planned, form)
    else:
        domains = tuple(dict.fromkeys(meant(text, planned) for text in lose or ()))
        _tell(planned, domains, _known(planned, down or []), form)


def meant(text: str, planned: Plan) -> Domain:
    """The domain that a person names: in any case, without its kind, by a site's key, or by an identity's last part."""
    from diversite.domains import parse
    from diversite.errors import DiversiteError

    try:
        return parse(text, planned)
    except DiversiteError:
        found = _called(text, planned)
        if not found:
            raise
    if len(found) == 1:
        return found[0]
    raise DiversiteError(f"--lose {text}: that may be {' or '.join(map(str, found))}; name the kind too")


def _called(text: str, planned: Plan) -> list[Domain]:
    """The domains of that name; those of which it is the last part only where it is none's whole name."""
    from diversite.domains import ALIASES, KINDS, domains_of, site_keys

    kind, colon, name = _folded(text).rpartition(":")
    said = kind.replace("-", "_")
    kinds = ALIASES.get(said, (said,)) if colon else KINDS
    membership = domains_of(planned)
    domains = [domain for one in KINDS if one in kinds for domain in membership.all(one)]
    whole = [domain for domain in domains if name in map(_folded, (domain.identity, *site_keys(domain, planned)))]
    return whole or [domain for domain in domains if name == _folded(domain.identity.rpartition("/")[2])]


def _folded(text: str) -> str:
    return text.casefold().replace("_", "-")


def _known(planned: Plan, names: list[str]) -> tuple[str, ...]:
    from diversite.errors import DiversiteError
    from diversite.stackfile.closest import did_you_mean, listed

    known = [*planned.hosts, *planned.links]
    for name in names:
        if name not in known:
            raise DiversiteError(
                f"--down {name}: the venue has no host or link of that name{did_you_mean(name, known)}; "
                f"hosts are {listed(planned.hosts)}"
            )
    return tuple(names)


def _list(planned: Plan, form: TextOrJson) -> None:
    from cli.console import new_console, new_table
    from diversite.domains import KINDS, domains_of

    membership = domains_of(planned)
    found = {kind: {d.identity: sorted(membership.members(d)) for d in membership.all(kind)} for kind in KINDS}
    if form == "json":
        write({"format": 1, "domains": found})
        return
    rows = new_table("--lose", "takes")
    for kind, identities in found.items():
        for identity, members in identities.items():
            rows.add_row(f"{kind}:{identity}", ", ".join(members))
    new_console().print(rows)


def _tell(planned: Plan, lost: tuple[Domain, ...], down: tuple[str, ...], form: TextOrJson) -> None:
    from cli import outcomes
    from cli.console import new_console
    from diversite.outcome import predict

    outcome = predict(planned, lost, down=down)
    if form == "json":
        document: dict[str, Any] = {"format": 1, "venue": planned.venue, **plain(outcome)}
        document["figures"] = plain(outcome.rows())
        write(document)
    else:
        outcomes.as_text(planned, outcome, new_console())
