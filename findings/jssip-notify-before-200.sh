#!/bin/sh
# JsSIP 3.13.8 (npm), Node.js: it answers a NOTIFY that comes before the 200 to its SUBSCRIBE with 481.
#
# RFC 6665 §4.1.2.4 has a subscriber expect that NOTIFY: the notifier sends it at once, and where the 200 and the
# NOTIFY come by different processes or hops either may be the first. It is the NOTIFY that makes the dialog (§4.4.1).
# JsSIP makes it of the 200, and knows no subscription before. A notifier that takes the 481 as RFC 6665 §4.2.2 has it
# removes the subscription, while JsSIP says "accepted" a moment later and waits for news that do not come.
#
# Seen:   NOTIFY before the 200: 481 Subscription does not exist
#         NOTIFY after the 200: 200 OK
# Exits with 0 while that is so, with 1 when it is otherwise. Uses no network but npm's: the socket is an object.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund jssip@3.13.8
cat > watch.cjs <<'NODE'
const JsSIP = require("jssip");

const field = (message, name) => message.match(new RegExp(`^${name}: (.*)$`, "m"))[1].trim();
const octets = (...lines) => [...lines, "Content-Length: 0", "", ""].join("\r\n");
const NOTIFIER = "<sip:127.0.0.1;transport=ws>";
const seen = [];

function accepted(subscribe) {
  const kept = ["Via", "From", "Call-ID", "CSeq"].map((name) => `${name}: ${field(subscribe, name)}`);
  const to = `To: ${field(subscribe, "To")};tag=notifier`;
  return octets("SIP/2.0 200 OK", ...kept, to, `Contact: ${NOTIFIER}`, "Expires: 600");
}

function notify(subscribe, number) {
  return octets(
    `NOTIFY ${field(subscribe, "Contact").match(/<([^>]*)>/)[1]} SIP/2.0`,
    `Via: SIP/2.0/WS 127.0.0.1;branch=z9hG4bK${number}`, "Max-Forwards: 70",
    `From: ${field(subscribe, "To")};tag=notifier`, `To: ${field(subscribe, "From")}`,
    `Call-ID: ${field(subscribe, "Call-ID")}`, `CSeq: ${number} NOTIFY`, `Contact: ${NOTIFIER}`,
    "Event: presence", "Subscription-State: active;expires=600",
  );
}

function serve(message) {
  if (message.startsWith("SUBSCRIBE ")) {
    for (const each of [notify(message, 1), accepted(message), notify(message, 2)]) {
      setImmediate(() => socket.ondata(each));
    }
  } else if (message.startsWith("SIP/2.0 ")) {
    seen.push(message.split("\r\n")[0].slice("SIP/2.0 ".length));
    if (seen.length === 2) end();
  }
}

function end() {
  console.log(`NOTIFY before the 200: ${seen[0]}\nNOTIFY after the 200: ${seen[1]}`);
  process.exit(seen[0]?.startsWith("481 ") && seen[1]?.startsWith("200 ") ? 0 : 1);
}

const socket = {
  url: "ws://127.0.0.1", via_transport: "WS", sip_uri: "sip:127.0.0.1;transport=ws",
  isConnected: () => true, isConnecting: () => false, disconnect() {}, connect() { this.onconnect(); },
  send(message) { serve(String(message)); return true; },
};
const phone = new JsSIP.UA({ sockets: [socket], uri: "sip:lenka@127.0.0.1", register: false });
phone.on("connected", () => {
  phone.subscribe("sip:lukas@127.0.0.1", "presence", "application/pidf+xml", { expires: 600 }).subscribe();
});
phone.start();
setTimeout(end, 10000);
NODE
node watch.cjs
