// How the numbers of a run moved: one small chart each for similarity, D and loss, drawn with DOM calls.
const SVG = "http://www.w3.org/2000/svg";
const CHART = { width: 340, height: 190, left: 44, right: 26, top: 10, bottom: 28 };

const drawn = (tag, attributes = {}, text = null) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
};

const twoDigits = (number) => number.toFixed(2).replace("-", "−");

const CHARTS = [
  { name: "How alike", term: "(similarity)", read: (step, target) => step.similarity[target], say: twoDigits },
  { name: "Inside its box", term: "(D)", read: (step, target) => step.inside[target], say: percent, range: [0, 1] },
  { name: "What guidance lowers", term: "(loss)", read: (step) => step.losses.total, say: twoDigits, whole: true },
];

// Round numbers below, between and above the values.
const ticksFor = (values, range) => {
  const [low, high] = range ?? [Math.min(...values), Math.max(...values)];
  const rough = Math.max(high - low, 0.02) / 3;
  const ten = 10 ** Math.floor(Math.log10(rough));
  const step = ten * [1, 2, 5, 10].find((factor) => factor * ten >= rough * 0.999);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, at) => (first + at) * step);
};

const chartNode = (kind) => {
  const figure = make("figure", "tl-run-chart");
  const title = make("figcaption", "", kind.name);
  title.append(" ", make("span", "tl-term", kind.term));
  const svg = drawn("svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, role: "img" });
  const [grid, marks, lines] = ["tl-run-grid", "tl-run-marks", "tl-run-lines"].map((name) => drawn("g", { class: name }));
  svg.append(grid, marks, lines);
  figure.append(title, svg);
  // A press on a chart shows that step.
  const choose = (event) => {
    if (!event.buttons) return;
    const { left, width } = svg.getBoundingClientRect();
    const along = ((event.clientX - left) / width) * CHART.width - CHART.left;
    slider.value = Math.round((along / (CHART.width - CHART.left - CHART.right)) * slider.max);
    slide();
  };
  svg.addEventListener("pointerdown", choose);
  svg.addEventListener("pointermove", choose);
  return { kind, figure, svg, grid, marks, lines };
};

// [colour, number, values by step, value without guidance] of every line of a chart.
const linesOf = (kind, value) => {
  const readings = (target) =>
    steps.map((step) => [step.index, kind.read(step, target)]).filter(([, number]) => Number.isFinite(number));
  if (kind.whole) return [{ colour: "currentColor", name: "", values: readings(0) }];
  return value.targets.map((target, order) => ({
    colour: target.colour,
    name: target.phrase,
    number: order + 1,
    values: readings(order),
    alone: value.alone ? kind.read({ similarity: [], inside: [], ...value.alone }, order) : undefined,
  }));
};

// Labels at the ends of lines that end close together are moved apart.
const apart = (labels) => {
  labels.sort((one, other) => one.y - other.y);
  labels.forEach((label, order) => {
    if (order) label.y = Math.max(label.y, labels[order - 1].y + 15);
  });
  return labels;
};

const drawChart = (chart, value) => {
  const { kind } = chart;
  const lines = linesOf(kind, value).filter((line) => line.values.length);
  chart.figure.hidden = !lines.length;
  if (!lines.length) return;
  const all = lines.flatMap((line) => [...line.values.map(([, number]) => number), line.alone].filter(Number.isFinite));
  const ticks = ticksFor(all, kind.range);
  const total = Math.max(1, value.total);
  const inner = { width: CHART.width - CHART.left - CHART.right, height: CHART.height - CHART.top - CHART.bottom };
  const x = (index) => CHART.left + (index / total) * inner.width;
  const y = (number) => CHART.top + (1 - (number - ticks[0]) / (ticks.at(-1) - ticks[0])) * inner.height;
  const [end, foot] = [CHART.left + inner.width, CHART.top + inner.height];

  chart.grid.replaceChildren(
    ...ticks.flatMap((tick) => [
      drawn("line", { x1: CHART.left, x2: end, y1: y(tick), y2: y(tick) }),
      drawn("text", { x: CHART.left - 6, y: y(tick) + 4, "text-anchor": "end" }, kind.say(tick)),
    ]),
    drawn("text", { x: CHART.left, y: foot + 18 }, "step 0"),
    drawn("text", { x: end, y: foot + 18, "text-anchor": "end" }, total),
  );
  const mark = shownStep().index;
  chart.marks.replaceChildren(drawn("line", { x1: x(mark), x2: x(mark), y1: CHART.top, y2: foot }));
  const labels = lines.map((line) => ({ line, y: y(line.values.at(-1)[1]), x: x(line.values.at(-1)[0]) }));
  chart.lines.replaceChildren(
    ...lines.flatMap((line) => {
      const d = line.values.map(([index, number], order) => `${order ? "L" : "M"}${x(index)} ${y(number)}`).join("");
      const now = line.values.find(([index]) => index === mark);
      const group = drawn("g");
      group.style.color = line.colour;
      if (Number.isFinite(line.alone)) {
        group.append(drawn("line", { class: "tl-run-alone-line", x1: CHART.left, x2: end, y1: y(line.alone), y2: y(line.alone) }));
      }
      group.append(drawn("path", { d }));
      if (now) group.append(drawn("circle", { cx: x(now[0]), cy: y(now[1]), r: 4.5 }));
      return [group];
    }),
    ...apart(labels)
      .filter(({ line }) => line.number)
      .map((label) => drawn("text", { x: label.x + 8, y: label.y + 4 }, label.line.number)),
  );
  const told = lines.map(({ name, values }) => {
    const [first, last] = [values[0], values.at(-1)].map(([, number]) => kind.say(number));
    return `${name ? `${name}: ` : ""}from ${first} to ${last}`;
  });
  chart.svg.setAttribute("aria-label", `${kind.name} ${kind.term}, over the steps. ${told.join("; ")}.`);
};

const legendNode = (value) => {
  const legend = make("ul", "tl-run-legend");
  value.targets.forEach((target, order) => {
    const item = make("li");
    item.append(chipNode(order + 1, target.colour), " ", make("span", "", target.phrase));
    legend.append(item);
  });
  if (value.alone) legend.append(make("li", "tl-run-dashed", `finished picture ${besideOf(value)[1]}`));
  return legend;
};

const curves = make("details", "tl-run-curves");
const legendPlace = make("div");
const charts = CHARTS.map(chartNode);
const chartRow = make("div", "tl-run-charts");
chartRow.append(...charts.map((chart) => chart.figure));
curves.append(make("summary", "", "How the numbers moved"), legendPlace, chartRow);

const drawCurves = (value) => {
  curves.hidden = !steps.length || !value.targets.length;
  if (!curves.hidden && curves.open) charts.forEach((chart) => drawChart(chart, value));
};
