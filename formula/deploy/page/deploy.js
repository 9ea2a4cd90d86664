// One deploy: what it does now, or what it did.

import { confirmed, fill, h, refill, say, write } from "./dom.js";
import { Story } from "./feed.js";
import { Grid } from "./grid.js";
import { Log } from "./log.js";
import { Deploy } from "./model.js";
import { actions, command, doing, outcome, problem } from "./parts.js";
import { Replay } from "./replay.js";
import { CHOICES, choiceClass, clock, moment, plural, short, size, STAGES } from "./words.js";

export function deployView(app, repo, id) {
  return new DeployView(app, repo, id);
}

class DeployView {
  constructor(app, repo, id) {
    Object.assign(this, { app, repo, id, events: [], deploy: new Deploy(), runs: false, replay: null, moment: 0, waves: [] });
    this.grid = new Grid((host) => this._choose(host));
    this.log = new Log();
    this.parts = Object.fromEntries(["head", "banner", "told", "stages", "legend", "slow", "host", "replay"].map((name) => [name, h("div", { class: name })]));
    const { head, banner, told, stages, legend, slow, host, replay } = this.parts;
    this.element = h("article", { class: "deploy" }, head, banner, told, replay,
      h("section", { "aria-label": "Stages" }, stages),
      h("div", { class: "columns" },
        h("section", { class: "fleet", "aria-label": "Hosts" }, legend, this.grid.element),
        h("aside", { "aria-label": "Hosts at work" }, host, slow)),
      this.log.element);
    this._frame = 0;
    this._timer = setInterval(() => this._dirty(), 1000);
    this.again();
    this._dirty();
  }

  /** Ask on from where it is: after a log-in, or at first. */
  again() {
    this.story?.stop();
    this.story = new Story(this.app.api, this.repo, this.id, this.events.length, (piece) => this._take(piece), (error) => {
      this.error = error;
      this._dirty();
    });
  }

  sign(id) {
    if (!id || id === this.id) this.story.poke();
  }

  update() {
    this._dirty();
  }

  close() {
    this.story.stop();
    this.replay?.stop();
    clearInterval(this._timer);
    this._closed = true;
  }

  _take(piece) {
    this.error = null;
    this.runs = piece.runs;
    if (piece.waves) this.waves = piece.waves;
    if (piece.waves && !this.replay) this.deploy.plan(this.waves);
    this.events.push(...piece.events);
    if (!this.replay) for (const event of piece.events) this.deploy.hear(event, this.app.api.now());
    const ended = this.events.length > 0 && this.events[this.events.length - 1].event === "finished";
    this.whole = !piece.more;
    if (ended && this.whole && !this.replay) this._replayable();
    this._dirty();
    return ended;
  }

  _replayable() {
    this.replay = new Replay(this.events, () => {
      this.deploy = new Deploy();
      if (this.waves.length) this.deploy.plan(this.waves);
      this.grid.clear();
      this.log.clear();
    }, (events, now) => {
      for (const event of events) this.deploy.hear(event, now);
      this.moment = now;
      this._dirty();
    });
    fill(this.parts.replay, this.replay.element);
  }

  get now() {
    if (this.replay) return Math.max(this.moment, this.deploy.at);
    return this.runs ? Math.max(this.app.api.now(), this.deploy.at) : this.deploy.at;
  }

  get unfinished() {
    const one = this.app.repos?.find((each) => each.repo === this.repo)?.unfinished;
    return one?.deploy === this.id ? one : null;
  }

  // -- painting -------------------------------------------------------------------------------------------

  _dirty() {
    if (this._frame || this._closed) return;
    this._frame = requestAnimationFrame(() => {
      this._frame = 0;
      if (this._closed) return;
      this._paint();
    });
  }

  _paint() {
    const { deploy, parts } = this;
    this._head();
    refill(parts.banner, this._bannerKey(), () => this._banner());
    this._countdown();
    this._stages();
    this._legend();
    this._slow();
    this._host();
    this.log.paint(deploy);
    if (this.grid.paint(deploy)) this._dirty();
  }

  _head() {
    const { deploy } = this;
    const title = `${deploy.action || "deploy"} ${deploy.tag}`;
    const running = !deploy.outcome && !this.replay;
    const key = JSON.stringify([deploy.repo, title, deploy.outcome?.word, deploy.aborted, this.runs, running]);
    refill(this.parts.head, key, () => [
      h("h1", null, h("span", { class: "repo" }, deploy.repo || this.repo), " ", title, h("span", { class: "dim mono" }, ` ${short(deploy.commit)}`)),
      h("p", null, this._state(), " ", h("span", { class: "dim" }, this._about()), " ", (this._clock = h("span", { class: "mono clock" }))),
      deploy.reason ? h("p", { class: "reason" }, "“", deploy.reason, "”") : null,
      this._buttons(),
    ]);
    if (this._clock) write(this._clock, deploy.begun ? clock((deploy.outcome?.time || this.now) - deploy.begun) : "");
    document.title = `${deploy.outcome?.word || this._word()} · ${this.repo} ${deploy.tag}`;
  }

