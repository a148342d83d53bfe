package se.example.post;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.UUID;

import javax.xml.bind.JAXBException;
import javax.xml.namespace.QName;
import javax.xml.soap.SOAPConstants;
import javax.xml.soap.SOAPException;
import javax.xml.soap.SOAPFactory;
import javax.xml.soap.SOAPFault;
import javax.xml.transform.Source;
import javax.xml.transform.TransformerException;
import javax.xml.transform.dom.DOMSource;
import javax.xml.ws.Provider;
import javax.xml.ws.Service;
import javax.xml.ws.ServiceMode;
import javax.xml.ws.WebServiceException;
import javax.xml.ws.WebServiceProvider;
import javax.xml.ws.soap.SOAPFaultException;

import org.w3c.dom.Document;
import org.w3c.dom.Element;

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
        String callId = UUID.randomUUID().toString();
        try {
            Element payload = payload(Xml.document(request).getDocumentElement());
            Operation operation = SERVICE_V3.equals(payload.getNamespaceURI()) ? operations.get(payload.getLocalName()) : null;
            if (operation == null) {
                throw new Refused(Refused.BAD_INPUT, "There is no such operation.");
            }
            return envelope(operation.answer(payload));
        } catch (Refused refused) {
            LOG.log(System.Logger.Level.INFO, "call {0} refused: {1}", callId, refused.getMessage());
            throw fault(refused.code(), refused.getMessage(), callId);
        } catch (TransformerException | JAXBException error) {
            throw fault(Refused.BAD_INPUT, "The request cannot be read.", callId);
        } catch (IOException | RuntimeException error) {
            // Without its message: that may hold what was sent.
            LOG.log(System.Logger.Level.ERROR, "call {0} ended in {1} at {2}", callId, error.getClass().getName(),
                    error.getStackTrace()[0]);
            throw fault(Refused.TECHNICAL, "A technical error. The same call may be repeated.", callId);
        }
    }

    private static Element payload(Element envelope) throws Refused {
        List<Element> payload = SignedForms.children(SealedDelivery.only(envelope, SOAP, "Body"));
        if (payload.size() != 1) {
            throw new Refused(Refused.BAD_INPUT, "There must be one element in the body.");
        }
        return payload.get(0);
    }

    private static Source envelope(Object answer) throws JAXBException {
        Document document = Xml.newDocument();
        Element envelope = document.createElementNS(SOAP, "soap:Envelope");
        Element body = document.createElementNS(SOAP, "soap:Body");
        document.appendChild(envelope).appendChild(body);
        Xml.write(answer, body);
        return new DOMSource(document);
    }

    private static SOAPFaultException fault(int code, String description, String callId) {
        ExceptionInformation information = new ExceptionInformation();
        information.setErrorCode(code);
        information.setDescription(description);
        information.setCallId(callId);
        try {
            // Below 5000 the caller is not to blame, and may repeat the same call.
            QName side = new QName(SOAP, code < 5000 ? "Server" : "Client");
            SOAPFault fault = SOAPFactory.newInstance(SOAPConstants.SOAP_1_1_PROTOCOL).createFault(description, side);
            Xml.write(new ObjectFactory().createApplicationFault(information), fault.addDetail());
            return new SOAPFaultException(fault);
        } catch (SOAPException | JAXBException error) {
            throw new WebServiceException(error);
        }
    }
}
