// What the events of one deploy add up to. No clock and no elements: a deploy that runs and one that is replayed are the same.
import { plural } from "./words.js";

const BUSY = { fetch: "fetch", checkout: "switch", rollback: "backing" };
const DONE = { fetch: "ready", checkout: "live", rollback: "back" };
const RATE_OVER = 5; // seconds
const MOST_LINES = 20_000;
const MOST_OWN = 20; // lines of one host's log about a stage

const text = (value, most = 2000) => (value === null || value === undefined ? "" : String(value)).slice(0, most);
const count = (value) => (Number.isFinite(Number(value)) ? Math.max(0, Number(value)) : 0);

export class Deploy {
  constructor() {
    Object.assign(this, {
      repo: "", tag: "", commit: "", user: "", action: "", reason: "", also: [], total: 0, leftOut: 0, begun: 0, now: 0, at: 0,
      hosts: new Map(), stages: [], waves: [], lines: [], question: null, pause: null, aborted: null, outcome: null,
      received: 0, dropped: 0,
    });
    this.changed = new Set(); // hosts, since somebody looked
    this._samples = [];
  }

  /** Hosts by group, in the order in which they switch. */
  plan(waves) {
    this.waves = waves;
    for (const wave of waves) for (const name of wave.hosts) this._host(name).wave = wave.name;
  }

  /** Take in one event. What a host tells may bear the time of its own clock, so it counts up to `latest` only. */
  hear(event, latest) {
    const [kind, time] = [text(event?.event, 40), Number(event?.time) || 0];
    if (kind === "host_progress") {
      this.at = Math.max(this.at, Math.min(time, latest));
    } else {
      this.now = Math.max(this.now, time);
      this.at = this.now;
    }
    this.begun ||= this.now;
    this[`_${kind}`]?.(event);
  }

  get stage() {
    return this.stages[this.stages.length - 1];
  }

  /** Bytes a second, over the last seconds. */
  rate(now) {
    while (this._samples.length && now - this._samples[0][0] > RATE_OVER) this._samples.shift();
    if (!this._samples.length) return 0;
    return this._samples.reduce((sum, [, bytes]) => sum + bytes, 0) / RATE_OVER;
  }

  counts() {
    const found = {};
    for (const host of this.hosts.values()) found[host.state] = (found[host.state] || 0) + 1;
    const unnamed = this.total - this.hosts.size;
    if (unnamed > 0) found.wait = (found.wait || 0) + unnamed;
    return found;
  }

  /** Hosts at work, those that have been longest first. */
  slowest(most) {
    const busy = [...this.hosts.values()].filter((host) => BUSY_STATES.has(host.state));
    return busy.sort((one, other) => one.since - other.since).slice(0, most);
  }

  _host(name) {
    let host = this.hosts.get(name);
    if (!host) {
      host = { name, state: "wait", wave: "", since: this.at, phase: "", done: 0, total: 0, unit: "", bytes: 0,
        live: "", error: null, ran: null, past: [] };
      this.hosts.set(name, host);
    }
    this.changed.add(host);
    return host;
  }

  _line(event, level, said, host = "") {
    this.lines.push({ time: Number(event.time) || this.now, level, host, text: said, number: this.lines.length });
    if (this.lines.length > MOST_LINES) {
      this.lines.splice(0, MOST_LINES / 10);
      this.dropped += MOST_LINES / 10;
    }
  }

  // -- events ---------------------------------------------------------------------------------------------

  _started(event) {
    for (const key of ["repo", "tag", "commit", "user", "action", "reason"]) this[key] = text(event[key], 500);
    this.total = count(event.hosts);
    this.leftOut = count(event.left_out);
    this.begun = Number(event.time) || this.begun;
    this.groups = Array.isArray(event.groups) ? event.groups.map((each) => text(each, 100)) : [];
    this.also = Array.isArray(event.also) ? event.also.map((one) => `${text(one?.repo, 200)} ${text(one?.tag, 200)}`) : [];
    const why = this.reason ? `: ${this.reason}` : "";
    this._line(event, "info", `${this.action} ${this.tag} on ${this.total} hosts by ${this.user || "somebody"}${why}`);
  }

