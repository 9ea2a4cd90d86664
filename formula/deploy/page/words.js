// How numbers, times and states are said.

export const OUTCOMES = {
  CONVERGED: ["good", "✓", "every host is where it was asked to be"],
  HELD: ["warn", "‖", "nothing has changed anywhere"],
  "ROLLED BACK": ["warn", "↶", "all hosts that had switched are back"],
  MIXED: ["bad", "≠", "hosts run different releases, or not all are well"],
};

/** What a host is at: word, glyph (so that colour is not alone), sentence. The order is that of the legend. */
export const STAGES = {
  wait: ["waiting", "·", "not asked yet"],
  fetch: ["fetching", "↓", "receives the release"],
  ready: ["ready", "◇", "has the release, verified; users see the old one"],
  switch: ["switching", "⇄", "is being switched"],
  live: ["live", "●", "users see the release"],
  backing: ["going back", "↶", "is being switched back"],
  back: ["back", "◁", "runs the release before again"],
  fail: ["failed", "✕", "did not do it"],
  silent: ["no answer", "?", "did not answer"],
};

export const HOST_STATES = {
  pinned: ["good", "●", "runs what is pinned"],
  behind: ["warn", "▲", "runs something else than what is pinned"],
  damaged: ["bad", "✕", "what is live is not what its release is"],
  unsettled: ["bad", "!", "restart or checks did not all pass"],
  unheard: ["dim", "?", "never told anything"],
};

export const plural = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

export const short = (commit) => (/^[0-9a-f]{40,}$/.test(commit || "") ? commit.slice(0, 7) : commit || "");

export function size(bytes) {
  let number = Number(bytes) || 0;
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (number < 1000) return `${number < 10 && unit !== "B" ? number.toFixed(1) : Math.round(number)} ${unit}`;
    number /= 1000;
  }
  return `${number.toFixed(1)} TB`;
}

/** Seconds as 00:43 or 2:10:43. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${two(minutes)}:${two(rest)}`;
}

export function ago(time, now = Date.now() / 1000) {
  const passed = Math.max(0, now - time);
  if (passed < 10) return "just now";
  if (passed < 120) return `${Math.floor(passed)} s ago`;
  if (passed < 7200) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 172800) return `${Math.floor(passed / 3600)} h ago`;
  return `${Math.floor(passed / 86400)} days ago`;
}

export const moment = (time) => (time ? new Date(time * 1000).toLocaleString("sv") : "");
export const hour = (time) => (time ? new Date(time * 1000).toLocaleTimeString("sv") : "");

/** web2 before web10. */
export const byName = new Intl.Collator("en", { numeric: true }).compare;

/** What an answer may be called on its button. */
export const CHOICES = {
  yes: "Yes, go on", no: "No, stop", retry: "Try again", continue: "Go on all the same", rollback: "Roll back",
  all: "Yes, and ask no more",
};

/** How the button of a choice looks: one leads on, one leads back, the others are plain. */
export const choiceClass = (choice) => (choice === "yes" || choice === "retry" ? "main" : choice === "rollback" ? "danger" : "");
