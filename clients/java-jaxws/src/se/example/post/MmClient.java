package se.example.post;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** The commands: ask the register, send a signed message, follow it, verify a sealed one. */
public final class MmClient {
    private static final String USAGE = "use: ask REGISTER SENDER RECIPIENT..."
            + " | send MESSAGE CERTIFICATE KEY RECIPIENT SUBJECT TEXT PDF | follow MESSAGE SENDER ID"
            + " | verify FILE CERTIFICATE...";

    private MmClient() {
    }

    public static void main(String[] arguments) {
        try {
            run(Arrays.asList(arguments));
        } catch (ApplicationFault fault) {
            System.err.println(fault.getMessage());
            System.exit(1);
        } catch (Refused refused) {
            System.err.println("invalid " + refused.getMessage());
            System.exit(1);
        } catch (Exception error) {
            System.err.println("error " + error + (error.getCause() == null ? "" : ", " + error.getCause()));
            System.exit(2);
        }
    }

    private static void run(List<String> arguments) throws Exception {
        String command = arguments.isEmpty() ? "" : arguments.get(0);
        if (command.equals("ask") && arguments.size() >= 4) {
            for (Register.Reachability each : new Register(arguments.get(1))
                    .reachable(arguments.get(2), arguments.subList(3, arguments.size()))) {
                System.out.println(each.recipient() + (each.reachable() ? " yes" : " no"));
            }
        } else if (command.equals("send") && arguments.size() == 8) {
            Signer signer = Signer.load(Path.of(arguments.get(2)), Path.of(arguments.get(3)));
            SignedDelivery delivery = SignedDelivery.create(signer, arguments.get(4), arguments.get(5),
                    Files.readString(Path.of(arguments.get(6))), Path.of(arguments.get(7)));
            System.out.println(new Dispatcher(arguments.get(1)).distribute(delivery));
        } else if (command.equals("follow") && arguments.size() == 4) {
            System.out.println(new Dispatcher(arguments.get(1)).follow(arguments.get(2), arguments.get(3)));
        } else if (command.equals("verify") && arguments.size() >= 3) {
            Trust trust = Trust.load(arguments.subList(2, arguments.size()).stream().map(Path::of).toList());
            SealedDelivery sealed = SealedDelivery.verify(SealedDelivery.read(Path.of(arguments.get(1))), trust);
            System.out.println("seal " + sealed.seal().signer().number());
            System.out.println("signature " + sealed.delivery().signer().number());
        } else {
            throw new IllegalArgumentException(USAGE);
        }
    }
}
