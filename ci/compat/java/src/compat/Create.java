package compat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;

/**
 * Creates one topic and answers once the broker has said that it exists.
 *
 * <p>With "settle" it waits further until every partition has a leader that answers. Apache Kafka needs that: right
 * after its reply a first batch may meet a partition without a leader while the second is taken, and then the
 * first is out of sequence for ever.
 */
final class Create {
    private static final Duration SETTLE = Duration.ofSeconds(30);
    private static final Map<String, Admin> ADMINS = new HashMap<>();

    private Create() {}

    static ObjectNode run(JsonNode request) throws Exception {
        String topic = request.get("topic").asText();
        Map<String, String> configs = new HashMap<>();
        request.path("configs").properties().forEach(entry -> configs.put(entry.getKey(), entry.getValue().asText()));
        NewTopic wanted = new NewTopic(topic, Optional.of(request.get("partitions").asInt()), Optional.empty());
        Admin admin = admin(request.get("bootstrap").asText());
        admin.createTopics(List.of(wanted.configs(configs))).all().get();
        if (request.path("settle").asBoolean()) {
            settle(admin, topic, wanted.numPartitions());
        }
        return Driver.JSON.createObjectNode().put("topic", topic);
    }

    private static void settle(Admin admin, String topic, int partitions) throws Exception {
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        for (int partition = 0; partition < partitions; partition++) {
            ends.put(new TopicPartition(topic, partition), OffsetSpec.latest());
        }
        long deadline = System.nanoTime() + SETTLE.toNanos();
        while (true) {
            try {
                admin.listOffsets(ends).all().get();
                return;
            } catch (ExecutionException missing) {
                if (System.nanoTime() > deadline) {
                    throw missing;
                }
                Thread.sleep(20);
            }
        }
    }

    private static Admin admin(String bootstrap) {
        return ADMINS.computeIfAbsent(
                bootstrap,
                servers -> Admin.create(Map.of(
                        "bootstrap.servers", servers,
                        "reconnect.backoff.max.ms", "200",
                        "default.api.timeout.ms", "60000")));
    }
}
