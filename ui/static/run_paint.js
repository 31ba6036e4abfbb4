// How a step is painted: the picture, a heatmap over it, and the boxes on both (after dom.js).
const STRENGTH = 0.6; // of a heatmap over the picture
const FINE = 128; // a heatmap has about so many values a side when it is coloured
const EDGES = ["left", "top", "right", "bottom"];

const clamp = (value, least, most) => Math.max(least, Math.min(value, most));

// A palette's few colours as 256 levels, blended between neighbours.
const colourLevels = (palette) => {
  const colours = palette.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return Array.from({ length: 256 }, (_, level) => {
    const place = (level / 255) * (colours.length - 1);
    const low = Math.floor(place);
    const high = colours[Math.min(low + 1, colours.length - 1)];
    return colours[low].map((part, channel) => part + (place - low) * (high[channel] - part));
  });
};

// Between which of `count` values each of `size` lies, and how far on: pixel centres, as heatmap.resize has it.
const between = (count, size) =>
  Array.from({ length: size }, (_, at) => {
    const place = clamp(((at + 0.5) * count) / size - 0.5, 0, count - 1);
    const low = Math.floor(place);
    return [low, Math.min(low + 1, count - 1), place - low];
  });

// A map, rows of levels from 0 to 255, as a picture: enlarged first and coloured then, so that no colour is made up.
const heatPicture = (map, levels) => {
  const factor = Math.max(1, Math.ceil(FINE / Math.max(map.length, map[0].length)));
  const canvas = make("canvas");
  canvas.width = map[0].length * factor;
  canvas.height = map.length * factor;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  const across = between(map[0].length, canvas.width);
  const blend = (row, [left, right, part]) => row[left] + part * (row[right] - row[left]);
  let at = 0;
  for (const [upper, lower, part] of between(map.length, canvas.height)) {
    for (const column of across) {
      const top = blend(map[upper], column);
      const colour = levels[Math.round(top + part * (blend(map[lower], column) - top))];
      for (let channel = 0; channel < 3; channel++) pixels.data[at++] = colour[channel];
      pixels.data[at++] = 255;
    }
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
};

// Paints a canvas at the screen's own resolution. While a picture is not there yet, what was painted stays.
const paint = (canvas, picture, map, levels) => {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * scale));
  if (!width || !height || !picture?.naturalWidth) return;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, width, height);
  if (!map?.length) return;
  context.globalAlpha = STRENGTH;
  context.drawImage(heatPicture(map, levels), 0, 0, width, height);
  context.globalAlpha = 1;
};

const chipNode = (number, colour) => coloured(make("span", "tl-run-chip", number), colour);

// The boxes of all targets, or of `only` one, with the numbers of their targets.
const boxNodes = (value, only = null) =>
  (value.boxes ?? []).flatMap((box) => {
    const place = value.targets.findIndex((target) => target.phrase === box.phrase);
    if (only !== null && place !== only) return [];
    const node = coloured(make("div", "tl-run-box"), box.colour);
    const [left, top, right, bottom] = EDGES.map((edge) => 100 * clamp(box[edge], 0, 1));
    Object.assign(node.style, { left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%` });
    node.dataset.target = place;
    node.title = box.phrase;
    if (only === null) node.append(make("span", "tl-run-chip", place + 1));
    node.classList.toggle("tl-run-inside", top < 9);
    return [node];
  });

// A picture with its boxes and its title: the main one, and the one without guidance.
const stageNode = (name) => {
  const figure = make("figure", `tl-run-stage ${name}`);
  const title = make("figcaption", "tl-run-title");
  const frame = make("div", "tl-run-frame");
  const canvas = make("canvas");
  canvas.setAttribute("role", "img");
  const layer = make("div", "tl-run-boxes");
  const empty = make("p", "tl-run-empty");
  frame.append(canvas, layer, empty);
  figure.append(title, frame);
  return { figure, title, frame, canvas, layer, empty };
};
