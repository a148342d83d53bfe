package se.example.post;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;

import javax.xml.XMLConstants;
import javax.xml.bind.JAXBContext;
import javax.xml.bind.JAXBException;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.Source;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerException;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMResult;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.Schema;
import javax.xml.validation.SchemaFactory;

import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.bootstrap.DOMImplementationRegistry;
import org.w3c.dom.ls.DOMImplementationLS;
import org.w3c.dom.ls.LSInput;
import org.w3c.dom.ls.LSResourceResolver;
import org.xml.sax.SAXException;

/** Between trees, bytes and the generated classes; and the contract's schemas, which the Makefile fetched. */
final class Xml {
    private static final int DEEPEST = 200;
    private static final JAXBContext TYPES = types();
    private static final Schema SCHEMA = schema();

    private Xml() {
    }

    static Document newDocument() {
        try {
            return DocumentBuilderFactory.newDefaultNSInstance().newDocumentBuilder().newDocument();
        } catch (ParserConfigurationException error) {
            throw new IllegalStateException(error);
        }
    }

    /** Returns what a source holds as a tree, with its prefixes and declarations as they came. */
    static Document document(Source source) throws TransformerException {
        DOMResult result = new DOMResult(newDocument());
        TransformerFactory.newDefaultInstance().newTransformer().transform(source, result);
        return (Document) result.getNode();
    }

    /** Parses what a stranger sent: no document type, and within bounds. */
    static Document parse(byte[] content) throws SAXException, IOException {
        try {
            DocumentBuilderFactory documents = DocumentBuilderFactory.newDefaultNSInstance();
            documents.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
            documents.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
            documents.setAttribute("http://www.oracle.com/xml/jaxp/properties/maxElementDepth", DEEPEST);
            DocumentBuilder builder = documents.newDocumentBuilder();
            builder.setErrorHandler(null);  // else it prints
            return builder.parse(new ByteArrayInputStream(content));
        } catch (ParserConfigurationException error) {
            throw new IllegalStateException(error);
        }
    }

    static byte[] bytes(Node node) {
        try {
            Transformer writer = TransformerFactory.newDefaultInstance().newTransformer();
            writer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
            ByteArrayOutputStream written = new ByteArrayOutputStream();
            writer.transform(new DOMSource(node), new StreamResult(written));
            return written.toByteArray();
        } catch (TransformerException error) {
            throw new IllegalStateException(error);
        }
    }

    /** Reads an element as an object of a generated class. */
    static <T> T read(Element element, Class<T> type) throws Refused {
        try {
            return TYPES.createUnmarshaller().unmarshal(element, type).getValue();
        } catch (JAXBException error) {
            throw new Refused(Refused.BAD_INPUT, "The request does not follow the schema.", error);
        }
    }

    static void write(Object object, Node parent) throws JAXBException {
        TYPES.createMarshaller().marshal(object, parent);
    }

    /** Checks the payload of a request against the schemas. */
    static void validate(Element payload) throws Refused, IOException {
        try {
            SCHEMA.newValidator().validate(new DOMSource(payload));
        } catch (SAXException error) {
            throw new Refused(Refused.BAD_INPUT, "The request does not follow the schema.", error);
        }
    }

    private static JAXBContext types() {
        try {
            return JAXBContext.newInstance(se.gov.minameddelanden.schema.service.v3.ObjectFactory.class,
                    se.gov.minameddelanden.schema.message.v3.ObjectFactory.class,
                    se.gov.minameddelanden.schema.common.v3.ObjectFactory.class);
        } catch (JAXBException error) {
            throw new IllegalStateException(error);
        }
    }

    private static Schema schema() {
        try {
            SchemaFactory schemas = SchemaFactory.newDefaultInstance();
            DOMImplementationLS inputs =
                    (DOMImplementationLS) DOMImplementationRegistry.newInstance().getDOMImplementation("LS");
            // The schemas refer to each other by the addresses that they were fetched from; here they stand by their paths.
            LSResourceResolver beside = (type, namespace, publicId, systemId, base) -> {
                LSInput input = inputs.createLSInput();
                input.setSystemId(systemId);
                input.setByteStream(resource(URI.create(systemId).getPath()));
                return input;
            };
            schemas.setResourceResolver(beside);
            schemas.setProperty(XMLConstants.ACCESS_EXTERNAL_DTD, "");
            return schemas.newSchema(new StreamSource(resource("/xsd/v3/Service.xsd")));
        } catch (ReflectiveOperationException | SAXException error) {
            throw new IllegalStateException(error);
        }
    }

    private static InputStream resource(String path) {
        InputStream found = Xml.class.getResourceAsStream("/META-INF" + path);
        if (found == null) {
            throw new IllegalStateException("the schema " + path + " is missing; build again");
        }
        return found;
    }
}
