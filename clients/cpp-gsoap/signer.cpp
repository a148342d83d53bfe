#include "signer.h"

#include <cstdio>
#include <stdexcept>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/objects.h>
#include <openssl/pem.h>

namespace {

using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

File open(const std::string& path) {
    File file(std::fopen(path.c_str(), "rb"), std::fclose);
    if (!file) throw std::runtime_error("cannot read " + path);
    return file;
}

}  // namespace

Signer::Signer(const std::string& certificate_path, const std::string& key_path)
    : certificate_file(certificate_path), key_file(key_path) {
    certificate_.reset(PEM_read_X509(open(certificate_file).get(), nullptr, nullptr, nullptr));
    if (!certificate_) throw std::runtime_error(certificate_file + " holds no certificate");
    // The empty password keeps OpenSSL from asking for one at the terminal.
    char no_password[] = "";
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
        PEM_read_PrivateKey(open(key_file).get(), nullptr, nullptr, no_password), EVP_PKEY_free);
    if (!key) throw std::runtime_error(key_file + " holds no unencrypted key");
    if (X509_check_private_key(certificate_.get(), key.get()) != 1)
        throw std::runtime_error("the key in " + key_file + " does not belong to the certificate in " + certificate_file);
}

std::string Signer::organisation() const { return subject_attribute(NID_serialNumber); }

std::string Signer::name() const { return subject_attribute(NID_organizationName); }

std::string Signer::subject_name() const {
    std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
    // Letters stay UTF-8, as XML has them.
    X509_NAME_print_ex(memory.get(), X509_get_subject_name(certificate_.get()), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    char* text = nullptr;
    long length = BIO_get_mem_data(memory.get(), &text);
    return std::string(text, length);
}

// By attribute: the printed subject cannot be split safely, since relative names may have several values.
std::string Signer::subject_attribute(int nid) const {
    X509_NAME* name = X509_get_subject_name(certificate_.get());
    int place = X509_NAME_get_index_by_NID(name, nid, -1);
    if (place < 0) throw std::runtime_error(std::string("the subject of the certificate has no ") + OBJ_nid2ln(nid));
    unsigned char* utf8 = nullptr;
    int length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, place)));
    if (length < 0) throw std::runtime_error(std::string("the certificate's ") + OBJ_nid2ln(nid) + " is not text");
    std::string value(reinterpret_cast<char*>(utf8), length);
    OPENSSL_free(utf8);
    return value;
}
