import java.io.ByteArrayInputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.UUID;

import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.namespace.QName;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.Source;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMResult;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import javax.xml.transform.stream.StreamSource;
import javax.xml.ws.Dispatch;
import javax.xml.ws.Service;
import javax.xml.ws.soap.SOAPFaultException;

import org.w3c.dom.Document;
import org.w3c.dom.Node;

import se.gov.minameddelanden.message.Message;
import se.gov.minameddelanden.message.MessagePortV3;
import se.gov.minameddelanden.recipient.ApplicationFaultV3;
import se.gov.minameddelanden.recipient.Recipient;
import se.gov.minameddelanden.recipient.RecipientPortV3;
import se.gov.minameddelanden.schema.message.DistributionStatus;
import se.gov.minameddelanden.schema.recipient.ReachabilityStatus;

/**
 * What an agency's Java system does: ask who can be reached, sign a message, send it and follow it.
 *
 * Arguments: the server's URL, the sender's certificate and key as PEM files, the recipients; the message goes to the
 * first of them. Prints one line for each answer.
 */
public final class SendAndFollow {
    private static final String MESSAGE = "http://minameddelanden.gov.se/schema/Message/v3";
    private static final String SENDER = "162021004748";

    public static void main(String[] arguments) throws Exception {
        String base = arguments[0];
        X509Certificate certificate = certificate(Path.of(arguments[1]));
        PrivateKey key = key(Path.of(arguments[2]));
        List<String> recipients = Arrays.asList(arguments).subList(3, arguments.length);

        RecipientPortV3 register = new Recipient(new URL(base + "/Recipient/v3?wsdl")).getRecipientPortV3();
        ask(register, recipients);
        refusedByTheRegister(register, new ArrayList<>(Collections.nCopies(1001, recipients.get(0))));

        Message service = new Message(new URL(base + "/Message/v3?wsdl"));
        String request = request(signed(recipients.get(0), certificate, key));
        String distribution = distribute(service, request);
        System.out.println("the same again " + distribution.equals(distribute(service, request)));
        try {
            distribute(service, request.replace("Beslut", "Beslux"));
        } catch (SOAPFaultException refused) {
            System.out.println("changed " + errorCode(refused));
        }
        follow(service.getMessagePortV3(), distribution);
    }

    private static void ask(RecipientPortV3 register, List<String> recipients) throws ApplicationFaultV3 {
        for (ReachabilityStatus each : register.isReachable(SENDER, recipients)) {
            var account = each.getAccountStatus();
            var operator = account.getServiceSupplier();
            System.out.println(String.join(" ", account.getRecipientId(), account.getType().value(),
                    String.valueOf(account.isPending()), String.valueOf(each.isSenderAccepted()),
                    operator == null ? "-" : operator.getId()));
        }
    }

    private static void refusedByTheRegister(RecipientPortV3 register, List<String> tooMany) {
        try {
            register.isRegistered(tooMany);
        } catch (ApplicationFaultV3 fault) {
            System.out.println("too many " + fault.getFaultInfo().getErrorCode() + " "
                    + fault.getFaultInfo().getCallId().length());
        }
    }

    private static String distribute(Message service, String request) throws Exception {
        Dispatch<Source> dispatch = service.createDispatch(
                new QName(service.getServiceName().getNamespaceURI(), "MessagePort-v3"), Source.class, Service.Mode.PAYLOAD);
        DOMResult answer = new DOMResult();
        TransformerFactory.newInstance().newTransformer()
                .transform(dispatch.invoke(new StreamSource(new StringReader(request))), answer);
        return ((Document) answer.getNode()).getDocumentElement().getTextContent().trim();
    }

    private static String errorCode(SOAPFaultException fault) {
        Node detail = (Node) fault.getFault().getDetail();
        return ((org.w3c.dom.Element) detail).getElementsByTagNameNS("*", "ErrorCode").item(0).getTextContent();
    }

