// Keeps the page of a run up to date: asks for the page behind the newest event that it shows and takes over the
// parts that changed, and for the lines behind the last one of each log that is unfolded. Stops apps, by the API.
"use strict";

const PAGE_MS = 2000;
const LOG_MS = 1000;
const LINES_KEPT = 5000;

const main = () => document.querySelector("main");
const isFinal = () => main().dataset.final === "yes";
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

function takeOver(fresh) {
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const old = document.querySelector(`[data-part="${part.dataset.part}"]`);
    if (old !== null && old.outerHTML !== part.outerHTML) old.replaceWith(part.cloneNode(true));
  }
  for (const job of fresh.querySelectorAll("details")) {
    const old = document.getElementById(job.id);
    if (old === null) return location.reload(); // jobs were added, as by a matrix that was not known before
    const log = job.querySelector("pre.log");
    if (log !== null && old.querySelector("pre.log") === null) {
      old.replaceWith(document.importNode(job, true));
    }
  }
  document.title = fresh.title;
  main().dataset.cursor = fresh.querySelector("main").dataset.cursor;
  main().dataset.final = fresh.querySelector("main").dataset.final;
  markStopping();
}

async function followPage() {
  while (!isFinal()) {
    await wait(PAGE_MS);
    if (document.hidden) continue;
    try {
      const answer = await fetch(`${location.pathname}${location.search}&after=${main().dataset.cursor}`);
      if (answer.status === 200) {
        takeOver(new DOMParser().parseFromString(await answer.text(), "text/html"));
      } else if (answer.status === 404 || answer.status === 410) {
        return;
      }
    } catch { /* the daemon is away: it comes again */ }
  }
}

function append(log, lines) {
  const isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 24;
  for (const line of lines) {
    const shown = document.createElement("span");
    shown.className = line.kind;
    shown.textContent = `${line.text}\n`;
    log.append(shown);
  }
  while (log.childNodes.length > LINES_KEPT) log.firstChild.remove();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

async function followLog(log) {
  const answer = await fetch(`${log.dataset.log}&cursor=${log.dataset.cursor}`);
  if (answer.status !== 200) return;
  const news = await answer.json();
  append(log, news.lines);
  log.dataset.cursor = news.next;
  if (news.is_final) log.dataset.done = "yes";
}

async function followLogs() {
  const going = () => [...document.querySelectorAll("details[open] pre.log:not([data-done])")];
  while (!isFinal() || going().length) {
    if (!document.hidden) {
      for (const log of going()) {
        try { await followLog(log); } catch { /* later */ }
      }
    }
    await wait(LOG_MS);
    if (isFinal() && !going().length) return;
  }
}

function unfold() {
  const target = document.getElementById(location.hash.slice(1));
  if (target !== null && target.tagName === "DETAILS") target.open = true;
}

// -- apps ---------------------------------------------------------------------------------------

const stopping = new Set(); // where it was asked for
let token = ""; // kept by this page alone, for as long as it is open

function leftText(seconds) { // as web/app_html.py says it
  const minutes = Math.ceil(seconds / 60);
  if (minutes <= 1) return "within a minute";
  return minutes < 120 ? `in ${minutes} min` : `in ${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function tellTimeLeft() {
  for (const left of document.querySelectorAll("[data-ends]")) {
    const text = leftText(left.dataset.ends - Date.now() / 1000);
    if (left.textContent !== text) left.textContent = text;
  }
}

// What the API says against it; nothing where the app is being stopped.
async function refusalToStop(address) {
  try {
    const answer = await fetch(address, { method: "POST", headers: { Authorization: `Bearer ${token}` } });
    if (answer.ok) return "";
    const problem = await answer.json();
    const isKnown = answer.status === 401; // what helps stands above
    return problem.remedy && !isKnown ? `${problem.detail}; ${problem.remedy}` : problem.detail;
  } catch {
    return "the daemon does not answer; try it again";
  }
}

function markStopping() {
  for (const button of document.querySelectorAll("[data-stop]")) {
    if (!stopping.has(button.dataset.stop)) continue;
    button.disabled = true;
    button.textContent = "Stopping…";
  }
}

function askToStop(button) {
  const dialog = document.getElementById("stop");
  const form = dialog.querySelector("form");
  const reason = form.querySelector(".reason");
  form.querySelector("h2 span").textContent = button.dataset.job;
  form.elements.token.value = token;
  reason.hidden = true;
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (event.submitter?.value === "leave") return dialog.close();
    token = form.elements.token.value.trim();
    const refusal = await refusalToStop(button.dataset.stop);
    reason.textContent = refusal;
    reason.hidden = refusal === "";
    if (refusal !== "") return;
    dialog.close();
    stopping.add(button.dataset.stop);
    markStopping();
  };
  dialog.showModal();
}

addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-stop]");
  if (button) askToStop(button);
});
document.documentElement.classList.add("scripted");
setInterval(tellTimeLeft, PAGE_MS);

for (const log of document.querySelectorAll("pre.log")) log.scrollTop = log.scrollHeight;
addEventListener("hashchange", unfold);
unfold();
followPage();
followLogs();
