// The JSON of this broker, below /api/v1/.

/** Asks for an address; what is undefined or empty in `params` is left out. */
export async function get(path, params = {}, signal = undefined) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== "") query.set(name, value);
  }
  const address = "/api/v1/" + path + (query.size ? "?" + query : "");
  let response;
  try {
    response = await fetch(address, { signal, headers: { accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The broker does not answer.");
  }
  const text = await response.text();
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(text.trim() || response.statusText);
  }
  if (!response.ok) throw new Error(value.error ?? response.statusText);
  return value;
}

/** The address of a topic. */
export const topicPath = (name, rest = "") => "topics/" + encodeURIComponent(name) + rest;

/** The address of a group. */
export const groupPath = (id) => "groups/" + encodeURIComponent(id);

/** Calls `load(signal)` now and every so often while somebody looks, until the returned function is called. */
export function poll(load, everyMs) {
  const asked = new AbortController();
  let timer = null;
  async function turn() {
    if (!document.hidden) await load(asked.signal);
    if (!asked.signal.aborted) timer = setTimeout(turn, everyMs);
  }
  turn();
  return () => { asked.abort(); clearTimeout(timer); };
}
