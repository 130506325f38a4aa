// Asks an address again and again, one question at a time, and says for each answer how old it already was when it came.

const AGE_HEADER = "timeball-age-s";

async function ask(url, timeout_ms) {
  const asked = performance.now();
  const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(timeout_ms) });
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error ?? `the console answers ${answer.status}`);
  const came = performance.now();
  // The station was read somewhere between question and answer, or earlier by the age the console states: take half the way.
  const readAt = came - Math.min(came - asked, 1000) / 2 - Number(answer.headers.get(AGE_HEADER) ?? 0) * 1000;
  return { data, readAt };
}

/**
 * Poll for ever. `url` may be a function; `onAnswer({data, readAt})` gets performance.now() milliseconds of the reading,
 * `onFailure(words)` what went wrong. Gives a function that asks at once.
 */
export function poll({ url, every_ms, timeout_ms, onAnswer, onFailure = () => {} }) {
  let timer = 0;
  let busy = false;
  const once = async () => {
    if (busy) return;
    busy = true;
    clearTimeout(timer);
    try {
      onAnswer(await ask(typeof url === "function" ? url() : url, timeout_ms));
    } catch (failure) {
      onFailure(failure instanceof TypeError || failure.name === "TimeoutError" ? "no answer" : failure.message);
    }
    busy = false;
    timer = setTimeout(once, every_ms);
  };
  once();
  return once;
}
