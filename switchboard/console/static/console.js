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
  source.addEventListener("done", () => { source.close(); live.dataset.state = "static"; live.textContent = ""; });
  source.onopen = () => { live.dataset.state = "live"; live.textContent = "live"; };
  source.onerror = () => { live.dataset.state = "lost"; live.textContent = "connection lost, trying again"; };
  window.addEventListener("pagehide", () => source.close());
}

// A message of the ladder is shown beside it, without leaving the page.
async function showMessage(line, tapped = false) {
  const answer = await fetch(line.dataset.message);
  if (!answer.ok) return;
  const panel = document.getElementById("message");
  panel.innerHTML = await answer.text();
  panel.scrollTop = 0;
  chosen = line.id;
  markChosen();
  history.replaceState(null, "", line.getAttribute("href"));
  const box = panel.getBoundingClientRect();
  const stacked = matchMedia("(max-width: 80rem)").matches;
  if (box.top > (tapped && stacked ? innerHeight / 3 : innerHeight - 120)) panel.scrollIntoView({ block: "start" });
}

let chosen = document.querySelector(".line[aria-current]")?.id;

function markChosen() {
  for (const line of document.querySelectorAll(".line[aria-current]")) line.removeAttribute("aria-current");
  if (chosen) document.getElementById(chosen)?.setAttribute("aria-current", "true");
}

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const line = event.target.closest(".line[data-message]");
  if (line) { event.preventDefault(); showMessage(line, true); }
  const copier = event.target.closest("[data-copy]");
  if (copier && navigator.clipboard) { event.preventDefault(); copy(copier); }
});

// A whole row leads where its first link does; a button beside a value copies that.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-text]");
  if (button) { copyText(button); return; }
  const row = event.target.closest("[data-row]");
  if (!row || event.target.closest("a, button, input, form") || String(getSelection())) return;
  row.querySelector("a")?.click();
});

async function copyText(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.text);
  } catch {
    getSelection().selectAllChildren(button.parentElement.querySelector("code"));
    if (!document.execCommand("copy")) return;
    getSelection().removeAllRanges();
  }
  tellCopied(button);
}

function tellCopied(button) {
  const before = button.innerHTML;
  button.textContent = "Copied";
  setTimeout(() => { button.innerHTML = before; }, 2000);
}

document.addEventListener("keydown", (event) => {
  const line = document.activeElement?.closest?.(".line[data-message]");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!line || !step) return;
  const lines = [...document.querySelectorAll(".line[data-message]")];
  const next = lines[lines.indexOf(line) + step];
  if (next) { event.preventDefault(); next.focus(); showMessage(next); }
});

document.addEventListener("replaced", markChosen);

async function copy(copier) {
  const text = await (await fetch(copier.getAttribute("href"))).text();
  await navigator.clipboard.writeText(text);
  tellCopied(copier);
}

// A link that leads into something folded opens it.
function unfold() {
  const aim = location.hash && document.getElementById(location.hash.slice(1));
  const fold = aim && aim.closest("details");
  if (fold) { fold.open = true; aim.focus(); }
}
unfold();
if (matchMedia("(max-width: 46rem)").matches) {
  for (const filters of document.querySelectorAll("details.filters:not([data-used])")) filters.open = false;
}
window.addEventListener("hashchange", unfold);

const live = document.getElementById("live");
if (live?.dataset.events) follow(live);
if (document.querySelector("time.timer") || live) setInterval(runClocks, 1000);
