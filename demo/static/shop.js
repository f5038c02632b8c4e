// What the pages of the shop do, and the events they send. Each event is a call
// of the collector as its documentation shows it.

import * as cart from "./cart.js";
import * as consent from "./consent.js";
import * as panel from "./sent.js";

const { currency } = cart;
const $ = (id) => document.getElementById(id);
const say = (id, text) => ($(id).textContent = text);

function showCount() {
  const n = cart.count(cart.read());
  $("cart-count").textContent = n;
  $("cart-link").setAttribute("aria-label", "Cart, " + cart.things(n));
}

function account() {
  try {
    return JSON.parse(localStorage.getItem("kp-account"));
  } catch {
    return null;
  }
}

function showAccount() {
  const who = account();
  $("account-name").textContent = who ? who.first : "Sign in";
  $("account").setAttribute("aria-label", who ? "Signed in as " + who.first : "Sign in");
}

function product() {
  const d = $("product").dataset;
  const item = { sku: d.sku, slug: d.slug, name: d.name, category: d.category, EUR: Number(d.eur), USD: Number(d.usd) };
  window.datafly.track("Product Viewed", {
    product_id: item.sku,
    product_name: item.name,
    category: item.category,
    price: cart.amount(item[currency]),
    currency,
  });
  $("add").addEventListener("submit", (e) => {
    e.preventDefault();
    cart.add(item, Number($("quantity").value));
    const list = cart.read();
    const link = document.createElement("a");
    link.href = "/cart";
    link.textContent = "View cart";
    $("added").replaceChildren(
      `In your cart: ${cart.things(cart.count(list))}, ${cart.money(cart.sums(list, currency).goods, currency)}. `,
      link,
    );
    window.datafly.track("Cart Viewed", cart.cartEvent(list, currency)); // the page shows the cart
  });
}

function search() {
  const found = $("search");
  if (!found) return;
  window.datafly.track("Products Searched", {
    query: found.dataset.query,
    results: Number(found.dataset.results),
  });
}

/** drawLines fills the list of lines from the page's template. */
function drawLines(list, cur, dress) {
  $("lines").replaceChildren(
    ...list.map((l) => {
      const row = $("cart-line").content.cloneNode(true).firstElementChild;
      const pic = $("pic-" + l.sku);
      if (pic) row.querySelector(".line-pic").append(pic.content.cloneNode(true));
      row.querySelector(".name").textContent = l.name;
      row.querySelector(".line-each").textContent = `${l.quantity} × ${cart.money(l[cur], cur)}`;
      row.querySelector(".line-price").textContent = cart.money(l[cur] * l.quantity, cur);
      if (dress) dress(row, l);
      return row;
    }),
  );
}

function drawSum(list, cur) {
  const s = cart.sums(list, cur);
  const rows = [
    ["Goods", cart.money(s.goods, cur)],
    ["Shipping", s.shipping === 0 ? "free" : cart.money(s.shipping, cur)],
    ["Total", cart.money(s.total, cur)],
  ];
  $("sum").replaceChildren(
    ...rows.map(([name, value]) => {
      const row = document.createElement("div");
      const dt = document.createElement("dt");
      const dd = document.createElement("dd");
      dt.textContent = name;
      dd.textContent = value;
      row.append(dt, dd);
      return row;
    }),
  );
}

/** showCart draws the cart and reports whether there is something in it. */
function showCart(dress) {
  const list = cart.read();
  $("cart-empty").hidden = list.length > 0;
  $("cart-full").hidden = list.length === 0;
  drawLines(list, currency, dress);
  drawSum(list, currency);
  return list;
}

function cartPage() {
  const dress = (row, l) => {
    const name = row.querySelector(".name");
    name.href = "/p/" + l.slug;
    const pick = row.querySelector("select");
    pick.setAttribute("aria-label", "Quantity of " + l.name);
    pick.value = String(l.quantity);
    pick.addEventListener("change", () => change(l, Number(pick.value), "select"));
    const remove = row.querySelector("button");
    remove.setAttribute("aria-label", "Remove " + l.name);
    remove.addEventListener("click", () => change(l, 0, ""));
  };
  const change = (l, quantity, focus) => {
    cart.setQuantity(l.sku, quantity);
    const list = showCart(dress);
    const at = list.findIndex((x) => x.sku === l.sku);
    if (focus && at >= 0) $("lines").children[at].querySelector(focus).focus();
    else $("main").focus();
    say("cart-said", `${cart.things(cart.count(list))} in the cart, ${cart.money(cart.sums(list, currency).total, currency)}`);
    window.datafly.track("Cart Viewed", cart.cartEvent(list, currency));
  };
  window.datafly.track("Cart Viewed", cart.cartEvent(showCart(dress), currency));
}

