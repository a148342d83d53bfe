#include "verification.h"

#include <algorithm>
#include <memory>

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlstring.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <xmlsec/crypto.h>
#include <xmlsec/keysmngr.h>
#include <xmlsec/openssl/x509.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmltree.h>
#include <xmlsec/xmlsec.h>

namespace {

const char SOAP[] = "http://schemas.xmlsoap.org/soap/envelope/";
const char SERVICE_V3[] = "http://minameddelanden.gov.se/schema/Service/v3";
const char MESSAGE_V3[] = "http://minameddelanden.gov.se/schema/Message/v3";
const char XMLDSIG[] = "http://www.w3.org/2000/09/xmldsig#";

using Document = std::unique_ptr<xmlDoc, decltype(&xmlFreeDoc)>;
using KeysManager = std::unique_ptr<xmlSecKeysMngr, decltype(&xmlSecKeysMngrDestroy)>;

const xmlChar* xml(const char* text) { return reinterpret_cast<const xmlChar*>(text); }

Document parse(const std::string& content) {
    // No network and no entities: a document type is of no use here.
    Document document(xmlReadMemory(content.data(), content.size(), nullptr, nullptr,
                                    XML_PARSE_NONET | XML_PARSE_HUGE | XML_PARSE_NOERROR | XML_PARSE_NOWARNING),
                      xmlFreeDoc);
    if (!document || xmlGetIntSubset(document.get())) throw std::runtime_error("this is not XML, or has a document type");
    return document;
}

bool is(const xmlNode* node, const char* ns, const char* name) {
    return xmlStrEqual(node->name, xml(name)) && node->ns && xmlStrEqual(node->ns->href, xml(ns));
}

xmlNode* only(xmlNode* parent, const char* ns, const char* name) {
    xmlNode* found = nullptr;
    for (xmlNode* child = xmlFirstElementChild(parent); child; child = xmlNextElementSibling(child)) {
        if (!is(child, ns, name)) continue;
        // More than one would be a wrapped copy.
        if (found) throw InvalidSignature(std::string("there is more than one ") + name);
        found = child;
    }
    if (!found) throw InvalidSignature(std::string("there is no ") + name);
    return found;
}

xmlNode* signature_of(xmlNode* element, const std::string& name) {
    xmlNode* last = xmlLastElementChild(element);
    if (!last || !is(last, XMLDSIG, "Signature") || only(element, XMLDSIG, "Signature") != last)
        throw InvalidSignature(name + ": the signature must be the last child");
    return last;
}

std::string text_of(xmlDoc* document) {
    xmlChar* text = nullptr;
    int size = 0;
    xmlDocDumpMemoryEnc(document, &text, &size, "UTF-8");
    std::string content(reinterpret_cast<char*>(text), size);
    xmlFree(text);
    return content;
}

// The element as a document of its own, under the name that was signed.
std::string as_it_came(xmlNode* element, const char* name) {
    // The name on the wire can have a prefix of its own. What the signer wrote, the first child tells.
    xmlNode* first = xmlFirstElementChild(element);
    const xmlChar* prefix = first->ns ? first->ns->prefix : nullptr;
    Document document(xmlNewDoc(xml("1.0")), xmlFreeDoc);
    xmlNode* root = xmlNewDocNode(document.get(), nullptr, xml(name), nullptr);
    xmlDocSetRootElement(document.get(), root);
    xmlSetNs(root, xmlNewNs(root, xml(MESSAGE_V3), prefix));
    root->properties = xmlCopyPropList(root, element->properties);
    for (xmlNode* child = element->children; child; child = child->next)
        xmlAddChild(root, xmlDocCopyNode(child, document.get(), 1));
    return text_of(document.get());
}

void copy(const xmlNode* from, xmlDoc* document, xmlNode* parent, const xmlChar* ns, const xmlChar* name) {
    xmlNode* made = xmlNewDocNode(document, nullptr, name, nullptr);
    if (parent) {
        xmlAddChild(parent, made);
    } else {
        xmlDocSetRootElement(document, made);
    }
    bool inherited = parent && parent->ns && xmlStrEqual(parent->ns->href, ns);
    xmlSetNs(made, inherited ? parent->ns : xmlNewNs(made, ns, nullptr));
    made->properties = xmlCopyPropList(made, from->properties);
    for (xmlNode* child = from->children; child; child = child->next) {
        if (child->type == XML_ELEMENT_NODE) {
            copy(child, document, made, child->ns ? child->ns->href : xml(""), child->name);
        } else {
            xmlAddChild(made, xmlDocCopyNode(child, document, 1));
        }
    }
}

// The same without prefixes, which SOAP software may have added on the way.
std::string prefix_free(xmlNode* element, const char* name) {
    Document document(xmlNewDoc(xml("1.0")), xmlFreeDoc);
    copy(element, document.get(), nullptr, xml(MESSAGE_V3), xml(name));
    return text_of(document.get());
}

KeysManager trusting(const std::vector<std::string>& files) {
    KeysManager manager(xmlSecKeysMngrCreate(), xmlSecKeysMngrDestroy);
    if (!manager || xmlSecCryptoAppDefaultKeysMngrInit(manager.get()) < 0) throw std::runtime_error("no keys manager");
    for (const std::string& path : files) {
        std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "rb"), BIO_free);
        if (!file) throw std::runtime_error("cannot read " + path);
        // libxmlsec1 itself would load the first certificate of each file.
        while (X509* certificate = PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr)) {
            unsigned char* der = nullptr;
            int size = i2d_X509(certificate, &der);
            int loaded = xmlSecCryptoAppKeysMngrCertLoadMemory(manager.get(), der, size, xmlSecKeyDataFormatDer,
                                                               xmlSecKeyDataTypeTrusted);
            OPENSSL_free(der);
            X509_free(certificate);
            if (loaded < 0) throw std::runtime_error(path + " holds something that is no certificate");
        }
    }
    return manager;
}

