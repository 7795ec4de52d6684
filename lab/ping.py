"""Measures round trips from one host to others; run as a plain script in its network namespace, or by the observer.

`ping.py <count> <seconds between> <seconds to wait for an answer> <address>...` prints one JSON object: address to the
list of round trips in nanoseconds, in the order of sending, absent where no answer came. An answer's time is the
kernel's own of its arrival, so that a late wake-up of this process does not count.
"""

import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator

ECHO_REQUEST, ECHO_REPLY = 8, 0
SO_TIMESTAMPNS = 35
TIMESTAMP = struct.Struct("qq")
HEADER = struct.Struct("!BBHHH")
PAYLOAD = bytes(48)


def main() -> None:
    """Measure and print."""
    count, between, patience, addresses = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]
    with opened_socket() as opened:
        print(json.dumps(measure(opened, addresses, count, between, patience)))


def opened_socket() -> socket.socket:
    """A socket for echo requests, in the network namespace that its caller is in now; it stays there."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return opened


def measure(
    opened: socket.socket, addresses: list[str], count: int, between: float, patience: float
) -> dict[str, list[int]]:
    """Send `count` echo requests to each address, `between` seconds apart, and gather what comes back."""
    sent: dict[tuple[str, int], int] = {}
    trips: dict[tuple[str, int], int] = {}
    for sequence in range(count + 1):
        for address in addresses:
            send(opened, address, sequence, sent)
        # The first request also finds the neighbours' hardware addresses, so it is awaited and not counted.
        gather(opened, sent, trips, between if sequence else patience, until_complete=sequence == 0)
    gather(opened, sent, trips, patience, until_complete=True)
    return {address: [trips[address, n] for n in range(1, count + 1) if (address, n) in trips] for address in addresses}


def send(opened: socket.socket, address: str, sequence: int, sent: dict[tuple[str, int], int]) -> None:
    """Send one echo request; an unreachable address is a request without an answer."""
    message = echo_request(os.getpid() & 0xFFFF, sequence)
    sent[address, sequence] = time.time_ns()
    try:
        opened.sendto(message, (address, 0))
    except OSError:
        return


def gather(
    opened: socket.socket,
    sent: dict[tuple[str, int], int],
    trips: dict[tuple[str, int], int],
    seconds: float,
    until_complete: bool = False,
) -> None:
    """Take answers for a time, or until none is missing."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not (until_complete and len(trips) == len(sent)):
        if select.select([opened], [], [], left)[0]:
            for address, sequence, arrived in answers(opened):
                if (address, sequence) in sent:
                    trips.setdefault((address, sequence), arrived - sent[address, sequence])


def answers(opened: socket.socket) -> Iterator[tuple[str, int, int]]:
    """Every answer to this process that has arrived: from where, to which request, when."""
    while True:
        try:
            packet, ancillary, _, (address, _) = opened.recvmsg(2048, 64)
        except BlockingIOError:
            return
        kind, _, _, identity, sequence = HEADER.unpack_from(packet, (packet[0] & 15) * 4)
        if (kind, identity) == (ECHO_REPLY, os.getpid() & 0xFFFF):
            seconds, nanoseconds = TIMESTAMP.unpack(ancillary[0][2])
            yield address, sequence, seconds * 1_000_000_000 + nanoseconds


def echo_request(identity: int, sequence: int) -> bytes:
    """An ICMP echo request with its checksum."""
    bare = HEADER.pack(ECHO_REQUEST, 0, 0, identity, sequence) + PAYLOAD
    return HEADER.pack(ECHO_REQUEST, 0, checksum(bare), identity, sequence) + PAYLOAD


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


if __name__ == "__main__":
    main()
