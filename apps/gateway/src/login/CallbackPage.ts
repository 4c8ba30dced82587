/** The page that a browser shows after a login. All of it is escaped: parts may come from a server. */
export const callbackPage = (
  headline: string,
  text = "You can close this window."
): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(headline)}</title>
<style>body { font: 1rem/1.5 system-ui; max-width: 32rem; margin: 20vh auto; padding: 0 1rem }</style>
<h1>${escapeHtml(headline)}</h1>
<p>${escapeHtml(text)}</p>
</html>
`

const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
