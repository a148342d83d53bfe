// Asks who can be reached, signs and sends a message, follows it, and verifies a sealed one.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "delivery.h"
#include "signer.h"
#include "soapMessageBinding_v3Proxy.h"
#include "soapRecipientBinding_v3Proxy.h"
#include "verification.h"

// The table of namespaces; both proxies have the same one.
#include "MessageBinding_v3.nsmap"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Soap = std::unique_ptr<soap, void (*)(soap*)>;

const int NOT_FINISHED = 5004;  // the ErrorCode of a delivery that is not unpacked yet: ask later
const int TRIES = 3;
const int CONNECT_SECONDS = 10;
const int ANSWER_SECONDS = 60;
const auto LONGEST_FOLLOW = 60s;
const auto BETWEEN_QUESTIONS = 1s;

const char USAGE[] =
    "usage: mm-client ask REGISTER SENDER RECIPIENT...\n"
    "       mm-client send MESSAGE CERTIFICATE KEY RECIPIENT SUBJECT TEXT PDF\n"
    "       mm-client follow MESSAGE SENDER ID\n"
    "       mm-client verify FILE CERTIFICATE...\n";

// The service refused. Below 5000 the same call may be repeated later; from 5000 on, change something first.
class ApplicationFault : public std::runtime_error {
public:
    explicit ApplicationFault(const common3__ExceptionInformation& fault)
        : std::runtime_error("fault " + std::to_string(fault.ErrorCode) + " " + fault.Description + " (CallId " +
                             fault.CallId + ")"),
          code(fault.ErrorCode) {}

    const int code;
};

Soap new_soap() {
    // Without SOAP_C_UTFSTRING a std::string holds Latin-1, and other letters are lost.
    Soap context(soap_new1(SOAP_C_UTFSTRING), [](soap* used) {
        soap_destroy(used);
        soap_end(used);
        soap_free(used);
    });
    // Without limits a call waits for ever.
    context->connect_timeout = CONNECT_SECONDS;
    context->send_timeout = context->recv_timeout = context->transfer_timeout = ANSWER_SECONDS;
    // A server that hangs up makes an error, not a signal that ends the program.
    context->socket_flags = MSG_NOSIGNAL;
    return context;
}

void throw_on_error(soap* context) {
    if (context->error == SOAP_OK) return;
    const SOAP_ENV__Fault* fault = context->fault;
    if (fault && fault->detail && fault->detail->common3__applicationFault)
        throw ApplicationFault(*fault->detail->common3__applicationFault);
    std::ostringstream description;
    soap_stream_fault(context, description);
    throw std::runtime_error(description.str());
}

void ask(const char* address, const std::string& sender, const std::vector<std::string>& recipients) {
    Soap context = new_soap();
    RecipientBinding_v3Proxy reg(context.get(), address);
    _recipient3__isReachable question;
    question.senderOrgNr = sender;
    question.recipientId = recipients;
    _recipient3__isReachableResponse answer;
    reg.isReachable(&question, answer);
    throw_on_error(context.get());
    for (const recipient__ReachabilityStatus* status : answer.return_) {
        // A pending account waits for signatures and has no mailbox yet.
        const recipient__AccountStatus& account = *status->AccountStatus;
        bool reachable = account.Type == recipient__AccountTypes::Secure && !account.Pending && status->SenderAccepted;
        std::cout << account.RecipientId << (reachable ? " yes\n" : " no\n");
    }
}

bool no_answer(int error) { return error == SOAP_EOF || error == SOAP_TCP_ERROR || error == SOAP_SSL_ERROR; }

std::string distribute(const char* address, std::string signed_delivery) {
    Soap context = new_soap();
    MessageBinding_v3Proxy dispatcher(context.get(), address);
    // The Makefile makes this member text, which gSOAP puts into the request as it is.
    _message3__distributeSecure request;
    request.__signedDelivery = signed_delivery.data();
    _message3__distributeSecureResponse answer;
    for (int tried = 1; no_answer(dispatcher.distributeSecure(&request, answer)) && tried < TRIES; tried++) {
        // Nobody knows whether it arrived. The same bytes again are safe: the dispatcher knows them, and gives the same
        // id. Signed anew, they would be a second message.
        std::this_thread::sleep_for(tried * 1s);
    }
    throw_on_error(context.get());
    return answer.return_;
}

