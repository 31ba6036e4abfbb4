// Builds the cards from props.value (after dom.js).
const describe = (map, prompt) => `${map.term} of “${prompt}”. ${map.caption || map.sentence}`;

const enlargeMap = (map, prompt) => {
  const lines = [make("strong", "", `“${prompt}”`), make("span", "", map.title ? `${map.term}: ${map.title}` : map.term)];
  if (map.caption) lines.push(make("span", "", map.caption));
  enlarge(pictureOf(map, describe(map, prompt)), lines);
};

const mapFigure = (map, card, cardIndex, mapIndex) => {
  const figure = make("figure", "tl-map");
  figure.style.setProperty("--aspect", map.width / map.height);
  const title = make("figcaption", "tl-map-title", map.term);
  if (map.title) title.append(make("span", "tl-plain", map.title));
  const open = make("button", "tl-picture");
  open.type = "button";
  open.title = "Show larger";
  open.append(pictureOf(map, describe(map, card.selected || card.prompt)));
  open.addEventListener("click", () => enlargeMap(map, card.selected || card.prompt));
  const below = make("div", "tl-map-below");
  const sentence = make("p", map.caption ? "tl-finding" : "tl-sentence", map.caption || map.sentence);
  if (map.caption) {
    const number = make("span", "tl-contrast", `(contrast ${map.contrast}, mSC)`);
    number.title = "Mean score contrast (mSC): the map’s mean on the subject minus its mean off it, from −100 to 100";
    sentence.append(" ", number);
  }
  const save = make("button", "tl-save", "Save PNG");
  save.type = "button";
  save.title = "Save this map over the picture at full size";
  save.addEventListener("click", () => trigger("save", { card: cardIndex, map: mapIndex }));
  below.append(sentence, save);
  figure.append(title, open, below);
  return figure;
};

const numbers = (card) => {
  const row = make("div", "tl-numbers");
  const share = make("div", "tl-share");
  const bar = make("span", "tl-bar");
  const fill = make("span", "tl-fill");
  fill.style.width = `${Math.max(1, 100 * card.probability)}%`;
  bar.append(fill);
  share.append(bar, make("span", "tl-number", card.percent), make("span", "tl-unit", "of the vote (softmax)"));
  share.title = "How the model divides its vote among your prompts: the softmax of their scores, at its own temperature";
  const score = make("div", "tl-score");
  score.append(make("span", "tl-number", card.score), make("span", "tl-unit", "similarity (cosine)"));
  score.title = "The raw score: the cosine between the picture's and the prompt's vectors, from −1 to 1";
  row.append(share, score);
  return row;
};

const words = (card, cardIndex) => {
  const block = make("div", "tl-words");
  block.append(make("p", "tl-hint", "Which words count (relevance). Select a word to see its own map."));
  const row = make("div", "tl-word-row");
  for (const word of card.words) {
    const button = make("button", "tl-word");
    button.type = "button";
    button.style.setProperty("--strength", `${Math.round(100 * word.strength)}%`);
    button.classList.toggle("tl-strong", word.strength > 0.6);
    button.setAttribute("aria-pressed", String(card.selected === word.text));
    button.append(make("span", "", word.text), make("small", "", word.percent));
    button.addEventListener("click", () => trigger("word", { card: cardIndex, word: word.text }));
    row.append(button);
  }
  block.append(row);
  if (card.selected) {
    const alone = make("p", "tl-alone", `The maps above show the word “${card.selected}” alone. `);
    const back = make("button", "tl-back", "Show the whole prompt");
    back.type = "button";
    back.addEventListener("click", () => trigger("word", { card: cardIndex, word: card.selected }));
    alone.append(back);
    block.append(alone);
  }
  return block;
};

const cardArticle = (card, cardIndex) => {
  const article = make("article", "tl-card");
  const head = make("header");
  head.append(make("h3", "", card.prompt), numbers(card));
  const maps = make("div", "tl-maps");
  card.maps.forEach((map, mapIndex) => maps.append(mapFigure(map, card, cardIndex, mapIndex)));
  article.append(head, maps);
  if (card.words.length) article.append(words(card, cardIndex));
  for (const note of card.notes) article.append(make("p", "tl-note", note));
  return article;
};

const draw = () => {
  const target = element.querySelector(".tl-cards");
  const value = props.value;
  if (!target || !value) return;
  const parts = value.cards.map(cardArticle);
  if (parts.length) parts.unshift(scaleRow(value.scale));
  else if (value.waiting) parts.push(waitingCard(value.waiting, "The model is waking up. The maps appear here in a moment."));
  target.replaceChildren(...parts);
};

draw();
watch("value", draw);
