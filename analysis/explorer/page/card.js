"use strict";
// What is known of a unit, of two side by side, of a class, and of all.

const MOST_CLASSES = 12;
let dimmed = true;

function section(name, ...children) {
  return element("section", {}, element("h3", {}, name), ...children);
}

function unitAnchor(row, ...content) {
  return element("a", { href: `#${address(row)}` }, ...(content.length ? content : [`${row.layer}/${row.unit}`]));
}

function classAnchor(name) {
  return element("a", { href: `#class=${encodeURIComponent(name)}` }, name);
}

function sentence(row) {
  if (row.max_drop === undefined) return null;
  const { low, high } = { low: row["max_drop.low"], high: row["max_drop.high"] };
  if (row.max_drop <= 0) return element("p", { class: "lead" }, "No class loses accuracy without it.");
  return element("p", { class: "lead" }, "Without it class ",
    classAnchor(row.worst_class), ` loses ${shown(row.max_drop, "share")} ${interval(low, high)}, all images together ${shown(row.overall_drop, "share")}. `,
    `${row.damaged} of ${row.of.network.classes.length} classes lose more than by chance.`);
}

function heading(row, tag, ...buttons) {
  const place = element("span", { class: "dot" });
  place.style.background = layerColor(row.layer);
  return element("div", { class: "head" },
    element(tag, {}, place, `${row.layer} · unit\u00a0${row.unit}`, SEVERAL && element("small", {}, ` ${row.network}`),
      row.of.unit_is === "pre-activation" && element("small", { title: "no non-linearity follows it" }, " pre-activation")),
    element("div", { class: "buttons" }, ...buttons));
}

function topImages(row) {
  if (!row.of.pictured.has(row.unit)) return null;
  const ranks = row.of.top.places.shape[1];
  const pictures = Array.from({ length: ranks }, (_, rank) => topPicture(row, rank, dimmed));
  return element("div", { class: "pictures" }, ...pictures);
}

function topSection(rows, redraw) {
  if (!rows.some((row) => row.of.pictured.has(row.unit))) return null;
  const box = element("input", { type: "checkbox", checked: dimmed, onchange: () => { dimmed = box.checked; redraw(); } });
  return section("Images that activate it most",
    element("label", { class: "small" }, box, " darken what it does not respond to"),
    beside(rows, topImages, "no pictures of this unit (--panels.units)"));
}

// The same of one unit or of two.
function beside(rows, make, otherwise) {
  const cells = rows.map((row) => make(row) ?? element("p", { class: "small" }, otherwise));
  return element("div", { class: "beside" }, ...cells);
}

function samples(row) {
  const place = row.of.pictured.get(row.unit);
  if (place === undefined) return null;
  const { top, network } = row.of;
  const [, places, count] = top.samples.shape;
  const classes = numbers(top.sample_classes.index);
  const groups = Array.from({ length: places }, (_, number) => {
    const name = top.sample_classes.texts[classes[place * places + number]];
    const found = outcome(row, name);
    if (!found || found.drop <= 0) return null;
    const start = (place * places + number) * count;
    const images = [...numbers(top.samples).subarray(start, start + count)].filter((image) => image !== NONE);
    return element("figure", {},
      element("figcaption", {}, classAnchor(name), `: ${shown(found.before, "share")} → ${shown(found.after, "share")}`),
      element("div", { class: "pictures small-ones" }, ...images.map((image) => picture(`image of ${name}`, [network.images, image]))));
  }).filter(Boolean);
  return groups.length ? element("div", {}, ...groups) : null;
}

function madeImages(row) {
  if (!row.of.imagined.has(row.unit)) return null;
  const figures = row.of.made.objectives.map((name, number) =>
    element("figure", {}, madePicture(row, number) ?? element("p", { class: "small" }, "it does not respond to its image"),
      element("figcaption", {}, name.toUpperCase())));
  return element("div", { class: "pictures made" }, ...figures);
}

// A bar from zero with the ends of its interval.
function dropBar({ drop, low, high, damaged }, scale) {
  const bar = element("div", { class: `drop ${drop < 0 ? "gain" : ""} ${damaged ? "damaged" : ""}`, "aria-hidden": "true" });
  const position = (value) => 100 * (Math.max(-scale.least, Math.min(scale.most, value)) + scale.least) / (scale.most + scale.least);
  const span = (className, from, to) => {
    const made = element("span", { class: className });
    made.style.left = `${position(Math.min(from, to))}%`;
    made.style.width = `${Math.abs(position(to) - position(from))}%`;
    return made;
  };
  bar.append(span("fill", 0, drop), span("whisker", low, high), span("zero", 0, 0));
  return bar;
}

function barScale(found) {
  const most = Math.max(0.02, ...found.map((each) => Math.min(1, each.high)));
  return { most, least: Math.max(0.02 * most, ...found.map((each) => Math.min(1, -each.low))) };
}

