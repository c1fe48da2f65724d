// The page: one number of colors K for the picture, the palette and the curves together.

const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];

const ks = Object.keys(data.palettes).map(Number);
const shares = new Map(data.shares);
const amount = (k) => (k === 1 ? "1 color" : `${k} colors`);
const pack = (color) => levels(color).reduce((sum, level, i) => sum + level * 256 ** i, 0);

let k = data.k;
let order = "use";
let lit = null;
let picture, canvas, drawing;
let palette = [];  // {color, share, label}, as displayed

const ORDERS = {
  use: (swatch) => [-swatch.used],
  hue: (swatch) => {
    const [lightness, a, b] = toOklab(levels(swatch.color));
    const hue = Math.atan2(b, a);
    return Math.hypot(a, b) < 0.02 ? [0, lightness] : [1, hue < 0 ? hue + 2 * Math.PI : hue];
  },
  lightness: (swatch) => [toOklab(levels(swatch.color))[0]],
};

/** Show the picture, its palette and its scores with another K. */
function choose(value) {
  // A K that could not be fitted is passed over, whichever way one comes.
  const beyond = value > k ? ks.find((other) => other >= value) : ks.findLast((other) => other <= value);
  k = beyond ?? k;
  lit = null;
  picture.recolor(data.palettes[k].map(pack));
  draw();
  listPalette();
  const [silhouette, error] = data.scores[k];
  const said = [amount(k), `error ${error.toFixed(2)}`];
  if (silhouette !== null) said.push(`silhouette ${silhouette.toFixed(2)}`);
  element("amount").textContent = amount(k);
  element("reading").textContent = said.slice(1).join(", ")
    + (k === data.k ? "" : `; the file beside this page has ${amount(data.k)}`);
  canvas.setAttribute("aria-label", `The result in ${amount(k)}`);
  for (const slider of all("input.k")) {
    slider.value = k;
    slider.setAttribute("aria-valuetext", said.join(", "));
  }
  for (const button of all("button[data-k]")) button.ariaPressed = Number(button.dataset.k) === k;
  for (const dot of all("circle")) dot.classList.toggle("shown", Number(dot.dataset.k) === k);
}

/** Draw the picture; where one color is lit up, the pixels of others faintly. */
function draw() {
  picture.paint(new Uint32Array(drawing.data.buffer), lit);
  canvas.getContext("2d").putImageData(drawing, 0, 0);
  element("compare").classList.toggle("lit", lit !== null);
}

/** Have an element hold so many copies of its first child; return them. */
function copies(parent, count) {
  while (parent.childElementCount > count) parent.lastElementChild.remove();
  while (parent.childElementCount < count) parent.append(parent.firstElementChild.cloneNode(true));
  return [...parent.children];
}

/** List the palette in the order that is asked for. */
function listPalette() {
  const drawn = picture.shares();
  palette = data.palettes[k].map((color, label) => {
    const share = k === data.k ? shares.get(color) : null;
    return {color, share, label, used: share ?? drawn[label]};
  });
  const key = ORDERS[order];
  palette.sort((a, b) => key(a).map((value, i) => value - key(b)[i]).find(Boolean) ?? 0);

  copies(element("palette"), palette.length).forEach((item, i) => {
    const {color, used, label} = palette[i];
    item.querySelector("rect").setAttribute("fill", color);
    item.querySelector("code").textContent = color;
    item.querySelector("small").textContent = used > 0 && used < 0.001 ? "< 0.1%" : percent(used);
    item.firstElementChild.dataset.label = label;
  });
  let left = 0;
  copies(element("shares"), palette.length).forEach((bar, i) => {
    const {color, used} = palette[i];
    for (const [name, value] of Object.entries({x: left, width: used, fill: color})) {
      bar.setAttribute(name, value);
    }
    left += used;
  });
  showExport();
}

/** Return what the chosen format says: text or bytes, of the palette as it is displayed. */
function exported() {
  const swatches = palette.map(({color, share}) => ({color, share}));
  return WRITERS[element("format").value](data.name, swatches);
}

function showExport() {
  const content = element("format").value in WRITERS ? exported() : null;
  const isText = typeof content === "string";
  element("text").hidden = element("copy").hidden = !isText;
  if (isText) element("text").value = content;
}

async function download() {
  const format = element("format").value;
  const blob = format === "png"
    ? await new Promise((resolve) => canvas.toBlob(resolve))
    : new Blob([exported()]);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${data.stem}-${k}.${format}`;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Copy a text; say so in words, and for a while on the element that was clicked. */
async function copy(text, what, clicked) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // where pages from disk have no clipboard
    const field = document.body.appendChild(document.createElement("textarea"));
    field.value = text;
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  element("copied").textContent = `${what} copied.`;
  clicked.classList.add("copied");
  setTimeout(() => clicked.classList.remove("copied"), 1200);
}

function lightUp(event) {
  const button = event.target.closest?.("#palette button");
  const wanted = button ? Number(button.dataset.label) : null;
  if (wanted === lit) return;
  lit = wanted;
  draw();
}

function start() {
  const original = element("original");
  canvas = element("result");
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.drawImage(original, 0, 0);
  const {buffer} = context.getImageData(0, 0, canvas.width, canvas.height).data;
  picture = new Picture(new Uint32Array(buffer), data);
  drawing = context.createImageData(canvas.width, canvas.height);
  choose(k);
}

element("split").addEventListener("input", ({target}) => {
  element("compare").style.setProperty("--split", `${target.value}%`);
  target.setAttribute("aria-valuetext", `${target.value} % original`);
});
for (const slider of all("input.k")) {
  slider.addEventListener("input", () => choose(Number(slider.value)));
}
for (const button of all("button[data-k]")) {
  button.addEventListener("click", () => choose(Number(button.dataset.k)));
}
for (const button of all("button[data-zoom]")) {
  button.addEventListener("click", () => {
    element("view").dataset.zoom = button.dataset.zoom;
    for (const other of all("button[data-zoom]")) other.ariaPressed = other === button;
  });
}
element("full").hidden = !document.fullscreenEnabled;
element("full").addEventListener("click", () =>
  document.fullscreenElement ? document.exitFullscreen() : element("stage").requestFullscreen());
element("order").addEventListener("change", ({target}) => {
  order = target.value;
  listPalette();
});
for (const type of ["pointerover", "focusin"]) element("palette").addEventListener(type, lightUp);
for (const type of ["pointerleave", "focusout"]) {
  element("palette").addEventListener(type, () => lightUp({target: document}));
}
element("palette").addEventListener("click", ({target}) => {
  const code = target.closest("button")?.querySelector("code");
  if (code) copy(code.textContent, code.textContent, code);
});
element("format").addEventListener("change", showExport);
element("copy").addEventListener("click", ({target}) => {
  copy(element("text").value, "Palette", target);
});
element("download").addEventListener("click", download);

// On paper everything is open.
const closed = [];
addEventListener("beforeprint", () => {
  closed.push(...all("details:not([open])"));
  for (const details of closed) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of closed.splice(0)) details.open = false;
});

element("original").decode().then(start);
