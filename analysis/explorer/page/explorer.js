"use strict";
// Holds plot, table and card together; what is open is in the page's address.

const find = (id) => document.getElementById(id);
const state = { open: [], className: "", hidden: new Set(), network: "", search: "" };
const searched = ROWS.map((row) => [row.network, `${row.layer}/${row.unit}`, row.worst_class, row.concept, row.role].filter(Boolean).join(" ").toLowerCase());
const table = makeTable((row) => state.open.includes(row));
const scatter = new Scatter(find("plot"), find("tip"), () => soon(filter), (row, add) => open(row, add));
const actions = {
  redraw: drawCard,
  close: () => { location.hash = ""; },
  open: (row) => open(row, false),
  compare: (row, text) => { if (rowAt(text)) location.hash = `${address(row)},${text}`; },
  step: openNext,
};

// Once a frame, however often it is asked for.
function soon(call) {
  if (!call.waiting) requestAnimationFrame(() => { call.waiting = false; call(); });
  call.waiting = true;
}

function isShown(row) {
  return !state.hidden.has(row.layer) && (!state.network || row.network === state.network)
    && (!state.search || state.search.split(/\s+/).every((word) => searched[row.id].includes(word))) && scatter.inRange(row);
}

function filter() {
  find("clear-brush").hidden = find("zoom").hidden = !scatter.range;
  showRange();
  table.setFilter(isShown);
}

function open(row, add) {
  const first = state.open[0];
  location.hash = add && first && first !== row ? `${address(first)},${address(row)}` : address(row);
}

function openNext(row, direction) {
  const rows = table.getRows("active").map((each) => each.getData());
  const next = rows[(rows.indexOf(row) + direction + rows.length) % rows.length];
  if (next) open(next, false);
}

// What the address names: units, a class, or nothing.
function route() {
  const text = location.hash.slice(1);
  let rows = [], name = "";
  try {
    if (text.startsWith("class=")) name = decodeURIComponent(text.slice(6));
    else if (text) rows = text.split(",").slice(0, 2).map(rowAt).filter(Boolean);
  } catch { /* An address that is no address opens nothing. */ }
  if (name && !CLASSES.includes(name)) name = "";
  const before = state.open;
  state.open = rows;
  state.card = name;
  if (name) chooseClass(name);
  for (const row of [...before, ...rows]) table.getRow(row.id)?.reformat();
  if (rows.length) showRow(rows.at(-1));
  scatter.open(rows);
  drawCard();
  find("said").textContent = rows.length ? `${rows.map(title).join(" and ")} opened` : "";
  document.title = rows.length ? `${rows.map(title).join(", ")} – unit explorer` : "Unit explorer – jaxunits";
}

// Scrolls the table to a row that is out of sight; Tabulator's own way leaves rows above it empty.
function showRow(row) {
  const holder = document.querySelector(".tabulator-tableholder");
  const place = (table.getRow(row.id)?.getPosition() || 1) * ROW_HEIGHT;
  if (place - ROW_HEIGHT >= holder.scrollTop && place <= holder.scrollTop + holder.clientHeight) return;
  holder.scrollTop = place - (holder.clientHeight + ROW_HEIGHT) / 2;
}

function drawCard() {
  const pane = find("detail");
  const card = state.open.length ? unitCard(state.open, actions) : state.card ? classCard(state.card, networkRows(), actions) : overview(actions);
  pane.replaceChildren(card);
  pane.scrollTop = 0;
  if ((state.open.length || state.card) && pane.offsetTop > innerHeight) pane.scrollIntoView();
}

function networkRows() {
  return ROWS.filter((row) => !state.network || row.network === state.network);
}

function chooseClass(name) {
  if (name === state.className) return;
  state.className = name;
  find("class").value = name;
  for (const row of ROWS) {
    const found = name ? outcome(row, name) : null;
    row.class_drop = found?.drop ?? null;
    row["class_drop.low"] = found?.low;
    row["class_drop.high"] = found?.high;
  }
  refreshClassCells();
  const column = table.getColumn("class_drop");
  column.getElement().querySelector(".tabulator-col-title").textContent = name ? `${name} drop` : CLASS_DROP.label;
  table.blockRedraw();
  name ? column.show() : column.hide();
  table.setSort(name ? "class_drop" : "max_drop", "desc");
  table.restoreRedraw();
  fillAxes();
  if (name) find("y").value = "class_drop";
  drawPlot();
}