function checkout() {
  const list = showCart();
  if (list.length === 0) return;
  window.datafly.track("Checkout Started", cart.cartEvent(list, currency));
  const who = account();
  if (who) {
    $("o-name").value = who.first + " " + who.last;
    $("o-email").value = who.email;
  }
  $("order").addEventListener("submit", (e) => {
    e.preventDefault();
    const id = "KP-" + Array.from(crypto.getRandomValues(new Uint8Array(4)), (b) => b.toString(36).padStart(2, "0")).join("").toUpperCase();
    sessionStorage.setItem("kp-order", JSON.stringify({ id, list, currency, told: false }));
    cart.clear();
    location.assign("/thanks");
  });
}

function thanks() {
  let order = null;
  try {
    order = JSON.parse(sessionStorage.getItem("kp-order"));
  } catch {
    order = null;
  }
  $("order-none").hidden = order !== null;
  $("order-text").hidden = $("order-sum").hidden = order === null;
  if (!order) return;
  $("order-id").textContent = order.id;
  drawLines(order.list, order.currency);
  drawSum(order.list, order.currency);
  if (order.told) return; // a reload is not another order
  const s = cart.sums(order.list, order.currency);
  window.datafly.track("Order Completed", {
    order_id: order.id,
    revenue: cart.amount(s.total),
    shipping: cart.amount(s.shipping),
    currency: order.currency,
    products: cart.products(order.list, order.currency),
  });
  sessionStorage.setItem("kp-order", JSON.stringify({ ...order, told: true }));
}

/** customerNumber is the same for the same address, on every device. */
function customerNumber(email) {
  let h = 2166136261;
  for (const c of email.trim().toLowerCase()) h = Math.imul(h ^ c.codePointAt(0), 16777619);
  return "KP" + String((h >>> 0) % 1000000).padStart(6, "0");
}

function signin() {
  const show = () => {
    const who = account();
    $("signin").hidden = who !== null;
    $("signed-in").hidden = who === null;
    say("signin-title", who ? "Hello " + who.first : "Sign in");
    if (who) {
      say("who", `${who.first} ${who.last}`);
      say("who-id", who.id);
    }
    showAccount();
  };
  $("signin").addEventListener("submit", (e) => {
    e.preventDefault();
    const f = Object.fromEntries(new FormData(e.target));
    const who = { id: customerNumber(f.email), first: f.first.trim(), last: f.last.trim(), email: f.email.trim() };
    localStorage.setItem("kp-account", JSON.stringify(who));
    window.datafly.identify(who.id, {
      firstName: who.first,
      lastName: who.last,
      email: who.email,
      status: "active",
      tier: "regular",
    });
    show();
    say("signin-said", "You are signed in.");
    $("main").focus();
  });
  $("sign-out").addEventListener("click", () => {
    localStorage.removeItem("kp-account");
    window.datafly.reset();
    show();
    say("signin-said", "You are signed out.");
    $("main").focus();
  });
  show();
}

function letter() {
  $("letter").addEventListener("submit", (e) => {
    e.preventDefault();
    window.datafly.track("Lead Generated", {
      lead_id: "NL-" + Date.now().toString(36).toUpperCase(),
      topic: "Newsletter",
    });
    e.target.reset();
    say("letter-said", "Thank you. The next letter comes on the first of the month.");
  });
}

const pages = { product, search, cart: cartPage, checkout, thanks, signin };

panel.start();
consent.start();
showCount();
showAccount();
letter();
window.addEventListener("kp-cart", showCount);
window.addEventListener("storage", showCount); // another tab
const page = pages[document.body.dataset.page];
if (page) page();
