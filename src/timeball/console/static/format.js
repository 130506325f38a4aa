// Every number a person sees on this page is written here. In: SI units as the station gives them, or null. Out: text with its unit
// (or without, where the column's head carries it). A plus sign means ahead. Nothing here rounds a bound downwards.

const NARROW = "\u202f"; // narrow and never broken at a line's end
const MINUS = "−";
const UNKNOWN = "–";
const UNITS = [["s", 1], ["ms", 1e-3], ["µs", 1e-6], ["ns", 1e-9], ["ps", 1e-12], ["fs", 1e-15]];
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

const grouped = (digits) => {
  const [whole, part] = digits.split(".");
  const spaced = whole.replace(/\B(?=(\d{3})+$)/g, NARROW);
  return part === undefined ? spaced : `${spaced}.${part}`;
};

const fixed = (value, digits) => (value < 0 ? MINUS : "") + grouped(Math.abs(value).toFixed(digits));

const signed = (value, digits) => {
  const text = fixed(value, digits);
  return value > 0 ? `+${text}` : text;
};

const superscript = (n) => (n < 0 ? "⁻" : "") + [...String(Math.abs(n))].map((digit) => SUPERSCRIPTS[digit]).join("");

/** Write a power of ten. */
export const powerOfTen = (n) => `10${superscript(n)}`;

/** Give [name, size in s] of the unit in which a time of this size reads well: 1 to 999 of it. */
export function unitFor(size_s) {
  const size = Math.abs(size_s);
  return UNITS.find(([, unit]) => size >= unit * 0.9995) ?? (size === 0 ? UNITS[3] : UNITS.at(-1));
}

const threeFigures = (value) => (Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2);

const offset = (value) => {
  const [name, unit] = unitFor(value);
  return `${signed(value / unit, threeFigures(value / unit))}${NARROW}${name}`;
};

const interval = (value) => {
  const [name, unit] = unitFor(value);
  return `${Number((value / unit).toPrecision(3))}${NARROW}${name}`;
};

/** A bound is a maximum: two significant figures, rounded up. */
const bound = (value) => {
  const [name, unit] = unitFor(value);
  const step = 10 ** (Math.floor(Math.log10(value / unit)) - 1);
  const up = Math.ceil(value / unit / step - 1e-9) * step;
  return `±${NARROW}${Number(up.toPrecision(2))}${NARROW}${name}`;
};

const rate = (value) => {
  if (value === 0) return "0";
  const [digits, power] = value.toExponential(2).split("e");
  return `${signed(Number(digits), 2)}${NARROW}×${NARROW}${powerOfTen(Number(power))}`;
};

const span = (value) => {
  const s = Math.floor(value);
  const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  if (d) return `${d}${NARROW}d ${h}${NARROW}h`;
  if (h) return `${h}${NARROW}h ${m}${NARROW}min`;
  return m ? `${m}${NARROW}min ${s % 60}${NARROW}s` : `${s}${NARROW}s`;
};

const percent = (value) => {
  if (value > 0 && value < 0.0005) return `<${NARROW}0.1${NARROW}%`;
  return `${fixed(value * 100, 1)}${NARROW}%`;
};

const moment = (text) => text.replace("T", " ").replace(/(\.\d+)?Z$/, "");

const FORMATS = {
  text: String,
  plain: String,
  none: () => null,
  count: (value) => fixed(value, 0),
  list: (values) => values.join(", ") || "nowhere",
  percent,
  offset,
  bound,
  rate,
  span,
  moment,
  ns: (value) => signed(value * 1e9, 3),
  ps: (value) => signed(value * 1e12, 1),
  span_ns: interval,
  s0: (value) => `${fixed(value, 0)}${NARROW}s`,
  s1: (value) => `${fixed(value, 1)}${NARROW}s`,
  whole_s: (value) => `${fixed(value, 0)}${NARROW}s`,
  mjd: (value) => value.toFixed(5),
  tai: (text) => `${grouped(text.slice(0, -9))}.${text.slice(-9, -7)}${NARROW}s`,
  day: (text) => text.slice(0, 10),
  at: (text) => `, ${moment(text)}`,
  root: (text) => `${text.slice(0, 10)}…${text.slice(-5)}`,
  sync: (value) => (value ? "in sync" : "not in sync"),
  lease: (value) => (value ? "left" : "not running"),
  expired: (value) => (value ? "expired" : "good until"),
};

const WHEN_NULL = { at: "", none: null, bound: "none" };

/** Give the text for a value, or null where the text is somebody else's to write. */
export function format(kind, value) {
  if (value === null || value === undefined) return Object.hasOwn(WHEN_NULL, kind ?? "text") ? WHEN_NULL[kind] : UNKNOWN;
  return FORMATS[kind ?? "text"](value);
}