std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string content{std::istreambuf_iterator<char>(file), {}};
    if (!file) throw std::runtime_error("cannot read " + path);
    return content;
}

void send(char* arguments[]) {
    XmlSecurity xml_security;
    Signer signer(arguments[1], arguments[2]);
    Message message;
    message.recipient = arguments[3];
    message.subject = arguments[4];
    message.text = read(arguments[5]);
    message.pdf = read(arguments[6]);
    message.pdf_name = std::filesystem::path(arguments[6]).filename();
    std::cout << distribute(arguments[0], signed_delivery(message, signer)) << '\n';
}

// The delivery's status, or an empty string while the dispatcher has not unpacked it; `ended` tells whether it is final.
std::string status(const char* address, const std::string& sender, const std::string& id, bool& ended) {
    Soap context = new_soap();
    MessageBinding_v3Proxy dispatcher(context.get(), address);
    _message3__checkDistributionStatus question;
    question.senderId = sender;
    question.distributionId = id;
    _message3__checkDistributionStatusResponse answer;
    dispatcher.checkDistributionStatus(&question, answer);
    ended = false;
    try {
        throw_on_error(context.get());
    } catch (const ApplicationFault& fault) {
        if (fault.code != NOT_FINISHED) throw;
        return "";
    }
    if (answer.return_.empty()) return "";
    // A secure delivery has one recipient.
    const message__DistributionStatus& found = *answer.return_.front();
    if (!found.DeliveryStatus) {
        // Paper and Not have no delivery status: the sender sends it on paper.
        ended = found.Type != message__DistributionTypes::Digital;
        return soap_message__DistributionTypes2s(context.get(), found.Type);
    }
    ended = *found.DeliveryStatus != message__DeliveryStatus::Pending;
    return soap_message__DeliveryStatus2s(context.get(), *found.DeliveryStatus);
}

void follow(const char* address, const std::string& sender, const std::string& id) {
    const auto stop_at = Clock::now() + LONGEST_FOLLOW;
    bool ended = false;
    std::string last = status(address, sender, id, ended);
    while (!ended && Clock::now() < stop_at) {
        std::this_thread::sleep_for(BETWEEN_QUESTIONS);
        last = status(address, sender, id, ended);
    }
    if (last.empty()) throw std::runtime_error("the delivery is not unpacked yet; ask again later");
    std::cout << last << '\n';
}

void verify(const std::string& path, const std::vector<std::string>& authorities) {
    XmlSecurity xml_security;
    Sealed sealed = verify_sealed(read(path), authorities);
    std::cout << "seal " << sealed.sealer << "\nsignature " << sealed.signer << '\n';
}

std::string one_line(std::string text) {
    text.erase(text.find_last_not_of("\n") + 1);
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

}  // namespace

int main(int count, char* arguments[]) {
    const std::string command = count > 1 ? arguments[1] : "";
    try {
        if (command == "ask" && count >= 5) {
            ask(arguments[2], arguments[3], {arguments + 4, arguments + count});
        } else if (command == "send" && count == 9) {
            send(arguments + 2);
        } else if (command == "follow" && count == 5) {
            follow(arguments[2], arguments[3], arguments[4]);
        } else if (command == "verify" && count >= 4) {
            verify(arguments[2], {arguments + 3, arguments + count});
        } else {
            std::cerr << USAGE;
            return 2;
        }
    } catch (const ApplicationFault& fault) {
        std::cerr << one_line(fault.what()) << '\n';
        return 1;
    } catch (const InvalidSignature& error) {
        std::cerr << "invalid " << one_line(error.what()) << '\n';
        return 1;
    } catch (const std::exception& error) {
        std::cerr << one_line(error.what()) << '\n';
        return 2;
    }
    return 0;
}
