// A keyboard on the screen: it types into the field that was touched last, and comes when there is one.
const TYPED = "input:not([type=hidden], [type=radio], [type=checkbox]), textarea";
for (const keys of document.querySelectorAll("[data-typing]")) {
  const form = document.getElementById(keys.dataset.typing);
  const shift = keys.querySelector('[data-key="shift"]');
  let field = null;
  const capital = (is) => {
    shift.setAttribute("aria-pressed", String(is));
    for (const key of keys.querySelectorAll("button")) {
      if (key.dataset.key.length === 1 && key.dataset.key !== "ß" && key.textContent.trim()) {
        if (key.dataset.key !== " ") key.textContent = is ? key.dataset.key.toUpperCase() : key.dataset.key;
      }
    }
  };
  form.addEventListener("focusin", (event) => {
    if (!event.target.matches(TYPED)) return;
    field = event.target;
    keys.style.setProperty("--sp-bar-height", `${document.querySelector(".sp-bar").offsetHeight}px`);
    keys.hidden = false;
    capital(field.value === "");
  });
  form.addEventListener("input", () => { if (field && field.value === "") capital(true); });
  keys.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
  keys.addEventListener("click", (event) => {
    const key = event.target.closest("button");
    if (!key || !field) return;
    if (key === shift) return capital(shift.getAttribute("aria-pressed") !== "true");
    const text = field.type === "email" ? null : field.selectionStart;
    const start = text ?? field.value.length;
    const end = text === null ? start : field.selectionEnd;
    const letter = shift.getAttribute("aria-pressed") === "true" && key.dataset.key !== "ß" ? key.dataset.key.toUpperCase() : key.dataset.key;
    const cut = key.dataset.key === "back" && start === end ? Math.max(0, start - 1) : start;
    const typed = key.dataset.key === "back" ? "" : letter;
    const value = field.value.slice(0, cut) + typed + field.value.slice(end);
    if (field.maxLength < 0 || value.length <= field.maxLength) {
      field.value = value;
      if (text !== null) field.setSelectionRange(cut + typed.length, cut + typed.length);
    }
    capital(key.dataset.key === " ");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
}
