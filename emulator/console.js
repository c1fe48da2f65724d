// Pages are whole without this; it keeps them as they are at the moment while one looks at them.
const SECONDS = 1;

async function refresh() {
  const answer = await fetch(location.href);
  const text = await answer.text();
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const [old, main] = [document, fresh].map((page) => page.querySelector("main"));
  if (main.innerHTML === last) return;
  last = main.innerHTML;
  const focused = old.querySelector(":focus")?.getAttribute("href");
  for (const details of old.querySelectorAll("details")) {
    const same = fresh.getElementById(details.id);
    if (same) same.open = details.open;
  }
  const scrolled = [...old.querySelectorAll(".scrolled")].map((part) => part.scrollLeft);
  old.replaceWith(document.adoptNode(main));
  main.querySelectorAll(".scrolled").forEach((part, i) => { part.scrollLeft = scrolled[i] ?? 0; });
  document.title = fresh.title;
  if (focused) main.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
}

let last = document.querySelector("main").innerHTML;
const ended = () => {
  const status = document.querySelector("[data-status]")?.dataset.status;
  return status !== undefined && status !== "RUNNING";
};
setInterval(() => { if (!ended() && !document.hidden) refresh().catch(() => {}); }, SECONDS * 1000);
