package se.example.post;

/** Something that came may not be accepted. The code is the contract's ErrorCode; the message never repeats what came. */
public final class Refused extends Exception {
    public static final int TECHNICAL = 4000;
    public static final int BAD_INPUT = 5001;
    public static final int NOT_AUTHORISED = 5002;
    public static final int NOT_FOUND = 5003;
    public static final int TOO_LARGE = 5005;
    public static final int SIGNATURE = 5006;
    public static final int CONTENT_TYPE = 5019;

    private static final long serialVersionUID = 1;

    private final int code;

    public Refused(int code, String description) {
        this(code, description, null);
    }

    public Refused(int code, String description, Throwable cause) {
        super(description, cause);
        this.code = code;
    }

    public int code() {
        return code;
    }
}
