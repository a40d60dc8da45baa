"use strict";
// What classes lose without a unit, and which units a class needs.

const MOST_CLASSES = 12;

// A bar from zero with the ends of its interval.
function dropBar({ drop, low, high, damaged }, scale) {
  const bar = element("div", {
    class: `drop ${drop < 0 ? "gain" : ""} ${damaged ? "damaged" : ""}`,
    "aria-hidden": "true",
  });
  const position = (value) =>
    (100 * (Math.max(-scale.least, Math.min(scale.most, value)) + scale.least)) / (scale.most + scale.least);
  const span = (className, from, to) => {
    const made = element("span", { class: className });
    made.style.left = `${position(Math.min(from, to))}%`;
    made.style.width = `${Math.abs(position(to) - position(from))}%`;
    return made;
  };
  bar.append(span("fill", 0, drop), span("whisker", low, high), span("zero", 0, 0));
  return bar;
}

function dropCells(of, scale) {
  return [
    element("td", { class: "bar-cell" }, dropBar(of, scale)),
    element(
      "td",
      { class: of.damaged ? "strong" : "" },
      shown(of.drop, "share"),
      element("span", { class: "ends" }, ` ${interval(of.low, of.high)}`),
    ),
  ];
}

function accuracyCell({ before, after }) {
  return element("td", {}, `${shown(before, "share")} → ${shown(after, "share")}`);
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
  if (others.length)
    each.sort(
      (a, b) => Math.max(...b.map((of) => of?.drop ?? 0)) - Math.max(...a.map((of) => of?.drop ?? 0)),
    );
  const all = classTable.all || each.length <= MOST_CLASSES + 3;
  const listed = all ? each : each.slice(0, MOST_CLASSES);
  const scale = barScale(each.flat().filter(Boolean));
  const cells = (of) =>
    of
      ? [
          ...dropCells(of, scale),
          !others.length && accuracyCell(of),
        ]
      : [element("td", { colspan: 2 }, "–")];
  const heads = rows.flatMap((of) => [
    element("th", { scope: "colgroup", colspan: 2 }, others.length ? `${of.layer}/${of.unit}` : "drop"),
    !others.length && element("th", { scope: "col" }, "accuracy"),
  ]);
  const table = element(
    "table",
    { class: "classes" },
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "class"), ...heads)),
    element(
      "tbody",
      {},
      ...listed.map((line) =>
        element("tr", {}, element("th", { scope: "row" }, classAnchor(line[0].name)), ...line.flatMap(cells)),
      ),
    ),
  );
  const more = all
    ? null
    : element(
        "button",
        {
          type: "button",
          onclick: () => {
            classTable.all = true;
            redraw();
          },
        },
        `Show all ${each.length} classes`,
      );
  return section(
    "What classes lose without it",
    element(
      "p",
      { class: "small" },
      "Accuracy before − after in percentage points, with 95 % intervals; bold: more than by chance (5 % false discoveries among all pairs of the layer).",
    ),
    others.length
      ? element("p", {}, `Over the classes the drops correlate with r = ${correlation(each)}.`)
      : null,
    table,
    more,
  );
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

// Which units the chosen class needs.
function classCard(name, rows, actions) {
  const found = rows.filter((row) => row.class_drop != null);
  found.sort((one, other) => other.class_drop - one.class_drop);
  const damaging = found.filter((row) => row.class_damaged);
  const listed = found.slice(0, 20).map((row) => ({ row, of: outcome(row, name) }));
  const scale = barScale(listed.map(({ of }) => of));
  const close = element(
    "button",
    { type: "button", "aria-label": "close", title: "close", onclick: actions.close },
    "×",
  );
  const lines = listed.map(({ row, of }) =>
    element(
      "tr",
      {},
      element("th", { scope: "row", class: "unit" }, unitAnchor(row, title(row))),
      ...dropCells(of, scale),
      accuracyCell(of),
    ),
  );
  return element(
    "article",
    { class: "card", "aria-label": `units that ${name} needs` },
    element(
      "div",
      { class: "head" },
      element("h2", {}, `Which units does ${name} need?`),
      element("div", { class: "buttons" }, close),
    ),
    element(
      "p",
      { class: "lead" },
      `${damaging.length.toLocaleString("en")} of ${found.length.toLocaleString("en")} units cost it more than chance explains. The table is sorted by its drop.`,
    ),
    element(
      "table",
      { class: "classes" },
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          ...["unit", "", "drop", "accuracy"].map((head) =>
            element(head ? "th" : "td", head ? { scope: "col" } : {}, head),
          ),
        ),
      ),
      element("tbody", {}, ...lines),
    ),
  );
}
