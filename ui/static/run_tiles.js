// Below the picture: a small one for each target with its heatmap and its numbers, and the words that count.
const ALIKE = "How close CLIP puts the picture and these words: the cosine of their vectors, from −1 to 1";
const INSIDE =
  "D: how well the bright part of the heatmap keeps to the box. It is 100 % where nothing outside is bright; a small box reaches less";

const tileFact = (label, term, hint) => {
  const row = make("span", "tl-run-fact");
  const number = make("span", "tl-number");
  const name = make("span", "tl-run-label", label);
  name.append(" ", make("span", "tl-term", term));
  row.title = hint;
  row.append(name, number);
  return { row, number };
};

const tileNode = (value, order, choose) => {
  const target = value.targets[order];
  const node = coloured(make("button", "tl-run-tile"), target.colour);
  node.type = "button";
  const frame = make("span", "tl-run-frame");
  const canvas = make("canvas");
  const layer = make("span", "tl-run-boxes");
  layer.append(...boxNodes(value, order));
  frame.append(canvas, layer);
  const name = make("span", "tl-run-phrase");
  name.append(chipNode(order + 1, target.colour), " ", make("span", "", target.phrase));
  const several = value.boxes.filter((box) => box.phrase === target.phrase).length > 1;
  const alike = tileFact("how alike", "(similarity)", ALIKE);
  const inside = tileFact(several ? "inside its boxes" : "inside its box", "(D)", INSIDE);
  const bar = make("span", "tl-run-bar");
  const fill = make("span");
  const tick = make("i");
  bar.append(fill, tick);
  const alone = make("span", "tl-unit");
  const text = make("span", "tl-run-facts");
  text.append(name, alike.row, inside.row, bar, alone);
  node.append(frame, text);
  node.addEventListener("click", () => choose(order));
  return { node, canvas, alike: alike.number, inside: inside.number, insideRow: inside.row, fill, tick, alone };
};

const said = (number, say) => (Number.isFinite(number) ? say(number) : "–");

const drawTile = (tile, value, order, chosen, levels) => {
  const step = shownStep();
  tile.node.setAttribute("aria-pressed", String(chosen === order));
  if (!step) return;
  paint(tile.canvas, step.picture, step.maps[order], levels);
  const inside = step.inside[order];
  tile.alike.textContent = said(step.similarity[order], twoDigits);
  tile.inside.textContent = said(inside, percent);
  tile.fill.style.width = `${100 * clamp(inside || 0, 0, 1)}%`;
  const share = step.share[order];
  tile.insideRow.title = Number.isFinite(share) ? `${INSIDE}. Of all that is bright here, ${percent(share)} lies inside.` : INSIDE;
  const alone = value.alone?.inside?.[order];
  tile.tick.hidden = !Number.isFinite(alone);
  tile.alone.hidden = !value.alone;
  if (!value.alone) return;
  tile.tick.style.left = `${100 * clamp(alone || 0, 0, 1)}%`;
  tile.alone.textContent = `${besideOf(value)[1]} ${said(value.alone.similarity?.[order], twoDigits)} and ${said(alone, percent)}`;
};

// Of the finished picture, and of the one beside it that neglected some.
const wordsNodes = ({ words, words_before: before }) =>
  [["the finished picture", words], ["the picture before", before]]
    .filter(([, each]) => each.length)
    .map(([picture, each]) => wordsNode(each, picture));

const wordsNode = (words, picture) => {
  const block = make("section", "tl-words");
  const said = `How much CLIP uses each word of the prompt for ${picture}; the strongest has 100\u00a0%, neglected are those below 70\u00a0%.`;
  const row = make("div", "tl-word-row");
  row.append(...words.map(wordChip));
  block.append(make("p", "tl-hint", said), row);
  return block;
};
