// Two columns of tokens with a line for each weight: thicker is more.

const LINES = 400; // the strongest, where there are more
const STEP = 20; // pixels from one token to the next
const WEAK = 0.02; // lines below this are left out, and the page says so

function node(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function linesView(element, note, attention, state, tokens) {
  const draw = (now) => {
    if (now.view !== "lines") return;
    const [left, right] = [170, 430];
    const all = [];
    for (let query = 0; query < attention.queries; query++) {
      for (let key = now.sink === "hide" ? 1 : 0; key < attention.seen(query); key++) {
        const given = !now.queries.length || now.queries.includes(query);
        if (!given && !now.queries.includes(key - attention.past)) continue;
        const value = attention.at(now.layer, now.head, query, key);
        if (value >= WEAK) all.push({ query, key, value, given });
      }
    }
    all.sort((a, b) => b.value - a.value);
    const height = STEP * (Math.max(attention.keys, attention.queries) + 1);
    const svg = node("svg", { width: 600, height, viewBox: `0 0 600 ${height}`, role: "img", "aria-label": "attention as lines" });
    for (const { query, key, value, given } of all.slice(0, LINES).reverse()) {
      const [from, to] = [STEP * (query + 1), STEP * (key + 1)];
      const line = { x1: left, y1: from, x2: right, y2: to, class: given ? "given" : "got", "stroke-width": 0.5 + 4 * value, "stroke-opacity": 0.15 + 0.85 * value };
      const drawn = node("line", line);
      drawn.append(node("title", {}, `${tokens.queries[query]} → ${tokens.keys[key]}: ${attention.said(value)}`));
      svg.append(drawn);
    }
    tokens.queries.forEach((label, query) => {
      const text = node("text", { x: left - 8, y: STEP * (query + 1) + 4, "text-anchor": "end" }, label.slice(0, 24));
      text.addEventListener("click", (event) => state.choose(query, now.pick === "several" || event.shiftKey));
      svg.append(text);
    });
    tokens.keys.forEach((label, key) => svg.append(node("text", { x: right + 8, y: STEP * (key + 1) + 4 }, label.slice(0, 24))));
    element.replaceChildren(svg);
    const more = all.length > LINES ? `, the ${LINES} strongest of ${all.length}` : "";
    note.textContent = `Lines from queries (left) to keys (right) of weight ${WEAK} or more${more}; click a query to see what it gives, and in the other colour what it gets.`;
  };
  state.listen(draw);
  dark.addEventListener("change", () => draw(state.now));
}
