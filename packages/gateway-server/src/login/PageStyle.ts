import { createHash } from "node:crypto"

/**
 * The style of all pages. Every pair of colours has the contrast of WCAG 2.2 AA in both schemes. Lengths are in `rem`, so that
 * a page fits at 400 % zoom, and with large text. Nothing moves, so there is nothing to reduce for those who want no motion.
 * `.guarded` takes no click at first: not the second half of a double click that another page made the person begin. That is
 * no motion either, and has to end in every browser that knows `animation`.
 */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f5f6f8, #13161a);
  --surface: light-dark(#ffffff, #1b1f25);
  --text: light-dark(#1c2127, #e8ebef);
  --quiet: light-dark(#525b66, #aab3bf);
  --line: light-dark(#d5dae0, #343b45);
  --edge: light-dark(#6b7683, #8b96a5);
  --accent: light-dark(#0b57a4, #8fbdf7);
  --on-accent: light-dark(#ffffff, #0b1a2c);
  --good: light-dark(#17653a, #7bd29c);
  --bad: light-dark(#a9271d, #ffa198);
}
* { box-sizing: border-box }
body { margin: 0; padding: 1.5rem 1rem 3rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); overflow-wrap: anywhere }
header, main { max-width: 32rem; margin: 0 auto }
main { padding-top: 12vh }
h1, h2, h3 { line-height: 1.25; margin: 0 0 .75rem }
h1 { font-size: 1.75rem }
h2 { font-size: 1.25rem }
h3 { font-size: 1rem }
p, ul, dl { margin: 0 0 1rem }
a { color: var(--accent) }
code { font: .9375em ui-monospace, monospace }
button { font: inherit; font-weight: 600; min-height: 2.75rem; max-width: 100%; padding: .5rem 1rem; border: 1px solid var(--edge); border-radius: .375rem; color: var(--text); background: var(--surface); cursor: pointer }
button:hover { border-color: var(--text) }
.main-action { border-color: var(--accent); color: var(--on-accent); background: var(--accent) }
.guarded { pointer-events: none; animation: ready 0s .8s forwards }
@keyframes ready { to { pointer-events: auto } }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.quiet { color: var(--quiet); font-size: .9375em }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.wide header, .wide main { max-width: 46rem }
.widest header, .widest main { max-width: 84rem }
.wide main, .widest main { padding-top: 2rem }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; padding-bottom: 1rem; border-bottom: 1px solid var(--line) }
header p { margin: 0 }
header p:first-child { flex: 1 1 16rem }
section { margin: 0 0 1.25rem; padding: 1.25rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--surface); overflow: clip }
section > :last-child { margin-bottom: 0 }
.state { font-weight: 600 }
.good { color: var(--good) }
.bad { color: var(--bad) }
dl { display: grid; grid-template-columns: 11rem 1fr; gap: .5rem 1rem }
dt { color: var(--quiet) }
dd { margin: 0; overflow: clip }
.scopes { display: inline-flex; flex-wrap: wrap; gap: .25rem .5rem; margin: 0; padding: 0; list-style: none }
.scopes code { display: block; padding: 0 .375rem; border: 1px solid var(--line); border-radius: .25rem }
.actions { display: flex; flex-wrap: wrap; gap: .75rem }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; background: var(--surface); margin-bottom: 1rem }
table { width: 100%; border-collapse: collapse; text-align: left; font-size: .9375rem }
th, td { min-width: 8.5rem; padding: .625rem .875rem; border-bottom: 1px solid var(--line); vertical-align: top }
.two-facts { min-width: 15rem }
tbody:last-child tr:last-child > * { border-bottom: 0 }
tbody th { font-weight: 600 }
.person { background: var(--ground) }
.person h2 { margin: 0; font-size: 1rem }
@media (max-width: 36rem) { dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .75rem } section { padding: 1rem } }
`

/** What `style-src` allows: this style, and no other. Computed with each page: most processes never show one. */
export const pageStyleSource = (): string =>
  `'sha256-${createHash("sha256").update(pageStyle).digest("base64")}'`
