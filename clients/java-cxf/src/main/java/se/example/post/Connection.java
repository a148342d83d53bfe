package se.example.post;

import java.util.Map;

import javax.xml.namespace.QName;

import jakarta.xml.ws.BindingProvider;
import jakarta.xml.ws.Service;
import jakarta.xml.ws.soap.SOAPBinding;

import org.apache.cxf.message.Message;

/** Where a generated port goes, and how long it waits. */
final class Connection {
    private static final long CONNECT_MILLISECONDS = 10_000;
    private static final long ANSWER_MILLISECONDS = 60_000;

    private Connection() {
    }

    /** Returns a service with one port at this address. It asks nobody for a WSDL: the generated classes say enough. */
    static Service service(QName name, QName port, String address) {
        Service service = Service.create(name);
        service.addPort(port, SOAPBinding.SOAP11HTTP_BINDING, address);
        return service;
    }

    /** Returns the port, which does not wait for longer than this from now on. */
    static <T> T limited(T port) {
        Map<String, Object> context = ((BindingProvider) port).getRequestContext();
        context.put(Message.CONNECTION_TIMEOUT, CONNECT_MILLISECONDS);
        context.put(Message.RECEIVE_TIMEOUT, ANSWER_MILLISECONDS);
        return port;
    }
}
