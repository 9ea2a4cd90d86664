// Hosts, by what is pinned and what they run.

import { fill, h, refill } from "./dom.js";
import { actions, doing } from "./parts.js";
import { ago, byName, HOST_STATES, plural, short } from "./words.js";

const SHOWN = 500; // rows at once; a filter leads to the others
const ORDER = ["damaged", "unsettled", "behind", "unheard", "pinned"];

export function fleetView(app, repo = "") {
  const [choice, list, told, counts] = [h("nav", { class: "choice", "aria-label": "Repositories" }), h("div"), h("div"), h("p", { class: "row" })];
  const words = h("input", { type: "search", placeholder: "host, state or release", "aria-label": "Only hosts with", oninput: () => paint() });
  let only = "";
  const ask = doing("Ask all hosts now", told, async () => {
    const found = await app.api.act("report", { repo: name() });
    const off = Object.entries(found.hosts).filter(([, host]) => host.state !== "pinned");
    fill(told, h("div", { class: `note ${off.length ? "warn" : "good"}`, role: "status" }, h("p", null, off.length ? `${plural(off.length, "host")} of ${Object.keys(found.hosts).length} do not run what is pinned.` : `All ${plural(Object.keys(found.hosts).length, "host")} answered and run what is pinned.`),
      off.length ? h("ul", null, off.slice(0, 30).map(([host, one]) => h("li", null, h("b", null, host), ` ${one.state}`))) : null));
  });
  const name = () => repo || app.repos?.[0]?.repo || "";
  function paint() {
    const one = app.repos?.find((each) => each.repo === name());
    const hosts = Object.entries(one?.hosts || {});
    fill(choice, (app.repos || []).map((each) => h("a", { href: app.pathTo("fleet", each.repo), "aria-current": each.repo === name() ? "page" : null }, each.repo)));
    const wanted = words.value.trim().toLowerCase();
    const found = hosts.filter(([host, { state, tag, live }]) => (!only || state === only) && (!wanted || `${host} ${state} ${tag} ${live}`.toLowerCase().includes(wanted)));
    found.sort(([one_, a], [other, b]) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || byName(one_, other));
    refill(counts, JSON.stringify([only, one?.repo, hosts.length, ORDER.map((state) => hosts.filter(([, host]) => host.state === state).length)]), () => ORDER.map((state) => [state, hosts.filter(([, host]) => host.state === state).length]).filter(([, number]) => number).map(([state, number]) => h("button", { type: "button", class: `chip ${HOST_STATES[state][0]}`, title: HOST_STATES[state][2], data: { name: state }, "aria-pressed": only === state ? "true" : "false",
      onclick: () => { only = only === state ? "" : state; paint(); } }, h("i", { "aria-hidden": "true" }, HOST_STATES[state][1]), ` ${state} ${number}`)));
    refill(list, JSON.stringify([found, Math.floor(Date.now() / 20_000)]), () => found.length ? [h("table", { class: "list small" }, h("thead", null, h("tr", null, ["Host", "State", "Runs", "Told"].map((each) => h("th", { scope: "col" }, each)))),
      h("tbody", null, found.slice(0, SHOWN).map(([host, each]) => h("tr", null, h("th", { scope: "row" }, host), h("td", { class: `mood ${HOST_STATES[each.state]?.[0]}`, title: HOST_STATES[each.state]?.[2] }, h("i", { "aria-hidden": "true" }, HOST_STATES[each.state]?.[1]), ` ${each.state}`),
        h("td", null, each.tag || short(each.live) || "—"), h("td", { class: "dim" }, each.seen ? ago(each.seen, app.api.now()) : "never"))))),
    found.length > SHOWN ? h("p", { class: "dim" }, `The first ${SHOWN} of ${found.length}; the filter leads to the others.`) : null] : h("p", { class: "calm" }, hosts.length ? "No host is like that." : "No host is known yet: it was never deployed to all."));
  }
  const element = h("div", null, choice, h("h1", null, "Hosts"), h("p", { class: "dim" }, "As they told last; only “ask all hosts now” asks them."), h("div", { class: "row" }, words, actions(ask)), told, counts, list);
  return { element, update: paint };
}
