// Ends a session that somebody left: warns after `data-idle` seconds without a touch or key, and `data-warn` seconds
// later sends the form that ends and deletes. Any touch or key goes on, as often as one likes (WCAG 2.2.1).
const idle = Number(document.body.dataset.idle) * 1000;
const warn = Number(document.body.dataset.warn) * 1000;
const RETRY_MS = 10_000;
const dialog = document.getElementById("idle");
const left = dialog.querySelector("[data-idle-left]");
const form = document.getElementById("end");
let timer;

function rearm() {
  clearTimeout(timer);
  if (dialog.open) dialog.close();
  timer = setTimeout(ask, idle);
}

function ask() {
  const end = Date.now() + warn;
  dialog.showModal();
  (function tick() {
    const rest = end - Date.now();
    left.textContent = Math.max(0, Math.ceil(rest / 1000));
    timer = rest > 0 ? setTimeout(tick, Math.min(rest, 250)) : finish();
  })();
}

// Nothing a person entered stays on the screen, whether the server can be reached or not.
async function finish() {
  dialog.close();
  try {
    await fetch("/health/live", { cache: "no-store" });
    if (form) form.submit();
    else location.replace(dialog.dataset.start);
  } catch {
    document.getElementById("content").replaceChildren(document.getElementById("offline").content.cloneNode(true));
    timer = setTimeout(finish, RETRY_MS);
  }
}

if (idle > 0) {
  for (const kind of ["pointerdown", "keydown", "input"]) {
    document.addEventListener(kind, () => { if (!dialog.open) rearm(); }, true);
  }
  // The warning goes away on release, and a key does nothing else: neither must act on the page behind it.
  document.addEventListener("click", (event) => {
    if (dialog.open && !event.target.closest("[data-idle-end]")) rearm();
  }, true);
  dialog.addEventListener("keydown", (event) => {
    event.preventDefault();
    rearm();
  });
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  rearm();
}
