// A keyboard on the screen. Without this script each key is a button that sends the form, and the server adds the letter.
for (const keys of document.querySelectorAll("[data-keyboard]")) {
  keys.style.setProperty("--sp-bar-height", `${document.querySelector(".sp-bar").offsetHeight}px`);
  const field = document.getElementById(keys.dataset.keyboard);
  keys.addEventListener("click", (event) => {
    const key = event.target.closest("button");
    if (!key) return;
    event.preventDefault();
    const start = field.selectionStart ?? field.value.length;
    const end = field.selectionEnd ?? start;
    if (key.value === "back") {
      field.setRangeText("", start === end ? Math.max(0, start - 1) : start, end, "end");
    } else if (field.value.length < field.maxLength) {
      field.setRangeText(key.value === "space" ? " " : key.value, start, end, "end");
    }
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
}
