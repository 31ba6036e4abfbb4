// The picture with the boxes on it, drawn from what box_values.js holds. What is done on it is in box_canvas.js.
const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const KEYS = "Arrow keys move the box (Shift: further, Alt: resize). F2 renames, Delete removes.";
const MORE = "Drag a box to move it, or a free place to draw another.";
const FULL = ["Drag a box to move it.", "Drag the box to move it."]; // of several, or of the only one
const SMALL_PICTURE = 128; // pixels of a side: its pixels are shown as they are
const SMALL_BOX = 80; // pixels of a side: it has handles at its corners alone
const key = Math.random().toString(36).slice(2); // ids on the page are one component's own

const root = element.querySelector(".tl-boxes");
const canvas = make("div", "tl-canvas");
canvas.tabIndex = -1;
canvas.setAttribute("role", "application");
canvas.setAttribute("aria-label", "Boxes on the picture");
const backdrop = make("img", "tl-backdrop");
backdrop.draggable = false;
const hint = make("p", "tl-canvas-hint", "Drag to draw a box, then say what is in it.");
const band = make("div", "tl-band"); // what is being drawn
const frame = make("div", "tl-frame"); // the handles of the selected box, over all boxes
for (const name of HANDLES) {
  const handle = make("span", "tl-handle");
  handle.dataset.handle = name;
  frame.append(handle);
}
const nameInput = make("input", "tl-name");
nameInput.type = "text";
nameInput.maxLength = LONGEST;
nameInput.placeholder = "what is here?";
nameInput.autocomplete = "off";
const namePlace = make("div", "tl-name-place"); // lies where the box lies that is being named
namePlace.append(nameInput);
const shelf = make("div"); // the boxes alone, in order: Tab goes through them
canvas.append(backdrop, hint, shelf, band, frame, namePlace);

const note = make("p", "tl-canvas-note");
const keysHelp = make("span", "tl-said", KEYS);
keysHelp.id = `${key}-keys`;
const undoButton = make("button", "tl-undo", "Undo removal");
undoButton.type = "button";
const below = make("div", "tl-canvas-below");
below.append(note, undoButton);

const boxNodes = new Map(); // id -> node
let naming = null; // { id, before } while a name is typed on the picture

const cover = (node, edges) => {
  const wide = (fraction) => `${100 * fraction}%`;
  node.style.left = wide(edges.left);
  node.style.top = wide(edges.top);
  node.style.width = wide(edges.right - edges.left);
  node.style.height = wide(edges.bottom - edges.top);
};

// A name stands over its box, inside where the picture ends, and towards the side with more room.
const placeName = (node, box) => {
  node.classList.toggle("tl-inside", box.top < 0.09);
  node.classList.toggle("tl-end", box.left > 1 - box.right && box.left > 0.4);
  node.style.setProperty("--room", `${100 * (node.classList.contains("tl-end") ? box.right : 1 - box.left)}cqw`);
};

const boxNode = (box) => {
  const node = make("div", "tl-box");
  node.dataset.id = box.id;
  node.tabIndex = 0;
  node.setAttribute("role", "group");
  node.setAttribute("aria-describedby", keysHelp.id);
  const chip = make("span", "tl-chip");
  chip.append(make("b"), make("span"));
  node.append(chip);
  return node;
};

const drawBox = (box, place) => {
  if (!boxNodes.has(box.id)) boxNodes.set(box.id, boxNode(box));
  const node = boxNodes.get(box.id);
  const [number, phrase] = node.firstChild.children;
  cover(node, box);
  paint(node, place);
  placeName(node, box);
  // Smaller boxes lie over larger ones, the selected one over all.
  node.style.zIndex = box.id === chosen ? boxes.length + 1 : boxes.filter((other) => area(other) > area(box)).length;
  node.classList.toggle("tl-chosen", box.id === chosen);
  node.classList.toggle("tl-unnamed", !box.phrase);
  node.classList.toggle("tl-naming", naming?.id === box.id);
  number.textContent = place + 1;
  phrase.textContent = box.phrase || "needs a name";
  node.firstChild.title = box.phrase;
  const many = `box ${place + 1} of ${boxes.length}`;
  node.setAttribute("aria-label", `${box.phrase || "without a name"}, ${many}: ${where(box)}`);
  return node;
};

// Puts nodes in order and takes the others away; a node that stays where it is keeps the focus.
const arrange = (parent, nodes) => {
  for (const old of [...parent.children]) if (!nodes.includes(old)) old.remove();
  nodes.forEach((node, place) => {
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] ?? null);
  });
};

const drawBackground = () => {
  const { background, aspect, alt } = props.value ?? {};
  const shape = Number.isFinite(aspect) && aspect > 0 ? clamp(aspect, 0.2, 5) : 1; // a strip can still be drawn on
  root.style.setProperty("--aspect", shape);
  if ((backdrop.getAttribute("src") ?? "") !== (background ?? "")) {
    if (background) backdrop.src = background;
    else backdrop.removeAttribute("src");
  }
  backdrop.alt = alt ?? "";
  backdrop.hidden = !background;
};

const drawBoard = () => {
  drawBackground();
  const nodes = boxes.map(drawBox);
  for (const id of boxNodes.keys()) if (!find(id)) boxNodes.delete(id);
  arrange(shelf, nodes);
  const selected = find(chosen);
  const named = naming && find(naming.id);
  if (!named) naming = null; // Python has taken the box away
  frame.hidden = !selected || Boolean(naming);
  if (selected) {
    cover(frame, selected);
    paint(frame, boxes.indexOf(selected));
    frame.classList.toggle("tl-narrow", (selected.right - selected.left) * canvas.clientWidth < SMALL_BOX);
    frame.classList.toggle("tl-low", (selected.bottom - selected.top) * canvas.clientHeight < SMALL_BOX);
  }
  namePlace.hidden = !named;
  if (named) {
    cover(namePlace, named);
    placeName(namePlace, named);
    paint(namePlace, boxes.indexOf(named));
    nameInput.setAttribute("aria-label", `What is in box ${boxes.indexOf(named) + 1}?`);
  }
  hint.hidden = boxes.length > 0;
  const unchosen = full() ? FULL[Number(boxes.length === 1)] : MORE;
  note.textContent = warning || (selected ? KEYS : boxes.length ? unchosen : "");
  note.classList.toggle("tl-warning", Boolean(warning));
  undoButton.hidden = !removals.length;
  const last = removals.at(-1) ?? [];
  undoButton.title = last.length === 1 ? `Brings back ${last[0].box.phrase || "the box"}` : `Brings back ${last.length} boxes`;
};

backdrop.addEventListener("load", () => {
  const small = Math.max(backdrop.naturalWidth, backdrop.naturalHeight) <= SMALL_PICTURE;
  backdrop.classList.toggle("tl-crisp", small);
});
