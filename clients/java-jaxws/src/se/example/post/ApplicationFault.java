package se.example.post;

import se.gov.minameddelanden.schema.common.v3.ExceptionInformation;

/**
 * The service refused, and said why in its applicationFault.
 *
 * Below 5000 the same call may be repeated later; from 5000 on, change something first. The call id is what the service's
 * operator needs to find the call.
 */
public final class ApplicationFault extends Exception {
    /** checkDistributionStatus: the dispatcher has not unpacked the delivery yet. */
    public static final int NOT_FINISHED = 5004;

    private static final long serialVersionUID = 1;

    private final int code;

    ApplicationFault(ExceptionInformation information, Throwable cause) {
        super("fault " + information.getErrorCode() + " " + information.getDescription() + " (CallId "
                + information.getCallId() + ")", cause);
        code = information.getErrorCode();
    }

    public int code() {
        return code;
    }
}
