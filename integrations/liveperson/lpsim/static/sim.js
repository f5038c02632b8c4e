// Live updates of the simulator's pages. Everything works without it, except
// that a page then has to be loaded again to show what is new.

const byId = (id) => document.getElementById(id);

// Times come in UTC and are shown in the reader's zone, at the same width.
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const whole = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });
function localise(root) {
  for (const t of root.querySelectorAll("time[datetime]:not([data-ticks])")) {
    const at = new Date(t.getAttribute("datetime"));
    t.textContent = clock.format(at);
    t.title = whole.format(at);
  }
}

// The simulator's own clock may stand elsewhere than the reader's; where it is
// shown, it goes on running.
const dated = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium", hour12: false });
const begun = new WeakMap();
function tick() {
  for (const t of document.querySelectorAll("time[data-ticks]")) {
    const at = t.getAttribute("datetime");
    if (begun.get(t)?.at !== at) begun.set(t, { at, from: performance.now() });
    t.textContent = dated.format(new Date(Date.parse(at) + performance.now() - begun.get(t).from));
  }
}
setInterval(tick, 1000);

// morph makes "old" look like "next", touching only what differs, so that
// focus, selection and scroll stay where they are.
function morph(old, next) {
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName) {
    old.replaceWith(document.importNode(next, true));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  const mine = [...old.childNodes];
  const theirs = [...next.childNodes];
  theirs.forEach((n, i) => (i < mine.length ? morph(mine[i], n) : old.append(document.importNode(n, true))));
  mine.slice(theirs.length).forEach((n) => n.remove());
}

// Nothing moves under the hand: the list waits while the pointer is over it,
// focus is in it, a request is open or text is selected.
const list = byId("list");
const held = byId("held");
let releasedAt = 0;
function handOn() {
  if (!list) return false;
  const selection = getSelection();
  const selected = selection && !selection.isCollapsed && list.contains(selection.anchorNode);
  const on = list.matches(":hover") || list.contains(document.activeElement) || selected || list.querySelector("details[open]");
  if (on) releasedAt = Date.now() + 1000;
  return on || Date.now() < releasedAt;
}

let waiting = null;
let shownAt = new Date();
function put(page, force) {
  const hold = !force && handOn();
  for (const id of ["failing", "side-title", "clock-now", "forget-count", "pane", "list"]) {
    const old = byId(id);
    const next = page.getElementById(id);
    if (!old || !next || (id === "list" && hold) || (id === "pane" && selecting(old))) continue;
    morph(old, next);
  }
  if (held) {
    const fresh = hold ? Number(page.getElementById("list").dataset.total) - Number(list.dataset.total) : 0;
    held.hidden = fresh <= 0;
    held.textContent = `${fresh.toLocaleString("en")} new · show`;
  }
  waiting = hold ? page : null;
  shownAt = new Date();
}
function selecting(el) {
  const selection = getSelection();
  return selection && !selection.isCollapsed && el.contains(selection.anchorNode);
}
held?.addEventListener("click", () => waiting && put(waiting, true));

// The opened visitor is tied to its own address, so that a newer one does not
// take its place.
function address() {
  return byId("pane")?.dataset.at || location.pathname + location.search;
}

let busy = false;
let again = false;
async function refresh() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    const answer = await fetch(address(), { headers: { Accept: "text/html" } });
    if (answer.status === 404 && byId("pane")?.dataset.at) {
      delete byId("pane").dataset.at; // forgotten meanwhile
      again = true;
    } else if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      localise(page);
      // A dialog returns to the page it was opened on, whatever was fetched.
      for (const back of page.querySelectorAll("#failing input[name=back]")) back.setAttribute("value", location.pathname + location.search);
      put(page, false);
      tick();
    }
  } catch {
    // The stream's own error says that the simulator is gone.
  } finally {
    busy = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

let source = null;
let seen = "";
function listen() {
  source = new EventSource("/_sim/stream");
  source.onopen = () => {
    byId("lost").hidden = true;
    if (byId("live")) byId("live").hidden = false;
  };
  source.onmessage = (e) => {
    if (e.data !== seen) refresh();
    seen = e.data;
  };
  source.onerror = () => {
    byId("lost").querySelector("[data-since]").textContent = clock.format(shownAt);
    byId("lost").hidden = false;
    if (byId("live")) byId("live").hidden = true;
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  };
}
let hiddenTimer = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiddenTimer);
  if (document.hidden) {
    hiddenTimer = setTimeout(() => { source?.close(); source = null; }, 60000);
  } else if (!source && list) {
    listen();
    refresh();
  }
});
setInterval(() => waiting && !handOn() && put(waiting, true), 500);

// The dialogs. Without script their buttons are links to pages with the same
// forms.
for (const opener of document.querySelectorAll("[data-dialog]")) {
  const dialog = byId(opener.dataset.dialog);
  if (!dialog) continue;
  opener.setAttribute("aria-haspopup", "dialog");
  opener.addEventListener("click", (e) => {
    if (e.metaKey || e.ctrlKey || e.shiftKey) return;
    e.preventDefault();
    dialog.showModal();
  });
  dialog.addEventListener("close", () => opener.focus());
  dialog.querySelector("[data-close]").addEventListener("click", (e) => {
    e.preventDefault();
    dialog.close();
  });
}
// Of the form, only what belongs to the chosen fault is shown.
for (const kind of document.querySelectorAll("select[name=kind]")) {
  const show = () => {
    for (const part of kind.form.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(kind.value);
  };
  kind.addEventListener("change", show);
  show();
}
const origin = document.querySelector(".empty pre");
if (origin) origin.textContent = origin.textContent.replace("$ORIGIN", location.origin);
// A link to one request opens it.
const aim = location.hash.startsWith("#r") && byId(location.hash.slice(1));
if (aim) {
  aim.open = true;
  aim.scrollIntoView({ block: "center" });
}

localise(document);
tick();
if (list) listen();
