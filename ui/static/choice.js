// Fills the list from props.value. Texts are set with textContent only.
const draw = () => {
  const value = props.value;
  const select = element.querySelector("select");
  if (!value || !select) return;
  element.querySelector("label > span").textContent = value.title;
  const groups = value.groups.map((group) => {
    const options = group.options.map((option) => {
      const node = document.createElement("option");
      node.value = option.name;
      node.textContent = option.reason ? `${option.label}: ${option.reason}` : option.label;
      node.disabled = Boolean(option.reason);
      return node;
    });
    if (!group.label) return options;
    const node = document.createElement("optgroup");
    node.label = group.label;
    node.append(...options);
    return [node];
  });
  select.replaceChildren(...groups.flat());
  select.value = value.selected;
};

element.addEventListener("change", (event) => {
  props.value = { ...props.value, selected: event.target.value };
  trigger("choose");
});

draw();
watch("value", draw);