// A quantity as an axis; shares in percent.
function axis(key) {
  const column = key === "class_drop" ? { ...CLASS_DROP, label: `drop of ${state.className}` } : COLUMNS.get(key);
  const scale = column.kind === "share" ? 100 : 1;
  return {
    title: scale === 100 ? `${column.label} (%)` : column.label,
    value: (row) => (row[key] == null ? null : scale * row[key]),
  };
}

function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, label]) => element("option", { value, selected: value === chosen }, label)));
}

function fillAxes() {
  const numeric = DATA.columns.filter((column) => column.kind !== "text").map((column) => [column.key, column.label]);
  if (state.className) numeric.unshift(["class_drop", `drop of ${state.className}`]);
  const keys = numeric.map(([key]) => key);
  const first = (select, ...wanted) => [select.value, ...wanted, ...keys].find((key) => keys.includes(key));
  fill(find("y"), numeric, first(find("y"), "max_drop"));
  fill(find("x"), numeric, first(find("x"), "overall_drop", "class_selectivity", "concept_iou"));
}

// What has few different texts can be a color too.
function colorings() {
  const texts = DATA.columns.filter((column) => column.kind === "text" && new Set(ROWS.map((row) => row[column.key])).size <= 10);
  return [["layer", "layer"], ...(SEVERAL ? [["network", "network"]] : []), ...texts.map((column) => [column.key, column.label])];
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
  if (scatter.range) { scatter.range = null; soon(filter); }
  scatter.zoomed = null;
  find("whole").hidden = true;
  style.faint = isDark() ? "#8b909a" : "#8a8f98";
  scatter.set({ x: axis(keys[0]), y: axis(keys[1]) }, color);
  find("plot").setAttribute("aria-label", `Scatter of ${scatter.axes.y.title} over ${scatter.axes.x.title}: ${ROWS.length.toLocaleString("en")} units, each listed in the table`);
  find("legend").hidden = !legend.length;
  find("legend").replaceChildren(...legend.map(([name, shade]) => {
    const dot = element("span", { class: "dot" });
    dot.style.background = shade;
    return element("span", {}, dot, name);
  }));
  find("x-name").textContent = scatter.axes.x.title;
  find("y-name").textContent = scatter.axes.y.title;
}

function showRange() {
  for (const name of ["x", "y"]) {
    for (const [place, end] of ["from", "to"].entries()) {
      const field = find(`${name}-${end}`);
      if (field !== document.activeElement) field.value = scatter.range ? Number(scatter.range[name][place].toPrecision(4)) : "";
    }
  }
}

// The range of the fields; a field that is empty has no end.
function readRange() {
  const ends = ["x", "y"].map((name) => ["from", "to"].map((end, place) => {
    const { value } = find(`${name}-${end}`);
    const domain = scatter.view.scale(name).domain();
    return value === "" ? domain[place] : Number(value);
  }));
  const empty = ["x-from", "x-to", "y-from", "y-to"].every((id) => find(id).value === "");
  scatter.select(empty ? null : { x: ends[0], y: ends[1] });
}

function layerButtons() {
  const buttons = LAYERS.map((layer) => {
    const dot = element("span", { class: "dot" });
    dot.style.background = layerColor(layer);
    const button = element("button", { type: "button", "aria-pressed": "true", onclick: (event) => toggle(layer, event) }, dot, layer);
    return button;
  });
  find("layers").replaceChildren(...buttons);
  pressLayers();
}

