// Phones of two stacks behind one face, for tests: `makePhone(stack, settings)`; what they saw is in `events`.
import JsSIP from "jssip";
import { Inviter, Messager, Registerer, SessionState, UserAgent } from "sip.js";

const AUDIO = { audio: true, video: false };
const ICE = { iceServers: [] };
const found = [];

class Phone {
  constructor(settings) {
    this.settings = settings;
    this.events = [];
    this.session = null;
    this.sockets = [];
  }

  note(event) {
    this.events.push(event);
  }

  uri(user) {
    return `sip:${user}@${this.settings.domain}`;
  }

  // Octets of voice that have come in this call.
  async heard() {
    const stats = this.connection ? await this.connection.getStats() : [];
    let octets = 0;
    stats.forEach((each) => { if (each.type === "inbound-rtp") octets += each.bytesReceived; });
    return octets;
  }
}

class JsSipPhone extends Phone {
  start() {
    const { server, user, password } = this.settings;
    this.ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(server)], uri: this.uri(user), password });
    for (const event of ["connected", "disconnected", "registered", "unregistered", "registrationFailed"])
      this.ua.on(event, () => this.note(event));
    this.ua.on("newMessage", ({ originator, request }) => originator === "remote" && this.note(`message ${request.body}`));
    this.ua.on("newRTCSession", ({ originator, session }) => this.take(originator, session));
    this.ua.start();
  }

  take(originator, session) {
    this.session = session;
    if (originator === "remote") this.note("ringing");
    session.on("progress", () => originator === "local" && this.note("progress"));
    session.on("confirmed", () => this.note("talking"));
    session.on("ended", () => this.note("ended"));
    session.on("failed", ({ message, cause }) => this.note(`failed ${message && message.status_code || cause}`));
  }

  get connection() { return this.session && this.session.connection; }
  get isRegistered() { return this.ua.isRegistered(); }
  call(user) { this.ua.call(this.uri(user), { mediaConstraints: AUDIO, pcConfig: ICE }); }
  answer() { this.session.answer({ mediaConstraints: AUDIO, pcConfig: ICE }); }
  hangUp() { this.session.terminate(); }
  send(user, text) {
    this.ua.sendMessage(this.uri(user), text, { eventHandlers: { succeeded: () => this.note("sent") } });
  }
  cut() { this.ua.transport.socket._ws.close(); }
}

class SipJsPhone extends Phone {
  async start() {
    const { server, user, password } = this.settings;
    this.ua = new UserAgent({
      uri: UserAgent.makeURI(this.uri(user)),
      transportOptions: { server },
      authorizationUsername: user,
      authorizationPassword: password,
      logLevel: "error",
      sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: ICE, iceGatheringTimeout: 500 },
      delegate: {
        onConnect: () => this.note("connected"),
        onDisconnect: () => this.note("disconnected"),
        onInvite: (session) => { this.note("ringing"); this.take(session); },
        onMessage: (message) => { message.accept(); this.note(`message ${message.request.body}`); },
      },
    });
    await this.ua.start();
    this.registerer = new Registerer(this.ua);
    this.registerer.stateChange.addListener((state) => this.note(state.toLowerCase()));
    await this.registerer.register({ requestDelegate: { onReject: () => this.note("registrationFailed") } });
  }

  take(session) {
    this.session = session;
    session.stateChange.addListener((state) => {
      if (state === SessionState.Established) this.note("talking");
      if (state === SessionState.Terminated && !this.events.at(-1).startsWith("failed")) this.note("ended");
    });
  }

  get connection() {
    const handler = this.session && this.session.sessionDescriptionHandler;
    return handler && handler.peerConnection;
  }
  get isRegistered() { return this.registerer.state === "Registered"; }
  call(user) {
    const inviter = new Inviter(this.ua, UserAgent.makeURI(this.uri(user)));
    this.take(inviter);
    return inviter.invite({ requestDelegate: {
      onProgress: () => this.note("progress"),
      onReject: (response) => this.note(`failed ${response.message.statusCode}`),
    } });
  }
  answer() { return this.session.accept(); }
  hangUp() { return this.session.state === SessionState.Established ? this.session.bye() : this.session.cancel(); }
  send(user, text) {
    const messager = new Messager(this.ua, UserAgent.makeURI(this.uri(user)), text);
    return messager.message({ requestDelegate: { onAccept: () => this.note("sent") } });
  }
  cut() { this.ua.transport._ws.close(); }
  async comeBack() { await this.ua.reconnect(); await this.registerer.register(); }
}

// Returns the number by which a test names it.
window.makePhone = (stack, settings) => {
  const phone = stack === "JsSIP" ? new JsSipPhone(settings) : new SipJsPhone(settings);
  phone.start();
  return found.push(phone) - 1;
};
window.phones = found;
