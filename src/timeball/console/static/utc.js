// UTC written forward from a moment the station gave. The browser's own clock is never asked what time it is: only how much time went by.

const PATTERN = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?Z$/;
const MINUTE_MS = 60000;
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const two = (n) => String(n).padStart(2, "0");

const writeMinute = (start) => {
  const at = new Date(start);
  return `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}T${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
};

/** Read a UTC text into the start of its minute and the milliseconds since; the second may be 60. */
export function parseUTC(text) {
  const found = PATTERN.exec(text ?? "");
  if (!found) return null;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number);
  return { minute: Date.UTC(year, month - 1, day, hour, minute), ms: second * 1000 + Number(found[7] ?? 0) * 1000 };
}

function minuteLength(minute, seen_ms, leap) {
  if (seen_ms >= MINUTE_MS) return MINUTE_MS + 1000;
  const next = parseUTC(leap?.next_utc);
  if (!next || next.minute !== minute + MINUTE_MS) return MINUTE_MS;
  return (leap.next_tai_minus_utc_s ?? leap.tai_minus_utc_s + 1) < leap.tai_minus_utc_s ? MINUTE_MS - 1000 : MINUTE_MS + 1000;
}

/** Give the moment `elapsed_ms` later as {minute: "YYYY-MM-DDTHH:MM", second, time, date}; leap seconds as announced. */
export function advance(moment, elapsed_ms, leap) {
  let { minute } = moment;
  let ms = moment.ms + elapsed_ms;
  let length = minuteLength(minute, moment.ms, leap);
  while (ms >= length) {
    ms -= length;
    minute += MINUTE_MS;
    length = minuteLength(minute, 0, leap);
  }
  const second = Math.floor(ms / 1000);
  const text = writeMinute(minute);
  const dayOfYear = Math.floor((minute - Date.UTC(new Date(minute).getUTCFullYear(), 0, 1)) / 86400000) + 1;
  return {
    second,
    time: `${text.slice(11)}:${two(second)}`,
    date: `${DAYS[new Date(minute).getUTCDay()]} ${text.slice(0, 10)}, day ${dayOfYear}`,
  };
}