    private static void follow(MessagePortV3 port, String distribution) throws Exception {
        for (int tries = 0; tries < 100; tries++) {
            try {
                DistributionStatus status = port.checkDistributionStatus(SENDER, distribution).get(0);
                if (!"PENDING".equals(String.valueOf(status.getDeliveryStatus()))) {
                    System.out.println("sent " + distribution + " " + status.getType().value() + " "
                            + status.getDeliveryStatus().value());
                    return;
                }
            } catch (se.gov.minameddelanden.message.ApplicationFaultV3 fault) {
                if (fault.getFaultInfo().getErrorCode() != 5004) {
                    throw fault;
                }
            }
            Thread.sleep(100);
        }
    }

    /** The bytes that were signed, under the name that they have on the wire; nothing is parsed again. */
    private static String request(String signed) {
        return "<distributeSecure xmlns=\"" + MESSAGE + "\">" + signed.replace("SignedDelivery", "signedDelivery")
                + "</distributeSecure>";
    }

    private static String signed(String recipient, X509Certificate certificate, PrivateKey key) throws Exception {
        String schema = "http://minameddelanden.gov.se/schema/";
        String text = Base64.getEncoder().encodeToString("Hej på dig!".getBytes(StandardCharsets.UTF_8));
        String delivery = "<SignedDelivery xmlns=\"" + MESSAGE + "\"><Delivery><Header><Sender xmlns=\"" + schema
                + "Message/v2\"><Id xmlns=\"" + schema + "Sender\">" + SENDER + "</Id><Name xmlns=\"" + schema
                + "Sender\">Kommun A</Name></Sender><Recipient xmlns=\"" + schema + "Message/v2\">" + recipient
                + "</Recipient></Header><Message><Header><Id>" + UUID.randomUUID()
                + "</Id><Subject>Beslut å &amp; ä</Subject><Supportinfo><Text>Ring oss.</Text></Supportinfo>"
                + "<Language>svSE</Language></Header><Body><ContentType xmlns=\"" + schema
                + "Message\">text/plain</ContentType><Body xmlns=\"" + schema + "Message\">" + text
                + "</Body></Body></Message></Delivery></SignedDelivery>";
        DocumentBuilderFactory builders = DocumentBuilderFactory.newInstance();
        builders.setNamespaceAware(true);
        Document document = builders.newDocumentBuilder()
                .parse(new ByteArrayInputStream(delivery.getBytes(StandardCharsets.UTF_8)));

        XMLSignatureFactory signatures = XMLSignatureFactory.getInstance("DOM");
        Reference reference = signatures.newReference("", signatures.newDigestMethod(DigestMethod.SHA256, null),
                List.of(signatures.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null)), null, null);
        SignedInfo info = signatures.newSignedInfo(
                signatures.newCanonicalizationMethod(CanonicalizationMethod.EXCLUSIVE, (C14NMethodParameterSpec) null),
                signatures.newSignatureMethod("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", null),
                List.of(reference));
        KeyInfoFactory keys = signatures.getKeyInfoFactory();
        KeyInfo keyInfo = keys.newKeyInfo(List.of(keys.newX509Data(
                List.of(certificate.getSubjectX500Principal().getName(), certificate))));
        signatures.newXMLSignature(info, keyInfo).sign(new DOMSignContext(key, document.getDocumentElement()));

        Transformer writer = TransformerFactory.newInstance().newTransformer();
        writer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
        StringWriter out = new StringWriter();
        writer.transform(new DOMSource(document), new StreamResult(out));
        return out.toString();
    }

    private static X509Certificate certificate(Path pem) throws Exception {
        try (var in = Files.newInputStream(pem)) {
            return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }

    private static PrivateKey key(Path pem) throws Exception {
        String base64 = Files.readString(pem).replaceAll("-----[A-Z ]+-----", "");
        byte[] der = Base64.getMimeDecoder().decode(base64);
        return KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(der));
    }
}
