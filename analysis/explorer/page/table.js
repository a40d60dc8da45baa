"use strict";
// The table of units: sorted, filtered, chosen.

const SHOWN_AT_FIRST = [
  "max_drop",
  "worst_class",
  "overall_drop",
  "damaged",
  "class_selectivity",
  "activation_mean",
  "concept",
  "concept_iou",
  "birth_point",
  "role",
  "rs_iam",
];
const ROW_HEIGHT = 36;
const HINTS = { share: "≥ %", number: "≥", count: "≥", text: "contains" };

// A filter of a column: a text that is contained, or a number, >0.2, <5, 1..3. Shares are in percent.
function passes(wanted, value, row, { kind }) {
  if (kind === "text") return String(value).toLowerCase().includes(wanted.toLowerCase());
  const found = /^\s*(>=|<=|>|<|=)?\s*(-?[\d.]+(?:e-?\d+)?)\s*(?:\.\.\s*(-?[\d.]+))?\s*%?\s*$/i.exec(
    wanted.replace("..", " .. "),
  );
  if (!found) return true;
  if (value == null) return false;
  const [, sign = ">=", first, last] = found;
  // Single precision turns 10 % into a little more.
  const number = Number((kind === "share" ? 100 * value : value).toPrecision(6));
  if (last !== undefined) return number >= Number(first) && number <= Number(last);
  const limit = Number(first);
  return {
    ">=": number >= limit,
    "<=": number <= limit,
    ">": number > limit,
    "<": number < limit,
    "=": number === limit,
  }[sign];
}

const collator = new Intl.Collator("en", { numeric: true });

// A column's order, and what is not known last; Tabulator's own makes texts of all numbers.
function inOrder(compare) {
  const unknown = (value) => value == null || value === "";
  return (one, other, first, second, column, direction) => {
    if (!unknown(one) && !unknown(other)) return compare(one, other);
    return (direction === "asc" ? 1 : -1) * (unknown(one) - unknown(other));
  };
}

function columnDefinition(column) {
  const text = column.kind === "text";
  const width = Math.max(column.interval ? 172 : 0, Math.min(220, 58 + 7.6 * column.label.length));
  return {
    title: column.label,
    field: column.key,
    headerTooltip: column.about,
    visible: SHOWN_AT_FIRST.includes(column.key),
    width,
    hozAlign: text ? "left" : "right",
    headerHozAlign: text ? "left" : "right",
    headerSortStartingDir: text ? "asc" : "desc",
    sorter: inOrder(text ? collator.compare : (one, other) => one - other),
    formatter: (cell) => cellContent(cell, column),
    accessorDownload: (value) => value ?? "",
    ...columnFilter(column.label, column.kind),
  };
}

function columnFilter(label, kind) {
  return {
    headerFilter: "input",
    headerFilterPlaceholder: HINTS[kind],
    headerFilterParams: { elementAttributes: { "aria-label": `filter ${label}` } },
    headerFilterFunc: passes,
    headerFilterFuncParams: { kind },
  };
}

// A number, with its interval in gray and a bar of a share's size.
function cellContent(cell, column) {
  const row = cell.getData();
  const value = row[column.key];
  const text = shown(value, column.kind);
  if (!column.interval || !text) return document.createTextNode(text);
  const bar = element("span", { class: value < 0 ? "size gain" : "size" });
  bar.style.width = `${Math.min(100, 100 * Math.abs(value))}%`;
  const ends = element(
    "span",
    { class: "ends" },
    ` ${interval(row[`${column.key}.low`], row[`${column.key}.high`])}`,
  );
  return element("span", { class: "measured" }, bar, text, ends);
}

// Tabulator keeps cells as they were made: those of the class are written when a row comes into sight.
const classCells = new WeakMap();

function classCell(cell) {
  const box = element("span", {});
  classCells.set(box, () => box.replaceChildren(cellContent(cell, CLASS_DROP)));
  return box;
}

function keepClassCells() {
  new MutationObserver((changes) => {
    for (const row of changes.flatMap((change) => [...change.addedNodes]))
      classCells.get(row.querySelector('[tabulator-field="class_drop"] > span'))?.();
  }).observe(document.querySelector("#table .tabulator-table"), { childList: true });
}

const CLASS_DROP = {
  key: "class_drop",
  label: "class drop",
  kind: "share",
  interval: true,
  about: "accuracy that the chosen class loses without the unit, with its 95 % interval",
};

function unitLink(row) {
  return element("a", { href: `#${address(row)}`, "aria-label": title(row) }, String(row.unit));
}

function tableColumns() {
  const wide = (names) =>
    Math.min(240, Math.max(118, 30 + 7 * Math.max(...names.map((name) => name.length))));
  const text = { sorter: inOrder(collator.compare), ...columnFilter("layer", "text"), width: wide(LAYERS) };
  const columns = [
    {
      title: "unit",
      field: "unit",
      width: 82,
      frozen: true,
      hozAlign: "right",
      headerHozAlign: "right",
      sorter: inOrder((one, other) => one - other),
      formatter: (cell) => unitLink(cell.getData()),
      ...columnFilter("unit", "number"),
      headerFilterPlaceholder: "=",
      headerFilterFunc: (wanted, value) => String(value) === wanted.trim(),
    },
    {
      title: "layer",
      field: "layer",
      ...text,
      sorter: (one, other) => LAYERS.indexOf(one) - LAYERS.indexOf(other),
    },
  ];
  if (SEVERAL)
    columns.splice(1, 0, {
      title: "network",
      field: "network",
      ...text,
      ...columnFilter("network", "text"),
      width: wide(DATA.networks.map((network) => network.name)),
    });
  if (ROWS.some(hasPicture)) {
    columns.push({
      title: "image",
      headerTooltip: "its top image, or the image made for it",
      width: 62,
      headerSort: false,
      download: false,
      formatter: (cell) => smallPicture(cell.getData()) ?? "",
      cssClass: "thumb",
    });
  }
  columns.push({ ...columnDefinition(CLASS_DROP), formatter: classCell, visible: false });
  return columns.concat(DATA.columns.map(columnDefinition));
}

function makeTable(opened) {
  const first = COLUMNS.has("max_drop")
    ? "max_drop"
    : DATA.columns.find((column) => column.kind !== "text")?.key;
  const table = new Tabulator("#table", {
    data: ROWS,
    index: "id",
    columns: tableColumns(),
    columnDefaults: { resizable: "header" },
    height: "100%",
    rowHeight: ROW_HEIGHT,
    movableColumns: true,
    headerFilterLiveFilterDelay: 120,
    renderVerticalBuffer: 2 * ROW_HEIGHT,
    initialSort: first ? [{ column: first, dir: "desc" }] : [],
    placeholder: "No unit passes the filters.",
    columnHeaderSortMulti: true,
    resizableColumnFit: false,
    rowFormatter: (row) => row.getElement().classList.toggle("open", opened(row.getData())),
  });
  return table;
}

// Boxes that show and hide columns, by group.
function columnMenu(table, list) {
  const groups = new Map();
  for (const column of DATA.columns) {
    if (!groups.has(column.group)) groups.set(column.group, []);
    groups.get(column.group).push(column);
  }
  for (const [group, columns] of groups) {
    const boxes = columns.map((column) =>
      element(
        "label",
        { title: column.about },
        element("input", {
          type: "checkbox",
          checked: SHOWN_AT_FIRST.includes(column.key),
          onchange: () => table.toggleColumn(column.key),
        }),
        ` ${column.label}`,
      ),
    );
    list.append(element("fieldset", {}, element("legend", {}, group), ...boxes));
  }
}
