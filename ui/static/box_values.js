// The boxes as the component holds them: taken from the value, changed, written back (after dom.js).
const EDGES = ["left", "top", "right", "bottom"];
const LEAST = 0.01; // of a side: a smaller drag is a click
const LONGEST = 200; // characters of a phrase

let boxes = []; // in order; each has an id, which stays on the page
let chosen = null; // id of the selected box
let warning = ""; // shown until something else happens
let written = "[]"; // the boxes as the value has them
let lastId = 0;
const removals = []; // what Undo brings back, the latest last: lists of { place, box }

const clamp = (value, least, most) => Math.max(least, Math.min(value, most));
const rounded = (value) => Math.round(value * 1000) / 1000;
const plain = ({ phrase, left, top, right, bottom }) => ({ phrase, left, top, right, bottom });
const find = (id) => boxes.find((box) => box.id === id);
const most = () => props.value?.most ?? 16;
const full = () => boxes.length >= most();
// As the fields of the form hold it: without the sign.
const hundredths = (fraction) => String(rounded(fraction * 100));
const area = (box) => (box.right - box.left) * (box.bottom - box.top);

const called = (box) => `Box ${boxes.indexOf(box) + 1}, ${box.phrase || "without a name"}`;
const where = (box) => {
  const [left, top, right, bottom] = EDGES.map((edge) => `${hundredths(box[edge])}%`);
  return `from ${left} to ${right} across, ${top} to ${bottom} down`;
};

// Boxes have the colours of their numbers.
const paint = (node, place) => coloured(node, COLOURS[place % COLOURS.length]);

const said = make("p", "tl-said");
said.setAttribute("role", "status");
const say = (sentence) => (said.textContent = sentence);

const warn = (sentence) => {
  warning = sentence;
  say(sentence);
  redraw();
};
const warnFull = () =>
  warn(most() === 1 ? "There is a box, and no more are possible. Move it, or remove it first." : `There are ${most()} boxes, and no more are possible. Remove one first.`);

// What a visitor has finished goes into the value, and Python hears of it; nothing is sent where nothing changed.
const send = (sentence) => {
  const now = boxes.map(plain);
  warning = "";
  if (JSON.stringify(now) !== written) {
    written = JSON.stringify(now);
    props.value = { ...props.value, boxes: now };
    trigger("input");
    say(sentence);
  }
  redraw();
};

// What Python has set. A box that was there before keeps its id, and so its selection and the text being typed in it.
const take = () => {
  const given = (props.value?.boxes ?? []).map(plain);
  if (JSON.stringify(given) === written) return;
  const before = JSON.parse(written).map((box, place) => ({ ...box, id: boxes[place].id }));
  const ids = given.map(() => null);
  for (const keys of [[...EDGES, "phrase"], EDGES, ["phrase"]]) {
    given.forEach((box, place) => {
      const same = before.findIndex((old) => keys.every((key) => old[key] === box[key]));
      if (ids[place] === null && same >= 0) ids[place] = before.splice(same, 1)[0].id;
    });
  }
  boxes = given.map((box, place) => ({ ...box, id: ids[place] ?? ++lastId }));
  written = JSON.stringify(given);
  warning = "";
  removals.length = 0; // they belong to the boxes before
  if (!find(chosen)) chosen = null;
};

const shifted = (box, right, down) => {
  const x = clamp(right, -box.left, 1 - box.right);
  const y = clamp(down, -box.top, 1 - box.bottom);
  return {
    left: rounded(box.left + x),
    top: rounded(box.top + y),
    right: rounded(box.right + x),
    bottom: rounded(box.bottom + y),
  };
};

// `handle`: the sides that move, as compass letters.
const resized = (box, handle, right, down) => {
  const edges = {};
  if (handle.includes("w")) edges.left = rounded(clamp(box.left + right, 0, Math.max(0, box.right - LEAST)));
  if (handle.includes("e")) edges.right = rounded(clamp(box.right + right, Math.min(1, box.left + LEAST), 1));
  if (handle.includes("n")) edges.top = rounded(clamp(box.top + down, 0, Math.max(0, box.bottom - LEAST)));
  if (handle.includes("s")) edges.bottom = rounded(clamp(box.bottom + down, Math.min(1, box.top + LEAST), 1));
  return edges;
};

const add = (edges) => {
  const box = { ...edges, phrase: "", id: ++lastId };
  boxes.push(box);
  chosen = box.id;
  send(`Box ${boxes.length} added: ${where(box)}. What is in it?`);
  return box;
};

const remove = (gone) => {
  const places = gone.map((box) => ({ place: boxes.indexOf(box), box }));
  const sentence = gone.length === 1 ? `${called(gone[0])}, removed.` : `${gone.length} boxes removed.`;
  boxes = boxes.filter((box) => !gone.includes(box));
  chosen = boxes[Math.min(places[0].place, boxes.length - 1)]?.id ?? null;
  removals.push(places);
  send(`${sentence} Undo brings ${gone.length === 1 ? "it" : "them"} back.`);
};

const undo = () => {
  if (!removals.length) return;
  if (boxes.length + removals.at(-1).length > most()) return warnFull();
  const back = removals.pop();
  for (const { place, box } of back) boxes.splice(place, 0, box);
  chosen = back[0].box.id;
  send(back.length === 1 ? `${called(back[0].box)}, is back.` : `${back.length} boxes are back.`);
};

const sendName = (box) => {
  const number = boxes.indexOf(box) + 1;
  send(box.phrase ? `Box ${number} is now called ${box.phrase}.` : `Box ${number} needs a name.`);
};

// A place for a new box that is chosen for the visitor: the free one nearest to the middle.
const freePlace = () => {
  const overlap = (a, b) =>
    Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
    Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
  let best = null;
  for (const side of [0.3, 0.2]) {
    for (let left = 0; left <= 1 - side + 1e-9; left += 0.05) {
      for (let top = 0; top <= 1 - side + 1e-9; top += 0.05) {
        const place = { left, top, right: left + side, bottom: top + side };
        for (const edge of EDGES) place[edge] = rounded(place[edge]);
        const taken = boxes.reduce((sum, box) => sum + overlap(place, box), 0);
        const far = Math.hypot(left + side / 2 - 0.5, top + side / 2 - 0.5);
        if (!best || taken < best.taken - 1e-9 || (taken < best.taken + 1e-9 && far < best.far - 1e-9)) best = { place, taken, far };
      }
    }
    if (best.taken < 1e-9) break;
  }
  return best.place;
};
