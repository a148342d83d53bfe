package se.example.post;

import java.net.MalformedURLException;
import java.net.URL;
import java.rmi.RemoteException;
import java.util.ArrayList;
import java.util.List;

import javax.xml.rpc.ServiceException;

import se.gov.minameddelanden.Recipient.RecipientLocator;
import se.gov.minameddelanden.Recipient.RecipientPortV3;
import se.gov.minameddelanden.schema.Recipient.AccountStatus;
import se.gov.minameddelanden.schema.Recipient.AccountTypes;
import se.gov.minameddelanden.schema.Recipient.ReachabilityStatus;

/** The register's service Recipient. */
public final class Register {
    private final RecipientPortV3 port;

    public Register(String address) throws MalformedURLException, ServiceException {
        port = Connection.limited(new RecipientLocator().getRecipientPortV3(new URL(address)));
    }

    /** Tells for each recipient, in the order given, whether a message from the sender reaches a mailbox; at most 1000. */
    public List<Reachability> reachable(String sender, List<String> recipients) throws RemoteException {
        List<Reachability> answers = new ArrayList<>();
        ReachabilityStatus[] statuses = port.isReachable(sender, recipients.toArray(new String[0]));
        if (statuses == null) { // Axis has no empty answer
            return answers;
        }
        for (ReachabilityStatus status : statuses) {
            answers.add(new Reachability(status.getAccountStatus().getRecipientId(), isReachable(status)));
        }
        return answers;
    }

    private static boolean isReachable(ReachabilityStatus status) {
        // A pending account waits for signatures and has no mailbox yet.
        AccountStatus account = status.getAccountStatus();
        return account.getType().equals(AccountTypes.Secure) && !account.isPending() && status.isSenderAccepted();
    }

    /** What the register says of one recipient. */
    public record Reachability(String recipient, boolean reachable) {
    }
}
