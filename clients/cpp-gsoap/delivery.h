// A secure delivery with one message, and its signature.
#pragma once

#include <string>

#include "signer.h"

struct Message {
    std::string recipient;
    std::string subject;
    std::string text;
    std::string pdf;
    std::string pdf_name;
};

// Makes libxmlsec1 ready for use as long as it lives; a program has one.
class XmlSecurity {
public:
    XmlSecurity();
    ~XmlSecurity();
    XmlSecurity(const XmlSecurity&) = delete;
    XmlSecurity& operator=(const XmlSecurity&) = delete;
};

// A signed delivery under the name that it has on the wire. From here on nothing may write the XML anew.
std::string signed_delivery(const Message& message, const Signer& signer);
