"use strict";
// The card of a unit, and of two side by side.

let dimmed = true;

function section(name, ...children) {
  return element("section", {}, element("h3", {}, name), ...children);
}

function unitAnchor(row, ...content) {
  return element(
    "a",
    { href: `#${address(row)}` },
    ...(content.length ? content : [`${row.layer}/${row.unit}`]),
  );
}

function classAnchor(name) {
  return element("a", { href: `#class=${encodeURIComponent(name)}` }, name);
}

function sentence(row) {
  if (row.max_drop === undefined) return null;
  const { low, high } = { low: row["max_drop.low"], high: row["max_drop.high"] };
  if (row.max_drop <= 0) return element("p", { class: "lead" }, "No class loses accuracy without it.");
  return element(
    "p",
    { class: "lead" },
    "Without it class ",
    classAnchor(row.worst_class),
    ` loses ${shown(row.max_drop, "share")} ${interval(low, high)}, all images together ${shown(row.overall_drop, "share")}. `,
    `${row.damaged} of ${row.of.network.classes.length} classes lose more than by chance.`,
  );
}

function heading(row, tag, ...buttons) {
  const place = element("span", { class: "dot" });
  place.style.background = layerColor(row.layer);
  return element(
    "div",
    { class: "head" },
    element(
      tag,
      {},
      place,
      `${row.layer} · unit\u00a0${row.unit}`,
      SEVERAL && element("small", {}, ` ${row.network}`),
      row.of.unit_is === "pre-activation" &&
        element("small", { title: "no non-linearity follows it" }, " pre-activation"),
    ),
    element("div", { class: "buttons" }, ...buttons),
  );
}

function topImages(row) {
  if (!row.of.pictured.has(row.unit)) return null;
  const ranks = row.of.top.places.shape[1];
  const pictures = Array.from({ length: ranks }, (_, rank) => topPicture(row, rank, dimmed));
  return element("div", { class: "pictures" }, ...pictures);
}

function topSection(rows, redraw) {
  if (!rows.some((row) => row.of.pictured.has(row.unit))) return null;
  const box = element("input", {
    type: "checkbox",
    checked: dimmed,
    onchange: () => {
      dimmed = box.checked;
      redraw();
    },
  });
  return section(
    "Images that activate it most",
    element("label", { class: "small" }, box, " darken what it does not respond to"),
    beside(rows, topImages, "no pictures of this unit (--panels.units)"),
  );
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
    return element(
      "figure",
      {},
      element(
        "figcaption",
        {},
        classAnchor(name),
        `: ${shown(found.before, "share")} → ${shown(found.after, "share")}`,
      ),
      element(
        "div",
        { class: "pictures small-ones" },
        ...images.map((image) => picture(`image of ${name}`, [network.images, image])),
      ),
    );
  }).filter(Boolean);
  return groups.length ? element("div", {}, ...groups) : null;
}

function madeImages(row) {
  if (!row.of.imagined.has(row.unit)) return null;
  const figures = row.of.made.objectives.map((name, number) =>
    element(
      "figure",
      {},
      madePicture(row, number) ?? element("p", { class: "small" }, "it does not respond to its image"),
      element("figcaption", {}, name.toUpperCase()),
    ),
  );
  return element("div", { class: "pictures made" }, ...figures);
}

function quantities(rows) {
  const [row, other] = rows;
  const columns = DATA.columns.filter((column) =>
    rows.some((each) => each[column.key] != null && each[column.key] !== ""),
  );
  if (!columns.length) return null;
  const lines = columns.map((column) => {
    const share =
      column.kind === "text"
        ? null
        : rows.map((each) => (each[column.key] == null ? null : shareBelow(each, column.key)));
    const cells = rows.map((each, number) =>
      element("td", {}, withInterval(each, column.key), share && rank(share[number], each)),
    );
    const numeric = other && column.kind !== "text" && row[column.key] != null && other[column.key] != null;
    if (other)
      cells.push(
        element(
          "td",
          {},
          numeric
            ? shown(other[column.key] - row[column.key], column.kind === "count" ? "number" : column.kind)
            : "",
        ),
      );
    return element("tr", {}, element("th", { scope: "row", title: column.about }, column.label), ...cells);
  });
  const heads = other
    ? [...rows.map((each) => `${each.layer}/${each.unit}`), "difference"]
    : ["value, rank in its layer"];
  return section(
    "Quantities",
    element(
      "table",
      { class: "quantities" },
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("th", { scope: "col" }, "quantity"),
          ...heads.map((head) => element("th", { scope: "col" }, head)),
        ),
      ),
      element("tbody", {}, ...lines),
    ),
  );
}

