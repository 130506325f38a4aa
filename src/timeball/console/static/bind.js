// Puts an answer of the station into the page: each element names the place in the JSON it shows (`data-path`) and how to write it
// (`data-as`, a kind of format.js), and carries the raw value beside it (`data-value`), so anyone can compare page and JSON.
// Elements are changed in place and only when their text changes: nothing flickers, selections and the keyboard's place stay.

import { format } from "./format.js";

/** Give the value at a dotted path, or undefined. */
export const at = (data, path) => path.split(".").reduce((value, key) => value?.[key], data);

const raw = (value) => (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));

const LAMP_WORDS = { green: "in limits", yellow: "was out, is back", red: "out of limits", grey: "cannot judge" };

const LAMP_RULES = {
  valid: (valid) => (valid === undefined || valid === null ? "grey" : valid ? "green" : "red"),
  cosigned: (state) => (state === "cosigned" ? "green" : state === "missing" ? "red" : "grey"),
  output: (output) => {
    if (output?.residual_s == null || output?.limit_s == null) return "grey";
    return Math.abs(output.residual_s) <= output.limit_s ? "green" : "red";
  },
};

/** Set a lamp: its colour, its shape and, for those who see neither, its word. */
export function light(lamp, colour, words = LAMP_WORDS[colour]) {
  if (lamp.dataset.lamp === colour && lamp.textContent === words) return;
  lamp.dataset.lamp = colour;
  lamp.textContent = words;
}

const write = (element, text) => {
  if (text !== null && element.textContent !== text) element.textContent = text;
};

function addRow(body, template, path) {
  const row = template.content.cloneNode(true);
  for (const element of row.querySelectorAll("[data-path], [data-lamp-path], [data-bar-path]")) {
    for (const key of ["path", "lampPath", "barPath"]) {
      if (key in element.dataset) element.dataset[key] = [path, element.dataset[key]].filter(Boolean).join(".");
    }
  }
  body.append(row);
}

function fillRows(page, data) {
  for (const body of page.querySelectorAll("[data-rows]")) {
    const name = body.dataset.rows;
    const items = at(data, name) ?? [];
    while (body.children.length > items.length) body.lastElementChild.remove();
    while (body.children.length < items.length) addRow(body, page.getElementById(`row-${name}`), `${name}.${body.children.length}`);
    page.querySelector(`[data-none="${name}"]`).hidden = items.length > 0;
  }
}

function fillBar(bar, data, largest) {
  const full = bar.dataset.barFull === "largest" ? largest : Number(bar.dataset.barFull);
  const part = full > 0 ? Math.min(1, Math.max(0, (at(data, bar.dataset.barPath) ?? 0) / full)) : 0;
  bar.style.transform = `scaleX(${part})`;
}

/** Show one status everywhere it belongs, or, if any of it cannot be written, throw and change no figure, word or lamp. */
export function fill(page, data) {
  const largest = Math.max(0, ...data.clocks.map((clock) => clock.weight ?? 0));
  fillRows(page, data);
  const written = [...page.querySelectorAll("[data-path]")].map((element) => {
    const value = at(data, element.dataset.path);
    return [element, format(element.dataset.as, value), raw(value)];
  });
  for (const [element, text, value] of written) {
    write(element, text);
    element.dataset.value = value;
  }
  for (const lamp of page.querySelectorAll("[data-lamp-path]")) {
    const value = at(data, lamp.dataset.lampPath);
    light(lamp, lamp.dataset.lampAs ? LAMP_RULES[lamp.dataset.lampAs](value) : (value ?? "grey"));
  }
  for (const element of page.querySelectorAll("[data-show-path]")) element.hidden = !at(data, element.dataset.showPath);
  for (const bar of page.querySelectorAll("[data-bar-path]")) fillBar(bar, data, largest);
}

/** Put out every lamp that spoke for the station: it no longer answers. */
export function putOutLamps(page) {
  for (const lamp of page.querySelectorAll("[data-lamp-path]")) light(lamp, "grey", "no answer");
}
