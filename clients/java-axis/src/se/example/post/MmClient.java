package se.example.post;

import java.util.Arrays;
import java.util.List;

import se.gov.minameddelanden.schema.Common.v3.ExceptionInformation;

/** The commands: ask the register, follow a message. */
public final class MmClient {
    private static final String USAGE = "use: ask REGISTER SENDER RECIPIENT... | follow MESSAGE SENDER ID";

    private MmClient() {
    }

    public static void main(String[] arguments) {
        try {
            run(Arrays.asList(arguments));
        } catch (ExceptionInformation fault) {
            // Axis makes the type of the applicationFault an exception. Below 5000 the same call may be repeated later; from
            // 5000 on, change something first.
            System.err.println("fault " + fault.getErrorCode() + " " + fault.getDescription() + " (CallId "
                    + fault.getCallId() + ")");
            System.exit(1);
        } catch (Exception error) {
            System.err.println("error " + error);
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
        } else if (command.equals("follow") && arguments.size() == 4) {
            System.out.println(new Dispatcher(arguments.get(1)).follow(arguments.get(2), arguments.get(3)));
        } else {
            throw new IllegalArgumentException(USAGE);
        }
    }
}
