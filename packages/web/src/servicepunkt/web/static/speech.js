// "Read aloud": the button starts and stops the player beside it. Any touch or key elsewhere stops it, and so does leaving
// the page (EN 301 549 5.1.3). Without this script the browser's own player stands there.
const ALIVE_MS = 10_000;
let playing = null;
let told = 0;

const buttonOf = (audio) => audio.parentElement.querySelector("button");

function show(audio, on, words) {
  const button = buttonOf(audio);
  const label = button.querySelector(".sp-aloud__words");
  button.dataset.start ??= label.textContent;
  button.setAttribute("aria-pressed", String(on));
  label.textContent = words ?? (on ? button.dataset.stop : button.dataset.start);
}

function stop(words) {
  if (!playing) return;
  const audio = playing;
  playing = null;
  audio.pause();
  audio.currentTime = 0;
  show(audio, false, words);
}

function start(audio) {
  playing = audio;
  show(audio, true);
  audio.play().catch(() => { if (playing === audio) stop(buttonOf(audio).dataset.failed); });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".sp-aloud__button");
  if (!button) return;
  const audio = button.parentElement.querySelector("audio");
  if (playing === audio) stop();
  else start(audio);
});

const elsewhere = (event) => { if (!event.target.closest?.(".sp-aloud__button")) stop(); };
document.addEventListener("pointerdown", elsewhere, true);
// On the button itself these two keys press it.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") elsewhere(event);
  else stop();
}, true);
addEventListener("pagehide", () => stop());
document.addEventListener("visibilitychange", () => { if (document.hidden) stop(); });
document.addEventListener("submit", () => stop(), true);
document.addEventListener("htmx:beforeSwap", () => stop());
document.addEventListener("ended", (event) => { if (event.target === playing) stop(); }, true);
document.addEventListener("error", (event) => {
  if (event.target === playing) stop(buttonOf(event.target).dataset.failed);
}, true);
// Who listens has not gone away: the idle guard takes this for a sign of life.
document.addEventListener("timeupdate", (event) => {
  if (event.target !== playing || event.timeStamp - told < ALIVE_MS) return;
  told = event.timeStamp;
  event.target.dispatchEvent(new Event("input", { bubbles: true }));
}, true);
document.documentElement.dataset.speech = "";
