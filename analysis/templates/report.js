// What the page does without this is whole: tables stand in their order, and unfold by themselves.
const NUMBER = /^[<=±+-]?\s*\d[\d.]*(e[+-]?\d+)?/i;

function numberOf(cell) {
  const text = cell.textContent.trim().replaceAll(",", "").replaceAll("−", "-");
  return NUMBER.test(text) ? parseFloat(text.replace(/^[<=±]\s*/, "")) : NaN;
}

function sorted(rows, column, down, numeric) {
  const sign = down ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [a, b] = [one.cells[column], other.cells[column]];
    if (!numeric) return sign * a.textContent.localeCompare(b.textContent, "en", { numeric: true });
    const [x, y] = [numberOf(a), numberOf(b)];
    // Cells without a number stand last either way.
    return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y);
  });
}

for (const table of document.querySelectorAll("table.sorted")) {
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  heads.forEach((head, column) => {
    const cells = rows.map((row) => row.cells[column]).filter((cell) => cell.textContent);
    const numeric = 2 * cells.filter((cell) => !isNaN(numberOf(cell))).length > cells.length;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      // The most of a number first, then the least, then as the rows stood.
      const ways = numeric ? ["descending", "ascending", null] : ["ascending", "descending", null];
      const way = ways[(ways.indexOf(head.getAttribute("aria-sort")) + 1) % 3];
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      if (way) head.setAttribute("aria-sort", way);
      table.tBodies[0].append(...(way ? sorted(rows, column, way === "descending", numeric) : rows));
    });
  });
}

// For browsers whose style sheets cannot open what is folded on paper.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
