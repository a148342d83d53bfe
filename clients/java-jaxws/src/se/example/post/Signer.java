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

/** The organisation that signs: its certificate and its private key. */
public record Signer(X509Certificate certificate, PrivateKey key) {
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

    /** The organisation that the certificate names. */
    public Organisation organisation() throws GeneralSecurityException {
        return Organisation.of(certificate);
    }
}
