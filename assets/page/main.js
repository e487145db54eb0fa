// Puts the page together.

const element = (id) => document.getElementById(id);

async function start() {
  const about = record.page.attention;
  const attention = new Attention(about, await unpack(element("weights")));
  const state = new State(attention, { layer: attention.layers - 1 });
  const tokens = { keys: about.keys, queries: about.queries };
  const texts = { keys: about.key_texts, queries: about.query_texts };
  element("explorer").hidden = false;

  const status = element("status");
  const told = ({ query, key }, { layer, head }) => {
    const names = `layer ${attention.names.layers[layer]}, head ${attention.names.heads[head]}`;
    const weight = attention.said(attention.at(layer, head, query, key));
    return `${names}: query “${tokens.queries[query]}” (${attention.past + query}) → key “${tokens.keys[key]}” (${key}): ${weight}`;
  };
  const say = (hovered) => {
    const now = state.now;
    const cell = hovered ?? (now.query !== null && now.key !== null ? now : null);
    if (cell) {
      status.textContent = told(cell, now);
    } else if (now.query !== null) {
      const row = attention.row(now.layer, now.head, now.query).map((value, key) => ({ value, key }));
      const best = row.filter(({ value }) => value > 0).sort((a, b) => b.value - a.value).slice(0, 3);
      const list = best.map(({ value, key }) => `“${tokens.keys[key]}” (${key}) ${attention.said(value)}`).join(", ");
      status.textContent = `head ${attention.headName(now.layer, now.head)}: query “${tokens.queries[now.query]}” attends most to ${list}`;
    } else {
      const name = attention.headName(now.layer, now.head);
      status.textContent = `head ${name}: rows are queries, columns keys. Choose a token, or a cell of the map.`;
    }
  };

  headGrid(element("heads"), attention, state);
  tokenStrip(element("strip"), attention, state, tokens);
  largeMap(element("map"), attention, state, tokens, say);
  linesView(element("lines"), element("note"), attention, state, tokens);
  state.listen(() => say(null));

  const legend = (now) => {
    const bar = element("bar");
    [bar.width, bar.height] = [160, 1];
    const pen = bar.getContext("2d");
    for (let x = 0; x < 160; x++) {
      pen.fillStyle = `#${palette()[Math.round((x / 159) * (palette().length - 1))].toString(16).padStart(6, "0")}`;
      pen.fillRect(x, 0, 1, 1);
    }
    element("least").textContent = now.scale === "log" ? `${SMALLEST} or less` : "0";
  };
  for (const name of Object.keys(CHOICES)) {
    const select = element(name);
    select.addEventListener("change", () => state.set({ [name]: select.value }));
    state.listen((now) => (select.value = now[name]));
  }
  state.listen((now) => {
    element("map").parentElement.hidden = now.view !== "map";
    element("lines").hidden = now.view !== "lines";
    element("note").hidden = now.view !== "lines";
    legend(now);
  });
  dark.addEventListener("change", () => legend(state.now));
  element("rounding").hidden = attention.exact;

  addEventListener("keydown", (event) => {
    if (event.key === "Escape") state.set({ query: null, key: null });
  });
  const name = () => `attention-${attention.headName(state.now.layer, state.now.head)}`;
  element("save-png").addEventListener("click", () => element("map").toBlob((blob) => save(`${name()}.png`, blob)));
  element("save-csv").addEventListener("click", () => {
    save(`${name()}.csv`, new Blob([asCsv(attention, state.now, texts)], { type: "text/csv" }));
  });
  element("save-json").addEventListener("click", () => {
    save("attention.json", new Blob([JSON.stringify(asJson(attention))], { type: "application/json" }));
  });
}

start().catch((error) => {
  element("failed").hidden = false;
  element("failed").textContent = `The explorer could not start (${error.message}). The figure below has everything.`;
});
