"use strict";
// The feature page: one image at a time, two of its pictures compared with a slider, and for a chosen patch a map of
// cosines for each encoder. A patch is kept as bytes; low + step * byte are numbers whose dot product is the cosine.

const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
// chosen: { image, x, y }, x and y as shares of the image's sides; pointed: { x, y } in the shown image
const state = { image: 0, chosen: null, pointed: null };

function decodeBytes(text) {
  return Uint8Array.from(atob(text), (mark) => mark.charCodeAt(0));
}

function make(tag, parent, text, className) {
  const made = parent.appendChild(document.createElement(tag));
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// ---- numbers

function gridOf(image, source) {
  const grid = data.images[image].grids[source];
  if (typeof grid.codes === "string") grid.codes = decodeBytes(grid.codes);
  return grid;
}

function patchAt(grid, x, y) {
  const row = Math.min(Math.floor(y * grid.rows), grid.rows - 1);
  const column = Math.min(Math.floor(x * grid.columns), grid.columns - 1);
  return { row, column, place: row * grid.columns + column };
}

/** Cosines of every patch of an image with the chosen patch, for one encoder: Float32Array in reading order. */
function cosines(image, source, chosen) {
  const { low, step } = data.sources[source];
  const channels = low.length;
  const from = gridOf(chosen.image, source);
  const start = patchAt(from, chosen.x, chosen.y).place * channels;
  const query = low.map((least, k) => least + step[k] * from.codes[start + k]);
  const weights = query.map((value, k) => value * step[k]);
  const constant = query.reduce((sum, value, k) => sum + value * low[k], 0);
  const grid = gridOf(image, source);
  const values = new Float32Array(grid.rows * grid.columns);
  for (let place = 0, at = 0; place < values.length; place++) {
    let sum = constant;
    for (let k = 0; k < channels; k++, at++) sum += weights[k] * grid.codes[at];
    values[place] = Math.max(-1, Math.min(1, sum));
  }
  return values;
}

/** Width over height at which an image is shown; a strip is widened, so that it can be seen. */
function shapeOf(image) {
  return Math.max(1 / 6, Math.min(6, image.width / image.height));
}

function written(value) {
  return value.toFixed(2).replace(/^-0\.00$/, "0.00").replace("-", "\u2212");
}

// ---- the two pictures

function showPictures() {
  const image = data.images[state.image];
  const stack = find("viewer");
  stack.style.aspectRatio = shapeOf(image);
  stack.style.maxWidth = `min(100%, calc(50vh * ${shapeOf(image)}))`;
  for (const side of ["left", "right"]) {
    const column = Number(find(`${side}-choice`).value);
    find(`${side}-picture`).src = image.pictures[column];
    find(`${side}-picture`).alt = `${image.name}: ${data.columns[column]}`;
    find(`${side}-tag`).textContent = data.columns[column];
  }
  moveDivider();
}

function moveDivider() {
  const share = Number(find("slider").value);
  find("right-picture").style.clipPath = `inset(0 0 0 ${share}%)`;
  find("divider").style.left = `${share}%`;
}

function shareOf(event) {
  const box = event.currentTarget.getBoundingClientRect();
  const inside = (at, start, side) => Math.max(0, Math.min(1 - 1e-9, (at - start) / side));
  return { x: inside(event.clientX, box.left, box.width), y: inside(event.clientY, box.top, box.height) };
}

function followPointer() {
  const stack = find("viewer");
  let pressed = null;
  stack.addEventListener("pointerdown", (event) => {
    if (event.button || !event.isPrimary) return;
    pressed = event;
    stack.setPointerCapture(event.pointerId);
  });
  stack.addEventListener("pointermove", (event) => {
    if (pressed === null) return;
    if (Math.hypot(event.clientX - pressed.clientX, event.clientY - pressed.clientY) >= 5) stack.dragging = true;
    if (!stack.dragging) return;
    find("slider").value = 100 * shareOf(event).x;
    moveDivider();
  });
  stack.addEventListener("pointerup", (event) => {
    if (pressed !== null && !stack.dragging) choose(shareOf(event));
    pressed = null;
    stack.dragging = false;
  });
  stack.addEventListener("pointercancel", () => { pressed = null; stack.dragging = false; });
}

// ---- the maps

function choose(share) {
  state.chosen = { image: state.image, ...share };
  state.pointed = share;
  showMaps();
}

/** Choose the neighbour of the chosen patch, or of the middle one. */
function moveChosen(across, down) {
  const grid = data.images[state.image].grids[0];
  const here = state.chosen && state.chosen.image === state.image ? state.chosen : { x: 0.5, y: 0.5 };
  const { row, column } = patchAt(grid, here.x, here.y);
  const within = (place, count) => (Math.max(0, Math.min(count - 1, place)) + 0.5) / count;
  choose({ x: within(column + across, grid.columns), y: within(row + down, grid.rows) });
}

function markPatch(stack, source) {
  stack.querySelectorAll(".mark").forEach((mark) => mark.remove());
  if (!state.chosen || state.chosen.image !== state.image) return;
  const grid = data.images[state.image].grids[source];
  const { row, column } = patchAt(grid, state.chosen.x, state.chosen.y);
  const mark = make("div", stack, undefined, "mark");
  Object.assign(mark.style, {
    left: `${100 * (column + 0.5) / grid.columns}%`, top: `${100 * (row + 0.5) / grid.rows}%`,
    width: `${100 / grid.columns}%`, height: `${100 / grid.rows}%`,
  });
}

function showMaps() {
  const image = data.images[state.image];
  markPatch(find("viewer"), 0);
  find("maps").replaceChildren();
  find("chosen").hidden = !state.chosen;
  find("hint").hidden = Boolean(state.chosen);
  if (!state.chosen) return;
  const { row, column } = patchAt(data.images[state.chosen.image].grids[0], state.chosen.x, state.chosen.y);
  find("query").textContent =
    `Cosine with the patch in row ${row + 1}, column ${column + 1} of ${data.images[state.chosen.image].name}`;
  const planes = data.sources.map((_, source) => cosines(state.image, source, state.chosen));
  const ends = planes.map((plane) => plane.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [1, -1]));
  const common = [Math.min(...ends.map((end) => end[0])), Math.max(...ends.map((end) => end[1]))];
  planes.forEach((plane, source) => drawMap(image, source, plane, find("common").checked ? common : ends[source]));
}

