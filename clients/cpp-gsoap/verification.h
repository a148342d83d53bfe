// Verification of a sealed delivery as it came: the dispatcher's seal and the sender's signature.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

// A signature is missing, does not verify, or was made by somebody who is not trusted.
class InvalidSignature : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Sealed {
    std::string sealer;  // the dispatcher's organisation number; that it may dispatch for the sender, the register knows
    std::string signer;  // the organisation number of the sender, or of a dispatcher that is listed for it
    std::string content; // SealedDelivery as it was signed: read this, and nothing of what came around it
};

// Verifies the seal, and then the sender's signature in what the seal covers. The content is a request of deliverSecure as
// it came, or a SealedDelivery alone. The authorities are PEM files, each of which may hold several certificates. It needs
// an XmlSecurity.
Sealed verify_sealed(const std::string& content, const std::vector<std::string>& authorities);