// "Valid" says that something was signed. These settings make sure that it is the whole root, by accepted algorithms.
void restrict(xmlSecDSigCtx* context) {
    context->enabledReferenceUris = xmlSecTransformUriTypeEmpty | xmlSecTransformUriTypeSameDocument;
    for (xmlSecTransformId id : {xmlSecTransformEnvelopedId, xmlSecTransformExclC14NId, xmlSecTransformInclC14NId,
                                 xmlSecTransformSha256Id, xmlSecTransformSha384Id, xmlSecTransformSha512Id})
        xmlSecDSigCtxEnableReferenceTransform(context, id);
    for (xmlSecTransformId id : {xmlSecTransformExclC14NId, xmlSecTransformInclC14NId, xmlSecTransformRsaSha256Id,
                                 xmlSecTransformRsaSha384Id, xmlSecTransformRsaSha512Id})
        xmlSecDSigCtxEnableSignatureTransform(context, id);
    // A key comes out of a certificate of KeyInfo, and that from a trusted authority: nothing else is believed.
    xmlSecPtrListAdd(&context->keyInfoReadCtx.enabledKeyData, const_cast<void*>(static_cast<const void*>(xmlSecKeyDataX509Id)));
}

// Returns the signer's number, or nothing where this is not what was signed.
std::string holds(const std::string& content, const std::string& name, xmlSecKeysMngr* manager) {
    Document document = parse(content);
    xmlNode* root = xmlDocGetRootElement(document.get());
    xmlNode* signature = signature_of(root, name);
    // Of the root alone: a reference to another element finds nothing.
    if (xmlAttr* id = xmlHasProp(root, xml("Id"))) {
        xmlChar* value = xmlNodeListGetString(document.get(), id->children, 1);
        xmlAddID(nullptr, document.get(), value, id);
        xmlFree(value);
    }
    std::unique_ptr<xmlSecDSigCtx, decltype(&xmlSecDSigCtxDestroy)> context(xmlSecDSigCtxCreate(manager),
                                                                            xmlSecDSigCtxDestroy);
    if (!context) throw std::runtime_error("no context for a signature");
    restrict(context.get());
    xmlNode* reference = only(only(signature, XMLDSIG, "SignedInfo"), XMLDSIG, "Reference");
    xmlNode* transform = xmlFirstElementChild(only(reference, XMLDSIG, "Transforms"));
    // The first must take the signature out, and it alone. What else may be there, the context knows.
    xmlChar* algorithm = transform ? xmlGetNoNsProp(transform, xml("Algorithm")) : nullptr;
    bool enveloped = xmlStrEqual(algorithm, xmlSecTransformEnvelopedId->href);
    xmlFree(algorithm);
    if (!enveloped) throw InvalidSignature(name + ": the signature must be over the whole element");
    if (xmlSecDSigCtxVerify(context.get(), signature) < 0 || context->status != xmlSecDSigStatusSucceeded) return "";
    xmlSecKeyData* data = xmlSecKeyGetData(context->signKey, xmlSecOpenSSLKeyDataX509Id);
    X509* certificate = data ? xmlSecOpenSSLKeyDataX509GetKeyCert(data) : nullptr;
    if (!certificate) return "";
    X509_NAME* subject = X509_get_subject_name(certificate);
    int place = X509_NAME_get_index_by_NID(subject, NID_serialNumber, -1);
    if (place < 0) throw InvalidSignature(name + ": the certificate names no organisation");
    unsigned char* utf8 = nullptr;
    int length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place)));
    std::string number(reinterpret_cast<char*>(utf8), std::max(length, 0));
    OPENSSL_free(utf8);
    return number;
}

// Returns the document that was signed, and sets the signer's number.
std::string verify(xmlNode* element, const char* name, xmlSecKeysMngr* manager, std::string& signer) {
    signature_of(element, name);
    for (const std::string& document : {as_it_came(element, name), prefix_free(element, name)}) {
        signer = holds(document, name, manager);
        if (!signer.empty()) return document;
    }
    throw InvalidSignature(std::string(name) +
                           ": the signature does not verify, or its certificate is not from a trusted authority");
}

}  // namespace

Sealed verify_sealed(const std::string& content, const std::vector<std::string>& authorities) {
    KeysManager manager = trusting(authorities);
    Document came = parse(content);
    xmlNode* element = xmlDocGetRootElement(came.get());
    if (!is(element, MESSAGE_V3, "SealedDelivery"))
        element = only(only(only(element, SOAP, "Body"), SERVICE_V3, "deliverSecure"), SERVICE_V3, "deliverSecure");
    Sealed sealed;
    sealed.content = verify(element, "SealedDelivery", manager.get(), sealed.sealer);
    Document seal = parse(sealed.content);
    verify(only(xmlDocGetRootElement(seal.get()), MESSAGE_V3, "SignedDelivery"), "SignedDelivery", manager.get(), sealed.signer);
    return sealed;
}