  _word() {
    if (this.replay) return "replay";
    if (this.deploy.question) return "asks";
    if (this.deploy.begun && !this.runs && this.whole) return "died";
    return this.deploy.begun ? "running" : "preparing";
  }

  _state() {
    const end = this.deploy.outcome;
    if (end) return outcome(end.word, end.ok, end.total);
    return h("span", { class: "badge info" }, this.deploy.aborted ? "stopping" : this._word());
  }

  _about() {
    const { deploy } = this;
    if (!deploy.begun) return "";
    const also = deploy.also.length ? `, as one with ${deploy.also.join(", ")}` : "";
    return `${plural(deploy.total, "host")}${also}${deploy.user ? `, by ${deploy.user}` : ""}, ${moment(deploy.begun)}${deploy.leftOut ? `; ${plural(deploy.leftOut, "host")} left out by the limit` : ""}`;
  }

  _buttons() {
    const { deploy, repo, id, app, parts } = this;
    const made = [];
    if (!deploy.outcome && !this.replay && !deploy.aborted && this.runs)
      made.push(doing("Stop this deploy", parts.told, async () => {
        const text = "No further host starts. Those at work end, and then the repository's own rule for a stop counts: as a rule, hosts that have switched go back.";
        if (await confirmed("Stop this deploy?", text, "Stop it", true)) await app.api.call("abort", { repo, id, reason: "stopped on the page" });
      }, { class: "danger", "data-name": "abort" }));
    if (deploy.outcome || this.replay) {
      made.push(h("a", { class: "button", href: app.pathTo("history", repo) }, "Roll back …"));
      made.push(h("a", { class: "button", href: app.pathTo("start", repo) }, "Deploy …"));
    }
    return made.length ? actions(made) : null;
  }

  _bannerKey() {
    const { deploy, error } = this;
    return JSON.stringify([deploy.question, deploy.pause, deploy.outcome, error?.message, error?.next, this._word(), this.unfinished?.state, this.unfinished?.next]);
  }

  _banner() {
    const { deploy, error } = this;
    this._left = null;
    if (!this.events.length && error && error.kind !== "network" && !this.unfinished) return problem(error);
    if (deploy.question) return this.replay ? h("div", { class: "note ask" }, h("p", { class: "question" }, deploy.question.text)) : this._question(deploy.question);
    if (deploy.pause) return h("div", { class: "note info" }, h("p", null, `${deploy.pause.group || "The next group"} begins in `, (this._left = h("b", { class: "mono" })), "."));
    if (deploy.outcome) return this._ending(deploy.outcome);
    if (this._word() === "died") return this._died();
    if (!deploy.begun) return h("div", { class: "note info" }, h("p", null, "It is being prepared: the plan is made and the release is packed. No host was asked for anything yet."));
    return null;
  }

  _question(question) {
    const { app, repo, id } = this;
    const told = h("div");
    say(`The deploy asks: ${question.text}`);
    const made = question.choices.map((choice) => doing(CHOICES[choice] || choice, told,
      () => app.api.call("answer", { repo, id, choice, key: question.key }), { class: choiceClass(choice), "data-name": `answer ${choice}` }));
    return h("div", { class: "note ask", role: "group", "aria-label": "Question" },
      h("p", { class: "question" }, question.text), actions(made),
      h("p", { class: "dim" }, `Without an answer: ${CHOICES[question.preset] || question.preset || "its default"}, in `, (this._left = h("b", { class: "mono" })), ". Anybody with the right may answer; the first answer counts."), told);
  }

  _countdown() {
    const until = this.deploy.question?.until || this.deploy.pause?.until;
    if (this._left && until) write(this._left, clock(until - this.now));
  }

  _ending(end) {
    const mood = { CONVERGED: "good", HELD: "warn", "ROLLED BACK": "warn" }[end.word] || "bad";
    const sentence = { CONVERGED: "Every host is where it was asked to be.", HELD: "Nothing has changed anywhere.", "ROLLED BACK": "All hosts that had begun to switch are back on the release before.", MIXED: "Hosts run different releases, or not all are well. Go forward or back." }[end.word] || "";
    if (!this.replay || this.deploy.outcome) say(`${end.word}. ${sentence}`);
    return h("div", { class: `note ${mood}` }, h("p", null, h("b", null, `${end.word}. `), sentence),
      end.reason ? h("p", null, "Why: ", end.reason) : null, this._failures(),
      end.next && mood === "bad" ? h("p", { class: "next" }, "Next: ", command(end.next)) : null);
  }

  _failures() {
    const failed = [...this.deploy.hosts.values()].filter((host) => host.error);
    if (!failed.length) return null;
    const alike = new Map(); // hosts that failed alike share a line
    for (const host of failed) {
      const why = `${host.error.stage}: ${host.error.cause}`;
      alike.set(why, [...(alike.get(why) || []), host.name]);
    }
    const named = (names) => names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");
    return h("ul", { class: "failures" }, [...alike].slice(0, 8).map(([why, names]) => h("li", null, h("b", null, named(names)), ` ${why}`)),
      alike.size > 8 ? h("li", { class: "dim" }, `and ${alike.size - 8} more causes`) : null);
  }

