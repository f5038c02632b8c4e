// Gives what a person could not read, reach or name on this page, as a list of
// sentences.
(() => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) faults.push(`the page is ${root.scrollWidth} wide in a window of ${root.clientWidth}`);

  const seen = (el) => el.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const parse = (c) => {
    const m = c.match(/[\d.]+/g).map(Number);
    return { r: m[0], g: m[1], b: m[2], a: m.length > 3 ? m[3] : 1 };
  };
  const light = ({ r, g, b }) => {
    const f = (v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
  };
  const ground = (el) => {
    for (; el; el = el.parentElement) {
      const c = parse(getComputedStyle(el).backgroundColor);
      if (c.a === 1) return c;
    }
    return { r: 255, g: 255, b: 255 };
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const el = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !seen(el) || ["SCRIPT", "NOSCRIPT", "TEMPLATE", "OPTION"].includes(el.tagName)) continue;
    const [a, b] = [light(parse(getComputedStyle(el).color)), light(ground(el))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faults.push(`"${walk.currentNode.data.trim()}" has a contrast of ${ratio.toFixed(2)}`);
  }

  for (const el of document.querySelectorAll("a[href], button, input:not([type=hidden]), select")) {
    if (!seen(el)) continue;
    const label = el.labels && el.labels[0] ? el.labels[0].textContent : "";
    const name = el.getAttribute("aria-label") || label || el.textContent;
    if (!name.trim()) faults.push(`${el.outerHTML.slice(0, 80)} has no name`);
    if (el.closest("p, nav[aria-label=Breadcrumb]") && el.tagName === "A" && !el.className) continue; // a link in a sentence
    const box = (el.labels && el.labels[0] && el.type === "checkbox" ? el.labels[0] : el).getBoundingClientRect();
    if (!el.classList.contains("skip") && (box.width < 24 || box.height < 24)) faults.push(`"${name.trim()}" is ${box.width.toFixed()} by ${box.height.toFixed()}`);
  }
  return faults;
})();
