package se.example.post;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;

import org.w3c.dom.Attr;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NamedNodeMap;
import org.w3c.dom.Node;

/**
 * The documents that may have been signed, made from the element that travelled. A signer signs a document of its own,
 * and on the wire its root has another name; what stands around it there is no part of it.
 */
final class SignedForms {
    static final String MESSAGE_V3 = "http://minameddelanden.gov.se/schema/Message/v3";

    private SignedForms() {
    }

    /** Returns the root of a document of its own: the element with its prefixes, under this name. */
    static Element asItCame(Element travelled, String namespace, String name) {
        // The name on the wire can have a prefix of its own. What the signer wrote, the first child tells.
        Element like = namespace.equals(travelled.getNamespaceURI()) ? travelled : children(travelled).get(0);
        String prefix = namespace.equals(like.getNamespaceURI()) ? like.getPrefix() : null;
        Document document = newDocument();
        Element root = document.createElementNS(namespace, prefix == null ? name : prefix + ":" + name);
        document.appendChild(root);
        for (Attr each : attributes(travelled)) {
            root.setAttributeNodeNS((Attr) document.importNode(each, true));
        }
        for (Node child = travelled.getFirstChild(); child != null; child = child.getNextSibling()) {
            root.appendChild(document.importNode(child, true));
        }
        declare(root, new HashMap<>(), root);
        return root;
    }

    /** Returns the root of a document of its own without prefixes, under this name. */
    static Element prefixFree(Element travelled, String namespace, String name) {
        Document document = newDocument();
        Element root = copy(travelled, document, namespace, name);
        declare(root, new HashMap<>(), root);
        return root;
    }

    /** Returns the elements among an element's children. */
    static List<Element> children(Element element) {
        List<Element> found = new ArrayList<>();
        for (Node child = element.getFirstChild(); child != null; child = child.getNextSibling()) {
            if (child instanceof Element) {
                found.add((Element) child);
            }
        }
        return found;
    }

    private static Element copy(Element from, Node parent, String namespace, String name) {
        Document document = parent instanceof Document ? (Document) parent : parent.getOwnerDocument();
        Element made = document.createElementNS(namespace, name);
        String around = parent.getNamespaceURI() == null ? "" : parent.getNamespaceURI();
        String own = namespace == null ? "" : namespace;
        if (!own.equals(around)) {
            made.setAttributeNS(XMLConstants.XMLNS_ATTRIBUTE_NS_URI, XMLConstants.XMLNS_ATTRIBUTE, own);
        }
        parent.appendChild(made);
        for (Attr each : attributes(from)) {
            if (!isDeclaration(each)) {
                made.setAttributeNodeNS((Attr) document.importNode(each, true));
            }
        }
        for (Node child = from.getFirstChild(); child != null; child = child.getNextSibling()) {
            if (child instanceof Element) {
                copy((Element) child, made, child.getNamespaceURI(), child.getLocalName());
            } else {
                made.appendChild(document.importNode(child, true));
            }
        }
        return made;
    }

    /** Declares on the root, or else where they are used, the prefixes that only an ancestor on the wire declared. */
    private static void declare(Element element, Map<String, String> scope, Element root) {
        for (Attr each : attributes(element)) {
            if (isDeclaration(each)) {
                scope.put(each.getPrefix() == null ? "" : each.getLocalName(), each.getValue());
            }
        }
        declare(element, element, scope, root);
        for (Attr each : attributes(element)) {
            if (!isDeclaration(each) && each.getPrefix() != null && !each.getPrefix().equals(XMLConstants.XML_NS_PREFIX)) {
                declare(each, element, scope, root);
            }
        }
        for (Element child : children(element)) {
            declare(child, new HashMap<>(scope), root);
        }
    }

    private static void declare(Node named, Element element, Map<String, String> scope, Element root) {
        String prefix = named.getPrefix() == null ? "" : named.getPrefix();
        String namespace = named.getNamespaceURI() == null ? "" : named.getNamespaceURI();
        if (!namespace.equals(scope.getOrDefault(prefix, ""))) {
            String name = prefix.isEmpty() ? XMLConstants.XMLNS_ATTRIBUTE : XMLConstants.XMLNS_ATTRIBUTE + ":" + prefix;
            Element place = root.hasAttribute(name) ? element : root;
            place.setAttributeNS(XMLConstants.XMLNS_ATTRIBUTE_NS_URI, name, namespace);
            scope.put(prefix, namespace);
        }
    }

    private static boolean isDeclaration(Attr attribute) {
        return XMLConstants.XMLNS_ATTRIBUTE_NS_URI.equals(attribute.getNamespaceURI());
    }

    private static List<Attr> attributes(Element element) {
        List<Attr> found = new ArrayList<>();
        NamedNodeMap attributes = element.getAttributes();
        for (int i = 0; i < attributes.getLength(); i++) {
            found.add((Attr) attributes.item(i));
        }
        return found;
    }

    private static Document newDocument() {
        try {
            return DocumentBuilderFactory.newDefaultNSInstance().newDocumentBuilder().newDocument();
        } catch (ParserConfigurationException error) {
            throw new IllegalStateException(error);
        }
    }
}
