// The viewer of one image. It follows page.js in one script.

function openViewer(at) {
  state.open = at;
  state.current = at;
  const image = images[state.order[at]];
  find("viewer-name").textContent = `${image.name} (${at + 1} of ${state.order.length.toLocaleString("en")})`;
  find("views").replaceChildren();
  data.views.forEach((view, place) => {
    if (!image.files[place]) return;
    const button = make("button", find("views"), view.name);
    button.title = "o shows the next one";
    button.addEventListener("click", () => showView(place));
    button.dataset.view = place;
  });
  if (!find("viewer").open) {
    state.openView = state.view || Math.min(1, data.views.length - 1);
    find("viewer").showModal();
  }
  writeFacts(image);
  showView(state.openView);
}

function showView(wanted) {
  const image = images[state.order[state.open]];
  const there = (place) => Boolean(image.files[place]);
  const view = there(wanted) ? wanted : data.views.findIndex((_, place) => there(place));
  state.openView = wanted;
  for (const button of find("views").children) button.setAttribute("aria-pressed", Number(button.dataset.view) === view);
  find("stage").replaceChildren();
  if (image.error !== undefined) {
    make("p", find("stage"), `failed: ${image.error}`, "problem");
  } else if (view < 0) {
    make("p", find("stage"), "No picture of this image was found.", "problem");
  } else {
    showFile(image, view);
  }
}

/** Show a file as large as fits. Of a file that holds a legend too, show the picture alone. */
function showFile(image, view) {
  const [high, wide] = image.hw;
  const stage = find("stage");
  const aspect = Math.max(1 / 20, Math.min(20, wide / high));
  const width = Math.min(stage.clientWidth, stage.clientHeight * aspect);
  const frame = make("div", stage, undefined, "window");
  Object.assign(frame.style, { width: `${width}px`, height: `${width / aspect}px` });
  const picture = make("img", frame);
  picture.alt = `${image.name}: ${data.views[view].name}`;
  const [cropHigh, cropWide] = data.views[view].crops ? image.crop : [0, 0];
  picture.addEventListener("load", () => {
    const across = cropWide ? picture.naturalWidth / cropWide : 1;
    const down = cropHigh ? picture.naturalHeight / cropHigh : 1;
    Object.assign(picture.style, { width: `${100 * across}%`, height: `${100 * down}%` });
  });
  picture.addEventListener("error", () => {
    frame.remove();
    if (image.thumbnail && view < thumbnailViews) showStrip(stage, image, stage.clientWidth / 2, stage.clientHeight / 2, view);
    const why = "cannot be shown. It has moved since this page was made, or the browser does not read its format.";
    make("p", find("facts"), `${decodeURIComponent(image.files[view])} ${why}`, "problem");
  });
  picture.src = image.files[view];
}

function writeFacts(image) {
  const facts = find("facts");
  facts.replaceChildren();
  if (image.hw) make("p", facts, `${image.hw[1]} × ${image.hw[0]} pixels`);
  if (image.confidence !== undefined) make("p", facts, `mean confidence ${written(image.confidence)}`);
  const table = make("table", facts);
  for (const { index, share } of sharesOf(image)) {
    const row = make("tr", table);
    const name = make("td", row);
    make("span", name, undefined, "swatch").style.background = data.classes[index].colour;
    const button = make("button", name, data.classes[index].name);
    button.title = "show the images in which this class occurs";
    button.addEventListener("click", () => { filterByClass(index); find("viewer").close(); });
    make("td", row, percent(share), "number");
  }
  if (image.source) make("p", facts, `The photograph was not found at ${image.source} when this page was made.`);
  const links = make("p", facts, "Files: ");
  data.views.forEach((view, place) => {
    if (!image.files[place]) return;
    Object.assign(make("a", links, view.name), { href: image.files[place], target: "_blank" });
    links.append(" ");
  });
  if (links.children.length === 0) links.remove();
}

function stepViewer(step) {
  const at = state.open + step;
  if (at >= 0 && at < state.order.length) openViewer(at);
}

function nextView() {
  const image = images[state.order[state.open]];
  const there = data.views.map((_, place) => place).filter((place) => image.files[place]);
  if (there.length) showView(there[(there.indexOf(state.openView) + 1) % there.length]);
}

function closeViewer() {
  find("stage").replaceChildren();
  const at = state.open;
  if (at === null) return;
  state.open = null;
  state.current = at;
  if (!cards.has(at)) {  // the viewer went further than the list
    const top = find("grid").getBoundingClientRect().top + Math.floor(at / cell.columns) * (cell.height + GAP);
    window.scrollBy(0, top - window.innerHeight / 3);
    render();
  }
  moveCurrent(0);
}

fillChoices();
listen();
choose();
