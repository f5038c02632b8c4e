// The live list of the Event Debugger. The list has slots of fixed height whose
// text is rewritten in place, at most four times a second; nothing is inserted
// above, and nothing changes while a hand is on the list.
import { copy, curl, free, localise, say } from './app.js';

const SLOTS = 100;
const KEPT = 10_000;
const wide = matchMedia('(min-width: 861px)');

const root = document.querySelector('.debugger');
const list = document.getElementById('rows');
const scroller = document.getElementById('scroller');
const detail = document.getElementById('detail');
const held = document.getElementById('held');
const strip = document.getElementById('strip');
const left = document.getElementById('left-out');
const state = document.getElementById('live');
const rate = document.getElementById('rate');
const pause = document.getElementById('pause');
const polite = document.getElementById('polite');
const template = document.getElementById('slot');
const empty = document.getElementById('no-rows');

const query = new URLSearchParams(location.search);
const live = root.dataset.live === '1';
let opened = root.dataset.opened ?? '';
let last = root.dataset.last ?? '0';

// Rows as the page has them. place orders them: the newest is first.
let rows = [...list.querySelectorAll('a')].map((a) => ({
  message_id: a.dataset.id, place: { seq: Number(a.dataset.seq), i: Number(a.dataset.i) }, event: a.querySelector('.ev').textContent,
  received_at: a.querySelector('.at time').dateTime, outcome: a.dataset.o, line: a.querySelector('.ln').dataset.line,
  tail: a.querySelector('.tl').textContent, next_try: a.querySelector('.ln time')?.dateTime,
}));

const before = (a, b) => a.place.seq - b.place.seq || a.place.i - b.place.i;
const same = (a, b) => a.place.seq === b.place.seq && a.place.i === b.place.i;
const address = (id) => `/debugger/${encodeURIComponent(id)}${location.search}`;

// fill writes one row into one slot, touching only what differs.
function fill(slot, row) {
  const a = slot.firstElementChild;
  const set = (el, text) => { if (el.textContent !== text) el.textContent = text; };
  if (a.dataset.id !== row.message_id) { a.dataset.id = row.message_id; a.setAttribute('href', address(row.message_id)); }
  a.dataset.seq = row.place.seq;
  a.dataset.i = row.place.i;
  if (a.dataset.o !== row.outcome) {
    a.dataset.o = row.outcome;
    const glyph = a.querySelector('svg');
    glyph.setAttribute('class', `i o o-${row.outcome}`);
    glyph.setAttribute('aria-label', row.outcome);
    glyph.firstElementChild.setAttribute('href', template.dataset.icons + '#o-' + row.outcome);
  }
  set(a.querySelector('.ev'), row.event);
  const at = a.querySelector('.at time');
  at.dateTime = row.received_at;
  set(at, say(new Date(row.received_at), 'ms'));
  const line = a.querySelector('.ln');
  line.className = `ln say-${row.outcome}`;
  line.dataset.line = row.line;
  set(line, row.line + (row.next_try ? `, next try at ${say(new Date(row.next_try), 's')}` : ''));
  set(a.querySelector('.tl'), row.tail);
  if (row.message_id === opened) a.setAttribute('aria-current', 'true');
  else a.removeAttribute('aria-current');
}

function draw() {
  for (let i = 0; i < rows.length && i < SLOTS; i++) {
    if (!list.children[i]) list.append(template.content.firstElementChild.cloneNode(true));
    fill(list.children[i], rows[i]);
  }
  empty?.toggleAttribute('hidden', rows.length > 0);
}

// Updates wait here until they may go in.
const waiting = new Map();
let fresh = 0;
let pausedAt = null;
let timer = 0;
let away = 0;

function inHand() {
  if (pausedAt) return true;
  if (!wide.matches) return scrollY > 200;
  if (list.matches(':hover') || list.contains(document.activeElement) || scroller.scrollTop > 0) return true;
  const chosen = getSelection();
  return Boolean(chosen && !chosen.isCollapsed && list.contains(chosen.anchorNode));
}

function flush() {
  timer = 0;
  if (waiting.size === 0) return;
  if (inHand() || Date.now() - away < 1000) {
    tellHeld();
    timer = setTimeout(flush, 250);
    return;
  }
  takeIn();
}

