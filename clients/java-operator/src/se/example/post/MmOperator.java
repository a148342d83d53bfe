package se.example.post;

import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executors;

import javax.xml.ws.Endpoint;

import com.sun.net.httpserver.HttpContext;
import com.sun.net.httpserver.HttpServer;

/** The program: publishes Service at an address. */
public final class MmOperator {
    private static final String USAGE = "use: ADDRESS AUTHORITY MAILBOXES FOLDER CERTIFICATE...";
    private static final int CALLS_AT_ONCE = 8;

    private MmOperator() {
    }

    public static void main(String[] arguments) {
        try {
            run(Arrays.asList(arguments));
        } catch (Exception error) {
            System.err.println("error " + error + (error.getCause() == null ? "" : ", " + error.getCause()));
            System.exit(2);
        }
    }

    private static void run(List<String> arguments) throws Exception {
        if (arguments.size() < 5) {
            throw new IllegalArgumentException(USAGE);
        }
        String address = arguments.get(0);
        Trust trust = Trust.load(arguments.subList(4, arguments.size()).stream().map(Path::of).toList());
        Deliveries deliveries = new Deliveries(trust, new Parties(arguments.get(1)),
                new Mailboxes(Path.of(arguments.get(2)), Path.of(arguments.get(3))));
        URI uri = URI.create(address);
        HttpServer server = HttpServer.create(new InetSocketAddress(uri.getHost(), uri.getPort()), 0);
        // By itself it answers one call after the other.
        server.setExecutor(Executors.newFixedThreadPool(CALLS_AT_ONCE));
        HttpContext context = server.createContext(uri.getPath());
        context.getFilters().add(new Gate());
        Endpoint.create(new ServiceEndpoint(deliveries)).publish(context);
        server.start();
        System.out.println("ready " + address);
    }
}
