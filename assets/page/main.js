// Puts the page together: an explorer for each model that there is.

async function start(about, prefix) {
  const element = (id) => document.getElementById(prefix + id);
  const attention = new Attention(about, await unpack(element("weights")));
  const state = new State(attention, { layer: attention.layers - 1 }, about.key_texts, prefix);
  const tokens = { keys: about.keys, queries: about.queries };
  const texts = { keys: about.key_texts, queries: about.query_texts };
  element("explorer").hidden = false;

  const quoted = (label, at) => `“${label}” (${at})`;
  const best = (values, labels, first) => {
    const row = values.map((value, at) => ({ value, at })).filter(({ value }) => value > 0);
    const most = row.sort((a, b) => b.value - a.value).slice(0, 3);
    return most.map(({ value, at }) => `${quoted(labels[at], first + at)} ${attention.said(value)}`).join(", ");
  };
  const told = ({ query, key }, { layer, head }) => {
    const names = `layer ${attention.names.layers[layer]}, head ${attention.names.heads[head]}`;
    const weight = attention.said(attention.at(layer, head, query, key));
    return `${names}: query ${quoted(tokens.queries[query], attention.past + query)} → key ${quoted(tokens.keys[key], key)}: ${weight}`;
  };
  const say = (hovered) => {
    const now = state.now;
    const name = attention.headName(now.layer, now.head);
    const [query] = now.queries;
    const cell = hovered ?? (now.queries.length === 1 && now.key !== null ? { query, key: now.key } : null);
    if (cell) {
      element("status").textContent = told(cell, now);
    } else if (now.queries.length) {
      const named = now.queries.map((at) => quoted(tokens.queries[at], attention.past + at)).join(" + ");
      const [whose, attends] = now.queries.length > 1 ? [`sum of ${named}`, "attend"] : [`query ${named}`, "attends"];
      const got = best(attention.received(now), tokens.queries, attention.past);
      const back = got ? `; attended to most by ${got}` : "";
      element("status").textContent = `head ${name}: ${whose} ${attends} most to ${best(attention.sum(now), tokens.keys, 0)}${back}`;
    } else {
      element("status").textContent = `head ${name}: rows are queries, columns keys. Choose a token, or a cell of the map.`;
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
      pen.fillStyle = `#${palette[Math.round((x / 159) * (palette.length - 1))].toString(16).padStart(6, "0")}`;
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
    element("parts").classList.toggle("alone", now.show === "alone");
    legend(now);
  });
  dark.addEventListener("change", () => legend(state.now));
  element("rounding").hidden = attention.exact;

  addEventListener("keydown", (event) => {
    if (event.key === "Escape") state.set({ queries: [], key: null, show: "all" });
  });
  const name = () => `attention-${attention.headName(state.now.layer, state.now.head)}`;
  const saves = (id, make) => element(id).addEventListener("click", make);
  saves("save-png", () => element("map").toBlob((blob) => save(`${name()}.png`, blob)));
  saves("save-svg", () => {
    const drawn = state.now.view === "lines" ? linesSvg(element("lines").firstChild) : mapSvg(attention, state, tokens);
    save(`${name()}.svg`, new Blob([new XMLSerializer().serializeToString(drawn)], { type: "image/svg+xml" }));
  });
  saves("save-csv", () => save(`${name()}.csv`, new Blob([asCsv(attention, state.now, texts)], { type: "text/csv" })));
  saves("save-json", () => {
    save("attention.json", new Blob([JSON.stringify(asJson(attention, about.entry))], { type: "application/json" }));
  });
}

for (const [prefix, about] of Object.entries(record.page.explorers)) {
  start(about, prefix).catch((error) => {
    const failed = document.getElementById(`${prefix}failed`);
    failed.hidden = false;
    failed.textContent = `The explorer could not start (${error.message}). The figure below has everything.`;
  });
}
