// Builds the matrix from props.value (after dom.js): a row per phrasing, the words of the one that is selected below it.
// Which one that is only the page knows; -1 is none.
let chosen = -1;
let drawnFrom = ""; // the answer that is drawn: another one selects a row of its own

const announce = announcer();

const LONGEST = 40; // characters of a label in the matrix; its title has them all

const short = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);

const cell = (tag, className, text, scope) => {
  const node = make(tag, className, text);
  if (scope) node.scope = scope;
  return node;
};

const labelHead = (label) => {
  const node = cell("th", "tl-label", null, "col");
  node.append(make("span", "", short(label)));
  node.title = label;
  return node;
};

const shareCell = (one, wins, label) => {
  const node = cell("td", wins ? "tl-wins" : "", one.percent);
  // Never the full colour: on that, the number could not be read.
  node.style.setProperty("--share", `${Math.round(75 * one.share)}%`);
  node.title = `${one.percent} of the vote for “${label}”${wins ? ", the answer of this row" : ""}`;
  return node;
};

// What a row answers. `flips`: on which share of the pictures that is another answer than all phrasings together give.
const answerCell = (text, flips) => {
  const node = cell("td", "tl-answer");
  if (flips) {
    node.style.setProperty("--flips", flips);
    const mark = make("span", "tl-flip", "≠");
    mark.title = "Another answer than all phrasings together";
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", mark.title);
    node.append(mark, " ");
  }
  if (text) {
    node.append(make("strong", "", short(text)));
    node.title = text;
  }
  return node;
};

const phrasingButton = (row, number) => {
  const button = make("button", "tl-phrasing");
  button.type = "button";
  button.title = "Show the words of this phrasing";
  const [before, ...after] = row.phrasing.split(/\{(?:label)?\}/);
  button.append(make("span", "", before), make("span", "tl-slot", "…"), make("span", "", after.join("")));
  button.addEventListener("click", () => select(number));
  return button;
};

const matrixRow = (row, number, labels) => {
  const line = make("tr", row.flips ? "tl-flips" : "");
  const head = cell("th", "", null, "row");
  head.append(phrasingButton(row, number));
  line.append(head, answerCell(row.says, row.flips));
  line.append(...row.cells.map((one, at) => shareCell(one, at === row.answer, labels[at])));
  line.addEventListener("click", (event) => {
    if (!event.target.closest("button")) select(number);
  });
  return line;
};

const matrixTable = (value) => {
  const { labels, together } = value;
  const table = make("table", "tl-matrix");
  const top = make("tr");
  top.append(cell("th", "", "Phrasing", "col"), cell("th", "tl-answer", value.answers, "col"), ...labels.map(labelHead));
  const head = make("thead");
  head.append(top);
  const body = make("tbody");
  body.append(...value.rows.map((row, number) => matrixRow(row, number, labels)));
  const last = make("tr");
  last.append(cell("th", "", "All together", "row"), answerCell(together.says, 0));
  last.append(...together.cells.map((one, at) => shareCell(one, at === together.answer, labels[at])));
  const foot = make("tfoot");
  foot.append(last);
  table.append(head, body, foot);
  return table;
};

const textBlock = (text) => {
  const block = make("div", "tl-words");
  const said = make("p", "tl-hint");
  said.append(`${text.whose} `, make("strong", "", text.label), `. The words of “${text.prompt}”:`);
  const row = make("div", "tl-word-row");
  row.append(...text.words.map(wordChip));
  block.append(said, row);
  return block;
};

const wordsRow = (value) => {
  const line = make("tr", "tl-words-row");
  const place = cell("td");
  place.colSpan = value.labels.length + 2;
  const section = make("div", "tl-row-words");
  section.append(...value.rows[chosen].texts.map(textBlock), make("p", "tl-sentence", value.meaning));
  place.append(section);
  line.append(place);
  return line;
};

const showChosen = () => {
  const body = element.querySelector(".tl-matrix tbody");
  body.querySelector(".tl-words-row")?.remove();
  const lines = [...body.children];
  lines.forEach((line, number) => {
    line.classList.toggle("tl-picked", number === chosen);
    line.querySelector("button").setAttribute("aria-expanded", String(number === chosen));
  });
  lines[chosen]?.after(wordsRow(props.value));
};

const select = (number) => {
  chosen = number === chosen ? -1 : number;
  showChosen();
};

// Where many pictures were asked about: each with its answer.
const pictureList = (pictures) => {
  if (!pictures.length) return [];
  const list = make("ul", "tl-many");
  list.setAttribute("role", "list"); // without bullets some readers take it for none
  for (const one of pictures) {
    const item = make("li");
    const image = make("img");
    image.src = one.src;
    image.alt = one.name;
    item.title = one.name;
    item.append(image, make("strong", "", short(one.label)), make("small", "", one.agree));
    list.append(item);
  }
  return [list];
};

const draw = () => {
  const target = element.querySelector(".tl-words-page");
  const value = props.value;
  if (!target || !value) return;
  announce(value.rows.length ? value.verdict : "");
  if (!value.rows.length) {
    const sentence = "The model is waking up. The table of answers appears here in a moment.";
    if (value.waiting) target.replaceChildren(waitingCard(value.waiting, sentence));
    return;
  }
  const from = JSON.stringify(value);
  if (from !== drawnFrom) chosen = value.chosen;
  drawnFrom = from;
  const scroll = make("div", "tl-matrix-scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "Phrasings and labels");
  scroll.append(matrixTable(value));
  target.replaceChildren(
    make("h3", "tl-verdict", value.verdict),
    make("p", "tl-neglect", value.neglect),
    make("p", "tl-hint", value.hint),
    scroll,
    ...pictureList(value.pictures),
    ...value.notes.map((note) => make("p", "tl-note", note)),
  );
  showChosen();
};

draw();
watch("value", draw);
