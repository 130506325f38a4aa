// The series behind the charts: joining what came later, taking off a straight line, thinning for the screen. Times are seconds, x in s.

const pad = (values, length) => values.concat(Array(Math.max(0, length - values.length)).fill(null));

// A page may stay open for a year; the charts need no more than this.
const MOST_POINTS = 50000;

const EMPTY = { through: 0, epoch_s: [], clocks: {}, output_residual_s: [], utck_minus_utc: { epoch_s: [], x_s: [], u_s: [] } };

/** Join an answer of /api/history to what is there. A station that went back (its index is smaller) starts anew: null. */
export function join(known, more) {
  const before = known ?? EMPTY;
  if (more.through < before.through) return null;
  const last = before.epoch_s.at(-1) ?? -Infinity;
  const fresh = more.epoch_s.map((epoch, i) => (epoch > last ? i : -1)).filter((i) => i >= 0);
  const take = (values) => fresh.map((i) => values?.[i] ?? null);
  const append = (old, values) => old.concat(values).slice(-MOST_POINTS);
  const clocks = {};
  for (const name of [...new Set([...Object.keys(before.clocks), ...Object.keys(more.clocks)])]) {
    clocks[name] = append(pad(before.clocks[name] ?? [], before.epoch_s.length), take(more.clocks[name]));
  }
  return {
    through: more.through,
    epoch_s: append(before.epoch_s, fresh.map((i) => more.epoch_s[i])),
    clocks,
    output_residual_s: append(before.output_residual_s, take(more.output_residual_s)),
    utck_minus_utc: joinBulletin(before.utck_minus_utc, more.utck_minus_utc),
  };
}

function joinBulletin(before, more) {
  const last = before.epoch_s.at(-1) ?? -Infinity;
  const keep = (values) => values.filter((_, i) => more.epoch_s[i] > last);
  return {
    epoch_s: before.epoch_s.concat(keep(more.epoch_s)),
    x_s: before.x_s.concat(keep(more.x_s)),
    u_s: before.u_s.concat(keep(more.u_s)),
  };
}

/** Take the least-squares straight line off x(t); nulls stay null. With fewer than three points only the mean is taken off. */
export function detrend(t, x) {
  const good = x.map((_, i) => i).filter((i) => x[i] !== null);
  if (!good.length) return x;
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [t0, x0] = [mean(good.map((i) => t[i])), mean(good.map((i) => x[i]))];
  const tt = good.reduce((sum, i) => sum + (t[i] - t0) ** 2, 0);
  const tx = good.reduce((sum, i) => sum + (t[i] - t0) * (x[i] - x0), 0);
  const slope = good.length > 2 && tt > 0 ? tx / tt : 0;
  return x.map((value, i) => (value === null ? null : value - x0 - slope * (t[i] - t0)));
}

/**
 * Give the frequency of x(t) over stretches of `over_s` seconds: from the first value of one stretch to the first of the next, at the
 * middle between them. A stretch without a value makes a null, and nothing is computed across it.
 */
export function slopes(t, x, over_s) {
  const firsts = new Map();
  t.forEach((at, i) => {
    const stretch = Math.floor(at / over_s);
    if (x[i] !== null && !firsts.has(stretch)) firsts.set(stretch, i);
  });
  const out = { t: [], x: [] };
  const put = (at, value) => (out.t.push(at), out.x.push(value));
  let before = null;
  for (const [stretch, i] of firsts) {
    if (before !== null && stretch === before.stretch + 1) put((t[i] + t[before.i]) / 2, (x[i] - x[before.i]) / (t[i] - t[before.i]));
    else if (before !== null) put((t[i] + t[before.i]) / 2, null);
    before = { stretch, i };
  }
  return out;
}

/** Keep at most about `most` points: of each bucket the lowest and the highest, so that no excursion is lost; a gap stays a gap. */
export function thin(t, x, most = 1600) {
  if (x.length <= most) return { t, x };
  const size = Math.ceil((2 * x.length) / most);
  const out = { t: [], x: [] };
  for (let start = 0; start < x.length; start += size) {
    for (const i of extremes(x, start, Math.min(start + size, x.length))) {
      out.t.push(t[i]);
      out.x.push(x[i]);
    }
  }
  return out;
}

function extremes(x, start, stop) {
  let [low, high] = [-1, -1];
  for (let i = start; i < stop; i += 1) {
    if (x[i] === null) continue;
    if (low < 0 || x[i] < x[low]) low = i;
    if (high < 0 || x[i] > x[high]) high = i;
  }
  if (low < 0) return [start];
  return low === high ? [low] : [Math.min(low, high), Math.max(low, high)];
}

/** Give the largest |x| of several series, 0 for none. */
export const largest = (series) => series.reduce((most, x) => x.reduce((m, value) => Math.max(m, Math.abs(value ?? 0)), most), 0);
