// Names and keys on the picture, and how the parts of the box canvas stand together. Last of its scripts.
const redraw = () => {
  drawBoard();
  drawForm();
};

const choose = (id) => {
  chosen = id;
  warning = "";
  redraw();
};

const focusBox = (id) => (boxNodes.get(id) ?? canvas).focus({ preventScroll: true });

const startNaming = (box) => {
  naming = { id: box.id, before: box.phrase };
  nameInput.value = box.phrase;
  redraw();
  nameInput.focus({ preventScroll: true });
  nameInput.select();
};

const endNaming = (keep) => {
  if (!naming) return;
  const { id, before } = naming;
  naming = null;
  const box = find(id);
  if (!box) return redraw();
  box.phrase = keep ? nameInput.value.trim() : before;
  sendName(box);
};

nameInput.addEventListener("input", () => {
  const box = naming && find(naming.id);
  if (box) box.phrase = nameInput.value.trim();
  redraw();
});
nameInput.addEventListener("blur", () => endNaming(true));
nameInput.addEventListener("keydown", (event) => {
  event.stopPropagation();
  if (event.isComposing || !["Enter", "Escape", "Tab"].includes(event.key)) return;
  event.preventDefault();
  const id = naming?.id;
  endNaming(event.key !== "Escape");
  focusBox(id);
});

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const onBoxKey = (event, box) => {
  if (event.ctrlKey || event.metaKey) return false;
  const step = event.shiftKey ? 0.05 : 0.01;
  const change = ARROWS[event.key]?.map((direction) => direction * step);
  if (change && event.altKey) {
    Object.assign(box, resized(box, "es", ...change));
    send(`${called(box)}, resized: ${where(box)}.`);
  } else if (change) {
    Object.assign(box, shifted(box, ...change));
    send(`${called(box)}, moved: ${where(box)}.`);
  } else if (event.key === "Delete" || event.key === "Backspace") {
    if (event.repeat) return true; // a key held down takes one box, not all
    remove([box]);
    focusBox(chosen);
  } else if (event.key === "Enter" || event.key === "F2") startNaming(box);
  else if (event.key === "Escape") {
    canvas.focus({ preventScroll: true });
    choose(null);
  } else return false;
  return true;
};

canvas.addEventListener("keydown", (event) => {
  const box = find(Number(event.target.dataset.id));
  if (event.key === "Escape" && gesture) cancelGesture();
  else if (!box || !onBoxKey(event, box)) return;
  event.preventDefault();
});
shelf.addEventListener("focusin", (event) => {
  const id = Number(event.target.dataset.id);
  if (id !== chosen) choose(id);
});

const bringBack = () => {
  undo();
  focusBox(chosen);
};
undoButton.addEventListener("click", bringBack);

root.addEventListener("keydown", (event) => {
  const undoing = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z";
  if (!undoing || event.target.matches("input") || !removals.length) return;
  event.preventDefault();
  bringBack();
});

const layout = make("div", "tl-boxes-layout");
const board = make("div", "tl-board");
board.append(canvas, below);
layout.append(board, list);
root.append(layout, said, keysHelp);
band.hidden = true;

// The list starts open where there is room for it; how wide the page is is not known while its tab is hidden.
let measured = false;
new ResizeObserver(() => {
  if (!root.clientWidth) return;
  if (!measured) list.open = root.clientWidth >= 640;
  measured = true;
  drawBoard(); // a box that has become small has fewer handles
}).observe(root);

const drawValue = () => {
  take();
  redraw();
};
drawValue();
watch("value", drawValue);
