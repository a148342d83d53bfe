import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import javax.xml.bind.JAXBContext;
import javax.xml.bind.JAXBException;
import javax.xml.bind.util.JAXBSource;
import javax.xml.transform.Source;
import javax.xml.ws.Endpoint;
import javax.xml.ws.Provider;
import javax.xml.ws.Service;
import javax.xml.ws.ServiceMode;
import javax.xml.ws.WebServiceException;
import javax.xml.ws.WebServiceProvider;
import se.gov.minameddelanden.authority.GetDispatchers;
import se.gov.minameddelanden.authority.GetDispatchersResponse;
import se.gov.minameddelanden.authority.GetSenders;
import se.gov.minameddelanden.authority.GetSendersResponse;
import se.gov.minameddelanden.schema.dispatcher.Dispatcher;
import se.gov.minameddelanden.schema.recipient.AccountStatus;
import se.gov.minameddelanden.schema.recipient.AccountTypes;
import se.gov.minameddelanden.schema.recipient.ReachabilityStatus;
import se.gov.minameddelanden.schema.recipient.ServiceSupplier;
import se.gov.minameddelanden.schema.recipient.v3.IsReachable;
import se.gov.minameddelanden.schema.recipient.v3.IsReachableResponse;
import se.gov.minameddelanden.schema.sender.Sender;

/** A register of another maker: reads requests as objects that wsimport made, and prints what it read. */
public class RegisterEndpoint {
    static String sender;
    static String dispatcher;
    static String operator;
    static String address;
    static List<String> known;
    static boolean reversed;

    public static void main(String[] arguments) {
        String url = arguments[0];
        sender = arguments[1];
        dispatcher = arguments[2];
        operator = arguments[3];
        address = arguments[4];
        reversed = arguments[5].equals("reversed");
        known = Arrays.asList(arguments).subList(6, arguments.length);
        Endpoint.publish(url + "/Recipient/v3", new RecipientService());
        Endpoint.publish(url + "/Authority", new AuthorityService());
        System.out.println("ready");
    }

    abstract static class Typed implements Provider<Source> {
        private final JAXBContext types;

        Typed(Class<?>... classes) {
            try {
                types = JAXBContext.newInstance(classes);
            } catch (JAXBException error) {
                throw new WebServiceException(error);
            }
        }

        abstract Object answer(Object request);

        @Override
        public Source invoke(Source request) {
            try {
                return new JAXBSource(types, answer(types.createUnmarshaller().unmarshal(request)));
            } catch (JAXBException error) {
                throw new WebServiceException(error);
            }
        }
    }

    @WebServiceProvider(wsdlLocation = "META-INF/wsdl/Recipient.wsdl", serviceName = "Recipient",
        portName = "RecipientPort-v3", targetNamespace = "http://minameddelanden.gov.se/Recipient")
    @ServiceMode(Service.Mode.PAYLOAD)
    public static class RecipientService extends Typed {
        public RecipientService() {
            super(IsReachable.class, IsReachableResponse.class);
        }

        @Override
        Object answer(Object request) {
            IsReachable question = (IsReachable) request;
            System.out.println("asked " + question.getSenderOrgNr() + " " + String.join(" ", question.getRecipientId()));
            IsReachableResponse response = new IsReachableResponse();
            for (String each : question.getRecipientId()) {
                AccountStatus account = new AccountStatus();
                account.setRecipientId(each);
                account.setType(known.contains(each) ? AccountTypes.SECURE : AccountTypes.NOT);
                account.setPending(false);
                if (known.contains(each)) {
                    ServiceSupplier supplier = new ServiceSupplier();
                    supplier.setId(operator);
                    supplier.setName("Operator");
                    supplier.setServiceAdress(address);
                    supplier.setInternalServiceAdress(address);
                    supplier.setUIAdress(address);
                    account.setServiceSupplier(supplier);
                }
                ReachabilityStatus status = new ReachabilityStatus();
                status.setAccountStatus(account);
                status.setSenderAccepted(known.contains(each));
                response.getReturn().add(status);
            }
            if (reversed) {
                Collections.reverse(response.getReturn());
            }
            return response;
        }
    }

    @WebServiceProvider(wsdlLocation = "META-INF/wsdl/Authority.wsdl", serviceName = "Authority",
        portName = "AuthorityPort", targetNamespace = "http://minameddelanden.gov.se/Authority")
    @ServiceMode(Service.Mode.PAYLOAD)
    public static class AuthorityService extends Typed {
        public AuthorityService() {
            super(GetSenders.class, GetSendersResponse.class, GetDispatchers.class, GetDispatchersResponse.class);
        }

        @Override
        Object answer(Object request) {
            if (request instanceof GetSenders) {
                Sender one = new Sender();
                one.setId(sender);
                one.setName("Sender");
                GetSendersResponse response = new GetSendersResponse();
                response.getReturn().add(one);
                return response;
            }
            Dispatcher one = new Dispatcher();
            one.setId(dispatcher);
            one.setName("Dispatcher");
            one.getSenders().add(sender);
            GetDispatchersResponse response = new GetDispatchersResponse();
            response.getReturn().add(one);
            return response;
        }
    }
}