// A click shows one layer alone, or all again; with Shift more of them.
function toggle(layer, event) {
  const shown = LAYERS.filter((each) => !state.hidden.has(each));
  let next = [layer];
  if (event.shiftKey) next = shown.includes(layer) ? shown.filter((each) => each !== layer) : [...shown, layer];
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

function reset() {
  Object.assign(state, { hidden: new Set(), network: "", search: "" });
  scatter.range = null;
  pressLayers();
  table.clearHeaderFilter();
  chooseClass("");
  filter();
}

function describe() {
  const [network] = DATA.networks;
  const images = network.class_images ? numbers(network.class_images).reduce((sum, count) => sum + count, 0) : 0;
  const correct = network.class_correct ? numbers(network.class_correct).reduce((sum, count) => sum + count, 0) : 0;
  find("title").textContent = DATA.title;
  const parts = [
    SEVERAL ? `${DATA.networks.length} networks` : images && `${(100 * correct / images).toFixed(1)} % right on ${images.toLocaleString("en")} images (${network.split})`,
    `${ROWS.length.toLocaleString("en")} units in ${LAYERS.length} ${LAYERS.length === 1 ? "layer" : "layers"}`,
    CLASSES.length && `${CLASSES.length.toLocaleString("en")} classes`,
    network.values && `ablated to ${network.values}`,
  ];
  find("facts").replaceChildren(parts.filter(Boolean).join(" · "), " · ", element("a", { href: "report.html" }, "report"));
}

// Rows are in one group, which has the scrollbar: a grid's children are groups of rows.
function nameTable() {
  const grid = find("table");
  grid.removeAttribute("aria-owns");
  grid.setAttribute("aria-labelledby", "table-title");
  grid.querySelector(".tabulator-tableholder").setAttribute("role", "rowgroup");
  grid.querySelector(".tabulator-table").setAttribute("role", "presentation");
  for (const head of grid.querySelectorAll(".tabulator-col.tabulator-sortable")) head.tabIndex = 0;
  grid.addEventListener("keydown", (event) => {
    if (!event.target.matches(".tabulator-col") || !["Enter", " "].includes(event.key)) return;
    event.preventDefault();
    event.target.querySelector(".tabulator-col-title").click();
  });
}

function begin() {
  nameTable();
  describe();
  layerButtons();
  fill(find("network"), [["", "all"], ...DATA.networks.map((network) => [network.name, network.name])], "");
  fill(find("class"), [["", "all classes"], ...CLASSES.map((name) => [name, name])], "");
  fill(find("color"), colorings(), "layer");
  find("network-choice").hidden = !SEVERAL;
  find("class-choice").hidden = !CLASSES.length;
  find("color-choice").hidden = colorings().length === 1;
  fillAxes();
  columnMenu(table, find("column-list"));
  drawPlot();
  find("search").addEventListener("input", () => { state.search = find("search").value.trim().toLowerCase(); soon(filter); });
  find("network").addEventListener("change", () => { state.network = find("network").value; filter(); });
  find("class").addEventListener("change", () => {
    const name = find("class").value;
    if (name) location.hash = `class=${encodeURIComponent(name)}`;
    else { chooseClass(""); if (state.card) location.hash = ""; }
  });
  for (const id of ["x", "y", "color"]) find(id).addEventListener("change", drawPlot);
  for (const id of ["x-from", "x-to", "y-from", "y-to"]) find(id).addEventListener("input", readRange);
  find("clear-brush").addEventListener("click", () => scatter.select(null));
  find("zoom").addEventListener("click", () => { scatter.zoom(scatter.range); find("whole").hidden = false; });
  find("whole").addEventListener("click", () => { scatter.zoom(null); find("whole").hidden = true; });
  find("filters").addEventListener("reset", () => setTimeout(reset));
  find("filters").addEventListener("submit", (event) => event.preventDefault());
  find("download").addEventListener("click", () => table.download("csv", "units.csv"));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#columns")) find("columns").open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (find("columns").open) find("columns").open = false;
    else if (!event.target.closest("input, select")) location.hash = "";
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { layerButtons(); scatter.draw(); drawPlot(); drawCard(); });
  addEventListener("hashchange", route);
  route();
  requestAnimationFrame(() => performance.mark("drawn"));
  // Meanwhile what the first card would wait for.
  (window.requestIdleCallback ?? setTimeout)(() => {
    for (const number of DATA.files.keys()) fileAddress(number);
    for (const layer of DATA.networks.flatMap((network) => network.layers)) if (layer.outcomes) numbers(layer.outcomes.outcome);
  });
}

table.on("dataFiltered", (filters, rows) => {
  find("count").textContent = rows.length === ROWS.length ? `${ROWS.length.toLocaleString("en")} units`
    : `${rows.length.toLocaleString("en")} of ${ROWS.length.toLocaleString("en")} units`;
  scatter.mark(rows.length === ROWS.length ? null : new Set(rows.map((row) => row.getData().id)));
});
table.on("rowClick", (event, row) => {
  if (!event.target.closest("a")) open(row.getData(), event.shiftKey || event.metaKey || event.ctrlKey);
});
table.on("tableBuilt", begin);
