// What each word has in the picture before and after, as bars; and what the numbers mean in a sentence each.
const ALIKE = "Similarity: how alike CLIP finds the picture and the whole text, from −1 to 1 (cosine).";
const SHARES =
  "Words: how much of what CLIP makes of the text comes from each word when it looks at this picture (relevance). All words of a column have 100\u00a0%.";
const COLUMNS = [
  ["before", "before"],
  ["after", "after"],
  ["without", "words not counted"],
];

const barCell = (share, most) => {
  const cell = make("td");
  const sides = make("div", "tl-edit-cell");
  const bar = make("span", "tl-edit-bar");
  const filled = make("span");
  filled.style.width = `${most ? (100 * share) / most : 0}%`;
  bar.append(filled);
  sides.append(make("span", "tl-edit-share", percent(share)), bar);
  cell.append(sides);
  return cell;
};

const wordRow = (value, word, columns, most) => {
  const row = make("tr", word.counts ? "tl-edit-counts" : "");
  const name = make("th", "", word.text);
  name.scope = "row";
  if (word.counts) name.append(" ", make("small", "", "counts"));
  row.append(name, ...columns.map(([column]) => barCell(word[column], most)));
  return row;
};

const wordTable = (value) => {
  const columns = COLUMNS.filter(([column]) => value[column]);
  const most = Math.max(...value.words.flatMap((word) => columns.map(([column]) => word[column])), 0);
  const table = make("table", "tl-edit-words");
  table.append(make("caption", "tl-said", "Similarity, and relevance of each word"));
  const head = make("tr");
  head.append(make("td"), ...columns.map(([, label]) => Object.assign(make("th", "", label), { scope: "col" })));
  const alike = make("tr", "tl-edit-alike");
  const name = make("th", "", "Similarity");
  name.scope = "row";
  alike.append(name, ...columns.map(([column]) => make("td", "tl-number", twoDigits(value[column].similarity))));
  const rows = value.words.map((word) => wordRow(value, word, columns, most));
  const body = make("tbody");
  body.append(alike, ...rows);
  const top = make("thead");
  top.append(head);
  table.append(top, body);
  return table;
};
