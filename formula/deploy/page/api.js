// The way to salt-api: log in, call runner functions with the user's own rights, hear that something has happened.
//
// Facts come by `call` alone. `/events` gives whoever has a token all that is on the bus, and any minion can put anything
// there: so of an event nothing is taken but that there is a reason to ask.

const BASE = new URL("..", import.meta.url);
const KEPT = "saltdeploy.session";
const PATIENCE = 60_000; // milliseconds for a fact
const LONG = 310_000; // milliseconds for what deploys: salt-api itself waits no longer for a runner
const SILENCE = 90_000; // milliseconds without a byte, after which the stream is opened again: it may be dead

/** A call that did not do what it should: `kind` is network, session, refused, or that of a deploy's own error. */
export class ApiError extends Error {
  constructor(kind, cause, next = "", about = {}) {
    super(cause);
    Object.assign(this, { kind, cause, next, about });
  }
}

export class Api extends EventTarget {
  constructor() {
    super();
    // no cookie is ever sent, so no other site can speak in this user's name
    this.session = JSON.parse(sessionStorage.getItem(KEPT) || "null");
    this.stream = "off"; // off, opening, open
    this.reached = true;
    this.skew = 0; // seconds that the server's clock is ahead of this one
  }

  get user() {
    return this.session?.user || "";
  }

  async login(username, password, eauth) {
    const said = await this._fetch("login", { username, password, eauth });
    if (said.status === 401) throw new ApiError("session", "User name, password or kind of log-in is wrong.");
    if (!said.ok) throw new ApiError("network", `salt-api answered ${said.status}.`);
    const [found] = (await said.json()).return;
    this.session = { token: found.token, user: found.user, eauth, repos: reposOf(found.perms) };
    sessionStorage.setItem(KEPT, JSON.stringify(this.session));
    this.dispatchEvent(new Event("login"));
  }

  async logout() {
    try {
      await this._fetch("logout", {});
    } finally {
      this.session = null;
      sessionStorage.removeItem(KEPT);
      this._abort?.abort();
    }
  }

  /** What `deploy.<name>` answers. Throws ApiError, also for what the deploy's own code refuses. */
  async call(name, kwarg = {}, patience = PATIENCE) {
    const fun = `deploy.${name}`;
    const said = await this._fetch("", [{ client: "runner", fun, kwarg }], patience);
    if (said.status === 401) throw this._denied(await said.text(), fun, kwarg.repo);
    if (said.status === 503 || said.status === 502) throw this._unreached("the Salt master does not answer");
    if (said.status === 504) throw new ApiError("network", "It takes longer than salt-api waits. What was begun goes on.");
    if (!said.ok) throw new ApiError("network", `salt-api answered ${said.status} to ${fun}.`);
    const [view] = (await said.json()).return;
    if (typeof view !== "object" || view === null) throw new ApiError("refused", `${fun}: ${view}`);
    if (view.view === "error") {
      const { kind, cause, next, ...about } = view.error;
      throw new ApiError(kind, cause, next, about);
    }
    return view;
  }

  /** The same for what may last: hosts are asked, or a deploy begins, which goes on also where nobody waits for the answer. */
  act(name, kwarg) {
    return this.call(name, kwarg, LONG);
  }

  /** The master's time, in seconds since the epoch; good to a second. */
  now() {
    return Date.now() / 1000 + this.skew;
  }

  _denied(text, fun, repo) {
    const known = /occurred for user/.test(text);
    if (known) {
      const where = repo ? ` of ${repo}` : "";
      return new ApiError("refused", `The server refuses it: ${this.user} has no right to ${fun}${where}.`,
        "", { repo });
    }
    this.dispatchEvent(new Event("ended"));
    return new ApiError("session", "The log-in has ended.");
  }

  _unreached(why) {
    if (this.reached) {
      this.reached = false;
      this.dispatchEvent(new Event("reach"));
    }
    return new ApiError("network", `No answer: ${why}.`);
  }

