// datafly.js, the collector: it turns calls of a page into events and brings
// them to the gateway in order. It never throws into the page, and keeps
// everything it needs in one entry of localStorage.
//
// The way of an event: a call (api) -> emit (ids, time, context) -> queue (as
// text, so that a later change of an object by the page changes nothing) ->
// flush (one POST at a time) -> settle (done, again later, or given up).

const NAME = "@datafly/collector";
const VERSION = __VERSION__;
const STORE = "_df"; // in localStorage; a = anonymousId, u = userId, t = traits, c = consent, r = reset under way
const CALLS = ["track", "page", "identify", "group", "consent", "reset", "ready"];
const CLICK_IDS = ["gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "ttclid", "twclid", "li_fat_id"];

// A POST stays small, because all beacons and keepalive requests of a page
// share 64 KiB.
const MAX_POST = 30000;
const MAX_BEACON = 60000;
const MAX_BATCH = 500; // what the gateway takes
const MAX_QUEUE = 1000;
const MAX_PAUSE = 60000;

let home = location.origin; // or where the script came from
let options; // set by init
let early = []; // calls made before init
let queue = []; // {text, bytes, visitor}, oldest first
let flying; // the batch on its way
let timer; // of the next flush
let failures = 0; // in a row
let credentials;
let memory = {}; // stands in where localStorage is closed

const assign = Object.assign;
const isObject = (v) => v && typeof v === "object";

function debug(...words) {
  if (options && options.debug) console.log("[datafly]", ...words);
}

// guard makes a function that is safe to call from the page.
function guard(fn) {
  return function (...args) {
    try {
      return fn.apply(this, args);
    } catch (e) {
      debug("fault:", e);
    }
  };
}

// --- What is known of the visitor ---

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORE));
    if (isObject(kept)) return kept;
  } catch (e) {
    // Closed or foreign: memory has what this page knows.
  }
  return memory;
}

function save(change) {
  memory = assign({}, load(), change);
  try {
    localStorage.setItem(STORE, JSON.stringify(memory));
  } catch (e) {
    // Full or closed: it lasts as long as the page.
  }
  return memory;
}

// The gateway's own cookie goes before this id. It is sent all the same: the
// gateway adopts it for a visitor who has no cookie yet, and where cookies do
// not arrive it is all there is.
const visitor = () => load().a || save({ a: uuid() }).a;

function uuid() {
  return "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
    (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16),
  );
}

// A view that the new state leaves out is dropped rather than kept: an old
// canonical grant would outweigh a category that is withdrawn.
function mergeConsent(old, state) {
  const views = (s) => isObject(s) && (s.categories || s.canonical);
  if (!views(state)) return assign({}, !views(old) && old, state);
  const merged = assign({}, state);
  for (const view of ["categories", "canonical"]) {
    if (state[view]) merged[view] = assign({}, old && old[view], state[view]);
  }
  return merged;
}

// --- Events ---

function campaign() {
  const found = {};
  new URLSearchParams(location.search).forEach((value, key) => {
    if (key.startsWith("utm_")) found[key === "utm_campaign" ? "name" : key.slice(4)] = value;
    else if (CLICK_IDS.includes(key)) found[key] = value;
  });
  return Object.keys(found).length ? found : undefined;
}

// vendorIds gives the ids of a vendor's own tag on the page, so that what a
// server reports joins the visit that the tag began: LivePerson's visitor and
// session (docs/liveperson.md).
function vendorIds() {
  const found = {};
  for (const [, name, value] of document.cookie.matchAll(/(?:^|; )(LPVID|LPSID-\w+)=([^;]*)/g)) found[name] = value;
  return Object.keys(found).length ? found : undefined;
}

function context() {
  const { href, pathname, search } = location;
  return {
    page: { url: href, path: pathname, referrer, title: document.title, search },
    userAgent: navigator.userAgent,
    locale: navigator.language,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    screen: { width: screen.width, height: screen.height },
    campaign: campaign(),
    cookies: vendorIds(),
    consent: load().c,
    library: { name: NAME, version: VERSION },
  };
}

function emit(type, fields) {
  if (pending) view();
  const event = assign({ type }, fields, {
    anonymousId: visitor(),
    userId: load().u,
    messageId: uuid(),
    timestamp: new Date().toISOString(),
    context: context(),
  });
  // The gateway takes no NUL and no half of a surrogate pair. One of them in a
  // title must not cost the event.
  const text = JSON.stringify(event).replace(/(\\\\)|\\u(?:0000|d[89a-f]..)/g, (_, kept) => kept || "\\ufffd");
  queue.push({ text, bytes: new Blob([text]).size, visitor: event.anonymousId });
  bound();
  debug(type, event);
  schedule();
}

