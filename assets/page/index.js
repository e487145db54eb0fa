// Searches the prompts of a folder. What is searched for lives in the URL's fragment, so that a link is a search.

const items = [...document.querySelectorAll("#prompts li")];
const texts = items.map((item) => item.querySelector("span").textContent.toLowerCase());
const input = document.getElementById("search");
const status = document.getElementById("found");

function search() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  items.forEach((item, at) => {
    item.hidden = !words.every((word) => texts[at].includes(word));
    found += item.hidden ? 0 : 1;
  });
  status.textContent = words.length ? `${found} of ${items.length} prompts` : `${items.length} prompts`;
}

function read() {
  input.value = new URLSearchParams(location.hash.slice(1)).get("search") ?? "";
  search();
}

input.addEventListener("input", () => {
  history.replaceState(null, "", input.value ? `#${new URLSearchParams({ search: input.value })}` : "#");
  search();
});
addEventListener("hashchange", read);
document.getElementById("searching").hidden = false;
read();