function takeIn() {
  for (const row of waiting.values()) {
    const i = rows.findIndex((r) => same(r, row));
    if (i >= 0) { rows[i] = row; continue; }
    if (!row.match) continue;
    let at = rows.findIndex((r) => before(r, row) < 0);
    if (at < 0) at = rows.length;
    rows.splice(at, 0, row);
  }
  rows.length = Math.min(rows.length, SLOTS);
  waiting.clear();
  fresh = 0;
  tellHeld();
  draw();
}

let said = 0;
function tellHeld() {
  held.hidden = fresh === 0;
  if (!fresh) return;
  const text = `${fresh.toLocaleString('en')} new event${fresh === 1 ? '' : 's'}`;
  const full = `${text} · show`;
  if (held.textContent !== full) held.textContent = full;
  if (Date.now() - said > 10_000) { said = Date.now(); polite.textContent = text; }
}

function take(row) {
  const key = `${row.place.seq}.${row.place.i}`;
  const known = waiting.has(key) || rows.some((r) => same(r, row));
  if (!known && row.match) { fresh++; arrived.push(Date.now()); }
  waiting.delete(key);
  waiting.set(key, row);
  if (waiting.size > KEPT) waiting.delete(waiting.keys().next().value);
  if (row.message_id === opened) refresh();
  if (!timer) timer = setTimeout(flush, 250);
}

list.addEventListener('pointerleave', () => { away = Date.now(); });
held.addEventListener('click', () => {
  scroller.scrollTop = 0;
  if (!wide.matches) scrollTo({ top: 0 });
  takeIn();
  if (list.contains(document.activeElement)) document.activeElement.blur();
});

function setPause(on) {
  pausedAt = on ? new Date() : null;
  pause.setAttribute('aria-pressed', String(on));
  pause.querySelector('[data-label]').textContent = on ? 'Resume' : 'Pause';
  pause.querySelector('use').setAttribute('href', template.dataset.icons + (on ? '#play' : '#pause'));
  show();
  if (!on) { away = 0; flush(); }
}
pause?.addEventListener('click', () => setPause(!pausedAt));

function show() {
  if (!live) return;
  state.className = pausedAt ? 'live off' : source ? 'live' : 'live lost';
  state.textContent = pausedAt ? `Paused at ${say(pausedAt, 's')}` : source ? 'Live' : 'Not connected';
}

// Events a second, over the last ten.
const arrived = [];
let leftOut = 0;
if (live) setInterval(() => {
  const now = Date.now();
  while (arrived.length && now - arrived[0] > 10_000) arrived.shift();
  const n = arrived.length / 10 + leftOut;
  const text = n ? `${n >= 100 ? Math.round(n).toLocaleString('en') : n.toFixed(1)} events/s` : '';
  if (rate.textContent !== text) rate.textContent = text;
}, 1000);

// The connection. EventSource would try again by itself, but not with a growing
// pause, nor say since when it is lost.
let source = null;
let tries = 0;
let lostAt = null;
let again = 0;
let sleeping = 0;

function connect() {
  clearTimeout(again);
  source?.close();
  const q = new URLSearchParams(location.search);
  q.set('after', last);
  const stream = new EventSource(`/v1/admin/debugger/stream?${q}`);
  stream.onopen = () => {
    source = stream;
    tries = 0;
    lostAt = null;
    strip.hidden = true;
    show();
  };
  stream.onmessage = (e) => {
    last = e.lastEventId || last;
    const row = JSON.parse(e.data);
    if (row.missed) { left.hidden = false; left.textContent = 'Some events of the time without connection are only in the history. Load the page anew to see them.'; }
    take(row);
  };
  stream.addEventListener('left_out', (e) => {
    const n = JSON.parse(e.data);
    leftOut = n.left_out / n.seconds;
    left.hidden = leftOut === 0;
    if (leftOut) left.textContent = `${Math.round((n.left_out + n.shown) / n.seconds).toLocaleString('en')} events per second, ${Math.round(n.shown / n.seconds)} of them shown. Failures come first. Filter to see all of something.`;
  });
  stream.onerror = () => {
    stream.close();
    source = null;
    lostAt ??= new Date();
    const pause = Math.min(30, 2 ** tries++);
    const until = Date.now() + pause * 1000;
    again = setTimeout(connect, pause * 1000);
    lost(until);
    show();
    if (tries === 2) signedOut();
  };
}

