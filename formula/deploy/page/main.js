// Where the page begins: who is logged in, which view is shown, what all views share.

import { Api } from "./api.js";
import { button, fill, h, say, write } from "./dom.js";
import { Overview } from "./feed.js";
import { deployView } from "./deploy.js";
import { fleetView } from "./fleet.js";
import { historyView } from "./history.js";
import { homeView } from "./home.js";
import { loginForm } from "./login.js";
import { startView } from "./start.js";

const VIEWS = { "": homeView, deploy: deployView, start: startView, history: historyView, fleet: fleetView };
const TABS = [["", "Now"], ["start", "Start"], ["history", "History"], ["fleet", "Fleet"]];

/** What the views share: `repos` is the last overview, null before the first one. */
const app = { api: new Api(), repos: null, error: null, go, pathTo };
let view = null;
let overview = null;

const bar = document.getElementById("bar");
const content = document.getElementById("content");
const state = h("span", { class: "stream", role: "status" });
const tabs = h("nav", { "aria-label": "Views" });
const trouble = h("p", { class: "trouble", role: "alert", hidden: true });

function pathTo(...parts) {
  return `#/${parts.filter(Boolean).map(encodeURIComponent).join("/")}`;
}

function go(...parts) {
  const path = pathTo(...parts);
  if (location.hash === path) show();
  else location.hash = path;
}

function parts() {
  try {
    return location.hash.replace(/^#\//, "").split("/").map(decodeURIComponent);
  } catch {
    return [""];
  }
}

function show() {
  if (!app.api.session) return;
  const [name, ...rest] = parts();
  view?.close?.();
  view = (VIEWS[name] || homeView)(app, ...rest);
  fill(content, view.element);
  fill(tabs, TABS.map(([key, label]) => h("a", { href: pathTo(key), "aria-current": key === name ? "page" : null }, label)));
  window.scrollTo(0, 0);
  view.update?.();
}

function began() {
  fill(bar, h("a", { class: "brand", href: "#/" }, "Deploys"), tabs, state,
    h("span", { class: "user" }, app.api.user), button("Log out", leave, { class: "quiet" }));
  bar.hidden = false;
  bar.after(trouble);
  document.querySelector("dialog.again")?.close();
  overview?.stop();
  overview = new Overview(app.api, (repos) => {
    Object.assign(app, { repos, error: null });
    view?.update?.();
  }, (error) => {
    app.error = error;
    if (error.kind !== "network" && error.kind !== "session") view?.update?.();
  });
  app.api.listen();
  if (view) view.again?.();
  else show();
}

async function leave() {
  overview?.stop();
  view?.close?.();
  view = overview = app.repos = null;
  await app.api.logout().catch(() => {});
  welcome();
}

function welcome() {
  bar.hidden = trouble.hidden = true;
  fill(content, h("section", { class: "login" }, h("h1", null, "Deploys"), loginForm(app.api)));
  content.querySelector("input")?.focus();
}

/** The log-in has ended, as when salt-api was restarted: all that is on the page stays, behind a log-in. */
function ended() {
  if (document.querySelector("dialog.again") || !app.api.session) return;
  const form = loginForm(app.api, app.api.user);
  const dialog = h("dialog", { class: "again", "aria-labelledby": "again" }, h("h2", { id: "again" }, "Log in again"),
    h("p", null, "The log-in has ended: salt-api was restarted, or its time was over. Nothing on this page is lost, and nothing that happens meanwhile."), form);
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  form.querySelector("[name=password]").focus();
}

function connection() {
  const { reached, stream } = app.api;
  const word = !reached ? "not connected" : stream === "open" ? "live" : "asking";
  const about = { live: "events arrive as they happen", asking: "the stream of events is closed; the page asks every few seconds" };
  state.dataset.state = word;
  state.title = about[word] || "";
  write(state, word);
  trouble.hidden = reached;
  if (!reached) write(trouble, `No answer from salt-api. What stands here is from ${new Date().toLocaleTimeString("sv")}; the page tries again by itself.`);
  else if (trouble.dataset.was) say("Connected again");
  trouble.dataset.was = reached ? "" : "1";
}

app.api.addEventListener("login", began);
app.api.addEventListener("ended", ended);
app.api.addEventListener("stream", connection);
app.api.addEventListener("reach", connection);
app.api.addEventListener("reach", () => { if (app.api.reached) overview?.poke(); });
app.api.addEventListener("sign", ({ detail }) => {
  overview?.poke();
  view?.sign?.(detail);
});
window.addEventListener("hashchange", show);
connection();
if (app.api.session) began();
else welcome();
