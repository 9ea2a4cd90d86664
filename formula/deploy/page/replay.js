// Plays the events of a deploy that has ended, at any speed, from any moment.

import { button, h, write } from "./dom.js";
import { clock } from "./words.js";

export class Replay {
  /** `play(events)` is told what comes next; `reset()` that it begins from the start. */
  constructor(events, reset, play) {
    Object.assign(this, { _events: events, _reset: reset, _play: play, _next: events.length, _runs: false });
    this._at = momentsOf(events);
    this._begin = this._at[0] || 0;
    this._end = this._at[this._at.length - 1] || 0;
    this._now = this._end;
    this._press = button("▶ Replay", () => this._toggle(), { class: "main" });
    this._speed = h("select", { "aria-label": "Speed" }, [1, 2, 5, 20, 100].map((each) => h("option", { value: each }, `${each}×`)));
    this._speed.value = this._end - this._begin > 120 ? "20" : "5";
    this._slider = h("input", { type: "range", min: 0, max: 1000, value: 1000, "aria-label": "Moment", oninput: () => this._seek() });
    this._clock = h("span", { class: "mono" });
    this.element = h("div", { class: "replay row" }, this._press, this._slider, this._clock, this._speed);
    this._show();
  }

  stop() {
    this._runs = false;
  }

  _toggle() {
    this._runs = !this._runs;
    if (this._runs) {
      if (this._next >= this._events.length) this._to(this._begin);
      this._last = performance.now();
      requestAnimationFrame((now) => this._step(now));
    }
    this._show();
  }

  _step(now) {
    if (!this._runs) return;
    this._to(Math.min(this._end, this._now + ((now - this._last) / 1000) * Number(this._speed.value)));
    this._last = now;
    if (this._now >= this._end) this._runs = false;
    this._show();
    requestAnimationFrame((then) => this._step(then));
  }

  _seek() {
    this._to(this._begin + ((this._end - this._begin) * this._slider.value) / 1000);
    this._show();
  }

  _to(moment) {
    if (moment < this._now || this._next > this._events.length) {
      this._next = 0;
      this._reset();
    }
    this._now = moment;
    const first = this._next;
    while (this._next < this._events.length && this._at[this._next] <= moment) this._next++;
    this._play(this._events.slice(first, this._next), moment);
  }

  _show() {
    write(this._press, this._runs ? "‖ Pause" : "▶ Replay");
    write(this._clock, `${clock(this._now - this._begin)} / ${clock(this._end - this._begin)}`);
    const whole = this._end - this._begin || 1;
    this._slider.value = Math.round((1000 * (this._now - this._begin)) / whole);
  }
}

/** When each is shown. What hosts tell bears the time of their clocks: it stays between what the master tells before and after. */
function momentsOf(events) {
  const found = events.map((event) => Number(event.time) || 0);
  const isHosts = events.map((event) => event.event === "host_progress");
  let after = Infinity;
  for (let index = found.length - 1; index >= 0; index--) {
    if (isHosts[index]) found[index] = Math.min(found[index], after);
    else after = found[index];
  }
  let before = 0;
  return found.map((time) => (before = Math.max(before, time)));
}
