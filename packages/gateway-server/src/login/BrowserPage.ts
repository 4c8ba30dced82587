import { visibleText } from "../display/VisibleText.ts"

/** An answer of the callback listener to a browser. */
export interface BrowserPage {
  readonly status: number
  readonly html: string
  /** Added to the headers of every page. */
  readonly headers?: Readonly<Record<string, string | ReadonlyArray<string>>>
}

/** A page that says something, and leads nowhere. All of it is escaped: parts may come from a server. */
export const textPage = (
  status: number,
  headline: string,
  text = "You can close this window."
): BrowserPage => ({ status, html: htmlPage(headline, `<p>${escapeHtml(text)}</p>`) })

/** @param body HTML in which everything that others chose is escaped */
export const htmlPage = (headline: string, body: string, style = ""): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(headline)}</title>
<style>body { font: 1rem/1.5 system-ui; max-width: 32rem; margin: 20vh auto; padding: 0 1rem; overflow-wrap: anywhere } ${style}</style>
<h1>${escapeHtml(headline)}</h1>
${body}
</html>
`

export const escapeHtml = (text: string): string =>
  visibleText(text).replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

/** What every page has in its `Content-Security-Policy`: it runs nothing, loads nothing, and stands in no frame. */
export const pagePolicy =
  "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

/** The URL of a page may contain a code or a link: it must not be cached, framed or sent as a referrer. */
export const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "content-security-policy": pagePolicy,
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  connection: "close"
}
