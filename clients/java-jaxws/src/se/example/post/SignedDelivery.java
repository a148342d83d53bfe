package se.example.post;

import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;

import javax.xml.XMLConstants;
import javax.xml.crypto.MarshalException;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignatureMethod;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignatureException;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerException;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;

import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/** A delivery of one message to one recipient, with the sender's signature. Nothing may change the XML any more. */
public final class SignedDelivery {
    private static final String SCHEMA = "http://minameddelanden.gov.se/schema/";
    private static final String SENDER = SCHEMA + "Sender";
    private static final String MESSAGE_V1 = SCHEMA + "Message";
    private static final String MESSAGE_V2 = SCHEMA + "Message/v2";
    private static final String MESSAGE_V3 = SCHEMA + "Message/v3";
    private static final String ROOT = "SignedDelivery";

    static {
        // The JDK breaks long base64 lines with CR LF, and XML has to write each CR as &#13;. Verifiers stumble over that.
        System.setProperty("com.sun.org.apache.xml.internal.security.ignoreLineBreaks", "true");
    }

    private final String xml;

    private SignedDelivery(String xml) {
        this.xml = xml;
    }

    /** Builds and signs a delivery. Its message has a new id each time: to send it again, keep this object. */
    public static SignedDelivery create(Signer signer, String recipient, String subject, String text, Path pdf)
            throws IOException, GeneralSecurityException {
        try {
            Document document = build(signer, recipient, subject, text, pdf);
            sign(document.getDocumentElement(), signer);
            return new SignedDelivery(write(document));
        } catch (ParserConfigurationException | MarshalException | XMLSignatureException | TransformerException error) {
            throw new GeneralSecurityException("the delivery cannot be signed", error);
        }
    }

    /**
     * Returns the payload of distributeSecure, with the XML that was signed and not written anew.
     *
     * Only the name of its root differs there: the schema calls it signedDelivery. It was signed as SignedDelivery, and the
     * dispatcher knows that.
     */
    public String request() {
        String inside = xml.substring(("<" + ROOT).length(), xml.lastIndexOf("</" + ROOT));
        return "<distributeSecure xmlns=\"" + MESSAGE_V3 + "\"><signedDelivery" + inside
                + "</signedDelivery></distributeSecure>";
    }

    private static Document build(Signer signer, String recipient, String subject, String text, Path pdf)
            throws ParserConfigurationException, IOException, GeneralSecurityException {
        Document document = DocumentBuilderFactory.newDefaultNSInstance().newDocumentBuilder().newDocument();
        Element delivery = add(add(document, MESSAGE_V3, ROOT), MESSAGE_V3, "Delivery");

        Element deliveryHeader = add(delivery, MESSAGE_V3, "Header");
        Element sender = add(deliveryHeader, MESSAGE_V2, "Sender");
        add(sender, SENDER, "Id", signer.organisation().number());
        add(sender, SENDER, "Name", signer.organisation().name());
        add(deliveryHeader, MESSAGE_V2, "Recipient", recipient);

        Element message = add(delivery, MESSAGE_V3, "Message");
        Element header = add(message, MESSAGE_V3, "Header");
        add(header, MESSAGE_V3, "Id", UUID.randomUUID().toString());
        add(header, MESSAGE_V3, "Subject", subject);
        // How the recipient reaches you, in your own words.
        add(add(header, MESSAGE_V3, "Supportinfo"), MESSAGE_V3, "Text", "");
        add(header, MESSAGE_V3, "Language", "svSE");

        Element body = add(message, MESSAGE_V3, "Body");
        add(body, MESSAGE_V1, "ContentType", "text/plain");
        add(body, MESSAGE_V1, "Body", base64(text.getBytes(StandardCharsets.UTF_8)));

        byte[] file = Files.readAllBytes(pdf);
        Element attachment = add(message, MESSAGE_V3, "Attachment");
        add(attachment, MESSAGE_V1, "ContentType", "application/pdf");
        add(attachment, MESSAGE_V1, "Body", base64(file));
        // The checksum finds damage, not forgery: the signature does that. The contract wants MD5.
        add(attachment, MESSAGE_V1, "Checksum", HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(file)));
        add(attachment, MESSAGE_V1, "Filename", pdf.getFileName().toString());
        return document;
    }

    /** Adds an element without a prefix. In that form all ways of computing a digest agree. */
    private static Element add(Node parent, String namespace, String name) {
        Document document = parent instanceof Document ? (Document) parent : parent.getOwnerDocument();
        Element element = document.createElementNS(namespace, name);
        if (!namespace.equals(parent.getNamespaceURI())) {
            // The canonical form of a DOM tree has the declarations that stand in it as attributes, and no others.
            element.setAttributeNS(XMLConstants.XMLNS_ATTRIBUTE_NS_URI, XMLConstants.XMLNS_ATTRIBUTE, namespace);
        }
        parent.appendChild(element);
        return element;
    }

    private static void add(Node parent, String namespace, String name, String text) {
        add(parent, namespace, name).setTextContent(text);
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }

    /** Signs the document that this is the root of, as the root's last child. */
    private static void sign(Element root, Signer signer)
            throws GeneralSecurityException, MarshalException, XMLSignatureException {
        XMLSignatureFactory signatures = XMLSignatureFactory.getInstance("DOM");
        // The empty URI is the whole document. One transform, enveloped-signature, is all that every receiver accepts.
        Reference reference = signatures.newReference("", signatures.newDigestMethod(DigestMethod.SHA256, null),
                List.of(signatures.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null)), null, null);
        SignedInfo signedInfo = signatures.newSignedInfo(
                signatures.newCanonicalizationMethod(CanonicalizationMethod.EXCLUSIVE, (C14NMethodParameterSpec) null),
                signatures.newSignatureMethod(SignatureMethod.RSA_SHA256, null), List.of(reference));
        KeyInfoFactory keys = signatures.getKeyInfoFactory();
        KeyInfo keyInfo = keys.newKeyInfo(List.of(keys.newX509Data(
                List.of(signer.certificate().getSubjectX500Principal().getName(), signer.certificate()))));
        signatures.newXMLSignature(signedInfo, keyInfo).sign(new DOMSignContext(signer.key(), root));
    }

    private static String write(Document document) throws TransformerException {
        Transformer writer = TransformerFactory.newDefaultInstance().newTransformer();
        // An XML declaration cannot stand in the middle of a request.
        writer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
        StringWriter written = new StringWriter();
        writer.transform(new DOMSource(document), new StreamResult(written));
        return written.toString();
    }
}
