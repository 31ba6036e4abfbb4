// Puts the run view together from props.value (after its other parts). Nodes stay; only what changed is drawn again.
const ROOMS = { "tl-run-narrow": [0, 480], "tl-run-wide": [640, Infinity], "tl-run-vast": [1250, Infinity] }; // pixels

const page = make("div", "tl-run-page");
const head = make("header", "tl-run-head");
const headline = make("strong", "tl-run-headline");
const timeLeft = make("span", "tl-run-left");
const status = make("span", "tl-unit");
const bar = make("div", "tl-run-progress");
const filled = make("span");
bar.setAttribute("role", "progressbar");
bar.setAttribute("aria-label", "Steps that are done");
bar.append(filled);
head.append(headline, timeLeft, status, newestButton, bar);

const main = stageNode("tl-run-main");
const alone = stageNode("tl-run-alone");
const BESIDE = ["Same seed, no guidance", "without guidance", "With guidance"]; // of runs that do not say
let aloneStep = null;
const besideOf = (value) => value.beside ?? BESIDE;

const choice = make("div", "tl-run-choice");
const overlays = make("div", "tl-run-overlays");
overlays.setAttribute("role", "group");
overlays.setAttribute("aria-label", "What lies over the picture");
const boxSwitch = make("label", "tl-run-switch");
const boxCheck = make("input");
boxCheck.type = "checkbox";
boxCheck.checked = true;
boxSwitch.append(boxCheck, make("span", "", "Show boxes"));
const scalePlace = make("div", "tl-run-scale");
choice.append(overlays, boxSwitch, scalePlace);

const bench = make("div", "tl-run-bench"); // all that one works with, below the picture
bench.append(choice, controls);
const tileRow = make("div", "tl-run-tiles");
const below = make("div", "tl-run-below");
const wordsPlace = make("div");
const notesPlace = make("div");
below.append(curves, wordsPlace, notesPlace);
const live = make("p", "tl-run-said");
live.setAttribute("aria-live", "polite");

let shown = null; // the value that is drawn
let tiles = [];
let chosen = null; // which target's heatmap lies over the picture; null: none
let levels = null; // colours of the heatmaps
const kept = new Map(); // what parts of the page were made from

// Makes a part of the page again only if what it is made from has changed.
const renew = (name, from, build) => {
  const text = JSON.stringify(from);
  if (kept.get(name) === text) return;
  kept.set(name, text);
  build();
};

const choose = (target) => {
  chosen = target;
  drawStep();
};

const overlayButton = (target, order) => {
  const button = make("button", "tl-run-button tl-run-overlay");
  button.type = "button";
  if (target) button.append(chipNode(order + 1, target.colour), " ", make("span", "", target.phrase));
  else button.textContent = "Picture";
  button.addEventListener("click", () => choose(order));
  return { button, order };
};

let overlayButtons = [];

const drawTargets = (value) => {
  const before = kept.get("chosen phrase");
  chosen = before === undefined ? -1 : value.targets.findIndex((target) => target.phrase === before);
  if (chosen < 0) chosen = null;
  overlayButtons = [overlayButton(null, null), ...value.targets.map(overlayButton)];
  overlays.replaceChildren(...overlayButtons.map(({ button }) => button));
  for (const stage of [main, alone]) stage.layer.replaceChildren(...boxNodes(value));
  // A tile that is selected already goes back to the picture.
  tiles = value.targets.map((_, order) => tileNode(value, order, () => choose(chosen === order ? null : order)));
  tileRow.replaceChildren(...tiles.map((tile) => tile.node));
  page.classList.toggle("tl-run-many", tiles.length > 3);
};

