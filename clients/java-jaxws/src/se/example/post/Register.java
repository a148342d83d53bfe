package se.example.post;

import java.util.ArrayList;
import java.util.List;

import se.gov.minameddelanden.recipient.ApplicationFaultV3;
import se.gov.minameddelanden.recipient.Recipient;
import se.gov.minameddelanden.recipient.RecipientPortV3;
import se.gov.minameddelanden.schema.recipient.AccountStatus;
import se.gov.minameddelanden.schema.recipient.AccountTypes;
import se.gov.minameddelanden.schema.recipient.ReachabilityStatus;

/** The register's service Recipient. */
public final class Register {
    private final RecipientPortV3 port;

    public Register(String address) {
        port = Connection.to(address, new Recipient().getRecipientPortV3());
    }

    /** Tells for each recipient, in the order given, whether a message from the sender reaches a mailbox; at most 1000. */
    public List<Reachability> reachable(String sender, List<String> recipients) throws ApplicationFault {
        List<Reachability> answers = new ArrayList<>();
        try {
            for (ReachabilityStatus status : port.isReachable(sender, recipients)) {
                answers.add(new Reachability(status.getAccountStatus().getRecipientId(), isReachable(status)));
            }
        } catch (ApplicationFaultV3 fault) {
            throw new ApplicationFault(fault.getFaultInfo(), fault);
        }
        return answers;
    }

    private static boolean isReachable(ReachabilityStatus status) {
        // A pending account waits for signatures and has no mailbox yet.
        AccountStatus account = status.getAccountStatus();
        return account.getType() == AccountTypes.SECURE && !account.isPending() && status.isSenderAccepted();
    }

    /** What the register says of one recipient. */
    public record Reachability(String recipient, boolean reachable) {
    }
}
