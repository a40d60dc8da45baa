// What the page does without this is whole: tables stand in their order, and unfold by themselves.
const NUMBER = /^[<=±+-]?\s*\d[\d.]*(e[+-]?\d+)?/i;

function numberOf(cell) {
  const text = cell.textContent.trim().replaceAll(",", "").replaceAll("−", "-");
  return NUMBER.test(text) ? parseFloat(text.replace(/^[<=±]\s*/, "")) : NaN;
}

function sort(table, column, down, numeric) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const sign = down ? -1 : 1;
  rows.sort((one, other) => {
    const [a, b] = [one.cells[column], other.cells[column]];
    if (!numeric) return sign * a.textContent.localeCompare(b.textContent, "en", { numeric: true });
    const [x, y] = [numberOf(a), numberOf(b)];
    // Cells without a number stand last either way.
    return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y);
  });
  body.append(...rows);
}

for (const table of document.querySelectorAll("table.sorted")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const cells = [...table.tBodies[0].rows].map((row) => row.cells[column]).filter((cell) => cell.textContent);
    const numeric = 2 * cells.filter((cell) => !isNaN(numberOf(cell))).length > cells.length;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const down = before ? before === "ascending" : numeric;
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(table, column, down, numeric);
    });
  });
}

// For browsers whose style sheets cannot open what is folded on paper.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
