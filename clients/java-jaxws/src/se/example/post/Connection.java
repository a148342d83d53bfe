package se.example.post;

import java.util.Map;

import javax.xml.ws.BindingProvider;

import com.sun.xml.ws.developer.JAXWSProperties;

/** Where a generated port goes, and how long it waits. */
final class Connection {
    private static final int CONNECT_MILLISECONDS = 10_000;
    private static final int ANSWER_MILLISECONDS = 60_000;

    private Connection() {
    }

    /** Returns the port, which calls this address from now on and not the one in the WSDL. */
    static <T> T to(String address, T port) {
        Map<String, Object> context = ((BindingProvider) port).getRequestContext();
        context.put(BindingProvider.ENDPOINT_ADDRESS_PROPERTY, address);
        // JAX-WS has no limits of its own: without these a call can wait for ever.
        context.put(JAXWSProperties.CONNECT_TIMEOUT, CONNECT_MILLISECONDS);
        context.put(JAXWSProperties.REQUEST_TIMEOUT, ANSWER_MILLISECONDS);
        return port;
    }
}
