package compat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the main method of one of Kafka's own tools inside this JVM and answers its exit status and output.
 *
 * <p>Kafka's tools leave by {@link Exit}, whose procedures can be replaced: an exit becomes {@link Exited}, and
 * shutdown hooks (the console producer flushes in one) run right after main.
 */
final class Tool {
    private static final Switch OUTPUT = new Switch();
    private static final List<Runnable> HOOKS = new ArrayList<>();
    private static Exited exited;

    private Tool() {}

    /** An Error and not an Exception, so that the tools' own catch clauses let it pass. */
    private static final class Exited extends Error {
        private static final long serialVersionUID = 1L;
        final int status;

        Exited(int status) {
            super("exit " + status, null, false, false);
            this.status = status;
        }
    }

    /** A stream whose target changes: scala.Console keeps the System.out that it first saw. */
    private static final class Switch extends OutputStream {
        private OutputStream target = OutputStream.nullOutputStream();

        @Override
        public synchronized void write(int b) throws IOException {
            target.write(b);
        }

        @Override
        public synchronized void write(byte[] bytes, int from, int count) throws IOException {
            target.write(bytes, from, count);
        }

        synchronized void to(OutputStream next) {
            target = next;
        }
    }

    /** To be called before any class of Kafka's is loaded. */
    static void captureOutput() {
        PrintStream stream = new PrintStream(OUTPUT, true, StandardCharsets.UTF_8);
        System.setOut(stream);
        Exit.setExitProcedure((status, message) -> {
            // The first exit counts: a tool that catches Throwable around its exit(0) goes on to exit(1).
            exited = exited == null ? new Exited(status) : exited;
            throw exited;
        });
        Exit.setShutdownHookAdder((name, hook) -> HOOKS.add(hook));
    }

    static ObjectNode run(JsonNode request) throws Exception {
        List<String> args = new ArrayList<>();
        request.get("args").forEach(arg -> args.add(arg.asText()));
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        PrintStream errors = System.err;
        InputStream input = System.in;
        try (InputStream stdin = stdin(request)) {
            OUTPUT.to(output);
            System.setErr(System.out);
            System.setIn(stdin);
            int status = main(request.get("class").asText(), args.toArray(new String[0]));
            System.out.flush();
            return Driver.JSON
                    .createObjectNode()
                    .put("status", status)
                    .put("output", output.toString(StandardCharsets.UTF_8));
        } finally {
            System.setIn(input);
            System.setErr(errors);
            OUTPUT.to(OutputStream.nullOutputStream());
        }
    }

    private static InputStream stdin(JsonNode request) throws IOException {
        return request.has("stdin") ? new FileInputStream(request.get("stdin").asText()) : InputStream.nullInputStream();
    }

    private static int main(String className, String[] args) throws Exception {
        exited = null;
        try {
            Class.forName(className).getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (InvocationTargetException thrown) {
            if (thrown.getCause() != exited) {
                throw new IOException(className + " threw", thrown.getCause());
            }
        } finally {
            HOOKS.forEach(Runnable::run);
            HOOKS.clear();
        }
        return exited == null ? 0 : exited.status;
    }
}
