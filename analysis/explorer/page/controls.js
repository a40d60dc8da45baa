"use strict";
// What chooses axes, colors, ranges and layers.

// A quantity as an axis; shares in percent.
function axis(key) {
  const column =
    key === "class_drop" ? { ...CLASS_DROP, label: `drop of ${state.className}` } : COLUMNS.get(key);
  const scale = column.kind === "share" ? 100 : 1;
  return {
    title: scale === 100 ? `${column.label} (%)` : column.label,
    value: (row) => (row[key] == null ? null : scale * row[key]),
  };
}

function fill(select, options, chosen) {
  select.replaceChildren(
    ...options.map(([value, label]) => element("option", { value, selected: value === chosen }, label)),
  );
}

function fillAxes() {
  const numeric = DATA.columns
    .filter((column) => column.kind !== "text")
    .map((column) => [column.key, column.label]);
  const keys = numeric.map(([key]) => key);
  const first = (...wanted) => wanted.find((key) => keys.includes(key)) ?? keys[0];
  const offered = [["class_drop", ""], ...numeric];
  fill(find("y"), offered, first("max_drop"));
  fill(find("x"), offered, first("overall_drop", "class_selectivity", "concept_iou"));
  offerClass();
}

// The chosen class's drop as an axis; without a class axes that showed it show another quantity.
function offerClass() {
  for (const select of [find("y"), find("x")]) {
    const [option] = select.options;
    option.textContent = `drop of ${state.className}`;
    option.hidden = option.disabled = !state.className;
    if (option.selected && option.hidden) select.value = select.querySelector("[selected]").value;
  }
  if (state.className) find("y").value = "class_drop";
}

// What has few different texts can be a color too.
function colorings() {
  const texts = DATA.columns.filter(
    (column) => column.kind === "text" && new Set(ROWS.map((row) => row[column.key])).size <= 10,
  );
  return [
    ["layer", "layer"],
    ...(SEVERAL ? [["network", "network"]] : []),
    ...texts.map((column) => [column.key, column.label]),
  ];
}

function coloring(key) {
  if (key === "layer") {
    const colors = new Map(LAYERS.map((layer) => [layer, layerColor(layer)]));
    return { color: (row) => colors.get(row.layer), legend: [] };
  }
  const names = [...new Set(ROWS.map((row) => row[key]))].filter(Boolean);
  const colors = new Map(names.map((name, number) => [name, seriesColor(number)]));
  return { color: (row) => colors.get(row[key]) ?? "#888888", legend: [...colors] };
}

function drawPlot() {
  const keys = ["x", "y"].map((name) => find(name).value);
  const { color, legend } = coloring(find("color").value);
  if (scatter.range) {
    scatter.range = null;
    soon(filter);
  }
  scatter.zoomed = null;
  find("whole").hidden = true;
  style.faint = isDark() ? "#8b909a" : "#8a8f98";
  scatter.set({ x: axis(keys[0]), y: axis(keys[1]) }, color);
  find("plot").setAttribute(
    "aria-label",
    `Scatter of ${scatter.axes.y.title} over ${scatter.axes.x.title}: ${ROWS.length.toLocaleString("en")} units, each listed in the table`,
  );
  find("legend").hidden = !legend.length;
  find("legend").replaceChildren(
    ...legend.map(([name, shade]) => {
      const dot = element("span", { class: "dot" });
      dot.style.background = shade;
      return element("span", {}, dot, name);
    }),
  );
  find("x-name").textContent = scatter.axes.x.title;
  find("y-name").textContent = scatter.axes.y.title;
}

function showRange() {
  for (const name of ["x", "y"]) {
    for (const [place, end] of ["from", "to"].entries()) {
      const field = find(`${name}-${end}`);
      if (field !== document.activeElement)
        field.value = scatter.range ? Number(scatter.range[name][place].toPrecision(4)) : "";
    }
  }
}

// The range of the fields; a field that is empty has no end.
function readRange() {
  const ends = ["x", "y"].map((name) =>
    ["from", "to"].map((end, place) => {
      const { value } = find(`${name}-${end}`);
      const domain = scatter.view.scale(name).domain();
      return value === "" ? domain[place] : Number(value);
    }),
  );
  const empty = ["x-from", "x-to", "y-from", "y-to"].every((id) => find(id).value === "");
  scatter.select(empty ? null : { x: ends[0], y: ends[1] });
}

function layerButtons() {
  const buttons = LAYERS.map((layer) => {
    const dot = element("span", { class: "dot" });
    dot.style.background = layerColor(layer);
    const button = element(
      "button",
      { type: "button", "aria-pressed": "true", onclick: (event) => toggle(layer, event) },
      dot,
      layer,
    );
    return button;
  });
  find("layers").replaceChildren(...buttons);
  pressLayers();
}

// A click shows one layer alone, or all again; with Shift more of them.
function toggle(layer, event) {
  const shown = LAYERS.filter((each) => !state.hidden.has(each));
  let next = [layer];
  if (event.shiftKey)
    next = shown.includes(layer) ? shown.filter((each) => each !== layer) : [...shown, layer];
  else if (shown.length === 1 && shown[0] === layer) next = LAYERS;
  state.hidden = new Set(next.length ? LAYERS.filter((each) => !next.includes(each)) : []);
  pressLayers();
  soon(filter);
}

function pressLayers() {
  for (const [number, button] of [...find("layers").children].entries()) {
    button.setAttribute("aria-pressed", String(!state.hidden.has(LAYERS[number])));
  }
}
