// A picture before and after, one over the other, parted by a line that a hand or a slider moves (after dom.js).
const pictureNode = (name) => {
  const node = make("img", name);
  node.draggable = false;
  return node;
};

// `moved(share)`: a hand has put the line somewhere, as a share of the width.
const stageNode = (name, moved) => {
  const figure = make("figure", `tl-edit-stage ${name}`);
  const title = make("figcaption", "tl-edit-title");
  const frame = make("div", "tl-edit-frame");
  const before = pictureNode("tl-edit-before");
  const after = pictureNode("tl-edit-after");
  const place = pictureNode("tl-edit-place");
  const line = make("span", "tl-edit-line");
  const left = make("span", "tl-edit-tag tl-edit-left", "Before");
  const right = make("span", "tl-edit-tag tl-edit-right", "After");
  place.alt = "";
  frame.append(before, after, place, line, left, right);
  figure.append(title, frame);

  const follow = (event) => {
    const { left: start, width } = frame.getBoundingClientRect();
    moved(Math.max(0, Math.min((event.clientX - start) / width, 1)));
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    frame.setPointerCapture(event.pointerId);
    follow(event);
  });
  frame.addEventListener("pointermove", (event) => frame.hasPointerCapture(event.pointerId) && follow(event));
  return { figure, title, frame, before, after, place };
};

const show = (node, src, alt) => {
  node.hidden = !src;
  if (src && node.getAttribute("src") !== src) node.src = src;
  node.alt = alt;
};

const twoDigits = (value) => value.toFixed(2).replace("-", "−");

// `found`: what is shown as "after", or null where nothing came yet.
const drawStage = (stage, value, found, title) => {
  stage.title.textContent = title;
  stage.frame.style.aspectRatio = `${value.width} / ${value.height}`;
  stage.figure.style.setProperty("--aspect", value.width / value.height);
  show(stage.before, value.before?.src, `Before: ${value.caption || "the picture as it was"}`);
  show(stage.after, found?.src, `After: ${value.prompt}`);
  stage.frame.classList.toggle("tl-edit-alone", !found);
};