  _chosen(event) {
    this._line(event, "info", `transport ${text(event.transport, 40)} for ${count(event.hosts)} hosts: ${text(event.why)}`);
  }

  _warned(event) {
    this._line(event, "warn", text(event.text));
  }

  _stage_started(event) {
    const [name, group] = [text(event.stage, 40), text(event.group, 100)];
    const called = name === "fetch" && ["rollback", "restart"].includes(this.action) ? "prepare" : name;
    let stage = this.stages.find((one) => one.name === name && one.group === group);
    if (stage) {
      this.stages.splice(this.stages.indexOf(stage), 1);
      Object.assign(stage, { again: stage.again + 1, failed: 0, ended: 0, begun: this.now });
    } else {
      stage = { name, called, group, ok: 0, failed: 0, flight: 0, begun: this.now, ended: 0, again: 0 };
    }
    stage.total = count(event.total);
    this.stages.push(stage);
    for (const host of Array.isArray(event.names) ? event.names : []) this._host(text(host, 255));
    this._line(event, "info", `${group ? `${group} ` : ""}${called} begins on ${plural(stage.total, "host")}`);
  }

  _stage_progress(event) {
    const stage = this._stage(event);
    if (!stage) return;
    stage.total = count(event.totalTasks) || stage.total;
    stage.ok = count(event.tasksFinishedOk);
    stage.failed = count(event.tasksFinishedFailed);
    stage.flight = count(event.tasksInFlight);
  }

  _stage_finished(event) {
    const stage = this._stage(event);
    if (!stage) return;
    stage.total = count(event.total) || stage.total;
    Object.assign(stage, { ok: count(event.ok), failed: count(event.failed), flight: 0, ended: this.now });
    const level = stage.failed ? "warn" : "info";
    this._line(event, level, `${stage.group ? `${stage.group} ` : ""}${stage.called}: ${stage.ok} ok, ${stage.failed} failed`);
  }

  _stage(event) {
    return this.stages.find((one) => one.name === event.stage && one.group === (event.group || ""));
  }

  _latest(event) {
    return this.stages.findLast((one) => one.name === event.stage);
  }

  _host_progress(event) {
    const [name, stage] = [text(event.host, 255), this._latest(event)];
    const turn = stage && `${stage.name} ${stage.group} ${stage.again}`;
    const known = this.hosts.get(name);
    if (!name || !stage || known?.ran === turn || !BUSY[stage.name]) return;
    const host = this._host(name);
    if (host.turn !== turn) Object.assign(host, { turn, since: this.at, bytes: 0, error: null });
    host.state = BUSY[stage.name];
    Object.assign(host, { phase: text(event.step || event.phase, 80), unit: text(event.unit, 20) });
    Object.assign(host, { done: count(event.done), total: count(event.total) });
    if (host.unit === "bytes") this._receive(host, Math.max(host.bytes, host.done));
  }

  _receive(host, bytes) {
    const more = bytes - host.bytes;
    host.bytes = bytes;
    if (more <= 0) return;
    this.received += more;
    const last = this._samples[this._samples.length - 1];
    if (last && this.at - last[0] < 0.25) last[1] += more;
    else this._samples.push([this.at, more]);
  }

