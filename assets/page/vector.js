// The view as an SVG file that stands alone: what the page's styles say is written into it.

const MOST_CELLS = 4000; // more are one picture within the file

/** The chosen head's map. */
function mapSvg(attention, state, tokens) {
  const now = state.now;
  const [side, margin] = [Math.max(2, Math.min(24, Math.floor(900 / attention.keys))), 110];
  const labelled = side >= 9;
  const [width, height] = [margin + side * attention.keys + 8, margin + side * attention.queries + 8];
  const svg = node("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
  svg.append(node("rect", { width, height, fill: dark.matches ? "#14171c" : "#ffffff" }));
  const cells = attention.starts[attention.queries] <= MOST_CELLS;
  for (let query = 0; cells && query < attention.queries; query++) {
    for (let key = now.sink === "hide" ? 1 : 0; key < attention.seen(query); key++) {
      const value = attention.at(now.layer, now.head, query, key);
      if (Number.isNaN(value)) continue;
      const cell = node("rect", { x: margin + key * side, y: margin + query * side, width: side, height: side, fill: css(value, now.scale) });
      cell.append(node("title", {}, `${tokens.queries[query]} → ${tokens.keys[key]}: ${attention.said(value)}`));
      svg.append(cell);
    }
  }
  if (!cells) {
    const size = { width: side * attention.keys, height: side * attention.queries, preserveAspectRatio: "none" };
    svg.append(node("image", { x: margin, y: margin, ...size, href: pixels(attention, now).toDataURL(), "image-rendering": "pixelated" }));
  }
  const text = { fill: dark.matches ? "#eceff4" : "#15181d", "font-family": "sans-serif", "font-size": Math.min(12, side) };
  if (labelled) {
    const middle = (at) => margin + (at + 0.5) * side + 4;
    tokens.queries.forEach((label, at) => svg.append(node("text", { ...text, x: margin - 6, y: middle(at), "text-anchor": "end" }, label.slice(0, 16))));
    tokens.keys.forEach((label, at) => svg.append(node("text", { ...text, transform: `translate(${middle(at)} ${margin - 6}) rotate(-90)` }, label.slice(0, 16))));
  }
  svg.prepend(node("title", {}, `attention of head ${attention.headName(now.layer, now.head)}: rows are queries, columns keys`));
  return svg;
}

/** The lines as they are on the page. */
function linesSvg(shown) {
  const svg = shown.cloneNode(true);
  const style = getComputedStyle(document.documentElement);
  const [paper, text, mark, from] = ["--paper", "--ink", "--mark", "--from"].map((name) => style.getPropertyValue(name).trim());
  svg.querySelectorAll("line").forEach((line) => line.setAttribute("stroke", line.getAttribute("class") === "got" ? from : mark));
  for (const label of svg.querySelectorAll("text")) {
    for (const [name, value] of Object.entries({ fill: text, "font-family": "sans-serif", "font-size": 12 })) label.setAttribute(name, value);
  }
  svg.prepend(node("rect", { width: "100%", height: "100%", fill: paper }));
  return svg;
}
