package compat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import kafka.server.DynamicBrokerConfig;
import kafka.server.KafkaConfig;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.metrics.ClientMetricsConfigs;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * Holds what a broker answers to DescribeConfigs against the definitions in Kafka's own classes: names, types,
 * defaults, and whether a key may be changed while the broker runs.
 */
final class Configs {
    private final ArrayNode differences = Driver.JSON.createArrayNode();

    private Configs() {}

    static ObjectNode run(JsonNode request) throws Exception {
        Configs configs = new Configs();
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", request.get("bootstrap").asText()))) {
            String node = admin.describeCluster().nodes().get().iterator().next().idString();
            Set<String> dynamic = new TreeSet<>();
            DynamicBrokerConfig.AllDynamicConfigs().foreach(dynamic::add);
            configs.compare(admin, ConfigResource.Type.BROKER, node, KafkaConfig.configDef(), dynamic);
            String topic = request.get("topic").asText();
            configs.compare(admin, ConfigResource.Type.TOPIC, topic, LogConfig.configDefCopy(), null);
            configs.compare(admin, ConfigResource.Type.GROUP, "nobody", GroupConfig.configDef(), null);
            ConfigDef metrics = ClientMetricsConfigs.configDef();
            configs.compare(admin, ConfigResource.Type.CLIENT_METRICS, "nothing", metrics, null);
        }
        ObjectNode answer = Driver.JSON.createObjectNode();
        answer.set("differences", configs.differences);
        return answer;
    }

    private void compare(
            Admin admin, ConfigResource.Type type, String name, ConfigDef definition, Set<String> dynamic)
            throws Exception {
        ConfigResource resource = new ConfigResource(type, name);
        DescribeConfigsOptions all = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        Config config = admin.describeConfigs(List.of(resource), all).all().get().get(resource);
        Map<String, ConfigEntry> rows = new HashMap<>();
        config.entries().forEach(row -> rows.put(row.name(), row));
        for (ConfigDef.ConfigKey key : definition.configKeys().values()) {
            ConfigEntry row = rows.remove(key.name);
            if (row != null) {
                compare(type, key, row, dynamic != null && !dynamic.contains(key.name));
            } else if (!key.internalConfig) {
                differ(type, key.name, "is missing");
            }
        }
        rows.keySet().forEach(extra -> differ(type, extra, "is not in Kafka"));
    }

    private void compare(ConfigResource.Type type, ConfigDef.ConfigKey key, ConfigEntry row, boolean readOnly) {
        if (!row.type().name().equals(key.type.name())) {
            differ(type, key.name, "has type " + row.type());
        }
        if (row.isReadOnly() != readOnly) {
            differ(type, key.name, "is read-only: " + row.isReadOnly());
        }
        if (row.documentation() == null || row.documentation().isBlank()) {
            differ(type, key.name, "has no documentation");
        }
        boolean isSecret = key.type == ConfigDef.Type.PASSWORD;
        if (row.isSensitive() != isSecret) {
            differ(type, key.name, "is a secret: " + row.isSensitive());
        }
        if (row.source() == ConfigEntry.ConfigSource.DEFAULT_CONFIG && !isSecret && key.hasDefault()) {
            String wanted = ConfigDef.convertToString(key.defaultValue, key.type);
            if (!Objects.equals(row.value(), wanted)) {
                differ(type, key.name, "is " + row.value() + " by default, not " + wanted);
            }
        }
    }

    private void differ(ConfigResource.Type type, String name, String how) {
        differences.add(type + " " + name + " " + how);
    }
}
