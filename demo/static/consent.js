// The consent banner: the choice is kept in this browser and told to the
// collector as the codes of a consent platform. Marketing and analytics are off
// until somebody says otherwise.

const key = "kp-consent";
const banner = document.getElementById("consent");
const form = document.getElementById("consent-form");
let cameFrom = null;

function stored() {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

function open() {
  const chosen = stored() || {};
  for (const box of form.querySelectorAll("input[name]")) box.checked = chosen[box.name] === true;
  banner.hidden = false;
  document.body.classList.add("asking");
}

function close() {
  banner.hidden = true;
  document.body.classList.remove("asking");
  if (cameFrom) cameFrom.focus();
  cameFrom = null;
}

function choose(which) {
  const box = (name) => form.elements[name].checked;
  const all = which === "all";
  const some = which === "some";
  const categories = {
    C0001: true, // strictly necessary
    C0002: all || (some && box("C0002")), // analytics
    C0003: all, // comfort; nobody is asked for it apart
    C0004: all || (some && box("C0004")), // marketing
  };
  localStorage.setItem(key, JSON.stringify(categories));
  window.datafly.consent({ categories });
  close();
}

export function start() {
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    choose(e.submitter ? e.submitter.value : "some");
  });
  document.getElementById("consent-again").addEventListener("click", (e) => {
    cameFrom = e.currentTarget;
    open();
    banner.focus();
  });
  banner.addEventListener("keydown", (e) => {
    if (e.key === "Escape" && stored()) close(); // a first answer is still owed
  });
  if (!stored()) open();
}
