// Builds the lesson from props.value (after dom.js): two curves, a table of classes and ways, and the learnt words.
const SVG = "http://www.w3.org/2000/svg";
const SIZE = { width: 420, height: 190, left: 46, right: 12, top: 12, bottom: 26 };

const drawn = (tag, attributes = {}, text = null) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
};

const CHARTS = [
  { title: "Right on $tried", at: 2, say: percent, range: [0, 1] },
  { title: "What learning lowers (cross entropy)", at: 1, say: (number) => number.toFixed(1) },
];

// From 0 to a round number above all values.
const topOf = (values) => {
  const most = Math.max(...values, 0.1);
  const ten = 10 ** Math.floor(Math.log10(most));
  return ten * [1, 2, 3, 5, 10].find((factor) => factor * ten >= most);
};

const chartOf = (kind, value) => {
  const lines = value.curves.map((curve) => ({
    name: curve.name,
    points: curve.points.filter((point) => point[kind.at] !== null).map((point) => [point[0], point[kind.at]]),
  }));
  const numbers = lines.flatMap((line) => line.points.map((point) => point[1]));
  if (!numbers.length) return null;
  const [low, high] = kind.range ?? [0, topOf(numbers)];
  const inner = { width: SIZE.width - SIZE.left - SIZE.right, height: SIZE.height - SIZE.top - SIZE.bottom };
  const x = (index) => SIZE.left + (index / Math.max(1, value.total)) * inner.width;
  const y = (number) => SIZE.top + (1 - (number - low) / (high - low)) * inner.height;
  const title = kind.title.replace("$tried", value.tried);
  const svg = drawn("svg", { viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "img", "aria-label": title });
  for (const part of [0, 0.5, 1]) {
    const at = low + part * (high - low);
    svg.append(drawn("line", { class: "tl-grid", x1: SIZE.left, x2: SIZE.width - SIZE.right, y1: y(at), y2: y(at) }));
    svg.append(drawn("text", { x: SIZE.left - 6, y: y(at) + 4, "text-anchor": "end" }, kind.say(at)));
  }
  svg.append(drawn("text", { x: SIZE.left, y: SIZE.height - 6 }, "step 0"));
  svg.append(drawn("text", { x: SIZE.width - SIZE.right, y: SIZE.height - 6, "text-anchor": "end" }, value.total));
  for (const line of lines) {
    const d = line.points.map(([index, number], at) => `${at ? "L" : "M"}${x(index)} ${y(number)}`).join("");
    svg.append(drawn("path", { class: `tl-line tl-way-${line.name}`, d }));
  }
  const figure = make("figure", "tl-lesson-chart");
  figure.append(make("figcaption", "", title), svg);
  return figure;
};

const legendOf = (value) => {
  const legend = make("ul", "tl-lesson-legend");
  for (const curve of value.curves) {
    const item = make("li");
    item.append(make("span", `tl-swatch tl-way-${curve.name}`), make("span", "", curve.title));
    legend.append(item);
  }
  return legend;
};

// `share`: null where none of the class's pictures was tried.
const barCell = (share, way) => {
  const cell = make("td", `tl-told-share tl-way-${way.name}`, percent(share));
  cell.style.setProperty("--share", `${Math.round(100 * (share ?? 0))}%`);
  return cell;
};

const lineOf = (title, ways, right, share, last) => {
  const line = make("tr", last ? "tl-total" : "");
  const head = make("th", "", title);
  head.scope = "row";
  line.append(head, ...ways.map((way, at) => barCell(right[at], way)));
  line.append(...ways.map((way, at) => barCell(share[at], way)));
  return line;
};

const tableOf = (value) => {
  const { ways } = value;
  const table = make("table", "tl-lesson-table");
  const groups = make("tr");
  const empty = make("td");
  groups.append(empty);
  for (const title of [`Right on ${value.tried}`, "The name's share of the prompt's relevance"]) {
    const head = make("th", "", title);
    head.colSpan = ways.length;
    head.scope = "colgroup";
    groups.append(head);
  }
  const heads = make("tr");
  heads.append(Object.assign(make("th", "", "Class"), { scope: "col" }));
  for (const way of [...ways, ...ways]) {
    const head = make("th", "", way.title);
    head.scope = "col";
    head.title = way.sentence;
    heads.append(head);
  }
  const top = make("thead");
  top.append(groups, heads);
  const body = make("tbody");
  for (const one of value.classes) body.append(lineOf(one.name, ways, one.right, one.share, false));
  const all = [ways.map((way) => way.accuracy), ways.map((way) => way.share)];
  body.append(lineOf("All", ways, ...all, true));
  table.append(top, body);
  const scroll = make("div", "tl-lesson-scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "Classes and ways to write the prompt");
  scroll.append(table);
  return scroll;
};

const wordsOf = (way) => {
  const said = make("p", "tl-lesson-words");
  said.append(make("strong", "", `${way.title}: `));
  way.words.forEach((word) => said.append(make("span", "tl-near", word), " "));
  return said;
};

const announce = announcer();

const draw = () => {
  const target = element.querySelector(".tl-lesson-page");
  const value = props.value;
  if (!target || !value) return;
  announce(value.finished ? value.verdict : "");
  if (!value.ways.length) {
    target.replaceChildren(make("p", "tl-hint", value.waiting));
    return;
  }
  const charts = make("div", "tl-lesson-charts");
  charts.append(...CHARTS.map((kind) => chartOf(kind, value)).filter(Boolean));
  const parts = [make("h3", "tl-verdict", value.verdict)];
  if (value.curves.length) parts.push(legendOf(value), charts);
  parts.push(tableOf(value));
  const learnt = value.ways.filter((way) => way.words.length);
  if (learnt.length) {
    const hint =
      "The learnt words are vectors, not words. These are the words of the vocabulary that lie nearest to each; " +
      "often they mean nothing.";
    parts.push(make("p", "tl-hint", hint), ...learnt.map(wordsOf));
  }
  target.replaceChildren(...parts, ...value.notes.map((note) => make("p", "tl-note", note)));
};

draw();
watch("value", draw);
