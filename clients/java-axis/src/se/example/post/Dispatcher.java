package se.example.post;

import java.net.MalformedURLException;
import java.net.URL;
import java.rmi.RemoteException;
import java.time.Duration;
import java.time.Instant;

import javax.xml.rpc.ServiceException;

import se.gov.minameddelanden.Message.MessageLocator;
import se.gov.minameddelanden.Message.MessagePortV3;
import se.gov.minameddelanden.schema.Common.v3.ExceptionInformation;
import se.gov.minameddelanden.schema.Message.DeliveryStatus;
import se.gov.minameddelanden.schema.Message.DistributionStatus;
import se.gov.minameddelanden.schema.Message.DistributionTypes;

/** A dispatcher's service Message. */
public final class Dispatcher {
    /** The ErrorCode of checkDistributionStatus while the dispatcher has not unpacked the delivery. */
    private static final int NOT_FINISHED = 5004;
    private static final Duration FOLLOWED = Duration.ofMinutes(1);
    private static final Duration BETWEEN_QUESTIONS = Duration.ofSeconds(1);

    private final MessagePortV3 port;

    public Dispatcher(String address) throws MalformedURLException, ServiceException {
        port = Connection.limited(new MessageLocator().getMessagePortV3(new URL(address)));
    }

    /** Asks until nothing more will happen to the delivery, at most a minute, and returns its last status. */
    public String follow(String sender, String distributionId) throws RemoteException, InterruptedException {
        Instant end = Instant.now().plus(FOLLOWED);
        while (true) {
            DistributionStatus status = status(sender, distributionId);
            boolean timeIsUp = Instant.now().plus(BETWEEN_QUESTIONS).isAfter(end);
            if (status != null && (timeIsUp || hasEnded(status))) {
                // A delivery that goes on paper has no status of a digital delivery.
                return status.getDeliveryStatus() == null
                        ? status.getType().getValue()
                        : status.getDeliveryStatus().getValue();
            }
            if (timeIsUp) {
                throw new IllegalStateException("the dispatcher has not unpacked the delivery yet; ask again later");
            }
            Thread.sleep(BETWEEN_QUESTIONS.toMillis());
        }
    }

    /** Returns the delivery's status, or null while the dispatcher has not unpacked it. */
    private DistributionStatus status(String sender, String distributionId) throws RemoteException {
        try {
            // A secure delivery has one recipient. An answer without a status is null.
            DistributionStatus[] statuses = port.checkDistributionStatus(sender, distributionId);
            return statuses == null ? null : statuses[0];
        } catch (ExceptionInformation fault) {
            if (fault.getErrorCode() == NOT_FINISHED) {
                return null;
            }
            throw fault;
        }
    }

    private static boolean hasEnded(DistributionStatus status) {
        return status.getDeliveryStatus() == null
                ? !status.getType().equals(DistributionTypes.Digital)
                : !status.getDeliveryStatus().equals(DeliveryStatus.Pending);
    }
}
