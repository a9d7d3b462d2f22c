// A second press on the same control within half a second is a trembling hand, not a wish (EN 301 549 5.8), and a form
// that is on its way is not sent again. A control that is meant to be pressed fast says `data-repeat`.
const SAME_PRESS_MS = 500;
let pressed = { control: null, at: -Infinity };

document.addEventListener("click", (event) => {
  const control = event.target.closest("a, button");
  if (!control) return;
  const again = control === pressed.control && !("repeat" in control.dataset);
  if (again && event.timeStamp - pressed.at < SAME_PRESS_MS) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  pressed = { control, at: event.timeStamp };
}, true);

const underWay = new WeakSet();
document.addEventListener("submit", (event) => {
  if (underWay.has(event.target)) event.preventDefault();
  else underWay.add(event.target);
});
// A page that comes back from the browser's memory is fresh again.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
