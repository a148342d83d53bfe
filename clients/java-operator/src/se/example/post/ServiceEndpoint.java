package se.example.post;

import java.io.IOException;
import java.util.Map;
import java.util.UUID;

import javax.xml.bind.JAXBException;
import javax.xml.soap.SOAPConstants;
import javax.xml.transform.Source;
import javax.xml.transform.TransformerException;
import javax.xml.transform.dom.DOMSource;
import javax.xml.ws.Provider;
import javax.xml.ws.Service;
import javax.xml.ws.ServiceMode;
import javax.xml.ws.WebServiceException;
import javax.xml.ws.WebServiceProvider;

import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

import se.gov.minameddelanden.schema.common.v3.ExceptionInformation;
import se.gov.minameddelanden.schema.common.v3.ObjectFactory;

/**
 * The endpoint of Service. It is a Provider and no class with the generated interface: such a class gets objects, and a
 * signature over XML cannot be verified on those.
 */
@WebServiceProvider(wsdlLocation = "META-INF/wsdl/Service.wsdl", targetNamespace = "http://minameddelanden.gov.se/Service",
        serviceName = "Service", portName = "ServicePort-v3")
@ServiceMode(Service.Mode.MESSAGE)
public final class ServiceEndpoint implements Provider<Source> {
    private static final String SOAP = SOAPConstants.URI_NS_SOAP_1_1_ENVELOPE;
    private static final String SERVICE_V3 = "http://minameddelanden.gov.se/schema/Service/v3";
    private static final System.Logger LOG = System.getLogger(ServiceEndpoint.class.getName());

    /** What answers one operation: takes the payload as it came, returns the answer as an object of a generated class. */
    private interface Operation {
        Object answer(Element payload) throws Refused, IOException;
    }

    private final Map<String, Operation> operations;

    ServiceEndpoint(Deliveries deliveries) {
        operations = Map.of("deliverSecure", deliveries::deliverSecure, "deliverForward", deliveries::deliverForward,
                "notify", deliveries::notify);
    }

    @Override
    public Source invoke(Source request) {
        try {
            // One body with one element: the Gate has seen to that.
            Element body = SealedDelivery.only(Xml.document(request).getDocumentElement(), SOAP, "Body");
            Element payload = SignedForms.children(body).get(0);
            Operation operation = SERVICE_V3.equals(payload.getNamespaceURI()) ? operations.get(payload.getLocalName()) : null;
            if (operation == null) {
                throw new Refused(Refused.BAD_INPUT, "There is no such operation.");
            }
            Element answer = body();
            write(operation.answer(payload), answer);
            return new DOMSource(answer.getOwnerDocument());
        } catch (Refused refused) {
            return new DOMSource(fault(refused));
        } catch (TransformerException error) {
            return new DOMSource(fault(new Refused(Refused.BAD_INPUT, "The request cannot be read.", error)));
        } catch (IOException | RuntimeException error) {
            // Without its message: that may hold what was sent.
            LOG.log(System.Logger.Level.ERROR, "{0} at {1}", error.getClass().getName(), error.getStackTrace()[0]);
            return new DOMSource(fault(
                    new Refused(Refused.TECHNICAL, "A technical error. The same call may be repeated.", error)));
        }
    }

    /** Returns a fault, and logs it. As an answer it gets HTTP 500; a thrown one is also logged with its stack each time. */
    static Document fault(Refused refused) {
        // Below 5000 the caller is not to blame, and may repeat the same call.
        return fault(refused.code() < 5000 ? "Server" : "Client", refused);
    }

    static Document fault(String faultcode, Refused refused) {
        ExceptionInformation information = new ExceptionInformation();
        information.setErrorCode(refused.code());
        information.setDescription(refused.getMessage());
        information.setCallId(UUID.randomUUID().toString());
        LOG.log(System.Logger.Level.INFO, "call {0} refused, {1}: {2}", information.getCallId(),
                Integer.toString(refused.code()), refused.getMessage());
        Element fault = add(body(), SOAP, "soap:Fault");
        add(fault, null, "faultcode").setTextContent("soap:" + faultcode);
        add(fault, null, "faultstring").setTextContent(refused.getMessage());
        write(new ObjectFactory().createApplicationFault(information), add(fault, null, "detail"));
        return fault.getOwnerDocument();
    }

    private static void write(Object content, Element parent) {
        try {
            Xml.write(content, parent);
        } catch (JAXBException error) {
            throw new WebServiceException(error);
        }
    }

    private static Element body() {
        return add(add(Xml.newDocument(), SOAP, "soap:Envelope"), SOAP, "soap:Body");
    }

    private static Element add(Node parent, String namespace, String name) {
        Document document = parent instanceof Document ? (Document) parent : parent.getOwnerDocument();
        Element made = document.createElementNS(namespace, name);
        parent.appendChild(made);
        return made;
    }
}
