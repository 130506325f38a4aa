// Which clocks are drawn: one check box a clock, in the colour of its line. All are drawn until someone says otherwise.

import { lineStyle } from "./charts.js";

const hiddenNames = new Set();
let names = [];

/** Tell whether a clock is drawn. */
export const drawn = (name) => !hiddenNames.has(name);

/** Give a clock's place in the station's list, which chooses its colour. */
export const place = (name) => {
  if (!names.includes(name)) names.push(name);
  return names.indexOf(name);
};

function makeBox(name, onChange) {
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = true;
  box.addEventListener("change", () => {
    if (box.checked) hiddenNames.delete(name);
    else hiddenNames.add(name);
    onChange();
  });
  const swatch = document.createElement("span");
  swatch.className = "swatch";
  label.append(box, swatch, name);
  return label;
}

/** Keep the boxes and the swatches of the table in step with the station's list of clocks. */
export function showToggles(fieldset, clocks, onChange) {
  const listed = clocks.map((clock) => clock.name);
  for (const name of listed.filter((each) => !names.includes(each))) place(name);
  const labels = fieldset.querySelectorAll("label");
  if (labels.length !== names.length) {
    labels.forEach((label) => label.remove());
    fieldset.append(...names.map((name) => makeBox(name, onChange)));
    for (const [i, label] of fieldset.querySelectorAll("label").entries()) label.firstChild.checked = drawn(names[i]);
  }
  paint(fieldset, listed);
}

/** Give every swatch the colour of its clock's line (again, when the scheme changes). */
export function paint(fieldset, listed = names) {
  fieldset.querySelectorAll(".swatch").forEach((swatch, i) => (swatch.style.borderColor = lineStyle(i).color));
  const rows = document.querySelectorAll(".clocks tbody .swatch");
  listed.slice(0, rows.length).forEach((name, i) => (rows[i].style.borderColor = lineStyle(place(name)).color));
}
