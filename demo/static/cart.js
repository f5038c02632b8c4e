// The cart lives in the browser: a list of {sku, slug, name, category, EUR, USD,
// quantity} with prices in cents, so that sums are exact.

const key = "kp-cart";
export const currency = document.body.dataset.currency;

export function read() {
  try {
    const list = JSON.parse(localStorage.getItem(key));
    return Array.isArray(list) ? list.filter((l) => l && l.sku && l.quantity > 0) : [];
  } catch {
    return [];
  }
}

function write(list) {
  localStorage.setItem(key, JSON.stringify(list));
  window.dispatchEvent(new Event("kp-cart"));
}

export function add(product, quantity) {
  const list = read();
  const there = list.find((l) => l.sku === product.sku);
  if (there) there.quantity = Math.min(9, there.quantity + quantity);
  else list.push({ ...product, quantity });
  write(list);
}

export function setQuantity(sku, quantity) {
  const list = read();
  for (const l of list) if (l.sku === sku) l.quantity = quantity;
  write(list.filter((l) => l.quantity > 0));
}

export function clear() {
  write([]);
}

export function count(list) {
  return list.reduce((n, l) => n + l.quantity, 0);
}

/** sums gives goods, shipping and total in cents. */
export function sums(list, cur) {
  const goods = list.reduce((n, l) => n + l[cur] * l.quantity, 0);
  const shipping = goods === 0 || goods >= 5000 ? 0 : 490;
  return { goods, shipping, total: goods + shipping };
}

/** amount is what an event carries: a number in whole units, two decimals. */
export function amount(cents) {
  return cents / 100;
}

/** money is what a person reads. */
export function money(cents, cur) {
  return (cur === "USD" ? "$" : "€") + (cents / 100).toFixed(2);
}

/** products are the lines as Segment's e-commerce events name them. */
export function products(list, cur) {
  return list.map((l) => ({
    product_id: l.sku,
    name: l.name,
    category: l.category,
    price: amount(l[cur]),
    quantity: l.quantity,
  }));
}

/** things says a number in words for a person. */
export function things(n) {
  return n === 1 ? "1 thing" : n + " things";
}

/** cartEvent are the properties of Cart Viewed and Checkout Started. */
export function cartEvent(list, cur) {
  return { total: amount(sums(list, cur).goods), currency: cur, products: products(list, cur) };
}
