package compat;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * kafka-clients in a consumer group, a process of its own (see ../../../README.md for what members say).
 *
 * <p>The argument is a JSON object. With the assignor "server" the group's protocol is KIP-848's, else the classic
 * one. At SIGTERM the member commits, leaves and ends.
 */
public final class Member implements ConsumerRebalanceListener {
    private static final Duration POLL = Duration.ofMillis(50);
    private static final Duration COMMIT = Duration.ofSeconds(5);

    private final Voice voice = new Voice();
    private final String topic;
    private final long commitNanos;
    private final Map<Integer, Long> positions = new HashMap<>();
    private final KafkaConsumer<byte[], byte[]> consumer;
    private volatile boolean stopped;

    private Member(JsonNode options) {
        topic = options.get("topic").asText();
        commitNanos = options.get("commit_ms").asLong() * 1_000_000;
        consumer = new KafkaConsumer<>(config(options));
    }

    public static void main(String[] args) throws Exception {
        Member member = new Member(Driver.JSON.readTree(args[0]));
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            member.stopped = true;
            try {
                main.join();
            } catch (InterruptedException ignored) {
                // The process ends anyway.
            }
        }));
        try {
            member.run();
        } catch (KafkaException error) {
            member.voice.error("fatal", error);
            Runtime.getRuntime().halt(1);
        }
    }

    private static Properties config(JsonNode options) {
        Properties config = new Properties();
        config.putAll(Map.of(
                "bootstrap.servers", options.get("bootstrap").asText(),
                "group.id", options.get("group").asText(),
                "client.id", options.get("name").asText(),
                "enable.auto.commit", "false",
                "auto.offset.reset", "earliest",
                "reconnect.backoff.max.ms", "500",
                "key.deserializer", ByteArrayDeserializer.class.getName(),
                "value.deserializer", ByteArrayDeserializer.class.getName()));
        String assignor = options.get("assignor").asText();
        if (assignor.equals("server")) {
            config.put("group.protocol", "consumer");
            return config;
        }
        Map<String, Class<?>> classes =
                Map.of("range", RangeAssignor.class, "cooperative-sticky", CooperativeStickyAssignor.class);
        config.put("partition.assignment.strategy", classes.get(assignor).getName());
        config.put("session.timeout.ms", options.get("session_ms").asText());
        config.put("heartbeat.interval.ms", options.get("heartbeat_ms").asText());
        return config;
    }

    private void run() {
        consumer.subscribe(List.of(topic), this);
        voice.say("ready");
        long committed = System.nanoTime();
        while (!stopped) {
            deliver(consumer.poll(POLL));
            if (System.nanoTime() - committed >= commitNanos) {
                commit(Map.copyOf(positions));
                committed = System.nanoTime();
            }
        }
        consumer.close();
        voice.say("left");
    }

    private void deliver(ConsumerRecords<byte[], byte[]> records) {
        for (TopicPartition partition : records.partitions()) {
            List<ConsumerRecord<byte[], byte[]>> run = records.records(partition);
            long first = run.get(0).offset();
            for (int i = 1; i <= run.size(); i++) {
                long last = run.get(i - 1).offset();
                if (i == run.size() || run.get(i).offset() != last + 1) { // a hole is for the ledger to judge
                    voice.records(partition.partition(), first, last);
                    first = i == run.size() ? 0 : run.get(i).offset();
                }
            }
            positions.put(partition.partition(), run.get(run.size() - 1).offset() + 1);
        }
    }

    private void commit(Map<Integer, Long> offsets) {
        if (offsets.isEmpty()) {
            return;
        }
        voice.committing(offsets);
        long began = Voice.now();
        Map<TopicPartition, OffsetAndMetadata> wanted = new HashMap<>();
        offsets.forEach((partition, offset) ->
                wanted.put(new TopicPartition(topic, partition), new OffsetAndMetadata(offset)));
        try {
            consumer.commitSync(wanted, COMMIT);
        } catch (KafkaException error) {
            voice.error("error", error);
            return;
        }
        voice.committed(offsets, began);
        offsets.forEach(positions::remove);
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        voice.partitions("assigned", numbers(partitions));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        voice.partitions("revoked", numbers(partitions));
        Map<Integer, Long> going = new HashMap<>(positions);
        going.keySet().retainAll(numbers(partitions));
        commit(Map.copyOf(going));
        positions.keySet().removeAll(numbers(partitions));
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        voice.partitions("lost", numbers(partitions));
        positions.keySet().removeAll(numbers(partitions));
    }

    private static List<Integer> numbers(Collection<TopicPartition> partitions) {
        return partitions.stream().map(TopicPartition::partition).collect(Collectors.toList());
    }
}
