// The phone of the page Phone, over JsSIP (jssip.js, jssip.txt).
"use strict";

(() => {
const find = (name) => document.getElementById(`phone-${name}`);
const settings = document.getElementById("softphone").dataset;
const AUDIO = { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } };
const WHY = {
  "Busy": "is busy.", "Rejected": "has declined.", "Unavailable": "cannot be reached now.", "Not Found": "is not known here.",
  "No Answer": "does not answer.", "Canceled": "has hung up.", "Request Timeout": "does not answer.",
  "Incompatible SDP": "has a phone that does not understand encrypted calls.",
  "User Denied Media Access": "was not called: this page may not use the microphone.",
  "Connection Error": "was not called: the switchboard cannot be reached.",
};
const RING = { hertz: 440, on_s: 1, every_s: 3 };
let agent = null, session = null, timer = null, sound = null, bell = null;

function show(name, wanted) { find(name).hidden = !wanted; }

function tell(text, kind) {
  find("state").textContent = text;
  find("state").className = `badge ${kind}`;
}

function complain(text) {
  find("problem").textContent = text;
  show("problem", Boolean(text));
}

function showForms() {
  show("register", !agent);
  show("dial", agent && !session);
  show("call", Boolean(session));
}

function register(user, password) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new JsSIP.WebSocketInterface(`${scheme}://${location.host}${settings.socket}`);
  agent = new JsSIP.UA({ sockets: [socket], uri: `sip:${user}@${settings.domain}`, password, user_agent: "Switchboard Phone" });
  agent.on("registered", () => { complain(""); tell("registered", "good"); showForms(); });
  agent.on("unregistered", () => tell("not registered", "calm"));
  agent.on("disconnected", ({ error }) => { if (error) tell("connection lost, trying again", "fair"); });
  agent.on("registrationFailed", ({ response, cause }) => {
    if (cause === "Connection Error") return;
    leave();
    const denied = response && [401, 403, 407].includes(response.status_code);
    complain(denied ? "The user or the password is wrong." : `The switchboard does not register this user: ${response ? response.reason_phrase : cause}.`);
  });
  agent.on("newRTCSession", ({ originator, session: begun }) => take(originator, begun));
  tell("registering", "calm");
  agent.start();
}

function leave() {
  const left = agent;
  agent = null;
  if (left) left.stop();
  tell("not registered", "calm");
  showForms();
}

function take(originator, begun) {
  if (session) { begun.terminate({ status_code: 486 }); return; }
  session = begun;
  const peer = begun.remote_identity.uri.user || begun.remote_identity.uri.host;
  const isOurs = originator === "local";
  complain("");
  find("peer").textContent = begun.remote_identity.display_name || peer;
  find("progress").textContent = isOurs ? "calling" : "calls you";
  show("answer", !isOurs);
  show("mute", false);
  find("hang-up").textContent = isOurs ? "Hang up" : "Decline";
  showForms();
  find(isOurs ? "hang-up" : "answer").focus();
  if (!isOurs) ring();
  begun.on("accepted", () => clearInterval(bell));
  begun.on("progress", () => { if (isOurs) find("progress").textContent = "rings"; });
  begun.on("confirmed", () => talk());
  begun.on("ended", () => end());
  begun.on("failed", ({ cause, originator: who }) => {
    end();
    if (who !== "local" || cause === "User Denied Media Access") complain(`${peer} ${WHY[cause] || `was not reached: ${cause}.`}`);
  });
}

// Browsers let a page make a sound once somebody has clicked there: `sound` is made when a user registers.
function ring() {
  const strike = () => {
    const tone = sound.createOscillator();
    tone.frequency.value = RING.hertz;
    tone.connect(sound.destination);
    tone.start();
    tone.stop(sound.currentTime + RING.on_s);
  };
  strike();
  bell = setInterval(strike, 1000 * RING.every_s);
}

function talk() {
  const since = Date.now();
  const connection = session.connection;
  find("voice").srcObject = new MediaStream(connection.getReceivers().map((each) => each.track));
  show("answer", false);
  show("mute", true);
  find("hang-up").textContent = "Hang up";
  find("mute").setAttribute("aria-pressed", "false");
  const count = () => { find("progress").textContent = `talking, ${spell((Date.now() - since) / 1000)}`; };
  count();
  timer = setInterval(count, 1000);
}

function end() {
  clearInterval(timer);
  clearInterval(bell);
  session = null;
  find("voice").srcObject = null;
  showForms();
}

find("register").addEventListener("submit", (event) => {
  event.preventDefault();
  const user = find("user").value.trim();
  localStorage.setItem("phone-user", user);
  complain("");
  sound = sound || new AudioContext();
  find("me").textContent = user;
  register(user, find("password").value);
});

find("dial").addEventListener("submit", (event) => {
  event.preventDefault();
  const callee = find("callee").value.trim();
  agent.call(callee.includes("@") ? callee : `sip:${callee}@${settings.domain}`, AUDIO);
});

find("leave").addEventListener("click", leave);
find("answer").addEventListener("click", () => session.answer(AUDIO));
find("hang-up").addEventListener("click", () => session.terminate());
find("mute").addEventListener("click", () => {
  const isMuted = !session.isMuted().audio;
  if (isMuted) session.mute({ audio: true }); else session.unmute({ audio: true });
  find("mute").setAttribute("aria-pressed", String(isMuted));
});
window.addEventListener("pagehide", () => { if (session) session.terminate(); if (agent) agent.stop(); });

find("user").value = localStorage.getItem("phone-user") || "";
if (!window.isSecureContext) {
  complain("Browsers give the microphone only to pages at https:// addresses, or at localhost: open the console there.");
}
})();
