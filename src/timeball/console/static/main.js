// The page's life: ask, show, and say when what is shown is old. Three states of the link: waiting (nothing yet), live, stale.

import { fill, putOutLamps } from "./bind.js";
import { drawDeviations, drawFrequency, drawOutput, drawPhase, drawUTCk, loadCharts } from "./charts.js";
import { format } from "./format.js";
import { poll } from "./poll.js";
import { join } from "./series.js";
import { drawn, paint, place, showToggles } from "./toggles.js";
import { advance, parseUTC } from "./utc.js";

// The server answers at once or not at all; a lease lives ten seconds, so what is older than four must not look alive.
const STALE_AFTER_MS = 4000;

const root = document.documentElement;
const byId = (id) => document.getElementById(id);

const known = { status: null, readAt: -Infinity, movedAt: -Infinity, moment: null, failure: "no answer", history: null, deviations: null };
let charts = false;

function onStatus({ data, readAt }) {
  const before = known.status;
  const moved = data.time.tai_ns === null || data.time.tai_ns !== before?.time.tai_ns;
  const movedAt = moved ? readAt : known.movedAt;
  if (readAt - movedAt <= STALE_AFTER_MS) {
    fill(document, data);
    showToggles(byId("toggles"), data.clocks, drawClocks);
    root.dataset.answer = data.time.tai_ns ?? "";
  }
  // Only now: an answer that cannot be shown does not make the page look alive.
  Object.assign(known, { status: data, readAt, movedAt, moment: parseUTC(data.time.utc), failure: "no answer" });
  if (before?.output.limit_s !== data.output.limit_s || before?.station.name !== data.station.name) drawHistory();
  tick();
}

function staleWords(now) {
  if (now - known.readAt > STALE_AFTER_MS) return `The console cannot reach the station: ${known.failure}`;
  if (now - known.movedAt > STALE_AFTER_MS) return "The station answers, but its time stands still";
  return null;
}

function setLink(state) {
  if (root.dataset.link === state) return;
  root.dataset.link = state;
  byId("stale").hidden = state !== "stale";
  if (state !== "stale") return;
  putOutLamps(document);
  byId("verdict").textContent = "Not known: the figures below are old";
}

function showClock(now) {
  const { moment, status } = known;
  const shown = moment && advance(moment, now - known.readAt, status.time.leap);
  byId("clock").textContent = shown ? shown.time : "––:––:––";
  byId("date").textContent = shown ? shown.date : "no time yet";
  root.dataset.sync = status.time.in_sync ? "yes" : "no";
  // The ball goes half up at second 55, all the way at 58, and drops on the minute; without sync it stays down.
  const second = shown && status.time.in_sync ? shown.second : 0;
  byId("ball").style.transform = `translateY(${second >= 58 ? -28 : second >= 55 ? -14 : 0}px)`;
}

function tick() {
  const now = performance.now();
  const words = staleWords(now);
  if (known.status === null && now < STALE_AFTER_MS) return;
  setLink(words === null ? "live" : "stale");
  const age_s = Math.max(0, now - Math.min(known.readAt, known.movedAt)) / 1000;
  if (words === null) {
    showClock(now);
    byId("link-words").textContent = `live, ${format("s1", age_s)} old`;
    byId("clock-age").textContent = known.status.time.in_sync || !known.moment ? "" : "nobody claims this time";
    return;
  }
  const age = Number.isFinite(age_s) ? format("span", age_s) : null;
  byId("link-words").textContent = age ? `${age} old` : "never answered";
  byId("clock-age").textContent = age ? `as it was ${age} ago` : "";
  if (byId("stale-words").textContent !== `${words}.`) byId("stale-words").textContent = `${words}.`;
}

function onHistory({ data }) {
  const before = known.history;
  known.history = join(before, data);
  if (before === null || data.through !== before.through) drawHistory();
}

function onDeviations({ data }) {
  known.deviations = data;
  drawClocks();
}

function drawSeries() {
  const asFrequency = byId("as-frequency").checked;
  byId("phase-quantity").textContent = `${asFrequency ? "Frequency" : "Phase residuals"} against the scale`;
  (asFrequency ? drawFrequency : drawPhase)(known.history, drawn, place);
}

function drawClocks() {
  if (!charts) return;
  if (known.history) drawSeries();
  if (known.deviations) drawDeviations(known.deviations, drawn, place);
}

function drawHistory() {
  if (!charts || !known.history) return;
  drawSeries();
  drawOutput(known.history, known.status?.output.limit_s);
  drawUTCk(known.history.utck_minus_utc, known.status?.station.name ?? "k");
}

function drawAll() {
  paint(byId("toggles"), known.status?.clocks.map((clock) => clock.name));
  drawHistory();
  drawClocks();
}

const askStatus = poll({
  url: "/api/status", every_ms: 1000, timeout_ms: 3000, onAnswer: onStatus, onFailure: (words) => (known.failure = words),
});
poll({ url: () => `/api/history?since=${known.history?.through ?? 0}`, every_ms: 10000, timeout_ms: 20000, onAnswer: onHistory });
poll({ url: "/api/deviations", every_ms: 30000, timeout_ms: 30000, onAnswer: onDeviations });

setInterval(tick, 100);
byId("as-frequency").addEventListener("change", drawHistory);
document.addEventListener("visibilitychange", () => document.hidden || askStatus());
matchMedia("(prefers-color-scheme: light)").addEventListener("change", drawAll);
loadCharts(document.body.dataset.charts).then(() => {
  charts = true;
  drawAll();
});
