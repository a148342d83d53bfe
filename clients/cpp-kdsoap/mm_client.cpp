// Asks who can be reached, and follows a message.
#include <chrono>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <KDSoapClient/KDSoapJob.h>
#include <KDSoapClient/KDSoapMessage.h>
#include <KDSoapClient/KDSoapValue.h>
#include <QCoreApplication>
#include <QEventLoop>
#include <QLoggingCategory>
#include <QStringList>

#include "Message.h"
#include "Recipient.h"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using MessageV3::MESSAGE__DeliveryStatus;
using MessageV3::MESSAGE__DistributionStatus;
using MessageV3::MESSAGE__DistributionTypes;
using RecipientV3::RECIPIENT__AccountTypes;

const int NOT_FINISHED = 5004;  // the ErrorCode of a delivery that is not unpacked yet: ask later
const int CALL_MILLISECONDS = 60 * 1000;
const auto LONGEST_FOLLOW = 60s;
const auto BETWEEN_QUESTIONS = 1s;

const char USAGE[] =
    "usage: mm-client ask REGISTER SENDER RECIPIENT...\n"
    "       mm-client follow MESSAGE SENDER ID\n";

// The service refused. Below 5000 the same call may be repeated later; from 5000 on, change something first.
class ApplicationFault : public std::runtime_error {
public:
    // KDSoap makes no class for it: its parts are values, found by name.
    explicit ApplicationFault(const KDSoapValueList& parts)
        : std::runtime_error("fault " + part(parts, "ErrorCode") + " " + part(parts, "Description") + " (CallId " +
                             part(parts, "CallId") + ")"),
          code(parts.child("ErrorCode").value().toInt()) {}

    const int code;

private:
    static std::string part(const KDSoapValueList& parts, const char* name) {
        return parts.child(name).value().toString().toStdString();
    }
};

template <typename Service>
void connect_to(Service& service, const QString& address) {
    service.setEndPoint(address);
    // The default is half an hour.
    service.clientInterface()->setTimeout(CALL_MILLISECONDS);
}

// Makes the call and waits for its answer; a fault is thrown.
void finish(KDSoapJob& job) {
    job.setAutoDelete(false);
    QEventLoop loop;
    QObject::connect(&job, &KDSoapJob::finished, &loop, &QEventLoop::quit);
    job.start();
    loop.exec();
    if (!job.isFault()) return;
    KDSoapValue fault = job.reply().childValues().child("detail").childValues().child("applicationFault");
    // A lost connection is a fault too for KDSoap, but has no detail.
    if (fault.isNull()) throw std::runtime_error(job.faultAsString().simplified().toStdString());
    throw ApplicationFault(fault.childValues());
}

void ask(const QString& address, const QString& sender, const QStringList& recipients) {
    RecipientV3::Recipient reg;
    connect_to(reg, address);
    QList<RecipientV3::RECIPIENT__RecipientId> ids;
    for (const QString& recipient : recipients) ids.append(recipient);
    RecipientV3::RECIPIENT3__IsReachable question;
    question.setSenderOrgNr(sender);
    question.setRecipientId(ids);
    RecipientV3::IsReachableJob job(&reg);
    job.setParameters(question);
    finish(job);
    for (const RecipientV3::RECIPIENT__ReachabilityStatus& status : job.resultParameters().return_()) {
        // A pending account waits for signatures and has no mailbox yet.
        const RecipientV3::RECIPIENT__AccountStatus account = status.accountStatus();
        bool reachable = account.type() == RECIPIENT__AccountTypes::Secure && !account.pending() && status.senderAccepted();
        std::cout << account.recipientId().value().toStdString() << (reachable ? " yes\n" : " no\n");
    }
}

// The delivery's status, or nothing while the dispatcher has not unpacked it.
std::optional<MESSAGE__DistributionStatus> status(const QString& address, const QString& sender, const QString& id) {
    MessageV3::Message dispatcher;
    connect_to(dispatcher, address);
    MessageV3::MESSAGE3__CheckDistributionStatus question;
    question.setSenderId(sender);
    question.setDistributionId(id);
    MessageV3::CheckDistributionStatusJob job(&dispatcher);
    job.setParameters(question);
    try {
        finish(job);
    } catch (const ApplicationFault& fault) {
        if (fault.code != NOT_FINISHED) throw;
        return std::nullopt;
    }
    const auto found = job.resultParameters().return_();
    // A secure delivery has one recipient.
    return found.isEmpty() ? std::nullopt : std::optional(found.first());
}

bool ended(const MESSAGE__DistributionStatus& status) {
    return status.type() != MESSAGE__DistributionTypes::Digital || status.deliveryStatus() != MESSAGE__DeliveryStatus::Pending;
}

std::string name(const MESSAGE__DistributionStatus& status) {
    // Paper and Not have no delivery status: the sender sends it on paper.
    KDSoapValue value = status.hasValueForDeliveryStatus() ? status.deliveryStatus().serialize("DeliveryStatus")
                                                          : status.type().serialize("Type");
    return value.value().toString().toStdString();
}

void follow(const QString& address, const QString& sender, const QString& id) {
    const auto stop_at = Clock::now() + LONGEST_FOLLOW;
    auto last = status(address, sender, id);
    while (!(last && ended(*last)) && Clock::now() < stop_at) {
        std::this_thread::sleep_for(BETWEEN_QUESTIONS);
        last = status(address, sender, id);
    }
    if (!last) throw std::runtime_error("the delivery is not unpacked yet; ask again later");
    std::cout << name(*last) << '\n';
}

}  // namespace

int main(int count, char* arguments[]) {
    QCoreApplication application(count, arguments);
    // The generated setters print doubts about an argument; the service's fault says it better.
    QLoggingCategory::setFilterRules("*.debug=false");
    QStringList words;
    for (int place = 1; place < count; place++) words.append(QString::fromUtf8(arguments[place]));
    try {
        if (words.size() >= 4 && words[0] == "ask") {
            ask(words[1], words[2], words.mid(3));
        } else if (words.size() == 4 && words[0] == "follow") {
            follow(words[1], words[2], words[3]);
        } else {
            std::cerr << USAGE;
            return 2;
        }
    } catch (const ApplicationFault& fault) {
        std::cerr << fault.what() << '\n';
        return 1;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 2;
    }
    return 0;
}
