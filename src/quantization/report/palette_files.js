// Palettes as files, as `quantization.palette_files` writes them, and in formats for the web.
// A palette is a list of {color, share}, where the share is null if it is not known.

// Ties are rounded as Python does.
const percent = new Intl.NumberFormat("en", {
  style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1, roundingMode: "halfEven",
}).format;
const label = ({color, share}) => color + (share === null ? "" : ` ${percent(share)}`);
const levels = (color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));

function toGpl(name, palette) {
  const colors = palette.map((swatch) => {
    const padded = levels(swatch.color).map((level) => String(level).padStart(3));
    return `${padded.join(" ")}\t${label(swatch)}\n`;
  });
  const columns = Math.min(palette.length, 16);
  return `GIMP Palette\nName: ${name}\nColumns: ${columns}\n#\n${colors.join("")}`;
}

function toCss(name, palette) {
  const lines = palette.map(({color, share}, i) =>
    `  --color-${i + 1}: ${color};` + (share === null ? "" : ` /* ${percent(share)} */`));
  return [`/* ${name.replaceAll("*/", "* /")} */`, ":root {", ...lines, "}", ""].join("\n");
}

function toTailwind(name, palette) {
  const lines = palette.map(({color}, i) => `  --color-palette-${i + 1}: ${color};`);
  return [`/* ${name.replaceAll("*/", "* /")} */`, "@theme {", ...lines, "}", ""].join("\n");
}

function toJson(name, palette) {
  return JSON.stringify({name, palette}, null, 2) + "\n";
}

function toHexList(name, palette) {
  return palette.map(({color}) => color + "\n").join("");
}

/** Return the bytes of an Adobe Swatch Exchange file. */
function toAse(name, palette) {
  const bytes = [];
  const put = (size, ...numbers) => {
    for (const number of numbers) {
      for (let shift = 8 * (size - 1); shift >= 0; shift -= 8) bytes.push((number >> shift) & 255);
    }
  };
  const text = (string) => {
    const units = Array.from({length: string.length + 1}, (_, i) => string.charCodeAt(i) || 0);
    return [units.length, ...units];
  };
  const float = new DataView(new ArrayBuffer(4));
  put(1, ...[..."ASEF"].map((letter) => letter.charCodeAt()));
  put(2, 1, 0);
  put(4, palette.length + 2);
  const group = text(name);
  put(2, 0xc001);
  put(4, 2 * group.length);
  put(2, ...group);
  for (const swatch of palette) {
    const title = text(label(swatch));
    put(2, 0x0001);
    put(4, 2 * title.length + 18);
    put(2, ...title);
    put(1, ...[..."RGB "].map((letter) => letter.charCodeAt()));
    for (const level of levels(swatch.color)) {
      float.setFloat32(0, level / 255);
      put(4, float.getInt32(0));
    }
    put(2, 2);
  }
  put(2, 0xc002);
  put(4, 0);
  return new Uint8Array(bytes);
}

/** What writes each format, by its file extension: text, or bytes. */
const WRITERS = {
  txt: toHexList, css: toCss, "tailwind.css": toTailwind, json: toJson, gpl: toGpl, ase: toAse,
};
