// The certificate and key of the organisation that sends.
#pragma once

#include <memory>
#include <string>

#include <openssl/evp.h>
#include <openssl/x509.h>

class Signer {
public:
    // Two PEM files; the first certificate of the file is the signer's own.
    Signer(const std::string& certificate_file, const std::string& key_file);

    // The organisation number: 12 digits that begin with 16.
    std::string organisation() const;
    std::string name() const;

    // The whole subject as text, for KeyInfo (RFC 2253).
    std::string subject_name() const;

    const std::string certificate_file;
    const std::string key_file;

private:
    std::string subject_attribute(int nid) const;

    std::unique_ptr<X509, decltype(&X509_free)> certificate_{nullptr, X509_free};
};
