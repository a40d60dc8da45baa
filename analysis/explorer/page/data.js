"use strict";
// The page's data: networks, layers, units, and the numbers of each.

const DATA = JSON.parse(document.getElementById("data").textContent);
const ARRAYS = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array };
const NONE = 2 ** 32 - 1;
const decoded = new WeakMap();

// The numbers of an array, decoded when they are first needed.
function numbers(packed) {
  if (!decoded.has(packed)) {
    decoded.set(packed, new ARRAYS[packed.type](bytesOf(packed.base64).buffer));
  }
  return decoded.get(packed);
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place++) bytes[place] = text.charCodeAt(place);
  return bytes;
}

// Which columns the table has; those that may be axes are numbers.
const COLUMNS = new Map(DATA.columns.map((column) => [column.key, column]));
const SEVERAL = DATA.networks.length > 1;
const CLASSES = [...new Set(DATA.networks.flatMap((network) => network.classes ?? []))];
for (const network of DATA.networks) {
  network.classNumber = new Map((network.classes ?? []).map((name, number) => [name, number]));
}
const LAYERS = [...new Set(DATA.networks.flatMap((network) => network.layers.map((layer) => layer.name)))];

// One row a unit.
const ROWS = [];
for (const [networkNumber, network] of DATA.networks.entries()) {
  for (const layer of network.layers) {
    layer.first = ROWS.length;
    layer.network = network;
    const columns = Object.entries(layer.columns).map(([key, values]) => [key, columnValues(values)]);
    layer.pictured = new Map(
      layer.top ? [...numbers(layer.top.units)].map((unit, place) => [unit, place]) : [],
    );
    layer.imagined = new Map(
      layer.made ? [...numbers(layer.made.units)].map((unit, place) => [unit, place]) : [],
    );
    for (let unit = 0; unit < layer.units; unit++) {
      const row = {
        id: ROWS.length,
        network: network.name,
        networkNumber,
        layer: layer.name,
        unit,
        of: layer,
      };
      for (const [key, values] of columns) row[key] = values(unit);
      ROWS.push(row);
    }
  }
}

function columnValues(values) {
  if (values.texts) {
    const index = numbers(values.index);
    return (unit) => values.texts[index[unit]];
  }
  const array = numbers(values);
  return (unit) => (Number.isNaN(array[unit]) ? null : array[unit]);
}

// What the ablation of a unit does to a class; null where that was not measured.
function outcome(row, name) {
  const { outcomes, network } = row.of;
  const number = network.classNumber.get(name);
  if (!outcomes || number === undefined) return null;
  const place = numbers(outcomes.outcome)[row.unit * network.classes.length + number];
  const images = numbers(network.class_images)[number];
  const before = numbers(network.class_correct)[number] / images;
  const [drop, low, high] = ["drop", "low", "high"].map((key) => numbers(outcomes[key])[place]);
  return {
    name,
    drop,
    low,
    high,
    damaged: numbers(outcomes.damaged)[place] === 1,
    before,
    after: before - drop,
    images,
  };
}

// Puts the drops of a class, by its number, into a layer's rows; none without one.
function readClass(layer, number) {
  const { outcomes, network } = layer;
  const known = outcomes && number !== undefined;
  const [index, drop, low, high, damaged] = ["outcome", "drop", "low", "high", "damaged"].map(
    (key) => known && numbers(outcomes[key]),
  );
  for (let unit = 0; unit < layer.units; unit++) {
    const row = ROWS[layer.first + unit];
    const place = known && index[unit * network.classes.length + number];
    row.class_drop = known ? drop[place] : null;
    row["class_drop.low"] = known ? low[place] : null;
    row["class_drop.high"] = known ? high[place] : null;
    row.class_damaged = known && damaged[place] === 1;
  }
}

// All classes of a unit, those that lose most first.
function outcomesOf(row) {
  const all = (row.of.network.classes ?? []).map((name) => outcome(row, name)).filter(Boolean);
  return all.sort((one, other) => other.drop - one.drop);
}

function neighborsOf(row, kind) {
  const found = row.of.neighbors[kind];
  if (!found) return [];
  const [, most] = found.units.shape;
  const start = row.unit * most;
  return Array.from({ length: most }, (_, place) => ({
    row: ROWS[row.of.first + numbers(found.units)[start + place]],
    r: numbers(found.r)[start + place],
  })).filter(({ r }) => !Number.isNaN(r));
}

// The share of the layer's units with less of a quantity.
function shareBelow(row, key) {
  let below = 0,
    known = 0;
  for (let unit = 0; unit < row.of.units; unit++) {
    const value = ROWS[row.of.first + unit][key];
    if (value == null) continue;
    known += 1;
    if (value < row[key]) below += 1;
  }
  return known > 1 ? below / (known - 1) : null;
}

// conv4/17, or conv4/17@network for another network than the first.
function address(row) {
  const network = row.networkNumber ? `@${encodeURIComponent(row.network)}` : "";
  return `${encodeURIComponent(row.layer)}/${row.unit}${network}`;
}

function rowAt(text) {
  const [place, network] = text.split("@");
  const slash = place.lastIndexOf("/");
  const name = decodeURIComponent(network ?? "");
  const layer = decodeURIComponent(place.slice(0, slash));
  const unit = Number(place.slice(slash + 1));
  const networks = DATA.networks.filter((each) => !network || each.name === name);
  const found = networks.flatMap((each) => each.layers).find((each) => each.name === layer);
  const known = slash > 0 && found && Number.isInteger(unit) && unit >= 0 && unit < found.units;
  return known ? ROWS[found.first + unit] : null;
}

function title(row) {
  return `${row.layer} · unit\u00a0${row.unit}${SEVERAL ? ` · ${row.network}` : ""}`;
}

// Numbers as people read them: shares in percent, others with three digits.
function shown(value, kind) {
  if (value == null) return "";
  if (kind === "share") return `${points(value)}\u00a0%`;
  if (kind === "count") return value.toLocaleString("en");
  if (kind === "text") return value;
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 1e-3 || size >= 1e5)
      ? value.toExponential(2)
      : String(Number(value.toPrecision(3)));
  return text.replace("-", "−");
}

// With so many digits after the point; what is 0 when rounded has no sign.
function rounded(value, digits) {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

// A share in percentage points.
function points(share) {
  return rounded(100 * share, 1);
}

function interval(low, high) {
  return low == null ? "" : `[${points(low)}, ${points(high)}]`;
}

function withInterval(row, key) {
  const column = COLUMNS.get(key);
  const text = shown(row[key], column.kind);
  return column.interval && text ? `${text} ${interval(row[`${key}.low`], row[`${key}.high`])}` : text;
}

// An element with attributes and children; texts are texts and never markup.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child != null && child !== false));
  return made;
}
