package compat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Sends the records of a file; the answer counts acknowledgements. */
final class Produce {
    private Produce() {}

    static ObjectNode run(JsonNode request) throws IOException {
        AtomicInteger acked = new AtomicInteger();
        AtomicReference<Exception> failure = new AtomicReference<>();
        Path records = Path.of(request.get("records").asText());
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(config(request));
                BufferedReader lines = Files.newBufferedReader(records)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                producer.send(record(request.get("topic").asText(), line), (metadata, error) -> {
                    if (error == null) {
                        acked.incrementAndGet();
                    } else {
                        failure.compareAndSet(null, error);
                    }
                });
            }
            producer.flush();
        }
        if (failure.get() != null) {
            throw new IOException("a record failed", failure.get());
        }
        return Driver.JSON.createObjectNode().put("count", acked.get());
    }

    private static Properties config(JsonNode request) {
        Properties config = new Properties();
        config.putAll(Map.of(
                "bootstrap.servers", request.get("bootstrap").asText(),
                "compression.type", request.get("codec").asText(),
                "enable.idempotence", request.get("idempotent").asText(),
                "acks", "all",
                // Without idempotence a retry overtakes its successors, and order is part of what is compared.
                "max.in.flight.requests.per.connection", request.get("idempotent").asBoolean() ? "5" : "1",
                "linger.ms", "5",
                "delivery.timeout.ms", "60000",
                "key.serializer", ByteArraySerializer.class.getName(),
                "value.serializer", ByteArraySerializer.class.getName()));
        return config;
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, String line) throws IOException {
        JsonNode fields = Driver.JSON.readTree(line);
        JsonNode timestamp = fields.get("timestamp");
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(
                topic,
                fields.get("partition").asInt(),
                timestamp.isNull() ? null : Long.valueOf(timestamp.asLong()), // null: the time of sending
                bytes(fields.get("key")),
                bytes(fields.get("value")));
        Headers headers = record.headers();
        for (JsonNode header : fields.get("headers")) {
            headers.add(header.get(0).asText(), bytes(header.get(1)));
        }
        return record;
    }

    private static byte[] bytes(JsonNode base64) throws IOException {
        return base64.isNull() ? null : base64.binaryValue();
    }
}
