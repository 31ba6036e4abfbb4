// Chips for the words in props.value, which keeps what is tapped (after dom.js). The server answers to what is typed with
// another value, and may have been asked before the last taps: those are kept.
const row = make("div", "tl-picker-row");
row.setAttribute("role", "group");
row.setAttribute("aria-label", "Words that must count");
const empty = make("p", "tl-hint", "The words of your text appear here.");
element.querySelector(".tl-picker").append(row, empty);

const tapped = new Map(); // word in small letters -> { on, number }, its last tap
let newest = props.value?.seen ?? 0; // number of the last tap; a value's `seen` is that of the last one that is in it

// A value with the taps that came after those that are in it.
const withTaps = (value) => {
  const newer = new Map([...tapped].filter(([, one]) => one.number > (value.seen ?? 0)));
  if (!newer.size) return value;
  const words = value.words.map((one) => ({ ...one, on: newer.get(one.text.toLowerCase())?.on ?? one.on }));
  const taps = { ...value.taps };
  for (const [word, one] of newer) taps[word] = one.on;
  return { words, taps, seen: newest };
};

const tap = (word, on) => {
  newest += 1;
  tapped.set(word.toLowerCase(), { on, number: newest });
  props.value = withTaps(props.value);
  draw();
};

const chip = (word) => {
  const node = make("button", "tl-pick", word.text);
  node.type = "button";
  node.setAttribute("aria-pressed", String(word.on));
  node.addEventListener("click", () => tap(word.text, !word.on));
  return node;
};

const draw = () => {
  const words = props.value?.words ?? [];
  const focused = [...row.children].indexOf(document.activeElement);
  row.replaceChildren(...words.map(chip));
  row.children[focused]?.focus();
  empty.hidden = words.length > 0;
};

// An answer to a text that was typed says what it has seen. One that does not is another wish: an example, a link.
const take = () => {
  const value = props.value ?? { words: [], taps: {} };
  if (value.seen === undefined || value.seen === null) tapped.clear();
  const merged = withTaps(value);
  if (merged !== value) props.value = merged;
  draw();
};

draw();
watch("value", take);
