// What every page of the console needs: times in the viewer's zone, menus that
// close, copying, and single keys. Each page works without this file.

const pad = (n, w = 2) => String(n).padStart(w, '0');
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Writes an instant as the server writes it in UTC, in the viewer's zone and with the same width. */
export function say(date, form) {
  const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  const day = `${date.getDate()} ${months[date.getMonth()]}`;
  switch (form) {
    case 'ms': return `${clock}.${pad(date.getMilliseconds(), 3)}`;
    case 's': return clock;
    case 'min': return clock.slice(0, 5);
    case 'since': return date.toDateString() === new Date().toDateString() ? clock.slice(0, 5) : `${day}, ${clock.slice(0, 5)}`;
    case 'day': return date.toDateString() === new Date().toDateString() ? `today, ${clock.slice(0, 5)}` : `${day}, ${clock.slice(0, 5)}`;
    default: return `${day} ${clock}`;
  }
}

/** Brings all time elements below root into the viewer's zone. */
export function localise(root = document) {
  for (const t of root.querySelectorAll('time[data-f]')) {
    const date = new Date(t.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    const text = say(date, t.dataset.f);
    if (t.textContent !== text) t.textContent = text;
    t.title = date.toString();
  }
}

/** Whether a single key may act: not while somebody types, nor with a modifier. */
export const free = (e) => !e.ctrlKey && !e.metaKey && !e.altKey && 
  !(e.target instanceof Element && e.target.closest('input, select, textarea, [contenteditable]'));

/** Puts text into the clipboard and says so on the button for two seconds. */
export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'sr';
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  const label = button?.querySelector('[data-label]');
  if (!label || button.dataset.busy) return;
  const before = label.textContent;
  button.dataset.busy = '1';
  label.textContent = 'Copied';
  setTimeout(() => { label.textContent = before; delete button.dataset.busy; }, 2000);
}

const quote = (s) => `'${s.replaceAll("'", "'\\''")}'`;

/** Makes a command that sends the request again. Every part stands in single quotes, so no shell reads it. */
export function curl(request) {
  const lines = [`curl -X ${quote(request.method)} ${quote(request.url)}`];
  for (const [name, value] of Object.entries(request.header ?? {})) lines.push(`-H ${quote(`${name}: ${value}`)}`);
  if (request.body) lines.push(`--data-raw ${quote(request.body)}`);
  return lines.join(' \\\n  ');
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll('details[data-menu][open]')) if (menu !== except) menu.open = false;
}

document.addEventListener('click', (e) => {
  const el = e.target instanceof Element ? e.target : null;
  closeMenus(el?.closest('details[data-menu]'));
  const source = el?.closest('[data-copy], [data-copy-of]');
  if (source) copy(source.dataset.copy ?? document.getElementById(source.dataset.copyOf)?.dataset.raw ?? '', source);
  const asCurl = el?.closest('[data-curl]');
  if (asCurl) copy(curl(JSON.parse(asCurl.dataset.curl)), asCurl);
});

const sections = { o: '/', d: '/debugger', i: '/integrations', p: '/pipelines', l: '/dead-letters', c: '/consent', s: '/settings' };
let go = 0;
document.addEventListener('keydown', (e) => {
  if (e.key === 'Escape') {
    const menu = document.querySelector('details[data-menu][open]');
    if (menu) { menu.open = false; menu.querySelector('summary').focus(); }
    return;
  }
  if (!free(e)) return;
  if (go && Date.now() - go < 1200 && sections[e.key]) {
    const pipeline = new URLSearchParams(location.search).get('pipeline');
    location.assign(sections[e.key] + (pipeline ? `?pipeline=${encodeURIComponent(pipeline)}` : ''));
  }
  go = e.key === 'g' ? Date.now() : 0;
  if (e.key === '?') document.getElementById('keys')?.togglePopover();
  if (e.key === '/') {
    const field = document.querySelector('input[type=search]');
    if (field) { e.preventDefault(); field.focus(); field.select(); }
  }
  if (e.key === 't') for (const d of document.querySelectorAll('.table-of')) d.open = !d.open;
});

// A new password says how long it is while it is typed.
const password = document.querySelector('[data-count]');
password?.addEventListener('input', () => {
  const help = document.getElementById(password.dataset.count);
  const n = [...password.value].length;
  help.classList.toggle('good', n >= 12);
  help.querySelector('span').textContent = n ? `${n} character${n === 1 ? '' : 's'}. 12 or more are needed, any characters.` : '12 or more characters, any characters.';
});

// Dead letters: the box in the head of the table takes all rows of the page.
const all = document.querySelector('[data-select-all]');
if (all) {
  const boxes = [...document.querySelectorAll('input[name=id]')];
  const tell = () => {
    const n = boxes.filter((b) => b.checked).length;
    all.checked = n > 0 && n === boxes.length;
    all.indeterminate = n > 0 && n < boxes.length;
    for (const el of document.querySelectorAll('[data-selected]')) el.textContent = n;
    for (const el of document.querySelectorAll('[data-when-selected]')) el.hidden = n === 0;
    for (const el of document.querySelectorAll('[data-when-none]')) el.hidden = n > 0;
  };
  all.addEventListener('change', () => { for (const b of boxes) b.checked = all.checked; tell(); });
  for (const b of boxes) b.addEventListener('change', tell);
  tell();
}

// A replay under way: what says how far it is, is fetched again once a second.
// The page is loaded anew when it has ended.
const follow = document.querySelector('[data-follow]');
async function look() {
  const at = new URL(location.href);
  at.searchParams.set('now', '1');
  try {
    const answer = await fetch(at, { headers: { Accept: 'text/html' } });
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const part = page.querySelector('[data-follow]');
    if (!part) { location.reload(); return; }
    follow.replaceChildren(...part.childNodes);
    localise(follow);
  } catch { /* the server is away for a moment */ }
  setTimeout(look, 1000);
}
if (follow) setTimeout(look, 1000);

localise();