function classTable(rows, redraw) {
  const [row] = rows;
  let found = outcomesOf(row);
  if (!found.length || !rows.every((each) => each.of.outcomes)) return null;
  const others = rows.slice(1);
  const each = found.map((of) => [of, ...others.map((other) => outcome(other, of.name))]);
  if (others.length) each.sort((a, b) => Math.max(...b.map((of) => of?.drop ?? 0)) - Math.max(...a.map((of) => of?.drop ?? 0)));
  const all = classTable.all || each.length <= MOST_CLASSES + 3;
  const listed = all ? each : each.slice(0, MOST_CLASSES);
  const scale = barScale(each.flat().filter(Boolean));
  const cells = (of) => of
    ? [element("td", { class: "bar-cell" }, dropBar(of, scale)),
      element("td", { class: of.damaged ? "strong" : "" }, shown(of.drop, "share"), element("span", { class: "ends" }, ` ${interval(of.low, of.high)}`)),
      !others.length && element("td", {}, `${shown(of.before, "share")} → ${shown(of.after, "share")}`)]
    : [element("td", { colspan: 2 }, "–")];
  const heads = rows.flatMap((of) => [
    element("th", { scope: "colgroup", colspan: 2 }, others.length ? `${of.layer}/${of.unit}` : "drop"),
    !others.length && element("th", { scope: "col" }, "accuracy"),
  ]);
  const table = element("table", { class: "classes" },
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "class"), ...heads)),
    element("tbody", {}, ...listed.map((line) =>
      element("tr", {}, element("th", { scope: "row" }, classAnchor(line[0].name)), ...line.flatMap(cells)))));
  const more = all ? null : element("button", { type: "button", onclick: () => { classTable.all = true; redraw(); } }, `Show all ${each.length} classes`);
  return section("What classes lose without it",
    element("p", { class: "small" }, "Accuracy before − after in percentage points, with 95 % intervals; bold: more than by chance (5 % false discoveries among all pairs of the layer)."),
    others.length ? element("p", {}, `Over the classes the drops correlate with r = ${correlation(each)}.`) : null, table, more);
}
classTable.all = false;

function correlation(pairs) {
  const known = pairs.filter(([one, other]) => one && other).map(([one, other]) => [one.drop, other.drop]);
  const mean = (place) => known.reduce((sum, pair) => sum + pair[place], 0) / known.length;
  const means = [mean(0), mean(1)];
  const product = (a, b) => known.reduce((sum, pair) => sum + (pair[a] - means[a]) * (pair[b] - means[b]), 0);
  const length = Math.sqrt(product(0, 0) * product(1, 1));
  return length ? rounded(product(0, 1) / length, 2) : "unknown";
}

function quantities(rows) {
  const [row, other] = rows;
  const columns = DATA.columns.filter((column) => rows.some((each) => each[column.key] != null && each[column.key] !== ""));
  if (!columns.length) return null;
  const lines = columns.map((column) => {
    const share = column.kind === "text" ? null : rows.map((each) => each[column.key] == null ? null : shareBelow(each, column.key));
    const cells = rows.map((each, number) => element("td", {}, withInterval(each, column.key), share && rank(share[number], each)));
    const numeric = other && column.kind !== "text" && row[column.key] != null && other[column.key] != null;
    if (other) cells.push(element("td", {}, numeric ? shown(other[column.key] - row[column.key], column.kind === "count" ? "number" : column.kind) : ""));
    return element("tr", {}, element("th", { scope: "row", title: column.about }, column.label), ...cells);
  });
  const heads = other ? [...rows.map((each) => `${each.layer}/${each.unit}`), "difference"] : ["value, rank in its layer"];
  return section("Quantities", element("table", { class: "quantities" },
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "quantity"), ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, ...lines)));
}

function rank(share, row) {
  if (share == null) return null;
  const text = `more than ${Math.round(100 * share)} % of ${row.layer}'s units`;
  const dot = element("span", {});
  dot.style.left = `${100 * share}%`;
  return element("div", { class: "rank", role: "img", "aria-label": text, title: text }, dot);
}

function alike(row, pinned) {
  const kinds = { drop: "by what classes lose", activation: "by mean activations of classes" };
  const lists = Object.entries(kinds).map(([kind, text]) => {
    const found = neighborsOf(row, kind);
    if (!found.length) return null;
    const items = found.map(({ row: near, r }) => element("li", {},
      element("a", { href: `#${address(pinned)},${address(near)}`, "aria-label": `compare with ${title(near)}` },
        smallPicture(near), element("span", {}, `${near.unit}`), element("span", { class: "ends" }, `r ${rounded(r, 2)}`))));
    return element("div", {}, element("h4", {}, text), element("ul", { class: "alike" }, ...items));
  }).filter(Boolean);
  return lists.length ? element("div", {}, ...lists) : null;
}

function step(rows, row, direction, name) {
  return element("button", { type: "button", "aria-label": `${name} unit of the table`, title: `${name} unit of the table`,
    onclick: () => rows.step(row, direction) }, direction < 0 ? "‹" : "›");
}

