// What the components build their pages from. Texts are set with textContent only: nothing typed becomes markup.
const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = text;
  return node;
};

// A share of 1 as whole percent, as wording.percent says it.
const percent = (share) => {
  if (!Number.isFinite(share)) return "–";
  return share > 0 && share < 0.005 ? "under 1\u00a0%" : `${Math.floor(100 * share + 0.5)}\u00a0%`;
};

const timeSaid = (seconds) => {
  if (!Number.isFinite(seconds)) return "";
  if (seconds >= 90) return `about ${Math.round(seconds / 60)} minutes left`;
  return seconds >= 1.5 ? `about ${Math.round(seconds)} seconds left` : "nearly there";
};

const pictureOf = (drawn, alt) => {
  const image = make("img");
  image.src = drawn.src;
  image.width = drawn.width;
  image.height = drawn.height;
  image.alt = alt;
  return image;
};

const enlarge = (image, lines) => {
  const dialog = make("dialog", "tl-large");
  const close = make("button", "tl-close", "Close");
  close.type = "button";
  const figure = make("figure");
  const text = make("figcaption");
  text.append(...lines);
  figure.append(image, text);
  dialog.append(figure, close);
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  element.append(dialog);
  dialog.showModal();
};

const scaleRow = (colours) => {
  const row = make("div", "tl-scale");
  const strip = make("span", "tl-strip");
  strip.style.background = `linear-gradient(to right, ${colours.join(", ")})`;
  row.append(make("span", "", "low"), strip, make("span", "", "high"), make("span", "tl-scale-note", "Each map has its own scale."));
  return row;
};

// Before the first answer: the picture, and a sentence on what is going to be there.
const waitingCard = (source, sentence) => {
  const article = make("article", "tl-card tl-waiting");
  const image = make("img");
  image.src = source;
  image.alt = "The picture that is asked about";
  article.append(image, make("p", "", sentence));
  return article;
};

// What is written on a colour is black or white, whichever is plainer.
const ink = (colour) => {
  const [red, green, blue] = [1, 3, 5].map((at) => (parseInt(colour.slice(at, at + 2), 16) / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 ? "#111111" : "#ffffff";
};

// Tells those who cannot see the page. The node stays where it is: only what changes in it is read out.
const announcer = () => {
  const live = make("p", "tl-said");
  live.setAttribute("aria-live", "polite");
  return (text) => {
    if (!element.contains(live)) element.append(live);
    if (live.textContent !== text) live.textContent = text;
  };
};

const coloured = (node, colour) => {
  node.style.setProperty("--box", colour);
  node.style.setProperty("--ink", ink(colour));
  return node;
};

// A word and how much it counts; a content word that falls behind is marked.
const wordChip = (word) => {
  const chip = make("span", "tl-word tl-told");
  chip.style.setProperty("--strength", `${Math.round(100 * word.strength)}%`);
  chip.classList.toggle("tl-neglected", word.neglected);
  chip.classList.toggle("tl-function", !word.content);
  chip.append(make("span", "", word.text), make("small", "", word.percent));
  if (word.drop) chip.append(make("small", "tl-drop", word.drop));
  if (word.neglected) chip.append(make("small", "tl-mark", word.mark ?? "neglected"));
  return chip;
};
