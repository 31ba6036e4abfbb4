// What a visitor does on the picture with a mouse, a pen or a finger (after box_board.js).
const JITTER = 4; // pixels that a hand moves while it clicks
const TWICE = 400; // milliseconds between the two clicks of a double click
let gesture = null; // { pointer, kind, id, from, start, moved } while a button or a finger is down
let lastClick = { id: null, time: -TWICE };

const pointOf = (event) => {
  const frame = canvas.getBoundingClientRect();
  return {
    x: clamp((event.clientX - frame.left) / frame.width, 0, 1),
    y: clamp((event.clientY - frame.top) / frame.height, 0, 1),
  };
};

// A name belongs to its box wherever it stands; elsewhere the smallest box under the pointer is meant.
const boxUnder = (event) => {
  const chip = event.target.closest(".tl-chip");
  if (chip) return find(Number(chip.parentNode.dataset.id));
  const { x, y } = pointOf(event);
  const under = boxes.filter((box) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom);
  return under.sort((a, b) => area(a) - area(b))[0];
};

const between = (a, b) => ({
  left: rounded(Math.min(a.x, b.x)),
  top: rounded(Math.min(a.y, b.y)),
  right: rounded(Math.max(a.x, b.x)),
  bottom: rounded(Math.max(a.y, b.y)),
});

canvas.addEventListener("pointerdown", (event) => {
  if (event.target === nameInput || event.button !== 0 || !event.isPrimary || gesture) return;
  event.preventDefault(); // no mouse events after it, which would move the focus
  const handle = event.target.dataset.handle;
  const box = handle ? find(chosen) : boxUnder(event);
  focusBox(box?.id);
  choose(box?.id ?? null);
  const kind = !box ? "draw" : (handle ?? "move");
  gesture = { pointer: event.pointerId, kind, id: box?.id, from: box && plain(box), start: pointOf(event), moved: false };
  gesture.pixels = [event.clientX, event.clientY];
  canvas.setPointerCapture(event.pointerId);
});

canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== gesture?.pointer) return;
  const { kind, from, start, pixels } = gesture;
  if (Math.hypot(event.clientX - pixels[0], event.clientY - pixels[1]) >= JITTER) gesture.moved = true;
  if (!gesture.moved) return;
  const point = pointOf(event);
  if (kind === "draw") {
    band.hidden = full();
    return cover(band, between(start, point));
  }
  const box = find(gesture.id);
  if (!box) return endGesture(); // Python has taken it away
  const change = [point.x - start.x, point.y - start.y];
  Object.assign(box, kind === "move" ? shifted(from, ...change) : resized(from, kind, ...change));
  redraw();
});

const endGesture = () => {
  const ended = gesture;
  gesture = null;
  band.hidden = true;
  return ended;
};

canvas.addEventListener("pointerup", (event) => {
  if (event.pointerId !== gesture?.pointer) return;
  const { kind, id, start, moved } = endGesture();
  const box = find(id);
  if (kind === "draw") {
    const edges = between(start, pointOf(event));
    if (!moved || Math.min(edges.right - edges.left, edges.bottom - edges.top) < LEAST) return;
    if (full()) return warnFull();
    return startNaming(add(edges));
  }
  if (!box) return;
  if (moved) return send(`${called(box)}, ${kind === "move" ? "moved" : "resized"}: ${where(box)}.`);
  if (lastClick.id === id && event.timeStamp - lastClick.time < TWICE) startNaming(box);
  lastClick = { id, time: event.timeStamp };
});

// The browser took the pointer away, or Escape was pressed: the box goes back to where it was.
const cancelGesture = () => {
  if (!gesture) return;
  const { id, from } = endGesture();
  if (find(id)) Object.assign(find(id), EDGES.reduce((edges, edge) => ({ ...edges, [edge]: from[edge] }), {}));
  redraw();
};
canvas.addEventListener("pointercancel", cancelGesture);
canvas.addEventListener("lostpointercapture", cancelGesture);
