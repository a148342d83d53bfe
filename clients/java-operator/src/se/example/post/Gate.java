package se.example.post;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.List;

import javax.xml.soap.SOAPConstants;

import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.xml.sax.SAXException;

import com.sun.net.httpserver.Filter;
import com.sun.net.httpserver.HttpExchange;

/**
 * Stands before JAX-WS, which accepts more than a receiver of signatures may: it reads the first of two bodies, does not
 * mind a document type, and answers XML that is broken with a fault that has no applicationFault.
 */
final class Gate extends Filter {
    private static final String SOAP = SOAPConstants.URI_NS_SOAP_1_1_ENVELOPE;
    private static final String NEXT = "http://schemas.xmlsoap.org/soap/actor/next";

    /** A message of 2 MB in base64, and as much again for the rest. */
    private static final int LARGEST_REQUEST = 6 * 1024 * 1024;

    @Override
    public void doFilter(HttpExchange exchange, Chain chain) throws IOException {
        if (!exchange.getRequestMethod().equals("POST")) {
            chain.doFilter(exchange);
            return;
        }
        byte[] request = exchange.getRequestBody().readNBytes(LARGEST_REQUEST + 1);
        try {
            if (request.length > LARGEST_REQUEST) {
                throw new Refused(Refused.TOO_LARGE, "The request is too large.");
            }
            Element envelope = Xml.parse(request).getDocumentElement();
            check(envelope);
            if (mustBeUnderstood(envelope)) {
                answer(exchange, ServiceEndpoint.fault("MustUnderstand",
                        new Refused(Refused.BAD_INPUT, "A header with mustUnderstand is not understood.")));
                return;
            }
        } catch (SAXException error) {
            answer(exchange, ServiceEndpoint.fault(
                    new Refused(Refused.BAD_INPUT, "The request is not well-formed XML without a document type.", error)));
            return;
        } catch (Refused refused) {
            answer(exchange, ServiceEndpoint.fault(refused));
            return;
        }
        exchange.setStreams(new ByteArrayInputStream(request), null);
        chain.doFilter(exchange);
    }

    @Override
    public String description() {
        return "refuses what is not one SOAP 1.1 envelope with one body";
    }

    private static void check(Element envelope) throws Refused {
        if (is(envelope, "Envelope") && SignedForms.children(body(envelope)).size() == 1) {
            return;
        }
        if (!envelope.getLocalName().equals("Envelope") || is(envelope, "Envelope")) {
            throw new Refused(Refused.BAD_INPUT, "The request must be a SOAP envelope with one element in its body.");
        }
        // An envelope of another version: JAX-WS has the answer to that.
    }

    /** Returns the body: the last part of the envelope, and after a header the second. */
    private static Element body(Element envelope) throws Refused {
        List<Element> parts = SignedForms.children(envelope);
        int before = !parts.isEmpty() && is(parts.get(0), "Header") ? 1 : 0;
        if (parts.size() != before + 1 || !is(parts.get(before), "Body")) {
            throw new Refused(Refused.BAD_INPUT, "The envelope must have one body, and at most one header before it.");
        }
        return parts.get(before);
    }

    private static boolean mustBeUnderstood(Element envelope) {
        List<Element> parts = SignedForms.children(envelope);
        List<Element> headers = is(parts.get(0), "Header") ? SignedForms.children(parts.get(0)) : List.of();
        return headers.stream().anyMatch(each -> each.getAttributeNS(SOAP, "mustUnderstand").equals("1")
                && List.of("", NEXT).contains(each.getAttributeNS(SOAP, "actor")));
    }

    private static boolean is(Element element, String name) {
        return SOAP.equals(element.getNamespaceURI()) && name.equals(element.getLocalName());
    }

    private static void answer(HttpExchange exchange, Document fault) throws IOException {
        byte[] answer = Xml.bytes(fault);
        // What is left of a request that is too large is not worth reading.
        exchange.getResponseHeaders().set("Connection", "close");
        exchange.getResponseHeaders().set("Content-Type", "text/xml; charset=utf-8");
        exchange.sendResponseHeaders(500, answer.length);
        try (OutputStream body = exchange.getResponseBody()) {
            body.write(answer);
        }
        exchange.close();
    }
}
