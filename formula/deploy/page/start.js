// Begin a deploy: choose, see the plan, go with just that plan.

import { fill, h, say } from "./dom.js";
import { actions, command, doing, problem } from "./parts.js";
import { plural, short, size } from "./words.js";

export function startView(app, repo = "", tag = "") {
  const [told, plan, began] = [h("div"), h("div"), h("div")];
  const repos = h("select", { name: "repo", required: true }, repo ? h("option", { value: repo }, repo) : null);
  const tags = h("datalist", { id: "tags" });
  const tagged = h("input", { name: "tag", list: "tags", required: true, value: tag, autocomplete: "off", spellcheck: "false", placeholder: "release/2026-11-23/1" });
  const [limit, reason] = [h("input", { name: "limit", autocomplete: "off", placeholder: "all hosts" }), h("input", { name: "reason", autocomplete: "off", placeholder: "what this is about, for the history" })];
  let [known, waits, number] = ["", null, 0];
  const form = h("form", { class: "start", onsubmit: (event) => { event.preventDefault(); press.click(); } },
    h("label", null, "Repository", repos), h("label", null, "Tag", tagged, tags), h("label", null, "Only these hosts", limit), h("label", null, "Reason", reason));
  const press = doing("Show the plan", told, () => look(), { class: "main" });
  const stale = () => { number++; fill(plan); };
  form.addEventListener("input", stale);
  form.append(press);
  repos.addEventListener("change", listed);

  function update() {
    const listedRepos = (app.repos || []).map((each) => each.repo);
    const wanted = repos.value || repo; // until the list is there, and for who may start a repo that they may not list
    const names = !wanted || listedRepos.includes(wanted) ? listedRepos : [wanted, ...listedRepos];
    if (JSON.stringify(names) !== known) {
      known = JSON.stringify(names);
      fill(repos, names.map((name) => h("option", { value: name }, name)));
      if (wanted) repos.value = wanted;
      listed();
    }
    const one = waits && app.repos?.find((each) => each.repo === waits.repo)?.unfinished;
    if (one && one.deploy !== waits.before) open(waits.repo, one.deploy);
  }

  function listed() {
    const of = app.repos?.find((each) => each.repo === repos.value);
    const found = [...new Set((of?.versions || []).map((each) => each.tag))];
    fill(tags, found.map((each) => h("option", { value: each })));
  }

  async function look() {
    if (!form.reportValidity()) return;
    const [mine, wish] = [++number, { repo: repos.value, tag: tagged.value.trim(), ...(limit.value.trim() ? { limit: limit.value.trim() } : {}) }];
    fill(plan, h("p", { class: "calm" }, "Hosts are asked what they hold …"));
    let view;
    try {
      view = await app.api.act("plan", wish);
    } catch (error) {
      if (mine === number) fill(plan);
      throw error;
    }
    if (mine !== number) return;
    const between = h("div", { class: "between" });
    fill(plan, shown(view, between, view.refusals.length ? null : doing(`Deploy ${view.tag} to ${plural(Object.keys(view.hosts).length, "host")}`, began, () => begin(wish, view.hash), { class: "main", "data-name": "go" })));
    say(view.refusals.length ? "A guard refuses this deploy" : "The plan is ready");
    try {
      const found = await app.api.act("changes", { repo: view.repo, new: view.tag, ...(view.previous ? { old: view.previous } : {}) });
      if (mine === number) fill(between, commits(found));
    } catch (error) {
      if (mine === number && error.kind !== "refused") fill(between, h("p", { class: "dim" }, `The commits are not known: ${error.message}`));
    }
  }

  async function begin(wish, hash) {
    const before = app.repos?.find((each) => each.repo === wish.repo)?.unfinished?.deploy || "";
    waits = { repo: wish.repo, before };
    fill(began, h("p", { class: "calm" }, "It begins …"));
    try {
      const more = reason.value.trim() ? { reason: reason.value.trim() } : {};
      const view = await app.api.act("sync", { ...wish, ...more, plan: hash, detach: true });
      if (waits) open(wish.repo, view.deploy);
    } finally {
      waits = null;
    }
  }

  function open(name, deploy) {
    waits = null;
    app.go("deploy", name, deploy);
  }

  const element = h("div", null, h("h1", null, "Start a deploy"),
    h("p", { class: "dim" }, "First the plan: what would change, and on which hosts. Nothing is changed by looking."), form, told, plan, began);
  return { element, update, close: () => { waits = null; number++; } };
}

const MOST_COMMITS = 50;

