package compat;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Reads every partition of a topic by assign(), from its beginning to the end it had at the start. */
final class Consume {
    /** A consumer that sees no record for so long gives up and says where it stood. */
    private static final Duration STALL = Duration.ofSeconds(30);

    private Consume() {}

    static ObjectNode run(JsonNode request) throws IOException {
        String topic = request.get("topic").asText();
        List<TopicPartition> partitions = IntStream.range(0, request.get("partitions").asInt())
                .mapToObj(partition -> new TopicPartition(topic, partition))
                .toList();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config(request));
                BufferedWriter out = Files.newBufferedWriter(Path.of(request.get("out").asText()));
                JsonGenerator json = Driver.JSON.createGenerator(out)) {
            json.setRootValueSeparator(null);
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            int count = readTo(consumer, consumer.endOffsets(partitions), json);
            return Driver.JSON.createObjectNode().put("count", count);
        }
    }

    private static Properties config(JsonNode request) {
        Properties config = new Properties();
        config.putAll(Map.of(
                "bootstrap.servers", request.get("bootstrap").asText(),
                "enable.auto.commit", "false",
                "auto.offset.reset", "none",
                "max.partition.fetch.bytes", request.path("fetch_bytes").asText("1048576"),
                "key.deserializer", ByteArrayDeserializer.class.getName(),
                "value.deserializer", ByteArrayDeserializer.class.getName()));
        return config;
    }

    private static int readTo(
            KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, Long> ends, JsonGenerator json)
            throws IOException {
        int count = 0;
        long deadline = System.nanoTime() + STALL.toNanos();
        while (!reached(consumer, ends)) {
            ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofSeconds(1));
            if (!records.isEmpty()) {
                deadline = System.nanoTime() + STALL.toNanos();
            } else if (System.nanoTime() > deadline) {
                throw new IOException("no record for " + STALL.toSeconds() + " s, ends are " + ends);
            }
            for (ConsumerRecord<byte[], byte[]> record : records) {
                dump(record, json);
                count++;
            }
        }
        return count;
    }

    private static boolean reached(KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, Long> ends) {
        return ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
    }

    private static void dump(ConsumerRecord<byte[], byte[]> record, JsonGenerator json) throws IOException {
        json.writeStartObject();
        json.writeNumberField("partition", record.partition());
        json.writeNumberField("offset", record.offset());
        bytes(json, "key", record.key());
        bytes(json, "value", record.value());
        json.writeArrayFieldStart("headers");
        for (Header header : record.headers()) {
            json.writeStartArray();
            json.writeString(header.key());
            bytes(json, header.value());
            json.writeEndArray();
        }
        json.writeEndArray();
        json.writeNumberField("timestamp", record.timestamp());
        json.writeEndObject();
        json.writeRaw('\n');
    }

    private static void bytes(JsonGenerator json, String name, byte[] data) throws IOException {
        json.writeFieldName(name);
        bytes(json, data);
    }

    private static void bytes(JsonGenerator json, byte[] data) throws IOException {
        if (data == null) {
            json.writeNull();
        } else {
            json.writeBinary(data);
        }
    }
}
