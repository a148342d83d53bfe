package se.example.post;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

import javax.xml.ws.BindingProvider;
import javax.xml.ws.WebServiceException;

import com.sun.xml.ws.developer.JAXWSProperties;

import se.gov.minameddelanden.authority.Authority;
import se.gov.minameddelanden.authority.AuthorityPort;
import se.gov.minameddelanden.authority.GetDispatchersFault;
import se.gov.minameddelanden.authority.GetSendersFault;
import se.gov.minameddelanden.schema.dispatcher.Dispatcher;
import se.gov.minameddelanden.schema.sender.Sender;

/** Who is connected, and who may seal for whom: asked of the register's service Authority, and kept for a minute. */
final class Parties {
    private static final long KEPT_NANOSECONDS = 60_000_000_000L;
    private static final int CONNECT_MILLISECONDS = 5_000;
    private static final int ANSWER_MILLISECONDS = 10_000;

    private final AuthorityPort register;
    private Lists lists;

    private record Lists(Set<String> senders, Map<String, Set<String>> dispatchers, long asked) {
    }

    Parties(String authority) {
        register = new Authority().getAuthorityPort();
        Map<String, Object> context = ((BindingProvider) register).getRequestContext();
        context.put(BindingProvider.ENDPOINT_ADDRESS_PROPERTY, authority);
        context.put(JAXWSProperties.CONNECT_TIMEOUT, CONNECT_MILLISECONDS);
        context.put(JAXWSProperties.REQUEST_TIMEOUT, ANSWER_MILLISECONDS);
    }

    /** Checks that a sender is connected. */
    void checkSender(String sender) throws Refused {
        if (!lists().senders().contains(sender)) {
            throw new Refused(Refused.NOT_AUTHORISED, "The sender is not connected.");
        }
    }

    /** Checks that the signer is the sender or may sign for it, and that a dispatcher for the sender made the seal. */
    void check(String sender, Organisation signer, Organisation sealer) throws Refused {
        checkSender(sender);
        if (!signer.number().equals(sender) && !mayDispatch(signer, sender)) {
            throw new Refused(Refused.NOT_AUTHORISED, "The signer is neither the sender nor a dispatcher listed for it.");
        }
        if (!mayDispatch(sealer, sender)) {
            throw new Refused(Refused.NOT_AUTHORISED, "The seal was made by an organisation that may not dispatch for the sender.");
        }
    }

    private boolean mayDispatch(Organisation dispatcher, String sender) throws Refused {
        return lists().dispatchers().getOrDefault(dispatcher.number(), Set.of()).contains(sender);
    }

    private synchronized Lists lists() throws Refused {
        if (lists == null || System.nanoTime() - lists.asked() > KEPT_NANOSECONDS) {
            long asked = System.nanoTime();
            Set<String> senders = new HashSet<>();
            Map<String, Set<String>> dispatchers = new HashMap<>();
            try {
                for (Sender each : register.getSenders()) {
                    senders.add(each.getId());
                }
                for (Dispatcher each : register.getDispatchers()) {
                    dispatchers.put(each.getId(), Set.copyOf(each.getSenders()));
                }
            } catch (WebServiceException | GetSendersFault | GetDispatchersFault error) {
                // The dispatcher asks again: nothing may be accepted on guesses, or refused for good.
                throw new Refused(Refused.TECHNICAL, "The register could not be asked. The same call may be repeated.", error);
            }
            lists = new Lists(senders, dispatchers, asked);
        }
        return lists;
    }
}
