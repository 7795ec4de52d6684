"""The book: price-time priority, held against the plain oracle."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.workloads.engine.oracle import Oracle
from workloads.engine.book import Book
from workloads.engine.orders import Cancel, New

sides = st.sampled_from(["buy", "sell"])
steps = st.lists(
    st.tuples(st.just("new"), sides, st.integers(95, 105), st.integers(1, 20), st.sampled_from([0, 0, 3, 6]))
    | st.tuples(st.just("cancel"), st.integers(0, 40))
    | st.tuples(st.just("expire"), st.integers(1, 8)),
    max_size=60,
)


def _new(number: int, side: Any, price: int, quantity: int, expiry: int = 0) -> New:
    return New(client="ann", key=f"k{number}", market="M", side=side, price=price, quantity=quantity, expiry=expiry)


def _submit(book: Book, order: New) -> int:
    filled = sum(fill.quantity for fill in book.match(order.side, order.price, order.quantity))
    if order.quantity > filled:
        book.stand(order, order.quantity - filled)
    return filled


def _play(play: list[tuple[Any, ...]]) -> tuple[Book, Oracle, int, int]:
    book, oracle, entered, left = Book(), Oracle(), 0, 0
    for number, step in enumerate(play):
        if step[0] == "new":
            order = _new(number, *step[1:])
            entered += order.quantity
            assert _submit(book, order) == oracle.new(order)[0]
        elif step[0] == "cancel":
            gone = book.cancel("ann", f"k{step[1]}")
            left += gone.remaining if gone else 0
            oracle.cancel(Cancel(client="ann", key="c", market="M", order=f"k{step[1]}"))
        else:
            left += sum(order.remaining for order in book.expire(step[1]))
            oracle.expire(step[1])
    return book, oracle, entered, left


@given(steps)
def test_the_book_matches_as_the_oracle_does(play: list[tuple[Any, ...]]) -> None:
    """After any orders, cancellations and expiries, the same orders stand, in the same order, and as much traded."""
    book, oracle, _, _ = _play(play)
    assert [(o.client, o.key, o.side, o.price, o.remaining, o.expiry) for o in book] == oracle.rows()
    assert book.traded == oracle.traded


@given(steps)
def test_quantity_is_conserved(play: list[tuple[Any, ...]]) -> None:
    """What entered stands, was traded (by both sides), or was taken out."""
    book, _, entered, left = _play(play)
    assert entered == sum(order.remaining for order in book) + 2 * book.traded + left


@given(steps)
def test_a_book_is_never_crossed(play: list[tuple[Any, ...]]) -> None:
    """The best bid is below the best ask."""
    book, _, _, _ = _play(play)
    bids, asks = book.depth("buy", 1), book.depth("sell", 1)
    assert not bids or not asks or bids[0][0] < asks[0][0]


@given(steps)
def test_a_restored_book_is_the_same_book(play: list[tuple[Any, ...]]) -> None:
    """A book's hash depends on what is in it, not on how it got there or what was cached."""
    book, _, _, _ = _play(play)
    assert Book.restored(book.document()).digest() == book.digest()


@given(steps, steps)
def test_books_that_differ_have_different_hashes(one: list[tuple[Any, ...]], other: list[tuple[Any, ...]]) -> None:
    """Two books share a hash only if they are alike in everything that decides what they do next."""
    first, second = _play(one)[0], _play(other)[0]
    assert (first.document() == second.document()) == (first.digest() == second.digest())


def test_the_better_price_comes_first_then_the_older_order() -> None:
    """A seller meets the highest bid, and at one price the one who waited longest."""
    book = Book()
    for number, price in enumerate([100, 101, 101]):
        _submit(book, _new(number, "buy", price, 5))
    fills = book.match("sell", 100, 12)
    assert [(fill.maker, fill.price, fill.quantity) for fill in fills] == [(2, 101, 5), (3, 101, 5), (1, 100, 2)]


def test_a_partly_filled_order_keeps_its_place() -> None:
    """Trading a part of an order does not send the rest to the back."""
    book = Book()
    _submit(book, _new(1, "sell", 100, 10))
    _submit(book, _new(2, "sell", 100, 10))
    book.match("buy", 100, 4)
    assert [fill.maker for fill in book.match("buy", 100, 10)] == [1, 2]


def test_an_order_is_open_through_its_last_height() -> None:
    """Expiry 6 stands at height 6 and is gone at 7."""
    book = Book()
    _submit(book, _new(1, "buy", 100, 10, expiry=6))
    assert book.expire(6) == []
    assert [order.key for order in book.expire(7)] == ["k1"]
    assert len(book) == 0
