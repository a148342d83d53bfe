package se.example.post;

import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.util.Map;

import javax.naming.NamingException;
import javax.naming.directory.Attribute;
import javax.naming.ldap.LdapName;
import javax.naming.ldap.Rdn;
import javax.security.auth.x500.X500Principal;

/** The organisation that a certificate names: its number, 12 digits that begin with 16, and its name. */
public record Organisation(String number, String name) {
    private static final Map<String, String> ORGANISATION_NUMBER = Map.of("2.5.4.5", "serialNumber");

    public static Organisation of(X509Certificate certificate) throws GeneralSecurityException {
        return new Organisation(subject(certificate, "serialNumber"), subject(certificate, "O"));
    }

    private static String subject(X509Certificate certificate, String type) throws GeneralSecurityException {
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
