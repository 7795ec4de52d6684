"""The order queue: one sequence of orders in NATS JetStream, held while nobody can carry them out.

Its acknowledgement to us says that a majority of its members has an order on disk. Ours to it decides nothing: what was
applied is what the ledger says, and a worker reads on from there.
"""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, DiscardPolicy, StorageType, StreamConfig
from nats.js.client import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from workloads.passive.settings import Tls

Unreachable = (NatsError, OSError, TimeoutError)
"""What the client raises where the queue does not answer."""
FULL = 10077
"""JetStream's error code for a message over the stream's limit (server, errors.json)."""
NOT_TAKEN = frozenset({10008, 10023, 10054, 10118})
"""Its codes for what is refused before anybody else is asked: not available, no resources, too large, offline. Others
may be about a first try with the same key that is still under way."""
CONSUMER_SECONDS_MAX, CONSUMER_TRIES = 1.0, 5
"""For minutes after a silent loss the server may place a consumer on the lost member, which never answers; each try is
placed anew, by chance."""

HEARTBEAT_SECONDS = 5.0
"""Of the consumer; the server wants one where it may not send without end."""


class QueueFull(Exception):  # noqa: N818  it is an answer, not a fault
    """No order more is taken until some were carried out."""


class QueueBehind(Exception):  # noqa: N818  it is an answer, not a fault
    """The stream ends before what the ledger says was carried out from it."""


class NotTaken(ConnectionError):  # noqa: N818  it is an answer, not a fault
    """The order is not in the queue."""


class Gap(Exception):  # noqa: N818  it is an answer, not a fault
    """The consumer skipped a sequence: read anew from the ledger's."""


