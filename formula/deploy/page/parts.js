// Pieces that several views show.

import { button, h } from "./dom.js";
import { OUTCOMES } from "./words.js";

/** One of the four words, with its glyph. */
export function outcome(word, ok, total) {
  if (!word) return h("span", { class: "badge dim" }, "… not ended");
  const [mood, glyph, about] = OUTCOMES[word] || ["dim", "", ""];
  const counted = total === undefined || total === null ? "" : ` ${ok}/${total}`;
  return h("span", { class: `badge ${mood}`, title: about }, h("i", { "aria-hidden": "true" }, glyph), ` ${word}${word === "HELD" ? "" : counted}`);
}

/** A command that can be typed, with a button that copies it. */
export function command(text) {
  if (!text) return null;
  const copy = navigator.clipboard ? button("Copy", () => navigator.clipboard.writeText(text), { class: "quiet", "aria-label": `Copy: ${text}` }) : null;
  return h("span", { class: "command" }, h("code", null, text), copy);
}

/** What went wrong, and what to do. */
export function problem(error) {
  const next = error.next || "";
  return h("div", { class: "problem", role: "alert" }, h("p", null, error.cause || error.message || String(error)),
    next ? h("p", { class: "next" }, "Next: ", command(next)) : null);
}

/** Buttons that say what they could not do. */
export function actions(...made) {
  return h("div", { class: "buttons" }, made);
}

/** A button whose action may be refused: what the server says goes below it. */
export function doing(text, place, act, props) {
  return button(text, async () => {
    place.replaceChildren();
    try {
      await act();
    } catch (error) {
      if (error.kind !== "session") place.replaceChildren(problem(error));
    }
  }, props);
}

/** How many of each: a bar of shares, with the numbers beside it. */
export function shares(list) {
  const total = list.reduce((sum, [, , number]) => sum + number, 0) || 1;
  return h("span", { class: "shares", role: "img", "aria-label": list.map(([word, , number]) => `${number} ${word}`).join(", ") },
    list.filter(([, , number]) => number).map(([, mood, number]) => {
      const part = h("span", { class: mood });
      part.style.flexGrow = number / total;
      return part;
    }));
}
