// Which step of the run is shown: the newest, unless a person has chosen another; and the controls to choose it.
const PLAY_TIME = 5000; // milliseconds for a whole run, where its steps are neither too fast to see nor too slow
const still = window.matchMedia("(prefers-reduced-motion: reduce)");

let steps = []; // that are there: { index, src, picture, maps, similarity, inside, share, losses, skipped }
let at = 0; // index of the step that is shown
let following = true; // shows the newest
let timer = null; // while it plays
let showStep = () => {}; // set by run_view.js

const controls = make("div", "tl-run-player");
const playButton = make("button", "tl-run-button tl-run-play");
playButton.type = "button";
const playIcon = make("span", "tl-run-icon");
const playLabel = make("span");
playButton.append(playIcon, playLabel);
const track = make("div", "tl-run-track");
const slider = make("input");
slider.type = "range";
slider.min = 0;
slider.step = 1;
slider.setAttribute("aria-label", "Step of the run");
const ends = make("div", "tl-run-ends");
const unguided = make("span", "tl-run-unguided", "this step was not guided");
unguided.title = "The gradient was no number here, so the picture was not moved";
ends.append(make("span", "", "noise"), unguided, make("span", "", "finished"));
track.append(slider, ends);
const stepLabel = make("output", "tl-run-step");
const newestButton = make("button", "tl-run-button tl-run-newest", "Follow the run"); // its place: the page's head
newestButton.type = "button";
controls.append(playButton, track, stepLabel);

const newest = () => steps.at(-1);
const place = () => Math.max(0, steps.findLastIndex((step) => step.index <= at));
const shownStep = () => steps[place()];

// A map is rows of levels from 0 to 255; or a text, "00ff3a 10a0ff", two digits for each level and a space between rows:
// Gradio handles a text far faster than a list. Lists are copied, for it watches every number in them.
const levelsOf = (row) => row.match(/../g).map((digits) => parseInt(digits, 16));
const rowsOf = (map) => (typeof map === "string" ? map.split(" ").map(levelsOf) : Array.from(map, (row) => [...row]));

const stepFrom = (frame, index) => {
  const { src, similarity = [], inside = [], share = [], losses = {}, skipped = false } = frame;
  const maps = Array.from(frame.maps ?? [], rowsOf);
  const step = { index, src, maps, similarity, inside, share, losses, skipped, picture: new Image() };
  step.picture.addEventListener("load", () => showStep());
  step.picture.src = src;
  return step;
};

// Takes the frames of a value; a step that was there keeps its picture. True for the start of another run.
const takeFrames = (frames) => {
  const indexOf = (frame, order) => frame.index ?? order;
  const last = frames.length ? indexOf(frames.at(-1), frames.length - 1) : -1;
  const again = steps.length > 0 && (last < newest().index || frames[0].src !== steps[0].src);
  const before = new Map(again ? [] : steps.map((step) => [step.index, step]));
  steps = frames.map((frame, order) => {
    const old = before.get(indexOf(frame, order));
    return old?.src === frame.src ? old : stepFrom(frame, indexOf(frame, order));
  });
  if (again) {
    following = true;
    pause();
  }
  if (following && steps.length) at = newest().index;
  return again;
};

const goTo = (order) => {
  const step = steps[clamp(order, 0, steps.length - 1)];
  if (!step) return;
  at = step.index;
  following = step === newest();
  showStep();
};

const pause = () => {
  window.clearInterval(timer);
  timer = null;
};

const play = () => {
  const atEnd = shownStep() === newest();
  if (still.matches) return goTo(atEnd ? 0 : place() + 1); // who wants no motion takes one step at a time
  if (timer) {
    pause();
    return showStep();
  }
  const pace = clamp(PLAY_TIME / steps.length, 70, 300);
  timer = window.setInterval(() => {
    if (shownStep() === newest()) pause();
    goTo(place() + 1);
  }, pace);
  goTo(atEnd ? 0 : place());
};

// A drag goes to the step nearest to it; a single step of the slider always goes on to the next one that is there.
const slide = () => {
  pause();
  const wanted = Number(slider.value);
  const distances = steps.map((step) => Math.abs(step.index - wanted));
  const nearest = distances.indexOf(Math.min(...distances));
  goTo(nearest === place() && Math.abs(wanted - at) === 1 ? nearest + Math.sign(wanted - at) : nearest);
};

const MOVES = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5, Home: -Infinity, End: Infinity };
const FREE = ["ArrowLeft", "ArrowRight"]; // anywhere in the component; the others scroll the page, unless on the slider
const keyed = (event) => {
  const onSlider = event.target === slider;
  const other = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
  if (other || !(event.key in MOVES) || !(onSlider || FREE.includes(event.key)) || !steps.length) return;
  event.preventDefault();
  pause();
  goTo(place() + MOVES[event.key]);
};

const drawControls = (value) => {
  const total = Math.max(1, value.total ?? 1);
  const step = shownStep();
  const finished = step?.index === total;
  controls.hidden = newestButton.hidden = !steps.length;
  if (!step) return;
  slider.max = total;
  slider.value = step.index;
  slider.disabled = steps.length < 2;
  playButton.disabled = steps.length < 2;
  slider.setAttribute("aria-valuetext", finished ? "The finished picture" : stepName(step.index, total));
  track.style.setProperty("--shown", step.index / total);
  track.style.setProperty("--there", newest().index / total);
  stepLabel.textContent = finished ? "Finished picture" : stepName(step.index, total);
  unguided.style.visibility = step.skipped ? "visible" : "hidden";
  playLabel.textContent = still.matches ? "Next step" : timer ? "Pause" : "Play";
  playIcon.classList.toggle("tl-run-pausing", Boolean(timer));
  newestButton.hidden = value.state !== "running" || following;
};

playButton.addEventListener("click", play);
slider.addEventListener("input", slide);
newestButton.addEventListener("click", () => {
  pause();
  goTo(Infinity);
});
