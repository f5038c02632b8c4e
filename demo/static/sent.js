// The panel "What this page sent": the events that the collector sent from this
// page, and how each ended. It asks the shop, which asks Signal, until nothing
// can change any more.

const $ = (id) => document.getElementById(id);
const wide = matchMedia("(min-width: 861px)");
const shown = new Map(); // message id → {row, outcome}
const settled = new Set(["delivered", "filtered", "dead"]);
const most = 20;
let asking = 0; // timer of the next question
let waits = 0; // questions since the last event
let total = 0;

/** reasonFor words an outcome for a person who looks at a shop. */
function reasonFor(o) {
  const reason = (o.reason || "").replace(/^consent: /, "");
  switch (o.outcome) {
    case "delivered":
      return o.status ? `LivePerson has it (${o.status})` : "LivePerson has it";
    case "carried":
      return "Travels with the next report";
    case "filtered":
    case "dead":
      return reason ? reason[0].toUpperCase() + reason.slice(1) : "No reason was given";
    default:
      return "On its way";
  }
}

function draw(entry, o) {
  const glyph = $("glyph-" + o.outcome) || $("glyph-pending");
  const box = entry.row.querySelector(".glyph");
  if (entry.outcome !== o.outcome) {
    box.className = "glyph is-" + o.outcome;
    box.replaceChildren(glyph.content.cloneNode(true));
  }
  const why = entry.row.querySelector(".sent-why");
  const text = reasonFor(o);
  if (why.textContent !== text) why.textContent = text;
  entry.outcome = o.outcome;
}

function note(event) {
  if (!event || !event.messageId || shown.has(event.messageId)) return;
  const row = $("sent-row").content.cloneNode(true).firstElementChild;
  const at = new Date(event.timestamp || Date.now());
  row.querySelector(".sent-name").textContent = event.type === "track" ? event.event : event.type;
  const time = row.querySelector("time");
  time.dateTime = at.toISOString();
  time.textContent = at.toLocaleTimeString("en-GB");
  const entry = { row, outcome: "" };
  draw(entry, { outcome: "pending" });
  shown.set(event.messageId, entry);
  const list = $("sent-list");
  list.append(row);
  if (shown.size > most) {
    const [oldest, gone] = shown.entries().next().value;
    gone.row.remove();
    shown.delete(oldest);
  }
  list.scrollTop = list.scrollHeight;
  total++;
  $("sent-count").textContent = total === 1 ? "1 event" : total + " events";
  waits = 0;
  schedule(400);
}

/** schedule asks once after a while, in the place of a question that waits. */
function schedule(ms) {
  clearTimeout(asking);
  asking = setTimeout(ask, ms);
}

async function ask() {
  const open = [...shown].filter(([, e]) => !settled.has(e.outcome)).map(([id]) => id);
  if (open.length === 0 || document.hidden) return;
  try {
    const answer = await fetch("/demo/outcomes?ids=" + open.map(encodeURIComponent).join(","));
    const { outcomes } = await answer.json();
    for (const id of open) if (outcomes[id] && shown.has(id)) draw(shown.get(id), outcomes[id]);
  } catch {
    // The shop is away; the next question may find it.
  }
  waits++;
  schedule(waits < 30 ? 1000 : 5000);
}

function fold(open, remember) {
  $("sent-fold").setAttribute("aria-expanded", String(open));
  $("sent-list").hidden = !open;
  if (remember) localStorage.setItem("kp-panel", open ? "open" : "folded");
  $("sent-list").scrollTop = $("sent-list").scrollHeight;
}

export function start() {
  const kept = localStorage.getItem("kp-panel");
  fold(kept ? kept === "open" : wide.matches, false);
  $("sent").hidden = false;
  $("sent-fold").addEventListener("click", () => fold($("sent-list").hidden, true));
  window.kpSent.forEach(note);
  window.addEventListener("kp-sent", (e) => note(e.detail));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) schedule(0);
  });
}
