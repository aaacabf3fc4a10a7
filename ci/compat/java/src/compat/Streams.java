package compat;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.Arrays;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Kafka Streams programs, one instance a process; what they must come to is computed in
 * harness/software/streams_model.py.
 *
 * <p>The argument is a JSON object: program ("count" or "join"), bootstrap, application, state (a directory), and the
 * names and numbers that the program needs. Each change of its state is said as a line; SIGTERM closes it.
 */
public final class Streams {
    private static final Duration GRACE = Duration.ofHours(1); // nothing here is ever too late
    private static final Serde<String> TEXT = Serdes.String();

    private Streams() {}

    public static void main(String[] args) throws Exception {
        JsonNode options = Driver.JSON.readTree(args[0]);
        Voice voice = new Voice();
        StreamsBuilder builder = new StreamsBuilder();
        if (options.get("program").asText().equals("count")) {
            count(builder, options);
        } else {
            join(builder, options);
        }
        KafkaStreams streams = new KafkaStreams(builder.build(), config(options));
        streams.setUncaughtExceptionHandler(error -> {
            voice.error("error", error);
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        streams.setStateListener((now, before) -> voice.say(now.name()));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(25))));
        streams.start();
        new CountDownLatch(1).await();
    }

    private static Properties config(JsonNode options) {
        Properties config = new Properties();
        config.put("application.id", options.get("application").asText());
        config.put("bootstrap.servers", options.get("bootstrap").asText());
        config.put("state.dir", options.get("state").asText());
        config.put("num.stream.threads", "1");
        config.put("commit.interval.ms", "500");
        config.put("processing.guarantee", "at_least_once");
        config.put("default.key.serde", Serdes.StringSerde.class.getName());
        config.put("default.value.serde", Serdes.StringSerde.class.getName());
        config.put("consumer.session.timeout.ms", "6000");
        config.put("consumer.heartbeat.interval.ms", "2000");
        config.put("reconnect.backoff.max.ms", "500");
        return config;
    }

    /** Words are keys of a repartition topic; their counts lie in a store with a changelog. */
    private static void count(StreamsBuilder builder, JsonNode options) {
        builder.<String, String>stream(options.get("input").asText())
                .flatMapValues(line -> Arrays.asList(line.split(" ")))
                .groupBy((key, word) -> word, Grouped.as("words"))
                .count(Named.as("counting"), Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts")
                        .withKeySerde(TEXT))
                .toStream()
                .mapValues(count -> Long.toString(count))
                .to(options.get("output").asText());
    }

    /**
     * Orders, keyed anew by their customer, meet the customer's payments within a window; the pairs of each customer
     * are gathered in longer windows. A set takes what comes twice once, so the result is exact.
     */
    private static void join(StreamsBuilder builder, JsonNode options) {
        JoinWindows near = JoinWindows.ofTimeDifferenceAndGrace(millis(options, "window_ms"), GRACE);
        KStream<String, String> payments = builder.stream(options.get("payments").asText());
        KStream<String, String> pairs = builder.<String, String>stream(options.get("orders").asText())
                .map((key, order) -> KeyValue.pair(order.split(":")[0], order.split(":")[1]))
                .join(
                        payments,
                        (order, payment) -> order + "+" + payment,
                        near,
                        StreamJoined.with(TEXT, TEXT, TEXT).withName("near").withStoreName("near"));
        pairs.to(options.get("pairs").asText());
        pairs.groupByKey(Grouped.as("pairs"))
                .windowedBy(TimeWindows.ofSizeAndGrace(millis(options, "total_ms"), GRACE))
                .aggregate(
                        () -> "",
                        (customer, pair, set) -> with(set, pair),
                        Materialized.<String, String, WindowStore<Bytes, byte[]>>as("totals")
                                .withKeySerde(TEXT)
                                .withValueSerde(TEXT))
                .toStream((window, set) -> window.key() + "@" + window.window().start())
                .to(options.get("totals").asText());
    }

    private static Duration millis(JsonNode options, String name) {
        return Duration.ofMillis(options.get(name).asLong());
    }

    private static String with(String set, String member) {
        TreeSet<String> members = new TreeSet<>(Arrays.asList(set.split(",")));
        members.remove("");
        members.add(member);
        return String.join(",", members);
    }
}
