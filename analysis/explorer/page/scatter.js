"use strict";
// The scatter of two quantities: drawn by Vega, selected in by dragging.

const SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"];
// Okabe and Ito's palette, for what has no order.
const SERIES = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B8A800", "#777777"];

function style(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function isDark() {
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

// Layers by depth, in an order that color-blind readers see too.
function layerColor(layer) {
  const depth = LAYERS.length > 1 ? LAYERS.indexOf(layer) / (LAYERS.length - 1) : 0.5;
  return vega.scheme("viridis")(isDark() ? 0.3 + 0.7 * depth : 0.85 * depth);
}

function seriesColor(number) {
  return SERIES[number % SERIES.length];
}

function plotSpec() {
  const axis = {
    grid: true,
    gridColor: style("--line"),
    domainColor: style("--line"),
    tickColor: style("--line"),
    labelColor: style("--muted"),
    titleColor: style("--text"),
    titleFontWeight: "normal",
    titleFontSize: 12,
    labelFontSize: 11,
  };
  const place = { x: { scale: "x", field: "x" }, y: { scale: "y", field: "y" } };
  return {
    padding: 6,
    autosize: { type: "fit", contains: "padding" },
    signals: [
      { name: "brush", value: null },
      { name: "zoomed", value: null },
      { name: "xTitle", value: "" },
      { name: "yTitle", value: "" },
    ],
    data: [
      { name: "points", values: [] },
      { name: "opened", values: [] },
    ],
    scales: ["x", "y"].map((name) => ({
      name,
      type: "linear",
      zero: false,
      padding: 9,
      range: name === "x" ? "width" : "height",
      domain: { data: "points", field: name },
      domainRaw: { signal: `zoomed ? zoomed.${name} : null` },
    })),
    axes: [
      { ...axis, orient: "bottom", scale: "x", title: { signal: "xTitle" }, tickCount: 6 },
      { ...axis, orient: "left", scale: "y", title: { signal: "yTitle" }, tickCount: 6 },
    ],
    marks: [
      {
        type: "symbol",
        interactive: false,
        clip: true,
        from: { data: "points" },
        encode: {
          update: {
            ...place,
            size: { field: "size" },
            shape: { field: "shape" },
            fill: { field: "color" },
            fillOpacity: { field: "opacity" },
            // What is in color lies on top.
            zindex: { field: "on" },
          },
        },
      },
      {
        type: "symbol",
        interactive: false,
        clip: true,
        from: { data: "opened" },
        encode: {
          update: {
            ...place,
            size: { value: 190 },
            fill: { value: "transparent" },
            stroke: { value: style("--text") },
            strokeWidth: { value: 2 },
          },
        },
      },
      {
        type: "text",
        interactive: false,
        from: { data: "opened" },
        encode: {
          update: {
            ...place,
            text: { field: "text" },
            dx: { value: 11 },
            dy: { signal: "scale('y', datum.y) < 16 ? 18 : -9" },
            fontSize: { value: 12 },
            fontWeight: { value: 600 },
            fill: { value: style("--text") },
            align: { signal: "scale('x', datum.x) > width * 0.75 ? 'right' : 'left'" },
          },
        },
      },
      {
        type: "rect",
        interactive: false,
        encode: {
          update: {
            x: { signal: "brush ? brush[0] : 0" },
            y: { signal: "brush ? brush[1] : 0" },
            x2: { signal: "brush ? brush[2] : 0" },
            y2: { signal: "brush ? brush[3] : 0" },
            fill: { value: style("--accent") },
            fillOpacity: { signal: "brush ? 0.14 : 0" },
            stroke: { value: style("--accent") },
            strokeOpacity: { signal: "brush ? 1 : 0" },
          },
        },
      },
    ],
  };
}

class Scatter {
  // chosen(range) is called while a range is dragged, opened(row, beside) when a point is clicked.
  constructor(container, tip, chosen, opened) {
    Object.assign(this, {
      container,
      tip,
      chosen,
      opened,
      range: null,
      // The same objects always: Vega makes no new marks of what has only changed.
      points: ROWS.map((row) => ({ row, shape: SHAPES[row.networkNumber % SHAPES.length] })),
      rows: [],
      shown: null,
      zoomed: null,
    });
    container.addEventListener("pointerdown", (event) => this.start(event));
    container.addEventListener("pointermove", (event) => this.move(event));
    container.addEventListener("pointerup", (event) => this.end(event));
    container.addEventListener("pointercancel", () => (this.from = null));
    container.addEventListener("pointerleave", () => (this.tip.hidden = true));
    new ResizeObserver(() => this.resize()).observe(container);
    this.draw();
  }

  // Made anew where colors change; set() draws the points.
  draw() {
    this.view?.finalize();
    this.view = new vega.View(vega.parse(plotSpec()), { renderer: "canvas", hover: false })
      .initialize(this.container)
      .width(this.container.clientWidth)
      .height(this.container.clientHeight);
    this.empty = true;
  }

  resize() {
    const { clientWidth, clientHeight } = this.container;
    if (clientWidth) this.view.width(clientWidth).height(clientHeight).run();
    this.drawBrush();
    this.view.run();
  }

  // The quantities of both axes, each { title, value(row) }; color(row) of points.
  set(axes, color) {
    Object.assign(this, { axes, color });
    this.update();
  }

  // Which rows are in color, the others faint.
  mark(shown) {
    this.shown = shown;
    this.update();
  }

  // Which rows are open.
  open(rows) {
    if (!rows.length && !this.rows.length) return;
    this.rows = rows;
    this.drawOpen();
    this.view.run();
  }

  drawOpen() {
    const { x, y } = this.axes;
    const points = this.rows.map((row) => ({
      x: x.value(row),
      y: y.value(row),
      text: `${row.layer}/${row.unit}${SEVERAL ? ` ${row.network}` : ""}`,
    }));
    this.view.data(
      "opened",
      points.filter((point) => point.x != null && point.y != null),
    );
  }

  update() {
    if (!this.axes || this.held) return;
    const { x, y } = this.axes;
    for (const point of this.points) {
      const { row } = point;
      const on = !this.shown || this.shown.has(row.id);
      point.x = x.value(row);
      point.y = y.value(row);
      point.known = point.x != null && point.y != null;
      point.on = on ? 1 : 0;
      point.color = on ? this.color(row) : style.faint;
      point.size = point.known ? (on ? 42 : 22) : 0;
      point.opacity = on ? 0.82 : 0.35;
    }
    const changes = vega.changeset();
    this.empty ? changes.insert(this.points) : changes.reflow();
    this.empty = false;
    this.drawOpen();
    this.drawBrush();
    this.view
      .signal("xTitle", x.title)
      .signal("yTitle", y.title)
      .signal("zoomed", this.zoomed)
      .change("points", changes)
      .run();
  }

  // Pixels from the corner of the plot's axes.
  place(event) {
    const box = this.container.getBoundingClientRect();
    const [left, top] = this.view.origin();
    const within = (value, most) => Math.max(0, Math.min(most, value));
    return [
      within(event.clientX - box.left - left, this.view.width()),
      within(event.clientY - box.top - top, this.view.height()),
    ];
  }

  start(event) {
    if (event.button) return;
    this.from = this.place(event);
    this.container.setPointerCapture(event.pointerId);
  }

  move(event) {
    const to = this.place(event);
    if (!this.from) return this.point(event, to);
    if (Math.hypot(to[0] - this.from[0], to[1] - this.from[1]) < 5) return;
    this.tip.hidden = true;
    const [x, y] = ["x", "y"].map((name) => this.view.scale(name));
    const sorted = (scale, one, other) => [scale.invert(one), scale.invert(other)].sort((a, b) => a - b);
    this.select({ x: sorted(x, this.from[0], to[0]), y: sorted(y, this.from[1], to[1]) });
  }

  end(event) {
    const to = this.place(event);
    const clicked = this.from && Math.hypot(to[0] - this.from[0], to[1] - this.from[1]) < 5;
    this.from = null;
    if (!clicked) return;
    const point = this.nearest(to);
    if (point) this.opened(point.row, event.shiftKey || event.metaKey || event.ctrlKey);
    else if (this.range) this.select(null);
  }

  // A range of both axes, or none.
  select(range) {
    this.range = range;
    this.chosen(range);
  }

  // Axes that show a range alone, or all points.
  zoom(range) {
    this.zoomed = range;
    this.select(null);
  }

  drawBrush() {
    const pixels = (name) => this.range[name].map((value) => this.view.scale(name)(value));
    const corners = this.range && [pixels("x"), pixels("y")];
    this.view.signal("brush", corners && [corners[0][0], corners[1][1], corners[0][1], corners[1][0]]);
  }

  inRange(row) {
    const { range, axes } = this;
    if (!range) return true;
    return ["x", "y"].every((name) => {
      const value = axes[name].value(row);
      return value != null && value >= range[name][0] && value <= range[name][1];
    });
  }

  nearest([across, up]) {
    const [x, y] = ["x", "y"].map((name) => this.view.scale(name));
    let best = null,
      least = 12 ** 2;
    for (const point of this.points) {
      if (!point.known) continue;
      const distance = (x(point.x) - across) ** 2 + (y(point.y) - up) ** 2 + (point.on ? 0 : 60);
      if (distance < least) [best, least] = [point, distance];
    }
    return best;
  }

  point(event, place) {
    const point = this.nearest(place);
    this.container.style.cursor = point ? "pointer" : "crosshair";
    this.tip.hidden = !point;
    if (!point) return;
    const { row } = point;
    if (this.tipped !== row) {
      const small = smallPicture(row);
      const facts = ["x", "y"].map((name) =>
        element("div", {}, `${this.axes[name].title}: ${shown(this.axes[name].value(row))}`),
      );
      this.tip.replaceChildren(
        ...[small, element("div", {}, element("strong", {}, title(row)), ...facts)].filter(Boolean),
      );
      this.tipped = row;
    }
    const left = Math.min(event.clientX + 14, innerWidth - this.tip.offsetWidth - 8);
    this.tip.style.transform = `translate(${left}px, ${event.clientY + 14}px)`;
  }
}
