// Every head as a small map; the chosen one is marked in the grid and drawn large beside it.

const SMALL = 64; // pixels of a small map, at most
const SLICE = 40; // milliseconds of drawing before a reader may act again

/** A map in at most so many pixels; where cells share one, it is their mean. */
function small(attention, layer, head, { scale, sink }) {
  const rows = Math.min(attention.queries, SMALL);
  const cols = Math.min(attention.keys, SMALL);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [cols, rows];
  const image = new ImageData(cols, rows);
  const sums = new Float64Array(rows * cols);
  const counts = new Uint32Array(rows * cols);
  for (let query = 0; query < attention.queries; query++) {
    const row = Math.floor((query * rows) / attention.queries);
    const start = attention.start(layer, head, query);
    const seen = attention.seen(query);
    for (let key = sink === "hide" ? 1 : 0; key < seen; key++) {
      const cell = row * cols + Math.floor((key * cols) / attention.keys);
      sums[cell] += attention.value(start + key);
      counts[cell] += 1;
    }
  }
  for (let cell = 0; cell < sums.length; cell++) {
    if (!counts[cell] || Number.isNaN(sums[cell])) continue;
    const rgb = colour(sums[cell] / counts[cell], scale);
    image.data.set([rgb >> 16, (rgb >> 8) & 255, rgb & 255, 255], 4 * cell);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function headGrid(element, attention, state) {
  const buttons = [];
  element.style.gridTemplateColumns = `auto repeat(${attention.heads}, minmax(0, 1fr))`;
  const name = (text) => {
    const label = document.createElement("div");
    label.className = "name";
    label.textContent = text;
    element.append(label);
  };
  name("L \\ H");
  attention.names.heads.forEach((head) => name(head));
  for (let layer = 0; layer < attention.layers; layer++) {
    name(attention.names.layers[layer]);
    for (let head = 0; head < attention.heads; head++) {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-label", `layer ${attention.names.layers[layer]}, head ${attention.names.heads[head]}`);
      button.addEventListener("click", () => state.set({ layer, head }));
      button.addEventListener("dblclick", () => state.set({ layer, head, show: "alone" }));
      buttons.push(button);
      element.append(button);
    }
  }
  element.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const layer = Math.min(Math.max(state.now.layer + step[0], 0), attention.layers - 1);
    const head = Math.min(Math.max(state.now.head + step[1], 0), attention.heads - 1);
    state.set({ layer, head });
    buttons[layer * attention.heads + head].focus();
  });
  let drawn = "";
  const draw = (now) => {
    const looks = `${now.scale} ${now.sink} ${dark.matches}`;
    buttons.forEach((button, at) => {
      const [layer, head] = [Math.floor(at / attention.heads), at % attention.heads];
      const chosen = layer === now.layer && head === now.head;
      button.setAttribute("aria-pressed", chosen);
      button.tabIndex = chosen ? 0 : -1;
    });
    if (looks === drawn) return;
    drawn = looks;
    let at = 0;
    const slice = () => {
      for (const begun = performance.now(); drawn === looks && at < buttons.length && performance.now() - begun < SLICE; at++) {
        const [layer, head] = [Math.floor(at / attention.heads), at % attention.heads];
        buttons[at].replaceChildren(small(attention, layer, head, now));
      }
      if (drawn === looks && at < buttons.length) setTimeout(slice);
    };
    slice();
  };
  state.listen(draw);
  dark.addEventListener("change", () => draw(state.now));
}
