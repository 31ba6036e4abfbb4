// The same boxes as a list of fields, for the keyboard, for screen readers, and for exact numbers.
const rows = new Map(); // id -> { node, name, edges, number, group, problem, wrong, shown }

const list = make("details", "tl-box-list");
const summary = make("summary", "", "Boxes as a list");
const tally = make("span", "tl-term");
summary.append(" ", tally);
const listed = make("div", "tl-rows");
const addButton = make("button", "tl-add", "Add a box");
const clearButton = make("button", "tl-clear", "Remove all");
for (const button of [addButton, clearButton]) button.type = "button";
const listButtons = make("div", "tl-list-buttons");
listButtons.append(addButton, clearButton);
const unit = make("p", "tl-list-unit", "Edges in percent of the picture, from its left and from its top.");
list.append(summary, unit, listed, listButtons);

const field = (label, className) => {
  const holder = make("label", className);
  const input = make("input");
  input.autocomplete = "off";
  holder.append(make("span", "", label), input);
  return [holder, input];
};

const rowOf = (id) => {
  const row = { node: make("div", "tl-row"), number: make("b", "tl-row-number"), problem: make("p", "tl-problem"), edges: [], wrong: "" };
  row.node.setAttribute("role", "group");
  row.problem.id = `${key}-problem-${id}`;
  const [nameHolder, name] = field("what is in it", "tl-row-name");
  name.type = "text";
  name.maxLength = LONGEST;
  name.placeholder = "what is here?";
  row.name = name;
  const remover = make("button", "tl-row-remove", "Remove");
  remover.type = "button";
  row.remover = remover;
  const edges = make("div", "tl-row-edges");
  for (const edge of EDGES) {
    const [holder, input] = field(edge, "tl-row-edge");
    Object.assign(input, { type: "number", min: 0, max: 100, step: 1, inputMode: "decimal" });
    input.setAttribute("aria-describedby", row.problem.id);
    row.edges.push(input);
    edges.append(holder);
  }
  row.node.append(row.number, nameHolder, remover, edges, row.problem);

  const rename = () => {
    const box = find(id);
    if (box) box.phrase = name.value.trim();
    return box;
  };
  name.addEventListener("input", () => rename() && redraw());
  name.addEventListener("change", () => rename() && sendName(find(id)));
  edges.addEventListener("change", () => {
    const box = find(id);
    if (!box) return;
    const { wrong, fields } = measure(row, box);
    complain(row, wrong, fields);
    if (wrong) say(`Box ${boxes.indexOf(box) + 1}: ${wrong}`);
    else send(`${called(box)}: ${where(box)}.`);
  });
  remover.addEventListener("click", () => {
    const place = boxes.indexOf(find(id));
    remove([find(id)]);
    const next = boxes[Math.min(place, boxes.length - 1)];
    (next ? rows.get(next.id).remover : addButton).focus();
  });
  row.node.addEventListener("focusin", () => {
    if (chosen === id) return;
    chosen = id;
    redraw();
  });
  row.node.addEventListener("focusout", () => find(id) && drawRow(find(id), boxes.indexOf(find(id))));
  return row;
};

// Puts what is typed into the box if it can be used; says what is wrong otherwise, and the box stays as it was.
const measure = (row, box) => {
  const found = {};
  EDGES.forEach((edge, at) => {
    const text = row.edges[at].value;
    // What was not touched stays exact, though it is shown rounded.
    found[edge] = text === hundredths(box[edge]) ? box[edge] : text === "" ? NaN : rounded(Number(text) / 100);
  });
  const bad = EDGES.filter((edge) => !(found[edge] >= 0 && found[edge] <= 1));
  if (bad.length) return { wrong: `${bad.join(", ")}: type a number from 0 to 100.`, fields: bad };
  for (const [low, high] of [["left", "right"], ["top", "bottom"]]) {
    const untouched = found[low] === box[low] && found[high] === box[high];
    if (!untouched && found[high] - found[low] < LEAST - 1e-9) {
      return { wrong: `${low} must be at least 1 less than ${high}.`, fields: [low, high] };
    }
  }
  Object.assign(box, found);
  return { wrong: "", fields: [] };
};

const complain = (row, wrong, fields) => {
  row.wrong = wrong;
  row.problem.textContent = wrong && wrong[0].toUpperCase() + wrong.slice(1);
  row.edges.forEach((input, at) => input.setAttribute("aria-invalid", String(fields.includes(EDGES[at]))));
};

const fill = (input, text) => {
  if (input !== document.activeElement && input.value !== text) input.value = text;
};

const drawRow = (box, place) => {
  if (!rows.has(box.id)) rows.set(box.id, rowOf(box.id));
  const row = rows.get(box.id);
  const number = place + 1;
  row.number.textContent = number;
  paint(row.node, place);
  row.node.classList.toggle("tl-chosen", box.id === chosen);
  row.node.classList.toggle("tl-unnamed", !box.phrase);
  row.node.setAttribute("aria-label", called(box));
  row.name.setAttribute("aria-label", `What is in box ${number}`);
  row.remover.setAttribute("aria-label", `Remove box ${number}${box.phrase && `, ${box.phrase}`}`);
  EDGES.forEach((edge, at) => row.edges[at].setAttribute("aria-label", `${edge} edge of box ${number}, in percent`));
  fill(row.name, box.phrase);
  row.name.title = box.phrase;
  const shown = EDGES.map((edge) => box[edge]).join();
  if (row.wrong && row.shown === shown) return row.node; // what is wrong stays to be put right
  if (row.wrong) complain(row, "", []);
  row.shown = shown;
  EDGES.forEach((edge, at) => fill(row.edges[at], hundredths(box[edge])));
  return row.node;
};

const drawForm = () => {
  const nodes = boxes.map(drawRow);
  for (const id of rows.keys()) if (!find(id)) rows.delete(id);
  arrange(listed, nodes);
  tally.textContent = `(${boxes.length})`;
  unit.hidden = !boxes.length;
  clearButton.hidden = boxes.length < 2;
};

addButton.addEventListener("click", () => {
  if (full()) return warnFull();
  rows.get(add(freePlace()).id).name.focus();
});
clearButton.addEventListener("click", () => {
  remove([...boxes]);
  addButton.focus();
});
