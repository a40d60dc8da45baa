"use strict";
// Pictures out of sprites.

const addresses = new Map();

// A file's address; what the page holds itself is decoded once for all that show it.
function fileAddress(number) {
  if (!addresses.has(number)) {
    const text = DATA.files[number];
    addresses.set(number, text.startsWith("data:") ? objectAddress(text) : text);
  }
  return addresses.get(number);
}

function objectAddress(text) {
  const [head, content] = text.split(",");
  return URL.createObjectURL(new Blob([bytesOf(content)], { type: head.slice(5, head.indexOf(";")) }));
}

function backdrop(sprites, place) {
  const sheet = sprites.sheets[Math.floor(place / sprites.each)];
  const cell = place % sprites.each;
  const column = cell % sprites.columns,
    row = Math.floor(cell / sprites.columns);
  const across = sprites.columns > 1 ? (100 * column) / (sprites.columns - 1) : 0;
  const down = sheet.rows > 1 ? (100 * row) / (sheet.rows - 1) : 0;
  return {
    image: `url("${fileAddress(sheet.file)}")`,
    size: `${100 * sprites.columns}% ${100 * sheet.rows}%`,
    position: `${across}% ${down}%`,
  };
}

// A picture, the first of several layers on top.
function picture(label, ...layers) {
  const parts = layers.map(([sprites, place]) => backdrop(sprites, place));
  const [height, width] = layers[0][0].cell;
  const made = element("div", { class: "picture", role: "img", "aria-label": label, title: label });
  made.style.backgroundImage = parts.map((part) => part.image).join(",");
  made.style.backgroundSize = parts.map((part) => part.size).join(",");
  made.style.backgroundPosition = parts.map((part) => part.position).join(",");
  made.style.aspectRatio = `${width} / ${height}`;
  if (Math.max(height, width) <= 64) made.classList.add("sharp");
  return made;
}

// The image that activates a unit so much, with what it does not respond to darkened.
function topPicture(row, rank, covered) {
  const { top, network } = row.of;
  const ranks = top.places.shape[1];
  const number = row.of.pictured.get(row.unit) * ranks + rank;
  const layers = [[network.images, numbers(top.places)[number]]];
  if (covered) layers.unshift([top.covers, number]);
  const image = numbers(top.image)[number];
  const activation = shown(numbers(top.activation)[number]);
  return picture(`image ${image}, activation ${activation}`, ...layers);
}

function madePicture(row, objective) {
  const { made } = row.of;
  const number = objective * made.units.shape[0] + row.of.imagined.get(row.unit);
  if (!numbers(made.active)[number]) return null;
  const activation = shown(numbers(made.activation)[number]);
  return picture(`made by ${made.objectives[objective].toUpperCase()}, activation ${activation}`, [
    made.pictures,
    number,
  ]);
}

// What stands for a unit where there is little room.
function smallPicture(row) {
  if (row.of.pictured.has(row.unit)) return topPicture(row, 0, true);
  if (row.of.imagined.has(row.unit)) return madePicture(row, 0);
  return null;
}

function hasPicture(row) {
  return row.of.pictured.has(row.unit) || row.of.imagined.has(row.unit);
}
