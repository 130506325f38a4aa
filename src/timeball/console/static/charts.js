// The four charts, drawn by the package the console serves. Each is made from the joined history, in units that read well, in the page's
// own colours. Under each stands one plain sentence, which is also what a screen reader gets.

import { format, powerOfTen, unitFor } from "./format.js";
import { detrend, largest, slopes, thin } from "./series.js";

const CONFIG = { responsive: true, displayModeBar: false, displaylogo: false, scrollZoom: false, doubleClick: "reset" };
const DASHES = ["solid", "dash", "dot"];
const PALETTES = {
  dark: ["#6cb6ff", "#f0a35e", "#5fd3a5", "#cfa2ff", "#ffd866", "#ff8fa3", "#7fdce6", "#c3d17a"],
  light: ["#1f6fc4", "#b8590a", "#0c7f5b", "#7d3fc0", "#8f6b00", "#c2274f", "#0a7f8c", "#5f7412"],
};

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const scheme = () => (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");

/** Give the line style of the clock with this place in the station's list, the same in every chart and table. */
export function lineStyle(place) {
  const palette = PALETTES[scheme()];
  return { color: palette[place % palette.length], dash: DASHES[Math.floor(place / palette.length) % DASHES.length] };
}

const axis = (title, more = {}) => ({
  title: { text: title, standoff: 8 },
  gridcolor: colour("--line"),
  linecolor: colour("--line"),
  zerolinecolor: colour("--strong-line"),
  tickcolor: colour("--line"),
  automargin: true,
  exponentformat: "none",
  ...more,
});

const layout = (x, y, more = {}) => ({
  margin: { l: 64, r: 12, t: 8, b: 44 },
  paper_bgcolor: "rgba(0,0,0,0)",
  plot_bgcolor: "rgba(0,0,0,0)",
  font: { family: colour("--sans"), size: 13, color: colour("--quiet") },
  hoverlabel: { bgcolor: colour("--panel"), bordercolor: colour("--strong-line"), font: { color: colour("--text") } },
  dragmode: matchMedia("(pointer: fine)").matches ? "zoom" : false,
  showlegend: false,
  hovermode: "closest",
  uirevision: "kept",
  xaxis: x,
  yaxis: y,
  ...more,
});

const note = (words) => ({
  shapes: [],
  xaxis: { visible: false },
  yaxis: { visible: false },
  annotations: [{ text: words, xref: "paper", yref: "paper", x: 0.5, y: 0.5, showarrow: false, font: { size: 15 } }],
});

const draw = (id, traces, shape, words, fresh) => {
  document.getElementById(`${id}-words`).textContent = words;
  return globalThis.Plotly.react(`${id}-chart`, traces, traces.length ? shape : { ...shape, ...note(fresh) }, CONFIG);
};

const dates = (epoch_s) => epoch_s.map((epoch) => epoch * 1000);
const days = (epoch_s) => (epoch_s.length > 1 ? ` over ${format("span", epoch_s.at(-1) - epoch_s[0])}` : "");
const dateAxis = () => axis("UTC", { type: "date", hoverformat: "%Y-%m-%d %H:%M" });

function line(name, t, x, [unit, size], style) {
  const thinned = thin(t, x);
  return {
    type: "scatter",
    mode: "lines",
    name,
    x: dates(thinned.t),
    y: thinned.x.map((value) => (value === null ? null : value / size)),
    line: { width: 1.7, ...style },
    hovertemplate: `${name}: %{y:.4g} ${unit}<br>%{x} UTC<extra></extra>`,
  };
}

/** Draw the phase of each drawn clock against the scale, each without its straight line. */
export function drawPhase(history, drawn, place) {
  const names = Object.keys(history.clocks).filter((name) => drawn(name) && history.clocks[name].some((x) => x !== null));
  const rest = names.map((name) => detrend(history.epoch_s, history.clocks[name]));
  const unit = unitFor(largest(rest));
  const traces = names.map((name, i) => line(name, history.epoch_s, rest[i], unit, lineStyle(place(name))));
  const words =
    `Each clock against the scale${days(history.epoch_s)}, with its own straight line taken off: ` +
    "what is left is how it wanders. Up means ahead.";
  return draw("phase", traces, layout(dateAxis(), axis(`clock − scale, ${unit[0]}`)), words, "no phases recorded yet");
}

// Stretches that frequency is taken over: the shortest round one of which the history holds no more than so many.
const STRETCHES_S = [600, 1800, 3600, 7200, 14400, 21600, 43200, 86400];
const MOST_STRETCHES = 400;

/** Draw the frequency of each drawn clock against the scale, each without the rate of its straight line, in place of the phase. */
export function drawFrequency(history, drawn, place) {
  const { epoch_s } = history;
  const span_s = epoch_s.length ? epoch_s.at(-1) - epoch_s[0] : 0;
  const over_s = STRETCHES_S.find((each) => span_s / each <= MOST_STRETCHES) ?? STRETCHES_S.at(-1);
  const all = Object.keys(history.clocks).filter(drawn);
  const found = new Map(all.map((name) => [name, slopes(epoch_s, detrend(epoch_s, history.clocks[name]), over_s)]));
  const names = all.filter((name) => found.get(name).x.some((y) => y !== null));
  const top = largest(names.map((name) => found.get(name).x));
  const power = top > 0 ? Math.floor(Math.log10(top)) : 0;
  const unit = [powerOfTen(power), 10 ** power];
  const traces = names.map((name) => line(name, found.get(name).t, found.get(name).x, unit, lineStyle(place(name))));
  const words =
    `Each clock’s frequency against the scale, a value each ${format("span", over_s)}${days(epoch_s)}, with the rate of its own straight ` +
    "line taken off. Above zero it runs fast.";
  return draw("phase", traces, layout(dateAxis(), axis(`frequency, ${unit[0]}`)), words, "not enough phases recorded yet");
}

// A logarithmic axis labelled by us: the package would write its exponents with style attributes, which the page's policy refuses.
function decades(values) {
  const logs = values.filter((value) => value > 0).map(Math.log10);
  if (!logs.length) return { type: "log" };
  const [low, high] = logs.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  const room = 0.06 * (high - low) + 0.05;
  const powers = Array.from({ length: Math.floor(high + room) - Math.ceil(low - room) + 1 }, (_, i) => Math.ceil(low - room) + i);
  return { type: "log", range: [low - room, high + room], tickvals: powers.map((n) => 10 ** n), ticktext: powers.map(powerOfTen) };
}

// The bars of one clock: up to its upper limit and down to its lower one; none where the station knows no limits.
function bars({ sigma, low, high }, color) {
  const reach = (limits, sign) => sigma.map((value, i) => (limits?.[i] == null ? 0 : Math.max(0, sign * (limits[i] - value))));
  return { type: "data", symmetric: false, array: reach(high, 1), arrayminus: reach(low, -1), color, thickness: 1.2, width: 3 };
}

// What white phase noise, white frequency noise and flicker of frequency fall like, from the middle of the first points.
function guides(clocks, x, y) {
  const first = clocks.map((clock) => clock.sigma[0]).sort((a, b) => a - b);
  if (!first.length || !x.range || !y.range) return {};
  const [at, level] = [Math.min(...clocks.map((clock) => clock.tau_s[0])), first[Math.floor(first.length / 2)]].map(Math.log10);
  const lines = [["1/τ", -1], ["1/√τ", -0.5], ["level", 0]].map(([text, slope]) => {
    const end = slope ? Math.min(x.range[1], at + (y.range[0] - level) / slope) : x.range[1];
    return { text, from: [at, level], to: [end, level + slope * (end - at)] };
  });
  return {
    shapes: lines.map(({ from, to }) => ({
      type: "line", layer: "below", x0: 10 ** from[0], y0: 10 ** from[1], x1: 10 ** to[0], y1: 10 ** to[1],
      line: { color: colour("--strong-line"), width: 1, dash: "dot" },
    })),
    annotations: lines.map(({ text, to }) => ({ text, x: to[0], y: to[1], xanchor: "right", yanchor: "bottom", showarrow: false })),
  };
}

/** Draw sigma(tau) of each drawn clock with its limits. */
export function drawDeviations(deviations, drawn, place) {
  const names = Object.keys(deviations.clocks).filter((name) => drawn(name) && deviations.clocks[name].tau_s.length);
  const traces = names.map((name) => ({
    type: "scatter",
    mode: "lines+markers",
    name,
    x: deviations.clocks[name].tau_s,
    y: deviations.clocks[name].sigma,
    line: { width: 1.7, ...lineStyle(place(name)) },
    marker: { size: 5, color: lineStyle(place(name)).color },
    error_y: bars(deviations.clocks[name], lineStyle(place(name)).color),
    hovertemplate: `${name}: %{y:.3e} at %{x:.4~g} s<extra></extra>`,
  }));
  const shown = names.map((name) => deviations.clocks[name]);
  const all = (key) => shown.flatMap((clock) => clock[key] ?? []);
  const [x, y] = [decades(all("tau_s")), decades([...all("sigma"), ...all("low"), ...all("high")])];
  const shape = layout(axis("averaging time τ, s", x), axis("Allan deviation σ(τ)", y), guides(shown, x, y));
  const percent = deviations.confidence == null ? "" : ` Bars: ${Number((100 * deviations.confidence).toPrecision(3))}\u202f% confidence.`;
  const words =
    "How much each clock’s rate changes from one averaging time to the next, against the scale. Lower is better." +
    `${percent} Dotted: the slopes of white phase noise (1/τ), white frequency noise (1/√τ) and flicker of frequency (level).`;
  return draw("oadev", traces, shape, words, "not enough readings yet");
}

/** Draw the output's residual between its limits. */
export function drawOutput(history, limit_s) {
  const known = history.output_residual_s.filter((x) => x !== null);
  const unit = unitFor(Math.max(largest([known]), limit_s ?? 0));
  const traces = known.length ? [line("output", history.epoch_s, history.output_residual_s, unit, { color: colour("--accent") })] : [];
  const limits = limit_s == null ? [] : [limit_s, -limit_s];
  const shapes = limits.map((at) => ({
    type: "line", xref: "paper", x0: 0, x1: 1, y0: at / unit[1], y1: at / unit[1], line: { color: colour("--red"), width: 1.5, dash: "dash" },
  }));
  const annotations = limits.slice(0, 1).map((at) => ({
    text: "limit", xref: "paper", x: 1, y: at / unit[1], xanchor: "right", yanchor: "bottom", showarrow: false, font: { color: colour("--red") },
  }));
  const reach = (1.15 * Math.max(largest([known]), limit_s ?? 0)) / unit[1];
  const y = axis(`output residual, ${unit[0]}`, reach ? { range: [-reach, reach] } : {});
  const words = "The signal that leaves the station, measured like any clock: between the dashed lines it is where the ledger says.";
  return draw("output", traces, layout(dateAxis(), y, { shapes, annotations }), words, "the output has not been read back yet");
}

/** Draw UTC(k) − UTC, k being the station, with its k = 2 uncertainty. */
export function drawUTCk(bulletin, station) {
  const t = dates(bulletin.epoch_s);
  const unit = unitFor(largest([bulletin.x_s, bulletin.u_s]));
  const edge = (sign) => bulletin.x_s.map((x, i) => (x + sign * 2 * (bulletin.u_s[i] ?? 0)) / unit[1]);
  const band = (y, more) => ({ type: "scatter", mode: "lines", x: t, y, line: { width: 0 }, hoverinfo: "skip", ...more });
  const traces = !t.length ? [] : [
    band(edge(-1), {}),
    band(edge(1), { fill: "tonexty", fillcolor: colour("--band") }),
    { ...line(`UTC(${station}) − UTC`, bulletin.epoch_s, bulletin.x_s, unit, { color: colour("--accent") }), mode: "lines+markers", marker: { size: 5 } },
  ];
  const words = `How far UTC(${station}) stood from UTC; the band is the uncertainty (k = 2). Zero would be perfect.`;
  return draw("utck", traces, layout(dateAxis(), axis(`UTC(${station}) − UTC, ${unit[0]}`)), words, "nothing compared with UTC yet");
}

/** Load the chart package; resolves when it can draw. */
export function loadCharts(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = resolve;
    script.onerror = () => reject(new Error("the chart script did not come"));
    document.head.append(script);
  });
}