// One unit, or two beside each other.
function unitCard(rows, actions) {
  const [row, other] = rows;
  const redraw = () => actions.redraw();
  const close = element("button", { type: "button", "aria-label": "close", title: "close", onclick: actions.close }, "×");
  const compare = element("input", { type: "text", placeholder: "conv5/3", "aria-label": "compare with the unit", size: 9, list: "unit-names",
    onchange: () => actions.compare(row, compare.value) });
  const head = other
    ? element("div", { class: "beside" }, ...rows.map((each, number) => element("div", {},
      heading(each, "h2", element("button", { type: "button", onclick: () => actions.open(rows[1 - number]), "aria-label": `leave out ${title(each)}`, title: "leave out" }, "×")), sentence(each))))
    : element("div", {}, heading(row, "h2", step(actions, row, -1, "previous"), step(actions, row, 1, "next"),
      element("label", { class: "small" }, "compare with ", compare), close), sentence(row));
  const pictured = rows.some((each) => each.of.pictured.has(each.unit));
  const parts = [
    topSection(rows, redraw),
    rows.some((each) => each.of.imagined.has(each.unit)) && section("Images made for it", beside(rows, madeImages, "none made")),
    classTable(rows, redraw),
    pictured && rows.some(samples) && section("Images of the classes that lose most", beside(rows, samples, "none")),
    section("Most alike in the layer", beside(rows, (each) => alike(each, row === each ? row : other), "no vectors to compare")),
    quantities(rows),
  ];
  return element("article", { class: other ? "card two" : "card", "aria-label": rows.map(title).join(" and ") }, head, ...parts);
}

// Which units a class needs.
function classCard(name, rows, actions) {
  const found = rows.map((row) => ({ row, of: outcome(row, name) })).filter(({ of }) => of);
  found.sort((a, b) => b.of.drop - a.of.drop);
  const damaging = found.filter(({ of }) => of.damaged);
  const listed = found.slice(0, 20);
  const scale = barScale(listed.map(({ of }) => of));
  const close = element("button", { type: "button", "aria-label": "close", title: "close", onclick: actions.close }, "×");
  const lines = listed.map(({ row, of }) => element("tr", {}, element("th", { scope: "row", class: "unit" }, unitAnchor(row, title(row))),
    element("td", { class: "bar-cell" }, dropBar(of, scale)),
    element("td", { class: of.damaged ? "strong" : "" }, shown(of.drop, "share"), element("span", { class: "ends" }, ` ${interval(of.low, of.high)}`)),
    element("td", {}, `${shown(of.before, "share")} → ${shown(of.after, "share")}`)));
  return element("article", { class: "card", "aria-label": `units that ${name} needs` },
    element("div", { class: "head" }, element("h2", {}, `Which units does ${name} need?`), element("div", { class: "buttons" }, close)),
    element("p", { class: "lead" }, `Of ${found.length.toLocaleString("en")} units ${damaging.length.toLocaleString("en")} cost it more than chance explains. The table is sorted by its drop.`),
    element("table", { class: "classes" },
      element("thead", {}, element("tr", {}, ...["unit", "", "drop", "accuracy"].map((head) => element(head ? "th" : "td", head ? { scope: "col" } : {}, head)))),
      element("tbody", {}, ...lines)));
}

// Where a study begins to be read.
function overview(actions) {
  const lines = DATA.networks.flatMap((network) => network.layers.map((layer) => {
    const rows = ROWS.slice(layer.first, layer.first + layer.units);
    const worst = layer.outcomes && rows.reduce((best, row) => (row.max_drop > best.max_drop ? row : best));
    const dot = element("span", { class: "dot" });
    dot.style.background = layerColor(layer.name);
    return element("tr", {},
      element("th", { scope: "row" }, dot, layer.name, SEVERAL && element("small", {}, ` ${network.name}`)),
      element("td", {}, String(layer.units)),
      element("td", {}, worst ? String(rows.filter((row) => row.damaged > 0).length) : ""),
      element("td", {}, worst ? element("a", { href: `#${address(worst)}`, "aria-label": title(worst) }, String(worst.unit)) : ""),
      element("td", {}, worst ? element("span", {}, classAnchor(worst.worst_class), ` ${shown(worst.max_drop, "share")}`) : ""));
  }));
  return element("article", { class: "card", "aria-label": "overview" },
    element("h2", {}, "Every unit of every layer"),
    element("p", { class: "lead" }, "A unit is a channel of a convolution, or a neuron of a dense layer. Each was ablated alone: what every class loses then is its drop."),
    element("ul", { class: "hints" },
      element("li", {}, "Click a point or a row to open a unit; with Shift, to compare it with the open one."),
      element("li", {}, "Drag over the plot to select units; the table shows these."),
      element("li", {}, "Choose a class to see which units it needs.")),
    element("table", { class: "layers" },
      element("thead", {}, element("tr", {}, ...["layer", "units", "damaging", "worst unit", "worst class"].map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, ...lines)));
}
