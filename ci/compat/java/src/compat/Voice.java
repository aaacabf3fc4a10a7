package compat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** What a member of a group says: one JSON line per event, with the instant of the monotonic clock. */
final class Voice {
    private final PrintStream out =
            new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);

    static long now() {
        return System.nanoTime();
    }

    synchronized void say(String event) {
        write(event(event));
    }

    synchronized void partitions(String event, Iterable<Integer> partitions) {
        Set<Integer> sorted = new TreeSet<>();
        partitions.forEach(sorted::add);
        ObjectNode line = event(event);
        ArrayNode list = line.putArray("partitions");
        sorted.forEach(list::add);
        write(line);
    }

    synchronized void records(int partition, long first, long last) {
        write(event("records").put("partition", partition).put("first", first).put("last", last));
    }

    synchronized void committing(Map<Integer, Long> offsets) {
        write(offsets(event("committing"), offsets));
    }

    synchronized void committed(Map<Integer, Long> offsets, long began) {
        write(offsets(event("committed"), offsets).put("began", began));
    }

    synchronized void error(String event, Throwable error) {
        String text = error.toString();
        write(event(event).put("text", text.substring(0, Math.min(300, text.length()))));
    }

    private static ObjectNode event(String event) {
        return Driver.JSON.createObjectNode().put("at", now()).put("event", event);
    }

    private static ObjectNode offsets(ObjectNode line, Map<Integer, Long> offsets) {
        ObjectNode object = line.putObject("offsets");
        new TreeMap<>(offsets).forEach((partition, offset) -> object.put(partition.toString(), offset));
        return line;
    }

    private void write(ObjectNode line) {
        try {
            out.println(Driver.JSON.writeValueAsString(line));
        } catch (JsonProcessingException error) {
            throw new UncheckedIOException(error);
        }
        if (out.checkError()) { // nobody listens any more
            Runtime.getRuntime().halt(1);
        }
    }
}
