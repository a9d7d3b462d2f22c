// Staff pages of deposits. Without this script everything works too, with an answer from the server for each step.

// A scanner ends what it reads with Enter: go on to the next field. `data-scan` names both by their ids.
for (const form of document.querySelectorAll("form[data-scan]")) {
  const [scanned, next] = form.dataset.scan.split(" ").map((id) => document.getElementById(id));
  scanned.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    if (scanned.value.trim()) next.focus();
  });
}

// What the box has not answered yet is not asked again; the button stays, so that the focus stays on it.
document.addEventListener("submit", (event) => {
  if (event.submitter?.getAttribute("aria-disabled") !== "true") return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

// A live region is written only when its words have changed, so that nothing is read out twice.
document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  if (detail.fragment.innerHTML === detail.target.innerHTML) detail.shouldSwap = false;
});