function bound() {
  while (queue.length > MAX_QUEUE) {
    queue.shift();
    debug("the queue is full: the oldest event is lost");
  }
}

const calls = {
  track(event, properties) {
    emit("track", { event, properties: properties || {} });
  },
  page(name, properties) {
    if (isObject(name)) [name, properties] = [undefined, name];
    arrive(); // this call is the view that may be due
    emit("page", { name: name || undefined, properties: properties || {} });
  },
  identify(userId, traits) {
    if (isObject(userId)) [userId, traits] = [undefined, userId];
    if (pending) view();
    const { u, t } = load();
    const id = userId == null || userId === "" ? u : String(userId);
    // Another person has nothing of the last one.
    const merged = assign({}, (!u || u === id) && t, traits);
    save({ u: id, t: merged });
    emit("identify", { traits: merged });
  },
  group(groupId, traits) {
    emit("group", { groupId: String(groupId), traits: traits || {} });
  },
  consent(state) {
    if (isObject(state)) save({ c: mergeConsent(load().c, state) });
  },
  reset() {
    if (pending) view();
    const a = uuid();
    // r asks the gateway to let go of its cookie, which no script can reach.
    save({ a, r: a, u: undefined, t: undefined });
  },
  ready(fn) {
    fn(api);
  },
};

// --- Delivery ---

function schedule() {
  if (flying || (failures && timer)) return; // the answer, or the end of the pause, goes on
  if (queue.length >= options.batchSize) flush();
  else if (queue.length && !timer) timer = setTimeout(flush, options.flushInterval);
}

// take cuts the next batch off the queue: events of one visitor, because a
// reset holds for a whole POST. One event goes whatever its size.
function take(count, size) {
  const batch = [];
  let bytes = 0;
  while (queue.length && batch.length < count) {
    const next = queue[0];
    if (batch.length && (bytes + next.bytes > size || next.visitor !== batch[0].visitor)) break;
    bytes += next.bytes;
    batch.push(queue.shift());
  }
  batch.bytes = bytes;
  return batch;
}

const body = (batch) =>
  '{"batch":[' + batch.map((e) => e.text).join(",") + '],"sentAt":"' + new Date().toISOString() + '"}';

const target = (batch) =>
  options.endpoint +
  "/v1/batch?wk=" +
  encodeURIComponent(options.pipelineKey) +
  (load().r === batch[0].visitor ? "&reset=1" : "");

const flush = guard(() => {
  timer = clearTimeout(timer);
  if (flying || !queue.length) return;
  flying = take(options.batchSize, MAX_POST);
  post(flying, credentials);
});

// post sends a batch as text/plain, which needs no preflight. A pipeline
// without listed origins lets nobody read an answer with credentials; that
// looks like a network fault, so the other way is tried at once, and kept if
// it works. The gateway knows the events by their messageId.
function post(batch, mode, again) {
  batch.safe = !again && batch.bytes < MAX_BEACON; // outlives the page
  const request = {
    method: "POST",
    body: body(batch),
    headers: { "Content-Type": "text/plain" },
    credentials: mode,
    keepalive: batch.safe,
  };
  // Pages put functions of their own in the place of fetch, and those may throw.
  new Promise((done) => done(fetch(target(batch), request))).then(
    guard((answer) => {
      if (again) remember(mode);
      settle(batch, answer.status, answer.headers.get("Retry-After"));
    }),
    guard(() => {
      if (mode === "same-origin" || again || navigator.onLine === false) return settle(batch, 0);
      post(batch, mode === "include" ? "omit" : "include", true);
    }),
  );
}

function remember(mode) {
  credentials = mode;
  try {
    sessionStorage.setItem(STORE, mode);
  } catch (e) {
    // It is found out again on the next page.
  }
}

// settle ends a try: done, again after a pause, or given up.
function settle(batch, status, retryAfter) {
  flying = undefined;
  if (!status || status === 408 || status === 429 || status >= 500) {
    queue = batch.concat(queue);
    bound();
    const pause = Math.min(MAX_PAUSE, 1000 * 2 ** failures++) * (0.75 + Math.random() / 2);
    timer = setTimeout(flush, Math.max(pause, Math.min(retryAfter * 1000 || 0, 10 * MAX_PAUSE)));
    debug("not delivered, status", status, "- again in", Math.round(pause), "ms");
    return;
  }
  failures = 0;
  if (status < 300) {
    if (load().r === batch[0].visitor) save({ r: undefined });
  } else {
    console.warn("[datafly] the gateway refused", batch.length, "events with status", status);
  }
  schedule();
}

