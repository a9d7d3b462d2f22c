// A form on its way says so at once: its button `data-working` is disabled and says that, and after a second, if the
// answer is still out, the status beside it says `data-longer`. Without this script the browser shows its own progress.
const LONGER_MS = 1000;
document.addEventListener("submit", (event) => {
  const button = event.target.querySelector("button[data-working]");
  if (event.defaultPrevented || !button) return;
  const status = event.target.querySelector("[role=status]");
  button.querySelector(".kern-label").textContent = button.dataset.working;
  for (const each of event.target.querySelectorAll("button")) each.disabled = true;
  if (status.dataset.longer) setTimeout(() => { status.textContent = status.dataset.longer; }, LONGER_MS);
});
