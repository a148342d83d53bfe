#include "delivery.h"

#include <cstdio>
#include <memory>
#include <stdexcept>

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlstring.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <xmlsec/crypto.h>
#include <xmlsec/errors.h>
#include <xmlsec/templates.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlsec.h>

namespace {

const char MESSAGE_V1[] = "http://minameddelanden.gov.se/schema/Message";
const char MESSAGE_V2[] = "http://minameddelanden.gov.se/schema/Message/v2";
const char MESSAGE_V3[] = "http://minameddelanden.gov.se/schema/Message/v3";
const char SENDER[] = "http://minameddelanden.gov.se/schema/Sender";

using Document = std::unique_ptr<xmlDoc, decltype(&xmlFreeDoc)>;

const xmlChar* xml(const char* text) { return reinterpret_cast<const xmlChar*>(text); }

template <typename Pointer>
Pointer checked(Pointer pointer, const char* what) {
    if (!pointer) throw std::runtime_error(std::string("cannot sign: ") + what);
    return pointer;
}

std::string base64(const std::string& content) {
    std::string encoded(4 * ((content.size() + 2) / 3) + 1, '\0');
    int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                 reinterpret_cast<const unsigned char*>(content.data()), content.size());
    encoded.resize(length);
    return encoded;
}

std::string hexadecimal(const unsigned char* octets, unsigned int length) {
    std::string digits;
    for (unsigned int place = 0; place < length; place++) {
        char two[3];
        std::snprintf(two, sizeof two, "%02x", octets[place]);
        digits += two;
    }
    return digits;
}

// The checksum finds damage, not forgery: the signature does that. The contract wants MD5.
std::string checksum(const std::string& content) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (EVP_Digest(content.data(), content.size(), digest, &length, EVP_md5(), nullptr) != 1)
        throw std::runtime_error("OpenSSL does not compute MD5 here");
    return hexadecimal(digest, length);
}

// A random UUID (version 4).
std::string uuid() {
    unsigned char octets[16];
    if (RAND_bytes(octets, sizeof octets) != 1) throw std::runtime_error("there is no randomness");
    octets[6] = (octets[6] & 0x0f) | 0x40;
    octets[8] = (octets[8] & 0x3f) | 0x80;
    std::string digits = hexadecimal(octets, sizeof octets);
    for (int place : {20, 16, 12, 8}) digits.insert(place, "-");
    return digits;
}

void must_be_utf8(const std::string& text, const char* what) {
    if (!xmlCheckUTF8(xml(text.c_str()))) throw std::runtime_error(std::string(what) + " is not UTF-8");
}

// Every element is in a default namespace, and none has a prefix. In that form all ways of computing a digest agree.
xmlNode* add(xmlNode* parent, const char* ns, const char* name, const std::string& text = "") {
    xmlNode* element = xmlNewTextChild(parent, nullptr, xml(name), text.empty() ? nullptr : xml(text.c_str()));
    bool inherited = xmlStrEqual(parent->ns->href, xml(ns));
    xmlSetNs(element, inherited ? parent->ns : xmlNewNs(element, xml(ns), nullptr));
    return element;
}

// A SignedDelivery that waits for its signature.
Document build(const Message& message, const Signer& signer) {
    must_be_utf8(message.subject, "the subject");
    must_be_utf8(message.text, "the text");

    Document document(xmlNewDoc(xml("1.0")), xmlFreeDoc);
    xmlNode* root = xmlNewDocNode(document.get(), nullptr, xml("SignedDelivery"), nullptr);
    xmlSetNs(root, xmlNewNs(root, xml(MESSAGE_V3), nullptr));
    xmlDocSetRootElement(document.get(), root);

    xmlNode* delivery = add(root, MESSAGE_V3, "Delivery");
    xmlNode* delivery_header = add(delivery, MESSAGE_V3, "Header");
    xmlNode* sender = add(delivery_header, MESSAGE_V2, "Sender");
    add(sender, SENDER, "Id", signer.organisation());
    add(sender, SENDER, "Name", signer.name());
    add(delivery_header, MESSAGE_V2, "Recipient", message.recipient);

    xmlNode* secure_message = add(delivery, MESSAGE_V3, "Message");
    xmlNode* header = add(secure_message, MESSAGE_V3, "Header");
    add(header, MESSAGE_V3, "Id", uuid());  // the sender's own, and never the same again
    add(header, MESSAGE_V3, "Subject", message.subject);
    add(add(header, MESSAGE_V3, "Supportinfo"), MESSAGE_V3, "Text");
    add(header, MESSAGE_V3, "Language", "svSE");

    xmlNode* body = add(secure_message, MESSAGE_V3, "Body");
    add(body, MESSAGE_V1, "ContentType", "text/plain");
    add(body, MESSAGE_V1, "Body", base64(message.text));

    xmlNode* attachment = add(secure_message, MESSAGE_V3, "Attachment");
    add(attachment, MESSAGE_V1, "ContentType", "application/pdf");
    add(attachment, MESSAGE_V1, "Body", base64(message.pdf));
    add(attachment, MESSAGE_V1, "Checksum", checksum(message.pdf));
    add(attachment, MESSAGE_V1, "Filename", message.pdf_name);
    return document;
}

