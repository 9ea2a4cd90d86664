// The lines of a deploy, filtered by host or words and by level.

import { h } from "./dom.js";
import { hour } from "./words.js";

const LEVELS = ["debug", "info", "warn", "error"];
const SHOWN = 400; // lines at once; a filter leads to the others

export class Log {
  constructor() {
    this._level = h("select", { "aria-label": "Level", onchange: () => this._anew() },
      [["debug", "everything"], ["info", "without hosts' successes"], ["warn", "warnings and errors"], ["error", "errors"]].map(([value, text]) => h("option", { value }, text)));
    this._level.value = "info";
    this._words = h("input", { type: "search", placeholder: "host or words", "aria-label": "Only lines with", oninput: () => this._anew() });
    this._lines = h("ol", { class: "lines", tabindex: "0", "aria-label": "Log" });
    this.element = h("section", { class: "log", "aria-labelledby": "log" }, h("div", { class: "row" }, h("h2", { id: "log" }, "Log"), this._words, this._level), this._lines);
    this._seen = 0;
  }

  only(words) {
    this._words.value = words;
    this._level.value = "debug";
    this._anew();
  }

  clear() {
    this._seen = 0;
    this._lines.replaceChildren();
  }

  paint(deploy) {
    this._deploy = deploy;
    const lines = deploy.lines;
    const total = deploy.dropped + lines.length;
    if (total === this._seen) return;
    const first = Math.max(0, this._seen - deploy.dropped);
    this._seen = total;
    const at = this._lines;
    const bottom = at.scrollHeight - at.scrollTop - at.clientHeight < 40;
    const news = [];
    for (let index = lines.length - 1; index >= first && news.length < SHOWN; index--)
      if (this._wanted(lines[index])) news.push(row(lines[index]));
    if (!news.length) return;
    at.append(...news.reverse());
    while (at.children.length > SHOWN) at.firstChild.remove();
    if (bottom) at.scrollTop = at.scrollHeight;
  }

  _anew() {
    this.clear();
    if (this._deploy) this.paint(this._deploy);
    this._lines.scrollTop = this._lines.scrollHeight;
  }

  _wanted(line) {
    if (LEVELS.indexOf(line.level) < LEVELS.indexOf(this._level.value)) return false;
    const words = this._words.value.trim().toLowerCase();
    return !words || line.host.toLowerCase().includes(words) || line.text.toLowerCase().includes(words);
  }
}

function row(line) {
  return h("li", { class: line.level }, h("time", null, hour(line.time)), h("b", null, line.host), h("span", null, line.text));
}
