"""Asks a service until it answers; run as a plain script in its host's network namespace.

`await_ready.py '{"kind": "http", "address": "127.0.0.1:80", "path": "/", "secondsMax": 30}' <ended>` ends with 0 once
it does, or with 1 and the last answer when the time is over or the file `ended` says that the service will not run.
"""

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

FIRST_PAUSE_SECONDS = 0.02
PAUSE_SECONDS_MAX = 0.2
ANSWER_SECONDS_MAX = 2.0


def main() -> int:
    """Ask until ready or late; the exit status."""
    ready, ended = json.loads(sys.argv[1]), Path(sys.argv[2])
    deadline = time.monotonic() + ready["secondsMax"]
    pause = FIRST_PAUSE_SECONDS
    while problem := ask(ready):
        if ended.exists():
            problem = f"it ended with status {ended.read_text().strip()} and is not started again"
            deadline = 0
        if time.monotonic() + pause > deadline:
            print(problem)
            return 1
        time.sleep(pause)
        pause = min(pause * 1.3, PAUSE_SECONDS_MAX)
    return 0


def ask(ready: dict[str, Any]) -> str:
    """What is wrong with the service's answer; empty if nothing."""
    address, _, port = ready["address"].rpartition(":")
    try:
        with socket.create_connection((address, int(port)), ANSWER_SECONDS_MAX) as connection:
            return problem_of(connection, ready) if ready["kind"] == "http" else ""
    except OSError as error:
        return str(error)


def problem_of(connection: socket.socket, ready: dict[str, Any]) -> str:
    """Ask for the path; anything but a 2xx is a problem."""
    request = f"GET {ready['path']} HTTP/1.0\r\nHost: {ready['address']}\r\nConnection: close\r\n\r\n"
    connection.sendall(request.encode())
    with connection.makefile("rb") as answer:
        status = answer.readline().decode(errors="replace").split(" ", 2)
        body = answer.read(2000).partition(b"\r\n\r\n")[2].decode(errors="replace")
    return "" if len(status) > 1 and status[1].startswith("2") else f"answered {' '.join(status).strip()} {body[:200]}"


if __name__ == "__main__":
    sys.exit(main())