/** What lies between two releases. */
function commits(found) {
  if (found.unknown) return h("p", { class: "dim" }, `The commits are not known: ${found.unknown}`);
  const made = [];
  for (const [some, title] of [[found.brings, "It brings"], [found.takes_back, "It takes back"]]) {
    if (!some?.count) continue;
    const authors = Object.entries(some.authors || {});
    const by = authors.slice(0, 5).map(([name, number]) => (authors.length > 1 ? `${name} (${number})` : name)).join(", ") + (authors.length > 5 ? ` and ${authors.length - 5} more` : "");
    const listed = some.listed.slice(0, MOST_COMMITS);
    made.push(h("h3", null, `${title} ${plural(some.count, "commit")}`, by ? ` by ${by}` : ""),
      h("ol", { class: "commits" }, listed.map((each) => h("li", null, h("code", null, short(each.commit)), ` ${each.subject} `, h("span", { class: "dim" }, each.author)))),
      some.count > listed.length ? h("p", { class: "dim" }, `and ${some.count - listed.length} more`) : null);
  }
  return made.length ? made : h("p", { class: "dim" }, found.old ? "No commit lies between the two." : "Nothing was deployed before.");
}

function shown(view, between, go) {
  const hosts = Object.values(view.hosts);
  const sum = (key) => hosts.reduce((total, host) => total + (host[key] || 0), 0);
  const away = Object.entries(view.hosts).filter(([, host]) => host.unreachable).map(([name]) => name);
  const [most, least] = [Math.max(0, ...hosts.map((host) => host.bytes || 0)), hosts.filter((host) => !host.bytes).length];
  const files = (key) => [...new Set(hosts.map((host) => (host[key] === null ? "?" : host[key])))].sort((one, other) => one - other);
  const range = (list) => (list.length > 1 ? `${list[0]} to ${list[list.length - 1]}` : `${list[0] ?? 0}`);
  const fact = (name, ...value) => [h("dt", null, name), h("dd", null, value)];
  return h("section", { class: "plan", "aria-label": "Plan" },
    h("h2", null, `${view.previous || "nothing"} → ${view.tag}`, h("span", { class: "dim mono" }, ` ${short(view.commit)}`)),
    view.refusals.length ? h("div", { class: "note bad" }, h("p", null, h("b", null, "It would be refused:")), view.refusals.map((each) => problem(each))) : null,
    h("dl", { class: "facts" },
      fact("Hosts", plural(hosts.length, "host"), away.length ? h("span", { class: "error" }, `, no answer from ${away.length}: ${away.slice(0, 5).join(", ")}`) : "", view.left_out?.length ? `, ${view.left_out.length} left out` : ""),
      fact("Files on each", `${range(files("added"))} new, ${range(files("changed"))} changed, ${range(files("removed"))} removed`),
      fact("To send", `${size(sum("bytes"))} in all, at most ${size(most)} to one host${least ? `; ${plural(least, "host has", "hosts have")} it already` : ""}, by ${typeof view.transport === "string" ? view.transport : "the ways of the pillar"}`),
      fact("Restarts", view.restarts.length ? view.restarts.join("; ") : "none"),
      fact("Checks", view.checks.length ? view.checks.join(", ") : "none")),
    view.waves.length ? h("table", { class: "list small" }, h("thead", null, h("tr", null, ["Group", "Hosts", "At once", "May fail", "Then"].map((each) => h("th", { scope: "col" }, each)))),
      h("tbody", null, view.waves.map((wave) => h("tr", null, h("th", { scope: "row" }, wave.name || "all"), h("td", { title: listedNames(wave.hosts) }, count(wave.hosts)), h("td", null, String(wave.window)), h("td", null, String(wave.limit)),
        h("td", null, wave.hold === "ask" ? "asks" : wave.hold ? `waits ${wave.hold} s` : "goes on"))))) : null,
    view.remarks.map((each) => h("p", { class: "dim" }, each)),
    between,
    h("p", { class: "dim" }, "Plan ", h("code", { title: view.hash }, view.hash.slice(0, 12)), ": if anything is different when it begins, it is refused, and nothing is changed."),
    go ? actions(go) : h("p", { class: "next" }, "The same in a terminal: ", command(`salt-run deploy.plan repo=${view.repo} tag=${view.tag}`)));
}

const count = (hosts) => (Array.isArray(hosts) ? hosts.length : String(hosts ?? ""));
const listedNames = (hosts) => (Array.isArray(hosts) ? hosts.slice(0, 40).join(", ") : "");
