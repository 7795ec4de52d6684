"""`diversite drill` as a person meets it: what is wrong is told before anything is broken."""

from __future__ import annotations

import pytest

from cli.drill import _line, _tell
from drills.drill import calm_of
from tests.cli.conftest import UNMET, Run
from tests.drills.test_results import FAULT, FOUR, LOST, report


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("europe", "melt:site:par"), "melt"),
        (("europe", "kill:site:nowhere"), "nowhere"),
        (("europe", "cut:site:par"), "hosts are struck by kill"),
        (("europe", "power-off:host:validator-par"), "needs whole sites"),
        (("europe", "host:validator-par", "--hold", "1"), "--hold"),
        (("europe", "--planted", "all", "--hold", "8"), "18 s or more"),
        (("nowhere",), "nowhere"),
        ((UNMET,), "stacks/"),
    ],
)
def test_a_misuse_ends_with_two(run: Run, arguments: tuple[str, ...], told: str) -> None:
    """An unknown fault, domain or stack is the person's to mend; no lab is brought up for it."""
    ran = run("drill", *arguments)
    assert ran.code == 2
    assert told in ran.err


def test_what_was_wrong_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A fault's line says which figure was wrong, or where the fault did not bite; the table has each fault's name."""
    from cli.console import new_console

    assert FAULT in _line(report())
    assert "orders_lost 1, predicted 0 to 0" in _line(report(missing=(LOST,)))
    assert "did not bite: gateway-par" in _line(report(bit=False))
    _tell([report(), report(bit=False)], calm_of(FOUR), new_console())
    printed = capsys.readouterr().out
    assert FAULT in printed
    assert "1 of 2 as predicted" in printed
