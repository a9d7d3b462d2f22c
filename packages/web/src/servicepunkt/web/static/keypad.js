// A keypad on the screen for forms marked with data-keypad. Without this script a real keyboard does the same.
for (const form of document.querySelectorAll("form[data-keypad]")) {
  const input = form.querySelector("input:not([type=hidden])");
  const keys = document.createElement("div");
  keys.className = "sp-keypad";
  keys.setAttribute("role", "group");
  keys.setAttribute("aria-label", document.documentElement.lang.startsWith("de") ? "Tastenfeld" : "Keypad");
  const german = document.documentElement.lang.startsWith("de");
  const add = (text, label, act, extra = "") => {
    const key = document.createElement("button");
    key.type = "button";
    key.dataset.repeat = ""; // the same digit twice in a row is meant
    key.className = `kern-btn kern-btn--secondary sp-key ${extra}`;
    if (label) key.setAttribute("aria-label", label);
    const span = document.createElement("span");
    span.className = "kern-label";
    span.textContent = text;
    key.append(span);
    key.addEventListener("click", () => {
      act();
      input.dispatchEvent(new Event("input", { bubbles: true }));
    });
    keys.append(key);
  };
  const type = (digit) => {
    if (input.maxLength < 0 || input.value.length < input.maxLength) input.value += digit;
  };
  for (const digit of "123456789") add(digit, "", () => type(digit));
  if (input.inputMode === "tel") add("+", "Plus", () => type("+"));
  else add("C", german ? "Alles löschen" : "Clear", () => { input.value = ""; });
  add("0", "", () => type("0"));
  add("⌫", german ? "Letzte Ziffer löschen" : "Delete the last digit", () => {
    input.value = input.value.slice(0, -1);
  });
  form.lastElementChild.before(keys);
  // What is missing is said in the page's language, not in the browser's.
  input.addEventListener("invalid", () => input.setCustomValidity(input.dataset.sentence));
  input.addEventListener("input", () => input.setCustomValidity(""));
}
