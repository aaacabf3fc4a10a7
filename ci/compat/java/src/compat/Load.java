package compat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The load of the kill -9 test: an idempotent producer that never gives up, round robin over the partitions at a
 * rate until the file "stop" exists. Each acknowledgement is noted as it comes; the answer has what was sent.
 */
final class Load implements AutoCloseable {
    private static final String GIVE_UP_MS = "300000";

    private final String topic;
    private final String name;
    private final int[] sent;
    private final BufferedWriter acks;
    private final Queue<String> errors = new ConcurrentLinkedQueue<>();
    private final KafkaProducer<byte[], byte[]> producer;

    private Load(JsonNode request) throws IOException {
        topic = request.get("topic").asText();
        name = request.get("name").asText();
        sent = new int[request.get("partitions").asInt()];
        acks = Files.newBufferedWriter(Path.of(request.get("acks").asText()));
        producer = new KafkaProducer<>(config(request));
    }

    static ObjectNode run(JsonNode request) throws Exception {
        try (Load load = new Load(request)) {
            load.sendUntil(Path.of(request.get("stop").asText()), request.get("rate").asDouble());
            load.producer.flush();
            return load.answer();
        }
    }

    @Override
    public void close() throws IOException {
        producer.close();
        acks.close();
    }

    private static Properties config(JsonNode request) {
        Properties config = new Properties();
        config.putAll(Map.of(
                "bootstrap.servers", request.get("bootstrap").asText(),
                "enable.idempotence", "true",
                "max.in.flight.requests.per.connection", "5",
                "linger.ms", "2",
                "delivery.timeout.ms", GIVE_UP_MS,
                "max.block.ms", GIVE_UP_MS,
                "reconnect.backoff.ms", "20",
                "reconnect.backoff.max.ms", "200",
                "key.serializer", ByteArraySerializer.class.getName(),
                "value.serializer", ByteArraySerializer.class.getName()));
        return config;
    }

    private void sendUntil(Path stop, double rate) throws InterruptedException {
        long interval = (long) (1e9 / rate);
        long due = System.nanoTime();
        for (int number = 0; number % 32 != 0 || !Files.exists(stop); number++) {
            send(number % sent.length);
            // After a stall, catch up by one second at most.
            due = Math.max(due + interval, System.nanoTime() - 1_000_000_000L);
            long early = due - System.nanoTime();
            if (early > 1_000_000) {
                Thread.sleep(early / 1_000_000);
            }
        }
    }

    private void send(int partition) {
        int sequence = sent[partition]++;
        producer.send(new ProducerRecord<>(topic, partition, null, value(partition, sequence)), (metadata, error) -> {
            if (error == null) {
                noteAck(partition + " " + sequence + " " + metadata.offset() + "\n");
            } else {
                errors.add(partition + ":" + sequence + ": " + error);
            }
        });
    }

    /** The same as value_of in harness/ledger.py. */
    private byte[] value(int partition, int sequence) {
        String head = name + ":" + partition + ":" + sequence + ":";
        return (head + "x".repeat((int) ((sequence * 131L + partition * 17L) % 700))).getBytes(StandardCharsets.UTF_8);
    }

    private void noteAck(String line) {
        try {
            acks.write(line);
            acks.flush();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private ObjectNode answer() {
        ObjectNode answer = Driver.JSON.createObjectNode().put("left", 0);
        ArrayNode counts = answer.putArray("sent");
        for (int count : sent) {
            counts.add(count);
        }
        ArrayNode shown = answer.putArray("errors");
        errors.stream().limit(5).forEach(shown::add);
        return answer;
    }
}