// What depends on the step that is shown.
const drawStep = () => {
  const value = shown;
  const step = shownStep();
  kept.set("chosen phrase", value.targets[chosen]?.phrase);
  drawControls(value);
  for (const { button, order } of overlayButtons) button.setAttribute("aria-pressed", String(order === chosen));
  page.classList.toggle("tl-run-boxless", !boxCheck.checked);
  for (const layer of [main.layer, alone.layer]) {
    for (const node of layer.children) node.classList.toggle("tl-run-pale", chosen !== null && Number(node.dataset.target) !== chosen);
  }
  const over = chosen === null ? "" : `, with the heatmap of “${value.targets[chosen].phrase}” over it`;
  main.canvas.setAttribute("aria-label", `${step?.index === value.total ? "The finished picture" : "The picture on its way"}${over}`);
  if (step) paint(main.canvas, step.picture, step.maps[chosen], levels);
  if (aloneStep) {
    alone.canvas.setAttribute("aria-label", `The picture ${besideOf(value)[1]}${over}`);
    paint(alone.canvas, aloneStep.picture, aloneStep.maps[chosen], levels);
  }
  tiles.forEach((tile, order) => drawTile(tile, value, order, chosen, levels));
  drawCurves(value);
};
showStep = drawStep;

const drawHead = (value) => {
  const done = clamp(lastIndex(value), 0, value.total) / value.total;
  head.hidden = !steps.length && value.state !== "stopped";
  headline.textContent = headlineOf(value);
  timeLeft.textContent = timeLeftOf(value);
  status.textContent = statusOf(value);
  bar.style.visibility = value.state === "running" ? "visible" : "hidden";
  bar.setAttribute("aria-valuenow", Math.round(100 * done));
  filled.style.width = `${100 * done}%`;
};

const draw = () => {
  if (!element.contains(page)) element.querySelector(".tl-run")?.append(page);
  const value = { boxes: [], targets: [], frames: [], words: [], words_before: [], notes: [], total: 1, ...props.value };
  const before = isPending(value) && !value.frames.length && steps.length > 0;
  page.classList.toggle("tl-run-before", before); // until its first step comes, the run before stays, paler
  const sentence = announcementOf(value);
  if (live.textContent !== sentence) live.textContent = sentence; // the same again would be read out again
  if (before) return drawHead(value);
  shown = value;
  takeFrames(value.frames);
  renew("palette", value.palette ?? [], () => {
    levels = colourLevels(value.palette?.length ? value.palette : ["#000000", "#ffffff"]);
    scalePlace.replaceChildren(scaleRow(value.palette ?? []));
  });
  renew("targets", [value.targets, value.boxes], () => drawTargets(value));
  renew("legend", [value.targets, Boolean(value.alone), value.beside], () => legendPlace.replaceChildren(legendNode(value)));
  renew("words", [value.words, value.words_before], () => wordsPlace.replaceChildren(...wordsNodes(value)));
  renew("notes", value.notes, () => notesPlace.replaceChildren(...value.notes.map((note) => make("p", "tl-note", note))));
  renew("alone", value.alone?.src ?? null, () => {
    aloneStep = value.alone ? stepFrom(value.alone, value.total) : null;
  });
  page.dataset.state = value.state;
  page.classList.toggle("tl-run-compared", Boolean(value.alone));
  page.classList.toggle("tl-run-bare", !steps.length);
  page.style.setProperty("--aspect", clamp((value.width || 1) / (value.height || 1), 0.2, 5));
  [alone.title.textContent, , main.title.textContent] = besideOf(value);
  main.title.hidden = !value.alone;
  alone.figure.hidden = !value.alone;
  main.empty.textContent = steps.length ? "" : value.status || PLACEHOLDERS[value.state] || PLACEHOLDERS.empty;
  choice.hidden = !steps.length || !value.targets.length;
  tileRow.hidden = !steps.length || !tiles.length;
  drawHead(value);
  drawStep();
};

page.append(head, main.figure, alone.figure, bench, tileRow, below, live);
page.addEventListener("keydown", keyed);
boxCheck.addEventListener("change", drawStep);
curves.addEventListener("toggle", () => drawCurves(shown));
still.addEventListener("change", drawStep);

// How much room there is decides the layout (Gradio drops @container). Canvases have the screen's resolution, so they
// are painted anew. The curves begin open where they stand side by side.
let lastWidth = 0;
const fit = () => {
  const width = page.clientWidth;
  if (!width || width === lastWidth) return;
  for (const [name, [least, most]] of Object.entries(ROOMS)) page.classList.toggle(name, width >= least && width < most);
  if (!lastWidth) curves.open = page.classList.contains("tl-run-wide");
  lastWidth = width;
  drawStep();
};

draw();
fit();
watch("value", draw);
new ResizeObserver(() => requestAnimationFrame(fit)).observe(page);
