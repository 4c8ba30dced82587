import { visibleText } from "../display/VisibleText.ts"
import { pageStyle, pageStyleSource } from "./PageStyle.ts"

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

/** The message of an error, as a sentence for people. */
export const sentence = (message: string): string => `${message.charAt(0).toUpperCase()}${message.slice(1)}.`

export interface PageLayout {
  /** HTML that stands before the page's own content: who is logged in, and ways to other pages. */
  readonly header?: string
  /** Wide for facts, and widest for a table. Without it, the page is as wide as a short text needs. */
  readonly width?: "wide" | "widest"
}

/** @param body HTML in which everything that others chose is escaped; so is all of the layout */
export const htmlPage = (headline: string, body: string, { header, width }: PageLayout = {}): string =>
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(headline)}</title>
<style>${pageStyle}</style>
</head>
<body${width === undefined ? "" : ` class="${width}"`}>
${header === undefined ? "" : `<header>\n${header}\n</header>\n`}<main>
<h1>${escapeHtml(headline)}</h1>
${body}
</main>
</body>
</html>
`

/** A text for people, as HTML. What would hide or turn text around is shown as an escape. */
export const escapeHtml = (text: string): string => escapeValue(visibleText(text))

/** The value of a field that a form sends back: it has to come back as it is. */
export const escapeValue = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

/** What every page has in its `Content-Security-Policy`: it runs nothing, loads nothing, and stands in no frame. */
export const pagePolicy = (): string =>
  `default-src 'none'; style-src ${pageStyleSource()}; frame-ancestors 'none'; base-uri 'none'`

/** The URL of a page may contain a code or a link: it must not be cached, framed or sent as a referrer. */
export const pageHeaders = () => ({
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  // A page with a form says itself where that may lead.
  "content-security-policy": `${pagePolicy()}; form-action 'none'`,
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  connection: "close"
})
