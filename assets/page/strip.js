// The text. A chosen query shades the tokens that it attends to; a dotted line stands under those that attend to it.

function tokenStrip(element, attention, state, tokens) {
  const buttons = tokens.keys.map((label, key) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    const query = key - attention.past;
    button.disabled = query < 0 || query >= attention.queries;
    button.addEventListener("click", () => state.set({ query: state.now.query === query ? null : query, key: null }));
    return button;
  });
  element.append(...buttons);
  const draw = (now) => {
    const row = now.query === null ? [] : attention.row(now.layer, now.head, now.query);
    buttons.forEach((button, key) => {
      const query = key - attention.past;
      const value = row[key];
      const shown = value !== undefined && !Number.isNaN(value) && !(now.sink === "hide" && key === 0);
      button.style.backgroundColor = shown ? css(value, now.scale) : "";
      button.style.color = shown ? ink(colour(value, now.scale)) : "";
      button.classList.toggle("query", query === now.query);
      button.setAttribute("aria-pressed", query === now.query);
      const back = now.query === null || query < 0 ? NaN : attention.at(now.layer, now.head, query, now.query + attention.past);
      button.style.borderBottom = back > 0.05 && query !== now.query ? `2px dotted var(--from)` : "";
      button.title = shown ? attention.said(value) : "";
    });
  };
  state.listen(draw);
  dark.addEventListener("change", () => draw(state.now));
}