  async _fetch(path, body, patience = PATIENCE) {
    const headers = { Accept: "application/json", "Content-Type": "application/json" };
    if (this.session) headers["X-Auth-Token"] = this.session.token;
    const options = { method: "POST", headers, body: JSON.stringify(body), credentials: "omit", cache: "no-store" };
    let said;
    try {
      said = await fetch(new URL(path, BASE), { ...options, signal: AbortSignal.timeout(patience) });
    } catch (error) {
      throw this._unreached(error.name === "TimeoutError" ? "it took too long" : "salt-api cannot be reached");
    }
    const date = Date.parse(said.headers.get("Date"));
    if (date && Math.abs(date / 1000 - this.now()) > 1.5) this.skew = (date - Date.now()) / 1000;
    if (!this.reached && said.status !== 503) {
      this.reached = true;
      this.dispatchEvent(new Event("reach"));
    }
    return said;
  }

  // -- the stream -----------------------------------------------------------------------------------------

  /** Listen as long as somebody is logged in; each sign of a deploy is an event `sign` with its id. */
  async listen() {
    if (this._listening) return;
    this._listening = true;
    let wait = 1000;
    while (this.session) {
      this._set("opening");
      try {
        await this._hear(() => { wait = 1000; });
      } catch {
        // whatever it was, the page asks by itself meanwhile
      }
      this._set("off");
      if (!this.session) break;
      await new Promise((resolve) => setTimeout(resolve, wait * (0.7 + 0.6 * Math.random())));
      wait = Math.min(wait * 2, 15_000);
    }
    this._listening = false;
  }

  async _hear(opened) {
    this._abort = new AbortController();
    const headers = { "X-Auth-Token": this.session.token, Accept: "text/event-stream" };
    const options = { headers, credentials: "omit", cache: "no-store", signal: this._abort.signal };
    const said = await fetch(new URL("events", BASE), options);
    if (!said.ok) {
      await said.body?.cancel();
      throw new Error("refused");
    }
    opened();
    this._set("open");
    this.dispatchEvent(new CustomEvent("sign", { detail: "" })); // something may have happened before
    const reader = said.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      let timer;
      const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error("silent")), SILENCE); });
      const { done, value } = await Promise.race([reader.read(), late]).finally(() => clearTimeout(timer))
        .catch((error) => { this._abort.abort(); throw error; });
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop().slice(0, 200); // only the begin of a line tells its tag
      for (const id of new Set(lines.map(deployOf).filter(Boolean)))
        this.dispatchEvent(new CustomEvent("sign", { detail: id }));
    }
  }

  _set(stream) {
    if (this.stream === stream) return;
    this.stream = stream;
    this.dispatchEvent(new Event("stream"));
  }
}

function deployOf(line) {
  return /^tag: deploy\/(\d{20})\//.exec(line)?.[1];
}

/** Names of repos that these rights name one by one for `deploy.overview`; null for all repos. */
function reposOf(perms) {
  const found = new Set();
  const runner = (Array.isArray(perms) ? perms : []).flatMap((each) => {
    if (typeof each === "string") return /^(\.\*|@runners?)$/.test(each) ? [each] : [];
    return each?.["@runner"] || each?.["@runners"] || [];
  });
  for (const each of runner) {
    if (typeof each === "string") {
      if (/^(@runners?|\.\*|deploy\.?\*?|deploy\.(\.\*|overview)\$?)$/.test(each)) return null;
      continue;
    }
    for (const [fun, limits] of Object.entries(each || {})) {
      if (!matches(fun, "deploy.overview")) continue;
      const pattern = [limits].flat().map((one) => one?.kwargs?.repo).filter(Boolean);
      if (!pattern.length) return null;
      for (const one of pattern) one.replace(/\$$/, "").split("|").forEach((name) => found.add(name.replace(/[()^$\\]/g, "")));
    }
  }
  return [...found].filter((name) => /^[\w./@+-]+$/.test(name));
}

function matches(pattern, text) {
  try {
    return new RegExp(`^(?:${pattern})`).test(text);
  } catch {
    return false;
  }
}
