import java.io.File;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.parsers.DocumentBuilderFactory;
import java.io.ByteArrayInputStream;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Base64;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/** Verifies, with the JDK alone, the signature that is a child of each file's root; prints "valid" for each. */
public class VerifySignature {
    public static void main(String[] files) throws Exception {
        for (String file : files) {
            DocumentBuilderFactory documents = DocumentBuilderFactory.newInstance();
            documents.setNamespaceAware(true);
            Document document = documents.newDocumentBuilder().parse(new File(file));
            Element signature = null;
            for (Node n = document.getDocumentElement().getFirstChild(); n != null; n = n.getNextSibling()) {
                if (n instanceof Element && XMLSignature.XMLNS.equals(n.getNamespaceURI())) {
                    signature = (Element) n;
                }
            }
            String text = signature.getElementsByTagNameNS(XMLSignature.XMLNS, "X509Certificate").item(0).getTextContent();
            X509Certificate certificate = (X509Certificate) CertificateFactory.getInstance("X.509")
                .generateCertificate(new ByteArrayInputStream(Base64.getMimeDecoder().decode(text)));
            DOMValidateContext context = new DOMValidateContext(certificate.getPublicKey(), signature);
            boolean valid = XMLSignatureFactory.getInstance("DOM").unmarshalXMLSignature(context).validate(context);
            System.out.println(valid ? "valid" : "invalid");
        }
    }
}
