"use strict";
// All layers at a glance, while nothing is open.

// Where a study begins to be read.
function overview() {
  const lines = DATA.networks.flatMap((network) =>
    network.layers.map((layer) => {
      const rows = ROWS.slice(layer.first, layer.first + layer.units);
      const worst = layer.outcomes && rows.reduce((best, row) => (row.max_drop > best.max_drop ? row : best));
      const dot = element("span", { class: "dot" });
      dot.style.background = layerColor(layer.name);
      return element(
        "tr",
        {},
        element("th", { scope: "row" }, dot, layer.name, SEVERAL && element("small", {}, ` ${network.name}`)),
        element("td", {}, String(layer.units)),
        element("td", {}, worst ? String(rows.filter((row) => row.damaged > 0).length) : ""),
        element(
          "td",
          {},
          worst
            ? element("a", { href: `#${address(worst)}`, "aria-label": title(worst) }, String(worst.unit))
            : "",
        ),
        element(
          "td",
          {},
          worst
            ? element("span", {}, classAnchor(worst.worst_class), ` ${shown(worst.max_drop, "share")}`)
            : "",
        ),
      );
    }),
  );
  return element(
    "article",
    { class: "card", "aria-label": "overview" },
    element("h2", {}, "Every unit of every layer"),
    element(
      "p",
      { class: "lead" },
      "A unit is a channel of a convolution, or a neuron of a dense layer. Each was ablated alone: what every class loses then is its drop.",
    ),
    element(
      "ul",
      { class: "hints" },
      element(
        "li",
        {},
        "Click a point or a row to open a unit; with Shift, to compare it with the open one.",
      ),
      element("li", {}, "Drag over the plot to select units; the table shows these."),
      element("li", {}, "Choose a class to see which units it needs."),
    ),
    element(
      "table",
      { class: "layers" },
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          ...["layer", "units", "damaging", "worst unit", "worst class"].map((head) =>
            element("th", { scope: "col" }, head),
          ),
        ),
      ),
      element("tbody", {}, ...lines),
    ),
  );
}
