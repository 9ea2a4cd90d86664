// Who are you? Any kind of external authentication that the master has.

import { fill, h } from "./dom.js";

const KINDS = ["pam", "ldap", "file", "sharedsecret", "auto"];
const LAST = "saltdeploy.eauth";

/** A form that logs in; `user` is filled in already where it is known. */
export function loginForm(api, user = "") {
  const wrong = h("p", { class: "error", role: "alert" });
  const kind = localStorage.getItem(LAST) || api.session?.eauth || "pam";
  const press = h("button", { type: "submit", class: "main" }, "Log in");
  return h("form", { onsubmit: async (event) => {
    event.preventDefault();
    const { username, password, eauth } = event.target.elements;
    press.disabled = true;
    fill(wrong);
    try {
      await api.login(username.value, password.value, eauth.value);
      localStorage.setItem(LAST, eauth.value);
    } catch (error) {
      fill(wrong, error.message);
      password.focus();
    } finally {
      press.disabled = false;
      password.value = "";
    }
  } },
  h("label", null, "User", h("input", { name: "username", autocomplete: "username", required: true, value: user })),
  h("label", null, "Password", h("input", { name: "password", type: "password", autocomplete: "current-password", required: true })),
  h("label", null, "Kind of log-in", h("input", { name: "eauth", list: "kinds", value: kind, required: true })),
  h("datalist", { id: "kinds" }, KINDS.map((each) => h("option", { value: each }))),
  wrong, press);
}