// leave hands everything to the browser, which delivers it after the page is
// gone. It makes as few beacons as it can, because they overtake each other.
const leave = guard(() => {
  if (pending) view();
  if (!options || navigator.onLine === false) return;
  if (flying && !flying.safe) beacon(flying);
  while (queue.length) {
    const batch = take(MAX_BATCH, flying ? MAX_POST : MAX_BEACON);
    if (!beacon(batch)) {
      queue = batch.concat(queue);
      schedule();
      return;
    }
  }
});

const beacon = (batch) =>
  navigator.sendBeacon && navigator.sendBeacon(target(batch), new Blob([body(batch)], { type: "text/plain" }));

// --- Page views ---

let here; // the address of the last view
let lastURL;
let referrer = document.referrer;
let pending; // a view that is due: made before any other event, or when the page has had time to set its title

// address leaves out the fragment unless it is a route.
const address = () => location.pathname + location.search + (/^#[!/]/.test(location.hash) ? location.hash : "");

// arrive notes that the view of this address is made. It reports whether it
// was not yet.
function arrive() {
  pending = clearTimeout(pending);
  if (address() === here) return false;
  if (lastURL) referrer = lastURL;
  here = address();
  lastURL = location.href;
  return true;
}

function view() {
  if (arrive()) emit("page", { properties: {} });
}

const moved = guard(() => {
  if (!pending && address() !== here) pending = setTimeout(guard(view));
});

function watchNavigation() {
  for (const name of ["pushState", "replaceState"]) {
    const original = history[name];
    history[name] = function (...args) {
      const result = original.apply(this, args);
      moved();
      return result;
    };
  }
  addEventListener("popstate", moved);
  addEventListener("hashchange", moved);
  addEventListener(
    "pageshow",
    guard((e) => {
      if (e.persisted) emit("page", { properties: {} }); // back from the browser's cache
    }),
  );
}

// firstView is due at once, and made when the page has said what it has to say
// of consent: with the first event, or when its HTML is read.
function firstView() {
  if (document.prerendering) {
    document.addEventListener("prerenderingchange", guard(firstView), { once: true });
  } else if (document.readyState === "loading") {
    pending = -1;
    document.addEventListener("DOMContentLoaded", guard(() => pending && view()));
  } else {
    pending = setTimeout(guard(view));
  }
}

// --- The page's side ---

function init(given) {
  if (options || !given || !given.pipelineKey) return;
  options = assign({}, given);
  const defaults = { endpoint: home, batchSize: 10, flushInterval: 1000, autoPage: true };
  for (const name in defaults) if (options[name] == null) options[name] = defaults[name];
  options.endpoint = String(options.endpoint).replace(/\/+$/, "");
  options.batchSize = Math.min(Math.max(options.batchSize | 0, 1), MAX_BATCH);
  credentials = new URL(options.endpoint, location.href).origin === location.origin ? "same-origin" : "include";
  try {
    if (credentials === "include") credentials = sessionStorage.getItem(STORE) || credentials;
  } catch (e) {
    // Closed: it is found out again.
  }
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && leave());
  addEventListener("online", flush);
  if (options.autoPage) {
    watchNavigation();
    firstView();
  }
  early.splice(0).forEach(([name, args]) => call(name, args));
}

const call = guard((name, args) => {
  if (options) calls[name](...args);
  else early.push([name, args]);
});

const enter = guard((entry) => {
  const [name, ...args] = typeof entry === "function" ? ["ready", entry] : entry;
  if (name === "init" || CALLS.includes(name)) api[name](...args);
  else debug("unknown call", name);
});

const api = {
  version: VERSION,
  init: guard(init),
  push: (...entries) => entries.forEach(enter),
};
for (const name of CALLS) api[name] = (...args) => call(name, args);

// install takes the place of the arrays that pages use before the script has
// loaded. Who still holds such an array reaches the collector through it.
function install(names) {
  const arrays = [];
  for (const name of names) {
    if (Array.isArray(window[name]) && !arrays.includes(window[name])) arrays.push(window[name]);
    window[name] = api;
  }
  for (const array of arrays) {
    const kept = array.splice(0);
    assign(array, api);
    api.push(...kept);
  }
}

guard(() => {
  if (window.datafly && window.datafly.version) return; // loaded twice
  const script = document.currentScript || document.querySelector("script[data-pipeline-key]");
  const given = script ? script.dataset : {};
  if (script && script.src) home = new URL(script.src).origin;
  install(["datafly", "_df"].concat(given.global || []));
  init({
    pipelineKey: given.pipelineKey,
    endpoint: given.endpoint,
    autoPage: given.autoPage !== "false",
    debug: "debug" in given && given.debug !== "false",
  });
})();
