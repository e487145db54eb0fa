// The chosen head's map: rows are queries, columns are keys. Hovering shows a value, a click keeps it, Esc lets go, arrows move.

const LABELLED = 11; // pixels of a cell from which on rows and columns have labels
const LABEL = 110; // pixels of a label, at most

/** A map with a pixel for each cell. */
function pixels(attention, { layer, head, scale, sink }) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [attention.keys, attention.queries];
  const image = new ImageData(attention.keys, attention.queries);
  const cells = new Uint32Array(image.data.buffer);
  const pixel = pixelsOf(attention, scale);
  for (let query = 0; query < attention.queries; query++) {
    const start = attention.start(layer, head, query);
    const seen = attention.seen(query);
    for (let key = sink === "hide" ? 1 : 0; key < seen; key++) cells[query * attention.keys + key] = pixel(start + key);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function largeMap(canvas, attention, state, tokens, say) {
  const pen = canvas.getContext("2d");
  let side = 1;
  let margin = 0;
  let hovered = null;
  let drawn = "";
  let map = null;
  let label = 0; // pixels of the longest label

  const cellAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const key = Math.floor((event.clientX - box.left - margin) / side);
    const query = Math.floor((event.clientY - box.top - margin) / side);
    const inside = query >= 0 && query < attention.queries && key >= 0 && key < attention.seen(query);
    return inside ? { query, key } : null;
  };

  const frame = ({ query, key }, ink, [width, height] = [1, 1]) => {
    pen.strokeStyle = ink;
    pen.lineWidth = 2;
    pen.strokeRect(margin + key * side, margin + query * side, width * side, height * side);
  };

  const draw = () => {
    const now = state.now;
    const width = canvas.parentElement.clientWidth || 640;
    const most = Math.max(attention.keys, attention.queries);
    label ||= longest();
    side = Math.max(1, Math.min(30, Math.floor((width - label) / most)));
    margin = side >= LABELLED ? label : 0;
    if (!margin) side = Math.max(1, Math.min(LABELLED - 1, Math.floor(width / most)));
    const [w, h] = [margin + side * attention.keys, margin + side * attention.queries];
    const fine = side > 1 ? devicePixelRatio : 1;
    [canvas.width, canvas.height] = [Math.ceil(w * fine), Math.ceil(h * fine)];
    [canvas.style.width, canvas.style.height] = [`${w}px`, `${h}px`];
    pen.setTransform(fine, 0, 0, fine, 0, 0);
    pen.clearRect(0, 0, w, h);
    const looks = [now.layer, now.head, now.scale, now.sink, dark.matches].join();
    if (looks !== drawn) [drawn, map] = [looks, pixels(attention, now)];
    pen.imageSmoothingEnabled = false;
    pen.drawImage(map, margin, margin, side * attention.keys, side * attention.queries);
    if (margin) labels(now);
    const style = getComputedStyle(canvas);
    const [mark, from] = ["--mark", "--from"].map((name) => style.getPropertyValue(name));
    for (const query of now.key === null ? now.queries : []) {
      // A row is what a token gives, a column what it gets.
      const key = query + attention.past;
      frame({ query, key: 0 }, mark, [attention.seen(query), 1]);
      frame({ query, key }, from, [1, attention.causal ? attention.queries - query : attention.queries]);
    }
    if (now.key !== null) for (const query of now.queries) frame({ query, key: now.key }, mark);
    if (hovered) frame(hovered, from);
  };

  const face = (size, strong) => `${strong ? "bold " : ""}${size}px ${getComputedStyle(canvas).fontFamily}`;
  const longest = () => {
    pen.font = face(12, true);
    const all = [...tokens.queries, ...tokens.keys].map((text) => pen.measureText(text).width);
    return Math.min(LABEL, Math.ceil(all.reduce((most, one) => Math.max(most, one), 0)) + 14);
  };

  const labels = (now) => {
    pen.fillStyle = getComputedStyle(canvas).color;
    pen.textBaseline = "middle";
    const text = (whole) => {
      let cut = whole;
      while (cut.length > 1 && pen.measureText(cut).width > label - 12) cut = `${cut.slice(0, -2)}…`;
      return cut;
    };
    const font = (strong) => face(Math.min(12, side), strong);
    tokens.queries.forEach((name, query) => {
      pen.font = font(now.queries.includes(query));
      pen.textAlign = "right";
      pen.fillText(text(name), margin - 6, margin + (query + 0.5) * side);
    });
    tokens.keys.forEach((name, key) => {
      pen.save();
      pen.font = font(key === now.key);
      pen.translate(margin + (key + 0.5) * side, margin - 6);
      pen.rotate(-Math.PI / 2);
      pen.textAlign = "left";
      pen.fillText(text(name), 0, 0);
      pen.restore();
    });
  };

  canvas.addEventListener("pointermove", (event) => {
    const cell = cellAt(event);
    if (cell?.query === hovered?.query && cell?.key === hovered?.key) return;
    hovered = cell;
    draw();
    say(hovered);
  });
  canvas.addEventListener("pointerleave", () => {
    hovered = null;
    draw();
    say(null);
  });
  canvas.addEventListener("click", (event) => {
    const cell = cellAt(event);
    if (cell) state.set({ queries: [cell.query], key: cell.key });
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const query = Math.min(Math.max((state.now.queries.at(-1) ?? attention.queries - 1) + step[0], 0), attention.queries - 1);
    const key = Math.min(Math.max((state.now.key ?? 0) + step[1], 0), attention.seen(query) - 1);
    state.set({ queries: [query], key });
  });
  state.listen(draw);
  dark.addEventListener("change", draw);
  new ResizeObserver(draw).observe(canvas.parentElement);
}
