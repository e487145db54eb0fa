// From weights to colours, as in the figures.

const dark = matchMedia("(prefers-color-scheme: dark)");
const palettes = Object.fromEntries(
  Object.entries(record.page.palette).map(([theme, hex]) => [theme, hex.match(/.{6}/g).map((colour) => parseInt(colour, 16))]),
);
/** Weights below this are one colour on a logarithmic scale. */
const SMALLEST = 1e-4;

function palette() {
  return palettes[dark.matches ? "dark" : "light"];
}

/** A weight's place on the scale, from 0 to 1. */
function place(value, scale) {
  const share = Math.min(Math.max(value, 0), 1);
  if (scale === "sqrt") return Math.sqrt(share);
  if (scale === "log") return Math.max(0, 1 - Math.log10(Math.max(share, SMALLEST)) / Math.log10(SMALLEST));
  return share;
}

/** Red, green and blue in one number. */
function colour(value, scale) {
  const colours = palette();
  return colours[Math.round(place(value, scale) * (colours.length - 1))];
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
