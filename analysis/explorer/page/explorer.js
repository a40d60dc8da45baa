"use strict";
// Holds plot, table and card together; what is open is in the page's address.

const find = (id) => document.getElementById(id);
const state = { open: [], className: "", hidden: new Set(), network: "", search: "" };
const searched = ROWS.map((row) =>
  [row.network, `${row.layer}/${row.unit}`, row.worst_class, row.concept, row.role]
    .filter(Boolean)
    .join(" ")
    .toLowerCase(),
);
const table = makeTable((row) => state.open.includes(row));
const scatter = new Scatter(
  find("plot"),
  find("tip"),
  () => soon(filter),
  (row, add) => open(row, add),
);
const actions = {
  redraw: drawCard,
  close: () => {
    location.hash = "";
  },
  open: (row) => open(row, false),
  compare: (row, text) => {
    if (rowAt(text)) location.hash = `${address(row)},${text}`;
  },
  step: openNext,
};

// Several changes, after which table and plot are drawn once.
function together(change) {
  if (scatter.held) return change();
  table.blockRedraw();
  scatter.held = true;
  change();
  table.restoreRedraw();
  scatter.held = false;
  scatter.update();
}

// Once a frame, however often it is asked for.
function soon(call) {
  if (!call.waiting)
    requestAnimationFrame(() => {
      call.waiting = false;
      call();
    });
  call.waiting = true;
}

function isShown(row) {
  return (
    !state.hidden.has(row.layer) &&
    (!state.network || row.network === state.network) &&
    (!state.search || state.search.split(/\s+/).every((word) => searched[row.id].includes(word))) &&
    scatter.inRange(row)
  );
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
  let rows = [],
    name = "";
  try {
    if (text.startsWith("class=")) name = decodeURIComponent(text.slice(6));
    else if (text) rows = text.split(",").slice(0, 2).map(rowAt).filter(Boolean);
  } catch {
    /* An address that is no address opens nothing. */
  }
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

// Scrolls the table until a row is in sight; Tabulator's own way leaves rows above it empty.
function showRow(row, again = true) {
  const holder = document.querySelector(".tabulator-tableholder");
  const found = table.getRow(row.id);
  const position = found?.getPosition();
  if (!position) return;
  const above = (holder.clientHeight - ROW_HEIGHT) / 2;
  const { isConnected, offsetTop } = found.getElement();
  if (isConnected) {
    const place = offsetTop - holder.scrollTop;
    if (place < 0 || place + ROW_HEIGHT > holder.clientHeight) holder.scrollTop = offsetTop - above;
  } else if (again) {
    // After a long way the table takes the place as a share of all rows, nearly.
    const share = (position - 0.5 - above / ROW_HEIGHT) / table.getDataCount("active");
    holder.scrollTop = share * holder.scrollHeight;
    requestAnimationFrame(() => showRow(row, false));
  }
}

function drawCard() {
  const pane = find("detail");
  const card = state.open.length
    ? unitCard(state.open, actions)
    : state.card
      ? classCard(state.card, networkRows(), actions)
      : overview();
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
  for (const network of DATA.networks) {
    for (const layer of network.layers) readClass(layer, network.classNumber.get(name));
  }
  const column = table.getColumn("class_drop");
  column.getElement().querySelector(".tabulator-col-title").textContent = name
    ? `${name} drop`
    : CLASS_DROP.label;
  offerClass();
  together(() => {
    name ? column.show() : column.hide();
    table.setSort(name ? "class_drop" : "max_drop", "desc");
    drawPlot();
  });
}

function reset() {
  Object.assign(state, { hidden: new Set(), network: "", search: "" });
  scatter.range = null;
  pressLayers();
  together(() => {
    table.clearHeaderFilter();
    chooseClass("");
    filter();
  });
  if (state.card) location.hash = "";
}

function describe() {
  const [network] = DATA.networks;
  const images = network.class_images
    ? numbers(network.class_images).reduce((sum, count) => sum + count, 0)
    : 0;
  const correct = network.class_correct
    ? numbers(network.class_correct).reduce((sum, count) => sum + count, 0)
    : 0;
  find("title").textContent = DATA.title;
  const parts = [
    SEVERAL
      ? `${DATA.networks.length} networks`
      : images &&
        `${((100 * correct) / images).toFixed(1)} % correct on ${images.toLocaleString("en")} images (${network.split})`,
    `${ROWS.length.toLocaleString("en")} units in ${LAYERS.length} ${LAYERS.length === 1 ? "layer" : "layers"}`,
    CLASSES.length && `${CLASSES.length.toLocaleString("en")} classes`,
    network.values && `ablated to ${network.values}`,
  ];
  find("facts").replaceChildren(
    parts.filter(Boolean).join(" · "),
    " · ",
    element("a", { href: "report.html" }, "report"),
  );
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
  keepClassCells();
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
  find("search").addEventListener("input", () => {
    state.search = find("search").value.trim().toLowerCase();
    soon(filter);
  });
  find("network").addEventListener("change", () => {
    state.network = find("network").value;
    filter();
  });
  find("class").addEventListener("change", () => {
    const name = find("class").value;
    if (name) location.hash = `class=${encodeURIComponent(name)}`;
    else {
      chooseClass("");
      if (state.card) location.hash = "";
    }
  });
  for (const id of ["x", "y", "color"]) find(id).addEventListener("change", drawPlot);
  for (const id of ["x-from", "x-to", "y-from", "y-to"]) find(id).addEventListener("input", readRange);
  find("clear-brush").addEventListener("click", () => scatter.select(null));
  find("zoom").addEventListener("click", () => {
    scatter.zoom(scatter.range);
    find("whole").hidden = false;
  });
  find("whole").addEventListener("click", () => {
    scatter.zoom(null);
    find("whole").hidden = true;
  });
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
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    layerButtons();
    scatter.draw();
    drawPlot();
    drawCard();
  });
  addEventListener("hashchange", route);
  route();
  requestAnimationFrame(() => performance.mark("drawn"));
  // Meanwhile what the first card would wait for.
  (window.requestIdleCallback ?? setTimeout)(() => {
    for (const number of DATA.files.keys()) fileAddress(number);
    for (const layer of DATA.networks.flatMap((network) => network.layers))
      if (layer.outcomes) numbers(layer.outcomes.outcome);
  });
}

table.on("dataFiltered", (filters, rows) => {
  find("count").textContent =
    rows.length === ROWS.length
      ? `${ROWS.length.toLocaleString("en")} units`
      : `${rows.length.toLocaleString("en")} of ${ROWS.length.toLocaleString("en")} units`;
  scatter.mark(rows.length === ROWS.length ? null : new Set(rows.map((row) => row.getData().id)));
});
table.on("rowClick", (event, row) => {
  if (!event.target.closest("a")) open(row.getData(), event.shiftKey || event.metaKey || event.ctrlKey);
});
table.on("tableBuilt", begin);
