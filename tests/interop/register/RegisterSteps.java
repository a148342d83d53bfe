import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.stream.Collectors;

import javax.xml.datatype.DatatypeFactory;

import se.gov.minameddelanden.authority.Authority;
import se.gov.minameddelanden.authority.AuthorityPort;
import se.gov.minameddelanden.recipient.Recipient;
import se.gov.minameddelanden.recipient.RecipientPortV3;
import se.gov.minameddelanden.schema.authority.AccountActions;
import se.gov.minameddelanden.schema.authority.Person;
import se.gov.minameddelanden.schema.authority.SignatureAuthorizationResult;
import se.gov.minameddelanden.schema.authority.UserAccessRightsResult;
import se.gov.minameddelanden.schema.common.SignatureData;
import se.gov.minameddelanden.schema.recipient.AccountPreferences;
import se.gov.minameddelanden.schema.recipient.AccountRequest;
import se.gov.minameddelanden.schema.recipient.AccountRequestTypes;
import se.gov.minameddelanden.schema.recipient.AccountStatus;
import se.gov.minameddelanden.schema.recipient.AccountTypes;
import se.gov.minameddelanden.schema.recipient.v2.OrganizationIdentity;
import se.gov.minameddelanden.schema.sender.Sender;

/**
 * An operator's Java system, its client generated from the WSDLs that are served.
 *
 * Arguments: the server's URL, the folder with a file for each signature (base64, certificate, nonce, encoding), the
 * text that the users sign. Reads calls, one a line, operation and arguments between tabs; answers each with a line.
 */
public final class RegisterSteps {
    private final RecipientPortV3 recipient;
    private final AuthorityPort authority;
    private final Path signatures;
    private final String text;

    private RegisterSteps(String base, Path signatures, String text) throws Exception {
        recipient = new Recipient(new URL(base + "/Recipient/v3?wsdl")).getRecipientPortV3();
        authority = new Authority(new URL(base + "/Authority?wsdl")).getAuthorityPort();
        this.signatures = signatures;
        this.text = text;
    }

