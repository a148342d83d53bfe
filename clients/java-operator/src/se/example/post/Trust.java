package se.example.post;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.CertPathBuilder;
import java.security.cert.CertStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The authorities whose certificates count. */
public final class Trust {
    private static final int DIGITAL_SIGNATURE = 0;
    private static final int NON_REPUDIATION = 1;

    private final Set<TrustAnchor> anchors;

    private Trust(Set<TrustAnchor> anchors) {
        this.anchors = anchors;
    }

    /** Reads the authorities from PEM files, each of which may hold several. */
    public static Trust load(List<Path> files) throws IOException, GeneralSecurityException {
        Set<TrustAnchor> anchors = new HashSet<>();
        for (Path file : files) {
            try (InputStream pem = Files.newInputStream(file)) {
                for (Certificate each : CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
                    anchors.add(new TrustAnchor((X509Certificate) each, null));
                }
            }
        }
        return new Trust(anchors);
    }

    /**
     * Checks that a certificate is valid now, may sign, and was issued by one of the authorities, or through the others
     * that came with it. Revocation is not looked at: that wants CRLs or OCSP, which depend on who issued it.
     */
    public void check(X509Certificate certificate, Collection<X509Certificate> others) throws Refused {
        boolean[] usage = certificate.getKeyUsage();
        if (usage != null && !usage[DIGITAL_SIGNATURE] && !usage[NON_REPUDIATION]) {
            throw new Refused(Refused.NOT_AUTHORISED, "The certificate's key may not be used for signatures.");
        }
        Set<X509Certificate> came = new HashSet<>(others);
        came.add(certificate);
        X509CertSelector wanted = new X509CertSelector();
        wanted.setCertificate(certificate);
        try {
            PKIXBuilderParameters parameters = new PKIXBuilderParameters(anchors, wanted);
            parameters.setRevocationEnabled(false);
            parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(came)));
            CertPathBuilder.getInstance("PKIX").build(parameters);
        } catch (GeneralSecurityException error) {
            throw new Refused(Refused.NOT_AUTHORISED,
                    "The certificate is not valid now, or no authority that is trusted here issued it.", error);
        }
    }
}
