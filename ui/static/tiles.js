// Builds the tiles from props.value (after dom.js). A tile that has not changed keeps its node, so nothing flickers.
const built = new Map(); // name of a method -> { made from, node }
let block = null; // of the depth slider; null: the last

const fact = (label, value, hint) => {
  const item = make("div", "tl-fact");
  item.title = hint;
  item.append(make("span", "tl-unit", label), make("span", "tl-number", value));
  return item;
};

const CONTRAST = "Mean score contrast (mSC): the map’s mean on the thing minus its mean off it, from −100 to 100";
const OVERLAP = "Intersection over union (IoU) of the thing with the map’s brightest part, at the threshold that suits this map best";
const TIME = "What this method took by itself, once the model had run for all of them";

const tileNode = (tile) => {
  const node = make("article", "tl-tile");
  const head = make("h4", "", tile.term);
  if (tile.title) head.append(make("span", "tl-plain", tile.title));
  const open = make("button", "tl-picture");
  open.type = "button";
  open.title = "Show larger";
  const alt = `${tile.term}${tile.contrast ? `, contrast ${tile.contrast}` : ""}. ${tile.sentence}`;
  open.append(pictureOf(tile, alt));
  open.addEventListener("click", () =>
    enlarge(pictureOf(tile, alt), [make("strong", "", tile.title ? `${tile.term}: ${tile.title}` : tile.term), make("span", "", tile.sentence)]),
  );
  const facts = make("div", "tl-facts");
  if (tile.contrast) {
    facts.append(fact(tile.before ? `contrast, was ${tile.before}` : "contrast", tile.contrast, CONTRAST));
    facts.append(fact("overlap", tile.overlap, OVERLAP));
    facts.append(fact("brightest point", tile.hit ? "on it" : "off it", "Pointing game: is the map’s highest point on the thing?"));
  }
  facts.append(fact("time", tile.seconds, TIME));
  node.append(head, open, facts, make("p", "tl-sentence", tile.sentence), make("p", "tl-paper", tile.paper));
  return node;
};

const kept = (tile) => {
  const from = JSON.stringify(tile);
  if (built.get(tile.name)?.from !== from) built.set(tile.name, { from, node: tileNode(tile) });
  return built.get(tile.name).node;
};

const plainNode = (plain) => {
  const node = make("article", "tl-tile tl-plain");
  const frame = make("div", "tl-picture");
  frame.append(pictureOf(plain, "The picture, as the model was shown it"));
  node.append(make("h4", "", "The picture itself"), frame);
  return node;
};

const depthSection = (depth) => {
  const section = make("section", "tl-card tl-depth");
  const last = depth.frames.length - 1;
  const at = Math.min(block ?? last, last);
  const head = make("h4", "", depth.term);
  head.append(make("span", "tl-plain", depth.title));
  const image = pictureOf(depth.frames[at], "");
  const slider = make("input");
  slider.type = "range";
  slider.min = 1;
  slider.max = last + 1;
  slider.value = at + 1;
  slider.setAttribute("aria-label", "Block");
  const said = make("output");
  const show = () => {
    const index = Number(slider.value) - 1;
    const frame = depth.frames[index];
    block = index === last ? null : index;
    image.src = frame.src;
    image.alt = `The similarity map after block ${index + 1}`;
    said.textContent = `After block ${index + 1} of ${last + 1}${index === last ? ": the map itself" : ""}`;
    if (frame.contrast) said.append(make("span", "tl-unit", ` contrast ${frame.contrast}`));
  };
  slider.addEventListener("input", show);
  show();
  const beside = make("div", "tl-depth-control");
  beside.append(said, slider, make("p", "tl-sentence", "Move the slider to see after which block the thing lights up, and whether it is lost again."));
  section.append(head, image, beside);
  return section;
};

const lackingSection = (lacking) => {
  const section = make("section", "tl-lacking");
  section.append(make("h4", "", "Not possible with this model"));
  const list = make("ul");
  for (const one of lacking) {
    const item = make("li");
    item.append(make("strong", "", one.term), make("span", "", ` ${one.reason}`));
    list.append(item);
  }
  section.append(list);
  return section;
};

const draw = () => {
  const target = element.querySelector(".tl-tiles-page");
  const value = props.value;
  if (!target || !value) return;
  if (!value.tiles.length) {
    if (value.waiting) target.replaceChildren(waitingCard(value.waiting, "The model is waking up. The maps appear here in a moment."));
    return;
  }
  const head = make("header", "tl-tiles-head");
  const title = make("h3", "", value.heading);
  head.append(title, fact("similarity (cosine)", value.score, "The raw score: the cosine between the picture's and the prompt's vectors, from −1 to 1"));
  head.append(scaleRow(value.scale));
  const parts = [head, ...value.remarks.map((remark) => make("p", "tl-remark", remark))];
  const byName = new Map(value.tiles.map((tile) => [tile.name, tile]));
  const grid = make("div", "tl-tiles");
  grid.append(plainNode(value.plain));
  value.order.forEach((name, place) => {
    const node = kept(byName.get(name));
    node.dataset.rank = value.ranked ? String(place + 1) : "";
    grid.append(node);
  });
  parts.push(grid);
  if (value.depth) parts.push(depthSection(value.depth));
  if (value.lacking.length) parts.push(lackingSection(value.lacking));
  target.replaceChildren(...parts);
};

draw();
watch("value", draw);
