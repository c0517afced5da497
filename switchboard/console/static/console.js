// Keeps a page true while it is open: sections are replaced as the server sends them, clocks run.
"use strict";

function spell(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const pad = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60, rest = whole % 60;
  if (hours) return `${hours}h ${pad(minutes)}m`;
  return minutes ? `${minutes}m ${pad(rest)}s` : `${rest}s`;
}

// The server's clock may differ from this machine's: its instants are compared with the page's own first sight.
const skew = Number(document.body.dataset.at || Date.now() / 1000) - Date.now() / 1000;

function runClocks() {
  const now = Date.now() / 1000 + skew;
  for (const timer of document.querySelectorAll("time.timer")) {
    const { since, until } = timer.dataset;
    const text = spell(since ? now - since : until - now);
    if (timer.textContent !== text) timer.textContent = text;
  }
}

function replace(section, html) {
  const focused = section.contains(document.activeElement) ? document.activeElement : null;
  const scrolled = [...section.querySelectorAll(".table")].map((table) => table.scrollLeft);
  const open = [...section.querySelectorAll("details[open][id]")].map((each) => each.id);
  section.innerHTML = html;
  section.querySelectorAll(".table").forEach((table, index) => { table.scrollLeft = scrolled[index] || 0; });
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused?.id) document.getElementById(focused.id)?.focus({ preventScroll: true });
  else if (focused) section.querySelector(".table")?.focus({ preventScroll: true });
  runClocks();
  section.dispatchEvent(new CustomEvent("replaced", { bubbles: true }));
}

function follow(live) {
  const source = new EventSource(live.dataset.events);
  for (const section of document.querySelectorAll("[id^=live-]")) {
    source.addEventListener(section.id.slice(5), (event) => replace(section, event.data));
  }
  source.onopen = () => { live.dataset.state = "live"; live.textContent = "live"; };
  source.onerror = () => { live.dataset.state = "lost"; live.textContent = "connection lost, trying again"; };
  window.addEventListener("pagehide", () => source.close());
}

const live = document.getElementById("live");
if (live?.dataset.events) follow(live);
if (document.querySelector("time.timer") || live) setInterval(runClocks, 1000);
