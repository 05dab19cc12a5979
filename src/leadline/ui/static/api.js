// The service, as the page asks it. Failures are problem details (RFC 9457) and are thrown as `Problem`.

let csrf = null;
let onSignedOut = () => {};

/** A refusal; `code` is stable, `message` is for people. */
export class Problem extends Error {
  constructor(status, code, message, after) {
    super(message);
    this.status = status;
    this.code = code;
    this.after = after;
  }
}

/** Says what is done when the service knows the caller no more. */
export function whenSignedOut(call) { onSignedOut = call; }

/** Asks for JSON, or for whatever `as` names; `body` is JSON unless it is a Blob. */
export async function ask(method, path, { body, as = "json", headers = {}, signal } = {}) {
  const sent = { method, headers: { ...headers }, credentials: "same-origin", cache: "no-store", redirect: "error", signal };
  if (body instanceof Blob) {
    sent.body = body;
    sent.headers["Content-Type"] ??= body.type || "application/octet-stream";
  } else if (body !== undefined) {
    sent.body = JSON.stringify(body);
    sent.headers["Content-Type"] = "application/json";
  }
  if (csrf && method !== "GET") sent.headers["X-Leadline-CSRF"] = csrf;
  let answer;
  try {
    answer = await fetch(path, sent);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "away", "");
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    if (answer.status === 401 && path !== "/ui/session") onSignedOut();
    throw new Problem(answer.status, told.code || "refused", told.detail || told.title || answer.statusText, told.retry_after);
  }
  if (answer.status === 204) return null;
  return as === "blob" ? answer.blob() : as === "text" ? answer.text() : answer.json();
}

/** Sends a file; `told` hears what share of it has gone. Returns what `ask` would, and fails as it does. */
export function upload(path, file, told) {
  return new Promise((resolve, reject) => {
    const sent = new XMLHttpRequest();
    sent.open("PUT", path);
    sent.responseType = "json";
    sent.setRequestHeader("Content-Type", "application/octet-stream");
    if (csrf) sent.setRequestHeader("X-Leadline-CSRF", csrf);
    sent.upload.addEventListener("progress", (event) => { if (event.lengthComputable) told(event.loaded / event.total); });
    sent.addEventListener("error", () => reject(new Problem(0, "away", "")));
    sent.addEventListener("load", () => {
      if (sent.status >= 200 && sent.status < 300) { resolve(sent.response); return; }
      const said = sent.response ?? {};
      if (sent.status === 401) onSignedOut();
      reject(new Problem(sent.status, said.code || "refused", said.detail || said.title || sent.statusText, said.retry_after));
    });
    sent.send(file);
  });
}

export const get = (path, options) => ask("GET", path, options);
export const post = (path, body, options) => ask("POST", path, { body, ...options });
export const put = (path, body) => ask("PUT", path, { body });
export const remove = (path) => ask("DELETE", path);

/** Who the page acts for. */
export async function session() {
  const found = await get("/ui/session");
  csrf = found.csrf ?? null;
  return found;
}

/** Gives the browser a key to keep; returns who that is. */
export async function signIn(key) {
  const found = await post("/ui/session", { key });
  csrf = found.csrf;
  return found;
}

/** Lets the browser forget it. */
export async function signOut() {
  await remove("/ui/session");
  csrf = null;
}

const part = encodeURIComponent;

/** What a report page reads of a run of one's own. */
export function ownRun(id) {
  const base = `/v1/research/${part(id)}`;
  return {
    shared: false,
    view: (language) => get(`/ui/runs/${part(id)}/view?lang=${language}`),
    source: (source) => get(`${base}/sources/${part(source)}`),
    raw: (source) => get(`${base}/sources/${part(source)}/raw`, { as: "blob" }),
    form: (format) => get(`${base}/report?format=${format}`, { as: "blob" }),
    archive: () => get(`${base}/export`, { as: "blob" }),
  };
}

/** The same of a run behind a link; the token goes in a header, never in an address. */
export function sharedRun(token) {
  const headers = { "X-Leadline-Share": token };
  return {
    shared: true,
    view: (language) => get(`/ui/shared/view?lang=${language}`, { headers }),
    source: (source) => get(`/ui/shared/sources/${part(source)}`, { headers }),
    form: (format) => get(`/ui/shared/report?format=${format}`, { headers, as: "blob" }),
  };
}

/** Hands a file to the person at the browser. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
