// Brings the events of a deploy, or the facts of all repos, as long as somebody looks: at once when there is a sign, and by
// itself now and then, since signs may be lost.

// milliseconds between two questions, however many signs there are
const STORY_GAP = 400;
const OVERVIEW_GAP = 2_500;
const BUSY = 3_000; // milliseconds without a sign while a deploy runs
const IDLE = 20_000;

class Asker {
  constructor(gap) {
    this._gap = gap;
    this._stopped = false;
    this._sign = false;
    this._wake = () => {};
  }

  /** There is a reason to ask. */
  poke() {
    this._sign = true;
    this._wake();
  }

  stop() {
    this._stopped = true;
    this._wake();
  }

  async _run(ask) {
    let failures = 0;
    while (!this._stopped) {
      this._sign = false;
      let wait;
      try {
        wait = await ask();
        failures = 0;
      } catch (error) {
        this.failed?.(error);
        failures += 1;
        wait = error.kind === "network" ? Math.min(1000 * 2 ** (failures - 1), 10_000) : 5_000;
        this._sign = false;
      }
      if (this._stopped) return;
      if (wait > 0) await this._pause(Math.min(this._gap, wait), false);
      if (!this._sign && wait > this._gap) await this._pause(wait - this._gap, true);
    }
  }

  _pause(milliseconds, signs) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this._wake = () => {
        if (!this._stopped && !signs) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** The story of one deploy behind its first `next` events, piece by piece, one at a time: so nothing comes twice. */
export class Story extends Asker {
  constructor(api, repo, id, next, take, failed) {
    super(STORY_GAP);
    Object.assign(this, { failed, next });
    this._run(async () => {
      const piece = await api.call("story", { repo, id, after: this.next });
      if (this._stopped) return 0;
      this.next = piece.next;
      const ended = take(piece);
      if (piece.more) return 0;
      if (ended && !piece.runs) return IDLE * 30;
      return piece.runs ? BUSY : IDLE;
    });
  }
}

/** All repos that the user may see. */
export class Overview extends Asker {
  constructor(api, take, failed) {
    super(OVERVIEW_GAP);
    this.failed = failed;
    this._run(async () => {
      const repos = await seen(api);
      if (this._stopped) return 0;
      take(repos);
      return repos.some((each) => each.unfinished) ? BUSY : IDLE;
    });
  }
}

/** With rights on some repos alone, each of them is asked for. */
async function seen(api) {
  const names = api.session?.repos;
  if (!names) return (await api.call("overview")).repos;
  const found = [];
  for (const repo of names) {
    try {
      found.push(...(await api.call("overview", { repo })).repos);
    } catch (error) {
      if (error.kind === "network" || error.kind === "session") throw error;
      if (error.kind !== "refused") found.push({ repo, error });
    }
  }
  return found;
}
