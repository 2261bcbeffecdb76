const field = document.getElementById("filter"), found = document.getElementById("found");
const rows = [...document.querySelectorAll("tr[data-find]")];
document.getElementById("filter-form").hidden = false;
function narrow() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const [who, ...cells] = row.dataset.find.split("\n");
    row.hidden = words.length > 0 && !cells.some(cell => words.every(word => who.includes(word) || cell.includes(word)));
    shown += !row.hidden;
  }
  for (const part of document.querySelectorAll("[data-part]"))
    part.hidden = words.length > 0 && !part.querySelector("tr[data-find]:not([hidden])");
  found.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
}
function clear() { field.value = ""; narrow(); }
field.addEventListener("input", narrow);
field.addEventListener("keydown", event => { if (event.key === "Escape") { event.preventDefault(); clear(); } });
document.getElementById("filter-form").addEventListener("submit", event => event.preventDefault());
addEventListener("beforeprint", () => document.querySelectorAll("[data-part] > details").forEach(one => one.open = true));