void sign(xmlDoc* document, const Signer& signer) {
    xmlNode* signature = checked(
        xmlSecTmplSignatureCreate(document, xmlSecTransformExclC14NId, xmlSecTransformRsaSha256Id, nullptr), "template");
    xmlAddChild(xmlDocGetRootElement(document), signature);
    // An empty URI means the whole document. One transform, enveloped-signature, is all that every receiver accepts.
    xmlNode* reference =
        checked(xmlSecTmplSignatureAddReference(signature, xmlSecTransformSha256Id, nullptr, xml(""), nullptr), "reference");
    checked(xmlSecTmplReferenceAddTransform(reference, xmlSecTransformEnvelopedId), "transform");
    xmlNode* key_info = checked(xmlSecTmplSignatureEnsureKeyInfo(signature, nullptr), "KeyInfo");
    xmlNode* x509_data = checked(xmlSecTmplKeyInfoAddX509Data(key_info), "X509Data");
    // libxmlsec1 would leave the name empty.
    xmlNode* subject_name = checked(xmlSecTmplX509DataAddSubjectName(x509_data), "X509SubjectName");
    xmlNodeAddContent(subject_name, xml(signer.subject_name().c_str()));
    checked(xmlSecTmplX509DataAddCertificate(x509_data), "X509Certificate");

    std::unique_ptr<xmlSecDSigCtx, decltype(&xmlSecDSigCtxDestroy)> context(
        checked(xmlSecDSigCtxCreate(nullptr), "context"), xmlSecDSigCtxDestroy);
    context->signKey = checked(
        xmlSecCryptoAppKeyLoad(signer.key_file.c_str(), xmlSecKeyDataFormatPem, "", nullptr, nullptr), "key");
    if (xmlSecCryptoAppKeyCertLoad(context->signKey, signer.certificate_file.c_str(), xmlSecKeyDataFormatPem) < 0)
        throw std::runtime_error("cannot sign: certificate");
    if (xmlSecDSigCtxSign(context.get(), signature) < 0 || context->status != xmlSecDSigStatusSucceeded)
        throw std::runtime_error("cannot sign: the signature was not made");
}

}  // namespace

XmlSecurity::XmlSecurity() {
    xmlInitParser();
    if (xmlSecInit() < 0 || xmlSecCheckVersion() != 1 || xmlSecCryptoAppInit(nullptr) < 0 || xmlSecCryptoInit() < 0)
        throw std::runtime_error("libxmlsec1 does not start");
    // Errors are told by exceptions, in one line.
    xmlSecErrorsDefaultCallbackEnableOutput(0);
}

XmlSecurity::~XmlSecurity() {
    xmlSecCryptoShutdown();
    xmlSecCryptoAppShutdown();
    xmlSecShutdown();
    xmlCleanupParser();
}

std::string signed_delivery(const Message& message, const Signer& signer) {
    Document document = build(message, signer);
    sign(document.get(), signer);

    // Signed as SignedDelivery, sent as signedDelivery: receivers know that.
    xmlNode* root = xmlDocGetRootElement(document.get());
    xmlNodeSetName(root, xml("signedDelivery"));
    std::unique_ptr<xmlOutputBuffer, decltype(&xmlOutputBufferClose)> output(xmlAllocOutputBuffer(nullptr),
                                                                             xmlOutputBufferClose);
    const int level = 0, as_it_is = 0;
    xmlNodeDumpOutput(output.get(), document.get(), root, level, as_it_is, "UTF-8");
    return std::string(reinterpret_cast<const char*>(xmlOutputBufferGetContent(output.get())),
                       xmlOutputBufferGetSize(output.get()));
}
