package se.example.post;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

import org.w3c.dom.Element;

import se.gov.minameddelanden.schema.message.v3.SecureDelivery;
import se.gov.minameddelanden.schema.message.v3.SecureMessage;
import se.gov.minameddelanden.schema.notification.v3.NotificationDelivery;
import se.gov.minameddelanden.schema.notification.v3.NotificationStatus;
import se.gov.minameddelanden.schema.notification.v3.NotifyResult;
import se.gov.minameddelanden.schema.service.DeliveryResult;
import se.gov.minameddelanden.schema.service.DeliveryStatus;
import se.gov.minameddelanden.schema.service.v3.DeliverForwardResponse;
import se.gov.minameddelanden.schema.service.v3.DeliverSecureResponse;
import se.gov.minameddelanden.schema.service.v3.ForwardDelivery;
import se.gov.minameddelanden.schema.service.v3.NotifyResponse;

/** The three operations of Service: verify, check, keep, answer. */
final class Deliveries {
    private static final String SERVICE_V3 = "http://minameddelanden.gov.se/schema/Service/v3";

    private final Trust trust;
    private final Parties parties;
    private final Mailboxes mailboxes;

    Deliveries(Trust trust, Parties parties, Mailboxes mailboxes) {
        this.trust = trust;
        this.parties = parties;
        this.mailboxes = mailboxes;
    }

    /** Class 3: a sealed delivery to one recipient. */
    DeliverSecureResponse deliverSecure(Element payload) throws Refused, IOException {
        SealedDelivery sealed = SealedDelivery.verify(SealedDelivery.only(payload, SERVICE_V3, "deliverSecure"), trust);
        Xml.validate(payload);
        SecureDelivery delivery = content(sealed);
        String id = sealed.delivery().id();
        Mailboxes.Answer answer;
        try {
            Map<String, byte[]> files = checked(sealed, delivery);
            answer = mailboxes.put(id, sealed.seal().id(), delivery.getHeader().getSender().getId(),
                    List.of(delivery.getHeader().getRecipient()), files);
        } catch (Refused refused) {
            // A dispatcher that missed the answer asks again, perhaps after the register changed, or while it is away.
            answer = mailboxes.before(id);
            if (answer == null || !answer.seal().equals(sealed.seal().id())) {
                throw refused;
            }
        }
        DeliverSecureResponse response = new DeliverSecureResponse();
        response.setReturn(result(answer));
        return response;
    }

    /** A delivery that a recipient of another operator forwards to others. */
    DeliverForwardResponse deliverForward(Element payload) throws Refused, IOException {
        Element forward = SealedDelivery.only(payload, SERVICE_V3, "forwardMessage");
        SealedDelivery original = SealedDelivery.verify(SealedDelivery.only(forward, SERVICE_V3, "OrginalDelivery"), trust);
        Xml.validate(payload);
        ForwardDelivery words = Xml.read(forward, ForwardDelivery.class);
        SecureDelivery delivery = content(original);
        Map<String, byte[]> files = checked(original, delivery);
        String wanted = words.getMessageIdToForward();
        if (wanted != null) {
            Predicate<SecureMessage> isWanted = each -> each.getHeader().getId().equals(wanted);
            List<SecureMessage> chosen = delivery.getMessage().stream().filter(isWanted).toList();
            if (chosen.isEmpty()) {
                throw new Refused(Refused.NOT_FOUND, "The delivery has no message of this id.");
            }
            files = Content.files(chosen);
        }
        Map<String, byte[]> all = new LinkedHashMap<>(files);
        all.put("sealed.xml", Xml.bytes(original.seal().root()));
        all.put("forwarded-subject", words.getMessage().getSubject().getBytes(StandardCharsets.UTF_8));
        all.put("forwarded-body", Content.body(words.getMessage().getBody()));
        DeliverForwardResponse response = new DeliverForwardResponse();
        response.setReturn(result(mailboxes.put(id(forward), "", words.getHeader().getSender().getId(),
                words.getHeader().getRecipient(), all)));
        return response;
    }

    /**
     * Class 1: a notification to many recipients. It is kept in their mailboxes. Nothing is sent by e-mail or SMS here, so
     * the answer names no channel; add your own sending, and then the channels.
     */
    NotifyResponse notify(Element payload) throws Refused, IOException {
        Xml.validate(payload);
        Element element = SealedDelivery.only(payload, SERVICE_V3, "notify");
        NotificationDelivery notification = Xml.read(element, NotificationDelivery.class);
        String sender = notification.getHeader().getSender().getId();
        // There is no signature: that the caller may dispatch for the sender, its client certificate has to show.
        parties.checkSender(sender);
        Content.checkReference(notification.getHeader().getReference());
        Map<String, byte[]> files = Map.of("notification.xml", Xml.bytes(element),
                "1-body", Content.body(notification.getMessage().getBody()));
        Mailboxes.Answer answer =
                mailboxes.put(id(element), "", sender, notification.getHeader().getRecipient(), files);
        NotifyResult result = new NotifyResult();
        result.setTransId(answer.transId());
        answer.delivered().forEach((recipient, delivered) -> {
            NotificationStatus status = new NotificationStatus();
            status.setRecipientId(recipient);
            status.setDeliveryStatus(new se.gov.minameddelanden.schema.notification.v3.DeliveryStatus());
            status.getDeliveryStatus().setDeliveredFlag(delivered);
            result.getStatus().add(status);
        });
        NotifyResponse response = new NotifyResponse();
        response.setReturn(result);
        return response;
    }

    private static SecureDelivery content(SealedDelivery sealed) throws Refused {
        // Out of the document that was verified, never out of the request again.
        return Xml.read(SignedForms.children(sealed.delivery().root()).get(0), SecureDelivery.class);
    }

    private Map<String, byte[]> checked(SealedDelivery sealed, SecureDelivery delivery) throws Refused {
        if (!sealed.signaturesOk()) {
            throw new Refused(Refused.BAD_INPUT, "The seal says that the sender's signature is wrong.");
        }
        Content.checkReference(delivery.getHeader().getReference());
        parties.check(delivery.getHeader().getSender().getId(), sealed.delivery().signer(), sealed.seal().signer());
        Map<String, byte[]> files = new LinkedHashMap<>(Content.files(delivery.getMessage()));
        files.put("sealed.xml", Xml.bytes(sealed.seal().root()));
        return files;
    }

    private static DeliveryResult result(Mailboxes.Answer answer) {
        DeliveryResult result = new DeliveryResult();
        result.setTransId(answer.transId());
        List<DeliveryStatus> rows = new ArrayList<>();
        answer.delivered().forEach((recipient, delivered) -> {
            DeliveryStatus status = new DeliveryStatus();
            status.setRecipientId(recipient);
            status.setDelivered(delivered);
            rows.add(status);
        });
        result.getStatus().addAll(rows);
        return result;
    }

    /** Names what has no signature over all of it: the same bytes again are the same delivery. */
    private static String id(Element element) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Xml.bytes(element)));
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }
}
