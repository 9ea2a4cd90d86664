// The first screen: what needs somebody, then all repos.

import { h, refill, say } from "./dom.js";
import { actions, command, doing, outcome, problem, shares } from "./parts.js";
import { ago, CHOICES, choiceClass, HOST_STATES, moment, plural, short } from "./words.js";

export function homeView(app) {
  const attention = h("div", { class: "cards" });
  const repos = h("div");
  const element = h("div", null, h("h1", { class: "unseen" }, "Now"),
    h("section", { "aria-labelledby": "needs" }, h("h2", { id: "needs" }, "What needs attention"), attention),
    h("section", { "aria-labelledby": "all" }, h("h2", { id: "all" }, "Repositories"), repos));
  let [locks, closed] = [[], false];
  const timers = [setInterval(update, 20_000), setInterval(ask, 60_000)];
  ask();
  async function ask() {
    try {
      locks = (await app.api.call("locks")).locks;
    } catch (error) {
      if (error.kind === "refused") clearInterval(timers[1]); // who may not see them asks no more
    }
    if (!closed) update();
  }
  function update() {
    const minute = Math.floor(Date.now() / 20_000);
    const key = JSON.stringify([app.repos, app.error?.message, locks, minute]);
    refill(attention, key, () => cards(app, locks));
    refill(repos, key, () => table(app));
  }
  return { element, update, close: () => { closed = true; timers.forEach(clearInterval); } };
}

function cards(app, locks) {
  if (!app.repos) return app.error ? problem(app.error) : h("p", { class: "calm" }, "Asking the master …");
  const found = app.repos.flatMap((repo) => [...underWay(app, repo), ...badly(app, repo), ...hosts(app, repo)]);
  found.push(...locks.filter((lock) => !lock.deploy).map(locked)); // a deploy that runs has a card of its own
  if (found.length) say(plural(found.length, "thing needs", "things need") + " attention");
  return found.length ? found : h("p", { class: "calm good" }, h("i", { "aria-hidden": "true" }, "✓ "), app.repos.length ? "Nothing does. No deploy is under way, and all hosts that were heard of run what is pinned." : "There is no repository that you may see.");
}

function locked(lock) {
  const [kind, ...name] = String(lock.scope || "").split(":");
  const what = name.length ? name.join(":") : kind === "global" ? "Everything" : kind;
  return card("warn", h("b", null, what), ` is locked by ${lock.user}`,
    [lock.reason ? h("p", { class: "reason" }, "“", lock.reason, "”") : null,
      h("p", { class: "dim" }, `${lock.since ? `since ${moment(lock.since)}` : ""}${lock.until ? `, until ${moment(lock.until)}` : ""}`), h("p", null, "Nobody deploys there until it is unlocked.")]);
}

const TITLES = { preparing: "is being prepared", running: "is running", waiting: "asks you something", died: "has died: its process is gone" };
const MOODS = { preparing: "info", running: "info", waiting: "ask", died: "bad" };

function underWay(app, repo) {
  const one = repo.unfinished;
  if (!one) return [];
  const told = h("div");
  const name = repo.repo;
  const what = `${one.action || "deploy"} ${one.tag || ""}`.trim();
  const open = h("a", { class: "button", href: app.pathTo("deploy", name, one.deploy), "data-name": `open ${name}` }, "Look at it");
  const made = [open];
  if (one.state === "waiting")
    for (const choice of one.choices || [])
      made.push(doing(CHOICES[choice] || choice, told, () => app.api.call("answer", { repo: name, id: one.deploy, choice }), { class: choiceClass(choice) }));
  if (one.state === "died")
    made.push(doing("Resume it", told, () => app.api.act("resume", { repo: name, id: one.deploy, detach: true }), { class: "main" }));
  return [card(MOODS[one.state] || "info", h("b", null, name), ` ${what} ${TITLES[one.state] || one.state}`,
    [one.user ? h("p", { class: "dim" }, `by ${one.user}`) : null, one.question ? h("p", { class: "question" }, one.question) : null,
      one.state === "died" ? h("p", null, "Hosts may run different releases until somebody goes on.") : null, actions(made), told])];
}

