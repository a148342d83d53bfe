package se.example.post;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * Which mailboxes there are, and a folder with what was put into them: one folder for each delivery, named by what was
 * signed. A folder appears whole or not at all, and is on the disk before the dispatcher gets its answer.
 */
final class Mailboxes {
    private static final String ANSWER = "answer";
    private static final String UNFINISHED = "unfinished-";

    private final Path list;
    private final Path folder;

    /** What a dispatcher was told about a delivery; {@code seal} names the seal under which it came. */
    record Answer(String transId, String seal, Map<String, Boolean> delivered) {
    }

    /**
     * @param list a file with a line for each mailbox: its recipient, and after it the senders that the recipient has
     *     deselected
     * @param folder where deliveries are kept; made if it is not there
     */
    Mailboxes(Path list, Path folder) throws IOException {
        this.list = list;
        this.folder = Files.createDirectories(folder);
        try (Stream<Path> left = Files.list(folder)) {
            for (Path each : left.filter(path -> path.getFileName().toString().startsWith(UNFINISHED)).toList()) {
                remove(each);
            }
        }
        readList();
    }

    /** Returns what was told of a delivery when it came before, or null. */
    Answer before(String id) throws IOException {
        Path answer = folder.resolve(id).resolve(ANSWER);
        if (!Files.exists(answer)) {
            return null;
        }
        List<String> lines = Files.readAllLines(answer);
        Map<String, Boolean> delivered = new LinkedHashMap<>();
        for (String line : lines.subList(2, lines.size())) {
            String[] words = line.split(" ");
            delivered.put(words[0], Boolean.valueOf(words[1]));
        }
        return new Answer(lines.get(0), lines.get(1), delivered);
    }

    /**
     * Puts a delivery into the mailboxes of its recipients, unless it came before: then it answers as the first time.
     *
     * @param id names what was signed
     * @param seal names the seal, or is empty
     * @param files what is kept, by name; nothing but the answer, where no recipient has a mailbox for it
     */
    Answer put(String id, String seal, String sender, Collection<String> recipients, Map<String, byte[]> files)
            throws IOException {
        Answer known = before(id);
        if (known != null) {
            return known;
        }
        Map<String, Set<String>> mailboxes = readList();
        Map<String, Boolean> delivered = new LinkedHashMap<>();
        for (String each : recipients) {
            delivered.put(each, mailboxes.containsKey(each) && !mailboxes.get(each).contains(sender));
        }
        Answer answer = new Answer(UUID.randomUUID().toString(), seal, delivered);
        Path unfinished = Files.createDirectory(folder.resolve(UNFINISHED + answer.transId()));
        if (delivered.containsValue(true)) {
            for (Map.Entry<String, byte[]> each : files.entrySet()) {
                write(unfinished.resolve(each.getKey()), each.getValue());
            }
        }
        write(unfinished.resolve(ANSWER), lines(answer).getBytes(StandardCharsets.US_ASCII));
        sync(unfinished);
        try {
            Files.move(unfinished, folder.resolve(id), StandardCopyOption.ATOMIC_MOVE);
        } catch (FileSystemException error) {
            Answer other = before(id);
            if (other == null) {
                throw error;
            }
            remove(unfinished);  // the same delivery came in another call at the same time
            return other;
        }
        sync(folder);
        return answer;
    }

    private static String lines(Answer answer) {
        List<String> lines = new ArrayList<>(List.of(answer.transId(), answer.seal()));
        answer.delivered().forEach((recipient, delivered) -> lines.add(recipient + " " + delivered));
        return String.join("\n", lines) + "\n";
    }

    /** Reads the list anew for each delivery, so that it may change while the operator runs. */
    private Map<String, Set<String>> readList() throws IOException {
        Map<String, Set<String>> mailboxes = new HashMap<>();
        for (String line : Files.readAllLines(list)) {
            String[] words = line.strip().split("\\s+");
            mailboxes.put(words[0], new HashSet<>(Arrays.asList(words).subList(1, words.length)));
        }
        return mailboxes;
    }

    private static void write(Path file, byte[] content) throws IOException {
        Files.write(file, content);
        sync(file);
    }

    private static void sync(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    private static void remove(Path unfinished) throws IOException {
        try (Stream<Path> files = Files.list(unfinished)) {
            for (Path each : files.toList()) {
                Files.delete(each);
            }
        }
        Files.delete(unfinished);
    }
}
