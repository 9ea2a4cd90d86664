// Hosts as a grid of cells: colour and glyph say where each is. Made for thousands: a cell is touched only when its host has
// changed, and only so many in one frame.

import { h, write } from "./dom.js";
import { STAGES } from "./words.js";

const NAMED = 60; // with so few hosts there is room for their names
const A_FRAME = 400; // cells

export class Grid {
  constructor(choose) {
    this.element = h("div", { class: "grid", role: "group", "aria-label": "Hosts", onkeydown: (event) => this._key(event),
      onclick: (event) => this._pick(event.target.closest(".cell")),
      onfocusin: (event) => event.target.closest(".cell") && this._over(event.target.closest(".cell")) });
    this._choose = choose;
    this.clear();
  }

  clear() {
    this._cells = new Map();
    this._sections = new Map();
    this._shape = "";
    this._due = new Set();
    this._chosen = "";
    this.element.replaceChildren();
  }

  /** Which state alone is shown; "" for all. */
  only(state) {
    this.element.dataset.only = state;
  }

  /** Paint what has changed; gives whether something is left for the next frame. */
  paint(deploy) {
    for (const host of deploy.changed) this._due.add(host);
    deploy.changed.clear();
    this._reshape(deploy);
    let painted = 0;
    for (const host of this._due) {
      if (painted++ >= A_FRAME) return true;
      this._due.delete(host);
      this._draw(host);
    }
    return false;
  }

  _reshape(deploy) {
    const size = Math.max(deploy.total, deploy.hosts.size) <= NAMED ? "named" : "dense";
    const shape = `${size} ${deploy.waves.map((wave) => wave.name).join(" ")}`;
    if (shape !== this._shape) {
      const chosen = this._chosen;
      this.clear();
      this._shape = shape;
      this._chosen = chosen;
      this.element.dataset.size = size;
      for (const wave of deploy.waves) this._section(wave.name).after = wave;
      for (const host of deploy.hosts.values()) this._due.add(host);
    }
    const unnamed = Math.max(0, deploy.total - deploy.hosts.size);
    const rest = unnamed ? `${unnamed} more that were not heard of yet` : deploy.hosts.size ? "" : "no host is known yet";
    if (!this._rest) this._rest = h("p", { class: "dim" });
    write(this._rest, rest);
    if (this._rest.parentNode !== this.element || this.element.lastChild !== this._rest) this.element.append(this._rest);
  }

  _section(name) {
    let section = this._sections.get(name);
    if (!section) {
      const cells = h("div", { class: "cells" });
      section = { cells };
      this._sections.set(name, section);
      if (name) this.element.append(h("h3", null, name));
      this.element.append(cells);
    }
    return section;
  }

  _draw(host) {
    let cell = this._cells.get(host.name);
    if (!cell) {
      const glyph = document.createTextNode("");
      cell = { glyph, state: "", percent: -1 };
      cell.element = h("button", { type: "button", class: "cell", tabindex: this._cells.size ? "-1" : "0", data: { host: host.name } },
        h("i", { "aria-hidden": "true" }, glyph), this.element.dataset.size === "named" ? h("span", null, host.name) : null);
      this._cells.set(host.name, cell);
      this._section(host.wave).cells.append(cell.element);
    }
    if (cell.state !== host.state) {
      cell.state = host.state;
      const [word, glyph] = STAGES[host.state];
      cell.element.dataset.state = host.state;
      cell.element.setAttribute("aria-label", `${host.name}: ${word}`);
      cell.glyph.nodeValue = glyph;
    }
    cell.element.title = host.phase ? `${host.name}: ${STAGES[host.state][0]}, ${host.phase}` : `${host.name}: ${STAGES[host.state][0]}`;
    const percent = host.total && host.phase ? Math.min(100, Math.round((100 * host.done) / host.total)) : 0;
    if (this.element.dataset.size === "named" && cell.percent !== percent) {
      cell.percent = percent;
      cell.element.style.setProperty("--part", `${percent}%`);
    }
  }

  _pick(cell) {
    if (!cell) return;
    this._over(cell);
    this._cells.get(this._chosen)?.element.removeAttribute("aria-pressed");
    this._chosen = cell.dataset.host;
    cell.setAttribute("aria-pressed", "true");
    this._choose(this._chosen);
  }

  /** Only one cell takes part in going from field to field; arrows lead to the others. */
  _over(cell) {
    this.element.querySelector('.cell[tabindex="0"]')?.setAttribute("tabindex", "-1");
    cell.setAttribute("tabindex", "0");
  }

  _key(event) {
    const all = [...this.element.querySelectorAll(".cell")];
    const at = all.indexOf(document.activeElement);
    if (at < 0) return;
    const top = all[at].offsetTop;
    const row = all.filter((cell) => cell.offsetTop === top).length || 1;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row, Home: -at, End: all.length - 1 - at }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, at + step))].focus();
  }
}
