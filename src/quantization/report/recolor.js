// The result's picture, as `quantization.recolor` makes it of an image without dithering.
// tests/browser holds this page's pictures against its own, pixel by pixel.

const LINEAR_TO_LMS = [
  [0.4122214708, 0.5363325363, 0.0514459929],
  [0.2119034982, 0.6806995451, 0.1073969566],
  [0.0883024619, 0.2817188376, 0.6299787005],
];
const LMS_TO_OKLAB = [
  [0.2104542553, 0.793617785, -0.0040720468],
  [1.9779984951, -2.428592205, 0.4505937099],
  [0.0259040371, 0.7827717662, -0.808675766],
];
const LINEAR = Float64Array.from({length: 256}, (_, level) => {
  const x = level / 255;
  return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
});

/** Convert [red, green, blue] levels to OKLab. */
function toOklab(levels) {
  const multiply = (matrix, v) => matrix.map((m) => m[0] * v[0] + m[1] * v[1] + m[2] * v[2]);
  const linear = Array.from(levels, (level) => LINEAR[level]);
  return multiply(LMS_TO_OKLAB, multiply(LINEAR_TO_LMS, linear).map(Math.cbrt));
}

/** Take apart a color that is packed as a canvas packs it, red in the lowest byte. */
const unpack = (color) => [color & 255, (color >> 8) & 255, (color >> 16) & 255];

/** Where distances are measured, as `to_space` in `quantization.color` has it. */
const SPACES = {
  rgb: (levels) => levels,
  oklab: (levels) => {
    const [lightness, a, b] = toOklab(levels);
    const [k1, k2] = [0.206, 0.03];
    const k3 = (1 + k1) / (1 + k2);
    const bent = k3 * lightness - k1;
    const toe = (bent + Math.sqrt(bent ** 2 + 4 * k2 * k3 * lightness)) / 2;
    return [toe, a, b].map((coordinate) => Math.round(4096 * coordinate));
  },
};

/** Return which cell of the RGB cube, 16 levels wide, a packed color lies in. */
const cellOf = (color) => ((color & 0xf0) << 4) | ((color & 0xf000) >> 8) | ((color & 0xf00000) >> 20);

/** List the colors of packed pixels once each, cell by cell, and which of them each pixel has. */
function distinctColors(pixels) {
  const seen = new Uint32Array(1 << 24);
  const keys = [];
  for (const pixel of pixels) {
    const color = pixel & 0xffffff;
    if (!seen[color]) keys.push(cellOf(color) * 2 ** 24 + color);
    seen[color] = 1;
  }
  const colors = Array.from(Float64Array.from(keys).sort(), (key) => key % 2 ** 24);
  colors.forEach((color, i) => (seen[color] = i));
  return {colors, indices: pixels.map((pixel) => seen[pixel & 0xffffff])};
}

/** Put packed colors into a space, three coordinates after each other. */
function coordinates(colors, space) {
  const points = new Float64Array(3 * colors.length);
  colors.forEach((color, i) => points.set(SPACES[space](unpack(color)), 3 * i));
  return points;
}

/** Return the squared distance of the i-th point of one array from the j-th of another. */
function squaredDistance(a, i, b, j) {
  const x = a[3 * i] - b[3 * j], y = a[3 * i + 1] - b[3 * j + 1], z = a[3 * i + 2] - b[3 * j + 2];
  return x * x + y * y + z * z;
}

/** Enclose the points of each cell's colors in a ball: return where they end, and the balls. */
function enclose(colors, points) {
  const ends = colors.map((_, i) => i + 1)
    .filter((end) => end === colors.length || cellOf(colors[end]) !== cellOf(colors[end - 1]));
  const middles = new Float64Array(3 * ends.length);
  const radii = new Float64Array(ends.length);
  ends.forEach((end, cell) => {
    const start = ends[cell - 1] ?? 0;
    for (let i = 3 * start; i < 3 * end; i++) middles[3 * cell + i % 3] += points[i] / (end - start);
    for (let i = start; i < end; i++) {
      radii[cell] = Math.max(radii[cell], Math.sqrt(squaredDistance(points, i, middles, cell)));
    }
  });
  return {ends, middles, radii};
}

/** Return which of the centers is nearest to each of the enclosed points, of equals the first. */
function nearest(points, {ends, middles, radii}, centers) {
  const labels = new Uint8Array(points.length / 3);
  const count = centers.length / 3;
  const distances = new Float64Array(count);
  const near = new Uint8Array(count);
  for (let cell = 0, i = 0; cell < ends.length; cell++) {
    let least = Infinity;
    for (let j = 0; j < count; j++) {
      distances[j] = squaredDistance(middles, cell, centers, j);
      least = Math.min(least, distances[j]);
    }
    // What is farther from the middle is nearest to no point of the cell. Roots are not exact.
    const limit = (Math.sqrt(least) + 2 * radii[cell] + 1e-6) ** 2;
    let candidates = 0;
    for (let j = 0; j < count; j++) if (distances[j] <= limit) near[candidates++] = j;
    for (; i < ends[cell]; i++) {
      const x = points[3 * i], y = points[3 * i + 1], z = points[3 * i + 2];
      let closest = Infinity;
      let label;
      for (let n = 0; n < candidates; n++) {
        const j = 3 * near[n];
        const distance = (x - centers[j]) ** 2 + (y - centers[j + 1]) ** 2 + (z - centers[j + 2]) ** 2;
        if (distance < closest) {
          closest = distance;
          label = near[n];
        }
      }
      labels[i] = label;
    }
  }
  return labels;
}

/** Gives the pixels of one picture the colors of any palette, an array of packed colors. */
class Picture {
  /** pixels: Uint32Array as a canvas packs them; space: a name of `SPACES`. */
  constructor(pixels, {space}) {
    const {colors, indices} = distinctColors(pixels);
    Object.assign(this, {pixels, space, indices});
    this.points = coordinates(colors, space);
    this.balls = enclose(colors, this.points);
    this.visible = new Float64Array(colors.length);
    for (let i = 0; i < pixels.length; i++) this.visible[indices[i]] += pixels[i] >>> 24 ? 1 : 0;
  }

  /** Give each color its nearest of a palette. */
  recolor(palette) {
    this.palette = Uint32Array.from(palette);
    this.labels = nearest(this.points, this.balls, coordinates(palette, this.space));
  }

  /** Return the share of the visible pixels that each color of the palette has. */
  shares() {
    const {labels, visible} = this;
    const shares = new Float64Array(this.palette.length);
    for (let i = 0; i < labels.length; i++) shares[labels[i]] += visible[i];
    const all = shares.reduce((sum, share) => sum + share);
    return shares.map((share) => share / all);
  }

  /** Write the recolored pixels, packed; where one label is lit up, the others faintly. */
  paint(target, lit) {
    const {pixels, indices, palette, labels} = this;
    for (let i = 0; i < pixels.length; i++) {
      target[i] = palette[labels[indices[i]]] | (pixels[i] & 0xff000000);
    }
    if (lit === null) return;
    for (let i = 0; i < pixels.length; i++) {
      if (labels[indices[i]] !== lit) target[i] = (target[i] & 0xffffff) | ((pixels[i] >>> 27) << 24);
    }
  }
}