class Queue:
    """The stream of one engine's orders."""

    def __init__(self, client: Client, stream: str, engine: str) -> None:
        self._client = client
        self._stream, self._subject = stream, f"orders.{engine}"
        self._jetstream = client.jetstream(timeout=3)
        self._consumers = client.jetstream(timeout=CONSUMER_SECONDS_MAX)
        self._subscription: JetStreamContext.PushSubscription | None = None
        self._next = 0

    @classmethod
    async def connect(
        cls, servers: Sequence[str], stream: str, engine: str, name: str, tls: Tls | None = None
    ) -> Queue:
        """A connection that comes back by itself."""
        client = await nats.connect(
            servers=list(servers),
            name=name,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,
            connect_timeout=2,
            ping_interval=1,
            max_outstanding_pings=2,
            allow_reconnect=True,
            tls=context(tls) if tls else None,
            tls_handshake_first=tls is not None,
        )
        return cls(client, stream, engine)

    @property
    def is_connected(self) -> bool:
        """Whether a server of the queue answers."""
        return bool(self._client.is_connected)

    async def prepare(self, replicas: int, messages_max: int, applied: int) -> None:
        """Make the stream where it is missing: files, replicated, and a refusal instead of forgetting.

        A new one begins after what was `applied`, so that no sequence is used twice. One that ends before that lost
        orders, or the ledger is another queue's: QueueBehind.
        """
        wanted = StreamConfig(
            name=self._stream,
            subjects=[self._subject],
            storage=StorageType.FILE,
            num_replicas=replicas,
            max_msgs=messages_max,
            discard=DiscardPolicy.NEW,
            duplicate_window=120,
            first_seq=applied + 1,
        )
        try:
            found = await self._jetstream.stream_info(self._stream)
        except NotFoundError:
            found = await self._jetstream.add_stream(config=wanted)
        if found.state.last_seq < applied:
            raise QueueBehind(
                f"stream {self._stream} ends at {found.state.last_seq} and the ledger is at {applied}: it was put back "
                "to an older state; see docs/runbooks/restore.md"
            )
        if found.config.max_msgs != messages_max:
            await self._jetstream.update_stream(config=replace(found.config, max_msgs=messages_max))

    async def publish(self, identity: str, order: bytes) -> int:
        """Its sequence, once a majority has it on disk.

        QueueFull; NotTaken where it surely is not in the queue; other Unreachable, and then nobody knows.
        """
        if not self.is_connected:
            raise NotTaken("no server of the queue answers")
        try:
            taken = await self._jetstream.publish(self._subject, order, headers={"Nats-Msg-Id": identity})
        except APIError as error:
            if error.err_code == FULL:
                raise QueueFull from None
            if error.err_code in NOT_TAKEN:
                raise NotTaken(str(error)) from None
            raise
        except NoStreamResponseError:
            raise NotTaken("the stream has no leader") from None
        return taken.seq

    async def read(self, after: int, most: int, seconds_max: float) -> list[tuple[int, int, bytes]]:
        """Orders that follow a sequence: (sequence, nanoseconds since 1970 when taken, bytes); empty after a wait."""
        subscription = await self._subscribed(after)
        try:
            messages = [await subscription.next_msg(timeout=seconds_max)]
        except NatsTimeout:
            await self._rewind_if_deaf(after)
            return []
        while subscription.pending_msgs and len(messages) < most:
            messages.append(await subscription.next_msg(timeout=seconds_max))
        found = [
            (message.metadata.sequence.stream, int(message.metadata.timestamp.timestamp() * 1e9), message.data)
            for message in messages
        ]
        for sequence, _, _ in found:
            if sequence != self._next:
                await self.rewind()
                raise Gap(f"sequence {sequence} where {self._next} was due")
            self._next += 1
        return found

    async def _rewind_if_deaf(self, after: int) -> None:
        """A consumer dies with its server, without a word: begin anew where the stream has what it did not give."""
        state = (await self._jetstream.stream_info(self._stream)).state
        if state.last_seq > after and state.messages:
            await self.rewind()

    async def rewind(self) -> None:
        """Let the next `read` begin anew."""
        subscription, self._subscription = self._subscription, None
        if subscription:
            with contextlib.suppress(*Unreachable):
                await subscription.unsubscribe()

    async def forget(self, through: int) -> None:
        """Make room: orders up to a sequence are in the ledger."""
        await self._jetstream.purge_stream(self._stream, seq=through + 1)

    async def waiting(self) -> int:
        """How many orders the stream holds; Unreachable where it has no leader."""
        return (await self._jetstream.stream_info(self._stream)).state.messages

    async def lead_elsewhere(self, sites: Mapping[str, str], away: str) -> str | None:
        """Have the stream led from another site than `away`; who shall, or None where it may stay or nobody else can.

        `sites`: of every server of the queue, by its name. Unreachable where the stream has no leader.
        """
        cluster = (await self._jetstream.stream_info(self._stream)).cluster
        if cluster is None or sites.get(cluster.leader or "") != away:
            return None
        able = [it.name for it in cluster.replicas or () if it.current and not it.offline]
        wanted = next((name for name in able if name and sites.get(name, away) != away), None)
        if wanted is not None:
            body = json.dumps({"placement": {"preferred": wanted}}).encode()
            await self._client.request(f"$JS.API.STREAM.LEADER.STEPDOWN.{self._stream}", body, timeout=3)
        return wanted

    async def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(*Unreachable):
            await self._client.close()

    async def _subscribed(self, after: int) -> JetStreamContext.PushSubscription:
        if self._subscription is None or self._next != after + 1:
            await self.rewind()
            self._subscription = await self._placed(after)
            self._next = after + 1
        return self._subscription

    async def _placed(self, after: int) -> JetStreamContext.PushSubscription:
        for left in reversed(range(CONSUMER_TRIES)):
            try:
                return await self._consumers.subscribe(self._subject, stream=self._stream, config=_consumer(after))
            except NatsTimeout:
                if not left:
                    raise
        raise AssertionError("the last try returns or raises")


def _consumer(after: int) -> ConsumerConfig:
    """A new one for each try: the client writes into it where messages go."""
    return ConsumerConfig(
        ack_policy=AckPolicy.NONE,
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=after + 1,
        num_replicas=1,
        mem_storage=True,
        inactive_threshold=30,
        flow_control=True,
        idle_heartbeat=HEARTBEAT_SECONDS,
    )


def context(tls: Tls) -> ssl.SSLContext:
    """How a member shows itself to the queue, and whom it believes."""
    made = ssl.create_default_context(cafile=tls.queue)
    made.load_cert_chain(tls.certificate, tls.key)
    return made
