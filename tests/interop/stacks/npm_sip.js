// A phone around npm's sip that does what the lines of its input say (see stack.Phone).
const readline = require("readline");
const sip = require("sip");
const digest = require("sip/digest");

const { PHONE_USER: user, PHONE_PASSWORD: password, PHONE_ADDRESS: address, PHONE_SERVER: server } = process.env;
const contact = [{ uri: `sip:${user}@${address}:5060` }];
const proxy = `sip:${server}:5060;lr`;
const sdp = `v=0\r\no=- 1 1 IN IP4 ${address}\r\ns=-\r\nc=IN IP4 ${address}\r\nt=0 0\r\n` +
  "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
const sessions = {};
let cseq = 1;
let call = null;
let waiting = null;

const random = () => Math.random().toString(36).slice(2);

function request(method, uri, headers, content) {
  return {
    method, uri, content,
    headers: {
      to: { uri }, from: { uri: `sip:${user}@${server}`, params: { tag: random() } },
      "call-id": random(), cseq: { method, seq: cseq++ }, "max-forwards": 70, contact, ...headers,
    },
  };
}

// Answers one challenge; later requests of a method show the credentials of the last one again.
function send(message, done) {
  const session = sessions[message.method] || (sessions[message.method] = {});
  if (session.nonce) digest.signRequest(session, message);
  sip.send(message, (response) => {
    console.log(message.method, response.status);
    if ([401, 407].includes(response.status) && password && !message.tried) {
      digest.signRequest(session, message, response, { user, password });
      message.headers.via.shift();
      message.headers.cseq.seq = cseq++;
      message.tried = true;
      send(message, done);
    } else {
      done(response);
    }
  });
}

function within(method, dialog) {
  return {
    method, uri: dialog.target,
    headers: {
      to: dialog.remote, from: dialog.local, "call-id": dialog.id, "max-forwards": 70, contact,
      cseq: { method, seq: method === "ACK" ? dialog.seq : ++dialog.seq }, route: dialog.routes,
    },
  };
}

function answered(message, response) {
  if (response.status < 200 || response.status >= 300) return;
  call = {
    id: message.headers["call-id"], local: message.headers.from, remote: response.headers.to,
    target: response.headers.contact[0].uri, seq: message.headers.cseq.seq,
    routes: (response.headers["record-route"] || []).slice().reverse(),
  };
  sip.send(within("ACK", call));
}

function ring(message) {
  message.headers.to.params.tag = random();
  waiting = message;
  sip.send(sip.makeResponse(message, 180));
}

const words = {
  register() {
    const message = request("REGISTER", `sip:${server}`, { to: { uri: `sip:${user}@${server}` }, expires: 600 });
    message.headers.from.uri = `sip:${user}@${server}`;
    send(message, () => {});
  },
  call(other) {
    const message = request("INVITE", `sip:${other}@${server}`, { "content-type": "application/sdp" }, sdp);
    send(message, (response) => answered(message, response));
  },
  answer() {
    const response = sip.makeResponse(waiting, 200);
    Object.assign(response.headers, { contact, "content-type": "application/sdp" });
    response.headers["record-route"] = waiting.headers["record-route"];
    response.content = sdp;
    call = {
      id: waiting.headers["call-id"], local: waiting.headers.to, remote: waiting.headers.from, seq: 1,
      target: waiting.headers.contact[0].uri, routes: waiting.headers["record-route"] || [],
    };
    sip.send(response);
  },
  hangup() {
    if (call) sip.send(within("BYE", call), () => {});
    call = null;
  },
  message(other, ...text) {
    send(request("MESSAGE", `sip:${other}@${server}`, { "content-type": "text/plain" }, text.join(" ")), () => {});
  },
};

sip.start({ address, port: 5060, tcp: false }, (message) => {
  if (message.method === "INVITE") ring(message);
  else if (message.method !== "ACK") sip.send(sip.makeResponse(message, 200));
});
readline.createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [word, ...rest] = line.split(" ");
    console.log("told", word);
    words[word](...rest);
  })
  .on("close", () => process.exit(0));
