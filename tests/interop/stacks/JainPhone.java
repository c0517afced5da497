import gov.nist.javax.sip.SipStackExt;
import gov.nist.javax.sip.clientauthutils.AccountManager;
import gov.nist.javax.sip.clientauthutils.AuthenticationHelper;
import gov.nist.javax.sip.clientauthutils.UserCredentials;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import javax.sip.*;
import javax.sip.address.*;
import javax.sip.header.*;
import javax.sip.message.*;

/** A phone around NIST's JAIN-SIP that does what the lines of its input say (see stack.Phone). */
public class JainPhone implements SipListener, AccountManager {
    final String user = System.getenv("PHONE_USER");
    final String password = System.getenv("PHONE_PASSWORD");
    final String own = System.getenv("PHONE_ADDRESS");
    final String server = System.getenv("PHONE_SERVER");
    final SipFactory factory = SipFactory.getInstance();
    final AddressFactory addresses;
    final HeaderFactory headers;
    final MessageFactory messages;
    final SipProvider provider;
    final AuthenticationHelper helper;
    long cseq = 1;
    volatile Dialog dialog;
    volatile ServerTransaction ringing;
    CallIdHeader registration;

    JainPhone() throws Exception {
        Properties properties = new Properties();
        properties.setProperty("javax.sip.STACK_NAME", "phone");
        properties.setProperty("javax.sip.OUTBOUND_PROXY", server + ":5060/udp");
        properties.setProperty("javax.sip.AUTOMATIC_DIALOG_SUPPORT", "on");
        SipStack stack = factory.createSipStack(properties);
        addresses = factory.createAddressFactory();
        headers = factory.createHeaderFactory();
        messages = factory.createMessageFactory();
        provider = stack.createSipProvider(stack.createListeningPoint(own, 5060, "udp"));
        provider.addSipListener(this);
        helper = ((SipStackExt) stack).getAuthenticationHelper(this, headers);
    }

    public UserCredentials getCredentials(ClientTransaction challenged, String realm) {
        return new UserCredentials() {
            public String getUserName() { return user; }
            public String getPassword() { return password; }
            public String getSipDomain() { return realm; }
        };
    }

    Address aor(String name) throws Exception {
        return addresses.createAddress(addresses.createSipURI(name, server));
    }

    ContactHeader contact() throws Exception {
        SipURI uri = addresses.createSipURI(user, own);
        uri.setPort(5060);
        return headers.createContactHeader(addresses.createAddress(uri));
    }

    Request request(String method, String to, URI uri, CallIdHeader callId) throws Exception {
        List<ViaHeader> vias = new ArrayList<>();
        vias.add(headers.createViaHeader(own, 5060, "udp", null));
        Request request = messages.createRequest(
            uri, method, callId, headers.createCSeqHeader(cseq++, method),
            headers.createFromHeader(aor(user), Long.toString(System.nanoTime(), 36)),
            headers.createToHeader(aor(to), null), vias, headers.createMaxForwardsHeader(70));
        request.addHeader(contact());
        return request;
    }

    void setSdp(Message message) throws Exception {
        String sdp = "v=0\r\no=- 1 1 IN IP4 " + own + "\r\ns=-\r\nc=IN IP4 " + own
            + "\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
        message.setContent(sdp, headers.createContentTypeHeader("application", "sdp"));
    }

    void obey(String word, String other, String text) throws Exception {
        switch (word) {
            case "register": {
                if (registration == null) registration = provider.getNewCallId();
                Request request = request("REGISTER", user, addresses.createURI("sip:" + server), registration);
                request.addHeader(headers.createExpiresHeader(600));
                provider.getNewClientTransaction(request).sendRequest();
                break;
            }
            case "call": {
                Request request = request("INVITE", other, aor(other).getURI(), provider.getNewCallId());
                setSdp(request);
                provider.getNewClientTransaction(request).sendRequest();
                break;
            }
            case "answer": {
                Response response = messages.createResponse(200, ringing.getRequest());
                ((ToHeader) response.getHeader("To")).setTag(dialog.getLocalTag());
                response.addHeader(contact());
                setSdp(response);
                ringing.sendResponse(response);
                break;
            }
            case "hangup":
                if (dialog != null && dialog.getState() == DialogState.CONFIRMED)
                    dialog.sendRequest(provider.getNewClientTransaction(dialog.createRequest("BYE")));
                break;
            case "message": {
                Request request = request("MESSAGE", other, aor(other).getURI(), provider.getNewCallId());
                request.setContent(text, headers.createContentTypeHeader("text", "plain"));
                provider.getNewClientTransaction(request).sendRequest();
                break;
            }
        }
    }

    public void processRequest(RequestEvent event) {
        try {
            Request request = event.getRequest();
            System.out.println("request " + request.getMethod());
            if (request.getMethod().equals("ACK")) return;
            ServerTransaction transaction = event.getServerTransaction();
            if (transaction == null) transaction = provider.getNewServerTransaction(request);
            Response response = messages.createResponse(request.getMethod().equals("INVITE") ? 180 : 200, request);
            if (request.getMethod().equals("INVITE")) {
                ringing = transaction;
                dialog = transaction.getDialog();
                ((ToHeader) response.getHeader("To")).setTag(Long.toString(System.nanoTime(), 36));
            }
            transaction.sendResponse(response);
        } catch (Exception error) {
            error.printStackTrace();
        }
    }

    public void processResponse(ResponseEvent event) {
        try {
            Response response = event.getResponse();
            CSeqHeader answered = (CSeqHeader) response.getHeader("CSeq");
            System.out.println(answered.getMethod() + " " + response.getStatusCode());
            ClientTransaction transaction = event.getClientTransaction();
            int status = response.getStatusCode();
            if ((status == 401 || status == 407) && transaction != null && !password.isEmpty())
                helper.handleChallenge(response, transaction, provider, 5).sendRequest();
            else if (status == 200 && answered.getMethod().equals("INVITE")) {
                dialog = event.getDialog();
                dialog.sendAck(dialog.createAck(answered.getSeqNumber()));
            }
        } catch (Exception error) {
            error.printStackTrace();
        }
    }

    public void processTimeout(TimeoutEvent event) {}
    public void processIOException(IOExceptionEvent event) {}
    public void processTransactionTerminated(TransactionTerminatedEvent event) {}
    public void processDialogTerminated(DialogTerminatedEvent event) {}

    public static void main(String[] none) throws Exception {
        JainPhone phone = new JainPhone();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null; ) {
            String[] words = (line + "  ").split(" ", 3);
            System.out.println("told " + words[0]);
            try {
                phone.obey(words[0], words[1].trim(), words[2].trim());
            } catch (Exception error) {
                error.printStackTrace();
            }
        }
        System.exit(0);
    }
}
