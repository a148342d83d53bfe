package se.example.post;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

import se.gov.minameddelanden.schema.message.Attachment;
import se.gov.minameddelanden.schema.message.MessageBody;
import se.gov.minameddelanden.schema.message.v3.SecureMessage;

/** The rules for what a message holds that no schema can say, and the files that it is kept as. */
final class Content {
    private static final int LARGEST = 2 * 1024 * 1024;
    private static final int LONGEST_REFERENCE = 50;
    private static final Set<String> TEXTS = Set.of("text/plain", "text/html");
    private static final String WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.";

    /** How a file of each type begins. */
    private static final Map<String, String> ATTACHMENTS = Map.of("application/pdf", "%PDF-",
            "application/msword", "\u00d0\u00cf\u0011\u00e0", WORD + "document", "PK", WORD + "template", "PK",
            "application/vnd.openxmlformats-officedocument.wordprocessingml-template", "PK",
            "text/calendar", "BEGIN:VCALENDAR");

    private Content() {
    }

    /** Checks the messages of a delivery, and returns them as files by names that say nothing of what is in them. */
    static Map<String, byte[]> files(List<SecureMessage> messages) throws Refused {
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (int n = 1; n <= messages.size(); n++) {
            SecureMessage message = messages.get(n - 1);
            long size = message.getBody().getBody().length;
            files.put(n + "-body", body(message.getBody()));
            int place = 0;
            for (Attachment each : message.getAttachment()) {
                size += each.getBody().length;
                check(each);
                // The file name that was sent is in the delivery. As a path it could lead anywhere.
                files.put(n + "-attachment-" + ++place, each.getBody());
            }
            if (size > LARGEST) {
                throw new Refused(Refused.TOO_LARGE, "The message with its attachments is larger than 2 MB.");
            }
        }
        return files;
    }

    /** Checks the text of a message, and returns it. Who shows HTML must clean it first. */
    static byte[] body(MessageBody body) throws Refused {
        if (!TEXTS.contains(body.getContentType())) {
            throw new Refused(Refused.CONTENT_TYPE, "The content type of a body is not supported.");
        }
        if (body.getBody().length > LARGEST) {
            throw new Refused(Refused.TOO_LARGE, "The message is larger than 2 MB.");
        }
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body.getBody()));
        } catch (CharacterCodingException error) {
            throw new Refused(Refused.BAD_INPUT, "A body is not UTF-8.", error);
        }
        return body.getBody();
    }

    /** Checks the sender's own reference for its invoices. */
    static void checkReference(String reference) throws Refused {
        if (reference != null && reference.length() > LONGEST_REFERENCE) {
            throw new Refused(Refused.BAD_INPUT, "Reference is longer than 50 characters.");
        }
    }

    private static void check(Attachment attachment) throws Refused {
        String beginning = ATTACHMENTS.get(attachment.getContentType());
        if (beginning == null) {
            throw new Refused(Refused.CONTENT_TYPE, "The content type of an attachment is not supported.");
        }
        if (!new String(attachment.getBody(), StandardCharsets.ISO_8859_1).startsWith(beginning)) {
            throw new Refused(Refused.CONTENT_TYPE, "The bytes of an attachment are not what its ContentType says.");
        }
        try {
            byte[] digest = MessageDigest.getInstance("MD5").digest(attachment.getBody());
            if (!HexFormat.of().formatHex(digest).equalsIgnoreCase(attachment.getChecksum().strip())) {
                throw new Refused(Refused.BAD_INPUT, "The checksum of an attachment is not that of its bytes.");
            }
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }
}
