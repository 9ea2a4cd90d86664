// What was deployed, by whom, how it ended; the way back.

import { confirmed, fill, h } from "./dom.js";
import { actions, doing, outcome, problem } from "./parts.js";
import { moment, plural, short } from "./words.js";

export function historyView(app, repo = "") {
  const [choice, head, list, told] = [h("nav", { class: "choice", "aria-label": "Repositories" }), h("div"), h("div"), h("div")];
  let known = "";
  let shown = "";
  function update() {
    const names = (app.repos || []).map((each) => each.repo);
    const name = repo || names[0] || "";
    const newest = app.repos?.find((each) => each.repo === name);
    const key = JSON.stringify([names, name, newest?.versions?.[0], newest?.unfinished?.deploy]);
    if (key === known) return;
    known = key;
    fill(choice, names.map((each) => h("a", { href: app.pathTo("history", each), "aria-current": each === name ? "page" : null }, each)));
    if (name) load(name, newest);
  }
  async function load(name, newest) {
    const mine = (shown = known);
    try {
      const view = await app.api.call("versions", { repo: name });
      if (mine === shown) show(name, view.versions, view.before, view.unfinished);
    } catch (error) {
      if (mine !== shown) return;
      if (error.kind === "refused" && newest?.versions) show(name, newest.versions, "", newest.unfinished); // the last ones, which the user may see
      else fill(list, problem(error));
    }
  }
  function show(name, versions, before, unfinished) {
    const back = () => doing(`Roll back to ${before}`, told, async () => {
      const text = `All hosts of ${name} are switched back to ${before}. It needs neither git nor network where that is still on their disks.`;
      if (!(await confirmed(`Roll back to ${before}?`, text, "Roll back", true))) return;
      const view = await app.api.act("rollback", { repo: name, to: before, detach: true, reason: "rolled back on the page" });
      app.go("deploy", name, view.deploy);
    }, { class: "danger", "data-name": "rollback" });
    fill(head, h("h1", null, name), before && !unfinished ? actions(back()) : null,
      before || unfinished ? null : h("p", { class: "dim" }, "There is no release to roll back to."));
    fill(list, versions.length ? h("table", { class: "list" }, h("thead", null, h("tr", null, ["When", "What", "Who", "Outcome", "Why"].map((each) => h("th", { scope: "col" }, each)))),
      h("tbody", null, versions.slice(0, 200).map((each) => row(app, name, each)))) : h("p", { class: "calm" }, "It was never deployed."),
    versions.length > 200 ? h("p", { class: "dim" }, `The newest 200 of ${plural(versions.length, "deploy")}.`) : null);
  }
  return { element: h("div", null, choice, head, told, list), update, sign: () => {} };
}

function row(app, name, each) {
  return h("tr", null,
    h("td", { class: "mono", data: { label: "When" } }, moment(each.time)),
    h("th", { scope: "row" }, h("a", { href: app.pathTo("deploy", name, each.deploy) }, `${each.action} ${each.tag}`), h("span", { class: "dim mono" }, ` ${short(each.commit)}`), each.bad ? h("span", { class: "error", title: each.bad }, " bad release") : null),
    h("td", { data: { label: "Who" } }, each.user || "—"),
    h("td", { data: { label: "Outcome" } }, outcome(each.outcome, each.ok, each.total)),
    h("td", { class: "why" }, each.cause || (each.reason ? `“${each.reason}”` : "")));
}