function badly(app, repo) {
  if (repo.error) return [card("bad", h("b", null, repo.repo), " cannot be read", problem(repo.error))];
  const last = repo.versions.find((each) => each.outcome);
  if (repo.unfinished || !last || !["MIXED"].includes(last.outcome)) return [];
  return [card("bad", h("b", null, repo.repo), ` ended ${last.outcome} ${last.ok}/${last.total}: ${last.tag}`,
    [h("p", null, last.cause), h("p", { class: "dim" }, "Hosts run different releases, or not all are well. Go forward or back."),
      actions(h("a", { class: "button", href: app.pathTo("deploy", repo.repo, last.deploy) }, "See why"),
        h("a", { class: "button", href: app.pathTo("history", repo.repo) }, "Roll back …"))])];
}

function hosts(app, repo) {
  if (repo.error || repo.unfinished) return [];
  const off = ["damaged", "unsettled", "behind", "unheard"].map((state) => [state, Object.entries(repo.hosts).filter(([, host]) => host.state === state)]).filter(([, those]) => those.length);
  return off.map(([state, those]) => card(HOST_STATES[state][0], h("b", null, repo.repo),
    ` ${plural(those.length, "host")} ${state}`,
    [h("p", null, `${those.slice(0, 6).map(([name]) => name).join(", ")}${those.length > 6 ? ` and ${those.length - 6} more` : ""}: ${HOST_STATES[state][2]}`),
      actions(h("a", { class: "button", href: app.pathTo("fleet", repo.repo) }, "See the hosts"),
        state === "behind" && repo.pinned ? h("a", { class: "button", href: app.pathTo("start", repo.repo, repo.pinned.tag) }, `Deploy ${repo.pinned.tag} again …`) : null)]));
}

function card(mood, ...parts) {
  const [name, title, body] = parts;
  return h("article", { class: `card ${mood}` }, h("h3", null, name, title), body);
}

function table(app) {
  if (!app.repos?.length) return h("p", { class: "dim" }, app.repos ? "None." : "");
  return h("table", { class: "list" },
    h("thead", null, h("tr", null, ["Repository", "Pinned", "Hosts", "Last outcome", "When", ""].map((each) => h("th", { scope: "col" }, each)))),
    h("tbody", null, app.repos.map((repo) => row(app, repo))));
}

function row(app, repo) {
  const name = h("th", { scope: "row" }, repo.repo);
  if (repo.error) return h("tr", null, name, h("td", { colspan: 5, class: "error" }, repo.error.cause, " ", command(repo.error.next)));
  const last = repo.versions[0];
  const counted = {};
  for (const host of Object.values(repo.hosts)) counted[host.state] = (counted[host.state] || 0) + 1;
  const list = Object.keys(HOST_STATES).map((state) => [state, HOST_STATES[state][0], counted[state] || 0]);
  const number = Object.keys(repo.hosts).length;
  return h("tr", null, name,
    h("td", { data: { label: "Pinned" } }, repo.pinned ? [h("b", null, repo.pinned.tag), h("span", { class: "dim mono" }, ` ${short(repo.pinned.commit)}`)] : h("span", { class: "dim" }, "never deployed")),
    h("td", { data: { label: "Hosts" } }, number ? [h("span", { class: "number" }, `${counted.pinned || 0}/${number} `), shares(list)] : h("span", { class: "dim" }, "none yet")),
    h("td", { data: { label: "Last" } }, last ? h("a", { href: app.pathTo("deploy", repo.repo, last.deploy) }, outcome(last.outcome, last.ok, last.total)) : ""),
    h("td", { data: { label: "When" }, title: last ? moment(last.time) : "" }, last ? [`${last.action} ${last.tag}`, h("span", { class: "dim" }, ` ${ago(last.time, app.api.now())}${last.user ? ` by ${last.user}` : ""}`)] : ""),
    h("td", { class: "right" }, h("a", { class: "button", href: app.pathTo("start", repo.repo), "aria-label": `Deploy ${repo.repo}` }, "Deploy …"), " ",
      h("a", { class: "button quiet", href: app.pathTo("history", repo.repo), "aria-label": `History of ${repo.repo}` }, "History")));
}
