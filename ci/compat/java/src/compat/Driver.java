package compat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * The Java driver: one JSON request per line on stdin, one JSON answer per line on stdout (see ../../../README.md).
 *
 * <p>Not a client library: the client is kafka-clients, and the tools are Kafka's own classes. One process serves
 * a whole run, for the start of a JVM costs more than a cell of the matrix.
 */
public final class Driver {
    static final ObjectMapper JSON = new ObjectMapper();

    private Driver() {}

    public static void main(String[] args) throws Exception {
        PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        Tool.captureOutput();
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            answers.println(JSON.writeValueAsString(answer(JSON.readTree(line))));
        }
    }

    private static ObjectNode answer(JsonNode request) {
        try {
            return perform(request);
        } catch (Exception error) {
            return JSON.createObjectNode().put("error", describe(error));
        }
    }

    private static String describe(Throwable error) {
        return error.getCause() == null ? error.toString() : error + ": " + describe(error.getCause());
    }

    private static ObjectNode perform(JsonNode request) throws Exception {
        String op = request.get("op").asText();
        return switch (op) {
            case "produce" -> Produce.run(request);
            case "consume" -> Consume.run(request);
            case "create" -> Create.run(request);
            case "tool" -> Tool.run(request);
            case "load" -> Load.run(request);
            case "configs" -> Configs.run(request);
            default -> throw new IllegalArgumentException("unknown op " + op);
        };
    }
}
