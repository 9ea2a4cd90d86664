// Makes elements. All text goes in as text: nothing of a server's answer is ever read as HTML.

/**
 * An element. Properties that begin with "on" are listeners, `class` and those with a dash are attributes, `data` sets
 * data attributes; null, undefined and false are left out, of properties and of children.
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key === "value" || key === "checked" || key === "disabled") element[key] = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) add(element, child);
    else if (child instanceof Node) element.append(child);
    else if (child !== null && child !== undefined && child !== false) element.append(String(child));
  }
}

/** Put children in place of those that an element has. */
export function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}

/**
 * The same, unless `key` says that nothing is different: what has the focus, or is being read aloud, stays. Where the
 * children do change, the focus goes to the one with the same name.
 */
export function refill(element, key, make) {
  if (element.dataset.key === key) return;
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.name : "";
  element.dataset.key = key;
  fill(element, make());
  if (focused) element.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

/** Write a text where it is different from what stands there. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Let a screen reader say a sentence. */
export function say(text) {
  write(document.getElementById("spoken"), text);
}

/** A button that can be pressed once until what it does is done. */
export function button(text, press, props) {
  const made = h("button", { type: "button", ...props, onclick: async () => {
    made.disabled = true;
    try {
      await press();
    } finally {
      made.disabled = false;
    }
  } }, text);
  return made;
}

/** Ask before something is done; gives whether it shall be. */
export function confirmed(title, text, word, dangerous) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" },
      h("h2", { id: "dialog-title" }, title),
      h("p", null, text),
      h("div", { class: "buttons" },
        h("button", { type: "button", onclick: () => dialog.close("") }, "Leave it"),
        h("button", { type: "button", class: dangerous ? "danger" : "main", onclick: () => dialog.close("yes") }, word)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
