package se.example.post;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.interfaces.RSAKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Map;

import javax.naming.NamingException;
import javax.naming.directory.Attribute;
import javax.naming.ldap.LdapName;
import javax.naming.ldap.Rdn;
import javax.security.auth.x500.X500Principal;

/** The organisation that signs: its certificate and its private key. */
public record Signer(X509Certificate certificate, PrivateKey key) {
    private static final Map<String, String> ORGANISATION_NUMBER = Map.of("2.5.4.5", "serialNumber");

    /** Reads PEM files. The first certificate is the signer's own; the key is PKCS #8 and not encrypted. */
    public static Signer load(Path certificate, Path key) throws IOException, GeneralSecurityException {
        X509Certificate own;
        try (InputStream pem = Files.newInputStream(certificate)) {
            own = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(pem);
        }
        String base64 = Files.readString(key).replaceAll("-----[A-Z ]+-----", "");
        PrivateKey secret = KeyFactory.getInstance("RSA")
                .generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(base64)));
        if (!((RSAKey) secret).getModulus().equals(((RSAKey) own.getPublicKey()).getModulus())) {
            throw new GeneralSecurityException("the key in " + key + " does not belong to the certificate in " + certificate);
        }
        return new Signer(own, secret);
    }

    /** The organisation number, 12 digits that begin with 16. */
    public String organisation() throws GeneralSecurityException {
        return subject("serialNumber");
    }

    /** The organisation's name. */
    public String name() throws GeneralSecurityException {
        return subject("O");
    }

    private String subject(String type) throws GeneralSecurityException {
        String subject = certificate.getSubjectX500Principal().getName(X500Principal.RFC2253, ORGANISATION_NUMBER);
        try {
            // One RDN may hold several attributes: to cut the printed name at its commas would miss some.
            for (Rdn rdn : new LdapName(subject).getRdns()) {
                Attribute attribute = rdn.toAttributes().get(type);
                if (attribute != null) {
                    return attribute.get().toString();
                }
            }
        } catch (NamingException error) {
            throw new GeneralSecurityException("the subject of the certificate cannot be read", error);
        }
        throw new GeneralSecurityException("the subject of the certificate has no " + type);
    }
}
