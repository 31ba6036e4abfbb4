// Chips for the words in props.value, which keeps what is tapped (after dom.js).
const row = make("div", "tl-picker-row");
row.setAttribute("role", "group");
row.setAttribute("aria-label", "Words that must count");
const empty = make("p", "tl-hint", "The words of your text appear here.");
element.querySelector(".tl-picker").append(row, empty);

const tap = (word) => {
  const value = props.value;
  const words = value.words.map((one) => (one.text === word ? { ...one, on: !one.on } : { ...one }));
  const on = words.find((one) => one.text === word).on;
  props.value = { words, taps: { ...value.taps, [word.toLowerCase()]: on } };
  trigger("input");
  draw();
};

const chip = (word) => {
  const node = make("button", "tl-pick", word.text);
  node.type = "button";
  node.setAttribute("aria-pressed", String(word.on));
  node.addEventListener("click", () => tap(word.text));
  return node;
};

const draw = () => {
  const words = props.value?.words ?? [];
  const focused = [...row.children].indexOf(document.activeElement);
  row.replaceChildren(...words.map(chip));
  row.children[focused]?.focus();
  empty.hidden = words.length > 0;
};

draw();
watch("value", draw);