function rank(share, row) {
  if (share == null) return null;
  const text = `more than ${Math.round(100 * share)} % of ${row.layer}'s units`;
  const dot = element("span", {});
  dot.style.left = `${100 * share}%`;
  return element("div", { class: "rank", role: "img", "aria-label": text, title: text }, dot);
}

function alike(row, pinned) {
  const kinds = { drop: "by class drops", activation: "by mean activations of classes" };
  const lists = Object.entries(kinds)
    .map(([kind, text]) => {
      const found = neighborsOf(row, kind);
      if (!found.length) return null;
      const items = found.map(({ row: near, r }) =>
        element(
          "li",
          {},
          element(
            "a",
            { href: `#${address(pinned)},${address(near)}`, "aria-label": `compare with ${title(near)}` },
            smallPicture(near),
            element("span", {}, `${near.unit}`),
            element("span", { class: "ends" }, `r ${rounded(r, 2)}`),
          ),
        ),
      );
      return element("div", {}, element("h4", {}, text), element("ul", { class: "alike" }, ...items));
    })
    .filter(Boolean);
  return lists.length ? element("div", {}, ...lists) : null;
}

function step(rows, row, direction, name) {
  return element(
    "button",
    {
      type: "button",
      "aria-label": `${name} unit of the table`,
      title: `${name} unit of the table`,
      onclick: () => rows.step(row, direction),
    },
    direction < 0 ? "‹" : "›",
  );
}

// One unit, or two beside each other.
function unitCard(rows, actions) {
  const [row, other] = rows;
  const redraw = () => actions.redraw();
  const close = element(
    "button",
    { type: "button", "aria-label": "close", title: "close", onclick: actions.close },
    "×",
  );
  const compare = element("input", {
    type: "text",
    placeholder: "conv5/3",
    "aria-label": "compare with the unit",
    size: 9,
    onchange: () => actions.compare(row, compare.value),
  });
  const head = other
    ? element(
        "div",
        { class: "beside" },
        ...rows.map((each, number) =>
          element(
            "div",
            {},
            heading(
              each,
              "h2",
              element(
                "button",
                {
                  type: "button",
                  onclick: () => actions.open(rows[1 - number]),
                  "aria-label": `leave out ${title(each)}`,
                  title: "leave out",
                },
                "×",
              ),
            ),
            sentence(each),
          ),
        ),
      )
    : element(
        "div",
        {},
        heading(
          row,
          "h2",
          step(actions, row, -1, "previous"),
          step(actions, row, 1, "next"),
          element("label", { class: "small" }, "compare with ", compare),
          close,
        ),
        sentence(row),
      );
  const pictured = rows.some((each) => each.of.pictured.has(each.unit));
  const parts = [
    topSection(rows, redraw),
    rows.some((each) => each.of.imagined.has(each.unit)) &&
      section("Images made for it", beside(rows, madeImages, "none made")),
    classTable(rows, redraw),
    pictured &&
      rows.some(samples) &&
      section("Images of the classes that lose most", beside(rows, samples, "none")),
    section(
      "Most similar units of the layer",
      beside(rows, (each) => alike(each, row === each ? row : other), "no vectors to compare"),
    ),
    quantities(rows),
  ];
  return element(
    "article",
    { class: other ? "card two" : "card", "aria-label": rows.map(title).join(" and ") },
    head,
    ...parts,
  );
}
