// What is looked at. It lives in the URL's fragment, so that a link is a view and back goes back.

const DEFAULTS = { layer: 0, head: 0, queries: [], key: null, scale: "linear", sink: "keep", view: "map", pick: "one", show: "all" };
const CHOICES = {
  scale: ["linear", "sqrt", "log"],
  sink: ["keep", "hide"],
  view: ["map", "lines"],
  pick: ["one", "several"],
  show: ["all", "alone"],
};

class State {
  /** Those of a page: what one is set to look at, the others look at too, as far as they have it. */
  static all = [];

  constructor(attention, start, texts, prefix) {
    this.attention = attention;
    this.texts = texts.join("\n");
    // Places in another text are others: they have names of their own.
    this.prefix = State.all.length && State.all[0].texts !== this.texts ? prefix : "";
    this.start = { ...DEFAULTS, ...start };
    this.now = this.parse(location.hash);
    this.listeners = [];
    State.all.push(this);
    addEventListener("hashchange", () => this.follow());
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
    const queries = (said.get(`${this.prefix}query`) ?? "").split(".").map((text) => number(text, this.attention.queries));
    found.queries = [...new Set(queries.filter((query) => query !== null))];
    found.key = number(said.get(`${this.prefix}key`), this.attention.keys) ?? this.start.key;
    for (const [name, choices] of Object.entries(CHOICES)) {
      if (choices.includes(said.get(name))) found[name] = said.get(name);
    }
    return found;
  }

  fragment() {
    const { layer, head, queries: _, key: __, ...choices } = this.now;
    const said = new URLSearchParams({ head: this.attention.headName(layer, head) });
    for (const { prefix, now } of [this, ...State.all.filter((other) => other.prefix !== this.prefix)]) {
      if (now.queries.length) said.set(`${prefix}query`, now.queries.join("."));
      if (now.key !== null) said.set(`${prefix}key`, now.key);
    }
    for (const [name, value] of Object.entries(choices)) {
      if (value !== DEFAULTS[name]) said.set(name, value);
    }
    return `#${said}`;
  }

  /** Looks at something else. */
  set(change) {
    const before = this.fragment();
    Object.assign(this.now, change);
    if (this.fragment() !== before) history.pushState(null, "", this.fragment());
    this.tell();
    for (const other of State.all) if (other !== this) other.follow();
  }

  /** Chooses a query, or lets it go; of several the others stay. */
  choose(query, several) {
    const { queries } = this.now;
    const others = several ? queries.filter((other) => other !== query) : [];
    this.set({ queries: queries.includes(query) ? others : [...others, query], key: null });
  }

  follow() {
    this.now = this.parse(location.hash);
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
