"use strict";
// The page of a result folder: a list of thumbnails of which only those near the window exist as elements, filters and
// an order for it, and a viewer for one image. A thumbnail holds several views beside each other.

const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const images = data.images;
const thumbnailViews = data.views.filter((view) => view.in_thumbnail).length;
const GAP = 10, LEAST_WIDTH = 150, MOST_WIDTH = 240, TEXT_HEIGHT = 42;  // pixels
// order: places of the images that are shown; view: shown in the list; current: place in the order
const state = { order: [], view: 0, isRising: true, current: 0, open: null, openView: 0 };
const cards = new Map();  // place in the order to element
let cell = { columns: 1, width: MOST_WIDTH, boxHeight: 180, height: 222 };

function make(tag, parent, text, className) {
  const made = parent.appendChild(document.createElement(tag));
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function percent(share) {
  return share > 0 && share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
}

function counted(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

// ---- shares

/** Share of a class in the classified pixels of an image; null for an image that failed. */
function shareOf(image, index) {
  if (image.error !== undefined || !data.classes.length) return null;
  const pixels = image.pixels || [];
  if (image.total === undefined) {
    image.total = 0;
    for (let at = 1; at < pixels.length; at += 2) image.total += pixels[at];
  }
  for (let at = 0; at < pixels.length; at += 2) if (pixels[at] === index) return pixels[at + 1] / image.total;
  return 0;
}

/** Classes of an image with their shares, the largest first. */
function sharesOf(image) {
  const pixels = image.pixels || [];
  const found = [];
  for (let at = 0; at < pixels.length; at += 2) found.push({ index: pixels[at], share: shareOf(image, pixels[at]) });
  return found.sort((one, other) => other.share - one.share || one.index - other.index);
}

function largestShare(image) {
  if (!image.pixels) return null;
  return sharesOf(image)[0].share;
}

// ---- which images, in which order

function chosenClass() {
  return find("class").value === "" ? null : Number(find("class").value);
}

function folded(text) {
  return text.normalize("NFC").toLowerCase();
}

function isWanted(image, words, index, least, most) {
  if (words && !folded(image.name).includes(words)) return false;
  if (find("failed").checked) return image.error !== undefined;
  if (index === null) return true;
  const share = shareOf(image, index);
  if (share === null) return false;
  if (least === "" && most === "") return share > 0;
  return 100 * share >= Number(least) && (most === "" || 100 * share <= Number(most));
}

const keys = {
  name: (image, place) => place,
  share: (image) => (chosenClass() === null ? largestShare(image) : shareOf(image, chosenClass())),
  confidence: (image) => image.confidence ?? null,
};

function choose() {
  const index = chosenClass();
  find("share-tools").hidden = index === null;
  const words = folded(find("search").value);
  const [least, most] = [find("least").value, find("most").value];
  const key = keys[find("sort").value];
  const found = [];
  images.forEach((image, place) => {
    if (isWanted(image, words, index, least, most)) found.push({ place, key: key(image, place) });
  });
  const sign = state.isRising ? 1 : -1;
  const last = (one) => (one.key === null ? 1 : 0);  // images without this number
  found.sort((one, other) => last(one) - last(other) || sign * (one.key - other.key) || one.place - other.place);
  state.order = found.map((one) => one.place);
  state.current = 0;
  find("count").textContent = found.length === images.length
    ? counted(images.length, "image") : `${found.length.toLocaleString("en")} of ${counted(images.length, "image")}`;
  find("direction").textContent = state.isRising ? "\u2191 rising" : "\u2193 falling";
  find("sort").querySelector("[value=share]")?.replaceChildren(
    index === null ? "share of largest class" : `share of ${data.classes[index].name}`);
  const above = find("grid").getBoundingClientRect().top - find("tools").offsetHeight;
  if (above < 0) window.scrollBy(0, above);
  layOut();
}

// ---- the list: only the rows near the window exist

function layOut() {
  const width = find("grid").clientWidth;
  const columns = Math.max(1, Math.floor((width + GAP) / ((width < 700 ? LEAST_WIDTH : MOST_WIDTH) + GAP)));
  const cellWidth = Math.floor((width - GAP * (columns - 1)) / columns);
  const boxHeight = Math.round(cellWidth * 0.75);
  cell = { columns, width: cellWidth, boxHeight, height: boxHeight + TEXT_HEIGHT };
  find("grid").style.height = `${Math.ceil(state.order.length / columns) * (cell.height + GAP)}px`;
  cards.forEach((card) => card.remove());
  cards.clear();
  render();
}

function render() {
  const step = cell.height + GAP;
  const top = -find("grid").getBoundingClientRect().top;
  const first = Math.max(0, Math.floor(top / step) - 1) * cell.columns;
  const end = Math.min(state.order.length, (Math.ceil((top + window.innerHeight) / step) + 1) * cell.columns);
  cards.forEach((card, at) => {
    if (at < first || at >= end) {
      card.remove();
      cards.delete(at);
    }
  });
  for (let at = first; at < end; at++) if (!cards.has(at)) cards.set(at, makeCard(at));
}

function makeCard(at) {
  const image = images[state.order[at]];
  const card = make("button", find("grid"), undefined, image.error === undefined ? "card" : "card failed");
  Object.assign(card.style, {
    left: `${(at % cell.columns) * (cell.width + GAP)}px`,
    top: `${Math.floor(at / cell.columns) * (cell.height + GAP)}px`,
    width: `${cell.width}px`, height: `${cell.height}px`,
  });
  card.title = image.name;
  const box = make("div", card, undefined, "box");
  box.style.height = `${cell.boxHeight}px`;
  if (image.thumbnail) {
    showStrip(box, image, cell.width, cell.boxHeight, state.view);
  } else {
    box.textContent = image.error === undefined ? "no picture" : `failed: ${image.error}`;
  }
  make("div", card, image.name, "name").dir = "auto";
  writeLine(make("div", card, "", "line"), image);
  card.addEventListener("click", () => openViewer(at));
  card.addEventListener("focus", () => { state.current = at; });
  card.addEventListener("pointerenter", (event) => { if (event.pointerType !== "touch") turn(card, image, true); });
  card.addEventListener("pointerleave", () => turn(card, image, false));
  return card;
}

/** What stands under the name: the share or the number that the list is about, and the largest classes. */
function writeLine(line, image) {
  if (image.error !== undefined) return;
  const index = chosenClass();
  const add = (place, share) => {
    make("span", line, undefined, "swatch").style.background = data.classes[place].colour;
    line.append(`${data.classes[place].name} ${percent(share)}  `);
  };
  if (find("sort").value === "confidence") line.append(`confidence ${written(image.confidence)}  `);
  if (index !== null) add(index, shareOf(image, index));
  for (const { index: place, share } of sharesOf(image).slice(0, 3)) if (place !== index) add(place, share);
}

function written(confidence) {
  return confidence === undefined ? "unknown" : confidence.toFixed(3);
}

/** Set a thumbnail into a box and show one of its views. */
function showStrip(box, image, width, height, view) {
  const [high, wide] = image.hw;
  const aspect = Math.max(1 / 6, Math.min(6, wide / high));
  const windowWidth = Math.min(width, height * aspect);
  const frame = make("div", box, undefined, "window");
  Object.assign(frame.style, { width: `${windowWidth}px`, height: `${windowWidth / aspect}px` });
  const strip = make("img", frame);
  Object.assign(strip, { alt: image.name, decoding: "async", draggable: false });
  strip.addEventListener("error", () => { box.textContent = "The thumbnail is gone; run densezero gallery again."; });
  strip.style.width = `${windowWidth * thumbnailViews}px`;
  strip.style.height = "100%";
  strip.src = image.thumbnail;
  moveStrip(frame, image, view);
}

function moveStrip(frame, image, view) {
  const absent = image.absent || [];
  const there = data.views.findIndex((_, place) => place < thumbnailViews && !absent.includes(place));
  const shown = absent.includes(view) ? Math.max(0, there) : view;
  frame.firstChild.style.transform = `translateX(${-100 * shown / thumbnailViews}%)`;
  frame.dataset.view = data.views[shown].name;
  frame.querySelector(".tag")?.remove();
  if (shown !== view) make("span", frame, `no ${data.views[view].name}`, "tag");
}

/** Show the other view of a card while the pointer is on it. */
function turn(card, image, isOver) {
  const frame = card.querySelector(".window");
  if (frame && thumbnailViews > 1) moveStrip(frame, image, isOver ? (state.view === 0 ? 1 : 0) : state.view);
}

function setView(view) {
  state.view = view;
  find("view").value = view;
  cards.forEach((card, at) => turn(card, images[state.order[at]], false));
}

function moveCurrent(step) {
  if (!state.order.length) return;
  const at = cards.has(state.current) ? state.current + step : Math.min(...cards.keys()) + cell.columns;
  state.current = Math.max(0, Math.min(state.order.length - 1, at));
  const top = find("grid").getBoundingClientRect().top + Math.floor(state.current / cell.columns) * (cell.height + GAP);
  const ceiling = getComputedStyle(find("tools")).position === "sticky" ? find("tools").offsetHeight : 0;
  if (top < ceiling + GAP) window.scrollBy(0, top - ceiling - GAP);
  if (top + cell.height > window.innerHeight) window.scrollBy(0, top + cell.height - window.innerHeight + GAP);
  render();
  cards.get(state.current)?.focus({ preventScroll: true });
}

// ---- choices

function filterByClass(index) {
  state.open = null;
  find("failed").checked = false;
  find("class").value = index;
  choose();
}

function fillClasses() {
  const occurs = data.classes.map(() => 0);
  const sums = data.classes.map(() => 0);
  let labelled = 0;
  for (const image of images) {
    const pixels = image.pixels || [];
    for (let at = 0; at < pixels.length; at += 2) {
      occurs[pixels[at]]++;
      sums[pixels[at]] += pixels[at + 1];
      labelled += pixels[at + 1];
    }
  }
  make("option", find("class"), "any class").value = "";
  find("class-tools").hidden = data.classes.length === 0;
  if (!data.classes.length) return;
  const table = make("table", find("class-table").lastElementChild);
  data.classes.forEach(({ name, colour }, index) => {
    make("option", find("class"), `${name} (${occurs[index].toLocaleString("en")})`).value = index;
    const row = make("tr", table);
    make("span", make("td", row, ""), undefined, "swatch").style.background = colour;
    row.firstChild.append(name);
    make("td", row, counted(occurs[index], "image"), "number");
    make("td", row, labelled ? `${percent(sums[index] / labelled)} of all pixels` : "", "number");
  });
}

function fillChoices() {
  fillClasses();
  const sorts = [["name", "name"]];
  if (data.classes.length) sorts.push(["share", "share"]);
  if (images.some((image) => image.confidence !== undefined)) sorts.push(["confidence", "mean confidence"]);
  for (const [value, name] of sorts) make("option", find("sort"), name).value = value;
  data.views.forEach((view, place) => {
    if (view.in_thumbnail) make("option", find("view"), view.name).value = place;
  });
  find("view").parentElement.hidden = thumbnailViews < 2;
  const failures = images.filter((image) => image.error !== undefined).length;
  find("failed-tools").hidden = failures === 0;
  find("failed-count").textContent = `failed only (${failures.toLocaleString("en")})`;
  const other = thumbnailViews > 1 ? `Point at a picture to see its ${data.views[1].name}; the key o changes all. ` : "";
  const share = data.classes.length ? " From 0 to 0 % finds images without the class." : "";
  find("hint").textContent = `${other}Arrow keys move, Enter opens, / searches.${share}`;
}

function reset() {
  for (const id of ["search", "least", "most", "class"]) find(id).value = "";
  find("sort").value = "name";
  find("failed").checked = false;
  state.isRising = true;
  choose();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input:not([type=checkbox]), select")) return;
  const isOpen = find("viewer").open;
  const along = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -cell.columns, ArrowDown: cell.columns }[event.key];
  if (event.key === "o") {
    if (isOpen) nextView();
    else if (thumbnailViews > 1) setView((state.view + 1) % thumbnailViews);
  } else if (event.key === "/" && !isOpen) {
    event.preventDefault();
    find("search").focus();
  } else if (along && isOpen) {
    stepViewer(along);
  } else if (step && !isOpen) {
    event.preventDefault();
    moveCurrent(step);
  }
}

function listen() {
  for (const id of ["search", "least", "most"]) find(id).addEventListener("input", choose);
  for (const id of ["class", "failed"]) find(id).addEventListener("change", choose);
  find("sort").addEventListener("change", () => {
    state.isRising = find("sort").value !== "share";  // the largest shares and the lowest confidence come first
    choose();
  });
  find("view").addEventListener("change", () => setView(Number(find("view").value)));
  find("direction").addEventListener("click", () => { state.isRising = !state.isRising; choose(); });
  find("reset").addEventListener("click", reset);
  find("previous").addEventListener("click", () => stepViewer(-1));
  find("next").addEventListener("click", () => stepViewer(1));
  find("close").addEventListener("click", () => find("viewer").close());
  find("viewer").addEventListener("close", closeViewer);
  document.addEventListener("keydown", onKey);
  window.addEventListener("scroll", () => requestAnimationFrame(render), { passive: true });
  for (const part of document.querySelectorAll("details")) part.addEventListener("toggle", render);
  window.addEventListener("resize", () => {
    layOut();
    if (find("viewer").open) showView(state.openView);
  });
}