function drawMap(image, source, plane, [least, most]) {
  const grid = image.grids[source];
  const figure = make("figure", find("maps"));
  make("figcaption", figure, data.sources[source].name);
  const stack = make("div", figure, undefined, "stack");
  stack.style.aspectRatio = shapeOf(image);
  stack.style.maxWidth = `min(100%, calc(60vh * ${shapeOf(image)}))`;
  const beneath = find("beneath").checked;
  if (beneath) Object.assign(make("img", stack), { src: image.pictures[0], alt: "" });
  const canvas = Object.assign(make("canvas", stack), { width: grid.columns, height: grid.rows });
  canvas.style.opacity = beneath ? 0.7 : 1;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(grid.columns, grid.rows);
  plane.forEach((value, place) => {
    const level = most > least ? Math.max(0, Math.min(255, Math.round(255 * (value - least) / (most - least)))) : 0;
    pixels.data.set(heat.subarray(3 * level, 3 * level + 3), 4 * place);
    pixels.data[4 * place + 3] = 255;
  });
  context.putImageData(pixels, 0, 0);
  markPatch(stack, source);
  const scale = make("div", figure, undefined, "scale");
  make("span", scale, written(least));
  const stops = Array.from({ length: 18 }, (_, k) => Array.from(heat.subarray(45 * k, 45 * k + 3)));
  make("span", scale).style.background = `linear-gradient(to right, ${stops.map((stop) => `rgb(${stop})`).join(", ")})`;
  make("span", scale, written(most));
  const reading = make("div", figure, "", "reading");
  const read = () => {
    const patch = state.pointed && patchAt(grid, state.pointed.x, state.pointed.y);
    reading.textContent = patch ? `row ${patch.row + 1}, column ${patch.column + 1}: ${written(plane[patch.place])}` : "";
  };
  read();
  stack.addEventListener("pointermove", (event) => { state.pointed = shareOf(event); read(); });
  stack.addEventListener("pointerleave", () => { state.pointed = null; read(); });
  stack.addEventListener("click", (event) => choose(shareOf(event)));
}

// ---- choices

function showImage(place) {
  state.pointed = null;
  state.image = (place + data.images.length) % data.images.length;
  const { name } = data.images[state.image];
  find("image-name").textContent = `${name} (${state.image + 1} of ${data.images.length})`;
  Array.from(find("strip").children).forEach((button, at) => {
    button.setAttribute("aria-current", at === state.image);
    if (at === state.image) find("strip").scrollLeft = button.offsetLeft - find("strip").clientWidth / 2;
  });
  showPictures();
  showMaps();
}

function fillChoices() {
  for (const side of ["left", "right"]) {
    data.columns.forEach((name, column) => { make("option", find(`${side}-choice`), name).value = column; });
    find(`${side}-choice`).addEventListener("change", showPictures);
  }
  find("left-choice").value = 0;
  find("right-choice").value = 1;
  data.images.forEach((image, place) => {
    const button = make("button", find("strip"));
    button.title = image.name;
    Object.assign(make("img", button), { src: image.pictures[0], alt: image.name, loading: "lazy" });
    button.addEventListener("click", () => showImage(place));
  });
  find("several").hidden = find("strip").hidden = data.images.length === 1;
  find("previous").addEventListener("click", () => showImage(state.image - 1));
  find("next").addEventListener("click", () => showImage(state.image + 1));
  find("slider").addEventListener("input", moveDivider);
  find("beneath").addEventListener("change", showMaps);
  find("common").addEventListener("change", showMaps);
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input[type=range], select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (move && event.shiftKey) {
      event.preventDefault();
      moveChosen(...move);
    } else if (move && move[0]) {
      showImage(state.image + move[0]);
    }
  });
}

const heat = decodeBytes(data.heat);  // 256 colours, 3 bytes each
fillChoices();
followPointer();
showImage(0);
