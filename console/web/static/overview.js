// Overview: numbers over one stream, charts a point at a time, and the value of
// a chart where somebody points.
import { localise } from './app.js';

const root = document.getElementById('overview');
const live = document.getElementById('live');

// The server draws. What is in the page is replaced part by part, so that no
// number is written in two ways; a part that somebody is in waits.
const busy = (el) => el.contains(document.activeElement) && document.activeElement.matches(':focus-visible');
async function part(name) {
  const url = new URL(location.href);
  url.searchParams.set('part', name);
  try {
    const answer = await fetch(url);
    return answer.ok && !answer.redirected ? await answer.text() : null;
  } catch {
    return null; // the stream says that the connection is lost
  }
}
async function numbers() {
  const text = await part('live');
  if (text === null) return;
  const t = document.createElement('template');
  t.innerHTML = text;
  for (const fresh of t.content.querySelectorAll('[data-part]')) {
    const el = document.getElementById(fresh.dataset.part);
    if (!el || busy(el)) continue;
    if (el.innerHTML !== fresh.innerHTML) { el.innerHTML = fresh.innerHTML; localise(el); }
  }
}
async function redraw() {
  const el = document.getElementById('charts');
  const open = [...el.querySelectorAll('details')].map((d) => d.open);
  const text = await part('charts');
  if (text === null || busy(el) || el.matches(':hover')) return;
  el.innerHTML = text;
  el.querySelectorAll('details').forEach((d, i) => { d.open = open[i] ?? false; });
  localise(el);
  charts();
}

let tries = 0;
let shown = '';
let source = null;
function connect() {
  const stream = new EventSource(`/v1/admin/overview/stream${location.search}`);
  stream.onopen = () => { source = stream; tries = 0; live.className = 'live'; live.textContent = 'Live'; };
  stream.onmessage = (e) => {
    if (e.data === shown) return;
    shown = e.data;
    numbers();
  };
  stream.onerror = () => {
    stream.close();
    source = null;
    live.className = 'live lost';
    live.textContent = 'Not connected';
    setTimeout(connect, Math.min(30, 2 ** tries++) * 1000);
  };
}
let sleeping = 0;
document.addEventListener('visibilitychange', () => {
  clearTimeout(sleeping);
  if (document.hidden) sleeping = setTimeout(() => { source?.close(); source = null; }, 60_000);
  else if (!source) connect();
});
setInterval(() => { if (!document.hidden) redraw(); }, Number(root.dataset.bucket) * 1000);

// Pointing at a chart reads its table, which has the same numbers.
function charts() {
  for (const figure of root.querySelectorAll('[data-chart]')) {
    const svg = figure.querySelector('svg[data-plot]');
    const lines = [...figure.querySelectorAll('tbody tr')].map((tr) => [...tr.cells].map((c) => c.textContent));
    const names = [...figure.querySelectorAll('thead th')].map((c) => c.textContent);
    const reading = figure.querySelector('.reading');
    const cursor = svg?.querySelector('.cursor');
    if (!svg || !lines.length) continue;
    let at = lines.length - 1;
    const show = () => {
      reading.textContent = lines[at].map((v, i) => (i ? `${v} ${names[i]}` : v)).join(' · ');
      const x = lines.length > 1 ? (at * 1000) / (lines.length - 1) : 0;
      cursor.setAttribute('x1', x);
      cursor.setAttribute('x2', x);
      cursor.removeAttribute('visibility');
    };
    const hide = () => { reading.textContent = ''; cursor.setAttribute('visibility', 'hidden'); };
    svg.addEventListener('pointermove', (e) => {
      const box = svg.getBoundingClientRect();
      at = Math.max(0, Math.min(lines.length - 1, Math.round(((e.clientX - box.left) / box.width) * (lines.length - 1))));
      show();
    });
    svg.addEventListener('pointerleave', hide);
    svg.addEventListener('blur', hide);
    svg.addEventListener('focus', show);
    svg.addEventListener('keydown', (e) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (!by) return;
      e.preventDefault();
      at = Math.max(0, Math.min(lines.length - 1, at + by));
      show();
    });
  }
}
charts();
connect();
