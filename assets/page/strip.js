// The text. Chosen queries shade the tokens that they attend to; a bar under a token is what it gives to them.

function tokenStrip(element, attention, state, tokens) {
  const buttons = tokens.keys.map((label, key) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    const query = key - attention.past;
    button.disabled = query < 0 || query >= attention.queries;
    button.addEventListener("click", (event) => {
      state.choose(query, state.now.pick === "several" || event.shiftKey || event.ctrlKey || event.metaKey);
    });
    return button;
  });
  element.append(...buttons);
  const draw = (now) => {
    const count = now.queries.length;
    const row = count ? attention.sum(now) : [];
    const back = count ? attention.received(now) : [];
    buttons.forEach((button, key) => {
      const query = key - attention.past;
      const value = row[key];
      const shown = value !== undefined && !Number.isNaN(value) && !(now.sink === "hide" && key === 0);
      button.style.backgroundColor = shown ? css(value / count, now.scale) : "";
      button.style.color = shown ? ink(colour(value / count, now.scale)) : "";
      button.classList.toggle("query", now.queries.includes(query));
      button.setAttribute("aria-pressed", now.queries.includes(query));
      const given = back[query] ?? 0;
      button.style.boxShadow = given > WEAK ? `inset 0 -${(1 + 4 * place(given / count, now.scale)).toFixed(1)}px var(--from)` : "";
      button.title = [shown ? `gets ${attention.said(value)}` : "", given > 0 ? `gives ${attention.said(given)}` : ""].filter(Boolean).join(", ");
    });
  };
  state.listen(draw);
  dark.addEventListener("change", () => draw(state.now));
}
