// Puts the edit view together from props.value (after its other parts).
const root = element.querySelector(".tl-edit");
const head = make("header", "tl-edit-head");
const headline = make("strong");
const status = make("span", "tl-unit");
const bar = make("div", "tl-edit-progress");
const filled = make("span");
bar.setAttribute("role", "progressbar");
bar.setAttribute("aria-label", "Steps that are done");
bar.append(filled);
head.append(headline, status, bar);

const moved = (share) => {
  slider.value = Math.round(100 * share);
  root.style.setProperty("--at", `${100 * share}%`);
};
const main = stageNode("tl-edit-main", moved);
const beside = stageNode("tl-edit-without", moved);
const stages = make("div", "tl-edit-stages");
stages.append(main.figure, beside.figure);

const slider = make("input", "tl-edit-slider");
Object.assign(slider, { type: "range", min: 0, max: 100, step: 1, value: 15 });
slider.setAttribute("aria-label", "Line between before and after, in percent from the left");
slider.addEventListener("input", () => moved(Number(slider.value) / 100));
const placeSwitch = make("label", "tl-edit-switch");
const placeCheck = make("input");
placeCheck.type = "checkbox";
placeSwitch.append(placeCheck, make("span", "", "Show where it may change"));
placeCheck.addEventListener("change", () => draw());
const controls = make("div", "tl-edit-controls");
controls.append(make("span", "tl-unit", "Move the line"), slider, placeSwitch);

const empty = make("p", "tl-hint", "The picture appears here, before and after.");
const words = make("div");
const notes = make("div");
const live = make("p", "tl-said");
live.setAttribute("aria-live", "polite");
root.append(head, empty, stages, controls, words, notes, live);

const headlineOf = (value) => {
  if (value.state === "stopped") return "Stopped";
  if (value.state === "finished") return "Finished";
  if (!value.after) return "Starting";
  return value.index === value.total ? "Nearly finished" : `Step ${value.index} of ${value.total}`;
};

const leftOf = (value) => {
  return value.state !== "running" || value.index === value.total ? "" : timeSaid(value.seconds_left);
};

const drawWords = (value) => {
  words.replaceChildren();
  if (!value.words?.length || !value.after) return;
  words.append(wordTable(value), make("p", "tl-hint", ALIKE), make("p", "tl-hint", SHARES));
};

const draw = () => {
  const value = props.value ?? { state: "empty" };
  const there = Boolean(value.before);
  root.dataset.state = value.state;
  for (const node of [stages, controls, words]) node.hidden = !there;
  head.hidden = value.state === "empty";
  empty.hidden = there;
  if (value.state === "running" && !there) empty.textContent = "The models are looking at your picture.";
  headline.textContent = headlineOf(value);
  status.textContent = leftOf(value) || value.status || "";
  bar.hidden = value.state !== "running";
  filled.style.width = `${value.total ? (100 * (value.index ?? 0)) / value.total : 0}%`;
  bar.setAttribute("aria-valuenow", Math.round(value.total ? (100 * (value.index ?? 0)) / value.total : 0));
  live.textContent = ["finished", "stopped"].includes(value.state) ? `${headline.textContent}.` : "";
  if (there) {
    drawStage(main, value, value.after, value.counted ? "Edited, your words counted" : "Edited");
    beside.figure.hidden = !value.without;
    if (value.without) drawStage(beside, value, value.without, "The same, words not counted (lambda 0)");
    placeSwitch.hidden = !value.place;
    for (const stage of [main, beside]) show(stage.place, placeCheck.checked ? value.place : null, "");
  }
  drawWords(value);
  notes.replaceChildren(...(value.notes ?? []).map((note) => make("p", "tl-note", note)));
};

moved(0.15);
draw();
watch("value", draw);
