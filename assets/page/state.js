// What is looked at. It lives in the URL's fragment, so that a link is a view and back goes back.

const DEFAULTS = { layer: 0, head: 0, query: null, key: null, scale: "linear", sink: "keep", view: "map" };
const CHOICES = { scale: ["linear", "sqrt", "log"], sink: ["keep", "hide"], view: ["map", "lines"] };

class State {
  constructor(attention, start) {
    this.attention = attention;
    this.start = { ...DEFAULTS, ...start };
    this.now = this.parse(location.hash);
    this.listeners = [];
    addEventListener("hashchange", () => {
      this.now = this.parse(location.hash);
      this.tell();
    });
  }

  /** A fragment is typed by anybody: what is not there is left at its default. */
  parse(fragment) {
    if (fragment && !fragment.includes("=")) return this.now ?? { ...this.start }; // a link to a section
    const said = new URLSearchParams(fragment.slice(1));
    const found = { ...this.start };
    const number = (text, most) => (/^\d{1,6}$/.test(text ?? "") && Number(text) < most ? Number(text) : null);
    const [layer, head] = (said.get("head") ?? "").split(".");
    const place = [this.attention.names.layers.map(String).indexOf(layer), this.attention.names.heads.map(String).indexOf(head)];
    if (place.every((at) => at >= 0)) [found.layer, found.head] = place;
    found.query = number(said.get("query"), this.attention.queries) ?? this.start.query;
    found.key = number(said.get("key"), this.attention.keys) ?? this.start.key;
    for (const [name, choices] of Object.entries(CHOICES)) {
      if (choices.includes(said.get(name))) found[name] = said.get(name);
    }
    return found;
  }

  fragment() {
    const { layer, head, ...rest } = this.now;
    const said = new URLSearchParams({ head: this.attention.headName(layer, head) });
    for (const [name, value] of Object.entries(rest)) {
      if (value !== null && value !== DEFAULTS[name]) said.set(name, value);
    }
    return `#${said}`;
  }

  /** Looks at something else. */
  set(change) {
    const before = this.fragment();
    Object.assign(this.now, change);
    if (this.fragment() !== before) history.pushState(null, "", this.fragment());
    this.tell();
  }

  listen(listener) {
    this.listeners.push(listener);
    listener(this.now);
  }

  tell() {
    for (const listener of this.listeners) listener(this.now);
  }
}