  _died() {
    const { app, repo, id } = this;
    const told = h("div");
    return h("div", { class: "note bad" }, h("p", null, h("b", null, "The process of this deploy is gone. "), "Hosts may run different releases until somebody goes on."),
      actions(doing("Resume it", told, () => app.api.act("resume", { repo, id, detach: true }), { class: "main" })),
      this.unfinished?.next ? h("p", { class: "next" }, "Or: ", command(this.unfinished.next)) : null, told);
  }

  _stages() {
    const { deploy } = this;
    const key = deploy.stages.map((stage) => `${stage.name}/${stage.group}`).join(" ");
    refill(this.parts.stages, key, () => deploy.stages.map((stage) => {
      const [ok, bad, flight] = ["good", "bad", "info"].map((mood) => h("span", { class: mood }));
      const [numbers, time] = [h("span", { class: "number" }), h("span", { class: "mono dim" })];
      stage.row = { ok, bad, flight, numbers, time };
      return h("div", { class: "stage" }, h("b", null, stage.group ? `${stage.group} ` : "", stage.called), h("span", { class: "progress" }, ok, bad, flight), numbers, time);
    }));
    for (const stage of deploy.stages) this._numbers(stage);
  }

  _numbers(stage) {
    if (!stage.row) return;
    const { ok, bad, flight, numbers, time } = stage.row;
    const left = Math.max(0, stage.total - stage.ok - stage.failed - stage.flight);
    for (const [part, number] of [[ok, stage.ok], [bad, stage.failed], [flight, stage.flight]]) part.style.width = `${stage.total ? (100 * number) / stage.total : 0}%`;
    const rate = !stage.ended && stage.name === "fetch" ? this.deploy.rate(this.now) : 0;
    const texts = [`${stage.ok} ok`, stage.failed ? `${stage.failed} failed` : "", stage.flight ? `${stage.flight} at work` : "", left && !stage.ended ? `${left} left` : "", stage.again ? `${stage.again + 1} times` : "", rate ? `${size(rate)}/s` : ""];
    write(numbers, texts.filter(Boolean).join(" · "));
    write(time, clock((stage.ended || this.now) - stage.begun));
  }

  _legend() {
    const counts = this.deploy.counts();
    refill(this.parts.legend, JSON.stringify([counts, this._only]), () => Object.entries(STAGES)
      .filter(([state]) => counts[state] || state === this._only)
      .map(([state, [word, glyph, about]]) => h("button", { type: "button", class: "chip", title: about, data: { state, name: `only ${state}` }, "aria-pressed": this._only === state ? "true" : "false",
        onclick: () => { this._only = this._only === state ? "" : state; this.grid.only(this._only); this._dirty(); } },
      h("i", { "aria-hidden": "true" }, glyph), ` ${word} ${counts[state] || 0}`)));
  }

  _slow() {
    const slow = this.deploy.slowest(8);
    const rows = slow.map((host) => [host.name, host.phase, host.total ? `${Math.round((100 * host.done) / host.total)}%` : "", clock(this.now - host.since)]);
    refill(this.parts.slow, JSON.stringify(rows), () => rows.length ? [h("h2", null, "At work longest"),
      h("table", { class: "small" }, h("tbody", null, rows.map(([name, ...cells]) => h("tr", null, h("th", { scope: "row" }, name), cells.map((cell) => h("td", null, cell))))))] : null);
  }

  _choose(name) {
    this.chosen = this.chosen === name ? "" : name;
    this._dirty();
  }

  _host() {
    const host = this.chosen && this.deploy.hosts.get(this.chosen);
    if (!host) return refill(this.parts.host, "none", () => null);
    const now = `${STAGES[host.state][0]}${host.phase ? `, ${host.phase}` : ""}${host.total && host.phase ? ` ${Math.round((100 * host.done) / host.total)}%` : ""}`;
    refill(this.parts.host, JSON.stringify([host.name, now, host.live, host.past.length, host.error]), () => [
      h("h2", null, host.name), h("p", null, h("b", null, now), host.live ? ` · users see ${short(host.live)}` : ""),
      host.past.length ? h("table", { class: "small" }, h("tbody", null, host.past.map((one) => h("tr", null, h("th", { scope: "row" }, one.stage),
        h("td", null, one.good ? "✓ done" : "✕ failed"), h("td", { class: "mono" }, `${one.seconds.toFixed(1)} s`), h("td", null, one.bytes ? `${size(one.bytes)}${one.source ? ` from ${one.source}` : ""}` : ""))))) : null,
      host.error ? problem(host.error) : null,
      actions(h("button", { type: "button", class: "quiet", onclick: () => this.log.only(host.name) }, "Its lines of the log")),
    ]);
    return undefined;
  }
}
