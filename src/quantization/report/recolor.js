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

/** List the colors of packed pixels once each, and which of them each pixel has. */
function distinctColors(pixels) {
  const seen = new Int32Array(1 << 24);
  const colors = [];
  const indices = new Uint32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) {
    const color = pixels[i] & 0xffffff;
    indices[i] = (seen[color] ||= colors.push(color)) - 1;
  }
  return {colors, indices};
}

/** Put packed colors into a space, three coordinates after each other. */
function coordinates(colors, space) {
  const points = new Float64Array(3 * colors.length);
  colors.forEach((color, i) => points.set(SPACES[space](unpack(color)), 3 * i));
  return points;
}

/**
 * Return which of the centers is nearest to each of the points, of equals the first.
 *
 * The search goes along the first coordinate, up and down from the nearest center of the point
 * before, until that coordinate alone is too far off.
 */
function nearest(points, centers) {
  const order = Array.from({length: centers.length / 3}, (_, j) => j);
  order.sort((a, b) => centers[3 * a] - centers[3 * b]);
  const [xs, ys, zs] = [0, 1, 2].map((axis) => Float64Array.from(order, (j) => centers[3 * j + axis]));
  const labels = new Uint8Array(points.length / 3);
  let best = 0;
  for (let i = 0, p = 0; i < labels.length; i++, p += 3) {
    const x = points[p], y = points[p + 1], z = points[p + 2];
    const start = best;
    let least = (x - xs[start]) ** 2 + (y - ys[start]) ** 2 + (z - zs[start]) ** 2;
    for (let step = 1; step >= -1; step -= 2) {
      for (let j = start + step; j >= 0 && j < xs.length; j += step) {
        const dx = step * (xs[j] - x), dy = y - ys[j], dz = z - zs[j];
        if (dx > 0 && dx * dx > least) break;
        const distance = dx * dx + dy * dy + dz * dz;
        if (distance < least || (distance === least && order[j] < order[best])) {
          least = distance;
          best = j;
        }
      }
    }
    labels[i] = order[best];
  }
  return labels;
}

/** Gives the pixels of one picture the colors of any palette. */
class Picture {
  /** pixels: Uint32Array as a canvas packs them; space: a name of `SPACES`. */
  constructor(pixels, {space}) {
    Object.assign(this, {pixels, space});
    const {colors, indices} = distinctColors(pixels);
    this.indices = indices;
    this.points = coordinates(colors, space);
  }

  /** Return the index into the palette, an array of packed colors, of each pixel's color. */
  labels(palette) {
    const centers = coordinates(palette, this.space);
    const ofColors = nearest(this.points, centers);
    const labels = new Uint8Array(this.pixels.length);
    for (let i = 0; i < labels.length; i++) labels[i] = ofColors[this.indices[i]];
    return labels;
  }
}
