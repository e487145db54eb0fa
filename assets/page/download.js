// What is on the page as files, from the numbers that are drawn.

function save(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** All numbers, as `attnviz -o FILE.json` writes them; where they were rounded to be packed, the file says so. */
function asJson(attention, place) {
  const maps = attention.names.layers.map((_, layer) =>
    attention.names.heads.map((_, head) =>
      Array.from({ length: attention.queries }, (_, query) => {
        const row = attention.row(layer, head, query).map((value) => (Number.isNaN(value) ? null : value));
        return row.concat(Array(attention.keys - row.length).fill(0));
      }),
    ),
  );
  const { page, ...own } = record;
  const results = own.results.map((entry, at) => (at === place ? { ...entry, attention: maps } : entry));
  return { ...own, results, ...(attention.exact ? {} : { rounded: "attention was packed into 100 levels of its square root" }) };
}

/** The chosen head as rows of query and key. A text that a spreadsheet would run has an apostrophe in front. */
function asCsv(attention, { layer, head }, texts) {
  const quoted = (text) => {
    const safe = /^'*[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) || safe.trim() !== safe ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = ["layer,head,query,query_token,key,key_token,attention"];
  const [layerName, headName] = [attention.names.layers[layer], attention.names.heads[head]];
  for (let query = 0; query < attention.queries; query++) {
    attention.row(layer, head, query).forEach((value, key) => {
      const [from, to] = [texts.queries[query], texts.keys[key]].map(quoted);
      const weight = Number.isNaN(value) ? "" : Number(value.toPrecision(attention.exact ? 9 : 3));
      lines.push([layerName, headName, attention.past + query, from, key, to, weight].join(","));
    });
  }
  return `${lines.join("\n")}\n`;
}