    public static void main(String[] arguments) throws Exception {
        var steps = new RegisterSteps(arguments[0], Path.of(arguments[1]), Files.readString(Path.of(arguments[2])));
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        out.println("ready");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split("\t");
            out.println(steps.answer(words[0], Arrays.copyOfRange(words, 1, words.length)));
        }
    }

    private String answer(String operation, String[] words) throws Exception {
        try {
            return call(operation, words);
        } catch (Exception fault) {
            // Each generated fault has a class of its own and no ancestor in common but Exception.
            Object info;
            try {
                info = fault.getClass().getMethod("getFaultInfo").invoke(fault);
            } catch (NoSuchMethodException unexpected) {
                return "unexpected " + fault;
            }
            return String.valueOf(info.getClass().getMethod("getErrorCode").invoke(info));
        }
    }

    private String call(String operation, String[] a) throws Exception {
        switch (operation) {
            case "isRegistered":
                return join("; ", recipient.isRegistered(Arrays.asList(a)), RegisterSteps::account);
            case "isReachable":
                return join("; ", recipient.isReachable(a[0], Arrays.asList(a).subList(1, a.length)),
                        each -> account(each.getAccountStatus()) + " " + each.isSenderAccepted());
            case "register":
                return signed(recipient.register(request(AccountRequestTypes.CREATE, a), AccountTypes.SECURE, given(a[2])));
            case "deregister":
                return signed(recipient.deregister(request(AccountRequestTypes.DELETE, a), given(a[2])));
            case "changeServiceSupplier":
                return signed(recipient.changeServiceSupplier(a[0], first(a[2]), a[1], text, given(a[2])));
            case "storeAccountPreferences":
                return signed(recipient.storeAccountPreferences(a[0], first(a[2]), wanted(a), text, given(a[2])));
            case "getAccountPreferences":
                return accepted(recipient.getAccountPreferences(a[0], a[1]));
            case "getPendingAccountRequest":
                return orDash(join("; ", recipient.getPendingAccountRequest(Arrays.asList(a).subList(1, a.length), a[0]),
                        each -> each.getAccountRequest().getType().value() + " "
                                + each.getAccountRequest().getServiceSupplier() + " " + signers(each.getSignatureStatus())));
            case "deletePendingAccountRequest":
                recipient.deletePendingAccountRequest(a[0], a[1]);
                return "done";
            case "getPendingChangeServiceSupplier":
                var change = recipient.getPendingChangeServiceSupplier(a[0], a[1]);
                return change.getServiceSupplier().getName() + " " + signers(change.getPendingSignatures());
            case "deletePendingChangeServiceSupplier":
                return recipient.deletePendingChangeServiceSupplier(identity(a)).getName();
            case "getPendingAccountPreferences":
                var pending = recipient.getPendingAccountPreferences(a[0], a[1]);
                return accepted(pending.getAccountPreferences()) + " " + signers(pending.getPendingSignatures());
            case "deletePendingAccountPreferences":
                var gone = recipient.deletePendingAccountPreferences(identity(a));
                return gone.getId() + " " + gone.getUserIdentity();
            case "isAuthorizedSigner":
                return authorized(a);
            default:
                return ask(operation, a);
        }
    }

    private String ask(String operation, String[] a) throws Exception {
        switch (operation) {
            case "getSenders":
                return join(",", authority.getSenders(), Sender::getId);
            case "getDispatchers":
                return join("; ", authority.getDispatchers(), each -> each.getId() + ":" + String.join(",", each.getSenders()));
            case "isSenderAccepted":
                return String.valueOf(authority.isSenderAccepted(a[0]));
            case "testNewSigner":
                return signed(authority.testNewSigner(a[0], persons(a[1]), a[2].equals("-") ? null : a[2],
                        AccountActions.OWNERSHIP));
            case "verifyAuthorizedSignatures":
                return signed(authority.verifyAuthorizedSignatures(a[0], given(a[1]),
                        text.getBytes(StandardCharsets.UTF_8), AccountActions.OWNERSHIP));
            case "getUserAccessRights":
                return rights(authority.getUserAccessRights(a[0]));
            case "getUserAccessRightsNoConcent":
                return rights(authority.getUserAccessRightsNoConcent(a[0]));
            default:
                return "no such operation";
        }
    }

    private String authorized(String[] a) throws Exception {
        var found = recipient.isAuthorizedSigner(a[0], a[1]);
        String said = found.isIsAccountAuthorizedSigner() + " " + ids(found.getPossibleSigners());
        var account = found.getAccountInformation();
        return account == null ? said : String.join(" ", said, account.getAccountStatus().value(),
                account.getSignatureStatus().value(), account.getServiceSupplier(), ids(account.getSignedBy()));
    }

    private AccountRequest request(AccountRequestTypes kind, String[] a) throws Exception {
        var request = new AccountRequest();
        request.setId(a[0]);
        request.setType(kind);
        request.setAgreementText(text);
        request.setTimestamp(DatatypeFactory.newInstance().newXMLGregorianCalendar(LocalDate.now().toString()));
        request.setServiceSupplier(a[1]);
        return request;
    }

    private List<SignatureData> given(String signers) throws Exception {
        List<SignatureData> given = new ArrayList<>();
        for (String name : signers.split(",")) {
            String[] lines = Files.readString(signatures.resolve(name)).split("\n");
            var one = new SignatureData();
            one.setSignature(Base64.getDecoder().decode(lines[0]));
            one.setCertificate(lines[1]);
            one.setNonce(lines[2].isEmpty() ? null : lines[2]);
            one.setEncodingOfSignedText(lines[3]);
            given.add(one);
        }
        return given;
    }

    private static AccountPreferences wanted(String[] a) {
        var preferences = new AccountPreferences();
        preferences.setId(a[0]);
        for (String number : a[1].equals("-") ? new String[0] : a[1].split(",")) {
            var sender = new Sender();
            sender.setId(number);
            sender.setName("Namn");
            preferences.getAcceptedSenders().add(sender);
        }
        return preferences;
    }

    private static List<Person> persons(String signed) {
        List<Person> persons = new ArrayList<>();
        for (String number : signed.equals("-") ? new String[0] : signed.split(",")) {
            var person = new Person();
            person.setId(number);
            person.setName("Namn");
            persons.add(person);
        }
        return persons;
    }

    private static OrganizationIdentity identity(String[] a) {
        var identity = new OrganizationIdentity();
        identity.setId(a[0]);
        identity.setUserIdentity(a[1]);
        return identity;
    }

    private static String first(String signers) {
        return signers.split(",")[0].replace("!", "");
    }

    private static <T> String join(String between, List<T> rows, java.util.function.Function<T, String> words) {
        return rows.stream().map(words).collect(Collectors.joining(between));
    }

    private static String orDash(String words) {
        return words.isEmpty() ? "-" : words;
    }

    private static String ids(List<Person> persons) {
        return join(",", persons, Person::getId);
    }

    private static String account(AccountStatus status) {
        var operator = status.getServiceSupplier();
        return operator == null ? status.getType().value()
                : status.getType().value() + " " + (status.isPending() ? "pending" : "active") + " " + operator.getName();
    }

    private static String accepted(AccountPreferences preferences) {
        return orDash(join(",", preferences.getAcceptedSenders(), Sender::getId));
    }

    private static String signers(SignatureAuthorizationResult result) {
        String possible = ids(result.getPossibleSigners());
        return (ids(result.getSignedBy()) + (possible.isEmpty() ? "" : " / " + possible)).trim();
    }

    private static String signed(SignatureAuthorizationResult result) {
        return result.getStatus().value() + " " + signers(result);
    }

    private static String rights(UserAccessRightsResult result) {
        return orDash(join("; ", result.getRights(), each -> each.getId() + " " + each.getGrantType().value()));
    }
}
