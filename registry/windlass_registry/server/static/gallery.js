// What the registry's pages do better with a script: search while typing, copy a line, build the command of a form.
"use strict";

const search = document.querySelector("input[type=search]");
const found = document.getElementById("found");

if (search && found) {
  let asked = 0;
  search.addEventListener("input", async () => {
    const mine = ++asked;
    await new Promise((resume) => setTimeout(resume, 80));
    if (mine !== asked) return;
    const here = new URL(location.href);
    here.searchParams.set("q", search.value);
    history.replaceState(null, "", here);
    here.searchParams.set("part", "1");
    const answer = await fetch(here);
    if (answer.ok && mine === asked) found.innerHTML = await answer.text(); // our own server's, escaped there
  });
}

for (const line of document.querySelectorAll(".copy")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(line.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  line.append(button);
}

const form = document.querySelector("form.parameters");
const command = document.querySelector(".copy[data-command]");
if (form && command) {
  const quoted = (text) => (/^[A-Za-z0-9_.,:\/@=+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const write = () => {
    const chosen = [...form.elements].filter((field) => field.name && field.value !== field.dataset.default);
    const words = chosen.map((field) => ` --param ${field.name}=${quoted(field.value)}`);
    command.querySelector("code").textContent = command.dataset.command + words.join("");
  };
  form.addEventListener("input", write);
  form.addEventListener("submit", (event) => event.preventDefault());
}
