"""aiokafka in a group; it has only the eager protocol."""

import asyncio

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from member import Member, now


class Aiokafka(ConsumerRebalanceListener):
    """One consumer; its listener tells the member. The lock keeps deliveries and rebalances apart."""

    def __init__(self, member):
        self._member = member
        self._owned = []
        self._generation = 0
        self._lock = asyncio.Lock()
        options = member.options
        self._topic = options["topic"]
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=options["bootstrap"],
            group_id=options["group"],
            client_id=options["name"],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=[RangePartitionAssignor],
            session_timeout_ms=options["session_ms"],
            heartbeat_interval_ms=options["heartbeat_ms"],
        )

    async def run(self):
        """Reads until SIGTERM, then commits and leaves."""
        self._consumer.subscribe([self._topic], listener=self)
        await self._consumer.start()
        self._member.say("ready")
        while not self._member.stopped:
            batches = await self._consumer.getmany(timeout_ms=50)
            # Of now: a whole rebalance may have gone by while it waited, and nobody else runs before this line.
            generation = self._generation
            async with self._lock:
                if generation == self._generation:  # else fetched for an assignment that is over
                    self._deliver(batches)
                if self._member.tick():
                    await self._commit()
        async with self._lock:
            await self._release()
        await self._consumer.stop()
        self._member.say("left")

    def _deliver(self, batches):
        for partition, messages in batches.items():
            for message in messages:
                self._member.delivered(partition.partition, message.offset)

    async def _commit(self):
        began = now()
        offsets = self._member.take()
        if not offsets:
            return
        try:
            await self._consumer.commit({TopicPartition(self._topic, p): o for p, o in offsets.items()})
        except KafkaError as error:
            self._member.taken({}, began, [error])
            return
        self._member.taken(offsets, began)

    async def _release(self):
        if self._owned:
            self._member.say("revoked", partitions=self._owned)
            await self._commit()
        self._member.forget(self._owned)
        self._owned = []
        self._generation += 1

    async def on_partitions_assigned(self, assigned):
        async with self._lock:
            self._owned = sorted(one.partition for one in assigned)
            if self._owned:
                self._member.say("assigned", partitions=self._owned)

    async def on_partitions_revoked(self, revoked):
        del revoked  # all of them, for the protocol is eager
        async with self._lock:
            await self._release()


async def main():
    """The consumer wants a running loop when it is made."""
    await Aiokafka(voice).run()


if __name__ == "__main__":
    voice = Member()
    voice.run(lambda: asyncio.run(main()))
