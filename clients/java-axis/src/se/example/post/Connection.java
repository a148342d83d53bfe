package se.example.post;

import org.apache.axis.client.Stub;

/** How long a generated port waits. */
final class Connection {
    private static final int MILLISECONDS = 60_000;

    private Connection() {
    }

    /** Returns the port, which does not wait for longer than this to connect, and for each part of an answer. */
    static <T> T limited(T port) {
        // Axis by itself waits for ten minutes.
        ((Stub) port).setTimeout(MILLISECONDS);
        return port;
    }
}
