// Search as one types, copy buttons, arrow keys. Without this script the pages work, too.
const input = document.getElementById("q");
const results = document.getElementById("results");

if (input && results) {
  let latest = 0;
  const search = async () => {
    const mine = ++latest;
    const query = new URLSearchParams({ q: input.value });
    const response = await fetch(`/results?${query}`);
    const html = await response.text();
    if (mine !== latest || !response.ok) return; // a newer question is on its way
    results.innerHTML = html;
    history.replaceState(null, "", input.value ? `/?${query}` : "/");
  };
  let timer;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, 120);
  });
  document.addEventListener("keydown", (event) => {
    const links = [...results.querySelectorAll("li > a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown" && (document.activeElement === input || at >= 0)) {
      links[Math.min(at + 1, links.length - 1)]?.focus();
    } else if (event.key === "ArrowUp" && at >= 0) {
      (links[at - 1] ?? input).focus();
    } else if (event.key === "/" && document.activeElement !== input) {
      input.focus();
    } else {
      return;
    }
    event.preventDefault();
  });
}

document.addEventListener("click", async (event) => {
  if (!event.target.matches("button.copy")) return;
  const button = event.target;
  await navigator.clipboard.writeText(button.closest("figure").querySelector("pre").textContent);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
});
