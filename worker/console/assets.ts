/** The console's style sheet and its one script. */

export const STYLE = `
:root { color-scheme: light dark; --ink: #1a1d21; --soft: #575e66; --paper: #fff; --tint: #f3f5f7; --line: #c9cfd6;
  --accent: #0b57c2; --on-accent: #fff; --good: #14662f; --bad: #a3161f; --wait: #7a4b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #aab2bb; --paper: #15181c; --tint: #1f242a;
  --line: #3c444d; --accent: #8ab6ff; --on-accent: #10141a; --good: #7fd89a; --bad: #ff9aa0; --wait: #f0c069; } }
* { box-sizing: border-box; }
body { margin: 0; overflow-wrap: break-word; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
header, main { max-width: 70rem; margin: 0 auto; padding: 0.75rem 1rem; }
header { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; align-items: center; border-bottom: 1px solid var(--line); }
header strong { margin-right: 0.5rem; } header form { margin-left: auto; }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; } nav a[aria-current] { font-weight: 600; }
a { color: var(--accent); } h1 { font-size: 1.4rem; margin: 0.5rem 0; } h2 { font-size: 1.15rem; margin: 1.5rem 0 0.5rem; }
h3 { font-size: 1rem; margin: 1rem 0 0.25rem; } .card > h2 { margin-top: 0.25rem; } ul { margin: 0.25rem 0; }
td time { white-space: nowrap; }
.skip { position: absolute; left: -100vw; } .skip:focus { position: static; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--soft); padding: 0.25rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.4rem 0.75rem 0.4rem 0; border-bottom: 1px solid var(--line); }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: 0.25rem 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.card { border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.75rem 1rem; margin: 0.75rem 0; }
pre, code { font-family: ui-monospace, monospace; font-size: 0.9rem; overflow-wrap: anywhere; }
pre { background: var(--tint); padding: 0.75rem; border-radius: 0.375rem; white-space: pre-wrap; overflow-wrap: anywhere; }
mark { background: var(--bad); color: var(--paper); } .warn { color: var(--wait); font-weight: 600; }
.active, .allow { color: var(--good); } .denied, .revoked, .alarm { color: var(--bad); } .pending { color: var(--wait); }
.status { font-weight: 600; } .soft { color: var(--soft); }
form.row { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: end; margin: 0.5rem 0; }
label { display: grid; gap: 0.15rem; } input, select, button { font: inherit; padding: 0.4rem 0.6rem; color: inherit;
  background: var(--paper); border: 1px solid var(--soft); border-radius: 0.375rem; min-height: 2.5rem; max-width: 100%; }
button { cursor: pointer; } button.main { background: var(--accent); color: var(--on-accent); border-color: var(--accent); }
`;

/** Refreshes the part marked `data-live` every few seconds, unless the person is busy in it. */
export const LIVE = `
const region = document.querySelector("[data-live]");
if (region) {
  const refresh = async () => {
    if (document.hidden || region.contains(document.activeElement)) return;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-live]");
      if (fresh && fresh.innerHTML !== region.innerHTML && !region.contains(document.activeElement)) {
        region.replaceChildren(...fresh.childNodes);
      }
    } catch { /* The next round tries again. */ }
  };
  setInterval(refresh, 2000);
}
`;
