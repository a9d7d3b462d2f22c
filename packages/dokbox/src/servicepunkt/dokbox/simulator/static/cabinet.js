// Keeps the picture up to date without a reload. Without it every button still works as a plain form.
"use strict";

const page = document.querySelector("main");
const words = page.dataset;

function possibleActs({ closed, latched, item }) {
  if (!closed) return ["close", item ? "take" : "put"];
  return [latched ? "force" : "open"];
}

function showCompartment(compartment) {
  const cell = document.getElementById(`c${compartment.number}`);
  const door = !compartment.closed ? "ajar" : compartment.latched ? "shut" : "loose";
  const content = compartment.item ? "full" : "bare";
  const acts = possibleActs(compartment);
  cell.setAttribute("class", `cell is-${door} is-${content}`);
  cell.setAttribute(
    "aria-label",
    `${words.compartment} ${compartment.number}: ${words[door]}, ${words[content]}`,
  );
  const focused = document.activeElement;
  for (const button of cell.querySelectorAll("button")) button.hidden = !acts.includes(button.className);
  // A button that was just used up must not take the keyboard's place on the page with it. The compartment gets
  // it, not the next button: a second press of the key must not break open the door that was just closed.
  if (cell.contains(focused) && focused.hidden) cell.focus();
}

function count(name, number) {
  document.querySelector(`[data-count=${name}]`).textContent = number;
}

function showLine(plugged) {
  const inside = document.querySelector("[data-plug=in]");
  const outside = document.querySelector("[data-plug=out]");
  const focused = document.activeElement;
  document.querySelector("[data-line]").textContent = plugged ? words.plugged : words.unplugged;
  document.querySelector("[data-lamp]").setAttribute("class", `lamp ${plugged ? "in" : "out"}`);
  inside.hidden = !plugged;
  outside.hidden = plugged;
  if (focused === inside || focused === outside) (plugged ? inside : outside).focus();
}

function show({ compartments, faults, plugged }) {
  compartments.forEach(showCompartment);
  count("doors", compartments.filter((compartment) => !compartment.closed).length);
  count("items", compartments.filter((compartment) => compartment.item).length);
  count("pulses", compartments.reduce((sum, compartment) => sum + compartment.pulses, 0));
  count("faults", faults.length);
  showLine(plugged);
}

async function send(form) {
  const message = document.querySelector("[role=alert]");
  const answer = await fetch(form.action, { method: "POST", headers: { Accept: "application/json" } });
  const body = await answer.json();
  message.textContent = answer.ok ? "" : words[body.refusal] ?? body.title;
  if (answer.ok) show(body);
}

document.addEventListener("submit", (event) => {
  event.preventDefault();
  send(event.target).catch(() => event.target.submit());
});

new EventSource("events").addEventListener("state", (event) => show(JSON.parse(event.data)));
