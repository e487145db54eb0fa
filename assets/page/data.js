// The record that the page embeds: drawing, text and downloads all read it here.

const record = JSON.parse(document.getElementById("attnviz").textContent);

/** The bytes of an embedded array: base64 of deflated numbers, a line for each piece. */
async function unpack(element) {
  const inflate = (line) => {
    const letters = atob(line);
    const packed = new Uint8Array(letters.length);
    for (let at = 0; at < letters.length; at++) packed[at] = letters.charCodeAt(at); // a call for each letter takes seconds
    // Without blobs, which go through another process.
    const { readable, writable } = new DecompressionStream("deflate");
    const writer = writable.getWriter();
    for (const sent of [writer.write(packed), writer.close()]) sent.catch(() => {}); // who reads is told
    return new Response(readable).arrayBuffer();
  };
  const pieces = await Promise.all(element.textContent.trim().split("\n").map(inflate));
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(new Uint8Array(piece), at);
    at += piece.byteLength;
  }
  return whole.buffer;
}

/** Attention as `[layer][head][query][key]`; of causal attention only what a query sees is there. */
class Attention {
  constructor(about, bytes) {
    [this.layers, this.heads, this.queries, this.keys] = about.shape;
    this.causal = about.causal;
    this.exact = about.encoding === "f32";
    this.decoded = Float64Array.from({ length: 256 }, (_, level) => (level === 255 ? NaN : (level / about.levels) ** 2));
    this.values = this.exact ? new Float32Array(bytes) : new Uint8Array(bytes);
    this.past = this.keys - this.queries;
    this.starts = [0];
    for (let query = 0; query < this.queries; query++) this.starts.push(this.starts[query] + this.seen(query));
    this.names = { layers: about.layers, heads: about.heads };
  }

  /** How many keys a query sees, from the first on. */
  seen(query) {
    return this.causal ? Math.min(this.past + query + 1, this.keys) : this.keys;
  }

  /** A weight; none where the query does not see the key. */
  at(layer, head, query, key) {
    if (key >= this.seen(query)) return NaN;
    return this.value(this.start(layer, head, query) + key);
  }

  /** Where the weights of a query begin. */
  start(layer, head, query) {
    return (layer * this.heads + head) * this.starts[this.queries] + this.starts[query];
  }

  value(place) {
    const value = this.values[place];
    return this.exact ? value : this.decoded[value];
  }

  /** The weights of a query to all keys that it sees. */
  row(layer, head, query) {
    return Array.from({ length: this.seen(query) }, (_, key) => this.at(layer, head, query, key));
  }

  /** What chosen queries give to each key, summed; none where no query of them sees it. */
  sum({ layer, head, queries }) {
    return Array.from({ length: Math.max(...queries.map((query) => this.seen(query))) }, (_, key) => {
      const known = queries.map((query) => this.at(layer, head, query, key)).filter((value) => !Number.isNaN(value));
      return known.length ? known.reduce((sum, value) => sum + value, 0) : NaN;
    });
  }

  /** What each query gives to the places of chosen queries, summed; nothing to itself, which is in the other sum. */
  received({ layer, head, queries }) {
    return Array.from({ length: this.queries }, (_, from) => {
      const values = queries.map((query) => (query === from ? NaN : this.at(layer, head, from, query + this.past)));
      return values.reduce((sum, value) => sum + (Number.isNaN(value) ? 0 : value), 0);
    });
  }

  headName(layer, head) {
    return `${this.names.layers[layer]}.${this.names.heads[head]}`;
  }

  /** A weight in words. Numbers that were rounded to be packed say so. */
  said(value) {
    if (Number.isNaN(value)) return "not seen";
    return this.exact ? String(Number(value.toPrecision(6))) : `about ${Number(value.toPrecision(2))}`;
  }
}
