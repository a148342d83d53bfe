package se.example.post;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;

import org.w3c.dom.Element;
import org.xml.sax.SAXException;

/**
 * A delivery that a dispatcher sealed: its seal and its sender's signature hold. Whether those who made them may do so is
 * not checked here.
 *
 * @param signaturesOk what the dispatcher says of the sender's signature
 */
public record SealedDelivery(VerifiedDocument seal, VerifiedDocument delivery, boolean signaturesOk) {
    private static final String SOAP = "http://schemas.xmlsoap.org/soap/envelope/";
    private static final String MESSAGE_V1 = "http://minameddelanden.gov.se/schema/Message";
    private static final String SERVICE_V3 = "http://minameddelanden.gov.se/schema/Service/v3";
    private static final String ROOT = "SealedDelivery";
    private static final String INSIDE = "SignedDelivery";

    /** Verifies the seal, and then the sender's signature in what the seal covers. */
    public static SealedDelivery verify(Element travelled, Trust trust) throws Refused {
        VerifiedDocument seal = VerifiedDocument.verify(travelled, ROOT, trust);
        List<Element> parts = SignedForms.children(seal.root());
        if (parts.size() != 3 || !is(parts.get(0), INSIDE) || !is(parts.get(1), "Seal")) {
            throw new Refused(Refused.BAD_INPUT, "A SealedDelivery holds one SignedDelivery, one Seal and its signature.");
        }
        VerifiedDocument delivery = VerifiedDocument.verify(parts.get(0), INSIDE, trust);
        String ok = only(parts.get(1), MESSAGE_V1, "SignaturesOK").getTextContent().strip();
        return new SealedDelivery(seal, delivery, ok.equals("true") || ok.equals("1"));
    }

    /** Returns the sealed delivery in a file: a request of deliverSecure as it came, or a SealedDelivery alone. */
    public static Element read(Path file) throws IOException, SAXException, ParserConfigurationException, Refused {
        DocumentBuilderFactory documents = DocumentBuilderFactory.newDefaultNSInstance();
        documents.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
        documents.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        Element root = documents.newDocumentBuilder().parse(file.toFile()).getDocumentElement();
        if (is(root, ROOT)) {
            return root;
        }
        Element body = only(root, SOAP, "Body");
        return only(only(body, SERVICE_V3, "deliverSecure"), SERVICE_V3, "deliverSecure");
    }

    /** Returns the one child of this name; anything else beside it is a header, or a wrapped copy. */
    static Element only(Element parent, String namespace, String name) throws Refused {
        List<Element> found = SignedForms.children(parent).stream()
                .filter(each -> namespace.equals(each.getNamespaceURI()) && name.equals(each.getLocalName())).toList();
        if (found.size() != 1) {
            throw new Refused(Refused.BAD_INPUT, "There must be one " + name + " in " + parent.getLocalName() + ".");
        }
        return found.get(0);
    }

    private static boolean is(Element element, String name) {
        return SignedForms.MESSAGE_V3.equals(element.getNamespaceURI()) && name.equals(element.getLocalName());
    }
}
