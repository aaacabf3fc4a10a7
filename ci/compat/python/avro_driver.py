"""The driver of confluent-kafka with its Avro serializer, by a schema registry's Confluent API."""

import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from serve import STALL_S, serve


def produce(bootstrap, registry, topic, schema, values):
    """Sends each value, its customer as the key."""
    serialize = AvroSerializer(SchemaRegistryClient({"url": registry}), schema)
    context = SerializationContext(topic, MessageField.VALUE)
    errors = []
    producer = Producer({"bootstrap.servers": bootstrap})
    for value in values:
        encoded = serialize(value, context)
        producer.produce(topic, encoded, value["customer"], on_delivery=lambda error, _: error and errors.append(error))
    left = producer.flush(STALL_S)
    if errors or left:
        raise RuntimeError(f"{len(errors)} failed, {left} not sent: {errors[:1]}")
    return {"count": len(values)}


def consume(bootstrap, registry, topic, schema, partitions):
    """Everything from the beginnings to the ends as they are now, read by `schema`."""
    deserialize = AvroDeserializer(SchemaRegistryClient({"url": registry}), schema)
    context = SerializationContext(topic, MessageField.VALUE)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "by-assignment", "enable.auto.commit": False})
    everything = [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(partitions)]
    wanted = sum(consumer.get_watermark_offsets(one, timeout=STALL_S)[1] for one in everything)
    consumer.assign(everything)
    values = []
    deadline = time.monotonic() + STALL_S
    while len(values) < wanted:
        message = consumer.poll(1)
        if message is not None and message.error():
            raise KafkaException(message.error())
        if message is not None:
            values.append(deserialize(message.value(), context))
        elif time.monotonic() > deadline:
            raise RuntimeError(f"{len(values)} of {wanted} records within {STALL_S} s")
    consumer.close()
    return {"values": values}


if __name__ == "__main__":
    serve(produce=produce, consume=consume)
