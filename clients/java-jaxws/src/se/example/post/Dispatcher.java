package se.example.post;

import java.io.IOException;
import java.io.StringReader;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

import javax.xml.bind.JAXBContext;
import javax.xml.bind.JAXBException;
import javax.xml.namespace.QName;
import javax.xml.soap.Detail;
import javax.xml.transform.Source;
import javax.xml.transform.stream.StreamSource;
import javax.xml.ws.Dispatch;
import javax.xml.ws.Service;
import javax.xml.ws.WebServiceException;
import javax.xml.ws.soap.SOAPFaultException;

import org.w3c.dom.Node;

import se.gov.minameddelanden.message.ApplicationFaultV3;
import se.gov.minameddelanden.message.Message;
import se.gov.minameddelanden.message.MessagePortV3;
import se.gov.minameddelanden.schema.common.v3.ExceptionInformation;
import se.gov.minameddelanden.schema.message.DeliveryStatus;
import se.gov.minameddelanden.schema.message.DistributionStatus;
import se.gov.minameddelanden.schema.message.DistributionTypes;
import se.gov.minameddelanden.schema.message.v3.DistributeSecureResponse;

/** A dispatcher's service Message. */
public final class Dispatcher {
    private static final QName PORT = new QName("http://minameddelanden.gov.se/Message", "MessagePort-v3");
    private static final QName APPLICATION_FAULT =
            new QName("http://minameddelanden.gov.se/schema/Common/v3", "applicationFault");
    private static final int TRIES = 3;
    private static final Duration FOLLOWED = Duration.ofMinutes(1);
    private static final Duration BETWEEN_QUESTIONS = Duration.ofSeconds(1);

    private final MessagePortV3 port;
    private final Dispatch<Source> raw;

    public Dispatcher(String address) {
        Message service = new Message();
        port = Connection.to(address, service.getMessagePortV3());
        raw = Connection.to(address, service.createDispatch(PORT, Source.class, Service.Mode.PAYLOAD));
    }

    /** Hands over a signed delivery and returns its distribution id. */
    public String distribute(SignedDelivery delivery) throws ApplicationFault, InterruptedException, JAXBException {
        for (int tried = 1;; tried++) {
            try {
                return distributeOnce(delivery);
            } catch (SOAPFaultException fault) {
                throw applicationFault(fault);
            } catch (WebServiceException error) {
                // Nobody knows whether it arrived. The same signed XML again is safe: the dispatcher knows it and gives the
                // same id. Signed anew, it would be a second message.
                if (!hasNoAnswer(error) || tried == TRIES) {
                    throw error;
                }
                Thread.sleep(Duration.ofSeconds(tried).toMillis());
            }
        }
    }

    /** The typed port would write the delivery anew, from objects and with prefixes; this copies it element by element. */
    private String distributeOnce(SignedDelivery delivery) throws JAXBException {
        // A source can be read once, so each try has its own.
        Source answer = raw.invoke(new StreamSource(new StringReader(delivery.request())));
        return JAXBContext.newInstance(DistributeSecureResponse.class).createUnmarshaller()
                .unmarshal(answer, DistributeSecureResponse.class).getValue().getReturn();
    }

    /** A Dispatch knows no typed faults, but the classes for them are there. */
    private static ApplicationFault applicationFault(SOAPFaultException fault) throws JAXBException {
        Detail detail = fault.getFault().getDetail();
        Node found = detail == null ? null
                : detail.getElementsByTagNameNS(APPLICATION_FAULT.getNamespaceURI(), APPLICATION_FAULT.getLocalPart()).item(0);
        if (found == null) {
            throw fault;
        }
        return new ApplicationFault(JAXBContext.newInstance(ExceptionInformation.class).createUnmarshaller()
                .unmarshal(found, ExceptionInformation.class).getValue(), fault);
    }

    private static boolean hasNoAnswer(Throwable error) {
        return error != null && (error instanceof IOException || hasNoAnswer(error.getCause()));
    }

    /** Asks until nothing more will happen to the delivery, at most a minute, and returns its last status. */
    public String follow(String sender, String distributionId) throws ApplicationFault, InterruptedException {
        Instant end = Instant.now().plus(FOLLOWED);
        while (true) {
            DistributionStatus status = status(sender, distributionId);
            boolean timeIsUp = Instant.now().plus(BETWEEN_QUESTIONS).isAfter(end);
            if (status != null && (timeIsUp || hasEnded(status))) {
                // A delivery that goes on paper has no status of a digital delivery.
                return status.getDeliveryStatus() == null ? status.getType().value() : status.getDeliveryStatus().value();
            }
            if (timeIsUp) {
                throw new IllegalStateException("the dispatcher has not unpacked the delivery yet; ask again later");
            }
            Thread.sleep(BETWEEN_QUESTIONS.toMillis());
        }
    }

    /** Returns the delivery's status, or null while the dispatcher has not unpacked it. */
    private DistributionStatus status(String sender, String distributionId) throws ApplicationFault {
        try {
            // A secure delivery has one recipient.
            List<DistributionStatus> statuses = port.checkDistributionStatus(sender, distributionId);
            return statuses.isEmpty() ? null : statuses.get(0);
        } catch (ApplicationFaultV3 fault) {
            if (fault.getFaultInfo().getErrorCode() == ApplicationFault.NOT_FINISHED) {
                return null;
            }
            throw new ApplicationFault(fault.getFaultInfo(), fault);
        }
    }

    private static boolean hasEnded(DistributionStatus status) {
        return status.getDeliveryStatus() == null
                ? status.getType() != DistributionTypes.DIGITAL
                : status.getDeliveryStatus() != DeliveryStatus.PENDING;
    }
}