function lost(until) {
  if (source || !lostAt) return;
  strip.hidden = false;
  strip.replaceChildren(`Live updates stopped ${Math.round((Date.now() - lostAt) / 1000)} s ago. Trying again in ${Math.max(0, Math.ceil((until - Date.now()) / 1000))} s. What you see is from ${say(lostAt, 's')}. `);
  const now = document.createElement('a');
  now.href = location.href;
  now.textContent = 'Try now';
  now.addEventListener('click', (e) => { e.preventDefault(); connect(); });
  strip.append(now);
  if (Date.now() < until) setTimeout(() => lost(until), 1000);
}

// A session that ended looks like a lost connection, but needs the person.
async function signedOut() {
  try {
    const answer = await fetch('/v1/admin/me', { headers: { Accept: 'application/json' } });
    if (answer.status === 401) location.assign(`/sign-in?to=${encodeURIComponent(location.pathname + location.search)}`);
  } catch { /* the server is away; the next try will tell */ }
}

document.addEventListener('visibilitychange', () => {
  if (!live) return;
  clearTimeout(sleeping);
  if (document.hidden) sleeping = setTimeout(() => { clearTimeout(again); source?.close(); source = null; }, 60_000);
  else if (!source) connect();
});

// Opening an event keeps the list; the address says what is open.
let asked = 0;
async function load(url, keep) {
  const turn = ++asked;
  const open = keep && [...detail.querySelectorAll('details[data-stage]')].map((d) => [d.dataset.stage, d.open]);
  const top = detail.scrollTop;
  let answer;
  try {
    answer = await fetch(url, { headers: { 'X-Part': 'detail' } });
  } catch {
    return;
  }
  if (answer.redirected) { location.assign(url); return; }
  const text = await answer.text();
  if (turn !== asked) return;
  detail.innerHTML = text;
  for (const [name, on] of open || []) {
    const d = detail.querySelector(`details[data-stage="${name}"]`);
    if (d) d.open = on;
  }
  detail.scrollTop = keep ? top : 0;
  localise(detail);
}

function open(id, url = address(id), push = true) {
  opened = id;
  if (!wide.matches) { location.assign(url); return; }
  if (push) history.pushState({}, '', url);
  root.classList.add('opened');
  draw();
  load(url, false);
}

let refreshing = 0;
function refresh() {
  if (refreshing || !wide.matches && !root.classList.contains('opened')) return;
  refreshing = setTimeout(() => { refreshing = 0; if (!pausedAt) load(address(opened), true); }, 300);
}

document.addEventListener('click', (e) => {
  if (e.defaultPrevented || e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey || !(e.target instanceof Element)) return;
  const a = e.target.closest('#rows a, a[data-open], a[data-tab]');
  if (!a || !wide.matches) return;
  e.preventDefault();
  open(a.dataset.id || a.dataset.open || opened, a.getAttribute('href'));
});
addEventListener('popstate', () => {
  if (new URLSearchParams(location.search).toString() !== query.toString()) { location.reload(); return; }
  const [, , id] = location.pathname.split('/');
  if (!id) { location.reload(); return; }
  if (decodeURIComponent(id) === opened) return; // only a place on the page
  open(decodeURIComponent(id), location.href, false);
});

function step(by) {
  const i = rows.findIndex((r) => r.message_id === opened);
  const row = rows[i < 0 ? 0 : i + by];
  if (!row) return;
  open(row.message_id);
  list.children[Math.max(0, i < 0 ? 0 : i + by)]?.scrollIntoView({ block: 'nearest' });
}

document.addEventListener('keydown', (e) => {
  if (!free(e)) return;
  const act = {
    p: () => pause?.click(),
    j: () => step(1),
    k: () => step(-1),
    c: () => { const b = detail.querySelector('[data-curl]'); if (b) copy(curl(JSON.parse(b.dataset.curl)), b); },
    r: () => detail.querySelector('[data-replay]')?.click(),
    v: () => detail.querySelector('[data-visitor]')?.click(),
    f: () => document.querySelector('.chips summary')?.focus(),
    o: () => detail.querySelector('[data-only]') && location.assign(detail.querySelector('[data-only]').dataset.only),
  }[e.key];
  if (act) { e.preventDefault(); act(); return; }
  if (/^[1-5]$/.test(e.key)) {
    const d = detail.querySelectorAll('details[data-stage]')[e.key - 1];
    if (d) { d.open = !d.open; d.querySelector('summary').focus(); }
  }
  if (e.key === 'Enter' && e.target === document.body && !opened && rows[0]) open(rows[0].message_id);
});

if (live) connect();