  _host_finished(event) {
    const [name, stage] = [text(event.host, 255), this._latest(event)];
    if (!name || !stage) return;
    const host = this._host(name);
    const turn = `${stage.name} ${stage.group} ${stage.again}`;
    if (host.turn !== turn) Object.assign(host, { turn, since: this.at, bytes: 0 });
    const good = event.status === 0 && !event.error;
    if (count(event.bytes)) this._receive(host, count(event.bytes));
    Object.assign(host, { ran: turn, phase: "", live: text(event.live_tag || event.live, 200), error: null });
    const seconds = count(event.seconds) || Math.max(0, this.now - host.since);
    host.past.push({ stage: `${stage.group ? `${stage.group} ` : ""}${stage.called}`, good, seconds, bytes: count(event.bytes),
      files: count(event.files), source: text(event.source, 300) });
    if (good) {
      host.state = stage.name === "fetch" && event.unchanged === true ? "live" : DONE[stage.name] || "ready";
      this._line(event, "debug", `${stage.called} done`, name);
      this._own(event, name);
      return;
    }
    const told = typeof event.error === "object" && event.error ? event.error : {};
    host.state = told.kind === "unreachable" ? "silent" : "fail";
    host.error = { stage: stage.called, cause: text(told.cause) || `status ${text(event.status, 20)}`, next: text(told.next), path: text(told.path) };
    this._line(event, "error", `${stage.called}: ${host.error.cause}`, name);
    this._own(event, name);
  }

  // What stood in the host's own log about the stage.
  _own(event, name) {
    const cut = count(event.lines_cut);
    if (cut) this._line(event, "debug", `${cut} earlier lines of its own log left out`, name);
    for (const line of Array.isArray(event.lines) ? event.lines.slice(-MOST_OWN) : []) {
      if (!Array.isArray(line) || typeof line[2] !== "string") continue;
      const level = count(line[1]);
      this._line(event, level >= 40 ? "error" : level >= 30 ? "warn" : "debug", text(line[2], 300), name);
    }
  }

  _check_finished(event) {
    const level = event.verdict === "pass" ? "info" : event.verdict === "fail" ? "error" : "warn";
    const said = text(event.text);
    this._line(event, level, `check ${text(event.check, 100)}: ${text(event.verdict, 20)}${said ? `: ${said}` : ""}`);
  }

  _gate_finished(event) {
    if (event.ok !== true) this._line(event, "error", `${text(event.point, 40)}: ${text(event.reason)}`);
  }

  _paused(event) {
    this.pause = { group: text(event.group, 100), until: Number(event.until) || 0 };
    this._line(event, "info", `waits before ${this.pause.group || "it goes on"}`);
  }

  _pause_over() {
    this.pause = null;
  }

  _question(event) {
    const choices = Array.isArray(event.choices) ? event.choices.map((each) => text(each, 40)) : [];
    this.question = { key: text(event.key, 64), text: text(event.text), choices, preset: text(event.default, 40), until: Number(event.until) || 0 };
    this._line(event, "warn", `asks: ${this.question.text}`);
  }

  _answered(event) {
    this.question = null;
    const who = event.unattended === true ? "unattended: the default" : text(event.user, 100) || "nobody answered in time: the default";
    this._line(event, "info", `${who}: ${text(event.choice, 40)}`);
  }

  _aborted(event) {
    this.question = this.pause = null;
    this.aborted = { user: text(event.user, 100), reason: text(event.reason, 500) };
    const { user, reason } = this.aborted;
    this._line(event, "warn", `${reason || `stopped by ${user || "somebody"}`}. No further host starts`);
  }

  _resumed(event) {
    this._samples = [];
    this._line(event, "info", `resumed by ${text(event.user, 100) || "somebody"}`);
  }

  _pinned(event) {
    this._line(event, "info", `${text(event.repo, 200)}: pinned to ${text(event.tag, 200)}`);
  }

  _finished(event) {
    this.question = this.pause = null;
    this.outcome = { word: text(event.outcome, 20), ok: count(event.ok), total: count(event.total), reason: text(event.reason), next: text(event.next), time: this.now };
    const level = this.outcome.word === "CONVERGED" ? "info" : "error";
    const why = this.outcome.reason ? `: ${this.outcome.reason}` : "";
    this._line(event, level, `${this.outcome.word} ${this.outcome.ok}/${this.outcome.total}${why}`);
  }
}

export const BUSY_STATES = new Set(Object.values(BUSY));
