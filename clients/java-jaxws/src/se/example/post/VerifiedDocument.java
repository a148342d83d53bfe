package se.example.post;

import java.io.ByteArrayInputStream;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;

import javax.xml.crypto.MarshalException;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignatureMethod;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureException;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;

import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;

/**
 * A document whose enveloped signature holds, and who signed it. Read nothing but its root from then on: what travelled
 * may hold more than was signed.
 */
public final class VerifiedDocument {
    private static final Set<String> SIGNATURE_METHODS =
            Set.of(SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512);
    private static final Set<String> DIGEST_METHODS =
            Set.of(DigestMethod.SHA256, DigestMethod.SHA384, DigestMethod.SHA512);
    private static final Set<String> CANONICALIZATIONS = Set.of(CanonicalizationMethod.EXCLUSIVE,
            CanonicalizationMethod.INCLUSIVE, "http://www.w3.org/2006/12/xml-c14n11");

    private final Element root;
    private final Organisation signer;
    private final String id;

    private VerifiedDocument(Element root, Organisation signer, String id) {
        this.root = root;
        this.signer = signer;
        this.id = id;
    }

    public Element root() {
        return root;
    }

    public Organisation signer() {
        return signer;
    }

    /** Names what was signed, and by which signature, however it is written: SHA-256 in hexadecimal. */
    public String id() {
        return id;
    }

    /**
     * Verifies an element.
     *
     * @param travelled the element as it came, under whatever name it has on the wire
     * @param signedAs the name that its root had when it was signed
     */
    public static VerifiedDocument verify(Element travelled, String signedAs, Trust trust) throws Refused {
        List<X509Certificate> certificates = certificates(signatureOf(travelled));
        X509Certificate certificate = certificates.get(0);
        trust.check(certificate, certificates.subList(1, certificates.size()));
        try {
            Organisation signer = Organisation.of(certificate);
            // Most signers give the root its own name. SOAP software may have added prefixes that the signer did not write.
            // The name and the prefixes are part of what was signed: at most one of these can verify.
            for (Element root : List.of(
                    SignedForms.asItCame(travelled, SignedForms.MESSAGE_V3, signedAs),
                    SignedForms.asItCame(travelled, travelled.getNamespaceURI(), travelled.getLocalName()),
                    SignedForms.prefixFree(travelled, SignedForms.MESSAGE_V3, signedAs),
                    SignedForms.prefixFree(travelled, travelled.getNamespaceURI(), travelled.getLocalName()))) {
                String id = holds(root, certificate);
                if (id != null) {
                    return new VerifiedDocument(root, signer, id);
                }
            }
        } catch (GeneralSecurityException error) {
            throw new Refused(Refused.NOT_AUTHORISED, "The certificate names no organisation.", error);
        }
        throw new Refused(Refused.SIGNATURE, "The signature of " + signedAs + " does not verify: its content was changed.");
    }

    private static String holds(Element root, X509Certificate certificate) throws Refused, GeneralSecurityException {
        Element signature = signatureOf(root);
        DOMValidateContext context = new DOMValidateContext(certificate.getPublicKey(), signature);
        // Refuses HMAC keys out of the message, external references, XSLT, and more. It is the default since Java 17.
        context.setProperty("org.jcp.xml.dsig.secureValidation", true);
        if (root.hasAttribute("Id")) {
            context.setIdAttributeNS(root, null, "Id");
        }
        try {
            XMLSignature unmarshalled = XMLSignatureFactory.getInstance("DOM").unmarshalXMLSignature(context);
            checkForm(unmarshalled, root.getAttribute("Id"));
            if (!unmarshalled.validate(context)) {
                return null;
            }
            MessageDigest name = MessageDigest.getInstance("SHA-256");
            name.update(unmarshalled.getSignedInfo().getReferences().get(0).getDigestValue());
            name.update(unmarshalled.getSignatureValue().getValue());
            return HexFormat.of().formatHex(name.digest());
        } catch (MarshalException | XMLSignatureException error) {
            throw new Refused(Refused.SIGNATURE, "The signature cannot be read, or has a form that is not accepted.", error);
        }
    }

    /** "Valid" says that something was signed. This makes sure that it is the whole of the root, by accepted algorithms. */
    private static void checkForm(XMLSignature signature, String id) throws Refused {
        List<Reference> references = signature.getSignedInfo().getReferences();
        Reference reference = references.get(0);
        String uri = reference.getURI();
        boolean whole = "".equals(uri) || (!id.isEmpty() && ("#" + id).equals(uri));
        if (references.size() != 1 || !whole || !signature.getObjects().isEmpty()) {
            throw new Refused(Refused.SIGNATURE, "The signature must have one reference, to the whole signed element.");
        }
        List<Transform> transforms = reference.getTransforms();
        boolean enveloped = !transforms.isEmpty() && isOneOf(transforms.get(0), Set.of(Transform.ENVELOPED));
        boolean accepted = transforms.size() == 1 || (transforms.size() == 2 && isOneOf(transforms.get(1), CANONICALIZATIONS));
        if (!enveloped || !accepted
                || !CANONICALIZATIONS.contains(signature.getSignedInfo().getCanonicalizationMethod().getAlgorithm())
                || !SIGNATURE_METHODS.contains(signature.getSignedInfo().getSignatureMethod().getAlgorithm())
                || !DIGEST_METHODS.contains(reference.getDigestMethod().getAlgorithm())) {
            throw new Refused(Refused.SIGNATURE, "The signature uses an algorithm or a transform that is not accepted.");
        }
    }

    private static boolean isOneOf(Transform transform, Set<String> algorithms) {
        return algorithms.contains(transform.getAlgorithm());
    }

    /** Returns the one Signature of an element, which must be its last child. */
    private static Element signatureOf(Element element) throws Refused {
        List<Element> children = SignedForms.children(element);
        long signatures = children.stream().filter(VerifiedDocument::isSignature).count();
        if (signatures == 0) {
            throw new Refused(Refused.SIGNATURE, "The signature is missing.");
        }
        Element last = children.get(children.size() - 1);
        if (signatures > 1 || !isSignature(last)) {
            throw new Refused(Refused.SIGNATURE, "There must be one signature, as the last child of the signed element.");
        }
        return last;
    }

    private static boolean isSignature(Element element) {
        return XMLSignature.XMLNS.equals(element.getNamespaceURI()) && "Signature".equals(element.getLocalName());
    }

    private static List<X509Certificate> certificates(Element signature) throws Refused {
        List<X509Certificate> found = new ArrayList<>();
        NodeList elements = signature.getElementsByTagNameNS(XMLSignature.XMLNS, "X509Certificate");
        try {
            for (int i = 0; i < elements.getLength(); i++) {
                Node each = elements.item(i);
                byte[] der = Base64.getMimeDecoder().decode(each.getTextContent());
                found.add((X509Certificate) CertificateFactory.getInstance("X.509")
                        .generateCertificate(new ByteArrayInputStream(der)));
            }
        } catch (IllegalArgumentException | GeneralSecurityException error) {
            throw new Refused(Refused.NOT_AUTHORISED, "The certificate cannot be read.", error);
        }
        if (found.isEmpty()) {
            throw new Refused(Refused.SIGNATURE, "The signature carries no certificate.");
        }
        return found;
    }
}
