// From weights to colours, as in the figures.

const dark = matchMedia("(prefers-color-scheme: dark)");
const palettes = Object.fromEntries(
  Object.entries(record.page.palette).map(([theme, hex]) => [theme, hex.match(/.{6}/g).map((colour) => parseInt(colour, 16))]),
);
/** Weights below this are one colour on a logarithmic scale. */
const SMALLEST = 1e-4;

// Asked for once: a map has a million cells. This listens first, so that whoever draws again finds the new colours.
let palette = palettes[dark.matches ? "dark" : "light"];
dark.addEventListener("change", () => (palette = palettes[dark.matches ? "dark" : "light"]));

/** A weight's place on the scale, from 0 to 1. */
function place(value, scale) {
  const share = Math.min(Math.max(value, 0), 1);
  if (scale === "sqrt") return Math.sqrt(share);
  if (scale === "log") return Math.max(0, 1 - Math.log10(Math.max(share, SMALLEST)) / Math.log10(SMALLEST));
  return share;
}

/** Red, green and blue in one number. */
function colour(value, scale) {
  return palette[Math.round(place(value, scale) * (palette.length - 1))];
}

/** The pixel of each weight that is embedded, by its place there: opaque, or nothing where no weight is known. */
function pixelsOf(attention, scale) {
  const pixel = (value) => {
    if (Number.isNaN(value)) return 0;
    const rgb = colour(value, scale);
    return ((255 << 24) | ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0; // red is the lowest byte
  };
  if (attention.exact) return (place) => pixel(attention.values[place]);
  const levels = Uint32Array.from(attention.decoded, pixel);
  return (place) => levels[attention.values[place]];
}

function css(value, scale) {
  return `#${colour(value, scale).toString(16).padStart(6, "0")}`;
}

/** Ink that can be read on a colour, by its relative luminance. */
function ink(rgb) {
  const linear = [16, 8, 0].map((shift) => {
    const level = ((rgb >> shift) & 255) / 255;
    return level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.18 ? "#000000" : "#ffffff";
}
